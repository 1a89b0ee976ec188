"""Joint statements: against the sign bootstrap of contrasts, by hand, and in simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.judge.bootstrap import Draws, replicate
from bench.judge.contrasts import contrast, pairs
from bench.judge.influence import influence
from bench.judge.joint import rank_models, simultaneous
from bench.judge.metrics import METRICS
from tests.judge.tallies import hit_tally
from tests.judge.test_influence import random_tally

ACCURACY, RMSE, BIAS = (METRICS[name] for name in ("accuracy", "rmse_valence", "bias_valence"))


def draws_of(clusters, seed=5, replicates=2000):
    return Draws(np.ones(clusters, int), np.arange(clusters), seed, replicates)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", ["accuracy", "uar"])
def test_the_maximum_over_pairs_is_that_of_contrasts(name, shared):
    # Two mechanisms: clusters drawn and a fixed error, or signs and an error estimated anew. On 400 clusters
    # their standard errors differ by 1 / (2 * 100) at most, t and normal quantiles by 1.5 %; the Monte Carlo
    # error of either quantile is .7 %.
    tally, metric = random_tally(11, name, clusters=400, values=4, shared=shared), METRICS[name]
    weights, both = pairs(np.ones(4, bool))
    known = contrast(influence(metric, tally), weights, 0.95, seed=1, draws=9_999)
    (drawn,) = replicate([metric], tally, draws_of(400, replicates=9_999))
    clusters = tally.clusters[np.array(both)].min(axis=1)
    found = simultaneous(weights @ metric.finish(tally.total), drawn @ weights.T, clusters, 0.95)
    critical = ((known.high - known.low) / 2 / known.se)[0]
    assert found.se == pytest.approx(known.se, rel=0.04)
    assert found.critical == pytest.approx(critical, rel=0.04)
    assert found.estimate == pytest.approx(known.estimate, abs=1e-14)
    assert (found.high - found.low) / 2 == pytest.approx(found.critical * found.se, rel=1e-12)


def test_intervals_by_hand():
    # errors +-1 of one value and +-2 of the other, standard errors in the same ratio
    drawn = np.array([[1.0, 2], [-1, -2], [1, -2], [-1, 2]])
    found = simultaneous(np.zeros(2), np.tile(drawn, (100, 1)), np.array([50, 50]), 0.95)
    se = np.sqrt(400 / 399) * np.array([1, 2])
    assert found.se == pytest.approx(se)
    assert found.critical == pytest.approx(np.sqrt(399 / 400))
    assert [*found.low, *found.high] == pytest.approx([-1, -2, 1, 2])


def test_what_has_no_interval_spares_the_others():
    drawn = np.random.default_rng(0).normal(size=(1000, 5))
    alone = simultaneous(np.zeros(1), drawn[:, :1], np.array([50]), 0.95)
    drawn[:11, 1], drawn[:, 3], drawn[:, 4] = np.nan, 0.25, np.nan
    found = simultaneous(
        np.array([0, 0, 0, 0.25, np.nan]), drawn, np.array([50, 50, 49, 50, 50]), 0.95
    )  # fmt: skip
    assert [None if why is None else why.split(": ")[-1] for why in found.reason] == [
        None, "undefined in more than 1% of the replicates", "fewer than 50 clusters",
        "the value is the same in every replicate", "undefined",
    ]  # fmt: skip
    assert found.critical == alone.critical
    assert np.isnan(found.low).tolist() == np.isnan(found.se).tolist() == [False, True, True, True, True]
    none = simultaneous(np.zeros(1), drawn[:, 2:3], np.array([49]), 0.95)
    assert np.isnan(none.critical)
    assert np.isnan(none.low).all()


def test_a_replicate_with_some_values_undefined_has_the_maximum_of_the_others():
    drawn = np.random.default_rng(1).normal(size=(1000, 2))
    drawn[:5, 0], drawn[:4, 1] = np.nan, np.nan
    found = simultaneous(np.zeros(2), drawn, np.array([50, 50]), 0.9)
    apart = abs(drawn) / np.nanstd(drawn, axis=0, ddof=1)
    highest = np.sort([max(v for v in row if v == v) for row in apart[4:]])
    assert found.critical == pytest.approx(highest[int(np.ceil(0.9 * 997)) - 1], rel=1e-12)


def models(rng, rates, persons=80, rows=20):
    """Accuracy of models on the same rows of the same persons: one value each, all persons in every one."""
    hard = rng.normal(0, 0.08, persons)
    p = np.clip(np.asarray(rates)[:, None] + hard, 0.01, 0.99)
    hits = rng.binomial(rows, p)
    value, cluster = (part.ravel() for part in np.indices(hits.shape))
    return hit_tally(hits.ravel(), np.full(hits.size, rows), value, cluster)


def ranked(tally, level=0.95, replicates=500):
    (drawn,) = replicate([ACCURACY], tally, draws_of(int(tally.cluster.max()) + 1, replicates=replicates))
    return rank_models(ACCURACY, ACCURACY.finish(tally.total), drawn, tally.clusters, level)


def test_ranks_by_hand():
    # 0 is surely best, 1 and 2 are alike, 3 is undefined
    rng = np.random.default_rng(2)
    estimate = np.array([0.9, 0.5, 0.51, np.nan])
    drawn = estimate + 0.02 * rng.normal(size=(400, 4))
    found = rank_models(ACCURACY, estimate, drawn, np.full(4, 60), 0.95)
    assert found.rank.tolist() == [1, 3, 2, 4]
    assert found.low.tolist() == [1, 2, 2, 1]
    assert found.high.tolist() == [2, 4, 4, 4]
    assert found.share.sum(axis=1) == pytest.approx(1)
    assert found.share[0].tolist() == [1, 0, 0, 0]
    behind = (drawn[:, 1] < drawn[:, 2]).mean()
    assert found.share[1] == pytest.approx([0, 1 - behind, behind, 0])
    # of errors, the least is best
    worse = rank_models(RMSE, estimate[:3], drawn[:, :3], np.full(3, 60), 0.95)
    assert (worse.rank.tolist(), worse.low.tolist(), worse.high.tolist()) == ([3, 1, 2], [3, 1, 1], [3, 2, 2])


def test_ties_share_the_better_rank_and_few_clusters_rank_nothing():
    drawn = np.random.default_rng(3).normal(size=(300, 3)) * 0.01
    tied = rank_models(ACCURACY, np.array([0.5, 0.5, 0.9]), drawn, np.full(3, 60), 0.95)
    assert tied.rank.tolist() == [2, 2, 1]
    few = rank_models(ACCURACY, np.array([0.5, 0.5, 0.9]), drawn, np.full(3, 49), 0.95)
    assert (few.low.tolist(), few.high.tolist()) == ([1, 1, 1], [3, 3, 3])
    one = rank_models(ACCURACY, np.array([0.5]), drawn[:, :1], np.array([60]), 0.95)
    assert (one.rank.tolist(), one.low.tolist(), one.high.tolist()) == ([1], [1], [1])
    with pytest.raises(ValueError, match="bias_valence ranks nothing"):
        rank_models(BIAS, np.zeros(2), drawn[:, :2], np.full(2, 60), 0.95)


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
