"""Every value equals an independent library, or a fraction worked out by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    matthews_corrcoef,
    mean_absolute_error,
    multilabel_confusion_matrix,
    precision_score,
    recall_score,
)

from bench.judge.kernels import moments, total
from bench.judge.metrics import METRICS
from bench.judge.rows import Rows
from bench.judge.score import judge
from tests.judge.made import (
    LABELS,
    frame,
    judged,
    known,
    make_cell,
    make_suite,
    make_targets,
    random_cell,
    row,
)

EVERY = tuple(
    name
    for name, metric in METRICS.items()
    if metric.key.kernel in ("confusion", "outcomes")
    or (metric.key.kernel, metric.key.column) == ("moments", "valence")
)
SUITE = make_suite(metrics=EVERY, slices=("sex", "light", ("sex", "light")), missing_constant=0.1)
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


def decided(cell, slice_, value):
    """Truth and decision, "none" where there is none, of the labelled rows of a slice value."""
    rows = frame(cell)
    keep = members(rows, slice_, value) & judged(rows, "label")
    return rows["label"][keep].astype(str), np.array([d or "none" for d in rows["decision"][keep]])


@pytest.mark.parametrize(("slice_", "value"), SLICES)
def test_label_metrics_equal_scikit_learn(cell, estimates, slice_, value):
    truth, decision = decided(cell, slice_, value)
    expected = {
        "accuracy": accuracy_score(truth, decision),
        "uar": recall_score(truth, decision, labels=LABELS, average="macro"),
        "macro_f1": f1_score(truth, decision, labels=LABELS, average="macro"),
        "weighted_f1": f1_score(truth, decision, labels=LABELS, average="weighted"),
        "kappa": cohen_kappa_score(truth, decision),
        "mcc": matthews_corrcoef(truth, decision),
    }
    for metric, number in expected.items():
        found = row(estimates, slice=slice_, value=value, metric=metric)
        assert found["estimate"] == pytest.approx(number, abs=1e-12), metric
        assert found["n"] == len(truth)


@pytest.mark.parametrize(("slice_", "value"), SLICES)
def test_metrics_per_label_equal_scikit_learn(cell, estimates, slice_, value):
    truth, decision = decided(cell, slice_, value)
    assert (decision == "none").any()
    (tn, fp), (fn, tp) = np.moveaxis(multilabel_confusion_matrix(truth, decision, labels=LABELS), 0, -1)
    for stem, numbers, counts in (
        ("recall", recall_score(truth, decision, labels=LABELS, average=None), tp + fn),
        ("precision", precision_score(truth, decision, labels=LABELS, average=None), tp + fp),
        ("false_positive_rate", fp / (fp + tn), fp + tn),
        ("selection_rate", [(decision == label).mean() for label in LABELS], tp + fp + fn + tn),
    ):
        for label, number, n in zip(LABELS, numbers, counts, strict=True):
            found = row(estimates, slice=slice_, value=value, metric=f"{stem}/{label}")
            assert found["estimate"] == pytest.approx(number, abs=1e-12), (stem, label)
            assert found["n"] == n


def random_confusions(shape, seed=0):
    """Confusion counts (*shape, 4, 5), the row lists that they count, and every third without misses."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, (*shape, 4, 5))
    counts.reshape(-1, 4, 5)[::3, :, 4] = 0
    classes, decisions = np.indices((4, 5))
    for index in np.ndindex(*shape):
        yield index, counts, *(np.repeat(c.ravel(), counts[index].ravel()) for c in (classes, decisions))


@pytest.mark.parametrize("name", ["weighted_f1", "kappa", "mcc", "precision", "false_positive_rate"])
def test_statistics_of_many_axes_equal_scikit_learn_one_by_one(name):
    def positives(truth, said):
        (tn, fp), _ = np.moveaxis(multilabel_confusion_matrix(truth, said, labels=range(4)), 0, -1)
        return fp / (fp + tn)

    by_hand = {
        "weighted_f1": lambda t, d: f1_score(t, d, labels=range(4), average="weighted"),
        "kappa": cohen_kappa_score,
        "mcc": matthews_corrcoef,
        "precision": lambda t, d: precision_score(t, d, labels=range(4), average=None),
        "false_positive_rate": positives,
    }[name]
    for index, counts, truth, said in random_confusions((3, 2, 4)):
        found = METRICS[name].finish(counts)
        assert found[index] == pytest.approx(by_hand(truth, said), abs=1e-12)
        assert found.shape == (3, 2, 4, *np.shape(found[index]))


def test_kappa_and_mcc_by_hand_count_none_as_a_category_that_is_never_true():
    # Two classes, 10 rows: 3 + 4 right, 1 + 1 wrong, 1 of the first missed; n_k = 5, 5; predicted 4, 5, 1.
    counts = np.array([[3, 1, 1], [1, 4, 0]])
    observed, chance = Fraction(7, 10), Fraction(5 * 4 + 5 * 5, 100)
    kappa = (observed - chance) / (1 - chance)
    assert kappa == Fraction(5, 11)
    assert METRICS["kappa"].finish(counts) == pytest.approx(5 / 11, abs=1e-15)
    # R_K = (7 * 10 - 45) / sqrt((100 - 25 - 25) (100 - 16 - 25 - 1)) = 25 / sqrt(50 * 58).
    assert METRICS["mcc"].finish(counts) == pytest.approx(25 / 2900**0.5, abs=1e-15)
    assert METRICS["false_positive_rate"].finish(counts) == pytest.approx([1 / 5, 1 / 5], abs=1e-15)
    assert METRICS["selection_rate"].finish(counts) == pytest.approx([4 / 10, 5 / 10], abs=1e-15)
    assert METRICS["precision"].finish(counts) == pytest.approx([3 / 4, 4 / 5], abs=1e-15)
    f1 = 5 * Fraction(6, 5 + 4) + 5 * Fraction(8, 5 + 5)
    assert METRICS["weighted_f1"].finish(counts) == pytest.approx(float(f1 / 10), abs=1e-15)


