"""Times steps of Adam in JAX: many in one call, and one by one."""
import json
import time

import jax
import jax.numpy as jnp

STEPS, RATE, BETA1, BETA2, EPSILON = 20, 1e-3, 0.9, 0.999, 1e-8


def report(loss, weights, x, y):
    """Prints the least processor time of a step as JSON, compilation left out."""

    def step(state, count):
        weights, first, second = state
        gradient = jax.grad(loss)(weights, x, y)
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
        second = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradient)
        rate = RATE * jnp.sqrt(1 - BETA2**count) / (1 - BETA1**count)

        def move(w, m, v):
            return w - rate * m / (jnp.sqrt(v) + EPSILON)

        return (jax.tree.map(move, weights, first, second), first, second), None

    zero = jax.tree.map(jnp.zeros_like, weights)
    start = (weights, zero, zero)
    counts = [jnp.float32(count) for count in range(1, STEPS + 1)]
    together = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(1.0, STEPS + 1))[0])
    alone = jax.jit(lambda state, count: step(state, count)[0])

    def one_by_one(state):
        for count in counts:
            state = alone(state, count)
        return state

    def timed(steps):
        began = time.process_time()
        jax.block_until_ready(steps(start))
        return time.process_time() - began

    # Convolutions are slow within a scan, small products outside of one.
    least = min(timed(steps) for steps in [together, one_by_one] for _ in range(10))
    print(json.dumps({"seconds": least / STEPS}))
