"""Digests: canonical JSON, files and tables. The only hashing in the package.

Canonical JSON takes str, int, bool, None, list, dict with str keys and finite floats, and refuses all
else: an object whose text changes between runs must never enter a key.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["canonical_json", "digest_bytes", "digest_file", "digest_json", "digest_table"]

_BLOCK = 1 << 20


def canonical_json(value: Any) -> str:
    """Write a value as JSON with sorted keys and no spaces: the same value, the same text.

    1, 1.0 and True are three different values here.

    >>> canonical_json({"b": 1, "a": [0.5, None]})
    '{"a":[0.5,null],"b":1}'

    Raises TypeError for other types and ValueError for NaN or infinity.
    """
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_json(value: Any) -> str:
    """The sha256 of the canonical JSON of a value, as 64 hex digits."""
    return digest_bytes(canonical_json(value).encode())


def digest_bytes(data: bytes) -> str:
    """The sha256 of bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """The sha256 of a file, read in blocks of 1 MiB."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            state.update(block)
    return state.hexdigest()


def digest_table(table: pa.Table) -> str:
    """The sha256 of a table's column names, types, nulls and values, in column and row order.

    It depends on the content alone: not on chunks, padding, file format, dictionary encoding, the width of
    text offsets or what lies under a null. Takes text, bytes, booleans, numbers and lists of these; raises
    TypeError for other columns.
    """
    state = hashlib.sha256()
    for name in table.column_names:
        column = _plain(table[name])
        state.update(canonical_json([name, str(column.type), len(column)]).encode())
        for part in _content(column):
            state.update(part)
    return state.hexdigest()


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """One array in the form that is hashed: no dictionaries, 64-bit offsets."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(_wide(column.type)).combine_chunks()


def _wide(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_string(dtype) or pa.types.is_string_view(dtype):
        return pa.large_string()
    if pa.types.is_binary(dtype) or pa.types.is_binary_view(dtype) or pa.types.is_fixed_size_binary(dtype):
        return pa.large_binary()
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype):
        return pa.large_list(_wide(dtype.value_type))
    return dtype


def _content(column: pa.Array) -> Iterator[bytes | memoryview]:
    yield np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes()
    dtype = column.type
    if pa.types.is_null(dtype):
        return
    if pa.types.is_large_string(dtype) or pa.types.is_large_binary(dtype):
        yield from _bytes(pc.fill_null(column.cast(pa.large_binary()), b""))
    elif pa.types.is_large_list(dtype):
        yield pc.fill_null(pc.list_value_length(column), 0).cast(pa.int64()).to_numpy().tobytes()
        yield from _content(column.flatten())
    elif pa.types.is_boolean(dtype):
        yield pc.fill_null(column, pa.scalar(value=False)).cast(pa.int8()).to_numpy().tobytes()
    elif pa.types.is_integer(dtype) or pa.types.is_floating(dtype):
        yield pc.fill_null(column, pa.scalar(0, dtype)).to_numpy().tobytes()
    else:
        raise TypeError(f"a digest takes text, bytes, booleans, numbers and lists of these, not {dtype}")


def _bytes(column: pa.LargeBinaryArray) -> Iterator[bytes | memoryview]:
    """The length of each value, then all values end to end, without a Python object per value."""
    yield pc.binary_length(column).cast(pa.int64()).to_numpy().tobytes()
    _, offsets, data = column.buffers()
    if len(column) and data is not None:
        ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
        yield memoryview(data)[int(ends[0]) : int(ends[-1])]


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"canonical JSON takes str keys, not {key!r}")
            _check(inner)
    elif isinstance(value, list):
        for inner in value:
            _check(inner)
    else:
        _check_scalar(value)


def _check_scalar(value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"canonical JSON takes finite floats, not {value!r}")
    if value is not None and not isinstance(value, (str, int, float)):
        raise TypeError(f"canonical JSON takes plain values, not {type(value).__name__}")
