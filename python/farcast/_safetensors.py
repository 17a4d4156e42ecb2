"""Reads and writes safetensors: a header in JSON, then the bytes of the arrays."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4"}


def load(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name, in the order of their bytes."""
    bytes_ = np.fromfile(path, dtype=np.uint8)
    (length,) = struct.unpack("<Q", bytes_[:8].tobytes())
    header = json.loads(bytes_[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    data = bytes_[8 + length :]
    arrays = {}
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = entry["data_offsets"]
        array = data[start:end].view(np.dtype(_TYPES[entry["dtype"]]))
        arrays[name] = array.reshape(entry["shape"])
    return arrays


def save(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays of doubles, singles and whole numbers; the same arrays give the same bytes."""
    header: dict[str, object] = {}
    parts: list[bytes] = []
    at = 0
    for name, array in arrays.items():
        array = np.asarray(array)
        kind = {"f4": "F32", "f8": "F64"}.get(array.dtype.str[1:])
        if kind is None:
            is_whole = array.dtype.kind in "iub"
            kind = "I64" if is_whole else "F64"
        part = np.ascontiguousarray(array, dtype=_TYPES[kind]).tobytes()
        header[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [at, at + len(part)],
        }
        at += len(part)
        parts.append(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for part in parts:
            file.write(part)
