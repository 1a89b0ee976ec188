"""Primary tests: they stand in the summary, and each that was not made is named with its condition and reason."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bench.judge.fairness import adjust
from bench.report.format import DASH
from bench.report.primary import untestable
from bench.report.results import Results, read_results
from bench.report.terminal import as_json
from bench.spec import Facts
from tests.report import fake_run
from tests.report.reading import read

PRIMARY = ("gap/uar/sex", "gap/accuracy/sex", "gap/accuracy/race")
DARK = tuple(("low_light", severity, "frame") for severity in (1, 2))
PLACES = (fake_run.CLEAN, *DARK)
FEW = {"status": "insufficient", "warning": "nothing to compare: fewer than two values hold enough"}
COUNTS = " A primary gap that cannot be tested counts as p = 1."
Key = tuple[str, str, str, fake_run.Place]


def made(path: Path, lost: dict[Key, str | None], primary: tuple[str, ...] = PRIMARY) -> Results:
    """Models m and n, clean and in the dark; ``lost``: (model, metric, slice, place) without a test, None: a row.

    The judge's own count of the primary tests stands in ``family``.
    """
    facts = Facts(name="d", attributes={"sex": "given", "race": "given"})
    models = [fake_run.model("m"), fake_run.model("n")]
    run = fake_run.FakeRun(facts, models, rows=9, slices=("sex", "race"), primary=primary)
    for who, metric, place in product(("m", "n"), ("uar", "accuracy"), PLACES):
        for part in ((None, None), ("sex", "F"), ("sex", "M"), ("race", "A")):
            run.estimate(who, metric, 0.5, part=part, place=place)
        for name in ("sex", "race"):
            blank: dict[str, Any] = {"kind": "gap", "half": None, "place": place, "part": (name, None)}
            why = lost.get((who, metric, name, place), "")
            if why == "":
                run.estimate(who, metric, 0.1, p=0.01, **blank)
            elif why is not None:
                run.estimate(who, metric, None, p=float("nan"), **blank, **FEW | {"warning": why})
    adjust(run.estimates, primary)
    return read_results(run.write(path / "run"))


def few(models: str, metric: str, name: str, places: tuple[fake_run.Place, ...]) -> dict[Key, str | None]:
    return {(who, metric, name, place): FEW["warning"] for who in models for place in places}


def test_primary_gaps_stand_in_the_summary_and_those_not_testable_are_named(tmp_path: Path) -> None:
    lost = few("mn", "accuracy", "race", PLACES) | few("mn", "uar", "race", PLACES)
    text, page = read(made(tmp_path, lost).run)
    rows = page.table("Largest minus smallest reportable value of each attribute")
    # Holm over 9 tests, 3 of them lost: 9 x .01.
    assert [(row[0], row[1], row[6]) for row in rows if len(row) > 1][1:] == [
        ("sex", "m", ".090 (primary)"), ("sex", "n", ".090 (primary)"),
        ("sex", "m", ".090 (primary)"), ("sex", "n", ".090 (primary)"),
        ("race", "m", f"{DASH} (primary)"), ("race", "n", f"{DASH} (primary)"),
    ]  # fmt: skip
    assert [row[0] for row in rows if len(row) == 1] == ["d, UAR", "d, accuracy (WAR)"]
    told = "gap/accuracy/race under every condition (m, n: fewer than two values hold enough)."
    assert text.count(f"Not testable on d: {told}{COUNTS}") == 1
    assert "Nothing to compare (fewer than two values hold enough): race (m, n: UAR)." in text
    assert "The gaps of UAR, accuracy (WAR) stand with the gaps against chance" in text


def test_json_says_which_gaps_are_primary(tmp_path: Path) -> None:
    gaps = as_json(made(tmp_path, few("n", "uar", "sex", PLACES)).run)["gaps"]
    assert {(gap["metric"], gap["slice"], gap["role"]) for gap in gaps} == {
        ("uar", "sex", "confirmatory"), ("uar", "race", "exploratory"),
        ("accuracy", "sex", "confirmatory"), ("accuracy", "race", "confirmatory"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ({}, None),
        # On clean media it was tested; in the dark the model gives no such metric, and there is no row.
        (
            {("m", "accuracy", "sex", place): None for place in DARK},
            "gap/accuracy/sex under low light on the frame at severity 1, 2 (m: unavailable)",
        ),
        (
            few("mn", "accuracy", "race", DARK[1:]),
            "gap/accuracy/race under low light on the frame at severity 2 "
            "(m, n: fewer than two values hold enough)",
        ),
        (
            few("m", "accuracy", "race", PLACES[:2]) | few("n", "accuracy", "race", PLACES[:1]),
            "gap/accuracy/race under clean and low light on the frame at severity 1 "
            "(m: fewer than two values hold enough); "
            "gap/accuracy/race under clean (n: fewer than two values hold enough)",
        ),
        # Another reason under another condition is another thing to say.
        (
            few("m", "uar", "sex", PLACES[:1]) | {("m", "uar", "sex", DARK[0]): "no gap: a value is undefined"},
            "gap/uar/sex under clean (m: fewer than two values hold enough); "
            "gap/uar/sex under low light on the frame at severity 1 (m: no gap: a value is undefined)",
        ),
    ],
)  # fmt: skip
def test_what_was_lost_under_some_conditions_is_named_with_them(
    tmp_path: Path, lost: dict[Key, str | None], told: str | None
) -> None:
    results = made(tmp_path, lost)
    assert untestable(results, results.datasets[0]) == (
        (f"Not testable on d: {told}.{COUNTS}",) if told else ()
    )
    # The judge counts as many tests as are lost here.
    for who in ("m", "n"):
        (family,) = {
            r["family"] for r in results.differences if r["model"] == who and r["role"] == "confirmatory"
        }
        count = sum(key[0] == who for key in lost)
        assert family == f"9 primary gaps of {who}" + (f", {count} of them not testable" if count else "")


def test_a_test_of_every_label_that_no_label_has_is_unavailable_and_one_label_is_enough(
    tmp_path: Path,
) -> None:
    results = made(tmp_path, {}, ("gap/accuracy/sex", "gap/recall/sex"))
    (text,) = untestable(results, results.datasets[0])
    assert text == f"Not testable on d: gap/recall/sex under every condition (m, n: unavailable).{COUNTS}"
    (family,) = {
        r["family"] for r in results.differences if r["model"] == "m" and r["role"] == "confirmatory"
    }
    assert re.fullmatch("6 primary gaps of m, 3 of them not testable", family)


def test_of_a_data_set_under_one_condition_none_is_named(tmp_path: Path) -> None:
    facts = Facts(name="d", attributes={"sex": "given"})
    run = fake_run.FakeRun(facts, [fake_run.model("m")], rows=9, slices=("sex",), primary=("gap/uar/sex",))
    for part in ((None, None), ("sex", "F")):
        run.estimate("m", "uar", 0.5, part=part)
    fields: dict[str, Any] = {"status": "suppressed", "role": "confirmatory", "half": None}
    run.estimate("m", "uar", None, part=("sex", None), kind="gap", **fields)
    results = read_results(run.write(tmp_path / "run"))
    (text,) = untestable(results, results.datasets[0])
    assert text == f"Not testable on d: gap/uar/sex (m: withheld).{COUNTS}"
