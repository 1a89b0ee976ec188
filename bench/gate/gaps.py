"""The rule on gaps: every pair of values of a slice must be known to lie within the largest gap allowed.

Where values are of different people, a pair's limits are made of the two values' own (``bench.judge.gates``).
Where the same people are in several values, these go together, and the simultaneous interval of the pair,
which knows of that, decides alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.gate.decidable import metric_of
from bench.gate.ground import Ground, Held, Row, number, place_of
from bench.judge.gates import Intervals, Verdict, clusters_to_settle, differences, one_sided

if TYPE_CHECKING:
    from bench.policy import Rule
    from bench.report.records import Place

__all__ = ["gaps"]

_COLUMNS = ("estimate", "low", "high", "df", "n_eff")


def gaps(ground: Ground, rule: Rule) -> Iterator[Held]:
    """Under each condition, every pair of values against the largest gap; the pair that decides is held."""
    rows = ground.chosen(rule, "value")
    for place in dict.fromkeys((row["dataset"], place_of(row)) for row in rows):
        here = [row for row in rows if (row["dataset"], place_of(row)) == place]
        held = [ground.held(row, "pass") for row in here]
        yield from (each for each in held if each.why is not None)
        known = [each.row for each in held if each.why is None]
        tested = _contrasts(ground, rule, place, {row["value"] for row in known})
        # What is in no contrast is no group: rows of which the attribute is not known.
        named = {name for row in tested for name in (row["value"], row["reference"])}
        known = [row for row in known if row["value"] in named]
        if len(known) < 2:
            yield Held(
                {**here[0], "kind": "gap", "value": None}, "inconclusive", "no two values can be compared"
            )
            continue
        own = [] if ground.shares_clusters(here) else _pairs(ground, rule, known)
        yield _decided(rule, known, own or tested, tested)


def _contrasts(ground: Ground, rule: Rule, place: tuple[str, Place], names: set[str]) -> list[Row]:
    """The contrasts of pairs of these values under one condition."""
    rows = [row for row in ground.chosen(rule, "contrast") if (row["dataset"], place_of(row)) == place]
    return [row for row in rows if {row["value"], row["reference"]} <= names]


def _pairs(ground: Ground, rule: Rule, rows: Sequence[Row]) -> list[Row]:
    """Every pair as a contrast, with the limits of its difference that each hold on one side."""
    level = ground.results.suite.level
    columns = {name: np.array([number(row[name]) for row in rows]) for name in _COLUMNS}
    found = Intervals(**columns, level=rows[0]["level"])
    limits = differences(found.estimate, *one_sided(metric_of(rule.metric).kind, found, level))
    firsts, seconds = ([rows[int(i)] for i in index] for index in np.triu_indices(len(rows), 1))
    return [
        {
            **one,
            "kind": "contrast", "reference": other["value"], "level": 2 * level - 1,
            "estimate": one["estimate"] - other["estimate"], "low": float(low), "high": float(high),
            "method": "MOVER", "n": None, "clusters": None, "n_eff": None, "df": None,
        }
        for one, other, low, high in zip(firsts, seconds, *limits, strict=True)
    ]  # fmt: skip


def _decided(rule: Rule, rows: Sequence[Row], pairs: Sequence[Row], tested: Sequence[Row]) -> Held:
    """The pair that decides: the widest known to be too wide, else that whose limits reach furthest."""
    limit, count = rule.requirement[1], len(rows) * (len(rows) - 1) // 2
    beyond = [row for row in tested if number(row["low"]) > limit or number(row["high"]) < -limit]
    if beyond:
        return Held(max(beyond, key=lambda row: abs(row["estimate"])), "fail")
    known = [row for row in pairs if np.isfinite([number(row["low"]), number(row["high"])]).all()]
    if len(known) < count:
        return Held(
            {**rows[0], "kind": "gap", "value": None}, "inconclusive", "a pair of values has no interval"
        )
    shown = max(known, key=_reach)
    verdict: Verdict = "pass" if _reach(shown) < limit else "inconclusive"
    if verdict == "pass":
        return Held(shown, verdict)
    size, half = abs(shown["estimate"]), (shown["high"] - shown["low"]) / 2
    end = _reach(shown) if size < limit else size - half
    both = {row["value"]: row["clusters"] for row in rows}
    clusters = both[shown["value"]] + both[shown["reference"]]
    settle = clusters_to_settle(size, end, limit, clusters)
    # One side's limit may clear the gap that the simultaneous interval of all pairs does not.
    return Held(shown, verdict, settle=settle if settle is not None and settle > clusters else None)


def _reach(row: Row) -> float:
    """How large a difference may be by its limits, whichever way it goes."""
    return float(max(row["high"], -row["low"]))
