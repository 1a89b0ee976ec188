"""Influence against brute force over clusters, the variances of ``infer``, and expanded multiplicities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from bench.judge.atoms import Tally
from bench.judge.infer import infer, linearised
from bench.judge.influence import influence
from bench.judge.metrics import METRICS
from tests.judge.made import moment_sums

RATE, ERROR, CORRELATION = "uar", "rmse_valence", "ccc_valence"


def random_tally(seed, name, *, clusters, values, shared=True):
    """Entries of every value in every cluster, or each cluster in one value; confusion 3 x 4 or moments."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), values) if shared else np.arange(clusters)
    value = np.tile(np.arange(values), clusters) if shared else np.arange(clusters) % values
    level = rng.normal(0, 0.3, clusters)[cluster]
    stats = []
    for mean in level:
        rows = int(rng.integers(6, 15))
        if METRICS[name].key.kernel == "moments":
            x = rng.uniform(-1, 1, rows)
            y = 0.7 * x + mean + rng.normal(0, 0.3, rows)
            stats.append(moment_sums(x, y))
        else:
            right = 1 / (1 + np.exp(-1 - mean))
            p = np.full((3, 4), (1 - right) / 3) + (right - (1 - right) / 3) * np.eye(3, 4)
            stats.append([rng.multinomial(max(rows // 3, 2), row) for row in p])
    return Tally(np.array(stats), value, np.ones(len(value), int), values, cluster)


def jackknife(metric, tally, contrast):
    """The delete-one-cluster variance of a contrast, each value scaled by its own number of clusters."""
    pulls = np.zeros((tally.cluster.max() + 1, tally.values))
    for v in range(tally.values):
        mine = tally.value == v
        count = mine.sum()
        left = [
            float(metric.finish(tally.stats[mine & (tally.cluster != c)].sum(axis=0)))
            for c in tally.cluster[mine]
        ]
        pulls[tally.cluster[mine], v] = np.sqrt((count - 1) / count) * (np.mean(left) - np.array(left))
    return float(((pulls @ contrast) ** 2).sum())


@pytest.mark.parametrize("name", ["accuracy", RATE, "macro_f1", ERROR, CORRELATION, "pcc_valence"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_difference_has_the_variance_of_brute_force(name, shared):
    tally, metric = random_tally(1, name, clusters=15, values=3, shared=shared), METRICS[name]
    contrast = np.array([1.0, 0, -1])
    found = influence(metric, tally)
    if metric.kind == "proportion":
        a, b = metric.formula(tally.stats)
        pulls = np.zeros((15, 3))
        for v in range(3):
            mine = tally.value == v
            g, theta = mine.sum(), a[mine].sum() / b[mine].sum()
            pulls[tally.cluster[mine], v] = np.sqrt(g / (g - 1)) * (a[mine] - theta * b[mine]) / b[mine].sum()
        expected = float(((pulls @ contrast) ** 2).sum())
    else:
        expected = jackknife(metric, tally, contrast)
    assert found.variance(contrast[None])[0] == pytest.approx(expected, rel=1e-12)
    assert found.estimate == pytest.approx(metric.finish(tally.total), abs=1e-15)
    assert found.pull.sum(axis=0) == pytest.approx(0, abs=1e-14)
    alone = found.variance(np.eye(3))
    apart = found.variance(contrast[None])[0] / (alone[0] + alone[2])
    assert apart == pytest.approx(1, abs=1e-12) if not shared else abs(apart - 1) > 0.05


def test_squares_of_a_proportion_are_the_variance_infer_uses():
    tally, metric = random_tally(2, "accuracy", clusters=20, values=2), METRICS["accuracy"]
    a, b = (np.asarray(part, float) for part in metric.formula(tally.stats))
    variance = linearised(a, b, tally)[1]
    assert influence(metric, tally).variance(np.eye(2)) == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "forward", "slope"),
    [
        (RATE, logit, lambda t: 1 / (t * (1 - t))),
        (CORRELATION, np.arctanh, lambda t: 1 / (1 - t**2)),
        (ERROR, np.log, lambda t: 1 / t),
    ],
)
def test_squares_of_all_else_agree_with_the_interval_of_infer(name, forward, slope):
    # infer works on another scale: the two variances agree to first order (the delta method).
    tally, metric = random_tally(3, name, clusters=300, values=2), METRICS[name]
    found, known = influence(metric, tally), infer(metric, tally, 0.95)
    from scipy.stats import t

    se = (forward(known.high) - forward(known.low)) / 2 / t.ppf(0.975, known.df)
    delta = slope(known.estimate) * np.sqrt(found.variance(np.eye(2)))
    assert delta == pytest.approx(se, rel=0.01)


@pytest.mark.parametrize("name", ["accuracy", RATE])
@pytest.mark.parametrize("named", [True, False])
def test_multiplicity_is_the_same_as_so_many_clusters(name, named):
    base = random_tally(4, name, clusters=8, values=2, shared=False)
    times = np.array([1, 3, 2, 1, 5, 1, 2, 4])
    short = replace(base, multiplicity=times, cluster=base.cluster if named else None)
    long = Tally(
        np.repeat(base.stats, times, axis=0), np.repeat(base.value, times), np.ones(times.sum(), int), 2,
        np.arange(times.sum()),
    )  # fmt: skip
    contrasts = np.array([[1.0, -1], [1, 0]])
    one, other = influence(METRICS[name], short), influence(METRICS[name], long)
    assert one.variance(contrasts) == pytest.approx(other.variance(contrasts), rel=1e-12)
    assert one.clusters.tolist() == other.clusters.tolist() == [10, 9]
    assert (one.cluster is None) == (not named)


def test_what_has_no_influence_is_nan_and_spares_the_others():
    # value 0 as usual; 1 a single cluster; 2 nothing; 3 loses a class with its second cluster
    two = [[[4, 1, 0], [2, 3, 0]], [[3, 2, 0], [1, 4, 0]], [[2, 2, 1], [0, 5, 0]]]
    three = [[[4, 1, 0], [0, 0, 0]], [[3, 2, 0], [1, 4, 0]], [[2, 2, 1], [0, 0, 0]]]
    stats = np.array([*two, two[0], *three])
    value = np.array([0, 0, 0, 1, 3, 3, 3])
    tally = Tally(stats, value, np.ones(7, int), 4, np.array([0, 1, 2, 0, 0, 1, 2]))
    found = influence(METRICS["uar"], tally)
    assert np.isnan(found.pull).all(axis=0).tolist() == [False, True, True, True]
    assert np.isnan(found.estimate).tolist() == [False, False, True, False]
    variance = found.variance(np.array([[1.0, 0, 0, 0], [1, -1, 0, 0], [1, 0, 0, -1]]))
    assert np.isnan(variance).tolist() == [False, True, True]


def test_a_cluster_without_a_row_in_the_denominator_is_none():
    stats = np.array([[[3, 1], [0, 0]], [[2, 2], [0, 0]], [[0, 0], [1, 4]], [[0, 0], [2, 1]]])
    stats = np.concatenate([stats, np.zeros((4, 2, 1), int)], axis=2)
    tally = Tally(
        np.concatenate([stats, np.zeros((1, 2, 3), int)]), np.zeros(5, int), np.ones(5, int), 1, np.arange(5)
    )
    found = influence(METRICS["accuracy"], tally)
    assert found.clusters.tolist() == [4]
    assert found.cluster.tolist() == [0, 1, 2, 3]


def test_covariances_are_what_the_variances_of_differences_lack():
    found = influence(METRICS["accuracy"], random_tally(21, "accuracy", clusters=25, values=3, shared=True))
    own = found.variance(np.eye(3))
    assert np.diag(found.covariance) == pytest.approx(own, rel=1e-12)
    apart = found.variance(np.array([[1.0, -1, 0]]))[0]
    assert own[0] + own[1] - 2 * found.covariance[0, 1] == pytest.approx(apart, rel=1e-12)
    assert found.covariance[0, 1] != 0
