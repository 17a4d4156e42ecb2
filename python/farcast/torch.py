"""Modules of PyTorch as networks of farcast.

    import farcast.torch

    farcast.network("mine", farcast.torch.Network(MyModule))

The module is made by ``MyModule(inputs)``, and gets those parameters of the plugin that it names:
``MyModule(inputs, width=24)`` for a plugin with ``width: Int``. Weights are its parameters, by
their names in its ``state_dict``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

try:
    from torch.func import functional_call, grad_and_value, vmap
except ImportError:  # before version 2
    from functorch import grad_and_value, vmap
    from torch.nn.utils.stateless import functional_call

from ._serve import Context, Diverged, Fault
from ._values import Layout, Weights


class Network:
    """A module made by ``factory(inputs, ...)``, whose ``forward`` takes ``[rows, inputs]``.

    ``loss(outputs, targets)`` is the mean squared error when it is left out,
    ``optimizer(parameters)`` Adam. While it is trained, dropout is on; outputs and gradients are
    those of the module in ``eval`` mode. Buffers stay as the factory makes them: a module whose
    training changes them, such as one with batch normalisation, is refused.
    """

    def __init__(
        self,
        factory: Callable[..., torch.nn.Module],
        loss: Callable[..., torch.Tensor] = torch.nn.functional.mse_loss,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        *,
        steps: int = 500,
        batch: int = 64,
    ) -> None:
        self._factory, self._loss, self._optimizer = factory, loss, optimizer
        self._steps, self._batch = steps, batch
        self._runners: dict[str, _Runner] = {}
        parameters = list(inspect.signature(factory).parameters.values())
        self._named = {it.name for it in parameters[1:] if it.kind is not it.VAR_KEYWORD}

    def _make(self, inputs: int, args: dict[str, Any]) -> torch.nn.Module:
        named = {name: value for name, value in args.items() if name in self._named}
        return self._factory(inputs, **named)

    def _runner(self, inputs: int, args: dict[str, Any]) -> _Runner:
        key = repr((inputs, sorted(args.items())))
        if key not in self._runners:
            torch.manual_seed(0)
            self._runners[key] = _Runner(self._make(inputs, args).eval(), self._loss, inputs)
        return self._runners[key]

    def train(self, ctx: Context, *, samples: dict[str, Any], **args: Any) -> Weights:
        """Minibatches; ``steps`` and ``batch`` may be parameters of the plugin.

        With a parameter ``every`` the weights after every ``every`` steps are kept, for `record`.
        """
        torch.set_num_threads(ctx.threads)
        torch.use_deterministic_algorithms(True)
        steps, batch = int(args.get("steps", self._steps)), int(args.get("batch", self._batch))
        x = torch.from_numpy(np.array(samples["inputs"]))
        y = torch.from_numpy(np.array(samples["targets"]))
        torch.manual_seed(ctx.seed("start"))
        module = self._make(x.shape[1], args).train()
        _check(module)
        buffers = {name: it.clone() for name, it in module.named_buffers()}
        optimizer = self._optimizer(module.parameters())
        rng = ctx.rng("batches")
        layout, every = _layout(module), int(args.get("every", 0))
        losses, kept = [], []

        def weights() -> np.ndarray:
            parts = {name: it.detach().numpy() for name, it in module.named_parameters()}
            return layout.join(parts)

        if every:
            kept.append((0, weights()))
        for at in range(1, steps + 1):
            rows = torch.from_numpy(rng.integers(len(x), size=batch))
            optimizer.zero_grad()
            loss = self._loss(module(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            if every and at % every == 0 and at < steps:
                kept.append((at, weights()))
            if at % max(1, steps // 50) == 0:
                if not torch.isfinite(loss):
                    raise Diverged(f"the loss at step {at} is {loss.item()}")
                losses.append([at, loss.item(), None])
                ctx.progress(at, steps, loss.item())
        kept.append((steps, weights()))
        for name, now in module.named_buffers():
            if not torch.equal(now, buffers[name]):
                raise Fault(
                    f"training changes the buffer `{name}`, which is not a weight",
                    hint="leave batch normalisation out, or use `LayerNorm`",
                )
        states = np.stack([row for _, row in kept])
        steps_of = {"step": np.array([step for step, _ in kept])} if every else {}
        return Weights(states, layout, steps_of, head={"losses": losses})

    def outputs(self, weights: np.ndarray, inputs: np.ndarray, **args: Any) -> np.ndarray:
        return self._runner(inputs.shape[-1], args).outputs(*_tensors(weights, inputs)).numpy()

    def gradients(
        self, weights: np.ndarray, inputs: np.ndarray, targets: np.ndarray, **args: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        runner = self._runner(inputs.shape[-1], args)
        losses, slopes = runner.gradients(*_tensors(weights, inputs, targets))
        return losses.numpy(), slopes.numpy()


class _Runner:
    """Runs rows of weights in one module: all at once where that computes the same."""

    def __init__(self, module: torch.nn.Module, loss: Callable[..., Any], inputs: int) -> None:
        self._module, self._loss = module, loss
        self._parameters = dict(module.named_parameters())
        self._together = False
        try:
            self._together = self._agrees(inputs)
        except Exception:  # noqa: BLE001
            # Operations without a rule for several rows at once, such as recurrent layers.
            pass

    def _agrees(self, inputs: int) -> bool:
        """Whether rows at once are those one by one: not every module uses weights that are
        put into it from outside."""
        length = sum(it.numel() for it in self._parameters.values())
        rows = [torch.randn(2, length), torch.randn(2, 5, inputs), torch.randn(2, 5, 1)]
        alone = [self._outputs_alone(*rows[:2]), *self._gradients_alone(*rows)]
        together = [self._outputs_together(*rows[:2]), *self._gradients_together(*rows)]
        pairs = zip(alone, together)
        return all(torch.allclose(one, other, rtol=1e-3, atol=1e-4) for one, other in pairs)

    def outputs(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """``[k, rows, outputs]``."""
        if self._together and len(weights) > 1:
            return self._outputs_together(weights, x)
        return self._outputs_alone(weights, x)

    def gradients(self, *rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The losses ``[k]`` and gradients ``[k, weights]``."""
        if self._together and len(rows[0]) > 1:
            return self._gradients_together(*rows)
        return self._gradients_alone(*rows)

    def _put(self, row: torch.Tensor) -> None:
        at = 0
        with torch.no_grad():
            for it in self._parameters.values():
                it.copy_(row[at : at + it.numel()].reshape(it.shape))
                at += it.numel()

    def _outputs_alone(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        found = []
        with torch.no_grad():
            for row, own in zip(weights, x):
                self._put(row)
                found.append(self._module(own))
        return torch.stack(found)

    def _gradients_alone(
        self, weights: torch.Tensor, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        losses, slopes = [], []
        parameters = list(self._parameters.values())
        for row, own, wanted in zip(weights, x, y):
            self._put(row)
            loss = self._loss(self._module(own), wanted)
            found = torch.autograd.grad(loss, parameters, allow_unused=True)
            flat = [
                torch.zeros(it.numel()) if slope is None else slope.reshape(-1)
                for it, slope in zip(parameters, found)
            ]
            losses.append(loss.detach())
            slopes.append(torch.cat(flat))
        return torch.stack(losses), torch.stack(slopes)

    def _call(self, row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        parts, at = {}, 0
        for name, it in self._parameters.items():
            parts[name] = row[at : at + it.numel()].reshape(it.shape)
            at += it.numel()
        return functional_call(self._module, parts, (x,))

    def _outputs_together(self, weights: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return vmap(self._call)(weights, x)

    def _gradients_together(self, *rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        def loss(row: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self._loss(self._call(row, x), y)

        slopes, losses = vmap(grad_and_value(loss))(*rows)
        return losses, slopes


def _layout(module: torch.nn.Module) -> Layout:
    return Layout([(name, tuple(it.shape)) for name, it in module.named_parameters()])


def _check(module: torch.nn.Module) -> None:
    for name, it in module.named_parameters():
        if it.dtype != torch.float32:
            raise Fault(f"the weights `{name}` are {it.dtype}, and farcast has float32 alone")


def _tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.array(it)) for it in arrays]
