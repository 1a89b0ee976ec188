"""Bundles: very many unequal clusters dealt together, as good as one by one."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge import deals, gaps
from bench.judge.atoms import Tally
from bench.judge.deals import Pool, bundle, gather_pool
from bench.judge.gaps import gap
from tests.judge.tallies import CCC, RMSE, UAR, monte_carlo_error
from tests.judge.test_gaps_limit import affect


def persons(rng, sizes, apart):
    """Persons with twelve labels each, one class in twenty-five rare; the first group is read better."""
    value = np.repeat(np.arange(len(sizes)), sizes)
    truth = rng.choice(3, (len(value), 12), p=[0.6, 0.36, 0.04])
    right = rng.random(truth.shape) < rng.beta(6, 3, len(value))[:, None] + apart * (value == 0)[:, None]
    found = np.zeros((len(value), 3, 4), int)
    np.add.at(found, (np.arange(len(value))[:, None], truth, np.where(right, truth, 3)), 1)
    return Tally(found, value, np.ones(len(value), int), len(sizes))


def tied(monkeypatch, most=900, bundles=500, single=50):
    """Deal all clusters, in bundles where they are more than a few."""
    monkeypatch.setattr(gaps, "MANY", np.inf)
    monkeypatch.setattr(deals, "_MOST", most)
    monkeypatch.setattr(deals, "_BUNDLES", bundles)
    monkeypatch.setattr(deals, "_SINGLE", single)


def pool_of(tally):
    return gather_pool(tally.stats.reshape(len(tally.stats), -1).astype(float), tally)


def test_every_cluster_stays_in_its_group(monkeypatch):
    tied(monkeypatch)
    whole = pool_of(persons(np.random.default_rng(1), (40, 700, 1260), 0.0))
    pool = bundle(whole, np.random.default_rng(2))
    np.testing.assert_array_equal(pool.times @ pool.kinds, whole.times @ whole.kinds)
    # Of 2,000 clusters four make a bundle: 40 are too few for twenty, and 50 at least stay single elsewhere.
    held = pool.times[:, pool.bundled].sum(axis=1)
    alone = pool.times[:, ~pool.bundled].sum(axis=1)
    np.testing.assert_array_equal(4 * held + alone, [40, 700, 1260])
    assert alone[0] == 40
    assert 50 <= alone[1:].sum() <= 50 + 2 * 4
    rows = pool.kinds.sum(axis=1)
    assert set(rows[pool.bundled]) == {48.0}
    assert set(rows[~pool.bundled]) == {12.0}


def test_bundles_change_places_with_bundles(monkeypatch):
    tied(monkeypatch)
    pool = bundle(pool_of(persons(np.random.default_rng(1), (40, 700, 1260), 0.0)), np.random.default_rng(2))
    bundles = pool.times[:, pool.bundled].sum(axis=1)
    means = []
    for deal in pool.deals(3, np.random.default_rng(3), 400, (1, 1)):
        dealt = np.sort(deal.kind, axis=1)
        np.testing.assert_array_equal(
            dealt, np.tile(np.repeat(np.arange(len(pool.kinds)), pool.whole), (len(dealt), 1))
        )
        np.testing.assert_array_equal(deal.sum(pool.bundled[deal.kind]), np.tile(bundles, (len(dealt), 1)))
        rows, hits = pool.kinds.sum(axis=1), pool.kinds[:, 0]
        means.append(deal.sum(hits[deal.kind]) / deal.sum(rows[deal.kind]))
    means = np.concatenate(means)
    everybody = (pool.whole @ pool.kinds)[0] / (pool.whole @ pool.kinds).sum()
    error = means.std(axis=0) / np.sqrt(len(means))
    assert (abs(means.mean(axis=0) - everybody)[1:] < 4 * error[1:]).all()


def test_groups_too_small_for_bundles_stay_as_they_are(monkeypatch):
    tied(monkeypatch, 100, 50)
    whole = pool_of(persons(np.random.default_rng(1), (40,) * 30, 0.0))
    pool = bundle(whole, np.random.default_rng(2))
    assert not pool.bundled.any()
    np.testing.assert_array_equal(pool.kinds, whole.kinds)
    np.testing.assert_array_equal(pool.times, whole.times)


@pytest.mark.parametrize(
    ("metric", "make", "sizes", "apart", "seed"),
    [
        (CCC, affect, (1600, 1600), 0.02, 3), (RMSE, affect, (1000, 60, 1100), 0.0, 3),
        (UAR, persons, (700, 50, 900), 0.02, 3),
    ],
    ids=["ccc", "rmse", "uar"],
)  # fmt: skip
def test_bundles_agree_with_all_deals(metric, make, sizes, apart, seed, monkeypatch):
    tally, included, draws = make(np.random.default_rng(seed), sizes, apart), np.ones(len(sizes), bool), 1_999
    monkeypatch.setattr(gaps, "MANY", np.inf)
    dealt = gap(metric, tally, included, 2, draws)
    tied(monkeypatch, single=600)
    found = [gap(metric, tally, included, seed, draws) for seed in range(6)]
    assert {each.estimate for each in found} == {dealt.estimate}
    assert {each.clusters for each in found} == {sum(sizes)}
    # The statistic is that of other clusters for every seed: p differs by a little more than the draws make it.
    p = np.array([each.p for each in found])
    assert 0.02 < dealt.p < 0.8
    assert p.mean() == pytest.approx(dealt.p, abs=1.5 * monte_carlo_error(dealt.p, draws))
    assert len({*p}) > 1
    assert np.mean([each.null_mean for each in found]) == pytest.approx(dealt.null_mean, rel=0.05)
    assert np.mean([each.null_p95 for each in found]) == pytest.approx(dealt.null_p95, rel=0.06)


def test_same_bytes_whatever_the_block_the_order_and_the_names(monkeypatch):
    tied(monkeypatch, 100, 60)
    sizes = (30, 200, 200)
    tally, included = persons(np.random.default_rng(3), sizes, 0.0), np.ones(3, bool)
    first = gap(UAR, tally, included, 7, 99)
    assert first != gap(UAR, tally, included, 8, 99)
    for block in (1, 20_011, 1 << 24):
        monkeypatch.setattr(deals, "BLOCK", block)
        assert gap(UAR, tally, included, 7, 99) == first
    order = np.random.default_rng(1).permutation(len(tally.value))
    stats, value, times = tally.stats[order], tally.value[order], tally.multiplicity[order]
    for other in (value, 2 - value):
        found = gap(UAR, Tally(stats, other, times, 3), included, 7, 99)
        assert found.p == first.p
        assert found.null_mean == pytest.approx(first.null_mean, rel=1e-10)


def test_only_the_very_many_are_tied(monkeypatch):
    ties = []
    monkeypatch.setattr(gaps, "bundle", lambda pool, rng: ties.append(pool) or bundle(pool, rng))
    monkeypatch.setattr(gaps, "MANY", np.inf)
    monkeypatch.setattr(deals, "_MOST", 500)
    included = np.ones(2, bool)
    for sizes in ((250, 250), (250, 251)):
        gap(UAR, persons(np.random.default_rng(3), sizes, 0.0), included, 7, 9)
    assert [pool.size.sum() for pool in ties] == [501]
    # What is counted is not dealt one by one, and what the limit gives is not dealt.
    monkeypatch.setattr(Pool, "single", False)
    gap(UAR, persons(np.random.default_rng(3), (250, 251), 0.0), included, 7, 9)
    monkeypatch.setattr(Pool, "single", True)
    monkeypatch.setattr(gaps, "MANY", 0)
    gap(UAR, persons(np.random.default_rng(3), (250, 251), 0.0), included, 7, 9)
    assert len(ties) == 1
