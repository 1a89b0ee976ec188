"""Degradation: what one condition does to the values of a model, paired with clean media, as rows.

Values are compared where they are reportable in every cell that enters; where one withholds a value, its row
is withheld, and no other number is made of it. Kept of a cell is what each cluster adds to each value, and a
code a row. Refuses metrics of one class, and those of which neither more nor less is better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from bench.judge.atoms import Atoms, gather
from bench.judge.contrasts import Contrasts, contrast, pairs
from bench.judge.fairness import compared
from bench.judge.infer import Inference, infer
from bench.judge.influence import Influence
from bench.judge.kernels import Counts, Key, Moments
from bench.judge.metrics import Metric
from bench.judge.paired import Test, collapsed, named, t_test, weighed
from bench.judge.rows import Bools
from bench.judge.sheet import Sheet
from bench.judge.slices import Cut
from bench.judge.spread import sdd80
from bench.judge.status import INSUFFICIENT, REPORTABLE, SUPPRESSED, reportable
from bench.judge.sums import Sums
from bench.spec import Suite

__all__ = ["CLEAN", "Observed", "areas", "degradations", "degrades", "flips", "observe", "stability"]

CLEAN = "clean"
_LEADING = ("accuracy", "uar", "ccc_valence", "ccc_arousal", "ccc_dominance")
_WITHHELD = "withheld: too few subjects here, or in a value or class that this number would reveal"
_METHODS = {"proportion": "paired linearised t"}
_JACKKNIFE = "paired jackknife t"
_UNCHANGED = Metric(
    "stability", Key("outcomes"), lambda stats: (stats[..., 0], stats.sum(axis=-1)), "proportion", "no rows"
)
_FLIPS = Metric(
    "severity_flips", Key("outcomes"), lambda stats: (stats[..., 1], stats[..., 0]), "proportion", "no rows",
    "lower",
)  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True)
class Observed:
    """What is kept of one cell.

    ``key`` are the columns that name it; ``sheets`` and ``influence`` of each metric by slice; ``decision``
    (N,) the label codes, K for *none*, -1 where the row is not judged; ``hidden`` (V,) by slice, the values
    withheld whatever the metric; ``said`` goes into warnings.
    """

    key: Row
    cut: Cut
    sheets: dict[str, list[Sheet]]
    influence: dict[str, list[Influence]]
    decision: npt.NDArray[np.int16]
    hidden: list[Bools]
    said: list[str]

    @property
    def place(self) -> tuple[str, str | None]:
        """The condition without its severity."""
        return self.key["condition"], self.key["where"]

    @property
    def labels(self) -> bool:
        """Whether a metric of labels degrades, so that decisions are compared."""
        return any(each[0].metric.key.kernel == "confusion" for each in self.sheets.values())


def degrades(metric: Metric, suite: Suite) -> bool:
    """Whether degradation is asked for: of the leading metrics, or of those that the suite names."""
    asked = bool(suite.metrics) or metric.name in _LEADING
    return asked and metric.direction in ("higher", "lower") and "/" not in metric.name


def observe(
    key: Row, cut: Cut, sums: Sums, sheets: dict[str, list[Sheet]], hidden: list[Bools], said: list[str]
) -> Observed:
    """Keep of a cell what pairing needs; ``sheets`` are those of the metrics that degrade."""
    found = {name: [named(one.metric, sums, one.one) for one in each] for name, each in sheets.items()}
    decision = np.where(sums.rows.judged, sums.rows.decision, -1).astype(np.int16)
    return Observed(key, cut, sheets, found, decision, hidden, said)


def degradations(key: Row, clean: Observed, cells: Sequence[Observed], suite: Suite) -> Iterator[Row]:
    """Degradation by value, and how it differs between values, at one severity or averaged over several."""
    weights = np.array([1.0, *[-1 / len(cells)] * len(cells)])
    for name, index in _comparable(clean, cells):
        joined = _Joined([cell.sheets[name][index] for cell in (clean, *cells)], _said(clean, cells), suite)
        sign = 1.0 if joined.metric.direction == "higher" else -1.0
        found = weighed(tuple(cell.influence[name][index] for cell in (clean, *cells)), sign * weights)
        for row in joined.values(found):
            yield {**key, "kind": "degradation", "reference": CLEAN, **row}
        for row in joined.contrasts(found):
            yield {**key, "kind": "degradation_contrast", **row}


def areas(key: Row, clean: Observed, cells: Sequence[Observed], suite: Suite) -> Iterator[Row]:
    """The mean height of each metric along severity: trapezoids from clean, 0, to the highest severity."""
    at = np.array([0.0, *(float(cell.key["severity"]) for cell in cells)])
    weights = np.convolve(np.diff(at), [0.5, 0.5]) / at[-1]
    for name, index in _comparable(clean, cells):
        joined = _Joined([cell.sheets[name][index] for cell in (clean, *cells)], _said(clean, cells), suite)
        found = weighed(tuple(cell.influence[name][index] for cell in (clean, *cells)), weights)
        for row in joined.values(found):
            yield {**key, **row, "kind": "area", "p": None, "sdd80": None}


@dataclass(frozen=True)
class _Joined:
    """One metric and slice of every cell that enters, clean first, and what must be said of them."""

    sheets: list[Sheet]
    said: list[str]
    suite: Suite

    @property
    def metric(self) -> Metric:
        """The metric."""
        return self.sheets[0].metric

    @property
    def hidden(self) -> Bools:
        """Which values any of the cells withholds, (V,)."""
        return np.asarray(np.any([sheet.hidden for sheet in self.sheets], axis=0))

    @property
    def enough(self) -> Bools:
        """Which values are reportable in all of the cells, (V,)."""
        return np.asarray(np.all([sheet.enough for sheet in self.sheets], axis=0) & ~self.hidden)

    def values(self, found: Influence) -> Iterator[Row]:
        """One row a value: the whole always, others if reportable; a withheld one says that it is."""
        one, level, enough, hidden = self.sheets[0].one, self.suite.level, self.enough, self.hidden
        tested, rows = t_test(found, level), np.min([sheet.inference.n for sheet in self.sheets], axis=0)
        smallest = sdd80(tested.se, tested.df, np.asarray(stdtrit(tested.df, (1 + level) / 2)))
        for v, text in enumerate(one.values):
            names = {"slice": one.name, "value": text if one.name else None, "metric": self.metric.name}
            if hidden[v]:
                yield {**names, "status": SUPPRESSED, "warning": _WITHHELD}
            elif enough[v] or one.name is None:
                yield {
                    **names, **_numbers(tested, ("estimate", "low", "high", "df", "p"), v), "level": level,
                    "side": None if tested.reason[v] else "two-sided", "sdd80": float(smallest[v]),
                    "n": int(rows[v]), "clusters": int(found.clusters[v]), "role": "exploratory",
                    "method": None if tested.reason[v] else _METHODS.get(self.metric.kind, _JACKKNIFE),
                    "slices_left_out": int((~enough).sum()) if one.name else None,
                    "status": REPORTABLE if enough[v] else INSUFFICIENT,
                    "warning": _joined(tested.reason[v], self.said),
                }  # fmt: skip

    def contrasts(self, found: Influence) -> Iterator[Row]:
        """How much more one reportable value changes than another, every pair of a slice."""
        one, suite = self.sheets[0].one, self.suite
        weights, places = pairs(compared(one, self.enough, self.hidden))
        if one.control is not None:
            alike = [k for k, (g, h) in enumerate(places) if one.codes[g, -1] == one.codes[h, -1]]
            weights, places = weights[alike], [places[k] for k in alike]
        # As in ``fairness``, what depends on the size of a group is not compared between groups.
        if not one.attributes or not places or self.metric.biased:
            return
        tested = contrast(collapsed(found), weights, suite.level, suite.seed, suite.draws)
        smallest = sdd80(tested.se, tested.df, tested.critical)
        for k, (g, h) in enumerate(places):
            yield {
                **_numbers(tested, ("estimate", "low", "high", "df", "p", "p_adjusted"), k),
                "slice": one.name, "value": one.values[g], "reference": one.values[h],
                "metric": self.metric.name, "level": suite.level, "side": "two-sided",
                "method": tested.method, "sdd80": float(smallest[k]), "role": "exploratory",
                "family": f"{len(places)} pairs of {one.name}", "status": REPORTABLE,
                "warning": _joined(tested.reason[k], self.said),
            }  # fmt: skip


def stability(clean: Observed, cell: Observed, suite: Suite) -> Iterator[Row]:
    """The share of rows judged in both cells whose decision is as on clean media, by value of every slice."""
    if not (clean.labels and cell.labels):
        return
    both = (clean.decision >= 0) & (cell.decision >= 0)
    column = np.where(both, (clean.decision != cell.decision).astype(np.int64), -1)
    atoms = gather(Counts(column, (2,)), cell.cut.strata)
    yield from _shares(_UNCHANGED, atoms, (clean, cell), {**cell.key, "reference": CLEAN}, suite)


def flips(cells: Sequence[Observed], suite: Suite) -> Iterator[Row]:
    """The share of rows whose decision changes from one severity to the next, by step and over all steps.

    ``cells`` are of one condition by ascending severity. A step is of the higher severity, its reference the
    lower one; the mean over the steps is of rows judged at every severity and has no severity. *None* is a
    decision. Source: flip probability, Hendrycks, Dietterich 2019 (arXiv 1903.12261), along severities.
    """
    if not all(cell.labels for cell in cells):
        return
    strata = cells[0].cut.strata
    decision = np.stack([cell.decision for cell in cells])
    judged, changes = decision >= 0, decision[1:] != decision[:-1]
    for low, high, both, change in zip(cells, cells[1:], judged[1:] & judged[:-1], changes, strict=False):
        step = np.stack([np.ones(len(change)), change], axis=1)
        key = {**high.key, "reference": f"severity {low.key['severity']}"}
        yield from _shares(_FLIPS, gather(Moments(both, step), strata), (low, high), key, suite)
    if len(cells) > 1:
        mean = np.stack([np.ones(changes.shape[1]), changes.mean(axis=0)], axis=1)
        key = {**cells[0].key, "severity": None, "reference": "the severity before"}
        yield from _shares(
            _FLIPS, gather(Moments(np.asarray(judged.all(axis=0)), mean), strata), cells, key, suite
        )


def _shares(metric: Metric, atoms: Atoms, cells: Sequence[Observed], key: Row, suite: Suite) -> Iterator[Row]:
    """Rows of kind stability by value of every slice; a value that any of the cells withholds is withheld."""
    said = _said(cells[0], cells[1:])
    hidden = [np.any(masks, axis=0) for masks in zip(*(cell.hidden for cell in cells), strict=True)]
    for one, mask in zip(cells[0].cut.slices, hidden, strict=True):
        tally = atoms.tally(one.of_stratum, len(one.values))
        found = infer(metric, tally, suite.level)
        enough = reportable(metric, found, tally.total, suite.slice_rule, np.zeros(0, np.bool_))
        for v, text in enumerate(one.values):
            names = {"slice": one.name, "value": text if one.name else None, "metric": metric.name}
            row = {**key, **names, "kind": "stability"}
            if mask[v]:
                yield {**row, "status": SUPPRESSED, "warning": _WITHHELD}
                continue
            yield {
                **row, **_numbers(found, ("estimate", "low", "high", "df", "n_eff"), v),
                "n": int(found.n[v]), "clusters": int(found.clusters[v]), "level": suite.level,
                "side": "two-sided" if found.method[v] else None, "method": found.method[v],
                "status": REPORTABLE if enough[v] else INSUFFICIENT, "role": "exploratory",
                "warning": _joined(found.reason[v], said),
            }  # fmt: skip


def _comparable(clean: Observed, cells: Sequence[Observed]) -> list[tuple[str, int]]:
    """The metrics that every cell has, each with the number of every slice."""
    shared = [name for name in clean.influence if all(name in cell.influence for cell in cells)]
    return [(name, index) for name in shared for index in range(len(clean.cut.slices))]


def _said(clean: Observed, cells: Sequence[Observed]) -> list[str]:
    """What must be said of every number of a comparison."""
    apart = max(int(((clean.decision < 0) != (cell.decision < 0)).sum()) for cell in cells)
    unlike = [f"not quite paired: {apart} rows are decode errors on one side alone"] if apart else []
    return list(dict.fromkeys([*unlike, *(text for cell in (clean, *cells) for text in cell.said)]))


def _joined(reason: str | None, said: Sequence[str]) -> str | None:
    return "; ".join([*filter(None, [reason]), *said]) or None


def _numbers(found: Test | Contrasts | Inference, names: Sequence[str], at: int) -> Row:
    return {name: float(getattr(found, name)[at]) for name in names}
