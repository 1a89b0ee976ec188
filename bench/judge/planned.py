"""The cells that a run planned, with their tables as they lie on disk: what ``affectbench audit`` looks at.

A table that cannot be read, or lacks a column, is None and no error: one fault must not hide the next. It
knows the columns that a metric needs on its own, without the code that made the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from bench.folder import CellFolder, RunFolder
from bench.spec import Facts, Suite
from bench.tables.frame import CLUSTER, gives_labels

__all__ = ["FUNNEL", "LABEL_METRICS", "PlannedCell", "planned_cells"]

LABEL_METRICS = ("accuracy", "uar", "macro_f1")
FUNNEL = {
    "funnel_decoded": "", "funnel_face": "", "funnel_right_face": "box", "funnel_followed": "",
    "funnel_aligned": "points", "funnel_predicted": "", "funnel_right": "label",
}  # fmt: skip
"""The metrics of the funnel, in its order, and the column of targets that each needs."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell of the plan and its tables as they lie on disk, None where they cannot be read or used."""

    KEY: ClassVar = ("model", "dataset", "condition", "severity", "where")

    name: tuple[str, str, str]
    folder: CellFolder
    facts: Facts
    targets: pa.Table | None = field(repr=False)
    double: bool = False

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of ``cell.json``, empty where there is none."""
        return self.folder.facts or {}

    @cached_property
    def predictions(self) -> pa.Table | None:
        """The predictions."""
        return _read(self.folder.predictions, {"target", "status", "predicted"})

    @property
    def frames(self) -> pa.Table | None:
        """The frames, None where there are none or they cannot be read."""
        return _read(self.folder.frames, {"target", "timestamp", "track", "status"})

    @property
    def key(self) -> tuple[Any, ...]:
        """What names the cell in the estimates."""
        return tuple(self.record.get(name) for name in self.KEY)

    @cached_property
    def joins(self) -> bool:
        """Whether every target is there once on both sides."""
        if self.targets is None or self.predictions is None:
            return False
        here, there = self.targets["target"], self.predictions["target"]
        return sorted(here.to_pylist(), key=str) == sorted(there.to_pylist(), key=str) and (
            pc.count_distinct(there, mode="all").as_py() == len(there)
        )

    @property
    def tables(self) -> tuple[pa.Table, pa.Table]:
        """The targets and predictions of a cell that ``joins``."""
        assert self.targets is not None
        assert self.predictions is not None
        return self.targets, self.predictions

    def gives(self, metric: str) -> bool:
        """Whether both tables, of a cell that ``joins``, hold what a metric that the audit knows needs."""
        targets, predictions = self.tables
        if metric == "coverage":
            return True
        if metric in FUNNEL:
            column = FUNNEL[metric]
            return "stage" in predictions.column_names and (not column or _holds(targets, column))
        if metric in LABEL_METRICS or metric.startswith("recall/"):
            return _holds(targets, "label") and gives_labels(predictions)
        column = metric.removesuffix("_covered").rpartition("_")[2]
        return _holds(targets, column) and column in predictions.column_names

    def holds(self, column: str) -> bool:
        """Whether any target has a value in the column."""
        return _holds(self.tables[0], column)


def planned_cells(folder: RunFolder) -> Iterator[PlannedCell]:
    """The cells of the plan, in its order."""
    plan = folder.plan
    facts = {entry["name"]: Facts.model_validate(entry["facts"]) for entry in plan["datasets"]}
    cuts = Suite.model_validate(plan["suite"]).slicings
    columns = {name for each in cuts for name in (*each.attributes, *filter(None, [each.control]))}
    targets = {
        name: _read(folder.targets_path(name), {"target", CLUSTER[one.cluster_unit], *columns})
        for name, one in facts.items()
    }
    doubles = {entry["name"] for entry in plan["models"] if entry["double"]}
    for model, dataset, condition in plan["cells"]:
        name = model, dataset, condition
        yield PlannedCell(name, folder.cell(*name), facts[dataset], targets[dataset], model in doubles)


def _holds(table: pa.Table, column: str) -> bool:
    return column in table.column_names and table[column].null_count < len(table)


def _read(path: Path, columns: Set[str]) -> pa.Table | None:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        return table if columns <= set(table.column_names) else None
    except (OSError, pa.ArrowException):
        return None
