"""Contrasts by hand, against t tests, the studentised range, published intervals, and in simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.judge import contrasts as module
from bench.judge import scales
from bench.judge.atoms import Tally
from bench.judge.contrasts import against_rest, contrast, pairs
from bench.judge.influence import Influence, influence
from bench.judge.metrics import METRICS
from tests.judge.test_influence import random_tally

ACCURACY = METRICS["accuracy"]


def accuracy_tally(hits, trials, value, values, cluster):
    counts = np.stack([hits, np.asarray(trials) - hits], axis=-1)[:, None, :]
    return Tally(counts, np.asarray(value), np.ones(len(value), int), values, np.asarray(cluster))


def apart(rng, sizes):
    """Groups of different persons: accuracy .7, ICC .1, 5 to 30 rows a person."""
    value = np.repeat(np.arange(len(sizes)), sizes)
    trials = rng.integers(5, 31, len(value))
    hits = rng.binomial(trials, rng.beta(6.3, 2.7, len(value)))
    return accuracy_tally(hits, trials, value, len(sizes), np.arange(len(value)))


def within(rng, persons, values, share):
    """Every person has a random share of the values, and a level of their own: ICC .3."""
    cluster, value = (part.ravel() for part in np.divmod(np.arange(persons * values), values))
    trials = rng.integers(3, 15, len(value))
    hits = rng.binomial(trials, rng.beta(1.63, 0.7, persons)[cluster])
    kept = rng.random(len(value)) < share
    return accuracy_tally(hits[kept], trials[kept], value[kept], values, cluster[kept])


def means(columns, clusters):
    """Influence of plain means: columns (G, V), NaN where a cluster has no row of a value."""
    n = (~np.isnan(columns)).sum(axis=0)
    pull = np.nan_to_num((columns - np.nanmean(columns, axis=0)) / np.sqrt(n * (n - 1)))
    ones = np.ones(len(columns), int)
    return Influence(np.nanmean(columns, axis=0), pull, ones, n, clusters)


def two_groups(x, y):
    table = np.full((len(x) + len(y), 2), np.nan)
    table[: len(x), 0], table[len(x) :, 1] = x, y
    return means(table, None)


def free(values):
    """Degrees of freedom of the variance of values that add up to 0, with scipy's unbiased kurtosis."""
    n = len(values)
    excess = max(stats.kurtosis(values, bias=False), 0)
    return (n - 1) / (1 + (n - 1) / (2 * n) * excess)


def test_pairs_are_g_minus_h():
    weights, both = pairs(np.array([True, False, True, True]))
    assert both == [(0, 2), (0, 3), (2, 3)]
    assert weights.tolist() == [[1, 0, -1, 0], [1, 0, 0, -1], [0, 0, 1, -1]]


def test_a_contrast_alone_is_welch_with_the_freedom_of_each_group():
    # x - y: 3 - 2.6 = .4; one value far out leaves y's variance few degrees of freedom.
    x, y = np.array([1.0, 2, 2.9, 4, 5, 3.1]), np.array([1.1, 2.1, 2.8, 2.2, 2.0, 5.4])
    assert free(x - x.mean()) == 5 > 3 > free(y - y.mean())
    result = contrast(two_groups(x, y), np.array([[1.0, -1]]), 0.95, seed=1)
    variances = [values.var(ddof=1) / 6 for values in (x, y)]
    se = np.sqrt(sum(variances))
    df = se**4 / (variances[0] ** 2 / 5 + variances[1] ** 2 / free(y - y.mean()))
    assert result.estimate[0] == pytest.approx(0.4)
    assert result.se[0] == pytest.approx(se, rel=1e-12)
    assert result.df[0] == pytest.approx(df, rel=1e-12)
    assert result.p[0] == result.p_adjusted[0] == pytest.approx(2 * stats.t.sf(0.4 / se, df), rel=1e-12)
    assert result.critical[0] == pytest.approx(stats.t.ppf(0.975, df), rel=1e-12)
    assert result.high[0] == pytest.approx(0.4 + stats.t.ppf(0.975, df) * se, rel=1e-12)


