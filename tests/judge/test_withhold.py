"""What is withheld: few subjects, and all that would give them away; checked by solving for them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bench.judge import withhold
from bench.judge.score import judge
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, values

FLOOR = 5


def people(sizes, **facts):
    """Persons per value of an attribute, or of several ("x&y"): a, b, c; each with a clip of every label."""
    columns = {name: [] for name in ("subject", "label", "a", "b", "c")}
    for value, count in sizes.items():
        parts = [*value.split("&"), "one", "one"]
        for person in range(count):
            for label in LABELS:
                entry = (f"{value}-{person}", label, *parts[:3])
                for column, text in zip(columns.values(), entry, strict=True):
                    column.append(text)
    targets = make_targets(columns, **facts)
    return make_cell(targets, {"predicted": ["fear"] * len(targets)})


def statuses(cell, slices=("a",), metrics=("accuracy",)):
    table = judge([cell], make_suite(slices=slices, metrics=metrics))
    found = {}
    for row in values(table):
        if row["slice"]:
            found.setdefault((row["slice"], row["value"]), set()).add(row["status"] == "suppressed")
    assert all(len(hidden) == 1 for hidden in found.values()), "one mask for all metrics"
    return {key: hidden.pop() for key, hidden in found.items()}


def withheld(cell, slices=("a",), metrics=("accuracy",)):
    return {value for (_, value), hidden in statuses(cell, slices, metrics).items() if hidden}


def without(cell, drop, column="label"):
    """The cell with the column null in the rows where ``drop(row)``."""
    table = cell.targets.table
    columns = {name: table[name].to_pylist() for name in table.column_names if name != "target"}
    columns[column] = [None if drop(row) else row[column] for row in table.to_pylist()]
    targets = make_targets(columns)
    return make_cell(targets, {"predicted": ["fear"] * len(targets)})


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


ALL_METRICS = (
    "accuracy", "uar", "macro_f1", "kappa", "recall", "precision", "selection_rate", "false_positive_rate",
)  # fmt: skip


def hidden_metrics(cell, slices=("a",), metrics=ALL_METRICS):
    """The metrics withheld of each value; asserts that none has a number."""
    found = {}
    for row in values(judge([cell], make_suite(slices=slices, metrics=metrics))):
        if row["slice"]:
            mine = found.setdefault(row["value"], set())
            if row["status"] == "suppressed":
                assert row["n"] is None
                assert row["clusters"] is None
                mine.add(row["metric"])
    return found


def test_a_class_rare_within_a_value_is_withheld_with_what_gives_it():
    """x has one person with fear: y is the smallest that hides it from the whole, its neutral from its accuracy.

    In y all classes are of 31 rows: UAR is accuracy. In x the other three have equal weights in UAR, so that
    it less a multiple of accuracy leaves fear alone, whichever recalls are withheld: it goes.
    """
    cell = people({"x": 30, "y": 31, "z": 32})
    slim = without(cell, lambda r: r["label"] == "fear" and r["a"] == "x" and r["subject"] != "x-0")
    hidden = hidden_metrics(slim, metrics=("accuracy", "uar", "macro_f1", "recall"))
    assert hidden["x"] >= {"recall/fear", "recall/neutral", "uar", "macro_f1"}
    assert "accuracy" not in hidden["x"]
    assert hidden["y"] == {"recall/fear", "recall/neutral", "macro_f1"}
    assert hidden["z"] == set()


def test_a_class_rare_within_a_value_is_shown_where_attributes_are_public():
    cell = people({"x": 30, "y": 30})
    slim = without(cell, lambda r: r["label"] == "fear" and r["a"] == "x" and r["subject"] != "x-0")
    table = slim.targets.table
    columns = {n: table[n].to_pylist() for n in table.column_names if n != "target"}
    public = make_targets(columns, attributes_public=True)
    assert hidden_metrics(make_cell(public, {"predicted": ["fear"] * len(public)})) == {
        "x": set(),
        "y": set(),
    }


def test_a_value_goes_where_its_classes_can_be_solved_for():
    """Sadness occurs in x alone, so that it is known; the rest of x is three persons with fear."""
    cell = people({"x": 30, "y": 30})

    def drop(r):
        rare = r["label"] == "fear" and r["a"] == "x" and r["subject"] not in ("x-0", "x-1", "x-2")
        alone = r["label"] == "sadness" and r["a"] == "y"
        return rare or alone or r["label"] in ("neutral", "happiness")

    assert "accuracy" in hidden_metrics(without(cell, drop))["x"]


def test_few_decided_as_a_label_are_withheld():
    cell = people({"x": 30, "y": 30, "z": 30})
    who = [
        (r["subject"] in ("x-0", "x-1") and r["label"] == "neutral") for r in cell.targets.table.to_pylist()
    ]
    decided = make_cell(cell.targets, {"predicted": ["sadness" if w else "fear" for w in who]})
    hidden = hidden_metrics(decided)
    named = {"precision/sadness", "selection_rate/sadness", "false_positive_rate/sadness"}
    assert named <= hidden["x"]
    assert not any(m.startswith("recall") or m in ("accuracy", "uar") for m in hidden["x"])


def test_few_with_an_output_are_withheld():
    targets = people({"x": 30, "y": 30, "z": 30}).targets.table
    columns = {name: targets[name].to_pylist() for name in ("subject", "label", "a")}
    given = [s in ("x-0", "x-1") or not s.startswith("x") for s in columns["subject"]]
    made = make_targets(columns | {"valence": [0.1 * (i % 7) for i in range(len(given))]})
    cell = make_cell(
        made, {"valence": [0.1 if ok else None for ok in given], "predicted": ["fear"] * len(given)}
    )
    hidden = hidden_metrics(cell, metrics=("rmse_valence", "rmse_valence_covered"))
    assert hidden["x"] == {"rmse_valence_covered"}
    assert sorted(map(len, hidden.values())) == [0, 1, 1]


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
    for number in values(judge([cell], make_suite(slices=slices, metrics=ALL_METRICS))):
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
        table = judge([rare_classes(seed)], make_suite(slices=("a", ("a", "c")), metrics=ALL_METRICS))
        shown = [r for r in values(table) if r["slice"] and r["status"] != "suppressed"]
        assert shown
        assert not [r for r in shown if 0 < r["clusters"] < FLOOR]
        hidden = {(r["slice"], r["value"], r["metric"]) for r in values(table) if r["status"] == "suppressed"}
        others = [r for r in table.to_pylist() if r["kind"] == "contrast" and r["status"] != "suppressed"]
        assert not [r for r in others if (r["slice"], r["value"], r["metric"]) in hidden]


def test_the_others_are_no_cover_where_they_lack_a_class():
    """y hides the accuracy of z; but y has no fear, so that the recall of fear would be that of z."""
    cell = people({"w": 30, "x": 20, "y": 10, "z": 4})
    assert withheld(without(cell, lambda r: r["label"] == "fear" and r["a"] == "y")) == {"x", "y", "z"}
    none = without(cell, lambda r: r["label"] == "fear" and r["a"] in "yz")
    assert withheld(none, metrics=("accuracy", "recall")) == {"y", "z"}


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


@pytest.mark.parametrize("bound", ["MOST_VALUES", "MOST_COMBINATIONS"])
def test_beyond_the_bound_all_slices_are_withheld(monkeypatch, bound):
    monkeypatch.setattr(withhold, bound, 3)
    assert withheld(people({"w": 30, "x": 20, "y": 4})) == {"x", "y"}
    sizes = {"w": 30, "x": 20, "y": 9, "z": 4}
    assert withheld(people(sizes)) == set(sizes)
    assert withheld(people(sizes | {"z": 5})) == set()


def test_a_person_in_several_values_counts_once():
    """Three persons in dark and in dim light are three, not six."""
    where_ = {"bright": range(30), "day": range(30), "dark": range(3), "dim": range(3)}
    pairs = [(light, person) for light, persons in where_.items() for person in persons]
    columns = {"subject": [f"s{p}" for _, p in pairs], "a": [light for light, _ in pairs]}
    targets = make_targets(columns | {"label": ["fear"] * len(pairs)})
    cell = make_cell(targets, {"predicted": ["fear"] * len(pairs)})
    assert withheld(cell) == {"dark", "dim", "bright"}


def test_cells_that_judge_the_same_rows_withhold_the_same():
    cell = people({"w": 30, "x": 20, "y": 4})
    other = make_cell(cell.targets, {"predicted": ["sadness"] * len(cell.targets)}, model="other")
    suite = make_suite(slices=("a",), metrics=("accuracy",))
    table = judge([cell, other], suite)
    hidden = [(r["model"], r["value"]) for r in values(table) if r["status"] == "suppressed"]
    assert hidden == [("m", "x"), ("m", "y"), ("other", "x"), ("other", "y")]


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


def follows(target, equations):
    weights = np.linalg.lstsq(equations.T, target, rcond=None)[0]
    return np.abs(equations.T @ weights - target).max() < 1e-6


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
