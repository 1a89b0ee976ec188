"""The cluster bootstrap against resampled rows, by hand for two clusters, and in simulated truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from bench.judge import bootstrap
from bench.judge.atoms import Tally, gather, stratify
from bench.judge.bootstrap import Draws, apart, draw, draw_kinds, name_kinds, percentiles, replicate, resample
from bench.judge.infer import infer
from bench.judge.kernels import confusion, moments
from bench.judge.metrics import METRICS
from bench.judge.rows import Rows
from tests.judge.made import random_cell
from tests.judge.tallies import alone, hit_tally

ACCURACY, UAR, F1, CCC = (METRICS[name] for name in ("accuracy", "uar", "macro_f1", "ccc_valence"))
LABELS = 3


def draws_of(clusters, seed=5, replicates=40):
    each = np.arange(clusters)
    return Draws(np.ones(clusters, int), each, seed, replicates)


def made_rows(seed, rows=600, clusters=20):
    """Rows with persons of unequal size, misses, a group of the person and a light of the row."""
    rng = np.random.default_rng(seed)
    cluster = np.r_[np.arange(clusters), np.minimum(rng.geometric(0.12, rows - clusters), clusters) - 1]
    truth = rng.integers(0, LABELS, rows)
    decision = np.where(rng.random(rows) < 0.5, truth, rng.integers(0, LABELS + 1, rows))
    x = rng.uniform(-1, 1, rows)
    y = 0.6 * x + rng.normal(0, 0.3, clusters)[cluster] + rng.normal(0, 0.2, rows)
    found = Rows(LABELS, truth, decision, np.zeros(rows, int), {"valence": (x, y)})
    return found, cluster, cluster % 2, rng.integers(0, 2, rows)


def atoms_of(rows, strata):
    valence = moments(rows, "valence", "constant", 0.0)
    return gather(confusion(rows), strata), gather(valence, strata)


def concordance(x, y):
    return 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def by_rows(rows, cluster, weights, mask):
    """Accuracy, UAR, macro-F1 and CCC of the rows repeated as often as their clusters were drawn."""
    picked = np.repeat(np.arange(len(cluster)), weights[cluster] * mask)
    if not len(picked):
        return [np.nan] * 4
    truth, decision = rows.truth[picked], rows.decision[picked]
    x, y = (part[picked] for part in rows.affect["valence"])
    whole = set(truth) == set(rows.truth[mask])
    of_classes = {"labels": np.unique(truth), "average": "macro", "zero_division": 0}
    means = [score(truth, decision, **of_classes) if whole else np.nan for score in (recall_score, f1_score)]
    return [accuracy_score(truth, decision), *means, concordance(x, y)]


@pytest.mark.parametrize("slicing", ["whole", "group of persons", "light of rows"])
def test_replicates_are_those_of_resampled_rows(slicing):
    rows, cluster, group, light = made_rows(1)
    strata = stratify(cluster, [group, light])
    value = {"whole": np.zeros_like(group), "group of persons": group, "light of rows": light}[slicing]
    values = int(value.max()) + 1
    # Codes in an order other than that of the draws, as where ids do not appear in sorted order.
    draws = replace(draws_of(20), place=np.random.default_rng(8).permutation(20))
    counts, valence = (atoms.tally(value[strata.first], values) for atoms in atoms_of(rows, strata))
    found = np.concatenate([replicate([ACCURACY, UAR, F1], counts, draws), replicate([CCC], valence, draws)])
    (weights,) = draws.counts()
    weights = weights[:, draws.place]
    expected = np.array([[by_rows(rows, cluster, w, value == v) for v in range(values)] for w in weights])
    assert not np.isnan(expected).any()
    assert found == pytest.approx(np.moveaxis(expected, -1, 0), abs=1e-12)


def test_replicates_of_rows_that_are_their_own_clusters_are_those_of_their_counts():
    counts = np.random.default_rng(3).integers(1, 9, (2, LABELS, LABELS + 1))
    tally = alone(counts)
    draws = draw_kinds(tally.multiplicity, seed=3, replicates=30)
    found = replicate([ACCURACY, UAR, F1], tally, draws)
    (weights,) = draws.counts()
    assert (weights.sum(axis=1) == counts.sum()).all()
    kind = np.argmax(tally.stats.reshape(len(weights[0]), -1), axis=1)
    rows = Rows(
        LABELS, kind // 4, kind % 4, np.zeros(len(kind), int), {"valence": (np.zeros(len(kind)),) * 2}
    )
    each = np.arange(len(kind))
    for w, replicated in zip(weights, np.moveaxis(found, 1, 0), strict=True):
        with np.errstate(invalid="ignore"):
            expected = [by_rows(rows, each, w, tally.value == v)[:3] for v in range(2)]
        assert replicated == pytest.approx(np.array(expected).T, abs=1e-12, nan_ok=True)


def test_two_clusters_enumerated():
    # 3 of 4 right in one cluster and 1 of 6 in the other: drawn twice, once each, or the other twice
    tally = hit_tally([3, 1], [4, 6], np.zeros(2, int))
    (found,) = replicate([ACCURACY], tally, draws_of(2, replicates=8000))
    value, times = np.unique(found, return_counts=True)
    assert value == pytest.approx([1 / 6, 4 / 10, 3 / 4], abs=1e-15)
    # four standard errors of a share at 8,000 draws: .02
    assert times / 8000 == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


def test_counts_of_draws_are_multinomial():
    times = np.array([1, 1, 3, 5])
    for draws, p in ((draws_of(4, 7, 40_000), np.full(4, 0.25)), (draw_kinds(times, 7, 40_000), times / 10)):
        drawn = np.concatenate(list(draws.counts()))
        assert (drawn.sum(axis=1) == draws.size).all()
        covariance = draws.size * (np.diag(p) - np.outer(p, p))
        assert drawn.mean(axis=0) == pytest.approx(draws.size * p, abs=0.03)
        assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.1)


@pytest.mark.parametrize("kind", ["clusters", "kinds"])
def test_blocks_change_nothing(kind, monkeypatch):
    if kind == "clusters":
        rows, cluster, group, light = made_rows(2)
        strata = stratify(cluster, [group, light])
        tallies = [atoms.tally(light[strata.first], 2) for atoms in atoms_of(rows, strata)]
        draws = draws_of(20)
    else:
        tallies = [alone(np.full((2, 2, 3), 4))]
        draws = draw_kinds(tallies[0].multiplicity, 1, 40)
    whole = [np.concatenate(list(resample(tally, draws))) for tally in tallies]
    monkeypatch.setattr(bootstrap, "_ELEMENTS", 60)
    parts = [list(resample(tally, draws)) for tally in tallies]
    assert min(len(part) for part in parts) > 5
    for before, after in zip(whole, parts, strict=True):
        assert (np.concatenate(after) == before).all()


def test_draws_follow_ids_whatever_the_order_of_rows():
    names = np.array([f"s{i:02d}" for i in range(12)])
    (one,) = draw(pa.chunked_array([pa.array(names)]), seed=4).counts()
    shuffled = np.random.default_rng(0).permutation(np.repeat(names, 3))
    draws = draw(pa.chunked_array([pa.array(shuffled)]), seed=4)
    (other,) = draws.counts()
    codes = list(dict.fromkeys(shuffled))
    assert (one == other).all()
    assert [names[place] for place in draws.place] == codes
    (again,) = draw(pa.array(names), seed=5).counts()
    assert (one != again).any()


def test_slices_kernels_and_models_share_draws():
    # Values of persons and of rows: the parts of every slice add up to the whole, in each replicate.
    rows, cluster, group, light = made_rows(4)
    guess = Rows(LABELS, rows.truth, np.roll(rows.decision, 1), rows.outcome, rows.affect)
    strata, draws = stratify(cluster, [group, light]), draws_of(20)
    for model in (rows, guess):
        whole, moved = (atoms.tally(np.zeros(len(strata), int), 1) for atoms in atoms_of(model, strata))
        (sums,) = resample(whole, draws)
        for value in (group, light):
            (parts,) = resample(atoms_of(model, strata)[0].tally(value[strata.first], 2), draws)
            assert (parts.sum(axis=1) == sums[:, 0]).all()
        (amounts,) = resample(moved, draws)
        assert (amounts[:, 0, 0] == sums.sum(axis=(1, 2, 3))).all()


def test_slices_of_rows_that_are_their_own_clusters_share_draws():
    rows, _, group, light = made_rows(5)
    strata = stratify(np.arange(600), [group, light])
    atoms = gather(confusion(rows), strata)
    draws = draw_kinds(atoms.amount, seed=2, replicates=25)
    (whole,) = resample(name_kinds(atoms, np.zeros(len(strata), int), 1), draws)
    for value in (group, light):
        tally = name_kinds(atoms, value[strata.first], 2)
        assert (tally.total == atoms.tally(value[strata.first], 2).total).all()
        (parts,) = resample(tally, draws)
        assert (parts.sum(axis=1) == whole[:, 0]).all()
    # Apart, every kernel shares them too.
    counts, valence = (a.tally(light, 2) for a in atoms_of(rows, apart(strata)))
    draws = draws_of(600)
    (one,), (other,) = resample(counts, draws), resample(valence, draws)
    assert (one.sum(axis=(-1, -2)) == other[:, :, 0]).all()


def test_a_replicate_without_a_stratum_or_a_class_is_nan():
    # value 0: all clusters; value 1: cluster 0 alone; value 2: class 1 in cluster 0 alone
    full, first = [[3, 1, 0], [1, 3, 0]], [[3, 1, 0], [0, 0, 0]]
    stats = np.array([full] * 6 + [full] + [full] + [first] * 5)
    value, cluster = np.repeat([0, 1, 2], [6, 1, 6]), np.r_[np.arange(6), 0, np.arange(6)]
    tally, draws = Tally(stats, value, np.ones(13, int), 3, cluster), draws_of(6, replicates=500)
    accuracy, uar = replicate([ACCURACY, UAR], tally, draws)
    absent = next(draws.counts())[:, 0] == 0
    assert 0.2 < absent.mean() < 0.5  # (5/6)^6 = .33
    assert np.isnan(accuracy).any(axis=0).tolist() == [False, True, False]
    assert (np.isnan(accuracy[:, 1]) == absent).all()
    assert np.isnan(uar).any(axis=0).tolist() == [False, True, True]
    assert (np.isnan(uar[:, 2]) == absent).all()


def test_percentile_intervals_are_refused_where_they_do_not_hold():
    draws = np.random.default_rng(0).normal(size=(2000, 4))
    draws[:20, 2], draws[:21, 3] = np.nan, np.nan
    found = percentiles(draws, np.array([50, 49, 50, 50]), 0.9)
    assert found.undefined == pytest.approx([0, 0, 0.01, 0.0105])
    assert np.isnan(found.low).tolist() == np.isnan(found.high).tolist() == [False, True, False, True]
    assert [None if why is None else why.split(": ")[1] for why in found.reason] == [
        None, "fewer than 50 clusters", None, "undefined in more than 1% of the replicates",
    ]  # fmt: skip
    none = percentiles(draws[:, 1:2], np.array([49]), 0.9)
    assert np.isnan([none.low[0], none.high[0]]).all()
    # of 1,999 replicates the 100th and the 1,900th; a NaN is none of them
    for column, n in ((np.arange(1, 2000.0), 1999), (np.r_[np.arange(1, 2000.0), np.nan], 1999)):
        ends = percentiles(column[:, None], np.array([50]), 0.9)
        assert (ends.low[0], ends.high[0]) == pytest.approx((0.05 * (n + 1), 0.95 * (n + 1)))


@pytest.mark.parametrize("shape", [(9,), (15, 3), (2, 256)])
def test_statistics_of_any_shape_are_weighted_sums(shape):
    rng = np.random.default_rng(7)
    stats = rng.normal(size=(14, *shape)) * rng.choice([1e-9, 1.0, 1e6], shape)
    value, cluster = np.arange(14) % 2, np.arange(14) // 2
    (sums,) = resample(Tally(stats, value, np.ones(14, int), 2, cluster), draws_of(7))
    (weights,) = draws_of(7).counts()
    for v in range(2):
        expected = np.array(
            [sum(w * each for w, each in zip(row, stats[v::2], strict=True)) for row in weights]
        )
        assert (abs(sums[:, v] - expected) <= 1e-14 * abs(stats).max(axis=0) * 7).all()


def test_what_cannot_be_drawn_is_refused(monkeypatch):
    tally = alone(np.full((1, 2, 3), 4))
    with pytest.raises(ValueError, match="draw_kinds"):
        replicate([ACCURACY], tally, draws_of(24))
    with pytest.raises(ValueError, match="one kernel"):
        replicate([ACCURACY, CCC], tally, draw_kinds(tally.multiplicity, 1))
    rows, cluster, group, light = made_rows(6)
    strata = stratify(cluster, [group, light])
    valence = atoms_of(rows, strata)[1]
    kinds = gather(confusion(rows), stratify(np.arange(600), []))
    binned = replace(kinds, amount=np.ones((len(kinds.amount), 3)))
    for atoms in (valence, binned, replace(kinds, column=None)):
        with pytest.raises(ValueError, match="own clusters"):
            name_kinds(atoms, np.zeros(len(strata), int), 1)
    monkeypatch.setattr(bootstrap, "MOST_FOR_MOMENTS", 19)
    with pytest.raises(ValueError, match="linearised"):
        replicate([CCC], valence.tally(np.zeros(len(strata), int), 1), draws_of(20))


def test_counts_that_single_precision_would_round_stay_exact():
    # 9 clusters of 3,000,001 rows: 27,000,009 is odd and above 2^24, so no float32
    stats = np.full((9, 1, 2), 3_000_001)
    tally = Tally(stats, np.zeros(9, int), np.ones(9, int), 1, np.arange(9))
    (sums,) = resample(tally, draws_of(9))
    assert (sums == 9 * 3_000_001).all()


def test_intervals_agree_with_the_other_methods_on_many_clusters():
    cell = random_cell(2, 6000, 200)
    from bench.judge.rows import read_rows

    rows = read_rows(cell.targets, cell.predictions)
    subject = cell.targets.table["subject"]
    codes = {name: code for code, name in enumerate(dict.fromkeys(subject.to_pylist()))}
    strata = stratify(np.array([codes[name] for name in subject.to_pylist()]), [])
    counts, valence = (a.tally(np.zeros(len(strata), int), 1) for a in atoms_of(rows, strata))
    draws = draw(subject, seed=1, replicates=4000)
    for metric, tally in ((ACCURACY, counts), (UAR, counts), (F1, counts), (CCC, valence)):
        (found,) = replicate([metric], tally, draws)
        known = infer(metric, tally, 0.95)
        ends = percentiles(found, known.clusters, 0.95)
        # Ends of 4,000 replicates are off by about 1/60 of the width; the methods differ by as much.
        near = 0.06 * (known.high - known.low)[0]
        assert (ends.low[0], ends.high[0]) == pytest.approx((known.low[0], known.high[0]), abs=near)


def test_percentile_intervals_of_fifty_clusters_cover():
    # 400 data sets of 50 persons, accuracy .7, ICC .1, 5 to 30 rows: 94 % (sim); 4 standard errors are 4.7 %
    rng, covered = np.random.default_rng(9), 0
    draws = draws_of(50, seed=1, replicates=400)
    for number in range(400):
        trials = rng.integers(5, 31, 50)
        tally = hit_tally(rng.binomial(trials, rng.beta(6.3, 2.7, 50)), trials, np.zeros(50, int))
        (found,) = replicate([ACCURACY], tally, replace(draws, seed=number))
        ends = percentiles(found, tally.clusters, 0.95)
        covered += bool(ends.low[0] <= 0.7 <= ends.high[0])
    assert covered / 400 == pytest.approx(0.94, abs=0.045)