def test_kappa_and_mcc_of_ten_million_rows_do_not_overflow():
    counts = np.array([[3, 1, 1], [1, 4, 0]]) * 10**6
    assert METRICS["kappa"].finish(counts) == pytest.approx(5 / 11, abs=1e-15)
    assert METRICS["mcc"].finish(counts) == pytest.approx(25 / 2900**0.5, abs=1e-15)


@pytest.mark.parametrize(
    ("counts", "undefined", "defined"),
    [
        ([[5, 0, 0], [0, 0, 0]], {"kappa", "mcc", "false_positive_rate/0", "precision/1"}, {"weighted_f1": 1}),
        ([[3, 2, 0], [0, 0, 0]], {"mcc", "false_positive_rate/0"}, {"kappa": 0, "false_positive_rate/1": 2 / 5}),
        ([[4, 0, 0], [6, 0, 0]], {"mcc", "precision/1"}, {"kappa": 0, "precision/0": 0.4}),
        ([[0, 0, 4], [0, 0, 6]], {"mcc", "precision/0", "precision/1"}, {"kappa": 0, "selection_rate/0": 0}),
    ],
)  # fmt: skip
def test_what_is_undefined_is_nan_and_what_is_zero_is_zero(counts, undefined, defined):
    found = {}
    for name in ("weighted_f1", "kappa", "mcc", "precision", "false_positive_rate", "selection_rate"):
        value = METRICS[name].finish(np.array(counts))
        found |= {f"{name}/{k}": v for k, v in enumerate(value)} if value.ndim else {name: value}
    assert {name for name, value in found.items() if np.isnan(value)} == undefined
    assert {name: found[name] for name in defined} == pytest.approx(defined, abs=1e-15)


def test_precision_of_a_class_never_predicted_is_undefined_and_says_so():
    targets = make_targets({"subject": list("abcdef"), "label": ["fear", "sadness"] * 3})
    table = judge(
        [make_cell(targets, {"predicted": ["sadness", None] * 3})], make_suite(metrics=("precision", "mcc"))
    )
    fear, sadness = row(table, metric="precision/fear"), row(table, metric="precision/sadness")
    assert fear["estimate"] is None
    assert "undefined: no rows are predicted as it" in fear["warning"]
    assert (sadness["estimate"], sadness["n"], sadness["coverage"]) == (0.0, 3, 0.5)
    # (6 * 0 - 3 * 3) / sqrt((36 - 9 - 9) (36 - 9 - 9)): the misses are a decision, so it is not -1.
    assert row(table, metric="mcc")["estimate"] == pytest.approx(-1 / 2, abs=1e-15)


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
    inside = members(rows, slice_, value) & judged(rows, "valence")
    covered = inside & known(rows["guess"])
    for keep, end in ((inside, ""), (covered, "_covered")):
        x = rows["valence"][keep].astype(float)
        y = np.array([0.1 if v is None else v for v in rows["guess"][keep]])
        ccc = 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
        for metric, number in (
            ("ccc", ccc), ("pcc", pearsonr(x, y).statistic), ("rmse", np.sqrt(((x - y) ** 2).mean())),
            ("mae", mean_absolute_error(x, y)), ("bias", y.mean() - x.mean()),
            ("sagr", (np.sign(x) == np.sign(y)).mean()),
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


def test_errors_and_signs_by_hand_with_zeros_and_misses():
    nan = float("nan")
    x = np.array([0.0, 0.0, 0.5, -0.5, 0.25, 0.75, nan, 0.5])
    y = np.array([0.0, 0.25, 0.5, 0.25, 0.0, nan, 0.5, -0.25])
    outcome = np.array([0, 0, 0, 0, 0, 3, 0, 5])
    rows = Rows(0, np.full(8, -1), np.zeros(8, int), outcome, {"valence": (x, y)})

    def value(name, misses, constant):
        stats = total(moments(rows, "valence", misses, constant))
        return METRICS[f"{name}_valence"].finish(np.stack([[stats], [stats * 0]]))[:, 0].tolist()

    # Row 7 has no truth and row 8 no medium; row 6 is a miss. Signs agree in rows 1 and 3.
    covered = {"mae": Fraction(5, 20), "bias": Fraction(3, 20), "sagr": Fraction(2, 5)}
    zero = {"mae": Fraction(8, 24), "bias": Fraction(0), "sagr": Fraction(2, 6)}
    tenth = {"mae": Fraction(23, 75), "bias": Fraction(2, 75), "sagr": Fraction(3, 6)}
    for expected, misses, constant in (
        (covered, "left out", 0.0), (zero, "constant", 0.0), (tenth, "constant", 0.16),
    ):  # fmt: skip
        for name, number in expected.items():
            found, empty = value(name, misses, constant)
            assert found == pytest.approx(float(number), abs=1e-15), (name, misses)
            assert np.isnan(empty)


def test_coverage_by_hand(cell, estimates):
    rows = frame(cell)
    counted = rows["status"] != "decode_error"
    output = known(rows["decision"]) | known(rows["guess"])
    found = row(estimates, metric="coverage")
    assert found["estimate"] == (output & counted).sum() / counted.sum()
    assert found["n"] == counted.sum()
