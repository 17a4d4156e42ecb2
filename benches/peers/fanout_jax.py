"""Fine-tunes many small networks from one parent: SGD on minibatches of their own, in JAX.

All children in one call, jit(vmap(scan(grad))): the fastest form we know on a CPU. Prints the
least processor time of a step of a child as JSON, compilation left out.
"""
import argparse
import json
import time

import one_core  # noqa: F401
import jax
import jax.numpy as jnp
import numpy as np

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("batch", type=int)
options.add_argument("widths", type=lambda text: [int(width) for width in text.split(",")])
options.add_argument("--children", type=int, default=512)
options.add_argument("--steps", type=int, default=20)
options = options.parse_args()

draw = np.random.default_rng(0)
parent = [
    (
        jnp.asarray(draw.uniform(-1, 1, (width, out)) / np.sqrt(width), jnp.float32),
        jnp.zeros(out, jnp.float32),
    )
    for width, out in zip(options.widths, options.widths[1:])
]
shape = (options.children, options.steps, options.batch)
inputs = jnp.asarray(draw.normal(size=(*shape, options.widths[0])), jnp.float32)
targets = jnp.asarray(draw.normal(size=(*shape, options.widths[-1])), jnp.float32)


def loss(layers, x, y):
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        x = jnp.tanh(x @ w + b)
    return jnp.mean((x @ weight + bias - y) ** 2)


def finetune(layers, inputs, targets):
    def step(layers, batch):
        gradient = jax.grad(loss)(layers, *batch)
        return jax.tree.map(lambda w, g: w - 1e-3 * g, layers, gradient), None

    return jax.lax.scan(step, layers, (inputs, targets))[0]


every = jax.jit(jax.vmap(finetune, in_axes=(None, 0, 0)))


def timed():
    start = time.process_time()
    jax.block_until_ready(every(parent, inputs, targets))
    return time.process_time() - start


timed()
least = min(timed() for _ in range(7))
print(json.dumps({"seconds": least / (options.children * options.steps)}))
