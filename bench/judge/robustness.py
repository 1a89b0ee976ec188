"""Robustness: what conditions do to a model, paired with clean media, as rows of Estimates of six kinds.

``degradation`` is clean minus condition (condition minus clean where lower is better), so that more is worse;
with a null severity it is the mean over the severities that the suite lists. ``degradation_contrast`` is how
much more one value of a slice degrades than its ``reference``, simultaneous over all pairs. ``stability`` is
the share of decisions that are as on clean media, *none* being one of them, and, as ``severity_flips``, of
those that change from one severity to the next. ``area`` is the mean height of the metric along severity,
clean being 0. ``worst``, ``mce`` and ``relative_mce`` are of all conditions together
(``bench.judge.corruption``).

Memory holds what each cluster adds to each value (for rows that are their own clusters 8 bytes x rows x
values x metrics) of the clean cell and the severities of one condition at a time, never predictions. Refuses
nothing: what degrades is decided in ``bench.judge.degradation``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.judge.corruption import Cost, mean_corruption_errors, worst
from bench.judge.degradation import CLEAN, Observed, areas, degradations, flips, stability
from bench.judge.multiplicity import benjamini_hochberg
from bench.judge.paired import weighed
from bench.spec import Suite

__all__ = ["Robustness"]

Row = dict[str, Any]


@dataclass
class _Kept:
    """What is kept of one model on one data set while its conditions come in."""

    clean: Observed | None = None
    waiting: list[Observed] = field(default_factory=list)
    seen: dict[tuple[str, str | None], list[Observed]] = field(default_factory=dict)
    done: set[tuple[str, str | None]] = field(default_factory=set)


class Robustness:
    """Takes the cells of a run one by one, in any order, and gives the rows of all.

    A cell waits for the clean one of its model and data set; in the order of a run none has to. Every cell is
    clean or of a condition and severity of the suite, and comes once.
    """

    def __init__(self, suite: Suite) -> None:
        self._suite = suite
        self._rows: list[Row] = []
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._costs: list[Cost] = []

    def add(self, cell: Observed) -> None:
        """Pair a cell with the clean one of its model and data set, or keep it until that comes.

        ValueError for a condition or severity that the suite does not have.
        """
        clean, severity = cell.key["condition"] == CLEAN, cell.key["severity"]
        if not clean and severity not in self._severities(cell.place):
            raise ValueError(f"the suite has no {cell.place[0]} at severity {severity} on {cell.place[1]}")
        kept = self._kept.setdefault((cell.key["model"], cell.key["dataset"]), _Kept())
        if clean:
            kept.clean = cell
        else:
            kept.waiting.append(cell)
        if kept.clean is not None:
            waiting, kept.waiting = kept.waiting, []
            for each in waiting:
                self._pair(kept, kept.clean, each)
            if len(kept.done) == len(self._suite.conditions):
                kept.clean = None

    def _severities(self, place: tuple[str, str | None]) -> tuple[int, ...]:
        """The severities of the condition that acts there, where none is said on whatever the media are."""
        name, where = place
        asked = (c for c in self._suite.conditions if c.perturb == name and c.where in (None, where))
        return next((c.severities for c in asked), ())

    def finish(self) -> list[Row]:
        """All rows, with what follows from all conditions together."""
        rows = [*self._rows, *worst(self._rows, self._suite.level)]
        if self._suite.reference is not None:
            rows += mean_corruption_errors(self._costs, self._suite.reference, self._suite.level)
        _adjust(rows)
        return rows

    def _pair(self, kept: _Kept, clean: Observed, cell: Observed) -> None:
        self._rows += degradations(cell.key, clean, [cell], self._suite)
        self._rows += stability(clean, cell, self._suite)
        seen = kept.seen.setdefault(cell.place, [])
        seen.append(cell)
        if {one.key["severity"] for one in seen} != set(self._severities(cell.place)):
            return
        seen.sort(key=lambda one: int(one.key["severity"]))
        key = {**cell.key, "severity": None}
        self._rows += degradations(key, clean, seen, self._suite)
        self._rows += areas(key, clean, seen, self._suite)
        self._rows += flips(seen, self._suite)
        if "accuracy" in clean.influence and all("accuracy" in one.influence for one in seen):
            parts = tuple(one.influence["accuracy"][0] for one in (clean, *seen))
            mean = np.full(len(seen), 1 / len(seen))
            self._costs.append(Cost(key, weighed(parts[1:], mean), weighed(parts, np.array([1.0, *-mean]))))
        kept.done.add(cell.place)
        del kept.seen[cell.place]


def _adjust(rows: list[Row]) -> None:
    """Write the false discovery rate of each degradation into ``p_adjusted``, over all of a model."""
    tests = [row for row in rows if row["kind"] == "degradation" and row.get("p", np.nan) >= 0]
    for model in dict.fromkeys(row["model"] for row in tests):
        mine = [row for row in tests if row["model"] == model]
        for row, q in zip(mine, benjamini_hochberg(np.array([row["p"] for row in mine])), strict=True):
            row["p_adjusted"], row["family"] = float(q), f"{len(mine)} degradations of {model}"
