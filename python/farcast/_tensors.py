"""The weights of one network: named arrays, as PyTorch names them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _safetensors
from ._program import FarcastError

if TYPE_CHECKING:
    import torch


class Tensors(dict[str, np.ndarray]):
    """The tensors of one network by name, in the order of the file: ``layers.0.weight`` is
    ``[out, in]`` as in ``torch.nn.Linear``. bfloat16 is widened to float32, which loses nothing."""

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        metadata: Mapping[str, str] | None = None,
        types: Mapping[str, str] | None = None,
        terms: Path | None = None,
    ) -> None:
        super().__init__(arrays)
        #: What the file says of them: ``key``, ``network`` and so on, as text.
        self.metadata = dict(metadata or {})
        self._types = dict(types or {})
        self._terms = terms

    @property
    def flat(self) -> np.ndarray:
        """All weights in one row, tensor after tensor: ``[weights]``."""
        return np.concatenate([array.reshape(-1) for array in self.values()])

    @property
    def network(self) -> dict[str, Any] | None:
        """What runs the weights: names, mean and standard deviation of ``inputs`` and ``targets``,
        and the architecture. None of weights that came from files."""
        said = self.metadata.get("network")
        return None if said is None else dict(json.loads(said))

    def predict(self, columns: Mapping[str, Any]) -> np.ndarray:
        """The outputs of a dense network for columns of data, in their units: ``[rows]``, or
        ``[rows, targets]`` of several. Single precision, as in training."""
        network = self.network or {}
        if "widths" not in network or network.get("loss") == "cross_entropy":
            raise FarcastError("predict: these are not weights of a dense network of numbers")
        lacking = [it["name"] for it in network["inputs"] if it["name"] not in columns]
        if lacking:
            raise KeyError(f"predict: no column {', '.join(lacking)}")
        ready = [
            (np.asarray(columns[it["name"]], dtype=float) - it["mean"]) / it["std"]
            for it in network["inputs"]
        ]
        x = np.stack(np.broadcast_arrays(*ready), axis=-1).astype(np.float32)
        layers = len(network["widths"]) - 1
        for layer in range(layers):
            x = x @ self[f"layers.{layer}.weight"].T + self[f"layers.{layer}.bias"]
            if layer < layers - 1:
                x = _activated(network["activation"], x)
        scales = network["targets"]
        y = x * [it["std"] for it in scales] + [it["mean"] for it in scales]
        return y[..., 0] if len(scales) == 1 else y

    def at(self, **predictors: float) -> Tensors:
        """The child network where the predictors have these values; those of an ``apply`` child
        alone, which is another network in each row of data.

        What ``apply`` was told of rows far from the subsets (``trust``, ``outside``) holds here too.
        """
        if self._terms is None:
            raise FarcastError("at: no file of terms is beside these weights; `apply` children have one")
        return _child(self, self._terms, predictors)

    def state_dict(self, module: torch.nn.Module | None = None) -> dict[str, torch.Tensor]:
        """Tensors of PyTorch for ``load_state_dict``, of the types in the file.

        With a ``module``, they get the names that it has for them: tensor for tensor in order, and
        shapes must agree. Its buffers stay as they are.
        """
        import torch

        found = {name: torch.from_numpy(np.array(array)) for name, array in self.items()}
        for name in found:
            if self._types.get(name) == "BF16":
                found[name] = found[name].to(torch.bfloat16)
        if module is None or set(found) == set(module.state_dict()):
            return found
        theirs = list(module.named_parameters())
        mine = [f"{name} {list(it.shape)}" for name, it in found.items()]
        wanted = [f"{name} {list(it.shape)}" for name, it in theirs]
        shapes = [it.shape for it in found.values()]
        if shapes != [it.shape for _, it in theirs]:
            raise ValueError(f"state_dict: the module has {wanted}, these weights are {mine}")
        named = {name: it for (name, _), it in zip(theirs, found.values(), strict=True)}
        return {**dict(module.named_buffers()), **named}


def read(path: Path) -> Tensors:
    """The weights of a file, or of all shards that an index names."""
    if path.name.endswith(".index.json"):
        parts = dict.fromkeys(json.loads(path.read_text())["weight_map"].values())
        shards = [read(path.parent / part) for part in parts]
        arrays = {name: array for shard in shards for name, array in shard.items()}
        types = {name: kind for shard in shards for name, kind in shard._types.items()}
        return Tensors(arrays, shards[0].metadata if shards else None, types)
    terms = path.with_name(path.name.removesuffix(".safetensors") + ".terms.safetensors")
    header = _safetensors.header(path)
    metadata = header.pop("__metadata__", {})
    types = {name: entry["dtype"] for name, entry in header.items()}
    return Tensors(
        _safetensors.load(path), metadata, types, terms if terms.is_file() else None
    )


def _activated(activation: str, x: np.ndarray) -> np.ndarray:
    if activation == "tanh":
        return np.tanh(x)
    if activation == "relu":
        return np.maximum(x, 0)
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-x))
    if activation == "gelu":
        erf = np.vectorize(math.erf, otypes=[np.float32])
        return x * 0.5 * (1 + erf(x / np.float32(math.sqrt(2))))
    if activation == "gelu_tanh":
        inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x**3)
        return x * 0.5 * (1 + np.tanh(inner))
    raise FarcastError(f"predict: the activation `{activation}` is unknown to this version")


def _child(mean: Tensors, path: Path, predictors: Mapping[str, float]) -> Tensors:
    terms = _safetensors.load(path)
    about = _safetensors.header(path)["__metadata__"]
    names, scaling = json.loads(about["names"]), json.loads(about["scaling"])
    if set(predictors) != set(names):
        expected = ", ".join(names)
        raise TypeError(f"at: the predictors are {expected}; found {', '.join(predictors) or 'none'}")
    z = np.array(
        [(float(predictors[name]) - of) / by for name, (of, by) in zip(names, scaling, strict=True)]
    )
    parent = {
        name.removeprefix("parent."): array
        for name, array in terms.items()
        if name.startswith("parent.")
    }
    guard = json.loads(about["guard"])
    if _falls_back(guard, z):
        return Tensors(parent, mean.metadata)
    found = {}
    functions = json.loads(about["functions"])
    values = [_value(function, z) for function in functions]
    if guard["outside"] == "linear":
        values = _straight(functions, z, _edge(json.loads(about["form"]), z))
    for name, array in parent.items():
        move = sum(
            (value * terms[f"terms.{at}.{name}"].astype(float) for at, value in enumerate(values)),
            start=np.zeros(array.shape),
        )
        if f"least.{name}" in terms:
            move = np.clip(move, terms[f"least.{name}"], terms[f"most.{name}"])
        found[name] = (array + move).astype(np.float32)
    return Tensors(found, mean.metadata)


def _falls_back(guard: Mapping[str, Any], z: np.ndarray) -> bool:
    """Whether the child has the parent's weights here."""
    if not np.isfinite(z).all():
        if guard["missing"] == "parent":
            return True
        raise FarcastError("at: a predictor is missing; rows without it have no network")
    if guard["outside"] != "parent":
        return False
    away = z - np.array(guard["cloud"]["mean"])
    precision = np.array(guard["cloud"]["precision"]).reshape(len(z), len(z))
    return bool(math.sqrt(max(0.0, away @ precision @ away)) > guard["trust"])


