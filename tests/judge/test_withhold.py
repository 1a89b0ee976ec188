"""Values that are withheld: those of few subjects, and those that would give them away."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bench.judge.score import judge
from tests.judge.made import (
    FLOOR,
    LABELS,
    make_cell,
    make_suite,
    make_targets,
    people,
    statuses,
    values,
    withheld,
    without,
)


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
    # With the margins shown a rectangle is needed, here the one that spares the largest value.
    assert withheld(people(sizes), ("a", "b", ("a", "b"))) == {"p&f", "p&m", "q&f", "q&m"}


RACES = {"r1&m": 2, "r1&f": 2, "r2&m": 20, "r2&f": 22, "r3&m": 30, "r3&f": 18}


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        # r1 has four persons; r2 is what gives it beside r3 and the whole.
        (("a",), {"r1", "r2"}),
        # Both of r1 are four persons together: one other is enough, since no margin is shown.
        ((("a", "b"),), {"r1&m", "r1&f", "r3&f"}),
        # Of r2 one is enough, too: all less r3 and it is r1 and the other.
        (("a", ("a", "b")), {"r1", "r2", "r1&m", "r1&f", "r2&m"}),
        # Men less those of r2 and r3 would be those of r1, as would women: one of each, both of r2, since
        # one of r3 follows from the other.
        (("a", "b", ("a", "b")), {"r1", "r2", "r1&m", "r1&f", "r2&m", "r2&f"}),
    ],
)
def test_a_race_of_four_persons_takes_along_no_more_than_it_must(slices, expected):
    assert withheld(people(RACES), slices) == expected


def test_the_order_of_rows_and_what_is_predicted_change_nothing():
    slices = ("a", "b", "c", ("a", "b"), ("b", "c"))
    rng = np.random.default_rng(0)
    sizes = {f"a{a}&b{b}&c{c}": int(rng.integers(1, 12)) for a, b, c in np.ndindex(4, 3, 2)}
    cell = people(sizes)
    expected = statuses(cell, slices)
    assert 0 < sum(expected.values()) < len(expected)
    table = cell.targets.table
    for seed in range(3):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(table))
        columns = {n: table[n].take(order).to_pylist() for n in table.column_names if n != "target"}
        guess = rng.choice(LABELS, len(table)).tolist()
        assert statuses(make_cell(make_targets(columns), {"predicted": guess}), slices) == expected


@pytest.mark.parametrize("seed", range(8))
def test_none_of_the_others_that_are_withheld_could_be_shown(seed):
    """By the rank of memberships: showing one more would give a value of few, or such values together."""
    rng = np.random.default_rng(seed)
    chance = [0.04, 0.04, 0.04, 0.04, 0.42, 0.42]
    sizes = {
        f"a{a}&b{b}&c{c}": int(rng.choice([1, 2, 3, 4, 9, 25], p=chance)) for a, b, c in np.ndindex(4, 2, 2)
    }
    found = statuses(people(sizes), ("a", "b", "c", ("a", "b"), ("a", "c"), ("a", "b", "c"))[seed % 3 :])
    keys = list(found)
    holds = np.array(
        [[set(value.split("&")) <= set(atom.split("&")) for _, value in keys] for atom in sizes], float
    )
    persons = np.array(list(sizes.values())) @ holds
    few = np.flatnonzero(persons < FLOOR)
    guarded = [
        some
        for size in range(1, FLOOR)
        for some in combinations(few.tolist(), size)
        if persons[list(some)].sum() < FLOOR and len({keys[k][0] for k in some}) == 1
    ]
    rank = np.linalg.matrix_rank

    def gives_away(shown):
        known = np.concatenate([np.ones((len(sizes), 1)), holds[:, shown]], axis=1)
        every = (np.concatenate([known, holds[:, list(some)]], axis=1) for some in guarded)
        return any(rank(e) < rank(known) + len(some) for e, some in zip(every, guarded, strict=True))

    hidden = np.array(list(found.values()))
    assert hidden[few].all()
    assert not gives_away(~hidden)
    more = [k for k in np.flatnonzero(hidden) if k not in few]
    assert more
    for value in more:
        assert gives_away(~hidden | (np.arange(len(keys)) == value)), keys[value]


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
    """y would hide the accuracy of z, but has no fear: all less w and x would be the recall of fear of z."""
    cell = people({"w": 30, "x": 20, "y": 10, "z": 4})
    assert withheld(without(cell, lambda r: r["label"] == "fear" and r["a"] == "y")) == {"x", "z"}
    none = without(cell, lambda r: r["label"] == "fear" and r["a"] in "yz")
    assert withheld(none, metrics=("accuracy", "recall")) == {"y", "z"}


def test_cells_that_judge_the_same_rows_withhold_the_same():
    cell = people({"w": 30, "x": 20, "y": 4})
    other = make_cell(cell.targets, {"predicted": ["sadness"] * len(cell.targets)}, model="other")
    suite = make_suite(slices=("a",), metrics=("accuracy",))
    table = judge([cell, other], suite)
    hidden = [(r["model"], r["value"]) for r in values(table) if r["status"] == "suppressed"]
    assert hidden == [("m", "x"), ("m", "y"), ("other", "x"), ("other", "y")]
