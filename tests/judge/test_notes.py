"""Notes beside a number: what predictions cannot name, scales that are none, clips without frames."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from bench.judge import action_units
from bench.judge.score import judge
from tests.judge.made import make_cell, make_suite, make_targets, row

TRUTH = {
    "subject": [f"s{i}" for i in range(40)],
    "label": ["neutral", "happiness", "sadness", "fear"] * 10,
    "valence": [0.1] * 40,
    "sex": ["f", "m"] * 20,
}
NOTE = "no probability for sadness, fear: can never be predicted"


def warnings(columns, metrics=("accuracy", "recall", "coverage", "ccc_valence")):
    cell = make_cell(make_targets(TRUTH), {**columns, "valence": [0.2] * 40})
    return judge([cell], make_suite(metrics=metrics, slices=("sex",)))


def test_labels_without_a_probability_are_named_once_a_metric_of_labels():
    table = warnings({"p_neutral": [0.7] * 40, "p_happiness": [0.3] * 40})
    noted = {(r["metric"], r["slice"]) for r in table.to_pylist() if NOTE in (r["warning"] or "")}
    labels = ("neutral", "happiness", "sadness", "fear")
    assert noted == {("accuracy", None), *((f"recall/{label}", None) for label in labels)}
    assert row(table, metric="recall/fear")["estimate"] == 0


def test_whoever_has_a_probability_for_all_or_none_is_not_noted():
    whole = warnings({f"p_{label}": [0.25] * 40 for label in ("neutral", "happiness", "sadness", "fear")})
    hard = warnings({"predicted": ["neutral"] * 40})
    assert not any("no probability" in (r["warning"] or "") for t in (whole, hard) for r in t.to_pylist())


SCALE = (
    "no score of any action unit reaches 2 of 5, from which a unit counts as present: are the predictions on the "
    "occurrence scale?"
)
LACKING = "no output for au_25: missed in every row"
CODED = {"au_04": [0, 3, 0, 5] * 10, "au_25": [0, 0, 4, 1] * 10}


def noted(table, text):
    """The metric and slice of every row that says it."""
    rows = table.to_pylist()
    return {(r["metric"], r["slice"]) for r in rows if text in (r["warning"] or "").split("; ")}


def coded(said, metrics, truth=CODED, scale="intensity"):
    cell = make_cell(make_targets({**TRUTH, **truth}, au_scale=scale), {"valence": [0.2] * 40, **said})
    return judge([cell], make_suite(metrics=metrics, slices=("sex",)))


@pytest.mark.parametrize(("highest", "f1"), [(1.0, 0.0), (1.99, 0.0), (2.0, 1 / 3)])
def test_intensities_that_never_reach_a_unit_are_asked_about_once_a_metric_of_units(highest, f1):
    """F1 by hand: at 2.0 au_04 is right in half of the rows that have it and au_25 never, (2 / 3 + 0) / 2."""
    said = {"au_04": [0.1, highest, 0.2, 0.3] * 10, "au_25": [0.0] * 40}
    table = coded(said, ("au_f1", "au_f1/au_04", "au_icc", "ccc_valence", "coverage"))
    whole = {(name, None) for name in ("au_f1", "au_f1/au_04", "au_icc")}
    assert noted(table, SCALE) == (set() if highest == 2.0 else whole)
    assert row(table, metric="au_f1")["estimate"] == pytest.approx(f1, abs=1e-12)


def test_the_level_asked_about_is_the_one_that_f1_decides_by(monkeypatch):
    monkeypatch.setitem(action_units.LEVEL, "intensity", 3.0)
    table = coded({"au_04": [0.1, 2.5, 0.2, 0.3] * 10, "au_25": [0.0] * 40}, ("au_f1",))
    assert noted(table, SCALE.replace("reaches 2", "reaches 3")) == {("au_f1", None)}
    assert row(table, metric="au_f1")["estimate"] == 0


def test_scores_below_two_are_right_where_no_unit_is_present_or_the_scale_is_occurrence():
    low = {"au_04": [0.1, 0.9] * 20, "au_25": [0.2, 0.8] * 20}
    absent = {"au_04": [0, 1] * 20, "au_25": [1, 0] * 20}
    assert not noted(coded(low, ("au_f1", "au_icc"), absent), SCALE)
    assert not noted(coded(low, ("au_f1",), absent, "occurrence"), SCALE)
    assert noted(coded({"au_04": low["au_04"]}, ("au_f1",)), SCALE) == {("au_f1", None)}
    nothing = {"status": ["no_face"] * 40, "valence": [None] * 40, "au_04": [None] * 40}
    assert not noted(coded(nothing, ("au_f1",)), SCALE), "without a score there is none to ask about"


def test_a_high_score_of_a_row_that_is_not_ok_is_none():
    said = {"au_04": [0.1, 0.9, 0.2, 4.0] * 10, "status": ["ok", "ok", "ok", "no_face"] * 10}
    assert noted(coded(said, ("au_f1",)), SCALE) == {("au_f1", None)}


def test_units_that_the_model_lacks_are_named_beside_what_is_over_all_units():
    table = coded({"au_04": [0, 3, 0, 5] * 10}, ("au_f1", "au_f1/au_04", "ccc_valence", "coverage"))
    assert noted(table, LACKING) == {("au_f1", None)}
    assert not noted(coded(CODED, ("au_f1",)), LACKING)


def followed(clips, metrics, **columns):
    """Forty clips, of which some have three frames each; without any the table of frames has no row."""
    said = {"predicted": ["neutral", "fear"] * 20, **columns}
    cell = make_cell(make_targets(TRUTH), said)
    names = [f"t{i:06d}" for i in clips for _ in range(3)]
    frames = {
        "target": pa.array(names, pa.string()), "timestamp": pa.array([0.0, 0.1, 0.2] * len(clips), pa.float64()),
        "track": pa.array([0] * len(names), pa.int64()), "status": pa.array(["ok"] * len(names), pa.string()),
        "predicted": pa.array(["neutral", "neutral", "fear"] * len(clips), pa.string()),
    }  # fmt: skip
    table = pa.table(frames)
    return judge([replace(cell, frames_table=lambda: table)], make_suite(metrics=metrics, slices=("sex",)))


def test_clips_whose_frames_are_left_out_are_counted_where_frames_are_followed():
    text = "20 of 40 rows with an answer have no frames: temporal metrics leave them out"
    table = followed(range(20), ("flip_rate", "accuracy"))
    rows = [r for r in table.to_pylist() if r["status"] != "suppressed"]
    assert rows
    assert all(text in r["warning"] for r in rows)
    flips = row(table, metric="flip_rate")
    assert (flips["estimate"], flips["n"]) == (0.5, 40), "a flip in every second step of twenty clips"
    assert not noted(followed(range(20), ("accuracy",)), text), "nobody asked for frames"


def test_clips_without_an_answer_need_no_frames():
    status = {"status": ["ok"] * 25 + ["no_face"] * 15, "predicted": ["fear"] * 25 + [None] * 15}
    table = followed(range(20), ("flip_rate",), **status)
    assert "5 of 25 rows with an answer have no frames" in row(table, metric="flip_rate")["warning"]
    assert (
        "have no frames"
        not in row(followed(range(25), ("flip_rate",), **status), metric="flip_rate")["warning"]
    )


@pytest.mark.parametrize("clips", [(), range(40)])
def test_where_all_clips_or_none_have_frames_nothing_is_said(clips):
    found = followed(clips, ("flip_rate",))
    assert not any("have no frames" in (r["warning"] or "") for r in found.to_pylist())