@pytest.mark.parametrize("values", [3, 6, 20])
def test_all_pairs_are_the_studentised_range(values):
    # Equal groups of different clusters: max_k |Z_k| is the range of normal numbers over sqrt(2).
    rng, size = np.random.default_rng(3), 50
    table = np.full((values * size, values), np.nan)
    column = rng.normal(size=size)
    for g in range(values):
        table[g * size : (g + 1) * size, g] = column + 0.1 * g
    found, weights = means(table, None), pairs(np.ones(values, bool))[0]
    result = contrast(found, weights, 0.95, seed=1, draws=40_000)
    reach = stats.studentized_range.ppf(0.95, values, np.inf) / np.sqrt(2)
    alpha = 2 * stats.norm.sf(reach)
    assert result.critical == pytest.approx(stats.t.ppf(1 - alpha / 2, result.df), rel=0.01)
    expected = stats.studentized_range.sf(stats.norm.isf(result.p / 2) * np.sqrt(2), values, np.inf)
    assert result.p_adjusted == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_correlated_contrasts_are_the_multivariate_normal(share):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(24, 3)) + rng.normal(size=(24, 1))
    table[rng.random(table.shape) > share] = np.nan
    found = means(table, np.arange(24))
    weights = np.array([[1.0, -1, 0], [0.5, 0.5, -1], [0, 1, -1]])
    result = contrast(found, weights, 0.9, seed=5, draws=40_000)
    covariance = weights @ found.pull.T @ found.pull @ weights.T
    together = covariance / np.outer(result.se, result.se)
    normal = stats.multivariate_normal(np.zeros(3), together, allow_singular=True)
    z = stats.norm.isf(stats.t.sf(result.critical, result.df))
    assert z == pytest.approx(np.full(3, z[0]), rel=1e-9)
    assert normal.cdf(z, lower_limit=-z) == pytest.approx(0.9, abs=0.006)


def test_differences_of_rates_are_those_of_newcombe():
    # Newcombe 1998, Statistics in Medicine 17, table II, method 10: 56/70 - 48/80 and 9/10 - 3/10.
    for (a, m, b, n), expected in (
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
    ):
        p = np.array([a / m, b / n])
        variance = p * (1 - p) / (m, n)
        terms = module._Terms(
            "proportion", np.array([[1.0, -1]]), p[None], np.sqrt(variance)[None], np.eye(2)[None]
        )
        down, up = module._reaches(terms, stats.norm.ppf([0.975]))
        difference = p[0] - p[1]
        assert (difference - down[0], difference + up[0]) == pytest.approx(expected, abs=6e-5)


@pytest.mark.parametrize("name", ["uar", "ccc_valence", "rmse_valence", "bias_valence"])
@pytest.mark.parametrize("shared", [True, False])
def test_reaches_of_values_on_their_scales_add_up_as_errors_do(name, shared):
    tally = random_tally(21, name, clusters=24, values=2, shared=shared)
    found = influence(METRICS[name], tally)
    result = contrast(found, np.array([[1.0, -1]]), 0.95, seed=1)
    se = np.sqrt((found.pull**2).sum(axis=0))
    r = float(found.pull[:, 0] @ found.pull[:, 1]) / se.prod()
    c = np.array([3.1]) if r > 0 else result.critical
    bottom, top = scales.ends(METRICS[name].kind, found.estimate, se, c)
    (down, up), (below, above) = zip(found.estimate - bottom, top - found.estimate, strict=True)
    low = np.sqrt(down**2 + above**2 - 2 * r * down * above)
    high = np.sqrt(up**2 + below**2 - 2 * r * up * below)
    if r > 0:  # the scales count as far as errors do not cancel, and widen alone
        plain, alone = result.critical[0] * result.se[0], math.hypot(*se)
        counts = (result.se[0] / alone) ** 2
        low, high = (
            plain * max(1 + counts * (math.hypot(*ends) / (c[0] * alone) - 1), 1)
            for ends in ((down, above), (up, below))
        )
    assert result.estimate[0] - result.low[0] == pytest.approx(low, rel=1e-6)
    assert result.high[0] - result.estimate[0] == pytest.approx(high, rel=1e-6)
    # p is that of the level at which the interval ends at 0.
    ended = contrast(found, np.array([[1.0, -1]]), 1 - result.p[0], seed=1)
    assert min(abs(ended.low[0]), abs(ended.high[0])) < 1e-9


