"""Corruption: all conditions of a model together, the worst of them and its errors against a reference model.

Degradations are over all rows, at every severity; errors are 1 - accuracy, averaged over the severities of a
condition. Intervals of ratios are linearised, and paired: both models saw the same targets. Refuses a ratio
to a reference model that makes no errors or does not degrade.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from bench.judge.infer import ROUNDING
from bench.judge.influence import Influence
from bench.judge.paired import t_test, weighed
from bench.judge.status import INSUFFICIENT, REPORTABLE

__all__ = ["ALL", "Cost", "mean_corruption_errors", "worst"]

ALL = "all"
"""The condition of rows that are of all conditions together."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Cost:
    """What one condition costs a model over all rows, averaged over its severities.

    ``key`` are the columns that name the cell; ``accuracy`` under the condition; ``lost`` what clean accuracy
    is above it.
    """

    key: Row
    accuracy: Influence
    lost: Influence

    @property
    def place(self) -> tuple[str, str]:
        """The condition without its severity."""
        return self.key["condition"], self.key["where"] or ""


def worst(rows: Sequence[Row], level: float) -> list[Row]:
    """The largest degradation over all rows of each model, data set and metric, of kind ``worst``.

    The largest of many is large by chance, too: its interval and p hold for all of them at once (Bonferroni).
    """
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row["kind"] == "degradation" and row["slice"] is None and row["severity"] is not None:
            found.setdefault((row["model"], row["dataset"], row["metric"]), []).append(row)
    return [_worst(several, level) for several in found.values()]


def _worst(rows: Sequence[Row], level: float) -> Row:
    known = [row for row in rows if row["estimate"] == row["estimate"]]
    if not known:
        return {**rows[0], "kind": "worst", "condition": ALL, "where": None, "severity": None}
    most, count = max(known, key=lambda row: float(row["estimate"])), len(known)
    half = (most["high"] - most["estimate"]) / stdtrit(most["df"], (1 + level) / 2)
    half *= stdtrit(most["df"], 1 - (1 - level) / 2 / count)
    return {
        **most, "kind": "worst", "method": f"{most['method']}, Bonferroni",
        "low": float(most["estimate"] - half), "high": float(most["estimate"] + half),
        "p_adjusted": float(np.minimum(1.0, count * most["p"])),
        "family": f"{count} conditions and severities",
    }  # fmt: skip


def mean_corruption_errors(costs: Sequence[Cost], reference: str, level: float) -> list[Row]:
    """Errors over those of the reference model, of kind ``mce`` and ``relative_mce``, metric accuracy.

    CE_c = sum_s E_sc / sum_s E^ref_sc, E = 1 - accuracy; relative with E_sc - E_clean on both sides; of the
    condition ``all`` their mean over conditions, mCE and relative mCE. The reference model itself has 1.
    Source: Hendrycks, Dietterich 2019, arXiv 1903.12261.
    """
    of: dict[tuple[str, str], dict[tuple[str, str], Cost]] = {}
    for cost in costs:
        of.setdefault((cost.key["dataset"], cost.key["model"]), {})[cost.place] = cost
    found: list[Row] = []
    for (dataset, _), mine in of.items():
        theirs = of.get((dataset, reference), {})
        parts = [[cost] for cost in mine.values()] + [list(mine.values())]
        for number, part in enumerate(parts):
            key = dict(part[0].key) | {"severity": None, "slice": None, "value": None, "metric": "accuracy"}
            key |= {"reference": reference, "role": "exploratory", "level": level, "side": "two-sided"}
            if number == len(mine):
                key |= {"condition": ALL, "where": None}
            others = [theirs.get(cost.place) for cost in part]
            found += [{**key, **row} for row in _against(part, others, level)]
    return found


def _against(mine: Sequence[Cost], theirs: Sequence[Cost | None], level: float) -> Iterator[Row]:
    both = [(cost, other) for cost, other in zip(mine, theirs, strict=True) if other is not None]
    for kind in ("mce", "relative_mce"):
        if len(both) < len(mine):
            yield _refused(kind, "undefined: the reference model was not run under every condition here")
            continue
        sides = [[_cost(kind, cost) for cost in pair] for pair in both]
        flat = [other.place[0] for (_, other), (_, below) in zip(both, sides, strict=True)
                if not below.estimate[0] > ROUNDING]  # fmt: skip
        if flat:
            verb = "makes no errors" if kind == "mce" else "does not degrade"
            yield _refused(kind, f"undefined: the reference model {verb} under {', '.join(flat)}")
            continue
        found = _mean_ratio(sides)
        tested = t_test(found, level)
        unsure = [other.place[0] for (_, other), (_, below) in zip(both, sides, strict=True)
                  if not t_test(below, level).low[0] > 0]  # fmt: skip
        notes = (
            [f"unstable: that the reference model errs is not sure under {', '.join(unsure)}"]
            if unsure
            else []
        )
        numbers = {name: float(getattr(tested, name)[0]) for name in ("estimate", "low", "high", "df")}
        yield {
            **numbers, "kind": kind, "clusters": int(found.clusters[0]),
            "method": "paired linearised ratio t",
            "status": REPORTABLE, "warning": "; ".join(filter(None, [tested.reason[0], *notes])) or None,
        }  # fmt: skip


def _cost(kind: str, cost: Cost) -> Influence:
    if kind == "relative_mce":
        return cost.lost
    return replace(cost.accuracy, estimate=1 - cost.accuracy.estimate, pull=-cost.accuracy.pull)


def _mean_ratio(sides: Sequence[Sequence[Influence]]) -> Influence:
    """The mean over conditions of above / below: d(a / b) = (da - (a / b) db) / b."""
    ratios = [float(above.estimate[0] / below.estimate[0]) for above, below in sides]
    weights = [
        weight / below.estimate[0] / len(sides)
        for ratio, (_, below) in zip(ratios, sides, strict=True)
        for weight in (1.0, -ratio)
    ]
    found = weighed(tuple(part for pair in sides for part in pair), np.array(weights))
    return replace(found, estimate=np.array([np.mean(ratios)]))


def _refused(kind: str, why: str) -> Row:
    return {"kind": kind, "estimate": np.nan, "status": INSUFFICIENT, "warning": why}
