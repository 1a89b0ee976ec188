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


def test_what_goes_with_a_withheld_number_covers_others():
    """To show a (x + y) and b (y) gives x: a, of more subjects, is shown, but not as part of what is withheld."""
    x, y = np.eye(2)
    member = np.stack([x, x, x + y, y], axis=1)  # what is guarded, a value that is the same, a, b
    subjects, hidden = np.array([3, 100, 50, 40]), np.array([True, False, False, False])
    for within, expected in ((None, [0, 1, 3]), (np.array([-1, -1, 1, -1]), [0, 1, 2])):
        mask = hidden.copy()
        cover(mask, Numbers((np.zeros(4, int),), subjects, {}, FLOOR, within), [(member, hidden)])
        assert np.flatnonzero(mask).tolist() == expected


def test_a_sum_of_few_that_follows_from_the_whole_costs_no_others():
    """x + y is the whole whatever is shown; p + 2 q tells nothing of p, q, x or y alone."""
    p, q, y = np.eye(3)
    member = np.stack([p, q, p + q, y, p + 2 * q, p + q + y], axis=1)
    hidden = np.array([True, True, True, True, False])
    numbers = Numbers((np.array([0, 1, 2, 2, 3]),), np.array([1, 1, 2, 2, 50]), {}, FLOOR)
    cover(hidden, numbers, [(member, hidden)])
    assert hidden.tolist() == [True, True, True, True, False]


def random_tables(rng, shared):
    """Two or three attributes, some of their values and pairs; memberships over all rows and over two parts.

    A person may be in several combinations where ``shared``. The last column is the whole.
    """
    sizes = rng.integers(2, 5, rng.integers(2, 4))
    atoms = np.array([atom for atom in np.ndindex(*sizes) if rng.random() < 0.9])
    counts = rng.choice([1, 2, 3, 4, 7, 12, 30], len(atoms), p=[0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2])
    held = [frozenset(rng.choice(200, count, replace=False) + 1000 * k) for k, count in enumerate(counts)]
    if shared:
        held = [frozenset(person % 1000 for person in persons) for persons in held]
    pairs = [c for d in (1, 2) for c in combinations(range(len(sizes)), d) if rng.random() < 0.7] or [(0,)]
    inside, slice_ = [], []
    for number, attributes in enumerate(pairs):
        for value in np.unique(atoms[:, attributes], axis=0):
            inside.append((atoms[:, attributes] == value).all(axis=1))
            slice_.append(number)
    persons = [frozenset().union(*(h for h, mine in zip(held, each, strict=True) if mine)) for each in inside]
    people_of = {n: found for n, found in enumerate(persons) if len(found) < FLOOR}
    member = np.array([*inside, np.ones(len(atoms))], float).T
    parts = [member, *(member[rng.random(len(member)) < 0.8] for _ in range(2))]
    return Numbers((np.array(slice_),), np.array([len(p) for p in persons]), people_of, FLOOR), parts


def in_common(one, other):
    """How many dimensions the spans of two sets of columns share."""
    both = np.concatenate([one, other], axis=1)
    return sum(np.linalg.matrix_rank(m) for m in (one, other)) - np.linalg.matrix_rank(both)


def gives_away(hidden, numbers, parts):
    """Whether a combination follows, not from the whole, of values of one slice with too few persons together."""
    few, count = np.flatnonzero(numbers.few), len(hidden)
    sets = [
        list(some)
        for size in range(1, FLOOR)
        for some in combinations(few.tolist(), size)
        if len(set(numbers.groups[0][list(some)])) == 1
        and len(frozenset().union(*(numbers.people[k] for k in some))) < FLOOR
    ]
    for member in (part for part in parts if len(part)):
        always = member[:, count:]
        shown = np.concatenate([member[:, :count][:, ~hidden], always], axis=1)
        if in_common(shown, member[:, few]) > in_common(always, member[:, few]) and any(
            in_common(shown, member[:, some]) > in_common(always, member[:, some]) for some in sets
        ):
            return True
    return False


def several_sums_follow(hidden, numbers, parts):
    """Whether more than one combination follows of the values of one slice with too few persons."""
    few, slice_ = np.flatnonzero(numbers.few), numbers.groups[0]
    shown = np.append(~hidden, True)
    return any(
        in_common(part[:, shown], part[:, few[slice_[few] == k]]) > 1 for part in parts for k in slice_[few]
    )


@pytest.mark.parametrize("shared", [False, True])
def test_nothing_follows_and_none_of_the_others_could_be_shown(shared):
    """By rank, set by set. Of several sums of one slice any two values may be taken for one: in 1 of 100."""
    others = spared = 0
    for seed in range(120):
        numbers, parts = random_tables(np.random.default_rng([seed, shared]), shared)
        hidden = numbers.few.copy()
        cover(hidden, numbers, [(part, numbers.few) for part in parts])
        assert not gives_away(hidden, numbers, parts), seed
        more = np.flatnonzero(hidden & ~numbers.few)
        others += len(more)
        for value in more:
            less = hidden & (np.arange(len(hidden)) != value)
            if not gives_away(less, numbers, parts):
                assert several_sums_follow(less, numbers, parts), (seed, value)
                spared += 1
    assert others > 150
    assert spared <= 0.01 * others


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
