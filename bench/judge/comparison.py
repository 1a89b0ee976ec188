"""Comparison: a new model against an old one on the same targets, cell by cell, paired by cluster.

Each difference is new - old, whichever is better, with a two-sided t interval over clusters; beside it, where
a margin is given, what can be concluded of it: is new worse by no more than the margin (non-inferiority), are
both within it (equivalence)? Each is answered yes, no or inconclusive by one-sided bounds, which take the
variance that the difference has at the margin (``bench.judge.margin``); a difference that was not seen is
never a yes, nor is one of a metric that leaves rows out, where the two leave out others, or that follows
frames, where the two follow others (``bench.judge.unlike``).
Refuses targets that differ, and says in what. Sources: Tango 1998, Statistics in Medicine 17; Schuirmann
1987, J. Pharmacokinetics and Biopharmaceutics 15 (two one-sided tests).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import stdtrit

from bench.errors import UserError, listed
from bench.judge.margin import at_margin, differing
from bench.judge.metrics import Metric
from bench.judge.multiplicity import benjamini_hochberg
from bench.judge.notes import cell_notes
from bench.judge.paired import Test, named, paired, t_test
from bench.judge.rows import Floats, Ints
from bench.judge.score import Cell, Ground, gives, read_cell
from bench.judge.sheet import WITHHELD, Sheet, sheets
from bench.judge.spread import sdd80
from bench.judge.status import INSUFFICIENT, REPORTABLE, SUPPRESSED
from bench.judge.sums import Sums
from bench.judge.unlike import unlike
from bench.spec import Suite
from bench.tables import Targets

__all__ = ["Compared", "Verdict", "compare", "require_same_targets"]

Verdict = Literal["yes", "no", "inconclusive"]


@dataclass(frozen=True)
class Compared:
    """One metric of one slice value under one condition: both values, and their difference as a row.

    ``row`` is one of Estimates, of kind ``difference`` with the old model as ``reference``; ``new`` and
    ``old`` are NaN where they are withheld or undefined; verdicts are None where no margin is given, and of
    metrics that are neither better higher nor lower. ``given`` is false where a model has no output for it.
    """

    row: dict[str, Any]
    new: float
    old: float
    non_inferior: Verdict | None = None
    equivalent: Verdict | None = None
    given: bool = True


def compare(pairs: Iterable[tuple[Cell, Cell]], suite: Suite, margin: float | None = None) -> list[Compared]:
    """Compare the cells (new, old) of each pair by the metrics and slices of a suite.

    ``margin``: how much worse, in units of each metric, is not yet worse; it needs to be above 0. The false
    discovery rate in ``p_adjusted`` is over all differences with a p-value. Raises UserError for targets that
    differ. A metric that the suite names and a model does not give has rows that say so.
    """
    found: list[Compared] = []
    grounds: dict[str, Ground] = {}
    for new, old in pairs:
        require_same_targets(new.dataset, new.targets, old.targets)
        if new.dataset not in grounds:
            grounds[new.dataset] = Ground(new.targets, suite)
        found += _cell(new, old, grounds[new.dataset], margin)
    tested = [each.row for each in found if each.row.get("p", np.nan) >= 0]
    for row, q in zip(tested, benjamini_hochberg(np.array([row["p"] for row in tested])), strict=True):
        row["p_adjusted"], row["family"] = float(q), f"{len(tested)} differences"
    return found


def require_same_targets(dataset: str, new: Targets, old: Targets) -> None:
    """UserError, naming the first difference, unless both have the same rows in the same order."""
    if new.digest == old.digest:
        return
    raise UserError(
        dataset,
        f"the targets differ: {_difference(new, old)}",
        "A comparison is of the same targets, row by row",
        "Run or score both models on the same table",
    )


def _difference(new: Targets, old: Targets) -> str:
    if len(new) != len(old):
        return f"{len(new)} rows in the new run, {len(old)} in the old"
    columns = set(new.table.column_names) ^ set(old.table.column_names)
    if columns:
        return f"column {min(columns)!r} is in one of them alone"
    names = new.table["target"].to_pylist()
    for column in new.table.column_names:
        mine, other = new.table[column].to_pylist(), old.table[column].to_pylist()
        for name, one, two in zip(names, mine, other, strict=True):
            # NaN is no value here: columns hold null where nothing is known.
            if one != two:
                return f"{column!r} is not the same, first of target {name!r}"
    mine, other = (targets.facts.model_dump() for targets in (new, old))
    apart = [name for name in {**mine, **other} if mine.get(name) != other.get(name)]
    return f"their facts are not the same: {listed(apart)}"


def _cell(new: Cell, old: Cell, ground: Ground, margin: float | None) -> Iterator[Compared]:
    """Every slice value and metric that both cells give, in the order of Estimates."""
    sides = [_Side(cell, ground) for cell in (new, old)]
    key = {name: getattr(new, name) for name in ("model", "dataset", "condition", "severity", "where")}
    key |= {"kind": "difference", "role": "exploratory", "reference": old.model}
    key |= {"cluster_unit": ground.targets.facts.cluster_unit}
    lacking = {m.name: [s.cell.model for s in sides if not gives(s.cell, s.rows, m)] for m in ground.metrics}
    asked = [metric for metric in ground.metrics if ground.suite.metrics or not lacking[metric.name]]
    apart = int((sides[0].rows.judged != sides[1].rows.judged).sum())
    unlike = [f"not quite paired: {apart} rows are decode errors on one side alone"] if apart else []
    said = list(dict.fromkeys([*unlike, *ground.notes, *(text for side in sides for text in side.said)]))
    judged = {m.name: _Difference(m, sides, ground.suite, margin) for m in asked if not lacking[m.name]}
    for index, one in enumerate(ground.cut.slices):
        for v, text in enumerate(one.values):
            for metric in asked:
                names = {"slice": one.name, "value": text if one.name else None}
                missing = lacking[metric.name]
                each = _unavailable(missing) if missing else judged[metric.name].at(index, v)
                each.row.update(key | names | {"metric": metric.name})
                if each.row["status"] != SUPPRESSED:
                    each.row["warning"] = "; ".join([*filter(None, [each.row["warning"]]), *said]) or None
                yield each


def _unavailable(lacking: list[str]) -> Compared:
    row = dict.fromkeys(("estimate", "low", "high", "p", "p_adjusted"), np.nan)
    why = f"unavailable: no output for it of {' and '.join(dict.fromkeys(lacking))}"
    return Compared({**row, "status": INSUFFICIENT, "warning": why}, np.nan, np.nan, given=False)


class _Side:
    """One of the two cells, summed."""

    def __init__(self, cell: Cell, ground: Ground) -> None:
        self.cell, self.ground = cell, ground
        self.rows = read_cell(cell, ground.metrics)
        self.sums = Sums(self.rows, ground.cut.strata, ground.suite.missing_constant)
        self.withheld = ground.withheld(self.rows)
        self.said = cell_notes(self.rows)

    def sheets(self, metric: Metric) -> list[Sheet]:
        ground = self.ground
        return sheets(metric, self.sums, ground.cut.slices, self.withheld, ground.targets, ground.suite)


class _Difference:
    """One metric of both cells over every slice."""

    def __init__(self, metric: Metric, sides: list[_Side], suite: Suite, margin: float | None) -> None:
        self.metric, self.suite, self.margin = metric, suite, margin
        self.new, self.old = (side.sheets(metric) for side in sides)
        self.tests: list[Test] = []
        self.apart: list[Ints] = []
        self.names = sides[0].cell.targets.table["target"]
        self.differing: list[tuple[Floats, Floats]] = []
        self.unlike = unlike(metric, sides[0].sums, sides[1].sums)
        for mine, other in zip(self.new, self.old, strict=True):
            found = [named(metric, s.sums, sheet.one) for s, sheet in zip(sides, (mine, other), strict=True)]
            self.tests.append(t_test(paired(*found), suite.level))
            if margin is not None:
                self.differing.append(differing(metric, sides[0].sums, sides[1].sums, mine.one))
            self.apart.append(mine.one.of_stratum[sides[0].sums.strata.of_row[self.unlike.rows]])

    def at(self, index: int, v: int) -> Compared:
        """The comparison of value v of a slice; a value that either cell withholds has no number."""
        new, old, test = self.new[index], self.old[index], self.tests[index]
        if new.hidden[v] or old.hidden[v]:
            return Compared({"status": SUPPRESSED, "warning": WITHHELD}, np.nan, np.nan)
        enough = bool(new.enough[v] and old.enough[v])
        apart = self.unlike.told(self.unlike.rows[self.apart[index] == v], self.names)
        critical = stdtrit(test.df[v : v + 1], (1 + self.suite.level) / 2)
        row = {
            **{name: float(getattr(test, name)[v]) for name in ("estimate", "low", "high", "df", "p")},
            "level": self.suite.level, "side": None if test.reason[v] else "two-sided",
            "method": None if test.reason[v] else f"paired {self._method} t",
            "n": int(min(new.inference.n[v], old.inference.n[v])),
            "clusters": int(min(new.inference.clusters[v], old.inference.clusters[v])),
            "clips": int(new.one.clips[v]),
            "sdd80": float(sdd80(test.se[v : v + 1], test.df[v : v + 1], np.asarray(critical))[0]),
            "status": REPORTABLE if enough else INSUFFICIENT,
            "warning": "; ".join(filter(None, [test.reason[v], apart])) or None,
        }  # fmt: skip
        if not enough:
            row["p"] = np.nan  # shown, never compared
        verdicts = self._verdicts(index, v, enough=enough and not apart)
        return Compared(row, float(new.inference.estimate[v]), float(old.inference.estimate[v]), *verdicts)

    @property
    def _method(self) -> str:
        return "linearised" if self.metric.kind == "proportion" else "jackknife"

    def _verdicts(self, index: int, v: int, *, enough: bool) -> tuple[Verdict | None, Verdict | None]:
        """Non-inferiority and equivalence by bounds that each hold at ``level`` on their side.

        Each bound is held against a margin, and has the variance of a truth that lies there.
        """
        test, lower = self.tests[index], self.metric.direction == "lower"
        if self.margin is None or self.metric.direction not in ("higher", "lower"):
            return None, None
        if not enough or not np.isfinite(test.se[v]):
            return "inconclusive", "inconclusive"
        better, worse = (shares[[v]] for shares in self.differing[index][:: -1 if lower else 1])
        difference = -test.estimate[v] if lower else test.estimate[v]
        half = float(stdtrit(test.df[v], self.suite.level)) * test.se[v]
        if_worse = half * np.sqrt(at_margin(better, worse, self.margin)[0])
        if_better = half * np.sqrt(at_margin(worse, better, self.margin)[0])
        shown, refuted = difference - if_worse > -self.margin, difference + if_worse < -self.margin
        return (
            _verdict(shown=shown, refuted=refuted),
            _verdict(
                shown=shown and difference + if_better < self.margin,
                refuted=refuted or difference - if_better > self.margin,
            ),
        )


def _verdict(*, shown: bool, refuted: bool) -> Verdict:
    return "yes" if shown else "no" if refuted else "inconclusive"
