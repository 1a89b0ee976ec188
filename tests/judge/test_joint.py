"""Joint statements: against contrasts, by hand, and in simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kurtosis, norm, rankdata
from scipy.stats import t as student

from bench.judge.bootstrap import Draws, replicate
from bench.judge.contrasts import contrast, pairs
from bench.judge.influence import influence
from bench.judge.joint import can_draw, rank_contrasted, rank_drawn, simultaneous, worth
from bench.judge.metrics import METRICS
from tests.judge.tallies import hit_tally
from tests.judge.test_influence import random_tally

ACCURACY, RMSE, BIAS = (METRICS[name] for name in ("accuracy", "rmse_valence", "bias_valence"))


def draws_of(clusters, seed=5, replicates=2000):
    return Draws(np.ones(clusters, int), np.arange(clusters), seed, replicates)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", ["accuracy", "uar"])
def test_the_maximum_over_pairs_is_that_of_contrasts(name, shared):
    # Two mechanisms: clusters drawn, or normal numbers with the covariance of influences. On 400 clusters
    # their standard errors differ by 1 / (2 * 100) at most; the Monte Carlo error of either quantile is .7 %.
    tally, metric = random_tally(11, name, clusters=400, values=4, shared=shared), METRICS[name]
    weights, both = pairs(np.ones(4, bool))
    known = contrast(influence(metric, tally), weights, 0.95, seed=1, draws=9_999)
    (drawn,) = replicate([metric], tally, draws_of(400, replicates=9_999))
    clusters = tally.clusters[np.array(both)].min(axis=1)
    found = simultaneous(weights @ metric.finish(tally.total), drawn @ weights.T, clusters, 0.95)
    critical = ((known.high - known.low) / 2 / known.se)[0]
    assert found.se == pytest.approx(known.se, rel=0.04)
    assert found.critical[0] == pytest.approx(critical, rel=0.04)
    assert found.estimate == pytest.approx(known.estimate, abs=1e-14)
    assert (found.high - found.low) / 2 == pytest.approx(found.critical * found.se, rel=1e-12)


def test_intervals_by_hand():
    # errors +-1 of one value and +-2 of the other, standard errors in the same ratio
    drawn = np.array([[1.0, 2], [-1, -2], [1, -2], [-1, 2]])
    found = simultaneous(np.zeros(2), np.tile(drawn, (100, 1)), np.array([50, 50]), 0.95)
    sd = np.sqrt(400 / 399) * np.array([1, 2])
    assert found.se == pytest.approx(np.sqrt(50 / 49) * sd)
    critical = student.ppf(norm.cdf(np.sqrt(399 / 400)), 49)
    assert found.critical == pytest.approx([critical, critical])
    assert found.high == pytest.approx(critical * found.se)
    assert found.low == pytest.approx(-found.high)


def test_what_has_no_interval_spares_the_others():
    drawn = np.random.default_rng(0).normal(size=(1000, 5))
    alone = simultaneous(np.zeros(1), drawn[:, :1], np.array([50]), 0.95)
    drawn[:11, 1], drawn[:, 3], drawn[:, 4] = np.nan, 0.25, np.nan
    found = simultaneous(
        np.array([0, 0, 0, 0.25, np.nan]), drawn, np.array([50, 50, 1.9, 50, 50]), 0.95
    )  # fmt: skip
    assert [None if why is None else why.split(": ")[-1] for why in found.reason] == [
        None, "undefined in more than 1% of the replicates", "fewer than 2 clusters",
        "the value is the same in every replicate", "undefined",
    ]  # fmt: skip
    assert found.critical[0] == alone.critical[0]
    assert np.isnan(found.low).tolist() == np.isnan(found.se).tolist() == [False, True, True, True, True]
    none = simultaneous(np.zeros(1), drawn[:, 2:3], np.array([1]), 0.95)
    assert np.isnan(none.critical).all()
    assert np.isnan(none.low).all()


def test_a_replicate_with_some_values_undefined_has_the_maximum_of_the_others():
    drawn = np.random.default_rng(1).normal(size=(1000, 2))
    drawn[:5, 0], drawn[:4, 1] = np.nan, np.nan
    found = simultaneous(np.zeros(2), drawn, np.array([50, 50]), 0.9)
    apart = abs(drawn) / np.nanstd(drawn, axis=0, ddof=1)
    highest = np.sort([max(v for v in row if v == v) for row in apart[4:]])
    normal = highest[int(np.ceil(0.9 * 997)) - 1]
    assert norm.cdf(normal) == pytest.approx(student.cdf(found.critical[0], 49), rel=1e-12)


def models(rng, rates, persons=80, rows=20):
    """Accuracy of models on the same rows of the same persons: one value each, all persons in every one."""
    hard = rng.normal(0, 0.08, persons)
    p = np.clip(np.asarray(rates)[:, None] + hard, 0.01, 0.99)
    hits = rng.binomial(rows, p)
    value, cluster = (part.ravel() for part in np.indices(hits.shape))
    return hit_tally(hits.ravel(), np.full(hits.size, rows), value, cluster)


def ranked(tally, level=0.95, replicates=500):
    (drawn,) = replicate([ACCURACY], tally, draws_of(int(tally.cluster.max()) + 1, replicates=replicates))
    return rank_drawn(ACCURACY, ACCURACY.finish(tally.total), drawn, worth(influence(ACCURACY, tally)), level)


def test_ranks_by_hand():
    # 0 is surely best, 1 and 2 are alike, 3 is undefined
    rng = np.random.default_rng(2)
    estimate = np.array([0.9, 0.5, 0.51, np.nan])
    drawn = estimate + 0.02 * rng.normal(size=(400, 4))
    found = rank_drawn(ACCURACY, estimate, drawn, np.full(6, 60), 0.95)
    assert found.rank.tolist() == [1, 3, 2, 4]
    assert found.low.tolist() == [1, 2, 2, 1]
    assert found.high.tolist() == [2, 4, 4, 4]
    # what could not be compared leaves the ranges of the others wide, and says so
    assert found.alone == (False, False, False, True)
    assert set(found.reason) == {"undefined"}
    # of errors, the least is best
    worse = rank_drawn(RMSE, estimate[:3], drawn[:, :3], np.full(3, 60), 0.95)
    assert (worse.rank.tolist(), worse.low.tolist(), worse.high.tolist()) == ([3, 1, 2], [3, 1, 1], [3, 2, 2])
    assert set(worse.reason) == {None}


@pytest.mark.parametrize("metric", [ACCURACY, RMSE])
def test_the_rank_is_that_of_scipy(metric):
    estimate = np.array([0.5, 0.25, 0.75, 0.25, 0.5, 0.1 + 0.2, 0.3])
    drawn = estimate + np.random.default_rng(3).normal(size=(300, 7)) * 0.01
    found = rank_drawn(metric, estimate, drawn, np.full(21, 60), 0.95)
    # .1 + .2 is .3 but for rounding
    score = -np.round(estimate, 9) if metric is ACCURACY else np.round(estimate, 9)
    assert found.rank.tolist() == rankdata(score, method="min").tolist()


def test_few_clusters_are_not_drawn():
    drawn = np.random.default_rng(3).normal(size=(300, 3)) * 0.01
    estimate = np.array([0.5, 0.5, 0.9])
    assert can_draw(drawn, np.full(3, 2.0))
    assert not can_draw(drawn, np.array([20, 1.9, 20]))
    few = rank_drawn(ACCURACY, estimate, drawn, np.full(3, 1), 0.95)
    assert (few.low.tolist(), few.high.tolist(), few.alone) == ([1, 1, 1], [3, 3, 3], (True, True, True))
    one = rank_drawn(ACCURACY, np.array([0.5]), drawn[:, :1], np.empty(0), 0.95)
    assert (one.rank.tolist(), one.low.tolist(), one.high.tolist()) == ([1], [1], [1])
    with pytest.raises(ValueError, match="bias_valence ranks nothing"):
        rank_drawn(BIAS, np.zeros(2), drawn[:, :2], np.full(1, 60), 0.95)


def test_what_clusters_are_worth_follows_from_the_kurtosis_of_differences():
    tally = models(np.random.default_rng(9), [0.7, 0.6, 0.7], persons=30)
    found = influence(ACCURACY, tally)
    for pair, clusters in zip(((0, 1), (0, 2), (1, 2)), worth(found), strict=True):
        excess = kurtosis(found.pull[:, pair[0]] - found.pull[:, pair[1]], bias=False)
        assert clusters == pytest.approx(1 + 29 / (1 + 29 / 60 * max(excess, 0)), rel=1e-9)
    alone = replace(found, pull=found.pull * (np.arange(30) < 1)[:, None])
    assert (worth(alone) < 4).all()
    assert (worth(alone) >= 2).all()


def test_replicates_that_one_pair_often_lacks_are_no_ground():
    drawn = np.random.default_rng(3).normal(size=(300, 3))
    drawn[:2, 0], drawn[2:4, 1] = np.nan, np.nan  # under 1 % each, over 1 % together
    assert can_draw(drawn[:, [0, 2]], np.full(1, 60.0))
    assert not can_draw(drawn, np.full(3, 60.0))


@pytest.mark.parametrize("rates", [(0.9, 0.5, 0.5), (0.5, 0.6, 0.9)])
def test_both_mechanisms_rank_alike_where_models_are_far_apart_or_alike(rates):
    tally = models(np.random.default_rng(8), rates, persons=200)
    drawn, signed = ranked(tally), rank_contrasted(ACCURACY, influence(ACCURACY, tally), 0.95, 1, 999)
    for name in ("rank", "low", "high"):
        assert getattr(drawn, name).tolist() == getattr(signed, name).tolist(), name
    assert drawn.low[np.argmax(rates)] == drawn.high[np.argmax(rates)] == 1


def test_ranges_of_ranks_hold_all_at_once():
    # two pairs of equal models: ranges must hold {1, 2} and {3, 4}; 300 data sets, at most 5 % may fail
    rng, failed, told = np.random.default_rng(4), 0, 0
    for _ in range(300):
        found = ranked(models(rng, [0.7, 0.7, 0.62, 0.62]), replicates=300)
        inside = (found.low <= [1, 1, 3, 3]) & (found.high >= [2, 2, 4, 4])
        failed += not inside.all()
        told += found.high[0] == 2
    # four standard errors above 5 % are 10 %; and the ranges say something
    assert failed / 300 <= 0.10
    assert told / 300 > 0.8


def test_shared_draws_are_what_makes_models_comparable():
    # One model twice: its difference to itself is 0 in every replicate, not only on average.
    tally = models(np.random.default_rng(6), [0.7, 0.7])
    own = tally.stats[tally.value == 0]
    tally = replace(tally, stats=np.concatenate([own, own]))
    (drawn,) = replicate([ACCURACY], tally, draws_of(80))
    assert (drawn[:, 0] == drawn[:, 1]).all()
    found = simultaneous(np.zeros(1), drawn @ [[1.0], [-1]], np.array([80]), 0.95)
    assert found.reason[0].endswith("the same in every replicate")
