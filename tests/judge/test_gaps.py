"""Gaps against exhaustive enumeration over raw rows, scipy, exact distributions and simulated truth."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.judge import gaps
from bench.judge.atoms import Tally
from bench.judge.gaps import gap
from bench.judge.metrics import METRICS
from tests.judge.made import moment_sums

ACCURACY, UAR, CCC, RMSE = (METRICS[name] for name in ("accuracy", "uar", "ccc_valence", "rmse_valence"))
SIZES = (2, 3, 3)
GROUP = np.repeat(np.arange(3), SIZES)


def deals():
    """All 560 ways to deal eight clusters to groups of 2, 3 and 3."""
    return np.array(sorted(set(itertools.permutations(GROUP.tolist()))))


def hit_tally(hits, trials, group, cluster=None):
    """Proportions: a 1 x 2 confusion an entry, hit or miss."""
    hits, trials, group = (np.asarray(part) for part in (hits, trials, group))
    confusion = np.stack([hits, trials - hits], axis=-1)[:, None, :]
    clusters = np.arange(len(hits)) if cluster is None else np.asarray(cluster)
    return Tally(confusion, group, np.ones(len(hits), int), int(group.max()) + 1, clusters)


def label_rows(rng, clusters, rows=12, labels=3):
    """(truth, prediction) of each cluster; persons differ in how often they are read right."""
    skill = rng.uniform(0.3, 0.9, clusters)
    found = []
    for each in skill:
        truth = np.arange(rows + rng.integers(0, 6)) % labels
        guess = np.where(rng.random(len(truth)) < each, truth, rng.integers(0, labels + 1, len(truth)))
        found.append((truth, guess))
    return found


def confusion_tally(rows, group, cluster=None, labels=3):
    found = np.zeros((len(rows), labels, labels + 1), int)
    for entry, (truth, guess) in enumerate(rows):
        np.add.at(found[entry], (truth, guess), 1)
    clusters = np.arange(len(rows)) if cluster is None else np.asarray(cluster)
    return Tally(found, np.asarray(group), np.ones(len(rows), int), int(max(group)) + 1, clusters)


def affect_rows(rng, clusters):
    found = []
    for rows in rng.integers(5, 12, clusters):
        x = rng.normal(size=rows)
        found.append((x, rng.uniform(0.3, 1.2) * x + rng.normal(0, 0.6, rows)))
    return found


def moment_tally(rows, group):
    moments = [moment_sums(x, y) for x, y in rows]
    clusters = np.arange(len(rows))
    return Tally(np.array(moments), np.asarray(group), np.ones(len(rows), int), int(max(group)) + 1, clusters)


def plain_uar(rows):
    truth, guess = (np.concatenate(part) for part in zip(*rows, strict=True))
    return np.mean([np.mean(guess[truth == k] == k) for k in np.unique(truth)])


def plain_accuracy(rows):
    truth, guess = (np.concatenate(part) for part in zip(*rows, strict=True))
    return np.mean(truth == guess)


def plain_ccc(rows):
    x, y = (np.concatenate(part) for part in zip(*rows, strict=True))
    return 2 * np.cov(x, y, bias=True)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def plain_rmse(rows):
    x, y = (np.concatenate(part) for part in zip(*rows, strict=True))
    return math.sqrt(np.mean((x - y) ** 2))


def same(value):
    return value


def by_hand(rows, group, value, scale):
    """The studentised statistic and the plain gap, from raw rows and loops."""
    points, errors, plain = [], [], []
    for g in sorted(set(group.tolist())):
        mine = [row for row, of in zip(rows, group, strict=True) if of == g]
        plain.append(value(mine))
        if value is plain_accuracy:
            a = np.array([np.sum(t == p) for t, p in mine])
            b = np.array([len(t) for t, _ in mine])
            theta, n, count = a.sum() / b.sum(), b.sum(), len(mine)
            v = count / (count - 1) * np.sum((a - theta * b) ** 2) / n**2
            theta = min(max(theta, 0.5 / (n + 1)), 1 - 0.5 / (n + 1))
            points.append(math.log(theta / (1 - theta)))
            errors.append(v / (theta * (1 - theta)) ** 2)
        else:
            without = np.array([scale(value(mine[:i] + mine[i + 1 :])) for i in range(len(mine))])
            points.append(scale(plain[-1]))
            errors.append((len(mine) - 1) / len(mine) * np.sum((without - without.mean()) ** 2))
    pairs = itertools.combinations(range(len(points)), 2)
    statistic = max(abs(points[g] - points[h]) / math.sqrt(errors[g] + errors[h]) for g, h in pairs)
    return statistic, max(plain) - min(plain)


def monte_carlo_error(p, draws):
    return 4 * math.sqrt(p * (1 - p) / draws) + 2 / draws


CASES = pytest.mark.parametrize(
    ("metric", "made", "tallied", "value", "scale"),
    [
        (ACCURACY, label_rows, confusion_tally, plain_accuracy, same),
        (UAR, label_rows, confusion_tally, plain_uar, same),
        (CCC, affect_rows, moment_tally, plain_ccc, math.atanh),
        (RMSE, affect_rows, moment_tally, plain_rmse, same),
    ],
    ids=lambda part: getattr(part, "name", None),
)


def observed(metric, tally):
    with np.errstate(divide="ignore", invalid="ignore"):
        return gaps._permute(metric, tally, np.random.default_rng(0), 0).observed


@CASES
def test_the_statistic_by_hand(metric, made, tallied, value, scale):
    rows = made(np.random.default_rng(6), 8)
    for group in deals()[::20]:
        expected, _ = by_hand(rows, group, value, scale)
        assert observed(metric, tallied(rows, group)) == pytest.approx(expected, rel=1e-9)


def test_a_rate_of_one_is_clipped():
    rows = label_rows(np.random.default_rng(6), 8)
    rows[:2] = [(truth, truth) for truth, _ in rows[:2]]
    expected, _ = by_hand(rows, GROUP, plain_accuracy, same)
    assert observed(ACCURACY, confusion_tally(rows, GROUP)) == pytest.approx(expected, rel=1e-9)


@CASES
def test_all_deals_enumerated_from_raw_rows(metric, made, tallied, value, scale):
    rows = made(np.random.default_rng(5), 8)
    exact = np.array([by_hand(rows, group, value, scale) for group in deals()])
    statistic, spread = by_hand(rows, GROUP, value, scale)
    found = gap(metric, tallied(rows, GROUP), np.ones(3, bool), 0)
    assert found.method == "permutation-studentised"
    assert found.reason is None
    assert found.clusters == 8
    assert found.estimate == pytest.approx(spread, abs=1e-12)
    p = np.mean(exact[:, 0] >= statistic * (1 - 1e-9))
    assert 0.02 < p < 0.98
    assert found.p == pytest.approx(p, abs=monte_carlo_error(p, 9_999))
    assert found.null_mean == pytest.approx(exact[:, 1].mean(), abs=4 * exact[:, 1].std() / 99)
    low, high = np.quantile(exact[:, 1], [0.94, 0.96])
    assert low - 1e-12 <= found.null_p95 <= high + 1e-12


def test_plain_null_equals_scipy():
    hits, trials = np.array([9, 4, 7, 3, 8, 5, 6, 1, 7, 9, 2]), 10
    group = np.repeat([0, 1, 2], (3, 4, 4))

    def spread(*groups):
        rates = [np.mean(each) / trials for each in groups]
        return max(rates) - min(rates)

    samples = [hits[group == g] for g in range(3)]
    exact = stats.permutation_test(samples, spread, n_resamples=np.inf, alternative="greater")
    assert len(exact.null_distribution) == 11_550
    found = gap(ACCURACY, hit_tally(hits, np.full(11, trials), group), np.ones(3, bool), 0)
    assert found.estimate == pytest.approx(exact.statistic, abs=1e-12)
    null = exact.null_distribution
    assert found.null_mean == pytest.approx(null.mean(), abs=4 * null.std() / 99)
    low, high = np.quantile(null, [0.94, 0.96])
    assert low - 1e-12 <= found.null_p95 <= high + 1e-12


def shared_rows(seed=3, persons=9):
    """Nine persons, seven of whom are seen under both lights."""
    rows = label_rows(np.random.default_rng(seed), 2 * persons - 2)
    cluster = np.r_[np.arange(persons), np.arange(persons - 2)]
    return rows, np.repeat([0, 1], [persons, persons - 2]), cluster


def test_all_signs_enumerated_for_proportions():
    rows, group, cluster = shared_rows()
    a = np.array([np.sum(t == p) for t, p in rows])
    b = np.array([len(t) for t, _ in rows])
    score = np.zeros((9, 2))
    for hits, trials, g, i in zip(a, b, group, cluster, strict=True):
        score[i, g] = (hits - a.sum() / b.sum() * trials) / b[group == g].sum()
    check_signs(ACCURACY, score, abs(np.diff([a[group == g].sum() / b[group == g].sum() for g in (0, 1)])[0]))


def test_all_signs_enumerated_for_uar():
    rows, group, cluster = shared_rows()
    pull = np.zeros((9, 2))
    values = []
    for g in (0, 1):
        mine = [row for row, of in zip(rows, group, strict=True) if of == g]
        without = np.array([plain_uar(mine[:i] + mine[i + 1 :]) for i in range(len(mine))])
        pull[cluster[group == g], g] = math.sqrt((len(mine) - 1) / len(mine)) * (without.mean() - without)
        values.append(plain_uar(mine))
    check_signs(UAR, pull, abs(values[0] - values[1]))


def check_signs(metric, score, spread):
    rows, group, cluster = shared_rows()
    exact = np.array([np.ptp(np.array(s) @ score) for s in itertools.product([-1, 1], repeat=9)])
    found = gap(metric, confusion_tally(rows, group, cluster), np.ones(2, bool), 0)
    assert found.method == "sign-flip-within-clusters"
    assert found.clusters == 9
    assert found.estimate == pytest.approx(spread, abs=1e-12)
    p = np.mean(exact >= spread * (1 - 1e-9))
    assert 0.02 < p < 0.98
    assert found.p == pytest.approx(p, abs=monte_carlo_error(p, 9_999))
    assert found.null_mean == pytest.approx(exact.mean(), abs=4 * exact.std() / 99)
    low, high = np.quantile(exact, [0.94, 0.96])
    assert low - 1e-12 <= found.null_p95 <= high + 1e-12


def alone(counts):
    """Rows that are their own clusters: counts (V, K, K + 1) of each outcome, collapsed."""
    value, *cell = np.nonzero(counts)
    size = counts[0].size
    kinds = np.eye(size, dtype=int)[np.ravel_multi_index(cell, counts.shape[1:])]
    return Tally(kinds.reshape(-1, *counts.shape[1:]), value, counts[(value, *cell)], len(counts))


def test_rows_alone_equal_the_exact_hypergeometric():
    hits, size = np.array([31, 52]), np.array([50, 70])
    found = gap(ACCURACY, alone(np.stack([hits, size - hits], -1)[:, None, :]), np.ones(2, bool), 0)

    def judge(x):
        theta = np.array([x, hits.sum() - x]) / size
        inside = np.clip(theta, 0.5 / (size + 1), 1 - 0.5 / (size + 1))
        w = theta * (1 - theta) / (size - 1) / (inside * (1 - inside)) ** 2
        return abs(np.diff(np.log(inside / (1 - inside)))[0]) / math.sqrt(w.sum()), np.ptp(theta)

    # The second group holds at most 70 of the 83 hits.
    held = np.arange(13, 51)
    exact = np.array([judge(x) for x in held])
    chance = stats.hypergeom(size.sum(), hits.sum(), size[0]).pmf(held)
    p = chance[exact[:, 0] >= judge(31)[0] * (1 - 1e-9)].sum()
    assert found.estimate == pytest.approx(52 / 70 - 0.62, abs=1e-12)
    assert found.clusters == 120
    assert found.p == pytest.approx(p, abs=monte_carlo_error(p, 9_999))
    mean = chance @ exact[:, 1]
    error = math.sqrt(chance @ (exact[:, 1] - mean) ** 2) / 99
    assert found.null_mean == pytest.approx(mean, abs=4 * error)


def test_kinds_a_group_lacks_take_nothing_from_it(monkeypatch):
    # The first group never predicts its two rows of class 1: less a row of kind (1, 1) its F1 would be 0 / 0.
    counts = np.array([[[90, 0, 3], [2, 0, 0]], [[80, 5, 3], [4, 30, 2]]])
    tally, macro_f1 = alone(counts), METRICS["macro_f1"]
    counted = observed(macro_f1, tally)
    monkeypatch.setattr(gaps._Pool, "single", True)
    assert math.isfinite(counted)
    assert counted == pytest.approx(observed(macro_f1, tally), rel=1e-9)


@pytest.mark.parametrize("metric", [ACCURACY, UAR], ids=["accuracy", "uar"])
def test_counted_deals_are_those_of_rows_dealt_one_by_one(metric, monkeypatch):
    counts = np.random.default_rng(2).integers(5, 30, (3, 2, 3)) + 30 * np.eye(2, 3, dtype=int)
    tally = alone(counts)
    counted = gap(metric, tally, np.ones(3, bool), 0)
    monkeypatch.setattr(gaps._Pool, "single", True)
    one_by_one = gap(metric, tally, np.ones(3, bool), 1)
    assert counted.clusters == one_by_one.clusters == counts.sum()
    assert counted.estimate == one_by_one.estimate
    assert 0.02 < counted.p < 0.98
    assert counted.p == pytest.approx(one_by_one.p, abs=math.sqrt(2) * monte_carlo_error(counted.p, 9_999))
    # The spread of a gap is below its mean; 3 % is four errors of a difference of two means of 9,999 draws.
    assert counted.null_mean == pytest.approx(one_by_one.null_mean, rel=0.03)
    assert counted.null_p95 == pytest.approx(one_by_one.null_p95, rel=0.05)
    assert counted.null_mean != one_by_one.null_mean


def examples():
    rng = np.random.default_rng(8)
    rows, lights, cluster = shared_rows(persons=80)
    group = rng.permutation(np.repeat([0, 1, 2], (5, 9, 12)))
    yield ACCURACY, confusion_tally(label_rows(rng, 26), group)
    yield UAR, confusion_tally(label_rows(rng, 26), group)
    yield CCC, moment_tally(affect_rows(rng, 26), group)
    yield UAR, alone(rng.integers(20, 60, (3, 2, 3)))
    yield UAR, confusion_tally(rows, lights, cluster)


@pytest.mark.parametrize(("metric", "tally"), list(examples()))
def test_same_bytes_on_rerun_and_for_every_block(metric, tally, monkeypatch):
    included = np.ones(tally.values, bool)
    first = gap(metric, tally, included, 7, 499)
    assert first == gap(metric, tally, included, 7, 499)
    assert first != gap(metric, tally, included, 8, 499)
    for block in (1, 20_011, 1 << 24):
        monkeypatch.setattr(gaps, "_BLOCK", block)
        assert gap(metric, tally, included, 7, 499) == first


@pytest.mark.parametrize(("metric", "tally"), list(examples()))
def test_neither_order_of_entries_nor_names_of_values_matter(metric, tally):
    included = np.ones(tally.values, bool)
    first = gap(metric, tally, included, 7, 499)
    order = np.random.default_rng(1).permutation(len(tally.value))
    cluster = None if tally.cluster is None else tally.cluster[order]
    stats_, value, times = tally.stats[order], tally.value[order], tally.multiplicity[order]
    shuffled = Tally(stats_, value, times, tally.values, cluster)
    renamed = Tally(stats_, tally.values - 1 - value, times, tally.values, cluster)
    for other in (shuffled, renamed):
        found = gap(metric, other, included, 7, 499)
        assert found.p == first.p
        assert found.null_mean == pytest.approx(first.null_mean, rel=1e-10)
        assert found.estimate == pytest.approx(first.estimate, rel=1e-10)


def test_clusters_of_other_values_leave():
    metric, tally = next(examples())
    pair = tally.where(tally.value != 1)
    alone_ = gap(metric, replace(pair, value=pair.value // 2, values=2), np.ones(2, bool), 7, 499)
    assert gap(metric, tally, np.array([True, False, True]), 7, 499) == alone_
    assert alone_.clusters == 17


def beta_hits(rng, rate, icc, trials):
    """Hits of clusters whose rates are beta with the intra-class correlation."""
    share = 1 / icc - 1
    return rng.binomial(trials, rng.beta(rate * share, (1 - rate) * share, len(trials)))


def between(rng, rates):
    """Groups that differ in size, cluster size and intra-class correlation."""
    group = np.repeat([0, 1, 2], (12, 20, 40))
    trials = np.repeat([40, 10, 20], (12, 20, 40))
    iccs = (0.3, 0.05, 0.15)
    hits = [
        beta_hits(rng, rate, icc, trials[group == g])
        for g, (rate, icc) in enumerate(zip(rates, iccs, strict=True))
    ]
    return hit_tally(np.concatenate(hits), trials, group)


def within(rng, rates):
    """Twenty persons seen under three lights, with rows of unequal number."""
    skill = rng.normal(0, 0.1, 20)
    trials = np.stack([np.full(20, 8), np.full(20, 25), rng.integers(5, 40, 20)])
    hits = rng.binomial(trials, np.clip(np.array(rates)[:, None] + skill, 0.01, 0.99))
    return hit_tally(hits.ravel(), trials.ravel(), np.repeat([0, 1, 2], 20), np.tile(np.arange(20), 3))


def alarms(design, rates, trials):
    rng = np.random.default_rng(11)
    found = [gap(ACCURACY, design(rng, rates), np.ones(3, bool), seed, 199) for seed in range(trials)]
    assert all(each.reason is None for each in found)
    return np.mean([each.p <= 0.05 for each in found])


@pytest.mark.parametrize("design", [between, within])
def test_false_alarms_are_rare(design):
    assert 0.01 <= alarms(design, (0.7, 0.7, 0.7), 400) <= 0.09


@pytest.mark.parametrize("design", [between, within])
def test_a_planted_gap_is_found(design):
    assert alarms(design, (0.75, 0.75, 0.5), 60) > 0.8


def test_perfect_groups_do_not_differ():
    found = gap(ACCURACY, hit_tally([5] * 12, [5] * 12, np.repeat([0, 1], 6)), np.ones(2, bool), 0, 199)
    assert (found.estimate, found.null_mean, found.null_p95, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_groups_without_any_variance_can_differ():
    # All right against all wrong: only the deal itself and its mirror are as extreme, 2 of C(10, 5) = 252.
    found = gap(ACCURACY, hit_tally([4] * 5 + [0] * 5, [4] * 10, np.repeat([0, 1], 5)), np.ones(2, bool), 0)
    assert found.estimate == 1.0
    assert found.p == pytest.approx(2 / 252, abs=monte_carlo_error(2 / 252, 9_999))


@pytest.mark.parametrize("metric", [ACCURACY, UAR], ids=["accuracy", "uar"])
def test_rounding_is_no_variance(metric):
    for trials in (7, 10, 49):
        hits = [trials - 1] * 6 + [2] * 7
        assert observed(metric, hit_tally(hits, [trials] * 13, np.repeat([0, 1], (6, 7)))) == np.inf


def test_what_cannot_be_tested_says_why():
    rows = label_rows(np.random.default_rng(4), 12)
    tally = confusion_tally(rows, np.repeat([0, 1, 2], (1, 5, 6)))
    one = gap(UAR, tally, np.array([False, True, False]), 0)
    assert math.isnan(one.estimate)
    assert one.reason == "no gap: fewer than two values to compare"
    few = gap(UAR, tally, np.array([True, True, False]), 0)
    assert few.estimate > 0
    assert math.isnan(few.p)
    assert few.reason == "no test: a value rests on fewer than two clusters"
    tally.stats[tally.value == 0] = 0
    empty = gap(UAR, tally, np.array([True, True, False]), 0)
    assert math.isnan(empty.estimate)
    assert empty.reason == "no gap: a value is undefined, no rows"
    assert {one.method, few.method, empty.method} == {None}


@pytest.mark.parametrize("shared", [False, True])
def test_a_class_that_can_be_lost_leaves_no_test(shared):
    rows = label_rows(np.random.default_rng(4), 12)
    cluster = np.tile(np.arange(6), 2) if shared else np.arange(12)
    tally = confusion_tally(rows, np.repeat([0, 1], 6), cluster)
    tally.stats[:5, 2] = 0
    found = gap(UAR, tally, np.ones(2, bool), 0, 199)
    assert found.estimate > 0
    assert math.isnan(found.p)
    assert found.reason == "no test: a value is undefined, or loses a class, without some cluster"


def test_a_class_held_by_few_clusters_is_lost_in_too_many_draws():
    # Two clusters of each group hold the third class: a draw often leaves one group with none or one.
    rows = label_rows(np.random.default_rng(4), 12)
    tally = confusion_tally(rows, np.repeat([0, 1], 6))
    tally.stats[[0, 1, 2, 3, 6, 7, 8, 9], 2] = 0
    found = gap(UAR, tally, np.ones(2, bool), 0)
    # Defined only where each group is dealt two of the four: C(4, 2) C(8, 4) / C(12, 6) = 5 / 11.
    share = float(found.reason.removeprefix("no test: ").split("%")[0]) / 100
    assert share == pytest.approx(6 / 11, abs=0.02)
    assert math.isnan(found.p)
    assert math.isnan(found.null_mean)


def test_few_undefined_draws_are_not_counted():
    drawn = np.r_[np.full(40, 2.0), np.zeros(950), np.full(10, np.nan)]
    nothing = gaps.Gap(0.1, np.nan, np.nan, np.nan, 9, None, None)
    found = gaps._compare(nothing, gaps._Null("m", 2.0 + 1e-15, drawn, drawn))
    assert found.p == 41 / 991
    assert found.null_mean == pytest.approx(80 / 990, abs=1e-15)
    more = gaps._compare(nothing, gaps._Null("m", 2.0, drawn[1:], drawn[1:]))
    assert more.reason == "no test: 1.0% of the draws leave a value undefined"
    assert math.isnan(more.p)
