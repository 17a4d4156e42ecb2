"""Trains a small convolutional network by Adam in JAX; prints the least processor time of a step.

The network is that of `conv` by default: 8 and 16 channels of 3 by 3 kernels on 28 by 28 pixels,
windows of 2 by 2, a dense layer of 64, ten classes. Compilation is left out.
"""
import argparse

import one_core  # noqa: F401
import jax
import jax.numpy as jnp
import numpy as np
from steps_jax import report

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("batch", type=int)
batch = options.parse_args().batch

draw = np.random.default_rng(0)


def layer(*shape, inputs):
    limit = 1 / np.sqrt(inputs)
    return jnp.asarray(draw.uniform(-limit, limit, shape), jnp.float32), jnp.zeros(shape[0])


weights = {
    "conv": [layer(8, 1, 3, 3, inputs=9), layer(16, 8, 3, 3, inputs=72)],
    "dense": [layer(64, 400, inputs=400), layer(10, 64, inputs=64)],
}
images = jnp.asarray(draw.normal(size=(batch, 1, 28, 28)), jnp.float32)
labels = jnp.asarray(draw.integers(0, 10, batch))


def loss(weights, x, y):
    for w, b in weights["conv"]:
        x = jax.lax.conv(x, w, (1, 1), "VALID") + b[:, None, None]
        x = jax.nn.relu(x)
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    x = x.reshape(batch, -1)
    (w, b), (head, bias) = weights["dense"]
    logits = jax.nn.relu(x @ w.T + b) @ head.T + bias
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()


report(loss, weights, images, labels)
