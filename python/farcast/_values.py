"""What plugins take and return: tables, weights, what a regression is fitted on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import _safetensors


class Table(dict[str, np.ndarray]):
    """Columns of doubles by name; missing values are NaN. ``units`` holds their units."""

    units: dict[str, str]

    def __init__(
        self, columns: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), units: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(columns)
        self.units = dict(units or {})

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(next(iter(self.values()), ()))

    def matrix(self, names: list[str]) -> np.ndarray:
        """Some columns side by side, ``[rows, columns]``."""
        return np.stack([self[name] for name in names], axis=1)


@dataclass
class Layout:
    """The tensors that a flat row of weights is made of, in order: names and shapes."""

    tensors: list[tuple[str, tuple[int, ...]]]

    def __len__(self) -> int:
        return sum(int(np.prod(shape)) for _, shape in self.tensors)

    def split(self, row: np.ndarray) -> dict[str, np.ndarray]:
        """The tensors of rows ``[..., weights]``, each ``[..., *shape]``."""
        parts, at = {}, 0
        for name, shape in self.tensors:
            size = int(np.prod(shape))
            parts[name] = row[..., at : at + size].reshape(*row.shape[:-1], *shape)
            at += size
        return parts

    def join(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """The flat row of tensors."""
        flat = [np.asarray(parts[name], dtype=np.float32).reshape(-1) for name, _ in self.tensors]
        return np.concatenate(flat)

    @classmethod
    def of(cls, parts: Mapping[str, np.ndarray]) -> Layout:
        """The layout of tensors by name, in their order."""
        return cls([(name, tuple(np.shape(part))) for name, part in parts.items()])

    def to_json(self) -> dict[str, Any]:
        return {"tensors": [{"name": n, "shape": list(s)} for n, s in self.tensors]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Layout:
        return cls([(t["name"], tuple(t["shape"])) for t in value["tensors"]])


@dataclass
class Weights:
    """Rows of weights ``[rows, weights]`` (or one row), their layout, and what is known of each
    row: ``coordinates`` such as ``subset``, ``step``, ``loss_after``."""

    weights: np.ndarray
    layout: Layout
    coordinates: dict[str, np.ndarray] = field(default_factory=dict)
    head: dict[str, Any] = field(default_factory=dict)


Anomalies = Weights


@dataclass
class Design:
    """The predictors of the subsets a regression is fitted on, ``values[rows, predictors]``, on
    the scale of the subsets: mean 0, standard deviation 1."""

    values: np.ndarray
    names: list[str]
    mean: np.ndarray
    std: np.ndarray

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.values)


# The longest object that is said with `done` instead of written to a file.
_SHORT = 1 << 16


def read(folder: Path, said: Mapping[str, Any] | list[Any] | None) -> Any:
    """An input from the files that a call names."""
    if said is None:
        return None
    if isinstance(said, list):
        return [read(folder, one) for one in said]
    if "members" in said:
        return [read(folder, one) for one in said["members"]]
    head = json.loads((folder / said["json"]).read_text())
    names = head.pop("arrays", [])
    arrays = _safetensors.load(folder / said["arrays"], mapped=True) if "arrays" in said else {}
    arrays = {name: arrays[name] for name in names}
    kind = said.get("kind")
    if kind == "data":
        return Table(arrays, head.get("units"))
    if kind == "subset":
        return [np.asarray(rows, dtype=np.int64) for rows in head["rows"]]
    if kind == "predictor" and "values" in arrays:
        mean, std = np.asarray(head["mean"]), np.asarray(head["std"])
        return Design(arrays["values"], head["names"], mean, std)
    if "layout" in head and "weights" in arrays:
        layout = Layout.from_json(head.pop("layout"))
        weights = arrays.pop("weights")
        return Weights(weights, layout, arrays, head)
    if arrays:
        return {**head, **arrays}
    return head


def write(folder: Path, result: Any) -> Any:
    """Writes a result; returns what ``done`` says."""
    if isinstance(result, Weights):
        arrays = {**result.coordinates, "weights": np.asarray(result.weights, dtype=np.float32)}
        head: dict[str, Any] = {**result.head, "layout": result.layout.to_json()}
    elif isinstance(result, Table):
        arrays, head = dict(result), {"units": result.units}
    elif isinstance(result, Mapping):
        arrays = {k: v for k, v in result.items() if isinstance(v, np.ndarray)}
        head = {k: v for k, v in result.items() if not isinstance(v, np.ndarray)}
        if isinstance(head.get("layout"), Layout):
            head["layout"] = head["layout"].to_json()
    elif isinstance(result, list) and all(isinstance(one, Mapping) for one in result):
        arrays, head = {}, {"rows": result}
    elif isinstance(result, list):
        arrays, head = {}, {"rows": [np.asarray(rows).tolist() for rows in result]}
    else:
        raise TypeError(f"expected a table, weights, a dictionary or a list, found {type(result)}")
    head["arrays"] = list(arrays)
    if arrays:
        _safetensors.save(folder / "result.safetensors", arrays)
    head = _plain(head)
    text = json.dumps(head)
    if len(text) <= _SHORT:
        return head
    (folder / "result.json").write_text(text)
    return True


def _plain(value: Any) -> Any:
    """The same without types of numpy; numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
