"""The Estimates table: conventions for misses, notes, missing outputs, order."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.judge.score import Cell, judge
from bench.tables import ESTIMATES
from tests.judge.made import make_cell, make_suite, make_targets, random_cell, row, values

LABELLED = make_targets(
    {
        "subject": [f"s{i}" for i in range(8)],
        "label": ["fear", "fear", "sadness", "sadness", "fear", None, "sadness", "fear"],
    }
)
DECISIONS = {
    "status": ["ok", "no_face", "abstained", "model_error", "decode_error", "ok", "ok", "ok"],
    "predicted": ["fear", None, None, None, None, "fear", None, "contempt"],
}


def test_misses_are_wrong_and_decode_errors_leave():
    table = judge([make_cell(LABELLED, DECISIONS)], make_suite())
    accuracy = row(table, metric="accuracy")
    assert (accuracy["estimate"], accuracy["n"], accuracy["clusters"]) == (1 / 6, 6, 6)
    assert accuracy["warning"] == (
        "no decision (tie or empty): 14.29% of rows, counted as wrong; "
        "1 row with a model error, counted as missing; 1 row with a decode error left out; "
        "1 row without label left out; 1 row predicted outside the label space, counted as wrong; "
        "decode errors: 12.50% of all rows left out, compare only where the same rows are"
    )
    assert row(table, metric="recall/fear")["estimate"] == 1 / 3
    assert row(table, metric="recall/sadness")["estimate"] == 0
    coverage = row(table, metric="coverage")
    assert (coverage["estimate"], coverage["n"]) == (3 / 7, 7)
    assert accuracy["coverage"] == 3 / 7


@pytest.mark.parametrize(("faults", "said"), [(1, False), (2, True)])
def test_above_one_percent_of_decode_errors_every_number_says_so(faults, said):
    targets = make_targets(
        {
            "subject": [f"s{i}" for i in range(100)],
            "label": ["fear", "sadness"] * 50,
            "valence": [0.5] * 100,
            "g": ["x"] * 50 + ["y"] * 50,
        }
    )
    status = ["decode_error"] * faults + ["ok"] * (100 - faults)
    predicted = [None] * faults + ["fear"] * (100 - faults)
    cell = make_cell(targets, {"status": status, "predicted": predicted})
    table = judge([cell], make_suite(slices=("g",), metrics=("accuracy", "coverage", "ccc_valence")))
    for found in table.to_pylist():  # y has no decode error of its own, and is compared with x
        assert ("decode errors: 2.00% of all rows left out" in (found["warning"] or "")) == said


def test_a_class_never_predicted_has_f1_zero():
    targets = make_targets({"subject": list("abcdef"), "label": ["fear", "sadness"] * 3})
    table = judge([make_cell(targets, {"predicted": ["fear"] * 6})], make_suite())
    assert row(table, metric="macro_f1")["estimate"] == pytest.approx((2 / 3 + 0) / 2, abs=1e-15)


def test_a_tie_of_probabilities_is_an_output_but_no_decision():
    targets = make_targets({"subject": list("abcdef"), "label": ["fear", "sadness"] * 3})
    cell = make_cell(targets, {"p_fear": [0.5] * 3 + [0.9] * 3, "p_sadness": [0.5] * 3 + [0.1] * 3})
    table = judge([cell], make_suite())
    assert row(table, metric="accuracy")["estimate"] == 1 / 6
    assert "50.00%" in row(table, metric="accuracy")["warning"]
    assert row(table, metric="coverage")["estimate"] == 1


def test_missing_affect_scores_as_the_declared_constant():
    targets = make_targets(
        {"subject": list("abcd"), "valence": [0.5, -0.5, 0.2, 0.4]}, labels=(), label_space=""
    )
    cell = make_cell(
        targets, {"status": ["ok", "no_face", "ok", "decode_error"], "valence": [0.4, None, 0.1, None]}
    )
    table = judge([cell], make_suite(missing_constant=-0.1))
    headline, covered = row(table, metric="rmse_valence"), row(table, metric="rmse_valence_covered")
    assert headline["estimate"] == pytest.approx(np.sqrt((0.01 + 0.16 + 0.01) / 3), abs=1e-12)
    assert covered["estimate"] == pytest.approx(0.1, abs=1e-12)
    assert (headline["n"], covered["n"], headline["coverage"], covered["coverage"]) == (3, 2, 2 / 3, 2 / 3)
    assert "uar" not in table["metric"].to_pylist()


def test_metrics_default_to_what_both_tables_hold_and_asked_ones_say_unavailable():
    targets = random_cell(1, 200, 10).targets
    cell = make_cell(targets, {"predicted": ["fear"] * 200})
    assert "ccc_valence" not in judge([cell], make_suite())["metric"].to_pylist()
    table = judge([cell], make_suite(metrics=("ccc_valence", "accuracy"), slices=("sex",)))
    assert [r["metric"] for r in values(table)] == ["ccc_valence", "accuracy"] * 3
    found = row(table, metric="ccc_valence", slice="sex", value="male")
    assert (found["estimate"], found["n"], found["status"]) == (None, None, "insufficient")
    assert found["warning"] == "unavailable: the predictions have no output for ccc_valence"
    hard = make_cell(targets, {"valence": np.zeros(200)})
    assert row(judge([hard], make_suite(metrics=("uar",))), metric="uar")["warning"].startswith("unavailable")


def test_a_model_of_hard_labels_that_never_decides_is_wrong_throughout():
    cell = make_cell(LABELLED, {"predicted": pa.nulls(8, pa.string()), "status": ["abstained"] * 8})
    table = judge([cell], make_suite())
    assert (row(table, metric="accuracy")["estimate"], row(table, metric="coverage")["estimate"]) == (0, 0)


def test_every_output_says_that_independence_of_clips_is_assumed():
    table = judge([random_cell(1, 300, 300, cluster_unit="clip")], make_suite(slices=("light",)))
    shown = [r for r in table.to_pylist() if r["status"] != "suppressed"]
    assert all("independence of clips is assumed" in r["warning"] for r in shown)
    assert set(table["cluster_unit"].to_pylist()) == {"clip"}


def test_differing_row_weights_are_not_silently_ignored():
    columns = {name: LABELLED.table[name] for name in ("subject", "label")}
    for weights, said in (([1.0] * 8, False), ([1.0] * 7 + [2.0], True)):
        table = judge([make_cell(make_targets(columns | {"weight": weights}), DECISIONS)], make_suite())
        assert ("row weights are not used" in row(table, metric="uar")["warning"]) == said


def test_schema_kind_and_order_do_not_depend_on_the_order_of_cells():
    cells = [
        Cell(**{**vars(random_cell(2, 150, 12)), **key})
        for key in (
            {"condition": "low_light", "severity": 3, "where": "frame"},
            {"condition": "low_light", "severity": 1, "where": "frame"},
            {}, {"model": "a"}, {"dataset": "later"},
        )
    ]  # fmt: skip
    suite = make_suite(slices=("sex", "light"))
    table, again = judge(iter(cells), suite), judge(reversed(cells), suite)
    assert table.schema.equals(ESTIMATES)
    assert table.equals(again)
    keys = list(
        dict.fromkeys(
            zip(*(table[n].to_pylist() for n in ("model", "dataset", "condition", "severity")), strict=True)
        )
    )
    assert keys == [
        ("a", "made", "clean", 0), ("m", "later", "clean", 0), ("m", "made", "clean", 0),
        ("m", "made", "low_light", 1), ("m", "made", "low_light", 3),
    ]  # fmt: skip
    assert set(table["kind"].to_pylist()) == {"value", "gap"}
    assert set(table["side"].to_pylist()) <= {"two-sided", None}


def test_predictions_out_of_order_are_refused():
    cell = make_cell(LABELLED, DECISIONS)
    shuffled = Cell(**{**vars(cell), "predictions": cell.predictions.take(list(range(7, -1, -1)))})
    with pytest.raises(ValueError, match="in the order of the targets"):
        judge([shuffled], make_suite())


def test_only_ok_rows_decide_whatever_the_table_says():
    cell = make_cell(LABELLED, DECISIONS)
    claimed = cell.predictions.set_column(2, "predicted", pa.array(LABELLED.table["label"].to_pylist()))
    table = judge([Cell(**{**vars(cell), "predictions": claimed})], make_suite())
    assert row(table, metric="accuracy")["estimate"] == 3 / 6
    assert row(table, metric="coverage")["estimate"] == 3 / 7


def test_judge_refuses_what_check_refuses():
    with pytest.raises(UserError, match="suite made, slice sexx: slice 'sexx' is not an attribute of made"):
        judge([make_cell(LABELLED, DECISIONS)], make_suite(slices=("sexx",)))


def test_no_cells_give_an_empty_table():
    assert judge([], make_suite()).equals(ESTIMATES.empty_table())


def test_importing_the_judge_loads_nothing_heavy():
    code = (
        "import sys, bench.judge.score; heavy = ('torch', 'pandas', 'sklearn', 'scipy.stats', 'datasets', "
        "'mlflow', 'matplotlib', 'bench.predict'); print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