@pytest.mark.parametrize("shared", [True, False])
def test_p_of_a_contrast_is_its_own_whatever_the_family_and_the_level(shared):
    found = influence(METRICS["uar"], random_tally(21, "uar", clusters=24, values=4, shared=shared))
    weights, _ = pairs(np.ones(4, bool))
    family = contrast(found, weights, 0.9, seed=1, draws=499)
    for k, weight in enumerate(weights):
        alone = contrast(found, weight[None], 0.99, seed=2)
        assert family.p[k] == pytest.approx(alone.p[0], rel=1e-9)
    assert (family.critical > contrast(found, weights[:1], 0.9, seed=1).critical).all()


@pytest.mark.parametrize(("persons", "good"), [(20, 8), (8, 3), (6, 2)])
def test_p_belongs_to_the_interval_where_a_shared_value_nears_its_bound(persons, good):
    """Each person all right or all wrong in one value, and half right in the other: errors cancel in part."""
    right = np.arange(persons) < good
    hits = np.concatenate([np.where(right, 20, 0), np.where(right, 15, 10) + np.arange(persons) % 2])
    value, cluster = np.repeat([0, 1], persons), np.tile(np.arange(persons), 2)
    found = influence(METRICS["accuracy"], accuracy_tally(hits, np.full(2 * persons, 20), value, 2, cluster))
    assert found.pull[:, 0] @ found.pull[:, 1] > 0
    result = contrast(found, np.array([[-1.0, 1]]), 0.95, seed=1)
    paired = stats.ttest_1samp(np.diff(hits.reshape(2, -1) / 20, axis=0)[0], 0)
    # Of the paired t, or somewhat larger, for a share of the errors does not cancel.
    expected = 2 * stats.t.sf(abs(paired.statistic), result.df[0])
    assert expected * (1 - 1e-6) <= result.p[0] < 1.2 * expected
    assert (result.p[0] <= 0.05) == (result.low[0] > 0 or result.high[0] < 0)


def test_groups_of_different_clusters_are_welch():
    rng = np.random.default_rng(4)
    x, y = rng.normal(0.7, 1, 60), rng.normal(0, 2, 90)
    result = contrast(two_groups(x, y), np.array([[1.0, -1]]), 0.95, seed=1, draws=39_999)
    welch = stats.ttest_ind(x, y, equal_var=False)
    assert result.estimate[0] / result.se[0] == pytest.approx(welch.statistic, rel=1e-9)
    assert result.df[0] == pytest.approx(welch.df, rel=1e-9)
    assert 0.02 < welch.pvalue < 0.8
    assert result.p[0] == pytest.approx(welch.pvalue, abs=0.012)
    assert result.p_adjusted[0] == result.p[0]


def test_shared_clusters_are_the_paired_test():
    rng = np.random.default_rng(5)
    person = rng.normal(0, 3, 80)
    x, y = person + rng.normal(0.2, 1, 80), person + rng.normal(0, 1, 80)
    result = contrast(means(np.stack([x, y], 1), np.arange(80)), np.array([[1.0, -1]]), 0.95, seed=1)
    paired = stats.ttest_rel(x, y)
    assert result.estimate[0] / result.se[0] == pytest.approx(paired.statistic, rel=1e-9)
    assert result.df[0] == pytest.approx(free(x - y - (x - y).mean()), rel=1e-9)
    assert 50 < result.df[0] <= 79
    assert result.p[0] == pytest.approx(2 * stats.t.sf(abs(paired.statistic), result.df[0]), rel=1e-9)
    interval = paired.confidence_interval(0.95)
    assert (result.low[0], result.high[0]) == pytest.approx((interval.low, interval.high), abs=0.005)


