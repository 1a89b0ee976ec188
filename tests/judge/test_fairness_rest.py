"""The rest that a value is held against: measured rows alone, and never where it tells what is withheld."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge.score import judge
from tests.judge.made import LABELS, make_cell, make_suite, make_targets
from tests.judge.test_fairness import of_kind

RULE = {"clusters": 5, "n_eff": 1, "successes_and_failures": 1, "rows_in_class": 1}
METRICS = ("accuracy", "uar", "kappa", "recall")


def people(groups, lacking=(), seed=1, **facts):
    """Persons per group (None: unmeasured) with two clips of every label; ``lacking`` (group, label) pairs
    belong to the first three persons of the group alone."""
    rng, rows = np.random.default_rng(seed), []
    for group, count in groups.items():
        for person in range(count):
            for label in LABELS:
                if (group, label) not in lacking or person < 3:
                    rows += [(f"{group}-{person}", label, group)] * 2
    subject, label, attribute = zip(*rows, strict=True)
    targets = make_targets({"subject": subject, "label": label, "a": attribute}, **facts)
    right = rng.random(len(rows)) < 0.7
    said = [t if r else LABELS[rng.integers(4)] for t, r in zip(label, right, strict=True)]
    return make_cell(targets, {"predicted": said}), np.array(attribute, object), np.array(label) == said


def judged(cell, **suite):
    return judge([cell], make_suite(slices=("a",), metrics=METRICS, slice_rule={**RULE, **suite}))


def rests(table, metric):
    return {r["value"]: r for r in of_kind(table, "contrast", metric=metric, reference="rest")}


def test_the_rest_has_insufficient_rows_and_no_unmeasured_ones():
    cell, group, right = people({"x": 20, "y": 20, "z": 8, None: 30})
    table = judged(cell, clusters=10)
    found = rests(table, "accuracy")
    assert set(found) == {"x", "y"}
    for value, row in found.items():
        other = np.isin(group, list({"x", "y", "z"} - {value}))
        assert row["estimate"] == pytest.approx(right[group == value].mean() - right[other].mean(), abs=1e-12)
        assert row["family"] == "2 values of a against the rest"


def test_two_measured_values_are_each_others_rest_whatever_is_unmeasured():
    cell, _, _ = people({"x": 20, "y": 20, None: 30})
    table = judged(cell)
    assert not rests(table, "accuracy")
    assert len(of_kind(table, "contrast", metric="accuracy")) == 1


def test_a_withheld_unmeasured_would_follow_from_the_rest():
    # The whole, less a value and its rest, is what is unmeasured: three persons.
    cell, _, _ = people({"x": 20, "y": 20, "z": 20, None: 3})
    table = judged(cell)
    hidden = [r["value"] for r in of_kind(table, "value", metric="accuracy") if r["status"] == "suppressed"]
    assert "unmeasured" in hidden
    for metric in ("accuracy", "uar"):
        assert not rests(table, metric)
        (gap,) = of_kind(table, "gap", metric=metric)
        assert (gap["estimate"] is None) or "it would reveal what is withheld" in gap["warning"]
    open_cell, _, _ = people({"x": 20, "y": 20, "z": 20, None: 3}, attributes_public=True)
    assert set(rests(judged(open_cell), "accuracy")) == {"x", "y", "z"}


def test_the_uar_of_a_rest_would_tell_the_recalls_of_withheld_classes():
    # Three persons of z have fear: withheld, and so is that of another value.
    cell, _, _ = people({"w": 20, "x": 20, "y": 20, "z": 20}, lacking={("z", "fear")})
    table = judged(cell)
    recalls = of_kind(table, "value", metric="recall/fear")
    assert {r["value"] for r in recalls if r["status"] == "suppressed"} >= {"z"}
    shown = {
        r["value"] for r in of_kind(table, "value", metric="uar", slice="a") if r["status"] == "reportable"
    }
    assert len(shown) >= 2
    for metric in ("uar", "kappa"):
        assert not rests(table, metric)
        (gap,) = of_kind(table, "gap", metric=metric)
        assert "no contrast with the rest: it would reveal what is withheld" in gap["warning"]
    # Accuracies add up, so their rests tell nothing new.
    assert set(rests(table, "accuracy")) == {"w", "x", "y", "z"}
