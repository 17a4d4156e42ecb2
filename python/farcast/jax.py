"""Networks of JAX as networks of farcast.

    import farcast.jax

    def init(key, inputs): ...            # a dictionary of arrays, by name
    def apply(tensors, x): ...            # x [rows, inputs] -> [rows, outputs]

    farcast.network("mine", farcast.jax.Network(init, apply))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._serve import Context, Diverged
from ._values import Layout, Weights

Tensors = Mapping[str, jax.Array]


def _mean_squares(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.mean((outputs - targets) ** 2)


class Network:
    """A network of functions.

    ``init(key, inputs)`` gives the tensors to start from by name, ``apply(tensors, x)`` the
    outputs ``[rows, outputs]`` of ``x[rows, inputs]``, ``loss(outputs, targets)`` a number: the
    mean squared error when it is left out. Training is by Adam on all rows.
    """

    def __init__(
        self,
        init: Callable[[jax.Array, int], Tensors],
        apply: Callable[[Tensors, jax.Array], jax.Array],
        loss: Callable[[jax.Array, jax.Array], jax.Array] = _mean_squares,
        *,
        steps: int = 500,
        rate: float = 1e-2,
    ) -> None:
        self._init, self._apply, self._loss = init, apply, loss
        self._steps, self._rate = steps, rate
        self._layouts: dict[int, Layout] = {}

    def _layout(self, inputs: int) -> Layout:
        if inputs not in self._layouts:
            tensors = self._init(jax.random.PRNGKey(0), inputs)
            self._layouts[inputs] = Layout.of({k: np.asarray(v) for k, v in tensors.items()})
        return self._layouts[inputs]

    def _run(self, row: jax.Array, x: jax.Array) -> jax.Array:
        return self._apply(_split(self._layout(x.shape[-1]), row), x)

    def _loss_of(self, row: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        return self._loss(self._run(row, x), y)

    def train(self, ctx: Context, *, samples: dict[str, Any], **args: Any) -> Weights:
        """Adam on all rows; ``steps`` and ``rate`` may be parameters of the plugin."""
        steps, rate = int(args.get("steps", self._steps)), float(args.get("rate", self._rate))
        x, y = jnp.asarray(samples["inputs"]), jnp.asarray(samples["targets"])
        layout = self._layout(x.shape[1])
        start = self._init(jax.random.PRNGKey(ctx.seed("init") % 2**32), x.shape[1])
        row = jnp.asarray(layout.join({k: np.asarray(v) for k, v in start.items()}))
        first, second = jnp.zeros_like(row), jnp.zeros_like(row)
        losses = []
        step = self._step()
        for at in range(1, steps + 1):
            row, first, second, loss = step(row, first, second, at, rate, x, y)
            if at % max(1, steps // 50) == 0:
                if not np.isfinite(float(loss)):
                    raise Diverged(f"the loss at step {at} is {float(loss)}")
                losses.append([at, float(loss), None])
                ctx.progress(at, steps, float(loss))
        return Weights(np.asarray(row)[None], layout, head={"losses": losses})

    def _step(self) -> Callable[..., Any]:
        gradient = jax.value_and_grad(self._loss_of)

        @jax.jit
        def step(row: Any, first: Any, second: Any, at: Any, rate: Any, x: Any, y: Any) -> Any:
            loss, slope = gradient(row, x, y)
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            move = (first / (1 - 0.9**at)) / (jnp.sqrt(second / (1 - 0.999**at)) + 1e-8)
            return row - rate * move, first, second, loss

        return step

    def outputs(self, weights: np.ndarray, inputs: np.ndarray, **_: Any) -> np.ndarray:
        # Made here: what is traced cannot be looked at.
        self._layout(inputs.shape[-1])
        return np.asarray(self._batched_run(jnp.asarray(weights), jnp.asarray(inputs)))

    def gradients(
        self, weights: np.ndarray, inputs: np.ndarray, targets: np.ndarray, **_: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        self._layout(inputs.shape[-1])
        losses, slopes = self._batched_gradient(
            jnp.asarray(weights), jnp.asarray(inputs), jnp.asarray(targets)
        )
        return np.asarray(losses), np.asarray(slopes)

    @partial(jax.jit, static_argnums=0)
    def _batched_run(self, weights: jax.Array, inputs: jax.Array) -> jax.Array:
        return jax.vmap(self._run)(weights, inputs)

    @partial(jax.jit, static_argnums=0)
    def _batched_gradient(self, weights: Any, inputs: Any, targets: Any) -> Any:
        return jax.vmap(jax.value_and_grad(self._loss_of))(weights, inputs, targets)


def _split(layout: Layout, row: jax.Array) -> dict[str, jax.Array]:
    parts, at = {}, 0
    for name, shape in layout.tensors:
        size = int(np.prod(shape))
        parts[name] = row[at : at + size].reshape(shape)
        at += size
    return parts
