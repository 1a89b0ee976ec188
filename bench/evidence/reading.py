"""Whether the content of a bundle can be read at all, before anything is made of it.

A signature says who signed a file and not that it is sound: the tables may be damaged, of other columns, or
grow to more than a machine holds, and the plan may be no plan. Says what is wrong instead of raising.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from bench.evidence.aggregates import CELLS, PLAN
from bench.evidence.container import Fault
from bench.spec import Facts, Record, Suite
from bench.tables.curves import CURVES
from bench.tables.estimates import ESTIMATES

__all__ = ["unreadable"]

_ROWS, _BYTES = 100_000_000, 16 << 30
_SCHEMAS = {"estimates.parquet": ESTIMATES, "curves.parquet": CURVES}


class _Data(Record, extra="ignore"):
    name: str
    digest: str
    rows: int
    facts: Facts


class _Model(Record, extra="ignore"):
    name: str
    double: bool


class _Plan(Record, extra="ignore"):
    """What of a plan is needed to make anything again."""

    kind: str
    suite: Suite
    models: tuple[_Model, ...]
    datasets: tuple[_Data, ...]
    cells: tuple[tuple[str, str, str], ...]


def unreadable(folder: Path) -> tuple[Fault, ...]:
    """The files in the folder of a bundle of which nothing can be made, and why."""
    faults = [fault for path in sorted(folder.rglob("*.parquet")) for fault in _of_table(folder, path)]
    plan = next(path for name in (PLAN, "run.json") if (path := folder / name).is_file())
    return (*faults, *_of_plan(folder, plan))


def _of_table(folder: Path, path: Path) -> Iterator[Fault]:
    name = path.relative_to(folder).as_posix()
    try:
        with pq.ParquetFile(path) as file:
            facts, schema = file.metadata, file.schema_arrow
    except (pa.ArrowException, OSError, ValueError):
        yield Fault(name, "it is signed as it is, but is no table that can be read")
        return
    size = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
    if facts.num_rows > _ROWS or size > _BYTES:
        yield Fault(name, f"it would grow to {facts.num_rows:,} rows and {size:,} bytes, which is not tried")
    elif name in _SCHEMAS and not schema.equals(_SCHEMAS[name]):
        yield Fault(name, "it has other columns than this version of affectbench")


def _of_plan(folder: Path, path: Path) -> Iterator[Fault]:
    try:
        plan = _Plan.model_validate_json(path.read_bytes())
        cells: Any = TypeAdapter(list[dict[str, Any]]).validate_json(_cells(folder))
    except (ValidationError, RecursionError):
        yield Fault(path.name, "it is signed as it is, but is no plan of this version of affectbench")
        return
    known = {data.name for data in plan.datasets}
    if {name for _, name, _ in plan.cells} - known or (path.name == PLAN and len(cells) != len(plan.cells)):
        yield Fault(path.name, "its cells are not of its data sets, or not those of cells.json")


def _cells(folder: Path) -> bytes:
    path = folder / CELLS
    return path.read_bytes() if path.is_file() else json.dumps([]).encode()
