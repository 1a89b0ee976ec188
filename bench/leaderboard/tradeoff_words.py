"""Cells of gaps, losses and costs."""

from __future__ import annotations

import math

from bench.leaderboard.cost import Cost
from bench.leaderboard.tradeoff import Gap, Tradeoff
from bench.leaderboard.words import ABSENT, NOTHING
from bench.report import format as fmt
from bench.report.differences import over
from bench.report.records import Place
from bench.report.results import Row
from bench.report.site import Datum
from bench.report.table import words

__all__ = ["cost_datum", "gap_datum", "gap_ends", "mean_datum", "worst_datum"]

_UNDECIDED = (
    "undecided: chance alone could make such a gap (adjusted p over all gaps of its run); that shows no "
    "equality"
)


def gap_datum(side: Tradeoff | None) -> Datum:
    """The largest gap with the interval of its widest pair; "undecided" where chance explains it."""
    if side is None or side.gap is None:
        return NOTHING
    gap = side.gap
    ends = gap_ends(gap)
    held = "" if ends is None else f" [{fmt.number(ends[0])}, {fmt.number(ends[1])}]"
    decided = "" if gap.decided else "undecided: "
    text = f"{decided}{fmt.number(gap.row['estimate'])}{held} {over(gap.row)}"
    return Datum(text, "text measure", float(gap.row["estimate"]), note="" if gap.decided else _UNDECIDED)


def gap_ends(gap: Gap) -> tuple[float, float] | None:
    """The simultaneous interval of the widest pair, the larger value first; None where there is none."""
    row = gap.widest
    if row is None or row["low"] is None:
        return None
    low, high = float(row["low"]), float(row["high"])
    return (low, high) if row["estimate"] >= 0 else (-high, -low)


def worst_datum(side: Tradeoff | None) -> Datum:
    """The worst of the conditions that all models share, with its interval, and those that take as much."""
    if side is None or side.degraded is None:
        return NOTHING
    row = side.degraded.worst
    note = "" if side.degraded.at_once else (
        "the interval is of this condition alone, which is the largest of several: the run has other "
        "conditions, too"
    )  # fmt: skip
    others = "; ".join(map(_place, side.degraded.as_much))
    tied = f" (as much by {others})" if others else ""
    return Datum(
        f"{fmt.estimate(row)} {_place(row)}{tied}", "text measure", float(row["estimate"]), note=note
    )


def mean_datum(side: Tradeoff) -> Datum:
    """The mean over the conditions that all models share, without an interval."""
    if side.degraded is None:
        return ABSENT
    if side.degraded.mean is None:
        return Datum(fmt.UNDEFINED, "undefined")
    return Datum(fmt.number(side.degraded.mean), key=side.degraded.mean)


def cost_datum(cost: Cost) -> Datum:
    """Milliseconds a clip, how they were taken and on what, or a dash with the reason."""
    if cost.seconds is None:
        return Datum(fmt.DASH, "text absent", note=f"no cost: {cost.reason}" if cost.reason else "")
    held = "" if math.isnan(cost.low) else f" [{_milli(cost.low)}, {_milli(cost.high)}]"
    text = f"{_milli(cost.seconds)}{held} ms, {cost.how}, {cost.hardware}"
    return Datum(text, "text measure", cost.seconds)


def _milli(seconds: float) -> str:
    return f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:.0f}"


def _place(row: Row) -> str:
    return words(Place(row["condition"], row["where"] or "", row["severity"] or 0))
