"""Rows of differences: what is compared, against what, and with which other numbers they must agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from bench.judge.score import judge
from tests.judge.made import (
    LABELS,
    frame,
    judged,
    make_cell,
    make_suite,
    make_targets,
    random_cell,
    row,
    values,
)

SUITE: dict[str, Any] = {
    "slices": ("sex", "light", ("sex", "light")),
    "slice_rule": {"clusters": 8, "n_eff": 5, "successes_and_failures": 3, "rows_in_class": 3},
}


@pytest.fixture(scope="module")
def cell():
    return random_cell(5, 2000, 60)


@pytest.fixture(scope="module")
def table(cell):
    return judge([cell], make_suite(**SUITE))


def of_kind(table, kind, **names):
    found = [r for r in table.to_pylist() if r["kind"] == kind]
    return [r for r in found if all(r[name] == value for name, value in names.items())]


@pytest.mark.parametrize("name", ["sex", "light", "sex&light"])
@pytest.mark.parametrize("metric", ["accuracy", "uar", "macro_f1", "ccc_valence", "rmse_valence"])
def test_a_gap_is_the_largest_minus_the_smallest_measured_value(table, name, metric):
    shown = [r for r in values(table) if (r["slice"], r["metric"]) == (name, metric)]
    compared = [r["estimate"] for r in shown if "unmeasured" not in r["value"]]
    assert all(r["status"] == "reportable" for r in shown if "unmeasured" not in r["value"])
    (gap,) = of_kind(table, "gap", slice=name, metric=metric)
    assert gap["estimate"] == pytest.approx(max(compared) - min(compared), abs=1e-12)
    assert 0 < gap["null_mean"] < gap["null_p95"]
    assert gap["low"] is gap["high"] is gap["value"] is None
    assert gap["method"] == ("permutation-studentised" if name == "sex" else "sign-flip-within-clusters")


def test_contrasts_are_differences_of_values_and_of_the_rows_that_are_not_of_a_value(cell, table):
    data = frame(cell)
    inside = judged(data, "label")
    right = data["label"] == data["decision"]
    names = np.array([f"{sex}&{light}" for sex, light in zip(data["sex"], data["light"], strict=True)])
    names = np.char.replace(names, "None", "unmeasured")
    compared = [n for n in np.unique(names) if "unmeasured" not in n]
    assert len(compared) == 4
    found = of_kind(table, "contrast", slice="sex&light", metric="accuracy")
    assert len(found) == 4 + 6
    for r in found:
        own = inside & (names == r["value"])
        others = [n for n in compared if n != r["value"]] if r["reference"] == "rest" else [r["reference"]]
        other = inside & np.isin(names, others)
        assert r["estimate"] == pytest.approx(right[own].mean() - right[other].mean(), abs=1e-12)
        assert r["low"] < r["estimate"] < r["high"]
        assert r["p"] <= r["p_adjusted"]
        assert r["sdd80"] > 0


def test_two_values_are_each_others_rest(table):
    (only,) = of_kind(table, "contrast", slice="sex", metric="accuracy")
    assert (only["value"], only["reference"]) == ("female", "male")


def test_metrics_that_depend_on_the_size_of_a_group_are_compared_against_chance_alone(table):
    assert of_kind(table, "gap", metric="macro_f1")
    assert not of_kind(table, "contrast", metric="macro_f1")
    assert not of_kind(table, "spread", metric="macro_f1")


def test_the_false_discovery_rate_is_over_all_gaps_of_a_model(table):
    gaps = [r for r in of_kind(table, "gap") if r["p"] is not None]
    expected = false_discovery_control([r["p"] for r in gaps], method="bh")
    assert [r["p_adjusted"] for r in gaps] == pytest.approx(list(expected), abs=1e-12)
    assert {r["family"] for r in gaps} == {f"{len(gaps)} gaps of m"}
    assert {r["role"] for r in gaps} == {"exploratory"}


def test_values_are_drawn_to_their_mean_by_what_is_not_known_of_them(table):
    found = of_kind(table, "spread", slice="light", metric="rmse_valence")
    assert [r["value"] for r in found] == [None, "bright", "dark"]
    shown = [
        row(table, slice="light", value=v, metric="rmse_valence")["estimate"] for v in ("bright", "dark")
    ]
    shrunken = [r["estimate"] for r in found[1:]]
    assert abs(shrunken[0] - shrunken[1]) <= abs(shown[0] - shown[1])
    assert np.mean(shrunken) == pytest.approx(np.mean(shown), abs=1e-12)


def test_a_value_that_is_not_known_well_enough_is_left_out_of_the_spread():
    """All of x's fear is one person's: without him the UAR of x is another average."""
    columns = {name: [] for name in ("subject", "label", "a")}
    for value in "xyz":
        for person in range(25):
            labels = [
                *LABELS[: 3 if value == "x" else 4] * 2,
                *(["fear"] * 12 if (value, person) == ("x", 0) else []),
            ]
            columns["label"] += labels
            columns["subject"] += [f"{value}{person}"] * len(labels)
            columns["a"] += [value] * len(labels)
    rng = np.random.default_rng(0)
    said = [label if rng.random() < 0.7 else LABELS[rng.integers(4)] for label in columns["label"]]
    table = judge(
        [make_cell(make_targets(columns, attributes_public=True), {"predicted": said})],
        make_suite(slices=("a",), metrics=("uar",)),
    )
    spread, x, y, z = of_kind(table, "spread", slice="a", metric="uar")
    assert (spread["status"], spread["clusters"]) == ("reportable", 50)
    assert spread["warning"].endswith("cannot be said: x")
    assert (x["estimate"], x["status"]) == (None, "insufficient")
    assert all(r["estimate"] is not None and r["status"] == "reportable" for r in (y, z))


def test_too_small_values_are_not_compared(cell):
    table = judge([cell], make_suite(**{**SUITE, "slice_rule": {"clusters": 40}}))
    (gap,) = of_kind(table, "gap", slice="sex", metric="accuracy")
    assert (gap["estimate"], gap["status"]) == (None, "insufficient")
    assert "fewer than two values" in gap["warning"]
    assert not of_kind(table, "contrast", slice="sex")


def test_the_same_seed_gives_the_same_rows_and_another_another_p(cell, table):
    assert judge([cell], make_suite(**SUITE)).equals(table)
    other = judge([cell], make_suite(**SUITE, seed=1))
    p = [of_kind(t, "gap", slice="sex", metric="accuracy")[0]["p"] for t in (table, other)]
    assert p[0] != p[1]
    assert abs(p[0] - p[1]) < 0.1


def unequal_cell(sizes):
    """Values of so many persons with so many clips each."""
    rng = np.random.default_rng(3)
    columns = {"subject": [], "label": [], "group": []}
    for code, (persons, rows) in enumerate(sizes):
        for person in range(persons):
            columns["subject"] += [f"{code}-{person}"] * rows
            columns["label"] += [LABELS[i % 4] for i in range(rows)]
            columns["group"] += [f"g{code}"] * rows
    targets = make_targets(columns)
    truth = np.array(columns["label"])
    said = np.where(rng.random(len(truth)) < 0.6, truth, np.array(LABELS)[rng.integers(0, 4, len(truth))])
    return make_cell(targets, {"predicted": said})


@pytest.mark.parametrize(
    ("sizes", "unequal"),
    [
        ([(24, 12)] * 2, False),
        ([(50, 8), (24, 40)], True),
        ([(24, 8), (24, 40)], False),
        ([(24, 12)] * 6, False),
    ],
)
def test_what_simulations_found_unreliable_is_said(sizes, unequal):
    table = judge([unequal_cell(sizes)], make_suite(slices=("group",), metrics=("accuracy",)))
    rows = table.to_pylist()
    tested = [row for row in rows if row["kind"] in ("gap", "contrast") and row["p"] is not None]
    assert all(("factor of two" in (row["warning"] or "")) == unequal for row in tested)
    rests = [row for row in tested if row["reference"] == "rest"]
    assert len(rests) == (len(sizes) if len(sizes) > 2 else 0)
