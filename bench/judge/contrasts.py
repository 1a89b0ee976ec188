"""Contrasts: differences between values, with intervals that hold for all of them at once.

One mechanism for every metric: a multiplier bootstrap over clusters of the studentised maximum (max-T;
Romano, Wolf 2005, Econometrica 73; Rademacher signs: Cameron, Gelbach, Miller 2008). It rests on influence
alone, so groups of different clusters, and values that share clusters, are one case. Refuses a contrast
whose value is undefined, has fewer than five clusters, or does not change without any one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from bench.judge.atoms import Tally, combine
from bench.judge.infer import FEWEST_CLUSTERS, ROUNDING
from bench.judge.influence import MANY, Influence, influence
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints

__all__ = ["Contrasts", "against_rest", "contrast", "pairs"]

_ELEMENTS = 1 << 22


@dataclass(frozen=True)
class Contrasts:
    """Differences of values with simultaneous intervals: arrays (K,), NaN where there is none.

    ``p`` is two-sided and of that contrast alone; ``p_adjusted`` holds for all K (Romano-Wolf, single step)
    and is at most 1 - level exactly where the interval leaves out 0; ``critical`` is how many se the interval
    reaches to each side; ``reason`` why there is no interval.
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
    both = Influence(estimate.ravel(), flat, tally.multiplicity[first], clusters.ravel(), names)
    return both, np.concatenate([np.eye(tally.values), -np.eye(tally.values)], axis=1)


