"""Score: predictions and targets in, the Estimates table out.

``judge`` streams the cells of a run and writes one row per model, condition, slice value and metric, with
its interval and status. Row weights of targets are not used: every row counts alike, and the warning says so
where weights differ. Refuses predictions that are not one row per target in order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from bench.judge import action_units
from bench.judge.controls import apart
from bench.judge.corruption import ALL
from bench.judge.curves import Curves
from bench.judge.degradation import degrades, observe
from bench.judge.fairness import Comparison, adjust, compared, differences
from bench.judge.matched import matched, names_it
from bench.judge.metrics import METRICS, Metric
from bench.judge.notes import cell_notes, dataset_notes
from bench.judge.odds import equalised_odds
from bench.judge.ranks import Ranking
from bench.judge.request import asked, beside, check, given
from bench.judge.robustness import Robustness
from bench.judge.rows import Bools, Rows, has_labels, read_rows
from bench.judge.sequences import follow_frames, follow_rows, rows_are_frames
from bench.judge.sheet import Sheet, sheets
from bench.judge.slices import Slice, cut
from bench.judge.status import INSUFFICIENT, SUPPRESSED
from bench.judge.sums import Sums
from bench.judge.temporal import TEMPORAL
from bench.judge.temporal import gives as gives_sequence
from bench.judge.withhold import Withheld, alike, decides, withheld, withheld_decisions, withheld_units
from bench.spec import Suite
from bench.tables import Targets
from bench.tables.estimates import estimates_table

__all__ = ["Cell", "Ground", "check", "gives", "judge", "read_cell"]


@dataclass(frozen=True)
class Cell:
    """Predictions of one model on one data set under one condition, ready to judge.

    ``condition`` is ``clean`` or a perturbation's name, ``severity`` 0 for clean, ``where`` frame, crop or
    None; ``frames`` is how many frames the model saw, where known; ``frames_table`` reads the outputs per
    frame, None where there are none: it is called if a metric follows frames.
    """

    model: str
    dataset: str
    condition: str
    severity: int
    where: str | None
    targets: Targets
    predictions: pa.Table
    frames: int | None = None
    frames_table: Callable[[], pa.Table] | None = None


Judged = dict[str, list[Sheet] | None]
"""The sheets of each metric of one cell by slice; None where the predictions cannot give it."""


def judge(
    cells: Iterable[Cell], suite: Suite, curves: Curves | None = None, ranked: Collection[str] = ()
) -> pa.Table:
    """Judge cells and return the Estimates table, ordered by model, data set, condition and severity.

    Within a cell: the whole first, then the suite's slices in its order, their values in order, metrics in
    the suite's order; after them, slice by slice, how the values differ (``bench.judge.fairness``), and what
    the condition did to them (``bench.judge.robustness``); what is of several conditions comes last. ``n``
    counts the rows in the denominators; ``clips`` and ``frames`` what the slice holds;
    ``coverage`` is of the slice; ``n_eff`` belongs to proportions alone. ``curves`` collects those of every
    cell; ``ranked`` are the models to be ranked (``bench.judge.ranks``). Raises UserError as ``check`` does,
    ValueError for predictions in another order.
    """
    grounds: dict[str, Ground] = {}
    blocks, robustness, ranking = [], Robustness(suite), Ranking(suite, ranked)
    for cell in cells:
        ground = grounds.get(cell.dataset)
        if ground is None or ground.targets is not cell.targets:
            ground = grounds[cell.dataset] = Ground(cell.targets, suite)
        blocks.append((_order(vars(cell)), list(_rows(cell, ground, robustness, ranking, curves))))
    blocks += [(_order(row), [row]) for row in (*robustness.finish(), *ranking.finish())]
    blocks.sort(key=lambda block: block[0])
    rows = [row for _, block in blocks for row in block]
    adjust(rows, suite.primary)
    return estimates_table(rows)


def _order(key: Mapping[str, Any]) -> tuple[Any, ...]:
    """Where the rows of a cell stand; of several severities or conditions, after those of each."""
    condition, severity = key["condition"], key["severity"]
    named = (condition != "clean", condition == ALL, condition, key["where"] or "")
    return (key["model"], key["dataset"], *named, severity is None, severity or 0)


class Ground:
    """What all cells of one data set share: its slices, the metrics asked of it, what must be said."""

    def __init__(self, targets: Targets, suite: Suite) -> None:
        def where(kind: str, name: str) -> str:
            return f"suite {suite.suite}, {kind} {name}"

        check(suite, targets, where)
        self.targets, self.suite = targets, suite
        self.cut = cut(targets, suite, where)
        self.metrics = asked(suite, targets)
        self.beside = beside(self.metrics, suite)
        self.notes = dataset_notes(targets)
        self.floor = 0 if targets.facts.attributes_public else suite.slice_rule.suppress_below
        self._withheld: dict[tuple[object, ...], Withheld] = {}
        names = targets.table.column_names
        self.by_frame = "frame" in names and targets.table["frame"].null_count < len(targets)

    def withheld(self, rows: Rows) -> Withheld:
        """What is withheld from a cell; all but decisions once for cells that judge the same rows."""
        key = alike(rows)
        if key not in self._withheld:
            self._withheld[key] = withheld(self.cut.slices, self.cut.strata, rows, self.floor)
        found, whose = self._withheld[key], (self.cut.slices, self.cut.strata, rows, self.floor)
        if decides(self.metrics):
            found = withheld_decisions(found, *whose)
        of_any = any(action_units.of_units(metric.key) for metric in self.metrics)
        return withheld_units(found, *whose) if of_any else found

    def frames(self, one: Slice, value: int, cell: Cell) -> int | None:
        """Frames of a slice value: its rows where rows are frames, else known for the whole only."""
        if self.by_frame:
            return int(one.rows[value])
        return cell.frames if one.name is None else None


def _rows(
    cell: Cell, ground: Ground, robustness: Robustness, ranking: Ranking, curves: Curves | None
) -> Iterator[dict[str, Any]]:
    """The rows of one cell; a requested metric the predictions cannot give has rows that say so."""
    rows = read_cell(cell, ground.metrics)
    sums = Sums(rows, ground.cut.strata, ground.suite.missing_constant)
    hidden = ground.withheld(rows)
    judged = {
        metric.name: sheets(metric, sums, ground.cut.slices, hidden, ground.targets, ground.suite)
        if gives(cell, rows, metric)
        else None
        for metric in ground.metrics
        if ground.suite.metrics or gives(cell, rows, metric)
    }
    shown = {
        metric.name: sheets(metric, sums, ground.cut.slices, hidden, ground.targets, ground.suite)
        for metric in ground.beside
        if gives(cell, rows, metric)
    }
    said = [*ground.notes, *cell_notes(rows)]
    key = {name: getattr(cell, name) for name in ("model", "dataset", "condition", "severity", "where")}
    key["cluster_unit"] = ground.targets.facts.cluster_unit
    if curves is not None:
        curves.add(key, ground.cut, sums, judged, ground.floor)
    if ground.suite.clean and ground.suite.conditions:
        paired = {
            name: found for name, found in judged.items() if found and degrades(found[0].metric, ground.suite)
        }
        robustness.add(observe(key, ground.cut, sums, paired, hidden.values, said))
    ranking.add(key, cell.targets, sums, judged, said)
    for row in (*_values(cell, ground, {**judged, **shown}), *_differences(ground, judged, sums, hidden)):
        if row["status"] != SUPPRESSED:
            row["warning"] = "; ".join([*filter(None, [row["warning"]]), *said]) or None
        yield {**key, **row}


def read_cell(cell: Cell, metrics: Sequence[Metric]) -> Rows:
    """The rows of a cell, with the sequences that its metrics follow: only then are frames read."""
    rows = read_rows(cell.targets, cell.predictions)
    keys = tuple(dict.fromkeys(metric.key for metric in metrics if metric.key.kernel in TEMPORAL))
    if keys and rows_are_frames(cell.targets):
        return replace(rows, sequences=follow_rows(cell.targets, cell.predictions, rows, keys))
    if keys and cell.frames_table is not None:
        found = follow_frames(cell.targets, cell.predictions, cell.frames_table(), rows, keys)
        return replace(rows, sequences=found)
    return rows


def _values(cell: Cell, ground: Ground, judged: Judged) -> Iterator[dict[str, Any]]:
    """What every metric is of every slice value."""
    for index, one in enumerate(ground.cut.slices):
        for value, text in enumerate(one.values):
            for name, found in judged.items():
                row = found[index].row(value) if found else _unavailable(name)
                if found and row["status"] != SUPPRESSED:
                    row["frames"] = ground.frames(one, value, cell)
                named = {"slice": one.name, "value": text if one.name else None, "metric": name}
                yield {**named, **row, "kind": "value", "level": ground.suite.level}


def _differences(ground: Ground, judged: Judged, sums: Sums, hidden: Withheld) -> Iterator[dict[str, Any]]:
    """How the values of every slice differ by every metric that the predictions give."""
    suite, labels = ground.suite, ground.targets.space.labels
    for index, one in enumerate(ground.cut.slices[1:], 1):
        partly = np.asarray(hidden.classes[index].any(axis=1))
        decided = hidden.decisions[index].any(axis=1) if hidden.decisions is not None else False
        gaps: dict[str | None, dict[str, tuple[dict[str, Any], Bools]]] = {}
        for name, found in judged.items():
            if found is None:
                continue
            sheet = found[index]
            whole = Comparison(
                sheet.metric, one, sums.tally(sheet.metric.key, one),
                compared(one, sheet.enough, sheet.hidden), sheet.hidden, partly,
                np.asarray(partly | decided), suite.level, suite.seed, suite.draws,
            )  # fmt: skip
            for within, part in apart(whole):
                rows = list(differences(part))
                gaps.setdefault(within, {})[name] = rows[0], part.included
                rows += matched(part) if names_it(suite, name) else []
                yield from ({"slice": one.name, "value": within, "metric": name, **row} for row in rows)
        for within, mine in gaps.items():
            for row in equalised_odds(suite.metrics, labels, mine):
                yield {"slice": one.name, "value": within, **row}


def gives(cell: Cell, rows: Rows, metric: Metric) -> bool:
    """Whether the predictions hold what a metric needs."""
    kernel = metric.key.kernel
    if kernel in TEMPORAL:
        return gives_sequence(rows, metric.key)
    if kernel == "raters":
        return True
    if kernel == "stages":
        return rows.lost is not None and given(metric, cell.targets)
    if action_units.of_units(metric.key):
        return action_units.gives(rows, metric.key)
    if kernel in ("confusion", "agreement"):
        return has_labels(cell.predictions)
    if kernel == "ranking":
        return bool(rows.probabilities) and rows.probabilities[metric.key.label] is not None
    if kernel == "moments":
        return metric.key.column in cell.predictions.column_names
    return kernel == "outcomes" or bool(rows.probabilities)


def _unavailable(name: str) -> dict[str, Any]:
    if METRICS[name.partition("/")[0]].key.kernel in TEMPORAL:
        why = f"there are no frames to follow, or they have no output for {name}"
        return {"status": INSUFFICIENT, "warning": f"unavailable: {why}"}
    if METRICS[name.partition("/")[0]].key.kernel == "stages":
        return {"status": INSUFFICIENT, "warning": "unavailable: the predictions have no column 'stage'"}
    every = ", which takes every action unit of the targets" if name in ("au_auroc", "au_icc") else ""
    return {
        "status": INSUFFICIENT,
        "warning": f"unavailable: the predictions have no output for {name}{every}",
    }
