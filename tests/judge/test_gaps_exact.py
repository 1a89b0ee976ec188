"""Gaps against exhaustive enumeration over raw rows, scipy and exact distributions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from bench.judge.gaps import gap
from bench.judge.score import judge
from tests.judge.made import make_cell, make_suite, make_targets
from tests.judge.tallies import (
    ACCURACY,
    CCC,
    RMSE,
    UAR,
    affect_rows,
    alone,
    confusion_tally,
    hit_tally,
    label_rows,
    moment_tally,
    monte_carlo_error,
    observed,
    shared_rows,
)

SIZES = (2, 3, 3)
GROUP = np.repeat(np.arange(3), SIZES)


def deals():
    """All 560 ways to deal eight clusters to groups of 2, 3 and 3."""
    return np.array(sorted(set(itertools.permutations(GROUP.tolist()))))


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


CASES = pytest.mark.parametrize(
    ("metric", "made", "tallied", "value", "scale"),
    [
        (ACCURACY, label_rows, confusion_tally, plain_accuracy, same),
        (UAR, label_rows, confusion_tally, plain_uar, same),
        (CCC, affect_rows, moment_tally, plain_ccc, lambda r: 1 / (1 - r)),
        (RMSE, affect_rows, moment_tally, plain_rmse, lambda e: -1 / e**2),
    ],
    ids=lambda part: getattr(part, "name", None),
)


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
    pull, share, values = np.zeros((9, 2)), np.zeros((9, 2)), []
    for g in (0, 1):
        mine = [row for row, of in zip(rows, group, strict=True) if of == g]
        without = np.array([plain_uar(mine[:i] + mine[i + 1 :]) for i in range(len(mine))])
        pull[cluster[group == g], g] = math.sqrt((len(mine) - 1) / len(mine)) * (without.mean() - without)
        share[cluster[group == g], g] = [len(t) for t, _ in mine]
        values.append(plain_uar(mine))
    # Around the value that both would have if they did not differ.
    equal = share.sum(axis=0) @ values / share.sum()
    score = pull + (np.array(values) - equal) * share / share.sum(axis=0)
    check_signs(UAR, score, abs(values[0] - values[1]))


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


def test_groups_without_any_variance_can_differ():
    # All right against all wrong: only the deal itself and its mirror are as extreme, 2 of C(10, 5) = 252.
    found = gap(ACCURACY, hit_tally([4] * 5 + [0] * 5, [4] * 10, np.repeat([0, 1], 5)), np.ones(2, bool), 0)
    assert found.estimate == 1.0
    assert found.p == pytest.approx(2 / 252, abs=monte_carlo_error(2 / 252, 9_999))


def test_a_value_on_the_bound_of_its_range_needs_no_limit():
    """A perfect CCC has no slope on the atanh scale: no test, and no division by zero."""
    rng = np.random.default_rng(0)
    rows = 4_800
    targets = make_targets({
        "subject": [f"s{i // 20}" for i in range(rows)], "valence": rng.uniform(-1, 1, rows),
        "sex": np.array(["f", "m"])[np.arange(rows) // 20 % 2],
    })  # fmt: skip
    perfect = make_cell(targets, {"valence": targets.table["valence"].to_numpy()})
    table = judge([perfect], make_suite(slices=("sex",), metrics=("ccc_valence",)))
    (found,) = [r for r in table.to_pylist() if r["kind"] == "gap"]
    assert (found["estimate"], found["p"]) == (0.0, None)
    assert "no test" in found["warning"]
