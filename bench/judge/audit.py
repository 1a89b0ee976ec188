"""The second opinion on a finished run: every value again, from the row tables, by another way.

Shares no code with what it audits: tables are joined by name in pandas, groups are fairlearn's MetricFrame on
scikit-learn's functions, all else is numpy and scipy on the raw numbers, never sums or bins: of what the
judge takes from a histogram, only what binning cannot explain is a difference. Metrics it
does not know, and estimates of other kinds than "value", are counted as not audited, never as agreed. A
withheld value is neither compared nor printed. Refuses a folder without plan or estimates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from bench.errors import UserError
from bench.folder import RunFolder
from bench.judge.audit_probabilities import gives, knows, on_rows, rows_of
from bench.judge.invariants import Finding, PlannedCell, check_run, planned_cells
from bench.spec import Facts, Suite
from bench.tables.frame import grouped, joined, label_metrics, labelled, metric_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TOLERANCE", "Audit", "Difference", "audit"]

TOLERANCE = 1e-9
_FIELDS = ("estimate", "n", "clusters")
_CONSTANT = 1e-5  # a standard deviation below this share of the root mean square is none (README, CCC)

Row = dict[str, Any]


class Value(NamedTuple):
    """What a row of the estimates should hold, and how far binning may have moved the estimate."""

    estimate: float
    n: int
    clusters: int
    bound: float = 0.0


@dataclass(frozen=True)
class Difference:
    """One number of the estimates beside the audit's, and how far binning may have moved it, ``bound``."""

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

    ``compared`` counts values by metric, ``undefined`` those that neither side has; ``largest`` is the
    largest difference of two estimates, ``differences`` those beyond the tolerance, largest first;
    ``not_audited`` counts rows by metric or kind, ``withheld`` suppressed values.
    """

    run: Path
    compared: dict[str, int]
    undefined: int
    largest: Difference | None
    differences: tuple[Difference, ...]
    findings: tuple[Finding, ...]
    not_audited: dict[str, int]
    withheld: int

    @property
    def agrees(self) -> bool:
        """Whether every compared number agrees and every invariant holds."""
        return not self.differences and not any(finding.faults for finding in self.findings)


def audit(run: Path) -> Audit:
    """Recompute a finished run and check its invariants; UserError where there is no finished run."""
    folder = RunFolder(run)
    rows = _estimates(folder)
    cells, suite = list(planned_cells(folder)), Suite.model_validate(folder.plan["suite"])
    compared: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    found: list[Difference] = []
    withheld = undefined = 0
    by_cell: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        by_cell.setdefault(tuple(row[name] for name in PlannedCell.KEY), []).append(row)
    for key, group in by_cell.items():
        cell = next((cell for cell in cells if cell.key == key and cell.joins), None)
        again = None if cell is None else _Recomputed(cell, suite)
        for row in group:
            if row["kind"] != "value":
                skipped[f"kind {row['kind']}"] += 1
            elif row["status"] == "suppressed":
                withheld += 1
            elif again is None:
                skipped["rows of cells that cannot be read"] += 1
            elif not again.knows(row["metric"]):
                skipped[row["metric"]] += 1
            else:
                numbers = list(again.differences(row))
                defined = numbers[0].found is not None or numbers[0].audited is not None
                compared[row["metric"]] += defined
                undefined += not defined
                found += numbers
    return Audit(
        run=run,
        compared=dict(+compared),
        undefined=undefined,
        largest=max((d for d in found if d.field == "estimate"), key=lambda d: d.size, default=None),
        differences=tuple(sorted((d for d in found if d.size > TOLERANCE), key=lambda d: -d.size)),
        findings=tuple(check_run(folder, cells, suite, rows)),
        not_audited=dict(skipped),
        withheld=withheld,
    )


def _estimates(folder: RunFolder) -> list[Row]:
    import pyarrow.parquet as pq

    plan = folder.plan  # refuses a folder that is no run
    try:
        rows: list[Row] = pq.read_table(folder.estimates).to_pylist()
        complete = not rows or {*PlannedCell.KEY, *_FIELDS, "metric", "kind", "status"} <= set(rows[0])
        if complete and {"suite", "models", "datasets", "cells"} <= set(plan):
            return rows
        found = "estimates.parquet or run.json is of another version"
    except (OSError, pa.ArrowException):
        found = "there is no readable estimates.parquet"
    raise UserError(
        str(folder.path), found, "An audit needs a finished run",
        "Finish it with its own command, or with 'affectbench report'",
    )  # fmt: skip


class _Family(NamedTuple):
    """Metrics over the same rows: the columns of truth and prediction, and the functions of them."""

    rows: pd.DataFrame
    columns: tuple[str, str]
    functions: dict[str, Callable[..., float]]


class _Recomputed:
    """The values of one cell by the plain path; every slice is worked out when first asked for."""

    def __init__(self, cell: PlannedCell, suite: Suite) -> None:
        self.cell, self.suite = cell, suite
        self.facts: Facts = cell.facts
        self._values: dict[tuple[str | None, str], dict[str, Value]] = {}  # of a slice and metric, by value
        self._groups: dict[str | None, pd.Series[str]] = {}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Targets and predictions side by side."""
        assert self.cell.predictions is not None
        return joined(self.cell.targets, self.cell.predictions, self.facts)

    def knows(self, metric: str) -> bool:
        """Whether this path can compute the metric."""
        known = metric in self._labels or metric == "coverage" or _affect(metric) is not None
        return known or knows(metric, self.facts.labels)

    def differences(self, row: Row) -> Iterator[Difference]:
        """The three numbers of a row of the estimates, beside those of this path."""
        value = self._value(row["slice"], row["value"], row["metric"])
        for field in _FIELDS:
            number = None if value is None else getattr(value, field)
            audited = None if number is None or np.isnan(number) else float(number)
            bound = value.bound if value is not None and field == "estimate" else 0.0
            yield Difference(row, field, row[field], audited, bound)

    @cached_property
    def _labels(self) -> dict[str, Callable[..., float]]:
        return label_metrics(self.facts.labels)

    def _value(self, slice_: str | None, value: str | None, metric: str) -> Value | None:
        """Null estimate and counts where the cell cannot give the metric; 0 rows where a value has none."""
        if not self._gives(metric):
            return None
        attributes = next((a for a in self.cell.slices(self.suite) if "&".join(a) == slice_), ())
        if slice_ is not None and not attributes:
            return None
        if slice_ not in self._groups:
            whole = self.frame["target"].map(lambda _: "")
            self._groups[slice_] = grouped(self.frame, attributes, self.suite) if attributes else whole
        if (slice_, metric) not in self._values:
            if knows(metric, self.facts.labels):
                values = {metric: self._on_rows(self._groups[slice_], metric)}
            else:
                values = self._by_group(self._groups[slice_], self._family(metric))
            self._values |= {(slice_, name): found for name, found in values.items()}
        return self._values[slice_, metric].get(value or "", Value(np.nan, 0, 0))

    def _gives(self, metric: str) -> bool:
        if not knows(metric, self.facts.labels):
            return self.cell.gives(metric)
        tables = self.cell.targets, self.cell.predictions
        return all(table is not None for table in tables) and gives(metric, *tables)

    def _on_rows(self, groups: pd.Series[str], metric: str) -> dict[str, Value]:
        """A metric of probabilities or votes in each group that has a row."""
        found = {}
        rows = rows_of(self.frame, metric)
        for name, part in rows.groupby(groups[rows.index]):
            value, bound = on_rows(part, metric, self.facts.labels)
            found[str(name)] = Value(value, len(part), part["said/cluster"].nunique(), bound)
        return found

    def _by_group(self, groups: pd.Series[str], family: _Family) -> dict[str, dict[str, Value]]:
        """The values of all metrics of a family in each group that has a row."""
        if family.rows.empty:
            return {name: {} for name in family.functions}
        values = metric_frame(family.rows, groups, family.functions, family.columns).by_group
        found = {}
        for name in family.functions:
            rows = family.rows
            if name.startswith("recall/"):
                rows = rows[rows["said/truth"] == self.facts.labels.index(name.removeprefix("recall/"))]
            clusters = rows["said/cluster"].groupby(groups[rows.index])
            counts = zip(clusters.size().items(), clusters.nunique(), strict=True)
            found[name] = {str(g): Value(float(values[name][g]), int(n), int(c)) for (g, n), c in counts}
        return found

    def _family(self, metric: str) -> _Family:
        """The metrics over the same rows as one, with those rows: the denominator of all but recall."""
        frame = self.frame
        if metric == "coverage":
            covered = {metric: lambda _, said: float(np.mean(said))}
            return _Family(frame[frame["said/judged"]], ("said/covered", "said/covered"), covered)
        if metric in self._labels:
            return _Family(labelled(frame), ("said/truth", "said/decision"), self._labels)
        column, end = _affect(metric) or ("", "")
        said = f"said/{column}"
        rows = frame[frame["said/judged"] & np.isfinite(frame[column].astype(float))]
        present = np.isfinite(rows[said].astype(float))
        missing = self.suite.missing_constant
        rows = rows[present] if end else rows.assign(**{said: rows[said].where(present, missing)})
        return _Family(rows, (column, said), {f"{n}_{column}{end}": f for n, f in _FUNCTIONS.items()})


