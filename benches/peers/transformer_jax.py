"""Trains a small transformer encoder by Adam in JAX; prints the least processor time of a step.

The network is that of `transformer` by default over eight inputs: tokens of 16 numbers, two heads,
two layers, 32 numbers between the dense layers of each. Compilation is left out.
"""
import argparse

import one_core  # noqa: F401
import jax
import jax.numpy as jnp
import numpy as np
from steps_jax import report

TOKENS, WIDTH, HEADS, LAYERS, BETWEEN = 8, 16, 2, 2, 32

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("batch", type=int)
batch = options.parse_args().batch

draw = np.random.default_rng(0)


def layer(out, inputs):
    limit = 1 / np.sqrt(inputs)
    return jnp.asarray(draw.uniform(-limit, limit, (out, inputs)), jnp.float32), jnp.zeros(out)


def norm():
    return jnp.ones(WIDTH), jnp.zeros(WIDTH)


weights = {
    "tokens": layer(TOKENS, WIDTH)[0],
    "places": layer(TOKENS, WIDTH)[0],
    "layers": [
        {
            "in": layer(3 * WIDTH, WIDTH),
            "out": layer(WIDTH, WIDTH),
            "first": layer(BETWEEN, WIDTH),
            "second": layer(WIDTH, BETWEEN),
            "norms": [norm(), norm()],
        }
        for _ in range(LAYERS)
    ],
    "head": layer(1, WIDTH),
}
inputs = jnp.asarray(draw.normal(size=(batch, TOKENS)), jnp.float32)
targets = jnp.asarray(draw.normal(size=batch), jnp.float32)


def dense(x, layer):
    weight, bias = layer
    return x @ weight.T + bias


def normalised(x, norm):
    scale, shift = norm
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + 1e-5) * scale + shift


def attend(x, layer):
    parts = dense(x, layer["in"]).reshape(batch, TOKENS, 3, HEADS, WIDTH // HEADS)
    query, key, value = (parts[:, :, at].swapaxes(1, 2) for at in range(3))
    scores = query @ key.swapaxes(-1, -2) / np.sqrt(WIDTH // HEADS)
    values = jax.nn.softmax(scores) @ value
    return dense(values.swapaxes(1, 2).reshape(batch, TOKENS, WIDTH), layer["out"])


def loss(weights, x, y):
    x = x[..., None] * weights["tokens"] + weights["places"]
    for layer in weights["layers"]:
        x = normalised(x + attend(x, layer), layer["norms"][0])
        between = jax.nn.relu(dense(x, layer["first"]))
        x = normalised(x + dense(between, layer["second"]), layer["norms"][1])
    return jnp.mean((dense(x.mean(1), weights["head"])[:, 0] - y) ** 2)


report(loss, weights, inputs, targets)