def test_partly_shared_clusters_have_no_fewer_degrees_than_the_smaller_value():
    tally = within(np.random.default_rng(6), 30, 2, 0.6)
    found = influence(ACCURACY, tally)
    df = contrast(found, np.array([[1.0, -1]]), 0.95, seed=1, draws=99).df[0]
    assert found.clusters.min() - 1 <= df <= len(found.pull) - 1


@pytest.mark.parametrize(
    ("make", "rest"),
    [
        (lambda rng: apart(rng, [10, 15, 20, 30]), False),
        (lambda rng: apart(rng, [10, 15, 20, 30]), True),
        (lambda rng: within(rng, 20, 4, 1.0), False),
        (lambda rng: within(rng, 30, 4, 0.6), False),
    ],
    ids=["pairs", "rest", "shared", "partly shared"],
)
def test_all_intervals_together_cover(make, rest):
    rng, covered = np.random.default_rng(7), []
    for seed in range(300):
        tally = make(rng)
        found, weights = (
            against_rest(ACCURACY, tally, np.ones(4, bool))
            if rest
            else (influence(ACCURACY, tally), pairs(np.ones(4, bool))[0])
        )
        result = contrast(found, weights, 0.95, seed, draws=999)
        covered.append(((result.low <= 0) & (result.high >= 0)).all())
    assert 0.91 <= np.mean(covered) <= 0.99


def test_a_small_group_is_not_hidden_behind_large_ones():
    # Centred over all clusters of a contrast at once, these intervals cover 83 % (800 data sets).
    rng, covered = np.random.default_rng(8), []
    for seed in range(300):
        sizes = [5, 8, 60, 60]
        found = influence(ACCURACY, apart(rng, sizes))
        result = contrast(found, pairs(np.ones(4, bool))[0], 0.95, seed, draws=999)
        covered.append(((result.low <= 0) & (result.high >= 0)).all())
    assert np.mean(covered) >= 0.875


def test_intervals_and_adjusted_p_say_the_same():
    rng, agree, outside = np.random.default_rng(9), [], 0
    for seed in range(40):
        table = rng.normal(size=(40, 5)) + np.linspace(0, 0.9, 5)
        result = contrast(means(table, np.arange(40)), pairs(np.ones(5, bool))[0], 0.9, seed, draws=499)
        excluded = (result.low > 0) | (result.high < 0)
        agree.append(((result.p_adjusted <= 0.1) == excluded).all())
        outside += excluded.sum()
        assert (result.p_adjusted >= result.p).all()
    assert all(agree)
    assert 40 < outside < 360


def test_same_bytes_again_and_for_any_block_size(monkeypatch):
    found = influence(ACCURACY, within(np.random.default_rng(10), 25, 4, 0.7))
    found = Influence(found.estimate, found.pull, np.arange(len(found.pull)) % 3 + 1, found.clusters, None)
    weights = pairs(np.ones(4, bool))[0]
    fields = ("estimate", "se", "df", "low", "high", "p", "p_adjusted")

    def run(seed):
        result = contrast(found, weights, 0.95, seed, draws=700)
        return [getattr(result, name).tobytes() for name in fields]

    whole = run(11)
    assert run(11) == whole
    assert run(12) != whole
    for elements in (1, 1_000, 4_321):
        monkeypatch.setattr(module, "_ELEMENTS", elements)
        assert run(11) == whole


def test_equal_clusters_collapse():
    # 300 rows of no person, right or wrong: four kinds with multiplicities, or 300 clusters.
    rng = np.random.default_rng(12)
    hit, value = rng.integers(0, 2, 300), rng.integers(0, 2, 300)
    hit[value == 0] |= rng.random((value == 0).sum()) < 0.15
    long = accuracy_tally(hit, np.ones(300, int), value, 2, np.arange(300))
    kinds, times = np.unique(np.stack([value, hit], 1), axis=0, return_counts=True)
    short = Tally(
        np.stack([kinds[:, 1], 1 - kinds[:, 1]], -1)[:, None, :], kinds[:, 0], times, 2
    )  # fmt: skip
    weights = np.array([[1.0, -1]])
    one, other = (contrast(influence(ACCURACY, t), weights, 0.95, 1, draws=19_999) for t in (short, long))
    for name in ("estimate", "se", "df"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9)
    assert one.p == pytest.approx(other.p, abs=0.012)
    assert one.high == pytest.approx(other.high, abs=0.006)


