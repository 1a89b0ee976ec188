"""What is withheld of action units: values where those with a unit, or without it, are a few subjects."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge.few import few_people
from bench.judge.score import judge
from tests.judge.made import make_cell, make_suite, make_targets, row

NAMES = ("au_f1", "au_f1/au_04", "au_f1/au_12", "au_auroc", "au_auroc/au_12", "coverage")
PEOPLE = 60


def cell(rare, *, missed=False, **facts):
    """Three ages of 20 persons, 6 rows each; of the old only ``rare`` show au_12, or are seen showing it."""
    subject = np.repeat(np.arange(PEOPLE), 6)
    age = np.array(["young", "middle", "old"])[subject % 3]
    shows = np.tile([1.0, 1, 0, 0, 0, 0], PEOPLE)
    kept = (age != "old") | np.isin(subject, np.flatnonzero(np.arange(PEOPLE) % 3 == 2)[:rare])
    truth = shows if missed else np.where(kept, shows, 0.0)
    rng = np.random.default_rng(0)
    said = np.clip(shows * 0.5 + rng.random(len(shows)) * 0.5, 0, 1)
    gone = missed & ~kept & (shows > 0)
    columns = {
        "subject": [f"s{i:02d}" for i in subject], "age": age, "sex": np.array(["f", "m"])[subject // 30],
        "au_04": shows, "au_12": truth,
    }  # fmt: skip
    targets = make_targets(columns, labels=(), label_space="", **facts)
    guess = [None if g else float(v) for v, g in zip(said, gone, strict=True)]
    return make_cell(targets, {"au_04": said, "au_12": guess})


def suppressed(one, slices=("age",), kind="value"):
    table = judge([one], make_suite(metrics=NAMES, slices=slices))
    rows = [r for r in table.to_pylist() if r["kind"] == kind and r["slice"]]
    assert all(r["estimate"] is None and r["n"] is None for r in rows if r["status"] == "suppressed")
    return {(r["value"], r["metric"]) for r in rows if r["status"] == "suppressed"}


@pytest.mark.parametrize("missed", [False, True])
def test_a_few_with_a_unit_are_withheld_with_what_gives_them_away(missed):
    found = suppressed(cell(3, missed=missed))
    of_unit = {"au_f1", "au_f1/au_12", "au_auroc", "au_auroc/au_12"}
    hidden = {value for value, _ in found}
    # The whole is shown: with both other ages shown, the old ones would be what is left.
    assert "old" in hidden
    assert len(hidden) == 2
    assert found == {(value, name) for value in hidden for name in of_unit}


@pytest.mark.parametrize("missed", [False, True])
def test_nothing_is_withheld_of_none_of_many_or_of_public_attributes(missed):
    assert not suppressed(cell(0, missed=missed))
    assert not suppressed(cell(6, missed=missed))
    assert not suppressed(cell(3, missed=missed, attributes_public=True))


def test_no_difference_is_made_of_a_withheld_unit():
    table = judge([cell(3)], make_suite(metrics=NAMES, slices=("age",)))
    gap = row(table, slice="age", metric="au_f1/au_12", kind="gap")
    assert (gap["estimate"], gap["status"]) == (None, "insufficient")
    others = [
        r for r in table.to_pylist() if r["kind"] not in ("value", "gap") and r["metric"].endswith("au_12")
    ]
    assert others == []
    assert row(table, slice="age", metric="au_f1/au_04", kind="gap")["p"] > 0


def test_a_value_of_few_people_is_withheld_for_units_too():
    one = cell(20)
    ages = ["rare" if i < 18 else v for i, v in enumerate(one.targets.table["age"].to_pylist())]
    columns = {n: one.targets.table[n] for n in ("subject", "sex", "au_04", "au_12")} | {"age": ages}
    targets = make_targets(columns, labels=(), label_space="")
    said = {n: one.predictions[n] for n in ("au_04", "au_12")}
    found = suppressed(make_cell(targets, said))
    assert {("rare", name) for name in NAMES} <= found


def test_the_audit_counts_the_same_few_by_itself():
    one, suite = cell(3), make_suite(slices=("age",))
    args = one.targets.table, one.predictions, one.targets.facts, suite
    stems = ("au_f1", "au_auroc", "au_icc")
    few = {("age", "old", f"{stem}{end}") for stem in stems for end in ("", "/au_12")}
    assert few_people(*args) == few
    assert {(value, name) for _, value, name in few if "icc" not in name} <= suppressed(one)
