"""Which estimates follow from other estimates of the same table, and whether they do.

A gap follows from the values of its slice, a degradation from the values under its conditions: what needs
no row of any table is made again by the second opinion (``bench.judge.audit_kinds``), which here takes the
values as they are reported. Values themselves, intervals, p, ranks and spreads need the rows. A suppressed
row is not looked at, and what rests on one does not follow. Refuses what ``audit`` refuses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bench.digest import canonical_json
from bench.folder import RunFolder
from bench.judge.audit import TOLERANCE, Difference
from bench.judge.audit_kinds import Recomputed
from bench.judge.audit_values import CellValues, Value
from bench.judge.planned import PlannedCell, planned_cells
from bench.spec import Suite
from bench.suite import planned_suite

__all__ = ["Derived", "derive", "statement", "what_derives"]

Row = dict[str, Any]
_KINDS = (
    "gap", "contrast", "ratio", "degradation", "degradation_contrast", "area", "worst", "mce", "relative_mce",
)  # fmt: skip


@dataclass(frozen=True)
class Derived:
    """What follows: how many rows, by kind and metric, follow from others, and how many need rows of tables.

    ``withheld`` counts suppressed rows; ``differences`` are of those that follow and differ, largest first.
    """

    follow: dict[str, int]
    need_rows: dict[str, int]
    withheld: int
    differences: tuple[Difference, ...]


class _NotReportedError(Exception):
    """A value that is not in the estimates, or withheld."""


class _ReportedCell(PlannedCell):
    """A cell of which the estimates alone are known."""

    joins = True


class _Reported(CellValues):
    """The values of a cell as the estimates report them, in place of those made of its rows."""

    def __init__(self, cell: PlannedCell, suite: Suite, values: Mapping[tuple[Any, ...], Value]) -> None:
        super().__init__(cell, suite, ())
        self._reported = values

    def value(self, slice_: str | None, value: str | None, metric: str) -> Value:
        found = self._reported.get((self.cell.key, slice_, value, metric))
        if found is None:
            raise _NotReportedError
        return found

    def knows(self, metric: str) -> bool:
        return bool(metric)

    def reads(self, metric: str) -> bool:
        return bool(metric)

    def rest(self, slice_: str, value: str, metric: str) -> Value:  # noqa: ARG002 (as the class has it)
        raise _NotReportedError

    def groups(self, slice_: str | None) -> None:  # noqa: ARG002
        raise _NotReportedError


def derive(folder: RunFolder) -> Derived:
    """Hold every estimate that follows from others against them."""
    rows: list[Row] = pq.read_table(folder.estimates).to_pylist()
    suite = planned_suite(folder)
    cells = [_ReportedCell(c.name, c.folder, c.facts, None, c.double) for c in planned_cells(folder)]
    values = {
        (_key(row), row["slice"], row["value"], row["metric"]): _value(row)
        for row in rows
        if row["kind"] == "value" and row["status"] != "suppressed"
    }
    again = Recomputed(cells, suite, rows, lambda cell, plan, _asked: _Reported(cell, plan, values))
    follow: Counter[str] = Counter()
    need: Counter[str] = Counter()
    found: list[Difference] = []
    for row in rows:
        name = f"{row['kind']} {row['metric']}"
        if row["status"] == "suppressed":
            continue
        numbers = _numbers(row, again)
        follow[name] += numbers is not None
        need[name] += numbers is None
        found += numbers or ()
    outside = sorted((each for each in found if each.size > TOLERANCE), key=lambda each: -each.size)
    withheld = sum(row["status"] == "suppressed" for row in rows)
    return Derived(dict(+follow), dict(+need), withheld, tuple(outside))


def what_derives(run: RunFolder) -> bytes:
    """What a bundle says of itself: how many estimates follow without rows, and how many do not."""
    return statement(derive(run))


def statement(found: Derived) -> bytes:
    """What follows and what does not, as canonical JSON."""
    return canonical_json(
        {
            "follow_from_other_estimates": found.follow,
            "need_targets_and_cells": found.need_rows,
            "withheld": found.withheld,
        }
    ).encode()


def _numbers(row: Row, again: Recomputed) -> list[Difference] | None:
    """What is reported beside what follows; None where nothing does."""
    if row["kind"] not in _KINDS or again.unaudited(row) is not None:
        return None
    try:
        value = again.value(row)
    except _NotReportedError:
        return None
    fields: Iterable[str] = again.fields(row)
    numbers = [None if value is None else getattr(value, field) for field in fields]
    known = [None if number is None or np.isnan(number) else float(number) for number in numbers]
    return [Difference(row, *pair) for pair in zip(fields, (row[f] for f in fields), known, strict=True)]


def _value(row: Row) -> Value:
    """A reported value; of what is undefined NaN."""
    known = [row[name] for name in ("estimate", "n", "clusters")]
    return Value(np.nan if known[0] is None else known[0], *(0 if n is None else n for n in known[1:]))


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in PlannedCell.KEY)
