"""Pairs against a direct jackknife of the difference, scipy's paired t-test, and rows kept apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import stdtrit
from scipy.stats import ttest_rel

from bench.judge.atoms import Strata, Tally
from bench.judge.contrasts import contrast
from bench.judge.infer import linearised
from bench.judge.influence import influence
from bench.judge.metrics import METRICS, expand
from bench.judge.paired import collapsed, named, paired, t_test, weighed
from bench.judge.rows import read_rows
from bench.judge.slices import cut
from bench.judge.sums import Sums
from tests.judge.made import frame, judged, make_cell, make_suite, moment_sums, random_cell
from tests.judge.student import paired_t
from tests.judge.tallies import ACCURACY, CCC, UAR, hit_tally


def two_tallies(seed, name, clusters=12, values=2):
    """The same persons and truths seen twice, the second time with more errors; every person in each value."""
    rng = np.random.default_rng(seed)
    cluster, value = np.repeat(np.arange(clusters), values), np.tile(np.arange(values), clusters)
    both = [], []
    for person in rng.normal(0, 0.3, clusters)[cluster]:
        rows = int(rng.integers(6, 15))
        x, truth = rng.uniform(-1, 1, rows), np.arange(rows) % 3
        for stats, noise in zip(both, (0.2, 0.6), strict=True):
            if METRICS[name].key.kernel == "moments":
                stats.append(moment_sums(x, x + person + rng.normal(0, noise, rows)))
            else:
                guess = np.where(rng.random(rows) < noise, rng.integers(0, 4, rows), truth)
                counts = np.zeros((3, 4), int)
                np.add.at(counts, (truth, guess), 1)
                stats.append(counts)
    return [Tally(np.array(stats), value, np.ones(len(value), int), values, cluster) for stats in both]


def left_out(metric, tally, cluster):
    kept = tally.cluster != cluster
    return np.array([
        float(metric.finish(tally.stats[kept & (tally.value == v)].sum(axis=0))) for v in range(tally.values)
    ])  # fmt: skip


@pytest.mark.parametrize("name", ["uar", "macro_f1", "ccc_valence", "rmse_valence"])
def test_variance_is_the_jackknife_of_the_difference(name):
    metric, (old, new) = METRICS[name], two_tallies(1, name)
    found = paired(influence(metric, new), influence(metric, old))
    d = np.array([left_out(metric, new, c) - left_out(metric, old, c) for c in range(12)])
    expected = 11 / 12 * ((d - d.mean(axis=0)) ** 2).sum(axis=0)
    assert found.variance(np.eye(2)) == pytest.approx(expected, rel=1e-12)
    assert found.estimate == pytest.approx(metric.finish(new.total) - metric.finish(old.total), abs=1e-15)
    apart_ = influence(metric, new).variance(np.eye(2)) + influence(metric, old).variance(np.eye(2))
    assert (abs(found.variance(np.eye(2)) / apart_ - 1) > 0.05).any(), "pairing matters"
    # A difference of differences: the jackknife of d_1 - d_0.
    dd = d[:, 1] - d[:, 0]
    expected = 11 / 12 * ((dd - dd.mean()) ** 2).sum()
    assert found.variance(np.array([[-1.0, 1.0]]))[0] == pytest.approx(expected, rel=1e-12)


def test_accuracy_of_several_clips_is_the_linearised_difference():
    old, new = two_tallies(2, "accuracy")
    found = paired(influence(ACCURACY, new), influence(ACCURACY, old))
    for v in range(2):
        mine = old.value == v
        gained = np.trace(new.stats[mine], axis1=1, axis2=2) - np.trace(old.stats[mine], axis1=1, axis2=2)
        size = old.stats[mine].sum(axis=(1, 2))
        one = replace(new, stats=new.stats[mine], value=new.value[mine] * 0, values=1,
                      multiplicity=new.multiplicity[mine], cluster=new.cluster[mine])  # fmt: skip
        theta, variance = linearised(gained.astype(float), size.astype(float), one)
        assert found.estimate[v] == pytest.approx(theta[0], abs=1e-15)
        assert found.variance(np.eye(2))[v] == pytest.approx(variance[0], rel=1e-12)


def test_one_clip_a_person_is_the_paired_t_test_of_scipy():
    rng = np.random.default_rng(3)
    old, new = rng.random(40) < 0.8, rng.random(40) < 0.6
    ones, zeros = np.ones(40, int), np.zeros(40, int)
    tallies = [hit_tally(hits.astype(int), ones, zeros) for hits in (new, old)]
    found = paired(*(influence(ACCURACY, tally) for tally in tallies))
    se = float(np.sqrt(found.variance(np.eye(1)))[0])
    scipy = ttest_rel(new.astype(float), old.astype(float))
    interval = scipy.confidence_interval()
    assert found.estimate[0] / se == pytest.approx(scipy.statistic, rel=1e-12)
    assert found.estimate[0] + stdtrit(39, 0.975) * se == pytest.approx(interval.high, rel=1e-12)
    one = contrast(found, np.eye(1), 0.95, 0, 999)
    assert one.df[0] == 39
    # UAR of one class is its accuracy, and the jackknife of a mean is its standard error.
    jack = paired(*(influence(UAR, tally) for tally in tallies))
    assert jack.variance(np.eye(1))[0] == pytest.approx(se**2, rel=1e-12)


def test_clusters_are_matched_by_name_and_one_absent_pulls_nothing():
    old, new = two_tallies(4, "uar")
    some = new.where(new.cluster != 5)
    found = paired(influence(UAR, some), influence(UAR, old))
    assert found.cluster.tolist() == list(range(12))
    assert found.pull[5] == pytest.approx(-influence(UAR, old).pull[5])
    alone = influence(UAR, some)
    expected = alone.pull - np.delete(influence(UAR, old).pull, 5, axis=0)
    assert np.delete(found.pull, 5, axis=0) == pytest.approx(expected)
    assert found.clusters.tolist() == [11, 11]
    shuffled = replace(old, cluster=11 - old.cluster)
    wrong = paired(influence(UAR, new), influence(UAR, shuffled))
    right = paired(influence(UAR, new), influence(UAR, old))
    assert abs(wrong.variance(np.eye(2)) / right.variance(np.eye(2)) - 1).min() > 1e-3


def test_a_value_without_influence_on_one_side_has_none():
    old, new = two_tallies(5, "uar")
    thin = new.where((new.value == 0) | (new.cluster == 3))
    found = paired(influence(UAR, thin), influence(UAR, old))
    assert np.isnan(found.pull[:, 1]).all()
    assert np.isfinite(found.pull[:, 0]).all()
    gone = paired(influence(UAR, new.where(new.value == 0)), influence(UAR, old))
    assert np.isnan(gone.estimate[1])
    assert np.isnan(gone.variance(np.eye(2))[1])


def test_weights_add_up():
    old, new = two_tallies(6, "ccc_valence")
    a, b = influence(CCC, new), influence(CCC, old)
    mean = weighed((a, b), np.array([0.5, 0.5]))
    assert mean.pull == pytest.approx((a.pull + b.pull) / 2)
    assert mean.estimate == pytest.approx((a.estimate + b.estimate) / 2)
    assert paired(a, a).variance(np.eye(2)) == pytest.approx(0, abs=1e-30)


def test_what_cannot_be_paired_is_refused():
    old, new = two_tallies(7, "uar")
    nameless = influence(UAR, replace(old, cluster=None))
    with pytest.raises(ValueError, match="name their clusters"):
        paired(influence(UAR, new), nameless)
    with pytest.raises(ValueError, match="same values"):
        paired(influence(UAR, new), influence(UAR, replace(old, value=old.value * 0, values=1)))


def rows_of_their_own(seed, rows=400):
    """A clean and a spoilt cell whose rows are clusters of their own."""
    cell = random_cell(seed, rows, rows, cluster_unit="clip")
    rng = np.random.default_rng(seed)
    said = cell.predictions["predicted"].to_pylist()
    spoilt = ["fear" if rng.random() < 0.2 and word else word for word in said]
    columns = {"predicted": spoilt, "status": cell.predictions["status"]}
    return cell, make_cell(cell.targets, columns, condition="noise", severity=1, where="crop")


@pytest.mark.parametrize("name", ["accuracy", "uar", "recall/fear", "coverage", "ccc_valence", "brier"])
def test_rows_with_names_have_the_influence_of_rows_collapsed(name):
    """And that of every row a cluster of its own, summed without collapsing."""
    clean, _ = rows_of_their_own(8)
    made = cut(clean.targets, make_suite(slices=("sex", "light")), lambda kind, name: name)
    assert made.strata.cluster is None
    metric = expand([name], clean.targets.space.labels)[0]
    sums = Sums(with_probabilities(read_rows(clean.targets, clean.predictions)), made.strata, 0.0)
    rows = np.arange(len(clean.targets))
    for one in made.slices:
        found, small = named(metric, sums, one), influence(metric, sums.tally(metric.key, one))
        wide = replace(one, of_stratum=one.of_stratum[made.strata.of_row])
        apart = Sums(sums.rows, Strata(rows, rows, rows), 0.0)
        expected = influence(metric, apart.tally(metric.key, wide))
        assert found.pull == pytest.approx(expected.pull, abs=1e-14)
        assert found.cluster.tolist() == expected.cluster.tolist()
        assert found.clusters.tolist() == expected.clusters.tolist()
        eye = np.eye(len(small.estimate))
        assert found.variance(eye) == pytest.approx(small.variance(eye), rel=1e-10)


def with_probabilities(rows):
    sure = np.random.default_rng(0).dirichlet(np.ones(rows.labels), len(rows.truth))
    return replace(rows, probabilities=tuple(pa.chunked_array([column]) for column in sure.T))


def test_rows_of_two_cells_are_the_paired_t_test_of_scipy():
    cells = rows_of_their_own(8)
    made = cut(cells[0].targets, make_suite(slices=("sex",)), lambda kind, name: name)
    clean, spoilt = (
        named(ACCURACY, Sums(read_rows(c.targets, c.predictions), made.strata, 0.0), made.slices[0])
        for c in cells
    )
    table = frame(cells[0])
    counted = judged(table, "label")
    hits = [(frame(c)["decision"] == table["label"])[counted].astype(float) for c in cells]
    scipy, found = ttest_rel(*hits), paired(clean, spoilt)
    t = found.estimate[0] / np.sqrt(found.variance(np.eye(1))[0])
    assert t == pytest.approx(scipy.statistic, rel=1e-12)
    few = collapsed(found)
    assert len(few.pull) <= 4
    assert few.cluster is None
    assert few.multiplicity.sum() == len(found.pull)
    assert few.variance(np.eye(1)) == pytest.approx(found.variance(np.eye(1)), rel=1e-12)


def test_clusters_that_all_differ_do_not_collapse():
    old, new = two_tallies(9, "ccc_valence")
    found = paired(influence(CCC, new), influence(CCC, old))
    assert collapsed(found) is found


def test_the_t_test_counts_clusters_that_did_not_change_and_refuses_few():
    ones, zeros = np.ones(40, int), np.zeros(40, int)
    old = hit_tally(ones, ones, zeros)
    new = hit_tally((np.arange(40) >= 6).astype(int), ones, zeros)
    found = t_test(paired(influence(ACCURACY, new), influence(ACCURACY, old)), 0.9)
    _, *expected = paired_t((np.arange(40) >= 6) - 1.0, 0.9)
    assert [found.low[0], found.high[0], found.p[0], found.df[0]] == pytest.approx(expected, rel=1e-10)
    assert 10 < found.df[0] < 39  # six of forty make the difference
    some = [tally.where(tally.cluster < 4) for tally in (new, old)]
    few = t_test(paired(*(influence(ACCURACY, tally) for tally in some)), 0.9)
    assert few.reason == ("no interval: fewer than 5 clusters",)
    assert np.isnan([few.low[0], few.p[0], few.se[0]]).all()
    assert few.estimate[0] == -1.0
    thin, thick = two_tallies(10, "uar")
    alone = thin.where((thin.value == 0) | (thin.cluster < 1))
    mixed = t_test(paired(influence(UAR, alone), influence(UAR, thick)), 0.9)
    assert mixed.reason[0] is None
    assert mixed.reason[1] == "no interval: fewer than 5 clusters"
    assert mixed.estimate[1] == mixed.estimate[1]
