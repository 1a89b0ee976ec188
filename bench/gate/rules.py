"""The rules of a gate that the run's own Estimates decide: bounds, gaps and what conditions cost.

A bound on a share of rows near 0 or 1 needs as many clusters as a slice that is reportable, but not as many
successes and failures: its interval is Clopper's and Pearson's, and a coverage of 1 could pass no gate else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.gate.decidable import metric_of
from bench.gate.gaps import gaps
from bench.gate.ground import Ground, Held, Row, kind_of, number
from bench.judge.gates import Verdict, above, below, clusters_to_settle

if TYPE_CHECKING:
    from bench.policy import Rule

__all__ = ["decide", "decide_pair"]


def decide(ground: Ground, rule: Rule) -> Iterator[Held]:
    """What a rule is held against, and the verdict of each number."""
    if rule.gap_at_most is not None:
        yield from gaps(ground, rule)
        return
    what, bound = rule.requirement
    for row in ground.chosen(rule, kind_of(rule)):
        low, high = number(row["low"]), number(row["high"])
        verdict = above(low, high, bound) if what == "at_least" else below(low, high, bound)
        exact = row["kind"] == "value" and row["method"] == "clopper-pearson-clustered"
        held = ground.held(row, verdict, exact=exact)
        if held.verdict == "inconclusive" and held.why is None:
            held = replace(held, settle=_settle(row, bound))
        yield held


def _settle(row: Row, bound: float) -> int | None:
    """How many clusters would bring the end of an interval that reaches over a bound back to it."""
    end = row["low"] if row["estimate"] > bound else row["high"]
    return clusters_to_settle(row["estimate"], end, bound, row["clusters"])


def decide_pair(ground: Ground, rule: Rule, row: Row, verdict: Verdict) -> Held:
    """The verdict on a difference from a baseline, new - old."""
    held = ground.held(row, verdict)
    if held.verdict == "inconclusive" and held.why is None:
        margin = rule.requirement[1]
        bound = -margin if metric_of(rule.metric).direction == "higher" else margin
        held = replace(held, settle=_settle(row, bound))
    return held
