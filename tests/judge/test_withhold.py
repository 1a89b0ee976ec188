"""Values that are withheld: those of few subjects, and those that would give them away."""

from __future__ import annotations

import pytest

from bench.judge.score import judge
from tests.judge.made import make_cell, make_suite, people, values, withheld, without


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({"w": 30, "x": 20, "y": 10, "z": 8}, set()),
        ({"w": 30, "x": 20, "y": 10, "z": 4}, {"z", "y"}),
        ({"w": 30, "x": 20, "y": 3, "z": 4}, {"z", "y"}),
        ({"w": 30, "x": 20, "y": 1, "z": 2}, {"z", "y", "x"}),  # 3 persons could still be worked out
        ({"w": 30, "x": 20, "y": 1, "z": 1, "v": 1, "u": 2}, {"z", "y", "v", "u"}),
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
    # With the margins shown a rectangle is needed, here the one of fewest persons.
    assert withheld(people(sizes), ("a", "b", ("a", "b"))) == {"p&f", "p&m", "r&f", "r&m"}


def test_attributes_nested_in_one_another_are_one_table():
    sizes = {"DE&Berlin": 30, "DE&Munich": 3, "FR&Nice": 6, "FR&Paris": 30}
    assert withheld(people(sizes), ("a", "b")) == {"Munich", "Berlin"}
    assert withheld(people(sizes), ("b",)) == {"Munich", "Nice"}
    # Munich and Ulm are three persons together; Paris is all of France, so that France goes with it.
    sizes = {"DE&Berlin": 30, "DE&Munich": 1, "DE&Ulm": 2, "FR&Paris": 20}
    assert withheld(people(sizes), ("a", "b")) == {"Munich", "Ulm", "Berlin"}
    assert withheld(people({"DE&Berlin": 3, "FR&Paris": 20, "ES&Madrid": 30}), ("a", "b")) == {
        "DE", "FR", "Berlin", "Paris",
    }  # fmt: skip


def test_a_cycle_in_a_table_gives_nothing_away():
    """Rows less columns of a block of withheld cells would leave one cell beside it (a0&b2)."""
    few = {(0, 0), (0, 1), (1, 0), (1, 1), (2, 2), (2, 3), (3, 2), (3, 3), (0, 2)}
    sizes = {f"a{a}&b{b}": 3 if (a, b) in few else 12 for a in range(4) for b in range(4)}
    found = withheld(people(sizes), ("a", "b", ("a", "b")))
    assert len(found) == len(few) + 1
    assert found > {f"a{a}&b{b}" for a, b in few}


def test_a_mask_holds_for_every_metric():
    """Y with a few subjects of each class would give X away as the sum of recalls."""
    cell = people({"W": 40, "Y": 5, "X": 3})
    assert withheld(cell, metrics=("accuracy", "uar", "macro_f1", "recall", "coverage")) == {"X", "Y"}


def test_the_others_are_no_cover_where_they_lack_a_class():
    """y hides the accuracy of z; but y has no fear, so that the recall of fear would be that of z."""
    cell = people({"w": 30, "x": 20, "y": 10, "z": 4})
    assert withheld(without(cell, lambda r: r["label"] == "fear" and r["a"] == "y")) == {"x", "y", "z"}
    none = without(cell, lambda r: r["label"] == "fear" and r["a"] in "yz")
    assert withheld(none, metrics=("accuracy", "recall")) == {"y", "z"}


def test_cells_that_judge_the_same_rows_withhold_the_same():
    cell = people({"w": 30, "x": 20, "y": 4})
    other = make_cell(cell.targets, {"predicted": ["sadness"] * len(cell.targets)}, model="other")
    suite = make_suite(slices=("a",), metrics=("accuracy",))
    table = judge([cell, other], suite)
    hidden = [(r["model"], r["value"]) for r in values(table) if r["status"] == "suppressed"]
    assert hidden == [("m", "x"), ("m", "y"), ("other", "x"), ("other", "y")]
