"""Which slices are shown and which may be compared, by table."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge.score import judge
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, row

KEYS = {
    "model", "dataset", "condition", "severity", "where", "slice", "value", "metric", "kind", "level",
    "cluster_unit", "status", "warning",
}  # fmt: skip


def people(sizes, clips=8, **facts):
    """Persons per value of an attribute (or pair, "x&y") with clips of all labels, three of four right."""
    columns = {"subject": [], "label": [], "a": [], "b": []}
    decisions = []
    for value, count in sizes.items():
        for person in range(count):
            for clip in range(clips):
                columns["subject"].append(f"{value}-{person}")
                columns["label"].append(LABELS[clip % 4])
                columns["a"].append(value.partition("&")[0])
                columns["b"].append(value.partition("&")[2] or "one")
                decisions.append(LABELS[clip % 4] if (clip + person) % 4 else "neutral")
    return make_cell(make_targets(columns, **facts), {"predicted": decisions})


def statuses(cell, slices=("a",), metric="accuracy", **rule):
    table = judge([cell], make_suite(slices=slices, metrics=(metric,), slice_rule=rule))
    return {(r["slice"], r["value"]): r["status"] for r in table.to_pylist() if r["slice"]}


@pytest.mark.parametrize(
    ("persons", "public", "metric", "expected"),
    [
        (4, False, "accuracy", "suppressed"),
        (4, True, "accuracy", "insufficient"),
        (5, False, "accuracy", "insufficient"),
        (19, False, "accuracy", "insufficient"),
        (20, False, "accuracy", "reportable"),
        (20, False, "uar", "reportable"),
        (20, False, "recall/fear", "insufficient"),  # 40 rows: n_eff below 50
        (60, False, "recall/fear", "reportable"),
        (40, False, "coverage", "insufficient"),  # nothing failed: fewer than 10 failures
    ],
)
def test_status_of_a_slice(persons, public, metric, expected):
    cell = people({"big": 60, "other": 60, "mine": persons}, attributes_public=public)
    assert statuses(cell, metric=metric)["a", "mine"] == expected


def test_a_class_with_few_rows_makes_uar_insufficient():
    cell = people({"x": 25, "y": 25}, clips=5)
    labels = np.array(cell.targets.table["label"].to_pylist())
    first = np.array(["-0" in s or "-1" in s for s in cell.targets.table["subject"].to_pylist()])
    rare = np.where((labels == "fear") & ~first, "sadness", labels)
    columns = {n: cell.targets.table[n] for n in ("subject", "a", "b")} | {"label": rare}
    slim = make_cell(make_targets(columns), {"predicted": cell.predictions["predicted"]})
    assert statuses(cell, metric="uar")["a", "x"] == "reportable"
    assert statuses(slim, metric="uar", rows_in_class=15)["a", "x"] == "insufficient"


def test_suppressed_rows_carry_no_number():
    table = judge([people({"big": 40, "small": 4, "next": 9})], make_suite(slices=("a",)))
    hidden = [r for r in table.to_pylist() if r["status"] == "suppressed"]
    assert {r["value"] for r in hidden} == {"small", "next"}
    for found in hidden:
        assert {name for name, value in found.items() if value is not None} <= KEYS
        assert "withheld" in found["warning"]
    assert row(table, slice="a", value="big", metric="accuracy")["slices_left_out"] == 2
    assert row(table, metric="accuracy")["slices_left_out"] == 2


def test_the_whole_is_never_suppressed():
    table = judge([people({"x": 3})], make_suite())
    found = row(table, metric="accuracy")
    assert (found["status"], found["low"]) == ("insufficient", None)
    assert found["estimate"] is not None