def _edge(form: Mapping[str, Any], z: np.ndarray) -> np.ndarray:
    """The nearest point within the ranges of the subsets."""
    pairs = zip(form["seen"], form["scaling"], strict=True)
    low, high = zip(*(((a - mean) / by, (b - mean) / by) for (a, b), (mean, by) in pairs), strict=True)
    return np.clip(z, low, high)


def _straight(functions: list[Any], z: np.ndarray, edge: np.ndarray) -> list[float]:
    """The functions, and beyond the edge their tangents there: central differences on the way."""
    way = z - edge
    farthest = np.abs(way).max(initial=0.0)
    if farthest == 0:
        return [_value(function, z) for function in functions]
    step = 1e-4 / farthest
    ahead, behind = edge + step * way, edge - step * way
    return [
        _value(it, edge) + (_value(it, ahead) - _value(it, behind)) / (2 * step)
        for it in functions
    ]


def _value(function: Mapping[str, Any], z: np.ndarray) -> float:
    """A function of the standardised predictors."""
    [(kind, what)] = function.items()
    if kind == "product":
        return float(np.prod([z[at] for at in what]))
    if kind == "unit":
        return float(np.tanh(what["bias"] + np.dot(what["slopes"], z)))
    if kind != "curve":
        raise FarcastError(f"at: the function `{kind}` is unknown to this version")
    x, first, inner, last = z[what["predictor"]], what["first"], what["inner"], what["last"]
    if x >= last:
        return float((inner - first) * (3 * x - first - inner - last))

    def cube(knot: float) -> float:
        return max(float(x) - knot, 0.0) ** 3

    return cube(first) / (last - first) - cube(inner) / (last - inner)
