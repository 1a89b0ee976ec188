"""What is withheld cannot be solved for: least squares on the numbers shown, against brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bench.judge.disclosure import Numbers, cover
from bench.judge.score import judge
from tests.judge.made import (
    FLOOR,
    LABEL_METRICS,
    LABELS,
    make_cell,
    make_suite,
    make_targets,
    people,
    statuses,
    values,
    without,
)


@pytest.mark.parametrize(
    ("sizes", "people_of", "expected"),
    [
        ((3, 6, 20), {}, [0, 1]),  # the smallest of those whose difference to the whole it is
        ((5, 6, 20), {}, []),
        ((2, 2, 9, 20), {}, [0, 1, 2]),  # four subjects together are too few, too
        ((2, 3, 9, 20), {}, [0, 1]),
        ((3, 3, 20), {0: frozenset("abc"), 1: frozenset("abc")}, [0, 1, 2]),  # the same three in both
        ((3, 3, 20), {0: frozenset("abc"), 1: frozenset("def")}, [0, 1]),
    ],
)
def test_parts_of_a_whole_that_is_shown(sizes, people_of, expected):
    parts = np.eye(len(sizes), len(sizes) + 1)
    parts[:, -1] = 1
    hidden = np.array(sizes) < FLOOR
    numbers = Numbers((np.zeros(len(sizes), int),), np.array(sizes), people_of, FLOOR)
    cover(hidden, numbers, [(parts, hidden)])
    assert np.flatnonzero(hidden).tolist() == expected


def follows(target, equations):
    weights = np.linalg.lstsq(equations.T, target, rcond=None)[0]
    return np.abs(equations.T @ weights - target).max() < 1e-6


def random_people(rng, shared):
    """A city (a) in a country (b), and a sex (c); some classes are missing, persons may be in several."""
    sizes = {}
    for city in range(rng.integers(4, 9)):
        for sex in "mf":
            if rng.random() < 0.85:
                sizes[f"city{city}&land{city % 3}&{sex}"] = int(rng.choice([1, 2, 3, 4, 7, 12, 20]))
    cell = people(sizes)
    columns = {name: cell.targets.table[name].to_pylist() for name in ("subject", "label", "a", "b", "c")}
    if shared:
        columns["subject"] = [name.partition("-")[2] for name in columns["subject"]]
    cell = make_cell(make_targets(columns), {"predicted": cell.predictions["predicted"]})
    lacks = {(value, label) for value in sizes for label in LABELS if rng.random() < 0.15}
    return without(cell, lambda r: (f"{r['a']}&{r['b']}&{r['c']}", r["label"]) in lacks)


@pytest.mark.parametrize("seed", range(60))
def test_no_withheld_number_can_be_solved_for(seed):
    """Least squares on the sums of the shown values, over the rows of every number, against brute force."""
    cell = random_people(np.random.default_rng(seed), seed % 4 > 1)
    slices = ("b", "a", "c", ("b", "c"), ("a", "c")) if seed % 2 else ("a", "b", ("a", "c"))
    hidden = statuses(cell, slices, ("accuracy", "recall"))
    rows = cell.targets.table.to_pylist()

    def holds(key, row):
        return "&".join(row[name] for name in key[0].split("&")) == key[1]

    persons = {key: {r["subject"] for r in rows if holds(key, r) and r["label"]} for key in hidden}
    persons |= {key: {r["subject"] for r in rows if holds(key, r)} for key in hidden if not persons[key]}
    few = {key for key, found in persons.items() if len(found) < FLOOR}
    assert few
    assert few <= {key for key, gone in hidden.items() if gone}
    for label in (None, *LABELS):
        kept = [r for r in rows if label is None or r["label"] == label]
        groups = list({(r["a"], r["b"], r["c"]): r for r in kept}.values())
        member = {key: np.array([holds(key, r) for r in groups], float) for key in hidden}
        equations = np.array([np.ones(len(groups)), *[member[k] for k, gone in hidden.items() if not gone]])
        guarded = [k for k, gone in hidden.items() if gone and (label is None or k in few)]
        for size in range(1, FLOOR):
            for union in combinations(guarded if size == 1 else sorted(few), size):
                target = sum(member[key] for key in union)
                within_one = len({key[0] for key in union}) == 1
                small = size == 1 or len(set().union(*(persons[key] for key in union))) < FLOOR
                if within_one and small and 0 < target.sum() < len(groups):
                    assert not follows(target, equations), (label, union)


def rare_classes(seed):
    """Cities in countries, by sex; classes of few persons in many of them."""
    rng = np.random.default_rng(seed)
    cell = people(
        {f"city{c}&land{c % 3}&{s}": int(rng.choice([5, 7, 12, 20])) for c in range(4) for s in "mf"}
    )
    rare = {}
    for row in cell.targets.table.to_pylist():
        rare.setdefault((row["a"], row["c"], row["label"]), int(rng.choice([0, 1, 2, 4, 99, 99, 99, 99])))
    slim = without(cell, lambda r: int(r["subject"].partition("-")[2]) >= rare[r["a"], r["c"], r["label"]])
    guess = rng.choice(LABELS, len(slim.targets), p=[0.5, 0.3, 0.18, 0.02])
    return make_cell(slim.targets, {"predicted": list(guess)})


def holds_number(row, number):
    names = (number["slice"] or "").split("&")
    return number["slice"] is None or "&".join(row[n] for n in names) == number["value"]


def membership(number, atoms, rows, column):
    """Which unknown hits a number sums, and with which weights; None where it is no sum of them."""
    stem, _, label = number["metric"].partition("/")
    inside = np.array([float(holds_number(r, number)) for r in atoms])
    if stem in {"label": ("recall",), "guess": ("selection_rate", "precision")}[column]:
        return inside * [r[column] == label for r in atoms]
    if stem == "uar" and column == "label":
        labels = [r["label"] for r in rows if holds_number(r, number)]
        return inside / [max(labels.count(r["label"]), 1) for r in atoms]
    return inside if stem == "accuracy" else None


@pytest.mark.parametrize("column", ["label", "guess"])
@pytest.mark.parametrize("seed", range(24))
def test_no_small_class_can_be_solved_for(seed, column):
    """Least squares over unknown hits per combination of attributes and class, from every number shown."""
    cell = rare_classes(seed)
    guesses = cell.predictions["predicted"].to_pylist()
    rows = [r | {"guess": g} for r, g in zip(cell.targets.table.to_pylist(), guesses, strict=True)]
    rows = [r for r in rows if r["label"]]
    slices = ("a", "b", "c", ("a", "c")) if seed % 2 else ("a", "c")
    atoms = list({(r["a"], r["b"], r["c"], r[column]): r for r in rows}.values())
    equations, small = [], []
    for number in values(judge([cell], make_suite(slices=slices, metrics=LABEL_METRICS))):
        inside = membership(number, atoms, rows, column)
        if inside is None or not inside.any():
            continue
        label = number["metric"].partition("/")[2]
        persons = {r["subject"] for r in rows if holds_number(r, number) and label in ("", r[column])}
        if number["slice"] and len(persons) < FLOOR:
            assert number["status"] == "suppressed"
            if inside.sum() < sum(r[column] == label for r in atoms):  # else it is the whole's number
                small.append(inside)
        if number["status"] != "suppressed":
            equations.append(inside)
    assert small
    assert not [target for target in small if follows(target, np.array(equations))]


def test_no_number_of_a_slice_rests_on_a_few():
    for seed in range(5):
        table = judge([rare_classes(seed)], make_suite(slices=("a", ("a", "c")), metrics=LABEL_METRICS))
        shown = [r for r in values(table) if r["slice"] and r["status"] != "suppressed"]
        assert shown
        assert not [r for r in shown if 0 < r["clusters"] < FLOOR]
        hidden = {(r["slice"], r["value"], r["metric"]) for r in values(table) if r["status"] == "suppressed"}
        others = [r for r in table.to_pylist() if r["kind"] == "contrast" and r["status"] != "suppressed"]
        assert not [r for r in others if (r["slice"], r["value"], r["metric"]) in hidden]
