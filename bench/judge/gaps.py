"""Gaps: how far the values of a slice lie apart, and how far chance alone would put them.

The largest of several differences is large even where nothing differs, so a gap is printed beside its mean
and 95th percentile under no difference. Between clusters, whole clusters are dealt anew to groups of the same
sizes and the largest studentised difference is compared (Chung, Romano 2013, Annals of Statistics 41), of
proportions on the logit scale, all else as ``bench.judge.scales`` has it. A group of very many
clusters gets what the others left from the limit of such deals (``_Limit``); where more than 10,000 clusters
that differ are left to be dealt, bundles are (``bench.judge.deals``). Where a cluster has rows of several
groups, the influence of each cluster gets a random sign. Refuses an interval for a gap (a bootstrap
never reaches 0), and a p where more than 1 % of the draws leave a value undefined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logit

from bench.judge import scales
from bench.judge.atoms import Tally, combine
from bench.judge.deals import BLOCK, Deal, Pool, bundle, gather_pool
from bench.judge.infer import ROUNDING
from bench.judge.influence import MANY, influence
from bench.judge.left_out import LeftOut, left_out
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats

__all__ = ["Gap", "gap"]

_MOST_UNDEFINED = 0.01


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
        return replace(
            found,
            reason="no test: a value is undefined, loses a class or lies on the bound of its range, as it is "
            "or without some cluster",
        )
    spread, statistic = (drawn[~np.isnan(drawn)] for drawn in (null.spread, null.statistic))
    fewest = (1 - _MOST_UNDEFINED) * len(null.statistic)
    if len(spread) >= fewest:
        found = replace(found, null_mean=float(spread.mean()), null_p95=float(np.quantile(spread, 0.95)))
    if len(statistic) < fewest:
        share = 1 - len(statistic) / len(null.statistic)
        return replace(found, reason=f"no test: {share:.1%} of the draws leave a value undefined")
    # A draw that repeats the observed deal sums the same numbers in another order: equal, not smaller.
    as_large = np.count_nonzero(statistic >= null.observed * (1 - ROUNDING))
    return replace(found, p=float((1 + as_large) / (1 + len(statistic))), method=null.method)


@dataclass(frozen=True)
class _Groups:
    """Groups in m draws: their values, these on the scale of the test, and their variances, (m, K) each."""

    value: Floats
    scaled: Floats
    variance: Floats

    def beside(self, other: _Groups) -> _Groups:
        """These groups and others in the same draws."""
        names = ("value", "scaled", "variance")
        return _Groups(*(np.concatenate([getattr(self, n), getattr(other, n)], axis=1) for n in names))


def _permute(metric: Metric, tally: Tally, rng: np.random.Generator, draws: int) -> _Null:
    """Whole clusters change groups; V is found anew in each draw, so unequal groups do not alarm."""
    if metric.kind == "proportion":
        stats = np.stack(metric.formula(tally.stats), axis=-1).astype(np.float64)
    else:
        stats = np.asarray(tally.stats, np.float64).reshape(len(tally.stats), -1)
    pool, shape = gather_pool(stats, tally), tally.stats.shape[1:]
    limit, normal = _limit(metric, shape, pool), rng.spawn(1)[0]
    few = int(np.count_nonzero(pool.size < limit.fewest))
    if pool.crowded(few):
        pool, few = bundle(pool, rng.spawn(1)[0]), len(pool.size)
    leave = None if metric.kind == "proportion" else left_out(metric, shape, pool)

    def evaluate(deal: Deal) -> _Groups:
        return _ratio(pool, deal) if leave is None else _jackknife(metric, leave, deal)

    # One over an error has units, and what is rounding depends on them.
    rounding = ROUNDING * (abs(limit.scaled) if metric.kind in ("plain", "root") else 1.0)
    observed = _studentised(evaluate(pool.observed()), rounding)[0]
    if np.isnan(observed):
        draws = 0
    held = leave.held if leave else (2, 1)
    drawn = [np.empty((2, 0))]
    for deal in pool.deals(few, rng, draws, held):
        groups = evaluate(deal)
        if few < len(pool.size):
            groups = groups.beside(limit.left(pool, deal, normal))
        drawn.append(np.stack([_studentised(groups, rounding), np.ptp(groups.value, axis=-1)]))
    return _Null("permutation-studentised", float(observed), *np.concatenate(drawn, axis=1))


def _ratio(pool: Pool, deal: Deal) -> _Groups:
    """theta, logit theta and its variance W = V / (theta (1 - theta))^2; V as ``linearised``.

    In logit and W theta is kept within [.5 / (N + 1), 1 - .5 / (N + 1)].
    """
    successes, trials = pool.stats(deal)
    size = deal.sum(trials)
    theta = deal.sum(successes) / size
    residual = successes - theta[:, deal.group] * trials
    variance = deal.size / (deal.size - 1) * deal.sum(residual**2) / size**2
    edge = 0.5 / (size + 1)
    inside = np.clip(theta, edge, 1 - edge)
    return _Groups(theta, logit(inside), variance / (inside * (1 - inside)) ** 2)


def _jackknife(metric: Metric, leave: LeftOut, deal: Deal) -> _Groups:
    """The value, the value on the scale of the test and its variance.

    The delete-one-cluster jackknife as in ``infer``: exact for classes with few rows, where derivatives are
    not. A group without some class of the pool has no value; one that can lose a class has no variance.
    """
    value, rest = leave(deal)
    scaled = np.where(deal.times > 0, scales.scale(metric.kind, rest), 0.0)
    mean = deal.sum(scaled) / deal.size
    variance = (deal.size - 1) / deal.size * deal.sum((scaled - mean[:, deal.group]) ** 2)
    return _Groups(value, scales.scale(metric.kind, value), variance)


@dataclass(frozen=True)
class _Limit:
    """What very many clusters of a pool do, linearised: the values of groups of ``fewest`` clusters or more.

    ``value`` of the pool, ``scaled`` it and the ``slope`` of the scale there; ``effect`` (P,) of one cluster
    of each kind, of mean 0: the value of a group is that of the pool and the mean effect of its clusters.
    """

    value: float
    scaled: float
    slope: float
    effect: Floats
    fewest: float

    def left(self, pool: Pool, deal: Deal, rng: np.random.Generator) -> _Groups:
        """The groups that are not in the deal, which get what it leaves: their means are normal.

        Mean and covariances are those of dealing the N' clusters that are left: their mean effect, and
        s^2 (1 / n_g - 1 / N') and -s^2 / N' (combinatorial limit theorem; Hoeffding 1951, Annals of
        Mathematical Statistics 22).
        """
        size = pool.size[len(deal.size) :]
        left, whole = size.sum(), pool.size.sum()
        squares = pool.whole @ self.effect**2
        taken, power = ((deal.times * self.effect[deal.kind] ** k).sum(axis=1) for k in (1, 2))
        mean = -taken / left
        spread = np.sqrt(np.maximum(squares - power - left * mean**2, 0.0) / (left - 1))
        drawn = rng.standard_normal((deal.draws, len(size)))
        apart = drawn / np.sqrt(size) - ((drawn * np.sqrt(size)).sum(axis=1) / left)[:, None]
        moved = np.broadcast_to(mean[:, None] + spread[:, None] * apart, apart.shape)
        variance = self.slope**2 * squares / (whole - 1) / size
        return _Groups(
            self.value + moved, self.scaled + self.slope * moved, np.broadcast_to(variance, moved.shape)
        )


def _limit(metric: Metric, shape: tuple[int, ...], pool: Pool) -> _Limit:
    """Linearise a metric over the whole pool.

    A mean of effects of n clusters is as good as normal where n is many times their kurtosis: then none of
    them rules the sum.
    """
    total, clusters = pool.whole @ pool.kinds, int(pool.whole.sum())
    if metric.kind == "proportion":
        value = total[0] / total[1]
        effect = clusters * (pool.kinds[:, 0] - value * pool.kinds[:, 1]) / total[1]
        scaled, slope = logit(value), 1 / (value * (1 - value))
    else:
        rest = (total - pool.kinds).reshape(-1, *shape)
        lost = (metric.present(rest) != metric.present(total.reshape(shape))).any(axis=-1)
        without = np.where(lost, np.nan, metric.finish(rest))
        value = np.float64(metric.finish(total.reshape(shape)))
        effect = (clusters - 1) * (pool.whole @ without / clusters - without)
        scaled = float(scales.scale(metric.kind, np.asarray(value)))
        slope = float(scales.slope(metric.kind, np.asarray(value)))
    kurtosis = clusters * (pool.whole @ effect**4) / (pool.whole @ effect**2) ** 2
    # A value on the bound of its range has no slope on its scale, and so no limit.
    fewest = MANY * kurtosis if np.isfinite([kurtosis, slope]).all() else np.inf
    return _Limit(float(value), float(scaled), float(slope), effect, fewest)


def _studentised(groups: _Groups, rounding: float) -> Floats:
    """The maximum over pairs of |l_g - l_h| / sqrt(W_g + W_h), (m,); infinite where no variance is left."""
    one, other = np.triu_indices(groups.scaled.shape[1], 1)
    apart = abs(groups.scaled[:, one] - groups.scaled[:, other])
    variance = np.where(groups.variance < rounding**2, 0.0, groups.variance)
    error = np.sqrt(variance[:, one] + variance[:, other])
    ratio = apart / error
    ratio[(apart < rounding) & ~np.isnan(error)] = 0.0
    return np.asarray(ratio.max(axis=-1), np.float64)


def _flip(metric: Metric, tally: Tally, rng: np.random.Generator, draws: int) -> _Null:
    """One sign a cluster: its rows of all groups keep what they share. max - min of sum_i s_i U_ig."""
    score = _score(tally, metric) if metric.kind == "proportion" else _held(tally, metric)
    observed = float(np.ptp(metric.finish(tally.total))) if np.isfinite(score).all() else np.nan
    if np.isnan(observed):
        draws = 0
    block = max(1, BLOCK // score.size)
    spread = np.empty(draws)
    for start in range(0, draws, block):
        part = spread[start : start + block]
        signs = np.where(rng.random((len(part), len(score))) < 0.5, -1.0, 1.0)
        # Added up cluster by cluster, not as a matrix product: its rounding depends on the size of the block.
        part[:] = np.ptp((signs[:, :, None] * score).sum(axis=1), axis=-1)
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


def _held(tally: Tally, metric: Metric) -> Floats:
    """U_ig = influence_ig + (theta_g - theta_0) n_ig / N_g: what a cluster adds where groups are equal.

    ``_score`` for any metric: theta_0 is the mean of the values weighted by their rows. Influence alone is
    around the value of each group as found, not as it is where nothing differs: on it simulated groups of 30
    persons with equal UAR, CCC or RMSE alarm in 5 to 9 %, on this in 3 to 5 %.
    """
    assert tally.cluster is not None
    rows = np.asarray(metric.count(tally.stats), np.float64)
    total, theta = tally.sum(rows), metric.finish(tally.total)
    row, first = combine([tally.cluster])
    share = np.zeros((len(first), tally.values))
    share[row, tally.value] = rows / total[tally.value]
    return np.asarray(influence(metric, tally).pull + (theta - total @ theta / total.sum()) * share)
