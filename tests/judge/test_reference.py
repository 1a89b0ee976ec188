"""Every value equals an independent library, or a fraction worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score

from bench.judge.score import judge
from tests.judge.made import LABELS, frame, make_cell, make_suite, make_targets, random_cell, row

SUITE = make_suite(slices=("sex", "light", ("sex", "light")), missing_constant=0.1)
SLICES = [
    (None, None), ("sex", "female"), ("light", "unmeasured"), ("sex&light", "male&dark"),
]  # fmt: skip


@pytest.fixture(scope="module")
def cell():
    return random_cell(seed=3, rows=3000, clusters=40)


@pytest.fixture(scope="module")
def estimates(cell):
    return judge([cell], SUITE)


def members(rows, slice_, value):
    keep = np.ones(len(rows["target"]), bool)
    for name, wanted in zip((slice_ or "").split("&"), (value or "").split("&"), strict=True):
        if name:
            found = np.array([v or "unmeasured" for v in rows[name]])
            keep &= found == wanted
    return keep


@pytest.mark.parametrize(("slice_", "value"), SLICES)
def test_label_metrics_equal_scikit_learn(cell, estimates, slice_, value):
    rows = frame(cell)
    keep = members(rows, slice_, value) & (rows["status"] != "decode_error") & (rows["label"] != None)  # noqa: E711
    truth = rows["label"][keep].astype(str)
    decision = np.array([d or "none" for d in rows["decision"][keep]])
    expected = {
        "accuracy": accuracy_score(truth, decision),
        "uar": recall_score(truth, decision, labels=LABELS, average="macro"),
        "macro_f1": f1_score(truth, decision, labels=LABELS, average="macro"),
    }
    per_label = recall_score(truth, decision, labels=LABELS, average=None)
    expected |= {f"recall/{label}": r for label, r in zip(LABELS, per_label, strict=True)}
    for metric, number in expected.items():
        found = row(estimates, slice=slice_, value=value, metric=metric)
        assert found["estimate"] == pytest.approx(number, abs=1e-12), metric
        n = (truth == metric.partition("/")[2]).sum() if "/" in metric else keep.sum()
        assert found["n"] == n


def test_uar_over_present_classes_equals_balanced_accuracy():
    targets = make_targets({"subject": list("aabbccddee"), "label": ["fear", "sadness"] * 5})
    decisions = ["fear", "sadness", "happiness", "sadness", None] * 2
    table = judge([make_cell(targets, {"predicted": decisions})], make_suite())
    truth, said = ["fear", "sadness"] * 5, [d or "none" for d in decisions]
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = balanced_accuracy_score(truth, said)
    found = row(table, metric="uar")
    assert found["estimate"] == pytest.approx(expected, abs=1e-12)
    assert "classes without rows: neutral, happiness" in found["warning"]
    assert row(table, metric="recall/neutral")["estimate"] is None


@pytest.mark.parametrize(("slice_", "value"), SLICES)
def test_affect_metrics_equal_scipy_and_numpy(cell, estimates, slice_, value):
    rows = frame(cell)
    inside = members(rows, slice_, value) & (rows["status"] != "decode_error") & (rows["valence"] != None)  # noqa: E711
    covered = inside & (rows["guess"] != None)  # noqa: E711
    for keep, end in ((inside, ""), (covered, "_covered")):
        x = rows["valence"][keep].astype(float)
        y = np.array([0.1 if v is None else v for v in rows["guess"][keep]])
        ccc = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        for metric, number in (
            ("ccc", ccc), ("pcc", pearsonr(x, y).statistic), ("rmse", np.sqrt(((x - y) ** 2).mean())),
        ):  # fmt: skip
            found = row(estimates, slice=slice_, value=value, metric=f"{metric}_valence{end}")
            assert found["estimate"] == pytest.approx(number, abs=1e-12), metric
            assert found["n"] == keep.sum()
            assert found["coverage"] == pytest.approx(covered.sum() / inside.sum(), abs=1e-15)


def test_ccc_by_hand_uses_population_variance():
    x, y = [Fraction(k, 4) for k in (-2, 0, 1, 3)], [Fraction(k, 4) for k in (-1, 1, 0, 3)]
    mx, my = sum(x) / 4, sum(y) / 4
    cov = sum(a * b for a, b in zip(x, y, strict=True)) / 4 - mx * my
    vx, vy = sum(a * a for a in x) / 4 - mx**2, sum(b * b for b in y) / 4 - my**2
    ccc = 2 * cov / (vx + vy + (mx - my) ** 2)
    # In quarters: means 1/2, 3/4; cov 19/8; variances 13/4, 35/16; 2 cov / (13/4 + 35/16 + 1/16) = 19/22.
    assert ccc == Fraction(19, 22)
    targets = make_targets(
        {"subject": list("abcd"), "valence": [float(v) for v in x]}, labels=(), label_space=""
    )
    table = judge(
        [make_cell(targets, {"valence": [float(v) for v in y]})], make_suite(metrics=("ccc_valence",))
    )
    assert row(table, metric="ccc_valence")["estimate"] == pytest.approx(19 / 22, abs=1e-15)


def test_coverage_by_hand(cell, estimates):
    rows = frame(cell)
    judged = rows["status"] != "decode_error"
    output = (rows["decision"] != None) | (rows["guess"] != None)  # noqa: E711
    found = row(estimates, metric="coverage")
    assert found["estimate"] == (output & judged).sum() / judged.sum()
    assert found["n"] == judged.sum()
