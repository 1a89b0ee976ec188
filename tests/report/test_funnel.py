"""The funnel of a report: counts and shares of each step, by slice and by condition."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.judge.stages import FUNNEL
from bench.report.format import DASH, WITHHELD
from bench.report.results import read_results
from bench.report.terminal import as_json, summarise
from bench.spec import Condition, Facts
from tests.report import fake_run
from tests.report.reading import read

FAR = {"levels": [1.5, 2, 3, 4, 6], "unit": "times as far", "destroys_label_from": 4}
SHARES = dict(zip(FUNNEL, (0.98, 0.9, 0.88, 0.86, 0.84, 0.8, 0.5), strict=True))
HEADS = ["Targets", "Decoded", "Face found", "Right face", "Followed", "Aligned", "Predicted", "Right"]


def made(known: tuple[str, ...] = tuple(FUNNEL)) -> fake_run.FakeRun:
    run = fake_run.FakeRun(
        Facts(name="d", target_face="box"), [fake_run.model("m"), fake_run.model("other")], rows=1000,
        metrics=("accuracy",), conditions=(Condition(perturb="distance", severities=(4,)),),
        perturbations={"distance": FAR},
    )  # fmt: skip
    for place, loss in ((fake_run.CLEAN, 0.0), (("distance", 4, "frame"), 0.25)):
        for name in ("m", "other"):
            run.estimate(name, "accuracy", 0.7, place=place)
            run.cell(name, {"ok": 990, "no_face": 10}, place)
        for name in known:
            run.estimate("m", name, SHARES[name] - loss, place=place, n=1000)
    for value, n, status in (("a", 600, "reportable"), ("b", 3, "suppressed")):
        run.estimate("m", "accuracy", 0.7, part=("sex", value), n=n, status=status)
        for name in known:
            run.estimate("m", name, SHARES[name], part=("sex", value), n=n, status=status)
    return run


def test_by_slice_and_by_condition(tmp_path: Path) -> None:
    page = read(made().write(tmp_path / "run"))[1]
    rows = page.table("Targets left after each step on d, clean")
    whole = ["1\u202f000", "980 (98.0 %)", "900 (90.0 %)", "880 (88.0 %)", "860 (86.0 %)", "840 (84.0 %)"]
    assert rows == [
        ["Slice", *HEADS],
        ["m"],
        ["all rows", *whole, "800 (80.0 %)", "500 (50.0 %)"],
        ["m, sex"],
        ["a", "600", "588 (98.0 %)", "540 (90.0 %)", "528 (88.0 %)", "516 (86.0 %)", "504 (84.0 %)",
         "480 (80.0 %)", "300 (50.0 %)"],
        ["b", *[WITHHELD] * 8],
    ]  # fmt: skip
    rows = page.table("Targets left after each step on d by condition, over all rows")
    assert [row[0] for row in rows] == ["Condition", "m", "clean", "distance, severity 4, on the frame"]
    assert rows[3][1:4] == ["1\u202f000", "730 (73.0 %)", "650 (65.0 %)"]


def test_steps_of_which_nothing_is_known_are_named_below(tmp_path: Path) -> None:
    known = tuple(name for name in FUNNEL if name not in ("funnel_right_face", "funnel_aligned"))
    text, page = read(made(known).write(tmp_path / "run"))
    assert page.table("Targets left after each step on d, clean")[0] == [
        "Slice", *(head for head in HEADS if head not in ("Right face", "Aligned"))
    ]  # fmt: skip
    assert "Right face is not known where the targets have no column &#39;box&#39;." in text
    assert "Aligned is not known where the targets have no column &#39;points&#39;." in text
    assert DASH not in page.table("Targets left after each step on d, clean")[2]


def test_it_has_tables_of_its_own_and_a_place_in_the_json(tmp_path: Path) -> None:
    run = made().write(tmp_path / "run")
    assert read_results(run).metrics("d") == ["accuracy"]
    clean, far = as_json(run)["funnel"]
    assert clean == {
        "model": "m", "dataset": "d", "condition": "clean", "severity": 0, "where": None, "targets": 1000,
        "decoded": 980, "face": 900, "right_face": 880, "followed": 860, "aligned": 840, "predicted": 800, "right": 500,
    }  # fmt: skip
    assert (far["condition"], far["where"], far["face"]) == ("distance", "frame", 650)


def test_without_a_funnel_nothing_is_said_of_one(tmp_path: Path) -> None:
    run = made(()).write(tmp_path / "run")
    assert as_json(run)["funnel"] == []
    assert "Funnel" not in read(run)[0]


@pytest.mark.parametrize(
    ("oracle", "begins"), [("detect", "Boxes of"), ("track", "Who is"), ("align", "Points of")]
)
def test_what_was_given_is_said_first(tmp_path: Path, oracle: str, begins: str) -> None:
    run = made().write(tmp_path / "run")
    plan = (run / "run.json").read_text()
    (run / "run.json").write_text(plan.replace("{", f'{{"oracle": "{oracle}",', 1))
    (told,) = [note for note in as_json(run)["notes"] if f"(--oracle {oracle})" in note]
    assert told.startswith(begins)
    text, page = read(run)
    assert told in text
    assert ["Oracle", oracle] in page.table("The run")


def test_whom_a_target_means_is_a_fact_of_the_data(tmp_path: Path) -> None:
    assert "the one that overlaps most with the given box" in read(made().write(tmp_path / "run"))[0]


def printed(run: Path) -> list[str]:
    console = Console(file=io.StringIO(), width=200)
    summarise(run, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_how_faces_were_sought_stands_in_the_terminal_a_line_each(tmp_path: Path) -> None:
    found = made()
    found.models[0] |= {"front": {"detector": "yunet", "every": 3}}
    found.models[1] |= {"front": {"detector": "yunet"}}
    lines = printed(found.write(tmp_path / "run"))
    assert lines[:2] == [
        "m: faces were sought in one frame of 3.",
        "d: of several faces the one that overlaps most with the given box is the target's.",
    ]
    assert "sought" not in "".join(lines[2:])


def test_nothing_is_said_of_it_where_no_face_was_sought(tmp_path: Path) -> None:
    looked = made()
    looked.models[0] |= {"front": {"detector": "yunet", "every": 3}}
    looked.facts = looked.facts.model_copy(update={"media_kind": "aligned"})
    for number, found in enumerate((looked, made())):
        text = "".join(printed(found.write(tmp_path / str(number))))
        assert "sought" not in text
        assert "of several faces" not in text
