"""Gaps of very many clusters: the limit of deals is as good as all deals, and needs none."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge import deals, gaps
from bench.judge.atoms import Tally
from bench.judge.gaps import gap
from bench.judge.influence import MANY
from tests.judge.made import moment_sums
from tests.judge.tallies import ACCURACY, CCC, RMSE, UAR, monte_carlo_error


def affect(rng, sizes, apart):
    """Rows alone with valence; the first group is read with more error."""
    value = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.uniform(-1, 1, len(value))
    y = 0.6 * x + (0.3 + apart * (value == 0)) * rng.uniform(-1.7, 1.7, len(value))
    sums = np.array([moment_sums(x[[i]], y[[i]]) for i in range(len(value))])
    return Tally(sums, value, np.ones(len(value), int), len(sizes))


def labels(rng, sizes, apart):
    """Rows alone of three classes, collapsed; the first group is read right more often."""
    value = np.repeat(np.arange(len(sizes)), sizes)
    truth, wrong = rng.integers(0, 3, (2, len(value)))
    guess = np.where(rng.random(len(value)) < 0.6 + apart * (value == 0), truth, wrong)
    counts = np.zeros((len(sizes), 3, 4), int)
    np.add.at(counts, (value, truth, guess), 1)
    value, *cell = np.nonzero(counts)
    kinds = np.eye(12, dtype=int)[np.ravel_multi_index(cell, (3, 4))].reshape(-1, 3, 4)
    return Tally(kinds, value, counts[(value, *cell)], len(sizes))


CASES = pytest.mark.parametrize(
    ("metric", "make", "sizes", "apart", "seed", "dealt"),
    [
        (CCC, affect, (1600, 1600), 0.02, 3, 0),
        (RMSE, affect, (1000, 60, 1100), 0.0, 3, 1),
        (UAR, labels, (600, 700, 800), 0.05, 3, 0),
        (ACCURACY, labels, (600, 40, 900), 0.02, 5, 1),
    ],
    ids=["ccc", "rmse", "uar", "accuracy"],
)


@CASES
def test_the_limit_agrees_with_all_deals(metric, make, sizes, apart, seed, dealt, monkeypatch):
    tally = make(np.random.default_rng(seed), sizes, apart)
    included, draws, seen = np.ones(len(sizes), bool), 4_999, set()
    whole = deals.Pool.deals

    def spied(pool, groups, *rest):
        seen.add(groups)
        return whole(pool, groups, *rest)

    monkeypatch.setattr(deals.Pool, "deals", spied)
    limit = gap(metric, tally, included, 1, draws)
    assert seen == {dealt}
    monkeypatch.setattr(gaps, "MANY", np.inf)
    dealt_all = gap(metric, tally, included, 2, draws)
    assert seen == {dealt, len(sizes)}
    assert limit.estimate == dealt_all.estimate
    assert limit.method == dealt_all.method
    assert 0.02 < dealt_all.p < 0.6
    assert limit.p == pytest.approx(dealt_all.p, abs=np.sqrt(2) * monte_carlo_error(dealt_all.p, draws))
    assert limit.null_mean == pytest.approx(dealt_all.null_mean, rel=0.04)
    assert limit.null_p95 == pytest.approx(dealt_all.null_p95, rel=0.06)


@CASES
def test_the_limit_is_the_same_for_every_block(metric, make, sizes, apart, seed, dealt, monkeypatch):
    tally, included = make(np.random.default_rng(seed), sizes, apart), np.ones(len(sizes), bool)
    first = gap(metric, tally, included, 7, 299)
    for block in (1, 20_011, 1 << 24):
        monkeypatch.setattr(deals, "BLOCK", block)
        assert gap(metric, tally, included, 7, 299) == first


def test_what_is_left_has_the_moments_of_a_deal():
    # Ten effects, of which two are dealt away: means of the groups of 3 and 5 that get the rest, from 200,000
    # permutations of the rest and from the limit.
    rng = np.random.default_rng(4)
    effect = rng.exponential(size=10)
    effect -= effect.mean()
    times = np.eye(3, dtype=int)[np.repeat([0, 1, 2], [2, 3, 5])].T
    pool = deals.Pool(effect[:, None], times)
    limit = gaps._Limit(0.4, 0.4, 1.0, effect, 3)
    draws = 200_000
    dealt = deals.Deal(
        np.tile([[4, 7]], (draws, 1)), np.ones((1, 2)), np.array([2]), np.array([0]), np.array([0, 0]), draws
    )
    found = limit.left(pool, dealt, np.random.default_rng(5)).value - 0.4
    rest = rng.permuted(np.tile(np.delete(effect, [4, 7]), (draws, 1)), axis=1)
    expected = np.stack([rest[:, :3].mean(axis=1), rest[:, 3:].mean(axis=1)], axis=1)
    assert found.mean(axis=0) == pytest.approx(expected.mean(axis=0), abs=0.004)
    assert np.cov(found.T) == pytest.approx(np.cov(expected.T), abs=0.003)


def test_effects_that_few_clusters_rule_are_dealt():
    # One row in a hundred is wrong: the kurtosis of such effects is near 100, and 900 rows are not many.
    counts = np.array([[[890, 10]], [[880, 20]]])
    value, *cell = np.nonzero(counts)
    kinds = np.eye(2, dtype=int)[cell[1]][:, None, :]
    tally = Tally(kinds, value, counts[(value, *cell)], 2)
    stats = np.stack(ACCURACY.formula(tally.stats), axis=-1).astype(float)
    limit = gaps._limit(ACCURACY, (1, 2), deals.gather_pool(stats, tally))
    rate = 30 / 1800
    kurtosis = (rate**3 + (1 - rate) ** 3) / (rate * (1 - rate))
    assert limit.fewest == pytest.approx(MANY * kurtosis, rel=1e-9)
    assert limit.fewest > 900
