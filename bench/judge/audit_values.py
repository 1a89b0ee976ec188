"""The second opinion on the values of one cell: of every metric in every part of the rows.

Tables are joined by name in pandas, groups are fairlearn's MetricFrame. A part is worked out when it is first
asked for and its values are kept; the joined rows are let go of by ``release``. Refuses nothing: what the
tables cannot give has no value.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.judge import audit_action_units as units
from bench.judge import audit_temporal as temporal
from bench.judge.audit_fairness import AGREEMENT, agreement, votes_of, within
from bench.judge.audit_metrics import AFFECT_FUNCTIONS, Function, affect, counted, label_functions
from bench.judge.audit_probabilities import gives, knows, on_rows, rows_of
from bench.judge.planned import FUNNEL, PlannedCell
from bench.spec import Facts, Suite
from bench.tables.frame import grouped, joined, labelled, metric_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CellValues", "Family", "Value", "measured"]

_UNMEASURED = "unmeasured"


class Value(NamedTuple):
    """What a row of the estimates should hold, and how far binning may have moved the estimate."""

    estimate: float
    n: int = 0
    clusters: int = 0
    bound: float = 0.0


class Family(NamedTuple):
    """Metrics over the same rows: the columns of truth and prediction, and the functions of them."""

    rows: pd.DataFrame
    columns: tuple[str, str]
    functions: dict[str, Function]


def measured(value: str, slice_: str) -> bool:
    """Whether no attribute of a slice value such as ``Asian&unmeasured`` is unknown, nor its control."""
    given = within(slice_, value)
    held = value if given is None else value.partition("|")[0]
    return _UNMEASURED not in (*held.split("&"), given)


def _is_rest(slice_: str, value: str, other: str) -> bool:
    """Whether a value is part of what another is held against: measured, and within the same control."""
    return other != value and measured(other, slice_) and within(slice_, other) == within(slice_, value)


class CellValues:
    """The values of one cell by the plain path; ``asked`` are the metrics that its estimates have."""

    def __init__(self, cell: PlannedCell, suite: Suite, asked: Iterable[str]) -> None:
        self.cell, self.suite, self.asked = cell, suite, frozenset(asked)
        self.facts: Facts = cell.facts
        # By slice, by the value whose rest it is (None: of the values themselves) and metric; then by value.
        self._values: dict[tuple[str | None, str | None, str], dict[str, Value]] = {}
        self._groups: dict[str | None, pd.Series[str]] = {}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Targets and predictions side by side."""
        return joined(*self.cell.tables, self.facts)

    @cached_property
    def decisions(self) -> pd.Series[int]:
        """The decision on each target that is judged, by name: -1 for *none*."""
        frame = self.frame[self.frame["said/judged"]]
        return frame.set_index("target")["said/decision"]

    @cached_property
    def followed(self) -> temporal.Followed:
        """Which frames follow one another."""
        return temporal.Followed(self.cell, self.frame)

    def release(self) -> None:
        """Let go of the rows; values and decisions are kept."""
        for name in ("frame", "followed"):
            self.__dict__.pop(name, None)
        self._groups.clear()

    def knows(self, metric: str) -> bool:
        """Whether this path can compute the metric."""
        known = metric in self._labels or metric in ("coverage", *FUNNEL) or affect(metric) is not None
        others = units.knows(metric) or temporal.knows(metric)
        return known or self._is_by_row(metric) or others

    def reads(self, metric: str) -> bool:
        """Whether the frames can be read where the metric may be of them."""
        return not temporal.knows(metric) or self._reads_frames

    @cached_property
    def _reads_frames(self) -> bool:
        return not self.cell.record.get("frames_sha256") or self.cell.frames is not None

    def _is_by_row(self, metric: str) -> bool:
        return metric == AGREEMENT or knows(metric, self.facts.labels)

    def value(self, slice_: str | None, value: str | None, metric: str) -> Value | None:
        """The metric of one value of a slice; None where the cell cannot give it, 0 rows if it has none."""
        return self._one((slice_, None, metric), value or "")

    def rest(self, slice_: str, value: str, metric: str) -> Value | None:
        """The metric over all rows of the other measured values of the slice together."""
        return self._one((slice_, value, metric), "")

    def groups(self, slice_: str | None) -> pd.Series[str] | None:
        """The value of every row; None where the suite has no such slice."""
        cut = next((cut for cut in self.suite.slicings if cut.name == slice_), None)
        if slice_ is not None and cut is None:
            return None
        if slice_ not in self._groups:
            whole = self.frame["target"].map(lambda _: "")
            self._groups[slice_] = grouped(self.frame, *cut, self.suite) if cut else whole
        return self._groups[slice_]

    @cached_property
    def _labels(self) -> dict[str, Function]:
        return label_functions(self.facts.labels)

    def _one(self, part: tuple[str | None, str | None, str], value: str) -> Value | None:
        slice_, apart, metric = part
        if part not in self._values:
            groups = self.groups(slice_) if self._gives(metric) else None
            if groups is None:
                return None
            if apart is not None:
                rest = [value for value in groups.unique() if _is_rest(str(slice_), apart, value)]
                groups = groups[groups.isin(rest)].map(lambda _: "")
            found = self._by_group(groups, metric)
            self._values |= {(slice_, apart, name): values for name, values in found.items()}
        return self._values[part].get(value, Value(np.nan))

    def _gives(self, metric: str) -> bool:
        if metric in self._labels:
            return self.cell.gives("accuracy")
        if temporal.knows(metric):
            return self.followed.gives(metric)
        if units.knows(metric):
            return units.gives(metric, *self.cell.tables)
        if not self._is_by_row(metric):
            return self.cell.gives(metric)
        if metric == AGREEMENT:
            return self.cell.holds("votes")
        return gives(metric, *self.cell.tables)

    def _by_group(self, groups: pd.Series[str], metric: str) -> dict[str, dict[str, Value]]:
        """The values of a metric, and of those over the same rows, in each group that has a row."""
        if temporal.knows(metric):
            return {metric: self._on_frames(groups, metric)}
        if units.knows(metric):
            rows = self.frame[self.frame.index.isin(groups.index)]
            return {metric: {str(name): self._on_units(part, metric) for name, part in rows.groupby(groups)}}
        if self._is_by_row(metric):
            return {metric: self._on_rows(groups, metric)}
        family = self.family(metric)
        rows = family.rows[family.rows.index.isin(groups.index)]
        if rows.empty:
            return {name: {} for name in family.functions}
        values = metric_frame(rows, groups, family.functions, family.columns).by_group
        found = {}
        for name in family.functions:
            kept = counted(name, self.facts.labels, rows) if name in self._labels else rows
            clusters = kept["said/cluster"].groupby(groups[kept.index])
            counts = zip(clusters.size().items(), clusters.nunique(), strict=True)
            found[name] = {str(g): Value(float(values[name][g]), int(n), int(c)) for (g, n), c in counts}
        return found

    def _on_units(self, rows: pd.DataFrame, metric: str) -> Value:
        return Value(*units.on_units(rows, metric, self.facts.au_scale, self.cell.targets))

    def _on_frames(self, groups: pd.Series[str], metric: str) -> dict[str, Value]:
        """A metric that follows frames in each group that has a record of it."""
        found = {}
        records = self.followed.records(metric)
        records = records[records.index.isin(groups.index)]
        for name, part in records.groupby(groups[records.index].to_numpy()):
            people = self.frame.loc[part.index, "said/cluster"].nunique()
            found[str(name)] = Value(temporal.measure(metric, part), len(part), people)
        return found

    def _on_rows(self, groups: pd.Series[str], metric: str) -> dict[str, Value]:
        """A metric of probabilities or votes in each group that has a row."""
        found = {}
        rows = votes_of(self.frame) if metric == AGREEMENT else rows_of(self.frame, metric)
        rows = rows[rows.index.isin(groups.index)]
        for name, part in rows.groupby(groups[rows.index]):
            named = part, metric, self.facts.labels
            value, bound = (agreement(part), 0.0) if metric == AGREEMENT else on_rows(*named)
            found[str(name)] = Value(value, len(part), part["said/cluster"].nunique(), bound)
        return found

    def family(self, metric: str) -> Family:
        """The metrics that are asked for over the same rows as one, with those rows."""
        frame = self.frame
        if metric == "coverage":
            covered: dict[str, Function] = {metric: lambda _, said: float(np.mean(said))}
            return Family(frame[frame["said/judged"]], ("said/covered", "said/covered"), covered)
        if metric in FUNNEL:
            return _funnel(frame, metric)
        if metric in self._labels:
            asked = {name: f for name, f in self._labels.items() if name in {metric, *self.asked}}
            return Family(labelled(frame), ("said/truth", "said/decision"), asked)
        column, end = affect(metric) or ("", "")
        said = f"said/{column}"
        rows = frame[frame["said/judged"] & np.isfinite(frame[column].astype(float))]
        present = np.isfinite(rows[said].astype(float))
        missing = self.suite.missing_constant
        rows = rows[present] if end else rows.assign(**{said: rows[said].where(present, missing)})
        functions = {f"{name}_{column}{end}": f for name, f in AFFECT_FUNCTIONS.items()}
        return Family(
            rows, (column, said), {n: f for n, f in functions.items() if n in {metric, *self.asked}}
        )


def _funnel(frame: pd.DataFrame, metric: str) -> Family:
    """The rows that a step of the funnel is of, and whether each took it and all before."""
    lost = frame["said/stage"].where(frame["said/status"] != "no_face", "not_detected")
    passed = frame["said/judged"]
    for name, stage in (
        ("funnel_decoded", "decode_error"), ("funnel_face", "not_detected"), ("funnel_right_face",
        "wrong_face"), ("funnel_followed", "lost_track"), ("funnel_aligned", "alignment"),
    ):  # fmt: skip
        passed = passed & (lost != stage)
        if name == metric:
            break
    if metric in ("funnel_predicted", "funnel_right"):
        passed = passed & frame["said/covered"]
    kept = frame["said/judged"] | (metric == "funnel_decoded")
    if metric == "funnel_right":
        passed = passed & (frame["said/decision"] == frame["said/truth"])
        kept = kept & (frame["said/truth"] >= 0)
    rows = frame.assign(**{"said/passed": passed.astype(float)})[kept]
    share: dict[str, Function] = {metric: lambda _, said: float(np.mean(said))}
    return Family(rows, ("said/passed", "said/passed"), share)
