"""Modules of PyTorch as networks of farcast.

    import farcast.torch

    farcast.network("mine", farcast.torch.Network(lambda inputs: MyModule(inputs)))

Weights are the parameters of the module, by their names in its ``state_dict``; buffers, such as
running means, stay as the factory makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.func import functional_call, grad_and_value, vmap

from ._serve import Context, Diverged
from ._values import Layout, Weights


class Network:
    """A module made by ``factory(inputs)``, whose ``forward`` takes ``[rows, inputs]``.

    ``loss(outputs, targets)`` is the mean squared error when it is left out,
    ``optimizer(parameters)`` Adam. While it is trained, dropout is on; outputs and gradients are
    those of the module in ``eval`` mode.
    """

    def __init__(
        self,
        factory: Callable[[int], torch.nn.Module],
        loss: Callable[..., torch.Tensor] = torch.nn.functional.mse_loss,
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        *,
        steps: int = 500,
        batch: int = 64,
    ) -> None:
        self._factory, self._loss, self._optimizer = factory, loss, optimizer
        self._steps, self._batch = steps, batch
        self._modules: dict[int, torch.nn.Module] = {}

    def _module(self, inputs: int) -> torch.nn.Module:
        if inputs not in self._modules:
            torch.manual_seed(0)
            self._modules[inputs] = self._factory(inputs).eval()
        return self._modules[inputs]

    def _layout(self, inputs: int) -> Layout:
        module = self._module(inputs)
        return Layout([(name, tuple(it.shape)) for name, it in module.named_parameters()])

    def train(self, ctx: Context, *, samples: dict[str, Any], **args: Any) -> Weights:
        """Minibatches; ``steps`` and ``batch`` may be parameters of the plugin."""
        torch.set_num_threads(ctx.threads)
        torch.use_deterministic_algorithms(True)
        steps, batch = int(args.get("steps", self._steps)), int(args.get("batch", self._batch))
        x = torch.from_numpy(np.array(samples["inputs"]))
        y = torch.from_numpy(np.array(samples["targets"]))
        torch.manual_seed(ctx.seed("start"))
        module = self._factory(x.shape[1]).train()
        optimizer = self._optimizer(module.parameters())
        rng = ctx.rng("batches")
        losses = []
        for at in range(1, steps + 1):
            rows = torch.from_numpy(rng.integers(len(x), size=batch))
            optimizer.zero_grad()
            loss = self._loss(module(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            if at % max(1, steps // 50) == 0:
                if not torch.isfinite(loss):
                    raise Diverged(f"the loss at step {at} is {loss.item()}")
                losses.append([at, loss.item(), None])
                ctx.progress(at, steps, loss.item())
        parts = {name: it.detach().numpy() for name, it in module.named_parameters()}
        layout = self._layout(x.shape[1])
        return Weights(layout.join(parts)[None], layout, head={"losses": losses})

    def _run(self, inputs: int) -> Callable[..., torch.Tensor]:
        module, layout = self._module(inputs), self._layout(inputs)

        def run(row: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            parts, at = {}, 0
            for name, shape in layout.tensors:
                size = int(np.prod(shape))
                parts[name] = row[at : at + size].reshape(shape)
                at += size
            return functional_call(module, parts, (x,))

        return run

    def outputs(self, weights: np.ndarray, inputs: np.ndarray, **_: Any) -> np.ndarray:
        run = vmap(self._run(inputs.shape[-1]))
        with torch.no_grad():
            found = run(torch.from_numpy(np.array(weights)), torch.from_numpy(np.array(inputs)))
        return found.numpy()

    def gradients(
        self, weights: np.ndarray, inputs: np.ndarray, targets: np.ndarray, **_: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        run = self._run(inputs.shape[-1])

        def loss(row: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return self._loss(run(row, x), y)

        arrays = (torch.from_numpy(np.array(it)) for it in (weights, inputs, targets))
        slopes, losses = vmap(grad_and_value(loss))(*arrays)
        return losses.numpy(), slopes.numpy()
