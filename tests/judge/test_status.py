"""Which slices are shown and compared, by table; and what is withheld so that nothing can be subtracted."""

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


def withheld(cell, slices=("a",), metric="accuracy"):
    return {value for (_, value), status in statuses(cell, slices, metric).items() if status == "suppressed"}


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"w": 30, "x": 20, "y": 10, "z": 8}, set()),
        ({"w": 30, "x": 20, "y": 10, "z": 4}, {"z", "y"}),
        ({"w": 30, "x": 20, "y": 3, "z": 4}, {"z", "y"}),
        ({"w": 30, "x": 20, "y": 1, "z": 2}, {"z", "y", "x"}),  # 3 persons could still be worked out
        ({"w": 30, "z": 2}, {"z", "w"}),
        ({"z": 3}, {"z"}),
    ],
)
def test_one_suppressed_value_takes_the_next_smallest_along(sizes, expected):
    assert withheld(people(sizes)) == expected


def test_nothing_is_withheld_where_attributes_are_public():
    assert withheld(people({"w": 30, "z": 2}, attributes_public=True)) == set()


def test_an_intersection_is_safe_within_each_of_its_margins():
    sizes = {"p&m": 20, "p&f": 3, "q&m": 30, "q&f": 25, "r&m": 12, "r&f": 40}
    assert withheld(people(sizes), (("a", "b"),)) == {"p&f", "r&m"}
    both = withheld(people(sizes), ("a", "b", ("a", "b")))
    assert both == {"p&f", "p&m", "q&f", "q&m"}
    for margin in (0, 1):
        for value in {name.split("&")[margin] for name in both}:
            assert sum(name.split("&")[margin] == value for name in both) >= 2


def test_what_is_withheld_stays_withheld_in_finer_slices():
    sizes = {"p&m": 2, "p&f": 2, "q&m": 50, "q&f": 7, "r&m": 12, "r&f": 9}
    found = withheld(people(sizes), ("a", ("a", "b")))
    assert found == {"p", "r", "p&m", "p&f", "r&m", "r&f"}


def test_no_withheld_number_follows_from_the_shown_ones():
    """Every withheld group of persons that subtraction can isolate holds at least five."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        sizes = {f"{a}&{b}": int(rng.integers(1, 15)) for a in "pqr" for b in "mfn"}
        cell = people(sizes, clips=1)
        found = statuses(cell, ("a", "b", ("a", "b")))
        shown = [value for (_, value), status in found.items() if status != "suppressed"]
        names = list(sizes)

        def spans(value, names=names):
            return [all(part in name.split("&") for part in value.split("&")) for name in names]

        equations = np.array([[True] * len(names), *[spans(value) for value in shown]], float)
        rank = np.linalg.matrix_rank(equations)
        for index, name in enumerate(names):
            if sizes[name] < 5:
                alone = np.eye(len(names))[index]
                assert np.linalg.matrix_rank(np.vstack([equations, alone])) > rank, (sizes, name)


def test_few_subjects_behind_one_class_are_withheld_too():
    cell = people({"x": 30, "y": 30, "z": 30})
    labels = np.array(cell.targets.table["label"].to_pylist())
    subject = np.array(cell.targets.table["subject"].to_pylist())
    few = (labels == "fear") & np.char.startswith(subject, "x-") & ~np.isin(subject, ["x-0", "x-1", "x-2"])
    columns = {n: cell.targets.table[n] for n in ("subject", "a", "b")} | {
        "label": np.where(few, "sadness", labels)
    }
    slim = make_cell(make_targets(columns), {"predicted": cell.predictions["predicted"]})
    assert withheld(slim) == set()
    assert withheld(slim, metric="recall/fear") == {"x", "y"}


def test_the_whole_is_never_suppressed():
    table = judge([people({"x": 3})], make_suite())
    found = row(table, metric="accuracy")
    assert (found["status"], found["low"]) == ("insufficient", None)
    assert found["estimate"] is not None
