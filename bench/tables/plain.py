"""Plain tables: columns of any Arrow type as text, numbers and booleans.

Nothing is guessed: structs, maps, types that another library defines, and bytes that are not UTF-8 are
refused.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as kinds

from bench.errors import UserError
from bench.tables.files import row_of

__all__ = ["plain"]

_NUMBERS = (kinds.is_integer, kinds.is_floating, kinds.is_decimal, kinds.is_boolean, kinds.is_null)
_TEXT = (kinds.is_string, kinds.is_large_string, kinds.is_string_view)
_BYTES = (kinds.is_binary, kinds.is_large_binary, kinds.is_binary_view, kinds.is_fixed_size_binary)
_LISTS = (
    kinds.is_list, kinds.is_large_list, kinds.is_fixed_size_list, kinds.is_list_view,
    kinds.is_large_list_view,
)  # fmt: skip


def plain(table: pa.Table, where: str, lists: tuple[str, ...] = (), raw: tuple[str, ...] = ()) -> pa.Table:
    """The same rows as text, numbers and booleans, without metadata; times and UTF-8 bytes become text.

    Columns in ``lists`` may also hold lists of numbers or text; columns in ``raw`` hold bytes and keep them.
    Raises UserError for columns of other types, for bytes that are not UTF-8, and for columns without a name.
    """
    columns = {}
    for position, name in enumerate(table.column_names):
        if not name:
            raise UserError(
                where, f"column {position + 1} has no name", "Every column has a name",
                "Name it or leave it out (pandas: to_csv(..., index=False))",
            )  # fmt: skip
        column = _decoded(table[name])
        if name in raw:
            columns[name] = _bytes(column, name, where)
        elif not (name in lists and _is_list(column.type)):
            columns[name] = _text_or_numbers(column, name, where)
        else:
            columns[name] = column
    return pa.table(columns)


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(column.type.value_type) if kinds.is_dictionary(column.type) else column
    except pa.ArrowNotImplementedError:  # no way out of this dictionary: its type is refused
        return column


def _text_or_numbers(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    dtype = column.type
    if _is_number(dtype):
        # Arrow computes little in half precision; single holds every value of it.
        return column.cast(pa.float32()) if kinds.is_float16(dtype) else column
    if _is_text(dtype) or _is_bytes(dtype) or kinds.is_temporal(dtype):
        try:
            return column.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            if _is_bytes(dtype):
                _refuse_not_utf8(column, name, where)
    raise UserError(
        where, f"column {name!r} holds {dtype}", "A column holds text or numbers",
        "Write it as one or several columns of text or numbers, or leave it out",
    )  # fmt: skip


def _refuse_not_utf8(column: pa.ChunkedArray, name: str, where: str) -> None:
    for row, value in enumerate(column.to_pylist()):
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            raise UserError(
                row_of(where, row), f"column {name!r} holds bytes that are not UTF-8",
                "A column holds text or numbers", "Write it as text, or leave it out",
            ) from None  # fmt: skip


def _bytes(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), pa.binary())])
    if _is_bytes(column.type):
        return column if kinds.is_binary(column.type) else column.cast(pa.large_binary())
    raise UserError(
        where, f"column {name!r} holds {column.type}", f"{name} holds bytes, as a Parquet file can",
        "Write it as a binary column, or leave it out",
    )  # fmt: skip


def _is_number(dtype: pa.DataType) -> bool:
    return any(is_kind(dtype) for is_kind in _NUMBERS)


def _is_text(dtype: pa.DataType) -> bool:
    return any(is_kind(dtype) for is_kind in _TEXT)


def _is_bytes(dtype: pa.DataType) -> bool:
    return any(is_kind(dtype) for is_kind in _BYTES)


def _is_list(dtype: pa.DataType) -> bool:
    """Whether values of this type are lists of numbers or text."""
    if not any(is_kind(dtype) for is_kind in _LISTS):
        return False
    return _is_number(dtype.value_type) or _is_text(dtype.value_type)
