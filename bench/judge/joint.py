"""Joint statements: intervals of many values at once, and ranks of models.

Two mechanisms. Replicates that share draws (``bench.judge.bootstrap``) take any function of replicates; in
simulations of ranks (docs/calibration.md) they do as they should from six clusters on. Contrasts
(``bench.judge.contrasts``) are for what cannot be drawn: very many clusters, and classes so rare that
replicates lose them. Refuses replicates of clusters that are worth fewer than 2 of equal size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from bench.judge.bootstrap import refusals
from bench.judge.contrasts import contrast, pairs
from bench.judge.infer import ROUNDING, freedom
from bench.judge.influence import Influence
from bench.judge.metrics import Metric
from bench.judge.rows import Floats, Ints

__all__ = ["Ranks", "Simultaneous", "can_draw", "rank_contrasted", "rank_drawn", "simultaneous", "worth"]

_FEWEST = 2


@dataclass(frozen=True)
class Simultaneous:
    """Intervals that hold for all K values at once: arrays (K,), NaN where there is none.

    ``critical`` how many standard errors they reach to either side; ``reason`` why a value has none, or None.
    """

    estimate: Floats
    se: Floats
    low: Floats
    high: Floats
    critical: Floats
    reason: tuple[str | None, ...]


@dataclass(frozen=True)
class Ranks:
    """Ranks of M models, 1 the best and ties the better one: ``rank`` (M,), and ``low`` to ``high`` (M,).

    The ranges hold for all models at once. ``reason`` (M,) why a model could not be held against some other,
    which leaves the range as wide as if they were alike, or None; ``alone`` (M,) whether it could be held
    against none, so that its range says nothing.
    """

    rank: Ints
    low: Ints
    high: Ints
    alone: tuple[bool, ...]
    reason: tuple[str | None, ...]


def simultaneous(estimate: Floats, replicates: Floats, clusters: Floats, level: float) -> Simultaneous:
    """Intervals estimate -+ c se of values (K,) with replicates (B, K) from shared draws.

    se is sqrt(G / (G - 1)) times the standard deviation of the replicates, and c the ``level`` quantile of
    max_k |replicate - estimate| / sd (max-T; Romano, Wolf 2005, Econometrica 73), the replicate's maximum
    being over the values that it has, brought from normal tails to those of t with G - 1 degrees of freedom:
    replicates are too narrow by both (Hesterberg 2015, American Statistician 69). ``clusters`` (K,) is G, how
    many equal ones the clusters are worth (``worth``).
    """
    reason = np.array(refusals(replicates, clusters, _FEWEST), object)
    drawn = (~np.isnan(replicates)).sum(axis=0) > 1
    spread = np.full(len(estimate), np.nan)
    spread[drawn] = np.nanstd(replicates[:, drawn], axis=0, ddof=1)
    reason[spread < ROUNDING] = "no interval: the value is the same in every replicate"
    reason[np.isnan(estimate)] = "undefined"
    known = np.array([why is None for why in reason], np.bool_)
    se, critical = np.full(len(estimate), np.nan), np.full(len(estimate), np.nan)
    if known.any():
        size = np.asarray(clusters, np.float64)[known]
        apart = abs(replicates[:, known] - estimate[known]) / spread[known]
        highest = np.sort(np.where(np.isnan(apart), -1.0, apart).max(axis=1))
        highest = highest[highest >= 0]
        rank = int(np.ceil(level * (1 + len(highest)) - ROUNDING * len(highest)))
        critical[known] = -stdtrit(size - 1, ndtr(-highest[min(rank, len(highest)) - 1]))
        se[known] = spread[known] * np.sqrt(size / (size - 1))
    half = critical * se
    return Simultaneous(estimate, se, estimate - half, estimate + half, critical, tuple(reason))


def worth(found: Influence) -> Floats:
    """How many equal clusters those of models are worth for the difference of every pair, (K,).

    1 + the degrees of freedom of its variance (``infer.freedom``): fewer than there are where a few clusters,
    large ones or those in which models differ, make most of it, and never below 2.
    """
    first, second = _pairs(len(found.estimate))
    apart = found.pull[:, first] - found.pull[:, second]
    squares, fourths = (found.multiplicity @ apart**k for k in (2, 4))
    clusters = np.full(len(first), float(found.multiplicity.sum()))
    return 1 + np.maximum(freedom(squares, fourths, clusters), 1.0)


def can_draw(replicates: Floats, clusters: Floats) -> bool:
    """Whether replicates (B, M) of models tell of the difference of every pair, of ``clusters`` (K,)."""
    first, second = _pairs(replicates.shape[1])
    reason = refusals(replicates[:, first] - replicates[:, second], clusters, _FEWEST)
    return all(why is None for why in reason)


def rank_drawn(metric: Metric, estimate: Floats, replicates: Floats, clusters: Floats, level: float) -> Ranks:
    """Rank models by one metric: values (M,) and replicates (B, M) on the same targets, the same draws.

    From 1 + the models surely better to M - the models surely worse: those whose difference has a
    simultaneous interval, over all pairs, without 0 (Mogstad, Romano, Shaikh, Wilhelm 2024, Rev. Econ. Stud.
    91). ``clusters`` (K,) of the pairs as in ``simultaneous``. ValueError for a metric that says no model is
    better, or of signed errors.
    """
    first, second = _pairs(len(estimate))
    found = simultaneous(
        estimate[first] - estimate[second],
        replicates[:, first] - replicates[:, second],
        clusters,
        level,
    )
    return _rank(metric, estimate, found.low, found.high, found.reason)


def rank_contrasted(metric: Metric, found: Influence, level: float, seed: int, draws: int) -> Ranks:
    """Rank models by one metric, each a value of ``found``, whose clusters are the same: as ``rank_drawn``.

    The intervals of the differences are those of ``contrast``, whatever the number of clusters.
    """
    weights, _ = pairs(np.ones(len(found.estimate), np.bool_))
    tested = contrast(found, weights, level, seed, draws)
    return _rank(metric, found.estimate, tested.low, tested.high, tested.reason)


def _rank(metric: Metric, estimate: Floats, low: Floats, high: Floats, reason: Sequence[str | None]) -> Ranks:
    """Ranks from the intervals (K,) of all pairs."""
    if metric.direction not in ("higher", "lower"):
        raise ValueError(f"{metric.name} ranks nothing: neither more nor less of it is better")
    models, (first, second) = len(estimate), _pairs(len(estimate))
    score = np.where(np.isnan(estimate), -np.inf, estimate if metric.direction == "higher" else -estimate)
    better, worse = (low > 0, high < 0) if metric.direction == "higher" else (high < 0, low > 0)
    ahead = np.bincount(second[better], minlength=models) + np.bincount(first[worse], minlength=models)
    behind = np.bincount(first[better], minlength=models) + np.bincount(second[worse], minlength=models)
    mine = [[why for m, n, why in zip(first, second, reason, strict=True) if model in (m, n)]
            for model in range(models)]  # fmt: skip
    return Ranks(
        # Apart by rounding is not apart.
        1 + (score > score[:, None] + ROUNDING).sum(axis=1),
        1 + ahead,
        models - behind,
        tuple(all(each) for each in mine),
        tuple("; ".join(dict.fromkeys(filter(None, each))) or None for each in mine),
    )


def _pairs(models: int) -> tuple[Ints, Ints]:
    """The first and the second of every pair, in the order of ``contrasts.pairs``."""
    return np.triu_indices(models, 1)
