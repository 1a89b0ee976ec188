"""Curves: undefined is null, a row of other columns is refused, and without a row there is no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench.tables import read_table
from bench.tables.curves import CURVES, curves_table, write_curves

POINT: dict[str, Any] = {
    "model": "m", "dataset": "d", "condition": "clean", "severity": 0, "where": None, "slice": None,
    "value": None, "curve": "reliability", "low": 0.0, "high": 1 / 15, "x": float("nan"), "y": float("nan"),
    "n": 0, "status": "reportable",
}  # fmt: skip


def test_undefined_is_null_and_none_is_zero(tmp_path: Path) -> None:
    table = curves_table([POINT])
    assert table.schema.equals(CURVES)
    (row,) = table.to_pylist()
    assert (row["x"], row["y"], row["n"], row["low"]) == (None, None, 0, 0.0)
    write_curves(table, tmp_path / "curves.parquet")
    assert read_table(tmp_path / "curves.parquet").equals(table)


@pytest.mark.parametrize("change", [{"z": 1.0}, None])
def test_other_columns_are_refused(change: dict[str, float] | None) -> None:
    row = {**POINT, **change} if change else {name: value for name, value in POINT.items() if name != "y"}
    with pytest.raises(ValueError, match=r"not the columns of Curves: \['[zy]'\]"):
        curves_table([row])


def test_without_a_row_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "curves.parquet"
    write_curves(curves_table([POINT]), path)
    write_curves(curves_table([]), path)
    assert not path.exists()
    with pytest.raises(ValueError, match="not a Curves table"):
        write_curves(pa.table({"a": [1]}), path)
