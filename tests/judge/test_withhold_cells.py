"""Cells of shown values that are withheld: of one true class, of one decision, with an output."""

from __future__ import annotations

import pytest

from bench.judge import withhold
from bench.judge.score import judge
from tests.judge.made import (
    LABEL_METRICS,
    LABELS,
    make_cell,
    make_suite,
    make_targets,
    people,
    values,
    without,
)


def hidden_metrics(cell, slices=("a",), metrics=LABEL_METRICS):
    """The metrics withheld of each value; asserts that none has a number."""
    found = {}
    for row in values(judge([cell], make_suite(slices=slices, metrics=metrics))):
        if row["slice"]:
            mine = found.setdefault(row["value"], set())
            if row["status"] == "suppressed":
                assert row["n"] is None
                assert row["clusters"] is None
                mine.add(row["metric"])
    return found


def test_a_class_rare_within_a_value_is_withheld_with_what_gives_it():
    """x has one person with fear: y is the smallest that hides it from the whole, its neutral from its accuracy.

    In y all classes are of 31 rows: UAR is accuracy. In x the other three have equal weights in UAR, so that
    it less a multiple of accuracy leaves fear alone, whichever recalls are withheld: it goes.
    """
    cell = people({"x": 30, "y": 31, "z": 32})
    slim = without(cell, lambda r: r["label"] == "fear" and r["a"] == "x" and r["subject"] != "x-0")
    hidden = hidden_metrics(slim, metrics=("accuracy", "uar", "macro_f1", "recall"))
    assert hidden["x"] >= {"recall/fear", "recall/neutral", "uar", "macro_f1"}
    assert "accuracy" not in hidden["x"]
    assert hidden["y"] == {"recall/fear", "recall/neutral", "macro_f1"}
    assert hidden["z"] == set()


def test_a_class_rare_within_a_value_is_shown_where_attributes_are_public():
    cell = people({"x": 30, "y": 30})
    slim = without(cell, lambda r: r["label"] == "fear" and r["a"] == "x" and r["subject"] != "x-0")
    table = slim.targets.table
    columns = {n: table[n].to_pylist() for n in table.column_names if n != "target"}
    public = make_targets(columns, attributes_public=True)
    assert hidden_metrics(make_cell(public, {"predicted": ["fear"] * len(public)})) == {
        "x": set(),
        "y": set(),
    }


def test_a_value_goes_where_its_classes_can_be_solved_for():
    """Sadness occurs in x alone, so that it is known; the rest of x is three persons with fear."""
    cell = people({"x": 30, "y": 30})

    def drop(r):
        rare = r["label"] == "fear" and r["a"] == "x" and r["subject"] not in ("x-0", "x-1", "x-2")
        alone = r["label"] == "sadness" and r["a"] == "y"
        return rare or alone or r["label"] in ("neutral", "happiness")

    assert "accuracy" in hidden_metrics(without(cell, drop))["x"]


def test_few_decided_as_a_label_are_withheld():
    cell = people({"x": 30, "y": 30, "z": 30})
    who = [
        (r["subject"] in ("x-0", "x-1") and r["label"] == "neutral") for r in cell.targets.table.to_pylist()
    ]
    decided = make_cell(cell.targets, {"predicted": ["sadness" if w else "fear" for w in who]})
    hidden = hidden_metrics(decided)
    named = {"precision/sadness", "selection_rate/sadness", "false_positive_rate/sadness"}
    assert named <= hidden["x"]
    assert not any(m.startswith("recall") or m in ("accuracy", "uar") for m in hidden["x"])


def test_few_with_an_output_are_withheld():
    targets = people({"x": 30, "y": 30, "z": 30}).targets.table
    columns = {name: targets[name].to_pylist() for name in ("subject", "label", "a")}
    given = [s in ("x-0", "x-1") or not s.startswith("x") for s in columns["subject"]]
    made = make_targets(columns | {"valence": [0.1 * (i % 7) for i in range(len(given))]})
    cell = make_cell(
        made, {"valence": [0.1 if ok else None for ok in given], "predicted": ["fear"] * len(given)}
    )
    hidden = hidden_metrics(cell, metrics=("rmse_valence", "rmse_valence_covered"))
    assert hidden["x"] == {"rmse_valence_covered"}
    assert sorted(map(len, hidden.values())) == [0, 1, 1]


def graded(given, voted, sizes=None):
    """Persons of x, y and z with probabilities where ``given(subject, label)``, with votes where ``voted``."""
    table = people(sizes or {"x": 30, "y": 31, "z": 32}).targets.table
    columns = {name: table[name].to_pylist() for name in ("subject", "label", "a")}
    has = list(map(given, columns["subject"], columns["label"]))
    votes = [[2.0, 1.0, 0.0, 0.0] if voted(subject) else None for subject in columns["subject"]]
    shares = {f"p_{k}": [(0.7 if k == "fear" else 0.1) if ok else None for ok in has] for k in LABELS}
    targets = make_targets(columns | {"votes": votes})
    return make_cell(targets, {"status": ["ok" if ok else "no_face" for ok in has], **shares})


