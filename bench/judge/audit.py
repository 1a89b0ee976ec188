"""The second opinion on a finished run: its estimates again, from the row tables, by another way.

Shares no code with what it audits: tables are joined by name in pandas, groups are fairlearn's MetricFrame on
scikit-learn's functions, all else is numpy and scipy on the raw numbers: of what the judge takes from a
histogram, only what binning cannot explain is a difference. Intervals of values and of stability are made
again, from counts and bins of its own; other ones and p are not. Metrics and kinds of row that it does not
know are counted as not audited, never as agreed. A withheld number is neither compared nor printed. Refuses a
folder without plan or estimates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bench.errors import UserError
from bench.folder import RunFolder
from bench.judge.audit_curves import audit_curves
from bench.judge.audit_kinds import Recomputed
from bench.judge.invariants import Finding, check_run
from bench.judge.planned import PlannedCell, planned_cells
from bench.suite import planned_suite

__all__ = ["TOLERANCE", "Audit", "Difference", "audit"]

TOLERANCE = 1e-9
_ESTIMATES, _ENDS = ("estimate", "x", "y"), ("low", "high")
_COLUMNS = (
    "slice", "value", "metric", "kind", "reference", "estimate", "n", "clusters", "status", "method",
    "low", "high", "df", "n_eff", "level",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One number of the estimates or of a curve beside the audit's, and how far binning may have moved it."""

    row: Row
    field: str
    found: float | None
    audited: float | None
    bound: float = 0.0

    @property
    def size(self) -> float:
        """The absolute difference beyond the bound; infinite where only one of them exists."""
        if self.found is None and self.audited is None:
            return 0.0
        if self.found is None or self.audited is None:
            return np.inf
        return max(abs(self.found - self.audited) - self.bound, 0.0)


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    ``compared`` counts values by metric and other rows by kind, ``undefined`` those that neither side has;
    ``largest`` is the largest difference of two estimates, ``differences`` those beyond the tolerance,
    largest first; ``not_audited`` counts rows by metric or kind, ``withheld`` suppressed rows; ``intervals``
    says by method how many were made again, of how many, and ``widest`` how far two ends differ at most.
    """

    run: Path
    compared: dict[str, int]
    undefined: int
    largest: Difference | None
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]
    not_audited: dict[str, int]
    withheld: int
    intervals: dict[str, tuple[int, int]]
    widest: Difference | None

    @property
    def agrees(self) -> bool:
        """Whether every compared number agrees and every invariant holds."""
        return not self.differences and not any(finding.faults for finding in self.findings)


def audit(run: Path) -> Audit:
    """Recompute a finished run and check its invariants; UserError where there is no finished run."""
    folder = RunFolder(run)
    rows = _estimates(folder)
    suite = planned_suite(folder)
    cells = list(planned_cells(folder))
    again = Recomputed(cells, suite, rows)
    compared: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    found: list[Difference] = []
    withheld = undefined = 0
    for key, group in groupby(rows, key=lambda row: tuple(row[name] for name in PlannedCell.KEY)):
        for row in group:
            if row["status"] == "suppressed" and again.audits(row["kind"]):
                withheld += 1
            elif why := again.unaudited(row):
                skipped[why] += 1
                again.uncertainty.skip(row)
            else:
                numbers = list(_differences(row, again))
                defined = numbers[0].found is not None or numbers[0].audited is not None
                compared[row["metric"] if row["kind"] == "value" else f"kind {row['kind']}"] += defined
                undefined += not defined
                found += numbers
                found += [Difference(row, *interval) for interval in again.uncertainty.numbers(row)]
        again.release(key)
    curves = audit_curves(folder.curves, cells, suite, rows)
    compared += Counter(curves.compared)
    found += [Difference(*numbers) for numbers in curves.numbers]
    return Audit(
        run=run,
        compared=dict(+compared),
        undefined=undefined,
        largest=_largest(found, _ESTIMATES),
        differences=tuple(sorted((d for d in found if d.size > TOLERANCE), key=lambda d: -d.size)),
        findings=(*check_run(folder, cells, suite, rows), *curves.findings, again.uncertainty.finding),
        not_audited=dict(skipped),
        withheld=withheld + curves.withheld,
        intervals=again.uncertainty.checked,
        widest=_largest(found, _ENDS),
    )


def _largest(found: Sequence[Difference], fields: Sequence[str]) -> Difference | None:
    return max((each for each in found if each.field in fields), key=lambda each: each.size, default=None)


def _differences(row: Row, again: Recomputed) -> Iterator[Difference]:
    """The numbers of a row of the estimates, beside those of the plain path."""
    value = again.value(row)
    for field in again.fields(row):
        number = None if value is None else getattr(value, field)
        audited = None if number is None or np.isnan(number) else float(number)
        bound = value.bound if value is not None and field == "estimate" else 0.0
        yield Difference(row, field, row[field], audited, bound)


def _estimates(folder: RunFolder) -> list[Row]:
    import pyarrow.parquet as pq

    plan = folder.plan  # refuses a folder that is no run
    try:
        rows: list[Row] = pq.read_table(folder.estimates).to_pylist()
        complete = not rows or {*PlannedCell.KEY, *_COLUMNS} <= set(rows[0])
        if complete and {"suite", "models", "datasets", "cells"} <= set(plan):
            return rows
        found = "estimates.parquet or run.json is of another version"
    except (OSError, pa.ArrowException):
        found = "there is no readable estimates.parquet"
    raise UserError(
        str(folder.path), found, "An audit needs a finished run",
        "Finish it with its own command",
    )  # fmt: skip
