"""Contrasts by hand, by enumeration of all signs, against t tests, and in simulated truth."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bench.judge import contrasts as module
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


def replicate(found, weight, signs):
    """T* from its definition: sign, centre per value, blow up, square, add."""
    moved = np.zeros_like(found.pull)
    for v in range(found.pull.shape[1]):
        mine = found.pull[:, v] != 0
        n = mine.sum()
        signed = signs[mine] * found.pull[mine, v]
        moved[mine, v] = np.sqrt(n / (n - 1)) * (signed - signed.mean())
    return (signs @ found.pull @ weight) / np.sqrt(((moved @ weight) ** 2).sum())


def test_pairs_are_g_minus_h():
    weights, both = pairs(np.array([True, False, True, True]))
    assert both == [(0, 2), (0, 3), (2, 3)]
    assert weights.tolist() == [[1, 0, -1, 0], [1, 0, 0, -1], [0, 0, 1, -1]]


def test_a_tiny_case_by_enumeration_of_all_signs():
    # x - y: 3 - 2.2 = .8; variances of the means 2.5 / 5 and .7 / 5
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([1.0, 2, 2.5, 2.3, 3.2])
    found = two_groups(x, y)
    weights = np.array([[1.0, -1]])
    result = contrast(found, weights, 0.95, seed=1, draws=19_999)
    assert result.estimate[0] == pytest.approx(0.8)
    assert result.se[0] == pytest.approx(np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 5))
    observed = 0.8 / result.se[0]
    # The middle of x has no influence: 9 clusters have a sign. T* of equal size is counted as at least T.
    signs = np.array(list(product([-1.0, 1], repeat=10)))
    size = np.abs([replicate(found, weights[0], s) for s in signs])
    assert result.p[0] == pytest.approx(
        max((size >= observed - 1e-9).mean(), 2 * stats.t.sf(observed, result.df[0])), abs=0.012
    )
    half = (result.high[0] - result.low[0]) / 2 / result.se[0]
    critical = max(np.quantile(size, 0.95, method="inverted_cdf"), stats.t.ppf(0.975, result.df[0]))
    assert half == pytest.approx(critical, rel=0.05)


@pytest.mark.parametrize("share", [1.0, 0.6, 0.0])
def test_replicates_equal_their_definition(share):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(24, 3))
    table[rng.random(table.shape) > share] = np.nan
    if share == 0.0:
        table[np.arange(24), np.arange(24) % 3] = rng.normal(size=24)
    found = means(table, np.arange(24))
    weights = np.array([[1.0, -1, 0], [0.5, 0.5, -1], [0, 1, -1]])
    (signs,) = module._signs(found.multiplicity, 5, 50, 50)
    (size,) = module._replicates(found, weights, 5, 50)
    expected = [[abs(replicate(found, weight, s)) for weight in weights] for s in signs]
    assert size == pytest.approx(np.array(expected), rel=1e-9)


def test_signs_are_fair_and_independent():
    (signs,) = module._signs(np.array([1, 1, 1, 9, 4]), 7, 20_000, 20_000)
    assert set(np.unique(signs[:, :3])) == {-1.0, 1.0}
    assert set(np.unique(signs[:, 4])) == {-4.0, -2, 0, 2, 4}
    assert np.cov(signs.T) == pytest.approx(np.diag([1, 1, 1, 9, 4]), abs=0.15)


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
    assert result.df[0] == 79
    assert result.p[0] == pytest.approx(paired.pvalue, abs=0.015)
    interval = paired.confidence_interval(0.95)
    assert (result.low[0], result.high[0]) == pytest.approx((interval.low, interval.high), abs=0.02)


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


def test_signs_of_too_few_clusters_give_no_interval():
    # Five equal steps, all of one sign in 1 of 16 draws: no 95 % quantile of T* is finite.
    found = Influence(np.array([0.3]), np.full((5, 1), 0.1), np.ones(5, int), np.array([5]), np.arange(5))
    result = contrast(found, np.array([[1.0]]), 0.95, seed=1)
    assert np.isnan(result.low[0])
    assert result.reason[0].startswith("no interval: too few clusters")
    assert result.p[0] >= 0.05


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
    assert (rest.low[0], rest.high[0]) == pytest.approx((pair.low[0], pair.high[0]), rel=1e-9)
