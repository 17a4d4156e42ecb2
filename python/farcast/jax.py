"""Networks of JAX as networks of farcast.

    import farcast.jax

    def init(key, inputs): ...            # a dictionary of arrays, by name
    def apply(tensors, x): ...            # x [rows, inputs] -> [rows, outputs]

    farcast.network("mine", farcast.jax.Network(init, apply))

Both get those parameters of the plugin that they name: ``init(key, inputs, hidden)`` for a plugin
with ``hidden: List(Int)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
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
        init: Callable[..., Tensors],
        apply: Callable[..., jax.Array],
        loss: Callable[[jax.Array, jax.Array], jax.Array] = _mean_squares,
        *,
        steps: int = 500,
        rate: float = 1e-2,
    ) -> None:
        self._init, self._apply, self._loss = init, apply, loss
        self._steps, self._rate = steps, rate
        self._runners: dict[str, _Runner] = {}
        self._named = [_named(init), _named(apply)]

    def _runner(self, inputs: int, args: dict[str, Any]) -> _Runner:
        of_init, of_apply = ({n: args[n] for n in named if n in args} for named in self._named)
        key = repr((inputs, sorted(of_init.items()), sorted(of_apply.items())))
        if key not in self._runners:
            def init(seed: jax.Array) -> Tensors:
                return self._init(seed, inputs, **of_init)

            def apply(tensors: Tensors, x: jax.Array) -> jax.Array:
                return self._apply(tensors, x, **of_apply)

            self._runners[key] = _Runner(init, apply, self._loss)
        return self._runners[key]

    def train(self, ctx: Context, *, samples: dict[str, Any], **args: Any) -> Weights:
        """Adam on all rows; ``steps`` and ``rate`` may be parameters of the plugin.

        With a parameter ``every`` the weights after every ``every`` steps are kept, for `record`.
        """
        steps, rate = int(args.get("steps", self._steps)), float(args.get("rate", self._rate))
        every = int(args.get("every", 0))
        x, y = jnp.asarray(samples["inputs"]), jnp.asarray(samples["targets"])
        runner = self._runner(x.shape[1], args)
        start = runner.init(jax.random.PRNGKey(ctx.seed("init") % 2**32))
        row = jnp.asarray(runner.layout.join({k: np.asarray(v) for k, v in start.items()}))
        first, second = jnp.zeros_like(row), jnp.zeros_like(row)
        kept, losses = [(0, row)] if every else [], []
        for at in range(1, steps + 1):
            row, first, second, loss = runner.step(row, first, second, at, rate, x, y)
            if every and at % every == 0 and at < steps:
                kept.append((at, row))
            if at % max(1, steps // 50) == 0:
                if not np.isfinite(float(loss)):
                    raise Diverged(f"the loss at step {at} is {float(loss)}")
                losses.append([at, float(loss), None])
                ctx.progress(at, steps, float(loss))
        kept.append((steps, row))
        states = np.stack([np.asarray(state) for _, state in kept])
        steps_of = {"step": np.array([step for step, _ in kept])} if every else {}
        return Weights(states, runner.layout, steps_of, head={"losses": losses})

    def outputs(self, weights: np.ndarray, inputs: np.ndarray, **args: Any) -> np.ndarray:
        return np.asarray(self._runner(inputs.shape[-1], args).outputs(weights, inputs))

    def gradients(
        self, weights: np.ndarray, inputs: np.ndarray, targets: np.ndarray, **args: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        runner = self._runner(inputs.shape[-1], args)
        losses, slopes = runner.gradients(weights, inputs, targets)
        return np.asarray(losses), np.asarray(slopes)


class _Runner:
    """One network, compiled once for each shape of its inputs."""

    def __init__(
        self,
        init: Callable[[jax.Array], Tensors],
        apply: Callable[[Tensors, jax.Array], jax.Array],
        loss: Callable[[jax.Array, jax.Array], jax.Array],
    ) -> None:
        self.init = init
        start = init(jax.random.PRNGKey(0))
        self.layout = Layout.of({name: np.asarray(part) for name, part in start.items()})

        def run(row: jax.Array, x: jax.Array) -> jax.Array:
            return apply(_split(self.layout, row), x)

        def loss_of(row: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
            return loss(run(row, x), y)

        gradient = jax.value_and_grad(loss_of)

        def step(row: Any, first: Any, second: Any, at: Any, rate: Any, x: Any, y: Any) -> Any:
            value, slope = gradient(row, x, y)
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            move = (first / (1 - 0.9**at)) / (jnp.sqrt(second / (1 - 0.999**at)) + 1e-8)
            return row - rate * move, first, second, value

        self.step = jax.jit(step)
        self.outputs = jax.jit(jax.vmap(run))
        self.gradients = jax.jit(jax.vmap(gradient))


def _named(function: Callable[..., Any]) -> list[str]:
    """The parameters beyond the first two."""
    parameters = list(inspect.signature(function).parameters.values())
    return [it.name for it in parameters[2:] if it.kind is not it.VAR_KEYWORD]


def _split(layout: Layout, row: jax.Array) -> dict[str, jax.Array]:
    parts, at = {}, 0
    for name, shape in layout.tensors:
        size = int(np.prod(shape))
        parts[name] = row[at : at + size].reshape(shape)
        at += size
    return parts
