"""Who counts as a subject of a value, and what is made of more values than there may be."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge import membership
from tests.judge.made import make_cell, make_targets, people, withheld, without


def test_few_subjects_with_a_truth_are_few():
    table = people({"w": 30, "x": 20, "y": 10}).targets.table
    columns = {name: table[name].to_pylist() for name in ("subject", "label", "a")}
    whose = [name in ("y-0", "y-1") or not name.startswith("y") for name in columns["subject"]]
    targets = make_targets(
        columns | {"valence": [0.1 * (i % 7) if has else None for i, has in enumerate(whose)]}
    )
    cell = make_cell(targets, {"valence": np.zeros(len(targets)), "predicted": ["fear"] * len(targets)})
    assert withheld(cell, metrics=("accuracy", "rmse_valence")) == {"y", "x"}
    none = without(people({"w": 30, "x": 20, "y": 10}), lambda r: r["a"] == "y")
    assert withheld(none) == set()


def test_what_decode_errors_leave_is_counted():
    cell = people({"w": 30, "x": 20, "y": 5})
    assert withheld(cell) == set()
    failed = [name == "y-0" for name in cell.targets.table["subject"].to_pylist()]
    status = ["decode_error" if bad else "ok" for bad in failed]
    faulty = make_cell(
        cell.targets, {"status": status, "predicted": [None if bad else "fear" for bad in failed]}
    )
    assert withheld(faulty) == {"x", "y"}


def test_every_row_may_be_a_subject():
    targets = make_targets(
        {
            "subject": [f"s{i}" for i in range(40)],
            "label": ["fear"] * 40,
            "a": ["x"] * 27 + ["y"] * 9 + ["z"] * 4,
        }
    )
    assert withheld(make_cell(targets, {"predicted": ["fear"] * 40})) == {"y", "z"}


def test_a_person_in_several_values_counts_once():
    """Three persons in dark and in dim light are three, not six."""
    where_ = {"bright": range(30), "day": range(30), "dark": range(3), "dim": range(3)}
    pairs = [(light, person) for light, persons in where_.items() for person in persons]
    columns = {"subject": [f"s{p}" for _, p in pairs], "a": [light for light, _ in pairs]}
    targets = make_targets(columns | {"label": ["fear"] * len(pairs)})
    cell = make_cell(targets, {"predicted": ["fear"] * len(pairs)})
    assert withheld(cell) == {"dark", "dim", "bright"}


@pytest.mark.parametrize("bound", ["MOST_VALUES", "MOST_COMBINATIONS"])
def test_beyond_the_bound_all_slices_are_withheld(monkeypatch, bound):
    monkeypatch.setattr(membership, bound, 3)
    assert withheld(people({"w": 30, "x": 20, "y": 4})) == {"x", "y"}
    sizes = {"w": 30, "x": 20, "y": 9, "z": 4}
    assert withheld(people(sizes)) == set(sizes)
    assert withheld(people(sizes | {"z": 5})) == set()
