"""Reads and writes safetensors: a header in JSON, then the bytes of the arrays."""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def header(path: str | Path) -> dict[str, Any]:
    """What a file says of its arrays by name, and of itself in ``__metadata__``.

    Raises ``ValueError`` when it is not a safetensors file.
    """
    return _split(path, _bytes(path, mapped=True))[0]


def _bytes(path: str | Path, *, mapped: bool) -> np.ndarray:
    with open(path, "rb") as file:
        if not mapped or not os.fstat(file.fileno()).st_size:
            return np.fromfile(file, dtype=np.uint8)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), dtype=np.uint8)


def _split(path: str | Path, content: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """The header of a file, and the bytes of its arrays."""
    start, rest = content[:8].tobytes(), content[8:]
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else len(content)
    if length > len(rest):
        raise ValueError(f"`{path}` is not a safetensors file")
    found: dict[str, Any] = json.loads(rest[:length].tobytes())
    return found, rest[length:]


def load(path: str | Path, *, mapped: bool = False) -> dict[str, np.ndarray]:
    """The arrays of a file by name, in the order of their bytes; BF16 as float32.

    With ``mapped`` they are read where they are used, from a file that nobody writes to; what is
    written to them stays in memory.
    """
    entries, data = _split(path, _bytes(path, mapped=mapped))
    entries.pop("__metadata__", None)
    arrays = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = entry["data_offsets"]
        kind = entry["dtype"]
        if kind == "BF16":
            array = (data[start:end].view("<u2").astype("<u4") << 16).view("<f4")
        elif kind in _TYPES:
            array = data[start:end].view(np.dtype(_TYPES[kind]))
        else:
            raise ValueError(f"`{path}`: `{name}` is {kind}, which numpy cannot hold")
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
