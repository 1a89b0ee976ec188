"""Action units: F1, AUROC and ICC against scikit-learn, mean squares and fractions; misses, refusals, notes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from bench.errors import UserError
from bench.judge import action_units, atoms
from bench.judge.atoms import gather, stratify
from bench.judge.infer import infer
from bench.judge.kernels import total
from bench.judge.metrics import METRICS, expand
from bench.judge.rows import read_rows
from bench.judge.score import judge
from bench.judge.sums import Sums
from tests.judge.coded import UNITS, coded_cell
from tests.judge.made import make_cell, make_suite, make_targets, row

SCALES = ("occurrence", "intensity")
METRICS_OF = {"occurrence": ("au_f1", "au_auroc"), "intensity": ("au_f1", "au_auroc", "au_icc")}
PARTS = [(None, None), ("sex", "female"), ("light", "unmeasured")]


@pytest.fixture(scope="module", params=SCALES)
def coded(request):
    cell = coded_cell(request.param)
    names = [f"{stem}{end}" for stem in METRICS_OF[request.param] for end in ("", *(f"/{u}" for u in UNITS))]
    return cell, judge([cell], make_suite(metrics=tuple(names), slices=("sex", "light"))), request.param


def columns(cell, unit, slice_=None, value=None):
    """Truth, prediction (NaN for none) and whether it is judged, of the rows of a slice value."""
    table, said = cell.targets.table, cell.predictions
    status = np.array(said["status"].to_pylist())
    kept = np.ones(len(status), bool)
    if slice_ is not None:
        kept = np.array([v == (None if value == "unmeasured" else value) for v in table[slice_].to_pylist()])
    truth = table[unit].to_pandas().to_numpy(float)
    lacking = unit not in said.column_names
    guess = np.full(len(truth), np.nan) if lacking else said[unit].to_pandas().to_numpy(float)
    kept &= (status != "decode_error") & ~np.isnan(truth)
    return truth[kept], np.where(status == "ok", guess, np.nan)[kept]


def expected_f1(truth, guess, scale):
    level = 2 if scale == "intensity" else 0.5
    has = truth >= level
    says = np.where(np.isnan(guess) | ((guess == 0.5) & (scale == "occurrence")), ~has, guess >= level)
    return f1_score(has, says)


def mean_squares(ratings):
    """Between and residual mean squares of targets by judges, one number after the other, as fractions."""
    table = [[Fraction(x) for x in line] for line in ratings]
    n, k = len(table), len(table[0])
    grand = sum(map(sum, table)) / (n * k)
    lines = [sum(line) / k for line in table]
    judges = [sum(line[j] for line in table) / n for j in range(k)]
    bms = k * sum((m - grand) ** 2 for m in lines) / (n - 1)
    rest = [[x - lines[i] - judges[j] + grand for j, x in enumerate(line)] for i, line in enumerate(table)]
    return bms, sum(x * x for line in rest for x in line) / ((n - 1) * (k - 1))


# Shrout, Fleiss 1979, Table 2: six targets, four judges.
SHROUT_FLEISS = [(9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8), (7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7)]


def moments_of(x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    return np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y])


def test_mean_squares_are_those_of_the_published_example():
    bms, ems = mean_squares(SHROUT_FLEISS)
    assert (round(float(bms), 2), round(float(ems), 2)) == (11.24, 1.02)  # their Table 3
    assert round(float((bms - ems) / (bms + 3 * ems)), 2) == 0.71  # their Table 4, ICC(3,1)


@pytest.mark.parametrize("judges", [(0, 1), (0, 3), (1, 2)])
def test_icc_of_two_raters_equals_the_mean_squares(judges):
    pair = [tuple(line[j] for j in judges) for line in SHROUT_FLEISS]
    bms, ems = mean_squares(pair)
    assert action_units.icc(moments_of(*zip(*pair, strict=True))) == pytest.approx(
        float((bms - ems) / (bms + ems)), abs=1e-12
    )


def test_icc_forgives_a_shift_is_0_for_constant_predictions_and_undefined_for_constant_truth():
    x = np.array([0.0, 1, 2, 5, 3])
    assert action_units.icc(moments_of(x, x + 1)) == pytest.approx(1, abs=1e-12)
    assert action_units.icc(moments_of(x, -x)) == pytest.approx(-1, abs=1e-12)
    assert action_units.icc(moments_of(x, np.full(5, 2.0))) == pytest.approx(0, abs=1e-15)
    assert np.isnan(action_units.icc(moments_of(np.full(5, 2.0), x)))
    stacked = np.stack([moments_of(x, x), moments_of(x, 0 * x), moments_of(0 * x, x)])
    assert action_units.mean_icc(stacked) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize(("slice_", "value"), PARTS)
def test_f1_equals_scikit_learn_with_every_miss_wrong(coded, slice_, value):
    cell, estimates, scale = coded
    found = []
    for unit in UNITS:
        truth, guess = columns(cell, unit, slice_, value)
        assert np.isnan(guess).any()
        assert (guess == 0.5).any() == (scale == "occurrence")
        one = row(estimates, slice=slice_, value=value, metric=f"au_f1/{unit}")
        assert one["estimate"] == pytest.approx(expected_f1(truth, guess, scale), abs=1e-12)
        assert one["n"] == len(truth)
        assert one["coverage"] == pytest.approx(np.isfinite(guess).mean(), abs=1e-12)
        found.append((one["estimate"], one["n"]))
    every = row(estimates, slice=slice_, value=value, metric="au_f1")
    assert every["estimate"] == pytest.approx(np.mean([f1 for f1, _ in found]), abs=1e-12)
    assert every["n"] == sum(n for _, n in found)


@pytest.mark.parametrize(("slice_", "value"), PARTS)
def test_auroc_is_within_its_stated_bound_of_scikit_learn(coded, slice_, value):
    cell, estimates, scale = coded
    exact, bounds = [], []
    for unit in UNITS:
        truth, guess = columns(cell, unit, slice_, value)
        truth, guess = truth[np.isfinite(guess)], guess[np.isfinite(guess)]
        one = row(estimates, slice=slice_, value=value, metric=f"au_auroc/{unit}")
        bounds.append(stated(one))
        exact.append(roc_auc_score(truth >= (2 if scale == "intensity" else 0.5), guess))
        assert abs(one["estimate"] - exact[-1]) <= bounds[-1]
        assert 0 < bounds[-1] < 0.02
        assert one["n"] == len(truth)
    every = row(estimates, slice=slice_, value=value, metric="au_auroc")
    assert abs(every["estimate"] - np.mean(exact)) <= stated(every) <= np.mean(bounds) + 1e-4


def stated(found):
    return float(found["warning"].partition("binned: within ")[2].split()[0])


@pytest.mark.parametrize(("slice_", "value"), PARTS)
def test_icc_equals_mean_squares_in_slices(slice_, value):
    cell = coded_cell("intensity", seed=3, count=300)
    estimates = judge([cell], make_suite(metrics=("au_icc", "au_icc/au_04"), slices=("sex", "light")))
    found = []
    for unit in UNITS:
        truth, guess = columns(cell, unit, slice_, value)
        bms, ems = mean_squares([(x, y) for x, y in zip(truth, guess, strict=True) if y == y])
        found.append(float((bms - ems) / (bms + ems)))
    one = row(estimates, slice=slice_, value=value, metric="au_icc/au_04")
    assert one["estimate"] == pytest.approx(found[1], abs=1e-12)
    every = row(estimates, slice=slice_, value=value, metric="au_icc")
    assert every["estimate"] == pytest.approx(np.mean(found), abs=1e-12)
    assert every["method"] == "jackknife-atanh"


def test_a_unit_that_the_model_lacks_is_missed_in_f1_and_unavailable_elsewhere():
    cell = coded_cell("intensity", lacking="au_04")
    names = ("au_f1", "au_f1/au_01", "au_f1/au_04", "au_f1/au_12", "au_auroc", "au_icc", "au_icc/au_12")
    table = judge([cell], make_suite(metrics=names))
    found = {name: row(table, metric=name) for name in names}
    mean = (found["au_f1/au_01"]["estimate"] + found["au_f1/au_12"]["estimate"]) / 3
    assert found["au_f1"]["estimate"] == pytest.approx(mean, abs=1e-12)
    assert "no output for au_04: missed in every row" in found["au_f1"]["warning"]
    every = "unavailable: the predictions have no output for {}, which takes every action unit of the targets"
    assert found["au_auroc"]["warning"].startswith(every.format("au_auroc"))
    assert found["au_icc"]["warning"].startswith(every.format("au_icc"))
    assert found["au_f1/au_04"]["warning"].startswith(
        "unavailable: the predictions have no output for au_f1/au_04"
    )
    assert found["au_icc/au_12"]["estimate"] > 0.5


def test_by_hand_present_ties_misses_and_decode_errors():
    """Of au_12: 2 TP, FN by absence, miss and tie, FP by presence, miss and tie; a unit nobody has leaves."""
    truth = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, None, 1]
    guess = [1, 0.6, 0, None, 0.5, 1, None, 0.5, 0, 0.49, 1, 0]
    status = ["ok"] * 3 + ["no_face"] + ["ok"] * 2 + ["model_error"] + ["ok"] * 4 + ["decode_error"]
    targets = make_targets({"subject": list("abcdefghijkl"), "au_12": truth, "au_04": [0] * 12})
    cell = make_cell(targets, {"status": status, "au_12": guess, "au_04": [0.0] * 12})
    table = judge([cell], make_suite(metrics=("au_f1", "au_f1/au_12", "au_f1/au_04", "au_auroc/au_12")))
    f1 = Fraction(2 * 2, 2 * 2 + 3 + 3)
    assert row(table, metric="au_f1/au_12")["estimate"] == pytest.approx(float(f1), abs=1e-12)
    assert row(table, metric="au_f1")["estimate"] == pytest.approx(float(f1), abs=1e-12)
    assert row(table, metric="au_f1")["n"] == 10 + 11
    assert "units without rows that have them: au_04" in row(table, metric="au_f1")["warning"]
    assert "1 of 22 codes of units unknown" in row(table, metric="au_f1")["warning"]
    assert row(table, metric="au_f1/au_04")["warning"].startswith("undefined: ")
    # Covered: present 1, .6, 0, .5 against absent 1, .5, 0, .49; pairs won, ties half.
    wins = [x > y or Fraction(x == y, 2) for x in [*guess[:3], 0.5] for y in (1, 0.5, 0, 0.49)]
    assert row(table, metric="au_auroc/au_12")["estimate"] == pytest.approx(float(sum(wins) / 16), abs=1e-12)


def test_presence_of_intensity_begins_at_2():
    targets = make_targets({"subject": list("abcd"), "au_12": [2, 1, 3, 0]})
    cell = make_cell(targets, {"au_12": [2.0, 1.99, 1.5, 2.0]})
    found = row(judge([cell], make_suite(metrics=("au_f1/au_12",))), metric="au_f1/au_12")
    assert found["estimate"] == pytest.approx(2 / (2 + 1 + 1), abs=1e-12)


@pytest.mark.parametrize("name", ["au_f1", "au_auroc", "au_icc", "au_f1/au_04"])
def test_rows_that_are_clusters_of_their_own_are_as_rows_of_as_many_subjects(name):
    cell = coded_cell("intensity", count=60, alone=True)
    rows, (metric,) = read_rows(cell.targets, cell.predictions), expand([name], ())
    statistics = Sums(rows, None, 0.0).statistics(metric.key)
    light = np.arange(60) % 2
    alone = stratify(np.arange(60), [light])
    own = stratify(np.append(np.arange(60), 0), [np.append(light, 0)])
    named = atoms.Strata(own.of_row[:60], own.first, own.cluster)
    found = []
    for strata in (alone, named):
        tally = gather(statistics, strata).tally(light[strata.first], 2)
        assert tally.total.sum(axis=0) == pytest.approx(total(statistics), rel=1e-12)
        found.append(infer(metric, tally, 0.95))
    assert (alone.cluster is None, named.cluster is None) == (True, False)
    for field in ("estimate", "low", "high", "n", "clusters"):
        assert getattr(found[0], field) == pytest.approx(getattr(found[1], field), rel=1e-9)
    assert np.isfinite(found[0].low).all()


def test_too_many_rows_that_are_clusters_are_refused(monkeypatch):
    monkeypatch.setattr(atoms, "_MOST", 1 << 20)
    cell = coded_cell("occurrence", count=100, alone=True)
    with pytest.raises(UserError) as caught:
        judge([cell], make_suite(metrics=("au_auroc",)))
    assert str(caught.value) == (
        "metrics over all action units: 100 rows, each a cluster of its own, would take 0.0 GiB. At most 0 GiB. "
        "Ask for units one by one, as au_auroc/au_12, or give a column 'subject' or 'clip'."
    )
    assert (
        row(judge([cell], make_suite(metrics=("au_auroc/au_12",))), metric="au_auroc/au_12")["estimate"] > 0.5
    )


@pytest.mark.parametrize(
    ("metric", "units", "message"),
    [
        ("au_f1", {}, "metric 'au_f1' needs the column 'au_NN', which made does not have"),
        ("au_f1/au_09", {"au_12": [0, 1]}, "metric 'au_f1/au_09' is not known. Did you mean 'au_f1/au_12'"),
        ("au_icc", {"au_12": [0, 1]}, "metric 'au_icc' is of intensities, and made has occurrences. Occurrences "
         "allow: au_f1, au_auroc. Take the metric out, or declare au_scale: intensity if these 0 and 1 are "
         "intensities."),
        ("au_icc/au_12", {"au_12": [0, 1]}, "metric 'au_icc/au_12' is of intensities"),
        ("au_f1", {"au_12": [None, 9]}, "metric 'au_f1': column 'au_12' is coded in no row. A unit is not coded where "
         "it is empty, -1, 9, 999."),
        ("au_f1/au_38", {"au_38": [-1, 999], "au_12": [0, 1]}, "metric 'au_f1/au_38': column 'au_38' is coded in no "
         "row"),
        ("au_auroc", {"au_38": [None, None], "au_12": [9, 9]}, "metric 'au_auroc': columns 'au_12', 'au_38' are coded "
         "in no row"),
    ],
)  # fmt: skip
def test_what_the_targets_do_not_allow_is_refused(metric, units, message):
    targets = make_targets({"subject": ["a", "b"], **units})
    cell = make_cell(targets, {"au_12": [0.1, 0.2]})
    with pytest.raises(UserError) as caught:
        judge([cell], make_suite(metrics=(metric,)))
    assert message in str(caught.value)
    if metric == "au_f1/au_09":
        assert "au_f1, au_auroc, au_icc, over all action units or of one as au_f1/au_12" in str(caught.value)


def test_without_a_name_nothing_of_units_is_judged():
    estimates = judge([coded_cell("occurrence")], make_suite(slices=("sex",)))
    assert set(estimates["metric"].to_pylist()) == {"coverage"}
    assert not any(METRICS[name].headline for name in METRICS if name.startswith("au_"))


def test_gaps_contrasts_and_bias_follow_the_mechanism_of_other_metrics(coded):
    _, estimates, scale = coded
    kinds = {(r["metric"], r["kind"]) for r in estimates.to_pylist() if r["slice"] == "sex"}
    gap = row(estimates, slice="sex", metric="au_auroc", kind="gap")
    values = [row(estimates, slice="sex", value=v, metric="au_auroc")["estimate"] for v in ("female", "male")]
    assert gap["estimate"] == pytest.approx(abs(values[0] - values[1]), abs=1e-12)
    assert 0 < gap["p"] <= 1
    for name in METRICS_OF[scale]:
        # F1 grows and shrinks with the share of rows: held against chance alone.
        assert ((name, "contrast") in kinds) == (name != "au_f1")
        assert ((f"{name}/au_12", "gap")) in kinds


def test_a_value_without_enough_rows_of_some_unit_is_insufficient():
    cell = coded_cell("occurrence", clusters=60)
    few = np.array(cell.targets.table["sex"].to_pylist()) == "male"
    codes = [None if gone and v == 1 and i % 12 else v for i, (gone, v) in enumerate(
        zip(few, cell.targets.table["au_01"].to_pylist(), strict=True))]  # fmt: skip
    table = cell.targets.table.drop_columns(["au_01"]).append_column("au_01", pa.array(codes))
    rest = {name: table[name] for name in table.column_names if name != "target"}
    targets = make_targets(rest, labels=(), label_space="", attributes_public=True)
    said = {name: cell.predictions[name] for name in cell.predictions.column_names if name != "target"}
    found = judge([make_cell(targets, said)], make_suite(metrics=("au_f1", "au_f1/au_12"), slices=("sex",)))
    status = {(r["metric"], r["value"]): r["status"] for r in found.to_pylist() if r["kind"] == "value"}
    assert status["au_f1", "female"] == status["au_f1/au_12", "male"] == "reportable"
    assert status["au_f1", "male"] == "insufficient"


@pytest.mark.parametrize("scale", SCALES)
def test_units_without_any_output_are_undefined_or_wrong_throughout(scale):
    """nothing_predicted: every status is a miss, so that F1 is 0 and all else undefined."""
    cell = coded_cell(scale, count=200)
    said = {name: [None] * 200 for name in UNITS} | {"status": ["no_face"] * 200}
    names = (*METRICS_OF[scale], "au_auroc/au_12")
    table = judge([make_cell(cell.targets, said)], make_suite(metrics=names, slices=("sex",)))
    for value in (None, "male"):
        found = {n: row(table, slice=value and "sex", value=value, metric=n) for n in names}
        assert (found["au_f1"]["estimate"], found["au_f1"]["coverage"]) == (0, 0)
        assert all(found[n]["estimate"] is None and found[n]["n"] == 0 for n in names if n != "au_f1")


def test_empty_bins_that_are_left_out_change_no_number():
    cell = coded_cell("occurrence", count=400)
    rows, (every, one) = read_rows(cell.targets, cell.predictions), expand(["au_auroc", "au_auroc/au_12"], ())
    strata = stratify(np.arange(400) % 40, [np.arange(400) % 2])
    for metric in (every, one):
        tally = gather(Sums(rows, strata, 0.0).statistics(metric.key), strata).tally(strata.first % 2, 2)
        short = action_units.trimmed(metric.key, tally)
        assert short.stats.shape[-1] < 128 < tally.stats.shape[-1]
        assert np.array_equal(metric.finish(short.total), metric.finish(tally.total))
        assert np.array_equal(metric.bound(short.total), metric.bound(tally.total))
        assert infer(metric, short, 0.95).low == pytest.approx(infer(metric, tally, 0.95).low, abs=1e-12)