def test_few_with_probabilities_or_votes_are_withheld():
    def few(subject):
        return not subject.startswith("x") or subject in ("x-0", "x-1")

    asked = ("accuracy", "brier", "ece", "nll", "aurc", "auroc/fear", "cross_entropy", "crowd_agreement")
    on_probabilities = {"brier", "ece", "nll", "aurc", "cross_entropy"}
    hidden = hidden_metrics(graded(lambda subject, _: few(subject), lambda _: True), metrics=asked)
    assert hidden["x"] == hidden["y"] == on_probabilities | {"auroc/fear"}
    assert hidden["z"] <= {"auroc/fear"}
    hidden = hidden_metrics(graded(lambda *_: True, few), metrics=asked)
    assert hidden == {"x": (both := {"cross_entropy", "crowd_agreement"}), "y": both, "z": set()}


def test_a_withheld_value_is_no_cover_without_an_output():
    """y hides the accuracy of z; but y has no probabilities, so that all less x would give those of z."""
    sizes = {"x": 30, "y": 20, "z": 3}
    asked = ("accuracy", "brier", "crowd_agreement")
    hidden = hidden_metrics(graded(lambda s, _: s[0] != "y", lambda _: True, sizes), metrics=asked)
    assert hidden == {"x": {"brier"}, "y": set(asked), "z": set(asked)}
    hidden = hidden_metrics(graded(lambda *_: True, lambda s: s[0] != "y", sizes), metrics=asked)
    assert hidden == {"x": {"crowd_agreement"}, "y": set(asked), "z": set(asked)}


def test_a_withheld_value_covers_no_class_that_the_others_lack():
    """y|old covers x|old; but one person of y|old has fear and nobody of x|old: old less z|old would tell."""
    columns = {name: [] for name in ("subject", "label", "sex", "age")}
    for sex, age, count, fearful in (
        ("x", "old", 3, 0), ("y", "old", 9, 1), ("z", "old", 25, 25),
        ("x", "young", 30, 0), ("y", "young", 30, 30), ("z", "young", 30, 30),
    ):  # fmt: skip
        for person in range(count):
            for label in LABELS if person < fearful else LABELS[:3]:
                for column, text in zip(
                    columns.values(), (f"{sex}{age}{person}", label, sex, age), strict=True
                ):
                    column.append(text)
    cell = make_cell(make_targets(columns), {"predicted": ["fear"] * len(columns["label"])})
    suite = make_suite(slices=("sex", "age"), controls=("age",), metrics=("recall/fear",))
    shown = {r["value"]: r["n"] for r in values(judge([cell], suite)) if r["slice"]}
    assert shown["y|old"] is None
    assert None in (shown["old"], shown["z|old"])


def test_auroc_needs_enough_subjects_of_every_class_with_probabilities():
    def given(subject, label):
        return label != "sadness" or not subject.startswith("x") or subject in ("x-0", "x-1")

    hidden = hidden_metrics(graded(given, lambda _: True), metrics=("brier", "auroc/fear", "recall"))
    assert hidden["x"] == hidden["y"] == {"auroc/fear"}
    assert hidden["z"] <= {"auroc/fear"}


def test_cells_with_other_probabilities_have_their_own_mask():
    """Both judge all rows; the second has probabilities for two persons of x alone."""
    full = graded(lambda *_: True, lambda _: True)
    part = graded(lambda s, _: not s.startswith("x") or s in ("x-0", "x-1"), lambda _: True)
    other = make_cell(
        full.targets, {n: part.predictions[n] for n in part.predictions.column_names[1:]}, model="other"
    )
    table = judge([full, other], make_suite(slices=("a",), metrics=("brier",)))
    found = {(r["model"], r["value"]) for r in values(table) if r["status"] == "suppressed"}
    assert found == {("other", "x"), ("other", "y")}


@pytest.mark.parametrize("bound", ["MOST_CELLS", "MOST_CELL_COMBINATIONS"])
def test_beyond_the_bound_all_classes_are_withheld(monkeypatch, bound):
    monkeypatch.setattr(withhold, bound, 3)
    cell, asked = people({"x": 30, "y": 31, "z": 32}), ("accuracy", "uar", "recall")
    assert not any(hidden_metrics(cell, metrics=asked).values())
    slim = without(cell, lambda r: r["label"] == "fear" and r["a"] == "x" and r["subject"] != "x-0")
    classes = {"uar", *(f"recall/{label}" for label in LABELS)}
    assert hidden_metrics(slim, metrics=asked) == dict.fromkeys("xyz", classes)
