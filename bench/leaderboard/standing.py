"""Standing: how the models of a board stand to one another, pair by pair and as ranks.

The mechanisms are those by which a single run ranks its models (``bench.judge.ranks``): models are paired by
cluster, intervals of all pairs hold at once, and a rank is a range, from 1 + the models found better to all
but those found worse (Mogstad, Romano, Shaikh, Wilhelm 2024, Rev. Econ. Stud. 91). Verdicts, intervals,
adjusted p and ranks rest on the same draws, so that none contradicts another. Doubles and withheld values are
not ranked. Refuses, with the reason, what ranks of a run refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import ndtri, stdtr

from bench.judge.contrasts import METHOD, contrast, pairs
from bench.judge.infer import ROUNDING
from bench.judge.influence import Influence
from bench.judge.joint import Ranks, can_draw, rank_contrasted, rank_drawn, simultaneous, worth
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats
from bench.leaderboard.boards import Board
from bench.leaderboard.judged import REPLICATES, Judged, judge_members
from bench.spec import Suite
from bench.tables import Targets

__all__ = ["Pair", "Rank", "Standing", "Verdict", "stand"]

Verdict = Literal["better", "worse", "not decided"]
_DRAWN = f"cluster bootstrap, {REPLICATES:,} shared draws"
_FEW = "too little data: shown, never compared"


@dataclass(frozen=True)
class Rank:
    """The ranks that a model may truly have, 1 the best: from ``low`` to ``high``, None where unknown.

    Where a value has too little data its pairs decide nothing, so that it stands with all others.
    """

    low: int | None
    high: int | None
    reason: str | None


@dataclass(frozen=True)
class Pair:
    """One model less another, by the metric: ``low`` to ``high`` hold for all pairs at once.

    ``p`` is of this pair alone, ``p_adjusted`` of all ``family`` pairs (single step, max-T); numbers are NaN
    where there are none, and ``reason`` says why.
    """

    first: str
    second: str
    estimate: float
    low: float
    high: float
    p: float
    p_adjusted: float
    verdict: Verdict
    reason: str | None
    family: int


@dataclass(frozen=True)
class Standing:
    """How the models of a board stand by a metric; ``refused`` says why nothing is ranked, or is None.

    ``left_out`` says of each model that is not ranked why; ``enough``: whether every ranked value is
    reportable; ``clusters`` and ``unit``: how many of what were drawn.
    """

    metric: str
    ranks: dict[str, Rank]
    pairs: tuple[Pair, ...]
    left_out: dict[str, str]
    refused: str | None
    method: str | None
    enough: bool = True
    clusters: int = 0


def stand(board: Board, metric: str, targets: Targets) -> Standing:
    """Rank the models of a board under its reference condition and hold every pair against each other."""
    found, left_out = judge_members(board, metric, targets)
    refused = _refusal(found)
    if refused is not None:
        return Standing(metric, {}, (), left_out, refused, None)
    ranks, tested, method = _compare(found, board.suite)
    clusters = int(found[0].sheet.inference.clusters[0])
    enough = all(each.enough for each in found)
    made = _pairs(found, tested)
    return Standing(metric, _ranked(found, ranks, made), made, left_out, None, method, enough, clusters)


def _ranked(found: Sequence[Judged], ranks: Ranks, made: Sequence[Pair]) -> dict[str, Rank]:
    """The ranks by the verdicts of the pairs, so that no rank says more than they do."""
    low = {each.name: 1 for each in found}
    high = {each.name: len(found) for each in found}
    for pair in made:
        if pair.verdict != "not decided":
            ahead, behind = (pair.first, pair.second)[:: 1 if pair.verdict == "better" else -1]
            low[behind] += 1
            high[ahead] -= 1
    return {
        each.name: Rank(
            None if ranks.alone[at] else low[each.name],
            None if ranks.alone[at] else high[each.name],
            ranks.reason[at],
        )
        for at, each in enumerate(found)
    }


def _refusal(found: Sequence[Judged]) -> str | None:
    if len(found) < 2:
        return "fewer than two models have a value"
    if not all(each.whole for each in found):
        return "a model misses rows, which this metric leaves out"
    if len({each.rows for each in found}) > 1:
        return "models are judged on different rows, as by decode errors of one alone"
    return None


@dataclass(frozen=True)
class _Tested:
    """The differences of all pairs, (K,) each, first less second."""

    estimate: Floats
    low: Floats
    high: Floats
    p: Floats
    p_adjusted: Floats
    reason: tuple[str | None, ...]
    direction: str


def _compare(found: Sequence[Judged], suite: Suite) -> tuple[Ranks, _Tested, str]:
    """Ranks and pairs by the mechanism that ranks of a run would have."""
    metric = found[0].sheet.metric
    abreast = _abreast([each.influence for each in found])
    drawn = [each.replicates for each in found if each.replicates is not None]
    clusters = worth(abreast)
    if len(drawn) == len(found) and can_draw(np.stack(drawn, axis=1), clusters):
        replicates = np.stack(drawn, axis=1)
        ranks = rank_drawn(metric, abreast.estimate, replicates, clusters, suite.level)
        return ranks, _test_drawn(metric, abreast.estimate, replicates, clusters, suite.level), _DRAWN
    ranks = rank_contrasted(metric, abreast, suite.level, suite.seed, suite.draws)
    weights, _ = pairs(np.ones(len(found), np.bool_))
    made = contrast(abreast, weights, suite.level, suite.seed, suite.draws)
    tested = _Tested(
        made.estimate, made.low, made.high, made.p, made.p_adjusted, made.reason, metric.direction
    )
    return ranks, tested, METHOD


def _abreast(found: Sequence[Influence]) -> Influence:
    first = found[0]
    pull = np.concatenate([each.pull for each in found], axis=1)
    estimate = np.concatenate([each.estimate for each in found])
    clusters = np.concatenate([each.clusters for each in found])
    return replace(first, estimate=estimate, pull=pull, clusters=clusters)


def _test_drawn(
    metric: Metric, estimate: Floats, replicates: Floats, clusters: Floats, level: float
) -> _Tested:
    """Simultaneous intervals of all pairs, and the p that belong to them.

    A pair's p is the share of replicates whose own deviation is as large, in standard errors brought to
    normal tails as ``simultaneous`` does; the adjusted one that of replicates whose largest deviation over
    all pairs is: at most 1 - level exactly where the interval leaves out 0 (Romano, Wolf 2005, Econometrica
    73, single step).
    """
    first, second = np.triu_indices(len(estimate), 1)
    apart = estimate[first] - estimate[second]
    drawn = replicates[:, first] - replicates[:, second]
    held = simultaneous(apart, drawn, clusters, level)
    known: Bools = ~np.isnan(held.low)
    p, adjusted = np.full((2, len(apart)), np.nan)
    if known.any():
        spread = np.nanstd(drawn[:, known], axis=0, ddof=1)
        off = abs(drawn[:, known] - apart[known]) / spread
        off = np.where(np.isnan(off), -1.0, off)
        highest = off.max(axis=1)
        highest = highest[highest >= 0]
        t = abs(apart[known]) / held.se[known]
        reached = -ndtri(stdtr(clusters[known] - 1, -t))
        counted = (off >= 0).sum(axis=0)
        p[known] = (1 + (off >= reached).sum(axis=0)) / (1 + counted)
        adjusted[known] = (1 + (highest[:, None] >= reached).sum(axis=0)) / (1 + len(highest))
    return _Tested(apart, held.low, held.high, p, adjusted, held.reason, metric.direction)


def _pairs(found: Sequence[Judged], tested: _Tested) -> tuple[Pair, ...]:
    first, second = np.triu_indices(len(found), 1)
    made = []
    for k, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        one, other = found[a], found[b]
        few = not (one.enough and other.enough)
        reason = "; ".join(filter(None, [tested.reason[k], _FEW if few else None])) or None
        apart = float(tested.estimate[k])
        made.append(
            Pair(
                one.name, other.name, 0.0 if abs(apart) < ROUNDING else apart, float(tested.low[k]),
                float(tested.high[k]), float(tested.p[k]), float(tested.p_adjusted[k]),
                "not decided" if few else _verdict(tested, k), reason, len(first),
            )
        )  # fmt: skip
    return tuple(made)


def _verdict(tested: _Tested, k: int) -> Verdict:
    if not (tested.low[k] > 0 or tested.high[k] < 0):
        return "not decided"
    return "better" if (tested.low[k] > 0) == (tested.direction == "higher") else "worse"
