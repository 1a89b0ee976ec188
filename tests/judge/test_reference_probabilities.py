"""Metrics of probabilities and votes equal an independent library or a fraction; those of bins, their bound."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.special import logit
from scipy.stats import entropy
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from bench.judge import kernels, probabilistic
from bench.judge.kernels import total
from bench.judge.metrics import METRICS
from bench.judge.rows import Rows
from bench.judge.score import judge
from tests.judge.graded import ON_LABELS, ON_VOTES, K, expected_aurc, graded_cell, members, read_again
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, row

SUITE = make_suite(metrics=(*ON_LABELS, *ON_VOTES), slices=("sex", "light", ("sex", "light")))
SLICES = pytest.mark.parametrize(
    ("slice_", "value"),
    [(None, None), ("sex", "female"), ("light", "unmeasured"), ("sex&light", "male&dark")],
)
SPACES = (LABELS, (*LABELS, "contempt"), LABELS[:3])


@pytest.fixture(scope="module", params=SPACES, ids=["same labels", "one more", "one less"])
def graded(request):
    cell = graded_cell(3, 3000, 40, columns=request.param)
    return read_again(cell), judge([cell], SUITE), cell


def with_label(rows, slice_, value):
    keep = members(rows, slice_, value) & rows["ok"] & (rows["truth"] >= 0)
    return rows["truth"][keep], rows["p"][keep], rows["decision"][keep]


def number(estimates, slice_, value, metric):
    found = row(estimates, slice=slice_, value=value, metric=metric)
    return found["estimate"], found["n"]


@SLICES
def test_brier_and_log_likelihood_equal_scikit_learn(graded, slice_, value):
    rows, estimates, _ = graded
    truth, p, _ = with_label(rows, slice_, value)
    codes = list(range(p.shape[1]))
    for metric, wanted in (
        ("brier", brier_score_loss(truth, p, labels=codes, scale_by_half=False)),
        ("nll", log_loss(truth, p, labels=codes)),
    ):
        assert number(estimates, slice_, value, metric) == (pytest.approx(wanted, abs=1e-12), len(truth))


@SLICES
def test_ece_equals_a_plain_loop_over_bins(graded, slice_, value):
    rows, estimates, _ = graded
    truth, p, decision = with_label(rows, slice_, value)
    top, error = p.max(axis=1), 0.0
    for b in range(15):
        inside = (top > b / 15) & (top <= (b + 1) / 15)
        error += abs((decision == truth)[inside].sum() - top[inside].sum())
    assert (decision < 0).any()
    wanted = error / len(truth)
    assert number(estimates, slice_, value, "ece") == (pytest.approx(wanted, abs=1e-12), len(truth))


@SLICES
@pytest.mark.parametrize("label", LABELS)
def test_auroc_equals_scikit_learn_on_bins_and_within_its_bound_without(graded, slice_, value, label):
    rows, estimates, cell = graded
    found = row(estimates, slice=slice_, value=value, metric=f"auroc/{label}")
    if f"p_{label}" not in cell.predictions.column_names:
        assert found["estimate"] is None
        assert found["warning"].startswith(f"unavailable: the predictions have no output for auroc/{label}")
        return
    truth, p, _ = with_label(rows, slice_, value)
    own, p = truth == LABELS.index(label), p[:, LABELS.index(label)]
    with np.errstate(divide="ignore"):
        binned = np.clip(np.floor(8 * logit(p)), -128, 127)
    assert found["n"] == len(own)
    assert found["estimate"] == pytest.approx(roc_auc_score(own, binned), abs=1e-12)
    bound = np.mean([(binned[~own] == b).mean() for b in binned[own]]) / 2
    assert 1e-4 < bound < 0.06
    assert abs(found["estimate"] - roc_auc_score(own, p)) <= bound
    assert f"binned: within {np.ceil(bound * 1e4) / 1e4:.4f} of exact" in found["warning"]


@SLICES
def test_aurc_equals_sorted_rows_on_bins_and_within_its_bound_without(graded, slice_, value):
    rows, estimates, _ = graded
    truth, p, decision = with_label(rows, slice_, value)
    top, wrong = p.max(axis=1), decision != truth
    with np.errstate(divide="ignore"):
        binned = np.clip(np.floor(8 * logit(top)), -128, 127)
    found = row(estimates, slice=slice_, value=value, metric="aurc")
    assert (found["estimate"], found["n"]) == (
        pytest.approx(expected_aurc(binned, wrong), abs=1e-12), len(truth)
    )  # fmt: skip
    bound = float(found["warning"].split("binned: within ")[1].split()[0])
    assert abs(found["estimate"] - expected_aurc(top, wrong)) <= bound < 0.04


@SLICES
def test_soft_label_metrics_equal_scipy(graded, slice_, value):
    rows, estimates, _ = graded
    cast = members(rows, slice_, value) & (rows["votes"].sum(axis=1) > 0)
    keep = cast & rows["ok"]
    p, q = rows["p"][keep], rows["q"][keep]
    floored = np.maximum(p, np.finfo(float).eps)
    for metric, wanted in (
        ("cross_entropy", -(q * np.log(floored)).sum(axis=1)),
        ("soft_brier", ((p - q) ** 2).sum(axis=1)),
        ("js", jensenshannon(p, q, base=2, axis=1) ** 2),
    ):
        assert number(estimates, slice_, value, metric) == (
            pytest.approx(wanted.mean(), abs=1e-12), keep.sum()
        )  # fmt: skip
    inside = (p > 0).all(axis=1)
    both = entropy(q[inside], axis=1) + entropy(q[inside], p[inside], axis=1)
    assert -(q * np.log(floored)).sum(axis=1)[inside] == pytest.approx(both, abs=1e-12)
    judged = cast & rows["judged"]
    votes, decision = rows["votes"][judged], rows["decision"][judged]
    agree = sum(v[d] for v, d in zip(votes, decision, strict=True) if 0 <= d < K)
    wanted = agree / votes.sum()
    assert number(estimates, slice_, value, "crowd_agreement") == (
        pytest.approx(wanted, abs=1e-12), judged.sum()
    )  # fmt: skip


def hand_rows():
    """Five rows of two labels and one outside; a tie, a label outside on top, a miss, a decode error."""
    p = np.array(
        [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0, 1, 0], [1, 0, 0]]
    )
    votes = pa.chunked_array([[[3.0, 1.0], [1.0, 1.0], None, [0.0, 2.0], [4.0, 0.0], [0.0, 9.0]]])
    columns = tuple(pa.chunked_array([column]) for column in p.T)
    truth, decision = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 1, 2, 2, 2, 0])
    return Rows(2, truth, decision, np.array([0, 0, 1, 0, 3, 5]), {}, probabilities=columns, votes=votes)


def value(name, rows):
    key = METRICS[name].key
    kernel = getattr(kernels, key.kernel)
    stats = total(kernel(rows, key.label) if key.kernel == "ranking" else kernel(rows))
    assert np.isnan(METRICS[name].finish(stats * 0))
    return METRICS[name].finish(stats)


def test_by_hand():
    rows = hand_rows()
    # Rows 1 to 4 count. Bins (7/15, 8/15]: 1/2 three times, one hit; (11/15, 12/15]: 3/4, no hit.
    assert value("ece", rows) == pytest.approx(float(Fraction(1, 4) * (Fraction(1, 2) + Fraction(3, 4))))
    brier = [(16 + 4 + 4, 64), (49 + 36 + 1, 64), (16 + 16, 64), (4 + 36 + 16, 64)]
    assert value("brier", rows) == pytest.approx(float(sum(Fraction(*b) for b in brier) / 4), abs=1e-15)
    assert value("nll", rows) == pytest.approx(np.log(2 * 8 * 2 * 4) / 4, abs=1e-15)
    # Confidence 3/4 is wrong; then 1/2 three times with two wrong: risks 1, (1 + 2/3)/2, (1 + 4/3)/3, 3/4.
    aurc = (1 + Fraction(5, 6) + Fraction(7, 9) + Fraction(3, 4)) / 4
    assert value("aurc", rows) == pytest.approx(float(aurc), abs=1e-15)
    # Probability of label 0: own 1/2, 1/8; others 1/2, 1/4: one tie and one win of four.
    assert value("auroc", rows) == (0.5 + 1) / 4
    # Votes: 3/4 1/4, 1/2 1/2, none, 0 1; rows 1, 2 and 4 count, and 5 for the agreement.
    soft = [(4 + 0 + 4, 64), (9 + 4 + 1, 64), (4 + 36 + 16, 64)]
    assert value("soft_brier", rows) == pytest.approx(float(sum(Fraction(*b) for b in soft) / 3), abs=1e-15)
    bits = [Fraction(3, 4) + Fraction(2, 4), (3 + (2 - np.log2(3))) / 2, 2]
    assert value("cross_entropy", rows) == pytest.approx(float(sum(bits)) / 3 * np.log(2), abs=1e-15)
    assert value("crowd_agreement", rows) == (3 + 1 + 0 + 0) / (4 + 2 + 2 + 4)
    shares = np.array([[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 1, 0]])
    p = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [0.25, 0.25, 0.5]])
    m = (shares + p) / 2
    js = entropy(m, base=2, axis=1) - (entropy(p, base=2, axis=1) + entropy(shares, base=2, axis=1)) / 2
    assert value("js", rows) == pytest.approx(js.mean(), abs=1e-15)


def test_a_certain_mistake_costs_the_floor_and_no_more():
    columns = tuple(pa.chunked_array([c]) for c in ([1.0, 0.0], [0.0, 1.0]))
    rows = Rows(2, np.array([1, 1]), np.array([0, 1]), np.zeros(2, int), {}, probabilities=columns)
    assert value("nll", rows) == pytest.approx(52 * np.log(2) / 2, abs=1e-12)
    assert value("brier", rows) == 1.0


def test_the_bound_of_aurc_is_reached_by_the_worst_or_best_order():
    rng = np.random.default_rng(0)
    for _ in range(20):
        counts = np.zeros((2, kernels.LOGIT_BINS), int)
        counts[:, [100, 130, 200]] = rng.integers(0, 3, (2, 3))
        bins = [np.repeat([True, False], counts[:, b]) for b in (200, 130, 100)]
        areas = [0.0]
        every = [[]]
        for rows in bins:
            every = [head + list(tail) for head in every for tail in set(permutations(rows.tolist()))]
        areas = [np.mean(np.cumsum(o) / np.arange(1, len(o) + 1)) for o in every if o]
        if not areas:
            continue
        mean = probabilistic.aurc(counts)
        assert mean == pytest.approx(np.mean(areas), abs=1e-12)
        reach = max(max(areas) - mean, mean - min(areas))
        assert probabilistic.aurc_bound(counts) == pytest.approx(reach, abs=1e-12)


def test_the_bound_of_auroc_is_reached_where_each_bin_is_sorted():
    counts = np.zeros((2, kernels.LOGIT_BINS), int)
    counts[:, [3, 90, 255]] = [[4, 2, 0], [1, 3, 5]]
    score = np.repeat(np.tile([0.0, 1.0, 2.0], 2), counts[:, [3, 90, 255]].ravel())
    own = np.repeat([False, True], counts.sum(axis=1))
    value, bound = probabilistic.auroc(counts), probabilistic.auroc_bound(counts)
    assert value == pytest.approx(roc_auc_score(own, score), abs=1e-15)
    assert value + bound == pytest.approx(roc_auc_score(own, score + 0.1 * own), abs=1e-15)
    assert value - bound == pytest.approx(roc_auc_score(own, score - 0.1 * own), abs=1e-15)


def test_reliability_and_risk_coverage_are_the_data_of_their_diagrams():
    rows = hand_rows()
    n, confidence, accuracy = probabilistic.reliability(total(kernels.calibration(rows)))
    assert n.tolist() == [0] * 7 + [3, 0, 0, 0, 1, 0, 0, 0]
    assert (confidence[7], accuracy[7]) == (0.5, pytest.approx(1 / 3, abs=1e-15))
    assert (confidence[11], accuracy[11]) == (0.75, 0.0)
    assert np.isnan([confidence[0], accuracy[0]]).all()
    coverage, risk = probabilistic.risk_coverage(total(kernels.selective(rows)))
    seen = ~np.isnan(risk)
    assert sorted(set(zip(coverage[seen], risk[seen], strict=True))) == [(0.25, 1.0), (1.0, 0.75)]
    error = np.nansum(n * abs(accuracy - confidence)) / n.sum()
    assert error == pytest.approx(value("ece", rows), abs=1e-15)


@pytest.mark.parametrize(("confidence", "place"), [(1 / 15, 0), (2 / 15, 1), (0.4, 5), (0.40001, 6), (1, 14)])
def test_bins_of_confidence_hold_their_upper_edge(confidence, place):
    p = pa.chunked_array([[float(confidence)]])
    rows = Rows(1, np.zeros(1, int), np.zeros(1, int), np.zeros(1, int), {}, probabilities=(p,))
    assert np.flatnonzero(total(kernels.calibration(rows))[:, 0]).tolist() == [place]


def test_accuracy_reads_no_probability_and_no_vote(monkeypatch):
    cell = graded_cell(1, 200, 10)
    wanted = judge([cell], make_suite(slices=("sex",)))
    for name in ("probability", "ballots", "confidence"):
        monkeypatch.setattr(Rows, name, property(lambda rows: pytest.fail("was read")))
    assert judge([cell], make_suite(slices=("sex",))).equals(wanted)


def test_large_statistics_are_made_again_and_the_same(monkeypatch):
    cell = graded_cell(1, 300, 12)
    wanted = judge([cell], SUITE)
    monkeypatch.setattr("bench.judge.sums._KEPT", 1 << 14)
    assert judge([cell], SUITE).equals(wanted)


def test_rows_that_are_their_own_clusters_give_the_same_values():
    cell = graded_cell(2, 400, 20, attributes_public=True)
    table = cell.targets.table.drop_columns(["target"])
    alone = make_targets({n: table[n] for n in table.column_names if n != "subject"}, attributes_public=True)
    columns = {n: cell.predictions[n] for n in cell.predictions.column_names if n not in ("target", "fault")}
    one, other = judge([cell], SUITE), judge([make_cell(alone, columns)], SUITE)
    assert {r["cluster_unit"] for r in other.to_pylist()} == {"clip"}
    for metric in ("ece", "nll", "aurc", "auroc/fear", "js", "crowd_agreement"):
        for slice_, at in ((None, None), ("sex", "male")):
            found = [row(t, slice=slice_, value=at, metric=metric) for t in (one, other)]
            assert found[0]["estimate"] == pytest.approx(found[1]["estimate"], abs=1e-12)
            assert found[1]["clusters"] == found[1]["n"] == found[0]["n"]
