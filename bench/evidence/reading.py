"""Whether the content of a bundle can be read at all, before anything is made of it.

A signature says who signed a file and not that it is sound: the tables may be damaged, of other columns, or
grow to more than a machine holds, and the plan may be no plan. Says what is wrong instead of raising.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, TypeAdapter, ValidationError

from bench.evidence.aggregates import CELLS, PLAN
from bench.evidence.container import Fault
from bench.spec import Facts, Record, Suite
from bench.tables.curves import CURVES
from bench.tables.estimates import ESTIMATES

__all__ = ["no_plan", "unreadable"]

_ROWS, _BYTES = 100_000_000, 16 << 30
_SCHEMAS = {"estimates.parquet": ESTIMATES, "curves.parquet": CURVES}


_Name = Annotated[str, Field(pattern=r"^\P{Cc}+$")]  # nothing in it acts on a terminal


class _Data(Record, extra="ignore"):
    name: _Name
    digest: str
    rows: int
    facts: Facts


class _Model(Record, extra="ignore"):
    name: _Name
    double: bool


class _Plan(Record, extra="ignore"):
    """What of a plan is needed to make anything again."""

    kind: str
    suite: Suite
    models: tuple[_Model, ...]
    datasets: tuple[_Data, ...]
    cells: tuple[tuple[_Name, _Name, _Name], ...]


def unreadable(folder: Path) -> tuple[Fault, ...]:
    """The files in the folder of a bundle of which nothing can be made, and why."""
    faults = [fault for path in sorted(folder.rglob("*.parquet")) for fault in _of_table(folder, path)]
    path = next(path for name in (PLAN, "run.json") if (path := folder / name).is_file())
    aggregates = folder / CELLS
    cells = aggregates.read_bytes() if path.name == PLAN and aggregates.is_file() else None
    found = no_plan(path.read_bytes(), cells)
    return (*faults, *([Fault(path.name, found)] if found else []))


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


def no_plan(data: bytes, cells: bytes | None = None) -> str | None:
    """Why bytes are no plan of which anything can be made, or ``cells`` not of its cells; else None."""
    try:
        plan = _Plan.model_validate_json(data)
        facts = None if cells is None else TypeAdapter(list[dict[str, Any]]).validate_json(cells)
    except (ValidationError, RecursionError):
        return "it is signed as it is, but is no plan of this version of affectbench"
    known = {data.name for data in plan.datasets}
    if {name for _, name, _ in plan.cells} - known:
        return "it has cells of data sets that it does not have"
    if facts is not None and len(facts) != len(plan.cells):
        return "it has other cells than cells.json"
    return None