def test_what_cannot_be_contrasted_says_why():
    tally = accuracy_tally(
        [3, 4, 2, 5, 4, 3] + [1, 2, 1, 0] + [5] * 6 + [2, 5, 3, 4, 1],
        [6] * 10 + [5] * 6 + [6] * 5,
        [0] * 6 + [1] * 4 + [2] * 6 + [4] * 5,
        5,
        np.arange(21),
    )
    weights, both = pairs(np.ones(5, bool))
    result = contrast(influence(ACCURACY, tally), weights, 0.95, seed=1, draws=999)
    reason = dict(zip(both, result.reason, strict=True))
    assert reason[0, 1] == "no interval: a value has fewer than 5 clusters"
    assert reason[0, 2] == "no interval: a value is the same without any one cluster"
    assert reason[0, 3] == reason[1, 3] == "undefined: a value is undefined"
    known = [why is None for why in result.reason]
    assert [pair for pair, ok in zip(both, known, strict=True) if ok] == [(0, 4)]
    for name in ("low", "high", "p", "p_adjusted", "df"):
        assert np.isfinite(getattr(result, name)).tolist() == known
    alone = contrast(influence(ACCURACY, tally), weights[[both.index((0, 4))]], 0.95, seed=1, draws=999)
    assert alone.high[0] == result.high[both.index((0, 4))]


def test_five_equal_steps_are_t_on_four_degrees():
    found = Influence(np.array([0.3]), np.full((5, 1), 0.1), np.ones(5, int), np.array([5]), np.arange(5))
    result = contrast(found, np.array([[1.0]]), 0.95, seed=1)
    assert result.df[0] == 4
    assert result.low[0] == pytest.approx(0.3 - stats.t.ppf(0.975, 4) * np.sqrt(0.05), rel=1e-12)


@pytest.mark.parametrize("name", ["accuracy", "uar", "ccc_valence"])
@pytest.mark.parametrize("shared", [True, False])
def test_the_rest_is_all_rows_of_the_other_values(name, shared):
    metric, tally = METRICS[name], random_tally(13, name, clusters=18, values=3, shared=shared)
    found, weights = against_rest(metric, tally, np.ones(3, bool))
    for g in range(3):
        # The rest added up by hand, cluster by cluster.
        entries = []
        for c in range(18):
            for side, mask in enumerate((tally.value == g, tally.value != g)):
                mine = mask & (tally.cluster == c)
                if mine.any():
                    entries.append((sum(tally.stats[k] for k in np.flatnonzero(mine)), side, c))
        merged, side, cluster = (np.array(part) for part in zip(*entries, strict=True))
        direct = influence(metric, Tally(merged, side, np.ones(len(side), int), 2, cluster))
        expected = np.array([1.0, -1])
        assert weights[g] @ found.estimate == pytest.approx(expected @ direct.estimate, rel=1e-10)
        assert found.variance(weights[[g]]) == pytest.approx(direct.variance(expected[None]), rel=1e-9)
        assert found.clusters[[g, 3 + g]].tolist() == direct.clusters.tolist()


def test_of_two_values_each_is_the_rest_of_the_other():
    tally = within(np.random.default_rng(14), 20, 2, 0.8)
    rest = contrast(*against_rest(ACCURACY, tally, np.ones(2, bool)), 0.95, seed=1, draws=999)
    pair = contrast(influence(ACCURACY, tally), np.array([[1.0, -1]]), 0.95, seed=1, draws=999)
    for name in ("estimate", "se", "df"):
        one, other = getattr(rest, name), getattr(pair, name)[0]
        assert one == pytest.approx([other, -other if name == "estimate" else other], rel=1e-9)
    # Two contrasts that are one: what is drawn for the family says so, to the error of the draws.
    assert (rest.low[0], rest.high[0]) == pytest.approx((pair.low[0], pair.high[0]), abs=0.01)
    assert rest.low[0] == pytest.approx(-rest.high[1], rel=1e-9)
