"""Notes beside a number: which labels predictions cannot name."""

from __future__ import annotations

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
