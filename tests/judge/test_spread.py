"""Spread, ratios and detectable differences: by hand, against planted truth and the noncentral t."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, nct, t

from bench.judge.spread import error_ratio, min_max_ratio, ratio_alarm, sdd80, spread


def test_spread_by_hand():
    # var of .5 .6 .7 is .01; mean V .004: s2 .006; factors .006 / .008, .6, .5
    found = spread(np.array([0.5, 0.6, np.nan, 0.7]), np.diag([0.002, 0.004, 0.001, 0.006]))
    assert found.variance == pytest.approx(0.006)
    assert found.shrunken == pytest.approx([0.6 - 0.1 * 0.75, 0.6, np.nan, 0.65], nan_ok=True)


@pytest.mark.parametrize("shared", [0.0, 3.0])
def test_spread_finds_what_was_planted(shared):
    rng = np.random.default_rng(1)
    variances = np.linspace(0.5, 2, 10)
    truth = rng.normal(0, 1.5, (4000, 10))
    seen = truth + rng.normal(0, np.sqrt(variances), truth.shape) + rng.normal(0, shared, (4000, 1))
    found = [spread(row, np.diag(variances) + shared**2) for row in seen]
    assert np.mean([f.variance for f in found]) == pytest.approx(2.25, abs=0.08)
    shrunken = np.array([f.shrunken for f in found])
    wrong, plain = (
        each - each.mean(axis=1)[:, None] - truth + truth.mean(axis=1)[:, None] for each in (shrunken, seen)
    )
    assert (wrong**2).mean() < 0.85 * (plain**2).mean()


def test_what_groups_share_is_no_likeness():
    # Sixty persons seen in each of three groups; theirs is a standard deviation of .28 on all three.
    rng, truth, found = np.random.default_rng(0), np.array([0.62, 0.65, 0.68]), []
    for _ in range(600):
        person = rng.choice([-0.28, 0.28], 60)
        seen = rng.binomial(40, truth + person[:, None]) / 40
        found.append(spread(seen.mean(axis=0), np.cov(seen.T) / 60).variance)
    # The variance of each value alone, .0013, is more than that of the three truths.
    assert np.mean(found) == pytest.approx(truth.var(ddof=1), rel=0.05)
    assert np.mean(np.array(found) == 0) < 0.01


def test_shrinking_with_a_shared_part_by_hand():
    # C = .002 I + .01: var of .5 .6 .7 is .01, less .012 - .01: s2 .008, factor .008 / (.008 + .002)
    found = spread(np.array([0.5, 0.6, 0.7]), 0.002 * np.eye(3) + 0.01)
    assert found.variance == pytest.approx(0.008)
    assert found.shrunken == pytest.approx([0.52, 0.6, 0.68])


def test_no_spread_beyond_noise_is_nought_and_all_shrink_to_the_mean():
    found = spread(np.array([0.4, 0.6]), np.diag([0.1, 0.1]))
    assert found.variance == 0.0
    assert found.shrunken.tolist() == [0.5, 0.5]
    exact = spread(np.array([0.4, 0.4]), np.diag([0.0, 0.0]))
    assert exact.shrunken.tolist() == [0.4, 0.4]


def test_one_group_has_no_spread_nor_ratio():
    found = spread(np.array([0.4, np.nan]), np.diag([0.1, 0.1]))
    assert np.isnan(found.variance)
    assert np.isnan(found.shrunken).all()
    assert np.isnan(min_max_ratio(np.array([0.4, np.nan])))
    assert np.isnan(error_ratio(np.array([1.0, 0]), np.array([5.0, 0])))
    assert np.isnan(ratio_alarm(0.3, np.array([10, 0]), seed=1))


def test_ratios_by_hand():
    # (0 + .5) / 10 = .05, (3 + .5) / 10 = .35, geometric mean sqrt(.0175)
    assert error_ratio(np.array([0.0, 3, 0]), np.array([9.0, 9, 0])) == pytest.approx(0.35 / 0.0175**0.5)
    assert error_ratio(np.array([2.0, 2]), np.array([9.0, 9])) == pytest.approx(1)
    assert min_max_ratio(np.array([0.6, np.nan, 0.8])) == pytest.approx(0.75)
    assert np.isnan(min_max_ratio(np.array([0.0, 0.0])))


def test_equal_rates_fall_below_four_fifths_nine_times_in_ten():
    assert ratio_alarm(0.3, np.full(6, 100), seed=1) == pytest.approx(0.90, abs=0.015)


def test_ratio_alarm_equals_enumeration_for_two_groups():
    x, y = np.arange(13), np.arange(21)
    chance = np.outer(binom.pmf(x, 12, 0.4), binom.pmf(y, 20, 0.4))
    rates = np.broadcast_arrays(x[:, None] / 12, y[None] / 20)
    low, high = np.minimum(*rates), np.maximum(*rates)
    expected = chance[low < 0.8 * high].sum()
    assert ratio_alarm(0.4, np.array([12, 20]), seed=2, draws=40_000) == pytest.approx(expected, abs=0.01)


def test_ratio_alarm_does_not_depend_on_blocks(monkeypatch):
    whole = ratio_alarm(0.3, np.array([20, 40, 60]), seed=3, draws=1_000)
    monkeypatch.setattr("bench.judge.spread._ELEMENTS", 21)
    assert ratio_alarm(0.3, np.array([20, 40, 60]), seed=3, draws=1_000) == whole


@pytest.mark.parametrize("df", [10, 30, 200])
def test_sdd80_is_detected_four_times_in_five(df):
    critical = np.full(2, t.ppf(0.975, df))
    found = sdd80(np.array([0.02, np.nan]), np.array([df, df], float), critical)
    assert found[0] == pytest.approx(0.02 * (t.ppf(0.975, df) + t.ppf(0.8, df)), rel=1e-9)
    assert np.isnan(found[1])
    power = 1 - nct.cdf(t.ppf(0.975, df), df, found[0] / 0.02)
    assert power == pytest.approx(0.8, abs=0.01)