def contrast(found: Influence, weights: Floats, level: float, seed: int, draws: int = 9_999) -> Contrasts:
    """Simultaneous intervals and p-values of contrasts; a row of ``weights`` (K, V) sums values to one.

    Each cluster gets a random sign s_i, the same for every contrast (clusters of values that very many have
    influence on get a normal number, see ``_condense``); T*_k = sum_i s_i u_ik / se*_k for the
    influence u of contrast k, se* recomputed (``_replicates``). The interval is estimate -+ c se with c the
    ``level`` quantile of max_k |T*_k|, and never below the t quantile on ``df``; p-values are
    (1 + #{|T*| >= |T|}) / (1 + draws), and likewise never below those of t. The same for any block size.
    """
    se, df = np.sqrt(found.variance(weights)), _freedom(found, weights)
    reason = _refusals(found, weights, se)
    known = np.array([why is None for why in reason], np.bool_)
    centre = _weigh(weights, found.estimate)
    critical, p, p_adjusted = np.full((3, len(weights)), np.nan)
    if known.any():
        statistic, t = abs(centre[known]) / se[known], df[known]
        beyond, peak = np.zeros(len(t), np.int64), []
        for block in _replicates(found, weights[known], seed, draws):
            beyond += (block >= statistic).sum(axis=0)
            peak.append(block.max(axis=1))
        highest = np.sort(np.concatenate(peak))
        above = draws - np.searchsorted(highest, statistic)
        rank = min(int(np.ceil(level * (1 + draws) - ROUNDING * draws)), draws)
        if np.isfinite(highest[rank - 1]):
            critical[known] = np.maximum(highest[rank - 1], stdtrit(t, (1 + level) / 2))
        else:
            few = "no interval: too few clusters for this many contrasts at this level"
            reason = tuple(few if why is None else why for why in reason)
        p[known] = np.maximum((1 + beyond) / (1 + draws), 2 * stdtr(t, -statistic))
        p_adjusted[known] = np.maximum((1 + above) / (1 + draws), p[known])
    df, half = np.where(known, df, np.nan), critical * se
    method = "max-T over cluster signs"
    return Contrasts(centre, se, df, centre - half, centre + half, p, p_adjusted, critical, method, reason)


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

    V^2 / sum_p (V_p^2 / (n_p - 1)), with V_p the sum of squared influences of the n_p clusters of set p. For
    groups of different clusters this is Welch 1947; where every cluster lies in every value it is n - 1; in
    between no less than the smallest value's n - 1. A cluster without influence adds no freedom.
    """
    df = np.full(len(weights), np.nan)
    for k, weight in enumerate(weights):
        pull = found.pull[:, weight != 0]
        member = pull != 0
        rows = member.any(axis=1)
        if np.isnan(pull).any() or not rows.any():
            continue
        part = combine([column.astype(np.int64) for column in member[rows].T])[0]
        times = found.multiplicity[rows]
        size = np.bincount(part, times)
        variance = np.bincount(part, times * (pull[rows] @ weight[weight != 0]) ** 2)
        fewest = max(int((times @ member[rows]).min()) - 1, 1)
        spread = (variance**2 / np.maximum(size - 1, 1)).sum()
        if spread > 0:
            df[k] = np.clip(variance.sum() ** 2 / spread, fewest, max(int(size.sum()) - 1, 1))
    return df


def _replicates(found: Influence, weights: Floats, seed: int, draws: int) -> Iterator[Floats]:
    """Blocks (b, K) of |T*|.

    The replicate is centred per value, as the variance of the data is: from s_i u_iv the mean over the n_v
    clusters of value v is taken, and sqrt(n_v / (n_v - 1)) makes up for it. So T* of one value has the tails
    of t on n_v - 1 and a contrast of groups those of Welch's t: centring over all clusters of a contrast
    would hide a small group behind a large one. Cov*_vw = c_v c_w (sum u_v u_w - m_w A_vw - m_v A_wv
    + m_v m_w n_vw) with A_vw the signed sum of u_v over the clusters that w has too.
    """
    used = (weights != 0).any(axis=0)
    pull = _grid(np.where(used, found.pull, 0.0), found.multiplicity)
    member = (pull != 0).astype(np.float64)
    shared = member.T @ (found.multiplicity[:, None] * member)
    product = pull.T @ (found.multiplicity[:, None] * pull)
    terms = [_terms(weight) for weight in weights]
    met = sorted({(v, w) for term in terms for v, w, _ in term if v != w and shared[v, w] > 0})
    both = [pair for v, w in met for pair in ((v, w), (w, v))]
    columns = np.concatenate([pull, *(pull[:, [v]] * member[:, [w]] for v, w in both)], axis=1)
    columns, multiplicity, triangle = _condense(columns, member, found.multiplicity)
    place = {pair: len(used) + k for k, pair in enumerate(both)} | {(v, v): v for v in range(len(used))}
    n = np.diag(shared)
    grow = np.sqrt(n / np.maximum(n - 1, 1))
    block = max(1, _ELEMENTS // max(columns.shape))
    normal = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed).spawn(3)[2]))
    for signs in _signs(multiplicity, seed, draws, block):
        sums = np.ascontiguousarray((signs @ columns).T)
        # Added up row by row, not as a matrix product: its rounding depends on the size of the block.
        for numbers, row in zip(normal.standard_normal((len(signs), len(triangle))).T, triangle, strict=True):
            sums += row[:, None] * numbers
        mean = sums[: len(used)] / np.maximum(n, 1)[:, None]
        statistic = np.empty((signs.shape[0], len(weights)))
        for k, term in enumerate(terms):
            above, below = np.zeros((2, signs.shape[0]))
            for v, w, factor in term:
                if v == w:
                    above += weights[k, v] * sums[v]
                if shared[v, w] > 0:
                    centred = product[v, w] - mean[w] * sums[place[v, w]] - mean[v] * sums[place[w, v]]
                    below += factor * grow[v] * grow[w] * (centred + mean[v] * mean[w] * shared[v, w])
            statistic[:, k] = _studentise(above, below, product, weights[k])
        yield statistic


def _condense(columns: Floats, member: Floats, multiplicity: Ints) -> tuple[Floats, Ints, Floats]:
    """The rows that get signs, with their multiplicity, and a triangle whose rows get normal numbers.

    The triangle R has R'R = X'X for the rows X of all values on which very many rows have influence, so that
    normal numbers times R are distributed as normal numbers times X (Chernozhukov, Chetverikov, Kato 2013,
    Annals of Statistics 41). Very many: (sum m u^2)^2 / sum (m u^2)^2 is at least ``MANY``.
    """
    squares = multiplicity[:, None] * columns[:, : member.shape[1]] ** 2
    rules = squares.sum(axis=0) ** 2 < MANY * (squares**2).sum(axis=0)
    signed = (member[:, rules] > 0).any(axis=1) | ~member.any(axis=1)
    large = np.sqrt(multiplicity[~signed])[:, None] * columns[~signed]
    triangle = np.linalg.qr(large, mode="r") if len(large) else np.empty((0, columns.shape[1]))
    return columns[signed], multiplicity[signed], np.asarray(triangle, np.float64)


def _terms(weight: Floats) -> list[tuple[int, int, float]]:
    """The variance of a weighted sum as (v, w, factor of their covariance), v <= w."""
    codes = [int(code) for code in np.flatnonzero(weight)]
    return [(v, w, float(weight[v] * weight[w]) * (1 + (v != w))) for v in codes for w in codes if v <= w]


def _studentise(above: Floats, below: Floats, product: Floats, weight: Floats) -> Floats:
    """|T*|; infinite where the replicate does not vary, for then all clusters agree, and 0 for 0 / 0."""
    flat = below <= ROUNDING * float(weight @ product @ weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(flat, np.where(above == 0, 0.0, np.inf), abs(above) / np.sqrt(below))
    return np.asarray(statistic)


def _grid(pull: Floats, multiplicity: Ints) -> Floats:
    """Round to a grid so fine that nothing is lost, and so coarse that signed sums are exact in any order."""
    with np.errstate(divide="ignore"):
        step = np.exp2(np.ceil(np.log2(multiplicity @ abs(pull))) - 51)
    whole = np.rint(np.divide(pull, step, out=np.zeros_like(pull), where=step > 0))
    return np.asarray(whole * step, np.float64)


def _signs(multiplicity: Ints, seed: int, draws: int, block: int) -> Iterator[Floats]:
    """Blocks (b, C) of sign sums: +-1 for one cluster, 2 Binomial(m, 1/2) - m for m equal ones.

    Bits and binomials come from streams of their own, each in replicate order, so blocks change nothing.
    """
    bits, counts = (np.random.Generator(np.random.Philox(s)) for s in np.random.SeedSequence(seed).spawn(2))
    many = np.flatnonzero(multiplicity > 1)
    words = -(-len(multiplicity) // 64)
    for start in range(0, draws, block):
        size = min(block, draws - start)
        raw = bits.integers(0, 2**64, (size, words), np.uint64).astype("<u8").view(np.uint8)
        coins = np.unpackbits(
            raw.reshape(size, words * 8), axis=1, count=len(multiplicity), bitorder="little"
        )
        signs = np.asarray(2.0 * coins - 1.0, np.float64)
        if len(many):
            times = multiplicity[many]
            signs[:, many] = 2.0 * counts.binomial(times, 0.5, (size, len(many))) - times
        yield signs