def _affect(metric: str) -> tuple[str, str] | None:
    """The column of a metric such as ``ccc_valence_covered``, and its end."""
    name, _, rest = metric.partition("_")
    column, end = rest.removesuffix("_covered"), "_covered" if rest.endswith("_covered") else ""
    known = name in _FUNCTIONS and column in ("valence", "arousal", "dominance")
    return (column, end) if known else None


def _constant(values: np.ndarray) -> bool:
    return bool(values.std() <= _CONSTANT * np.sqrt(np.mean(values**2)))


def _ccc(truth: np.ndarray, said: np.ndarray) -> float:
    """Lin 1989, with population variances."""
    if _constant(truth) or _constant(said):
        return np.nan
    (var_x, covariance), (_, var_y) = np.cov(truth, said, bias=True)
    return float(2 * covariance / (var_x + var_y + (truth.mean() - said.mean()) ** 2))


def _pcc(truth: np.ndarray, said: np.ndarray) -> float:
    from scipy.stats import pearsonr

    return np.nan if _constant(truth) or _constant(said) else float(pearsonr(truth, said).statistic)


def _rmse(truth: np.ndarray, said: np.ndarray) -> float:
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(truth, said))


_FUNCTIONS: dict[str, Callable[..., float]] = {"ccc": _ccc, "pcc": _pcc, "rmse": _rmse}
