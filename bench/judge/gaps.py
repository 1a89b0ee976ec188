"""Gaps: how far the values of a slice lie apart, and how far chance alone would put them.

The largest of several differences is large even where nothing differs, so a gap is printed beside its mean
and 95th percentile under no difference. Between clusters, whole clusters are dealt anew to groups of the same
sizes and the largest studentised difference is compared (Chung, Romano 2013, Annals of Statistics 41); where
a cluster has rows of several groups, the influence of each cluster gets a random sign. Refuses an interval
for a gap (a bootstrap never reaches 0), and a p where more than 1 % of the draws leave a value undefined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import logit

from bench.judge.atoms import Tally, combine
from bench.judge.influence import influence
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints

__all__ = ["Gap", "gap"]

# Numbers held at once: with the temporaries of a metric about 16 MB, and as fast as larger ones.
_BLOCK = 1 << 18
_MOST_UNDEFINED = 0.01
# A draw that repeats the observed deal sums the same numbers in another order: it is equal, not smaller.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Gap:
    """max - min over the compared values, its null distribution, the test of no difference.

    ``null_mean`` and ``null_p95`` are of the plain max - min when groups mean nothing; ``p`` is
    (1 + #{>=}) / (1 + M); ``clusters`` all groups together. ``method`` is None without a p, ``reason`` says
    why there is no p or no gap. What is not known is NaN.
    """

    estimate: float
    null_mean: float
    null_p95: float
    p: float
    clusters: int
    method: str | None
    reason: str | None


@dataclass(frozen=True)
class _Null:
    """The test statistic as observed and in M draws, (M,), and the plain gap of each draw, (M,)."""

    method: str
    observed: float
    statistic: Floats
    spread: Floats


def gap(metric: Metric, tally: Tally, included: Bools, seed: int, draws: int = 9_999) -> Gap:
    """Test whether the ``included`` (V,) values of a tally differ; clusters of other values are left out.

    Draws in which a value is undefined are not counted among the M: given that every value is defined, all
    deals remain equally likely. Same bytes for the same seed.
    """
    compared = np.flatnonzero(included)
    tally = tally.where(included[tally.value] & (metric.count(tally.stats) > 0))
    group = np.searchsorted(compared, tally.value)
    tally = replace(tally, value=group, values=len(compared))
    distinct = int(tally.multiplicity.sum()) if tally.cluster is None else len(np.unique(tally.cluster))
    shared = distinct < tally.multiplicity.sum()
    nothing = Gap(np.nan, np.nan, np.nan, np.nan, distinct, None, None)
    if len(compared) < 2:
        return replace(nothing, reason="no gap: fewer than two values to compare")
    values = metric.finish(tally.total)
    if np.isnan(values).any():
        return replace(nothing, reason=f"no gap: a value is undefined, {metric.undefined}")
    found = replace(nothing, estimate=float(np.ptp(values)))
    if tally.clusters.min() < 2:
        return replace(found, reason="no test: a value rests on fewer than two clusters")
    rng = np.random.Generator(np.random.Philox(seed))
    with np.errstate(divide="ignore", invalid="ignore"):
        null = (_flip if shared else _permute)(metric, tally, rng, draws)
    return _compare(found, null)


def _compare(found: Gap, null: _Null) -> Gap:
    if np.isnan(null.observed):
        return replace(found, reason="no test: a value is undefined, or loses a class, without some cluster")
    spread, statistic = (drawn[~np.isnan(drawn)] for drawn in (null.spread, null.statistic))
    fewest = (1 - _MOST_UNDEFINED) * len(null.statistic)
    if len(spread) >= fewest:
        found = replace(found, null_mean=float(spread.mean()), null_p95=float(np.quantile(spread, 0.95)))
    if len(statistic) < fewest:
        share = 1 - len(statistic) / len(null.statistic)
        return replace(found, reason=f"no test: {share:.1%} of the draws leave a value undefined")
    as_large = np.count_nonzero(statistic >= null.observed * (1 - _ROUNDING))
    return replace(found, p=float((1 + as_large) / (1 + len(statistic))), method=null.method)


@dataclass(frozen=True)
class _Deal:
    """Clusters dealt to K groups, in m draws: E entries in the order of the groups.

    ``kind`` (m or 1, E) which kind of cluster; ``times`` (m or 1, E) how many of them; ``start`` (K,) the
    first entry of each group; ``group`` (E,).
    """

    kind: Ints
    times: Floats
    start: Ints
    group: Ints

    def sum(self, amounts: Floats) -> Floats:
        """Sum an amount per cluster (m, E, ...) over each group: (m, K, ...)."""
        times = self.times.reshape(*self.times.shape, *[1] * (amounts.ndim - 2))
        return np.asarray(np.add.reduceat(times * amounts, self.start, axis=1))


@dataclass(frozen=True)
class _Pool:
    """The clusters of all groups: ``kinds`` (P, S) of equal statistics, ``times`` (K, P) each was observed.

    Kinds are sorted by their statistics and groups by size, so neither the order of entries nor that of
    slice values changes a draw.
    """

    kinds: Floats
    times: Ints

    @cached_property
    def size(self) -> Ints:
        """The clusters of each group, (K,)."""
        return np.asarray(self.times.sum(axis=1))

    @cached_property
    def single(self) -> bool:
        """Whether clusters are dealt one by one, for that is less than counting kinds in every group."""
        return int(self.size.sum()) <= self.times.size

    def observed(self) -> _Deal:
        """The deal as it is in the data."""
        if self.single:
            kinds = np.arange(len(self.kinds))
            return self._one_by_one(np.concatenate([np.repeat(kinds, row) for row in self.times])[None])
        return self._counted(self.times[None])

    def deals(self, rng: np.random.Generator, draws: int) -> Iterator[_Deal]:
        """Deal the clusters anew ``draws`` times, in blocks; how they are blocked changes no draw."""
        whole, groups = self.times.sum(axis=0), len(self.size)
        entries = int(self.size.sum()) if self.single else self.times.size
        block = max(1, _BLOCK // max(entries * self.kinds.shape[1], groups**2))
        clusters = np.repeat(np.arange(len(whole)), whole) if self.single else whole
        for start in range(0, draws, block):
            count = min(block, draws - start)
            if self.single:
                yield self._one_by_one(rng.permuted(np.tile(clusters, (count, 1)), axis=1))
            else:
                yield self._counted(np.stack([_allocate(rng, whole, self.size) for _ in range(count)]))

    def _one_by_one(self, kind: Ints) -> _Deal:
        start = np.cumsum(self.size) - self.size
        return _Deal(
            kind, np.ones((1, kind.shape[1])), start, np.repeat(np.arange(len(self.size)), self.size)
        )

    def _counted(self, times: Ints) -> _Deal:
        groups, kinds = self.times.shape
        kind = np.tile(np.arange(kinds), groups)[None]
        flat = times.reshape(len(times), -1).astype(np.float64)
        return _Deal(kind, flat, np.arange(groups) * kinds, np.repeat(np.arange(groups), kinds))


def _allocate(rng: np.random.Generator, whole: Ints, size: Ints) -> Ints:
    """Deal counted kinds (P,) to groups of the sizes (K,): multivariate hypergeometric, (K, P)."""
    left, dealt = whole.copy(), np.empty((len(size), len(whole)), np.int64)
    for group, taken in enumerate(size[:-1]):
        dealt[group] = rng.multivariate_hypergeometric(left, taken, method="marginals")
        left -= dealt[group]
    dealt[-1] = left
    return dealt


def _pool(stats: Floats, tally: Tally) -> _Pool:
    kinds, kind = np.unique(stats, axis=0, return_inverse=True)
    times = np.zeros((tally.values, len(kinds)), np.int64)
    np.add.at(times, (tally.value, kind), tally.multiplicity)
    return _Pool(kinds, times[np.argsort(times.sum(axis=1), kind="stable")])


def _permute(metric: Metric, tally: Tally, rng: np.random.Generator, draws: int) -> _Null:
    """Whole clusters change groups; V is found anew in each draw, so unequal groups do not alarm."""
    if metric.kind == "proportion":
        stats = np.stack(metric.formula(tally.stats), axis=-1).astype(np.float64)
    else:
        stats = np.asarray(tally.stats, np.float64).reshape(len(tally.stats), -1)
    pool = _pool(stats, tally)
    shape = tally.stats.shape[1:]

    def evaluate(deal: _Deal) -> tuple[Floats, Floats]:
        if metric.kind == "proportion":
            value, scaled, variance = _ratio(pool, deal)
        else:
            value, scaled, variance = _jackknife(metric, shape, pool, deal)
        return _studentised(scaled, variance), np.ptp(value, axis=-1)

    observed = evaluate(pool.observed())[0][0]
    if np.isnan(observed):
        draws = 0
    parts = [evaluate(deal) for deal in pool.deals(rng, draws)]
    statistic, spread = (np.concatenate([part[k] for part in parts] or [np.empty(0)]) for k in (0, 1))
    return _Null("permutation-studentised", float(observed), statistic, spread)


def _ratio(pool: _Pool, deal: _Deal) -> tuple[Floats, Floats, Floats]:
    """theta, logit theta and its variance W = V / (theta (1 - theta))^2, (m, K) each; V as ``linearised``.

    In logit and W theta is kept within [.5 / (N + 1), 1 - .5 / (N + 1)].
    """
    stats = pool.kinds[deal.kind]
    successes, trials = stats[..., 0], stats[..., 1]
    size = deal.sum(trials)
    theta = deal.sum(successes) / size
    residual = successes - theta[:, deal.group] * trials
    variance = pool.size / (pool.size - 1) * deal.sum(residual**2) / size**2
    edge = 0.5 / (size + 1)
    inside = np.clip(theta, edge, 1 - edge)
    return theta, logit(inside), variance / (inside * (1 - inside)) ** 2


def _jackknife(
    metric: Metric, shape: tuple[int, ...], pool: _Pool, deal: _Deal
) -> tuple[Floats, Floats, Floats]:
    """The value, the value on the scale of the test and its variance, (m, K) each.

    The delete-one-cluster jackknife as in ``infer``: exact for classes with few rows, where derivatives are
    not, and cheaper below 2 S clusters a group. A group without some class of the pool has no value, for its
    mean would be over other classes than that of the others; one that can lose a class has no variance.
    """
    stats = pool.kinds[deal.kind]
    total = deal.sum(stats)
    rest = (total[:, deal.group] - stats).reshape(-1, len(deal.group), *shape)
    total = total.reshape(-1, len(pool.size), *shape)
    classes = metric.present((pool.times.sum(axis=0) @ pool.kinds).reshape(shape))
    value = np.where((metric.present(total) == classes).all(axis=-1), metric.finish(total), np.nan)
    lost = (metric.present(rest) != classes).any(axis=-1)
    left_out = np.where(lost, np.nan, _scale(metric, metric.finish(rest)))
    left_out = np.where(deal.times > 0, left_out, 0.0)
    mean = deal.sum(left_out) / pool.size
    variance = (pool.size - 1) / pool.size * deal.sum((left_out - mean[:, deal.group]) ** 2)
    return value, _scale(metric, value), variance


def _scale(metric: Metric, value: Floats) -> Floats:
    if metric.kind != "correlation":
        return value
    return np.arctanh(np.where(abs(value) > 1 - _ROUNDING, np.nan, value))


def _studentised(scaled: Floats, variance: Floats) -> Floats:
    """The maximum over pairs of |l_g - l_h| / sqrt(W_g + W_h), (m,); infinite where no variance is left."""
    one, other = np.triu_indices(scaled.shape[1], 1)
    apart = abs(scaled[:, one] - scaled[:, other])
    variance = np.where(variance < _ROUNDING**2, 0.0, variance)
    error = np.sqrt(variance[:, one] + variance[:, other])
    ratio = apart / error
    ratio[(apart < _ROUNDING) & ~np.isnan(error)] = 0.0
    return np.asarray(ratio.max(axis=-1), np.float64)


def _flip(metric: Metric, tally: Tally, rng: np.random.Generator, draws: int) -> _Null:
    """One sign a cluster: its rows of all groups keep what they share. max - min of sum_i s_i U_ig."""
    pull = _score(tally, metric) if metric.kind == "proportion" else influence(metric, tally).pull
    observed = float(np.ptp(metric.finish(tally.total))) if np.isfinite(pull).all() else np.nan
    if np.isnan(observed):
        draws = 0
    block = max(1, _BLOCK // pull.size)
    spread = np.empty(draws)
    for start in range(0, draws, block):
        part = spread[start : start + block]
        signs = np.where(rng.random((len(part), len(pull))) < 0.5, -1.0, 1.0)
        # Added up cluster by cluster, not as a matrix product: its rounding depends on the size of the block.
        part[:] = np.ptp((signs[:, :, None] * pull).sum(axis=1), axis=-1)
    return _Null("sign-flip-within-clusters", observed, spread, spread)


def _score(tally: Tally, metric: Metric) -> Floats:
    """U_ig = (a_ig - theta_0 b_ig) / B_g with the theta_0 of all groups together, (clusters, K)."""
    assert tally.cluster is not None
    successes, trials = (np.asarray(part, np.float64) for part in metric.formula(tally.stats))
    theta = successes.sum() / trials.sum()
    row, first = combine([tally.cluster])
    score = np.zeros((len(first), tally.values))
    score[row, tally.value] = (successes - theta * trials) / tally.sum(trials)[tally.value]
    return score
