"""Tables on disk: CSV, Parquet and JSON Lines in, Parquet out, with errors that name the file.

Written Parquet depends on the rows alone: the same table gives the same bytes. Nothing is repaired: a file
that is cut short, has two columns of one name or is not UTF-8 is refused.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

from bench.errors import UserError, listed, nearest

__all__ = [
    "WHOLE",
    "as_numbers",
    "as_text",
    "read_table",
    "require_columns",
    "row_of",
    "write_table",
]

SUFFIXES = (".csv", ".parquet", ".jsonl")
_KINDS = {".csv": "CSV", ".parquet": "Parquet", ".jsonl": "JSON Lines"}
_BLOCK = 1 << 24
WHOLE = 2.0**53  # beyond this a float64 no longer holds every whole number


def read_table(path: Path) -> pa.Table:
    """Read a table by its suffix; every CSV and JSON value arrives as written or as JSON typed it.

    CSV columns are text, an empty field is null. Raises UserError for a missing, empty, unreadable,
    truncated or non-UTF-8 file, for an unknown suffix, and for two columns of one name.
    """
    allowed = f"Tables are {', '.join(SUFFIXES)}"
    if path.suffix not in SUFFIXES:
        raise UserError(str(path), f"suffix {path.suffix!r} is not known", allowed, "Convert the file")
    if not path.is_file():
        raise UserError(str(path), "there is no such file", allowed, "Correct the path")
    filled = "A table has a header and at least one row"
    if path.stat().st_size == 0:
        raise UserError(str(path), "the file is empty", filled, "Write the table again")
    try:
        table = _READERS[path.suffix](path)
    except (pa.ArrowException, OSError, ValueError, csv.Error) as error:
        raise UserError(
            str(path), f"the file cannot be read: {_cause(error, path)}",
            f"A file with suffix {path.suffix} is {_KINDS[path.suffix]}, whole and undamaged",
            "Correct it, or write it again if it is cut short",
        ) from None  # fmt: skip
    if table.num_rows == 0:
        raise UserError(str(path), "the table has no rows", filled, "Write the table again")
    _distinct(table.column_names, str(path))
    return table


def write_table(table: pa.Table, path: Path) -> None:
    """Write Parquet (zstd) under a temporary name and move it into place: whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    pq.write_table(table.combine_chunks(), partial, compression="zstd")
    partial.replace(path)


def require_columns(table: pa.Table, names: tuple[str, ...], where: str, remedy: str = "") -> None:
    """Raise UserError for the first column that is not there, naming the nearest that is."""
    for name in names:
        if name not in table.column_names:
            raise UserError(
                where, f"column {name!r} is missing.{nearest(name, table.column_names)}",
                f"It has: {listed(table.column_names)}",
                remedy or f"Add the column {name!r} or rename one of these",
            )  # fmt: skip


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A plain column as text: numbers as people write them (1001, not 1001.0); NaN and blank are null."""
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        whole = pc.and_(pc.equal(pc.floor(column), column), pc.less(pc.abs(column), WHOLE))
        column = column.cast(pa.int64()) if pc.all(whole).as_py() else column
    text = column.cast(pa.string())
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), pa.scalar(None, pa.string()), text)


def as_numbers(table: pa.Table, name: str, where: str, dtype: pa.DataType) -> pa.ChunkedArray:
    """A column as numbers, empty as null; UserError with the row of the first value that is none."""
    column = table[name]
    cast = _text_to_number if pa.types.is_string(column.type) else pc.cast
    try:
        return cast(column, dtype)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = next(row for row, value in enumerate(column) if not _casts(cast, value, dtype))
        kind = "whole numbers" if pa.types.is_integer(dtype) else "numbers"
        raise UserError(
            row_of(where, row), f"column {name!r} holds {str(column[row].as_py())!r}",
            f"The column holds {kind} or nothing", "Correct the value or leave the field empty",
        ) from None  # fmt: skip


def row_of(where: str, row: int) -> str:
    """Name a row of a table, counted from one without the header.

    >>> row_of("T.csv", 0)
    'T.csv row 1'
    """
    return f"{where} row {row + 1}"


def _text_to_number(column: pa.ChunkedArray | pa.Scalar, dtype: pa.DataType) -> pa.ChunkedArray:
    """By way of float64, since pandas writes a whole number beside an empty field as 3.0."""
    return pc.cast(pc.cast(pc.utf8_trim_whitespace(column), pa.float64()), dtype)


def _casts(cast: object, value: pa.Scalar, dtype: pa.DataType) -> bool:
    try:
        cast(value, dtype)  # type: ignore[operator]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _read_csv(path: Path) -> pa.Table:
    _require_utf8(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    _distinct(names, str(path))
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=True,
        ),
    )


def _read_json_lines(path: Path) -> pa.Table:
    _require_utf8(path)
    options = pyarrow.json.ReadOptions(block_size=_BLOCK)
    table = pyarrow.json.read_json(path, read_options=options)
    # Arrow takes text that looks like a date for a date and would write it differently: ask for the text.
    dates = [field.name for field in table.schema if pa.types.is_temporal(field.type)]
    if not dates:
        return table
    text = pyarrow.json.ParseOptions(explicit_schema=pa.schema([(name, pa.string()) for name in dates]))
    return pyarrow.json.read_json(path, options, text).select(table.column_names)


def _read_parquet(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        table = file.read()
    table.validate(full=True)
    return table


_READERS = {".csv": _read_csv, ".parquet": _read_parquet, ".jsonl": _read_json_lines}


def _require_utf8(path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    with path.open("rb") as file:
        while True:
            block = file.read(_BLOCK)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                bad = error.object[error.start]
                line += error.object.count(b"\n", 0, error.start)
                raise UserError(
                    f"{path}:{line}", f"byte 0x{bad:02x} is not UTF-8", "Tables are UTF-8 text",
                    "Save the file as UTF-8",
                ) from None  # fmt: skip
            line += block.count(b"\n")
            if not block:
                return


def _distinct(names: list[str], where: str) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(
            where, f"two columns are named {twice!r}", "Every column has a name of its own",
            "Rename or remove one of them",
        )  # fmt: skip


def _cause(error: Exception, path: Path) -> str:
    """The first line of a library's message, without its prefix, at most 160 characters long."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    line = line if line.endswith("...") else line.removesuffix(".")
    line = line.removeprefix("CSV parse error: ").removeprefix("JSON parse error: ")
    if row := re.search(r"\.? in row (\d+)$", line):  # Arrow counts from zero, in each block anew
        first_block = path.stat().st_size <= _BLOCK
        line = line[: row.start()] + (f" in row {int(row[1]) + 1}" if first_block else "")
    return line if len(line) <= 160 else f"{line[:160]} ..."
