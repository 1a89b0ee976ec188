"""Everything that Estimates shows, differences among it, as equations: no withheld cell can be solved for."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from bench.judge.score import judge
from bench.spec import SliceRule
from tests.judge.made import FLOOR, known, make_cell, make_suite, make_targets

NAMED = (
    "accuracy",
    "uar",
    "kappa",
    "recall",
    "precision",
    "selection_rate",
    "false_positive_rate",
    "coverage",
)
# As many comparisons as there can be: suppression is the only reason to leave one out.
RULE = SliceRule(clusters=2, n_eff=1, successes_and_failures=0, rows_in_class=0)
SLICES = (("a",), ("a", "b"), ("a", "b", ("a", "b")))


def rare_classes(seed):
    """Persons by two attributes, unmeasured for some; in many combinations a few have a class, or seem to."""
    rng = np.random.default_rng(seed)
    labels = tuple(f"l{k}" for k in range(rng.integers(3, 8)))
    skill = rng.choice([0.05, 0.6], len(labels))
    favour = rng.choice([0.02, 1.0, 2.0], len(labels), p=[0.4, 0.4, 0.2])
    favour /= favour.sum()
    first, second = ["A", "B", "C", "D"][: rng.integers(3, 5)], ["x", "y"]
    if seed % 4 < 2:
        (first if seed % 4 else second).append(None)
    columns = {name: [] for name in ("subject", "a", "b", "label")}
    guesses = []
    for a, b in product(first, second):
        holders = rng.choice([0, 1, 2, 3, 9, 99], len(labels), p=[0.05, 0.1, 0.1, 0.1, 0.2, 0.45])
        holders[0] = 1 if a == "A" else 99
        for person, (code, label) in product(range(rng.integers(6, 15)), enumerate(labels)):
            for _ in range(rng.integers(1, 4) if person < holders[code] else 0):
                for column, text in zip(columns.values(), (f"{a}{b}{person}", a, b, label), strict=True):
                    column.append(text)
                other = labels[rng.choice(len(labels), p=favour)] if rng.random() < 0.9 else None
                guesses.append(label if rng.random() < skill[code] else other)
    targets = make_targets(columns, labels=labels, label_space="made")
    return make_cell(targets, {"predicted": guesses})


class Cells:
    """The unknowns: how many rows of each combination of attributes and true class are decided as what."""

    def __init__(self, cell):
        guesses = cell.predictions["predicted"].to_pylist()
        self.rows = [
            {**row, "guess": guess, **{name: row[name] or "unmeasured" for name in "ab"}}
            for row, guess in zip(cell.targets.table.to_pylist(), guesses, strict=True)
        ]
        self.labels = cell.targets.facts.labels
        kinds = sorted({(r["a"], r["b"], r["label"]) for r in self.rows})
        self.all = [(*kind, guess) for kind in kinds for guess in (*self.labels, None)]
        self.truth, self.guess = (np.array([c[k] for c in self.all], object) for k in (2, 3))
        self.hit = (self.truth == self.guess).astype(float)
        count = {kind: sum((r["a"], r["b"], r["label"]) == kind for r in self.rows) for kind in kinds}
        self.count = np.array([count[c[:3]] for c in self.all]) / (len(self.labels) + 1)

    def text(self, cell, slice_):
        return "&".join(cell["ab".index(name)] for name in slice_.split("&"))

    def holds(self, row, slice_, value):
        return self.text((row["a"], row["b"]), slice_) == value

    def inside(self, slice_, value):
        """Which cells lie in a value; those of ``rest`` are for the caller to say."""
        if slice_ is None:
            return np.ones(len(self.all), bool)
        return np.array([self.text(c, slice_) == value for c in self.all])

    def rest(self, slice_, value):
        texts = [self.text(c, slice_) for c in self.all]
        return np.array([t != value and "unmeasured" not in t.split("&") for t in texts])

    def persons(self, slice_, value, column, label):
        return len({r["subject"] for r in self.rows if r[column] == label and self.holds(r, slice_, value)})

    def equation(self, metric, inside, shown):
        """The weights of the cells in a number, or in the equation that it obeys."""
        stem, _, label = metric.partition("/")
        rows = {k: self.count[inside & (self.truth == k)].sum() for k in self.labels}
        n, decided = sum(rows.values()), inside * (self.guess == label).astype(float)
        if stem == "uar":
            return inside * self.hit / [rows[k] or 1 for k in self.truth]
        if stem == "coverage":
            return inside * known(self.guess)
        if stem == "kappa":  # kappa (n^2 - S) = n hits - S with S = sum_k n_k (decided as k)
            return inside * (n * self.hit - (1 - shown) * np.array([rows.get(g, 0) for g in self.guess]))
        return {
            "accuracy": inside * self.hit, "recall": decided * self.hit, "selection_rate": decided,
            "false_positive_rate": decided * (1 - self.hit), "precision": decided * (self.hit - shown),
        }[stem]  # fmt: skip


def equations(cells, rows):
    """One row of weights per number shown, and per true class of a combination, whose rows are known."""
    value = {(r["slice"], r["value"], r["metric"]): r["estimate"] for r in rows if r["kind"] == "value"}
    found = [np.array([c[:3] == kind for c in cells.all], float) for kind in {c[:3] for c in cells.all}]
    for r in rows:
        if r["estimate"] is None or np.isnan(r["estimate"]):
            continue
        if r["kind"] == "value":
            found.append(cells.equation(r["metric"], cells.inside(r["slice"], r["value"]), r["estimate"]))
        elif r["kind"] == "contrast" and r["reference"] == "rest":
            shown = value[r["slice"], r["value"], r["metric"]] - r["estimate"]
            found.append(cells.equation(r["metric"], cells.rest(r["slice"], r["value"]), shown))
    return np.array([row / np.abs(row).max() for row in found if row.any()])


def guarded(cells, rows, decisions):
    """Hits of a class of few persons in a value, and rows decided as a label; what occurs there alone aside."""
    for slice_, value in dict.fromkeys((r["slice"], r["value"]) for r in rows if r["slice"]):
        for label in cells.labels:
            for column, weights in (("label", cells.hit), ("guess", np.ones(len(cells.all)))):
                few = 0 < cells.persons(slice_, value, column, label) < FLOOR
                target = weights * (cells.guess == label)
                inside = cells.inside(slice_, value)
                alone = not any(r[column] == label for r in cells.rows if not cells.holds(r, slice_, value))
                if few and not alone and (column == "label" or decisions):
                    yield (slice_, value, column, label), target * inside


def determined(targets, table):
    """The names of targets that are combinations of the equations."""
    _, size, right = np.linalg.svd(table, full_matrices=True)
    free = right[(size > 1e-9 * size[0]).sum() :]
    return [name for name, target in targets if np.abs(free @ target).max(initial=0) < 1e-7]


@pytest.mark.parametrize("metrics", [(), NAMED], ids=["default", "named"])
@pytest.mark.parametrize("seed", range(18))
def test_no_withheld_cell_can_be_solved_for(seed, metrics):
    cell = rare_classes(seed)
    suite = make_suite(slices=SLICES[seed % len(SLICES)], metrics=metrics, slice_rule=RULE)
    rows = judge([cell], suite).to_pylist()
    cells = Cells(cell)
    linear = [r for r in rows if r["metric"] != "macro_f1"]
    targets = list(guarded(cells, rows, bool(metrics)))
    assert targets
    assert determined(targets, equations(cells, linear)) == []


def test_differences_are_of_shown_values():
    """Gaps, contrasts of two values, ratios and what is shrunken are functions of numbers that are shown."""
    for seed in range(3):
        rows = judge([rare_classes(seed)], make_suite(slices=SLICES[2], slice_rule=RULE)).to_pylist()
        shown = {
            (r["slice"], r["value"], r["metric"]): r["estimate"]
            for r in rows
            if r["kind"] == "value" and r["status"] != "suppressed"
        }
        apart = [r for r in rows if r["kind"] == "contrast" and r["reference"] != "rest"]
        assert apart
        for r in (r for r in apart if r["estimate"] is not None):
            one, other = (shown[r["slice"], r[name], r["metric"]] for name in ("value", "reference"))
            assert r["estimate"] == pytest.approx(one - other, abs=1e-12)
        for r in (r for r in rows if r["kind"] not in ("value", "contrast") and r["value"]):
            assert (r["slice"], r["value"], r["metric"]) in shown
        for r in (r for r in rows if r["kind"] == "gap" and r["status"] == "reportable"):
            found = [
                v for (s, _, m), v in shown.items() if (s, m) == (r["slice"], r["metric"]) and v is not None
            ]
            differences = np.abs(np.subtract.outer(found, found))
            assert np.isclose(differences, r["estimate"], rtol=0, atol=1e-12).any()


def test_rows_that_decide_nothing_are_no_cover():
    """In x three are decided as sadness and four not at all; coverage says how many these are."""
    people = [(a, p) for a, most in (("x", 30), ("y", 30), ("z", 30)) for p in range(most)]
    said = {(a, p): "fear" if p % 2 else "neutral" for a, p in people}
    for a, sad, silent in (("x", 3, 4), ("y", 8, 9), ("z", 9, 11)):
        said |= {(a, p): "sadness" for p in range(sad)} | {(a, p + sad): None for p in range(silent)}
    labels = ("neutral", "fear", "sadness")
    columns = {
        "subject": [f"{a}{p}" for a, p in people],
        "a": [a for a, _ in people],
        "b": ["x"] * len(people),
    }
    truth = {"label": [labels[p % 3] for _, p in people]}
    cell = make_cell(
        make_targets(columns | truth, labels=labels, label_space="made"),
        {"predicted": [said[person] for person in people]},
    )
    asked = ("accuracy", "coverage", "selection_rate")
    rows = judge([cell], make_suite(slices=("a",), metrics=asked, slice_rule=RULE)).to_pylist()
    cells = Cells(cell)
    (target,) = [t for t in guarded(cells, rows, True) if t[0] == ("a", "x", "guess", "sadness")]
    assert determined([target], equations(cells, rows)) == []
