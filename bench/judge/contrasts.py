"""Contrasts: differences between values, with intervals that hold for all of them at once.

One mechanism for every metric, resting on influence alone, so that groups of different clusters and values
that share clusters are one case. How many contrasts there are, and how they hang together, is that of normal
numbers with their covariance (Hothorn, Bretz, Westfall 2008, Biometrical Journal 50); how well each standard
error is known is t on degrees of freedom of its own (Hasler, Hothorn 2008, Biometrical Journal 50). The
interval of a difference is put together from those of its values on their scales (``_reaches``). Refuses a
contrast whose value is undefined, has fewer than five clusters, or does not change without any one cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from bench.judge.atoms import Tally, combine
from bench.judge.infer import FEWEST_CLUSTERS, ROUNDING, freedom
from bench.judge.influence import Influence, influence
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints
from bench.judge.scales import ends

__all__ = ["METHOD", "Contrasts", "against_rest", "contrast", "pairs"]

METHOD = "max-T, t on effective df"
"""How contrasts are told apart from other intervals in a table."""
_ELEMENTS = 1 << 22
_HALVINGS = 60
_USUAL = 3.1  # standard errors, where some thirty simultaneous intervals of 95 % end


@dataclass(frozen=True)
class Contrasts:
    """Differences of values with simultaneous intervals: arrays (K,), NaN where there is none.

    ``p`` is two-sided and of that contrast alone; ``p_adjusted`` holds for all K (single step) and is at most
    1 - level exactly where the interval leaves out 0; ``critical`` is how many se the interval reaches to
    each side, on the scale of the values; ``reason`` why there is no interval.
    """

    estimate: Floats
    se: Floats
    df: Floats
    low: Floats
    high: Floats
    p: Floats
    p_adjusted: Floats
    critical: Floats
    method: str
    reason: tuple[str | None, ...]


def pairs(included: Bools) -> tuple[Floats, list[tuple[int, int]]]:
    """The weights (K, V) of g - h for all pairs g < h of included values, and the pairs.

    >>> pairs(np.array([True, False, True]))
    (array([[ 1.,  0., -1.]]), [(0, 2)])
    """
    codes = [int(code) for code in np.flatnonzero(included)]
    both = [(g, h) for g in codes for h in codes if g < h]
    weights = np.zeros((len(both), len(included)))
    for k, (g, h) in enumerate(both):
        weights[k, g], weights[k, h] = 1.0, -1.0
    return weights, both


def against_rest(metric: Metric, tally: Tally, among: Bools) -> tuple[Influence, Floats]:
    """The influence of 2 V values and the weights (V, 2 V) of group - rest, for ``contrast``.

    Value V + g is the metric over all rows of the other values ``among`` (V,), whatever their status: never
    the mean of these values. Group and rest stay two values, for a small group has few degrees of freedom.
    """
    cluster = np.arange(len(tally.value)) if tally.cluster is None else tally.cluster
    first = combine([cluster])[1]
    estimate, clusters = np.full((2, tally.values), np.nan), np.zeros((2, tally.values), np.int64)
    pull = np.full((len(first), 2, tally.values), np.nan)
    for g in range(tally.values):
        own = tally.value == g
        for side, mask in enumerate((own, ~own & among[tally.value])):
            found = influence(metric, _together(tally, mask, cluster))
            estimate[side, g], clusters[side, g] = found.estimate[0], found.clusters[0]
            if found.cluster is not None and not np.isnan(found.pull).any() and found.clusters[0] > 0:
                pull[:, side, g] = 0.0
                pull[np.searchsorted(cluster[first], found.cluster), side, g] = found.pull[:, 0]
    names = None if tally.cluster is None else cluster[first]
    flat = pull.reshape(len(first), 2 * tally.values)
    times, several = tally.multiplicity[first], clusters.ravel()
    both = Influence(estimate.ravel(), flat, times, several, names, metric.kind)
    return both, np.concatenate([np.eye(tally.values), -np.eye(tally.values)], axis=1)


def contrast(found: Influence, weights: Floats, level: float, seed: int, draws: int = 9_999) -> Contrasts:
    """Simultaneous intervals and p-values of contrasts; a row of ``weights`` (K, V) sums values to one.

    With normal numbers Z_k of the covariance of the contrasts, alpha is the p at which max_k |Z_k| is at its
    ``level`` quantile: at most 1 - level, and equal to it for one contrast alone. The interval of contrast k
    reaches ``critical`` = t_{1 - alpha / 2} on ``df`` standard errors to each side. ``p`` is that of the
    level at which the interval would end at 0; p_adjusted is (1 + #{max |Z| is as unlikely}) / (1 + draws),
    and never below p. The same for any block size.
    """
    se, df = np.sqrt(found.variance(weights)), _freedom(found, weights)
    reason = _refusals(found, weights, se)
    known = np.array([why is None for why in reason], np.bool_)
    estimate = _weigh(weights, found.estimate)
    low, high, critical, p, p_adjusted = np.full((5, len(weights)), np.nan)
    if known.any():
        t, covariance = df[known], found.covariance
        terms = _gather_terms(found, covariance, weights[known])
        alpha, smallest = _joint(covariance, weights[known], level, seed, draws)
        critical[known] = stdtrit(t, 1 - alpha / 2)
        down, up = _reaches(terms, critical[known])
        low[known], high[known] = estimate[known] - down, estimate[known] + up
        p[known] = 2 * stdtr(t, -_until_nought(terms, estimate[known]))
        above = np.searchsorted(smallest, p[known], side="right")
        several = (1 + above) / (1 + draws) if len(smallest) else 0.0
        p_adjusted[known] = np.maximum(several, p[known])
    df = np.where(known, df, np.nan)
    return Contrasts(estimate, se, df, low, high, p, p_adjusted, critical, METHOD, reason)


def _together(tally: Tally, mask: Bools, cluster: Ints) -> Tally:
    """The entries of the mask as one value: what one cluster has of them is added up."""
    row, first = combine([cluster[mask]])
    stats = tally.stats[mask].reshape(len(row), int(np.prod(tally.stats.shape[1:])))
    sums = np.stack([np.bincount(row, column, len(first)) for column in stats.T], axis=-1)
    sums = sums.reshape(len(first), *tally.stats.shape[1:]).astype(tally.stats.dtype)
    value = np.zeros(len(first), np.int64)
    return Tally(sums, value, tally.multiplicity[mask][first], 1, cluster[mask][first])


def _weigh(weights: Floats, values: Floats) -> Floats:
    """Sum values with weights; a value that is not in a contrast does not make it NaN."""
    return np.asarray(np.where(weights != 0, weights * values, 0.0).sum(axis=1))


def _refusals(found: Influence, weights: Floats, se: Floats) -> tuple[str | None, ...]:
    still = np.abs(found.pull).max(axis=0, initial=0.0) < ROUNDING
    reasons = (
        ("undefined: a value is undefined", np.isnan(found.estimate)),
        (f"no interval: a value has fewer than {FEWEST_CLUSTERS} clusters", found.clusters < FEWEST_CLUSTERS),
        ("no interval: without one cluster a value is undefined", np.isnan(found.pull).any(axis=0)),
        ("no interval: a value is the same without any one cluster", still),
    )
    reason = np.full(len(weights), None, object)
    reason[se < ROUNDING] = "no interval: the difference is the same without any one cluster"
    for why, bad in reversed(reasons):
        reason[((weights != 0) & bad).any(axis=1)] = why
    return tuple(reason)


def _freedom(found: Influence, weights: Floats) -> Floats:
    """Degrees of freedom, (K,): Welch-Satterthwaite over sets of clusters that lie in the same values.

    V^2 / sum_p (V_p^2 / df_p), with V_p the sum of squared influences of the n_p clusters of set p and df_p
    at most n_p - 1, less where few clusters make most of V_p (``infer.freedom``). For groups of different,
    equally weighty clusters this is Welch 1947; where every cluster lies in every value it is n - 1. A
    cluster without influence adds no freedom.
    """
    df = np.full(len(weights), np.nan)
    for k, weight in enumerate(weights):
        pull = found.pull[:, weight != 0]
        member = pull != 0
        rows = member.any(axis=1)
        if np.isnan(pull).any() or not rows.any():
            continue
        part = combine([column.astype(np.int64) for column in member[rows].T])[0]
        times, square = found.multiplicity[rows], (pull[rows] @ weight[weight != 0]) ** 2
        size, variance, fourth = (np.bincount(part, times * square**k).astype(np.float64) for k in range(3))
        spread = (variance**2 / np.maximum(freedom(variance, fourth, size), 1)).sum()
        if spread > 0:
            df[k] = max(float(variance.sum() ** 2 / spread), 1.0)
    return df


@dataclass(frozen=True)
class _Terms:
    """What enters each contrast: arrays (K, T), a weight of 0 where it has fewer values than T.

    ``value`` and its ``se``; ``together`` (K, T, T) their correlations, with the sign of both weights.
    """

    kind: str
    weight: Floats
    value: Floats
    se: Floats
    together: Floats


def _gather_terms(found: Influence, covariance: Floats, weights: Floats) -> _Terms:
    most = int((weights != 0).sum(axis=1).max())
    index: Ints = np.argsort(weights == 0, axis=1, kind="stable")[:, :most]
    weight = np.take_along_axis(weights, index, axis=1)
    some = weight != 0
    among = covariance[index[:, :, None], index[:, None, :]]
    value = np.where(some, found.estimate[index], 0.5)
    se = np.where(some, np.sqrt(covariance[index, index]), 1.0)
    sign = np.sign(weight)
    together = np.where(some[:, :, None] & some[:, None, :], among, 0.0)
    together *= (sign / se)[:, :, None] * (sign / se)[:, None, :]
    return _Terms(found.kind, weight, value, se, together)


def _reaches(terms: _Terms, critical: Floats) -> tuple[Floats, Floats]:
    """How far the interval of each contrast reaches down and up, (K,) each.

    Each value has an interval of its own on its scale, and what these reach adds up as errors do: with a_i
    the reach of value i times its weight, sqrt(sum_ij a_i a_j sign_i sign_j r_ij). For two groups of
    different clusters and proportions this is Newcombe 1998 (Statistics in Medicine 17, method 10), in
    general Zou, Huang, Zhang 2009 (Computational Statistics and Data Analysis 53).
    Where errors cancel, as of groups that share clusters, this sum can
    shrink as c grows, and no p would belong to the interval: there each side is c se (1 + v (k - 1)), with k
    how much wider than c se it would be at c = 3.1 if no cluster were shared, and v what is left of the
    variance then; never less than c se. On that alone 8 % of families of thirty groups within persons alarm.
    """
    error, alone = _errors(terms)
    cancel = (np.triu(terms.together, 1) < -ROUNDING).any(axis=(1, 2))
    usual = np.full(len(critical), _USUAL)
    reaches = []
    for side, known in zip(_sides(terms, critical), _sides(terms, usual), strict=True):
        wider = np.sqrt((known**2).sum(axis=1)) / (usual * alone)
        held = critical * error * np.maximum(1 + (error / alone) ** 2 * (wider - 1), 1)
        reaches.append(np.where(cancel, held, _added(side, terms.together)))
    return reaches[0], reaches[1]


def _errors(terms: _Terms) -> tuple[Floats, Floats]:
    """The standard error of each contrast, (K,), and what it would be if no cluster were shared."""
    sizes = terms.se * abs(terms.weight)
    return _added(sizes, terms.together), np.sqrt((sizes**2).sum(axis=1))


def _sides(terms: _Terms, critical: Floats) -> tuple[Floats, Floats]:
    """How far the interval of each value reaches where its contrast goes down and up, (K, T) each."""
    low, high = ends(terms.kind, terms.value, terms.se, critical[:, None])
    below, above = terms.value - low, high - terms.value
    size, positive = abs(terms.weight), terms.weight > 0
    return np.where(positive, below, above) * size, np.where(positive, above, below) * size


def _added(reach: Floats, together: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(np.einsum("ki,kij,kj->k", reach, together, reach), 0.0)))


def _until_nought(terms: _Terms, estimate: Floats) -> Floats:
    """How many standard errors the interval of each contrast reaches when it ends at 0, (K,)."""
    error, _ = _errors(terms)
    lowest, highest = np.zeros(len(error)), 64 * (1 + abs(estimate) / error)
    for _ in range(_HALVINGS):
        middle = (lowest + highest) / 2
        down, up = _reaches(terms, middle)
        short = np.where(estimate > 0, down, up) < abs(estimate)
        lowest, highest = np.where(short, middle, lowest), np.where(short, highest, middle)
    return lowest


def _joint(covariance: Floats, weights: Floats, level: float, seed: int, draws: int) -> tuple[float, Floats]:
    """The two-sided p that holds for all contrasts at once, and the smallest p of each draw, sorted.

    Of one contrast alone 1 - level and no draws. Otherwise normal numbers of the ``covariance`` of the
    values; its square root is that of its eigenvalues, for values that make up others are singular.
    """
    if len(weights) == 1:
        return 1 - level, np.empty(0)
    used = np.flatnonzero((weights != 0).any(axis=0))
    size, axes = np.linalg.eigh(covariance[np.ix_(used, used)])
    root = axes * np.sqrt(np.maximum(size, 0.0))
    ends = [(np.flatnonzero(weight), weight[weight != 0]) for weight in weights[:, used]]
    se = [float(np.sqrt(((weight @ root[place]) ** 2).sum())) for place, weight in ends]
    rng, highest = np.random.Generator(np.random.Philox(seed)), np.empty(draws)
    block = max(1, _ELEMENTS // len(used))
    for start in range(0, draws, block):
        numbers = rng.standard_normal((min(block, draws - start), len(used))).T
        # Added up one by one, not as a matrix product: its rounding depends on the size of the block.
        moved = np.zeros_like(numbers)
        for column, normal in zip(root.T, numbers, strict=True):
            moved += column[:, None] * normal
        peak = np.zeros(numbers.shape[1])
        for (place, weight), error in zip(ends, se, strict=True):
            total = (weight[:, None] * moved[place]).sum(axis=0)
            np.maximum(peak, abs(total) / error, out=peak)
        highest[start : start + block] = peak
    smallest = np.sort(2 * ndtr(-highest))
    rank = max(int((1 - level) * (1 + draws) + ROUNDING * draws), 1)
    return min(1 - level, float(smallest[rank - 1])), smallest
