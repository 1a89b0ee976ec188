"""Joint statements: intervals of many values at once, and ranks of models, from replicates that share draws.

Differences within a slice have a mechanism of their own (``bench.judge.contrasts``: signs of influences, the
error estimated anew in each replicate, fit for few clusters). This one takes any function of replicates, such
as areas under severity curves and ranks over models, and keeps the error fixed. Refuses what ``bootstrap``
refuses: fewer than 50 clusters, a value that is often undefined.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.judge.bootstrap import refusals
from bench.judge.contrasts import pairs
from bench.judge.metrics import Metric
from bench.judge.rows import Floats, Ints

__all__ = ["Ranks", "Simultaneous", "rank_models", "simultaneous"]

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Simultaneous:
    """Intervals that hold for all K values at once: arrays (K,), NaN where there is none.

    ``critical`` how many standard errors they reach to either side, NaN where no value has an interval;
    ``reason`` why a value has none, or None.
    """

    estimate: Floats
    se: Floats
    low: Floats
    high: Floats
    critical: float
    reason: tuple[str | None, ...]


@dataclass(frozen=True)
class Ranks:
    """Ranks of M models, 1 the best and ties the better one: ``rank`` (M,), and ``low`` to ``high`` (M,).

    The ranges hold for all models at once; a model that cannot be compared may have any rank. ``share``
    (M, M) of replicates in which model m has rank r + 1 describes the draws and is no probability of the
    truth: near ties it is not consistent.
    """

    rank: Ints
    low: Ints
    high: Ints
    share: Floats


def simultaneous(estimate: Floats, replicates: Floats, clusters: Ints, level: float) -> Simultaneous:
    """Intervals estimate -+ c se of values (K,) with replicates (B, K) from shared draws.

    se is the standard deviation of the replicates and c the ``level`` quantile of
    max_k |replicate - estimate| / se (max-T; Romano, Wolf 2005, Econometrica 73), the replicate's maximum
    being over the values that it has. ``clusters`` (K,) is the fewest of any value that enters.
    """
    reason = np.array(refusals(replicates, clusters), object)
    drawn = (~np.isnan(replicates)).sum(axis=0) > 1
    se = np.full(len(estimate), np.nan)
    se[drawn] = np.nanstd(replicates[:, drawn], axis=0, ddof=1)
    reason[se < _ROUNDING] = "no bootstrap interval: the value is the same in every replicate"
    reason[np.isnan(estimate)] = "undefined"
    known = np.array([why is None for why in reason], np.bool_)
    low, high, critical = np.full(len(estimate), np.nan), np.full(len(estimate), np.nan), np.nan
    if known.any():
        apart = abs(replicates[:, known] - estimate[known]) / se[known]
        highest = np.sort(np.where(np.isnan(apart), -1.0, apart).max(axis=1))
        highest = highest[highest >= 0]
        rank = int(np.ceil(level * (1 + len(highest)) - _ROUNDING * len(highest)))
        critical = float(highest[min(rank, len(highest)) - 1])
        low[known], high[known] = (estimate[known] + side * critical * se[known] for side in (-1, 1))
    return Simultaneous(estimate, np.where(known, se, np.nan), low, high, critical, tuple(reason))


def rank_models(metric: Metric, estimate: Floats, replicates: Floats, clusters: Ints, level: float) -> Ranks:
    """Rank models by one metric: values (M,) and replicates (B, M) on the same targets, the same draws.

    From 1 + the models surely better to M - the models surely worse: those whose difference has a
    simultaneous interval, over all pairs, without 0 (Mogstad, Romano, Shaikh, Wilhelm 2024, Rev. Econ. Stud.
    91). ``clusters`` (M,). ValueError for a metric that says no model is better, or of signed errors.
    """
    if metric.direction not in ("higher", "lower"):
        raise ValueError(f"{metric.name} ranks nothing: neither more nor less of it is better")
    sign = 1.0 if metric.direction == "higher" else -1.0
    models = len(estimate)
    both = pairs(np.ones(models, np.bool_))[1]
    first, second = (np.array([pair[side] for pair in both], np.int64) for side in (0, 1))
    found = simultaneous(
        sign * (estimate[first] - estimate[second]),
        sign * (replicates[:, first] - replicates[:, second]),
        np.minimum(clusters[first], clusters[second]),
        level,
    )
    better, worse = found.low > 0, found.high < 0
    ahead = np.bincount(second[better], minlength=models) + np.bincount(first[worse], minlength=models)
    behind = np.bincount(first[better], minlength=models) + np.bincount(second[worse], minlength=models)
    drawn = _ranks(sign * replicates)
    share = (drawn[:, :, None] == np.arange(1, models + 1)).mean(axis=0)
    return Ranks(_ranks(sign * estimate[None])[0], 1 + ahead, models - behind, share)


def _ranks(score: Floats) -> Ints:
    """1 + how many in the row are higher, (B, M); an undefined score is below all others."""
    known = np.where(np.isnan(score), -np.inf, score)
    return np.asarray(1 + (known[:, None, :] > known[:, :, None]).sum(axis=-1), np.int64)
