"""Robustness where a value is withheld in one of the cells: nothing is said of the pair."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge.score import judge
from tests.judge.conditions import NOISE, Made, one, rows, suite
from tests.judge.made import LABELS, make_cell, make_targets


def test_what_either_cell_withholds_carries_no_number():
    """Of few persons, or of few in a class: nothing but a suppressed row, and no contrast with it."""
    made = Made(7)
    table = made.targets.table
    columns = {name: table[name].to_pylist() for name in ("subject", "label", "sex")}
    few = np.isin(made.subject, [0, 1, 2])
    columns["sex"] = ["other" if mask else sex for mask, sex in zip(few, columns["sex"], strict=True)]
    made.targets = make_targets(columns)
    cells = [
        make_cell(made.targets, {"predicted": [LABELS[k] for k in made.answers(loss)]}, **fields)
        for loss, fields in (
            (0.0, {}), (0.1, {"condition": "sensor_noise", "severity": 2, "where": "crop"}),
        )
    ]  # fmt: skip
    found = judge(cells, suite(NOISE, metrics=("accuracy", "uar"))).to_pylist()
    numbers = ("estimate", "low", "high", "p", "df", "n", "clusters", "sdd80", "n_eff", "slices_left_out")
    kinds = {row["kind"] for row in found if row["value"] == "other"}
    assert kinds == {"value", "degradation", "area", "stability"}
    hidden = [row for row in found if row["status"] == "suppressed"]
    assert {row["value"] for row in hidden} > {"other"}, "the smallest of the others is withheld, too"
    assert all(row[name] is None for row in hidden for name in numbers)
    named = {row["value"] for row in hidden}
    contrasts = [row for row in found if row["kind"] in ("degradation_contrast", "contrast")]
    assert not any({row["value"], row["reference"]} & named for row in contrasts)
    shown = [row for row in found if row["slice"] and row["kind"] in ("degradation", "area", "stability")]
    assert all(row["status"] == "suppressed" for row in shown if row["value"] in named)


@pytest.mark.parametrize("spoilt", ["clean", "sensor_noise"])
def test_a_value_withheld_in_one_cell_alone_is_withheld_in_the_pair(spoilt):
    """Six persons, of whom the media of three cannot be read in one cell: too few there, enough in the other."""
    made = Made(11)
    columns = {name: made.targets.table[name].to_pylist() for name in ("subject", "label", "sex")}
    columns["sex"] = ["other" if k < 6 else sex for k, sex in zip(made.subject, columns["sex"], strict=True)]
    made.targets = make_targets(columns)
    cells = []
    for name, severity, loss in (("clean", 0, 0.0), ("sensor_noise", 2, 0.1)):
        status = np.where((made.subject < 3) & (name == spoilt), "decode_error", "ok")
        words = [LABELS[k] if s == "ok" else None for k, s in zip(made.answers(loss), status, strict=True)]
        where = None if name == "clean" else "crop"
        answers = {"predicted": words, "status": status}
        cells.append(make_cell(made.targets, answers, condition=name, severity=severity, where=where))
    rule = {"clusters": 5, "n_eff": 1, "successes_and_failures": 1}
    table = judge(cells, suite(NOISE, slice_rule=rule))
    shown = one(table, "value", condition="clean", slice="sex", value="other")
    assert (shown["status"] == "suppressed") == (spoilt == "clean")
    for kind in ("degradation", "area", "stability"):
        metric = "stability" if kind == "stability" else "accuracy"
        states = {row["value"]: row["status"] for row in rows(table, kind, slice="sex", metric=metric)}
        assert states["other"] == "suppressed"
        assert sorted(states.values()) == ["reportable", "suppressed", "suppressed"]
    assert {row["slices_left_out"] for row in rows(table, "degradation", slice="sex")} == {2, None}
    assert rows(table, "degradation_contrast") == []


def test_insufficient_values_are_left_out():
    made = Made(8, persons=24)
    cells = [made.cell(made.answers(0)), made.cell(made.answers(0.1), "sensor_noise", 2)]
    table = judge(cells, suite(NOISE))
    assert rows(table, "degradation", slice="sex") == []
    assert rows(table, "degradation_contrast") == []
    assert one(table, "degradation", severity=2)["status"] == "reportable"
