"""What models rely on: which degradation is shown under that name, what it says in words, what is not known."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.report.format import DASH
from bench.report.terminal import as_json, summarise
from bench.spec import Condition, Facts
from tests.report import fake_run
from tests.report.reading import read

MIXED, BACK = ("shuffled", 5, "frame"), ("reversed", 5, "frame")
BLACK, SILENT = ("missing_picture", 5, "frame"), ("missing_sound", 5, "sound")
AMOUNTS = {
    "shuffled": {"levels": [2, 4, 8, 16, 32], "unit": "stretches", "destroys_label_from": 4},
    "missing_sound": {"levels": [0.1, 0.2, 0.5, 0.7, 1], "unit": "share", "destroys_label_from": 5},
}  # fmt: skip


def made(*models: str, places: tuple[fake_run.Place, ...] = (MIXED,), **fields: Any) -> fake_run.FakeRun:
    """Values of UAR, .7 on clean media and .6 elsewhere; a test plants the losses."""
    facts = Facts(name="d", attributes={"sex": "given"})
    severities: dict[tuple[str, Any], tuple[int, ...]] = {}
    for name, severity, where in places:
        severities[name, where] = (*severities.get((name, where), ()), severity)
    run = fake_run.FakeRun(
        facts, [fake_run.model(name, double=name == "chance") for name in models], rows=9,
        conditions=tuple(Condition(perturb=name, severities=s, where=where) for (name, where), s in severities.items()),
        perturbations=AMOUNTS, **fields,
    )  # fmt: skip
    for name in models:
        for place in (fake_run.CLEAN, *places):
            run.estimate(name, "uar", 0.6 if place[1] else 0.7, place=place)
    return run


def lose(
    run: fake_run.FakeRun, value: float | None, place: fake_run.Place = MIXED, *, model: str = "m",
    metric: str = "uar", **fields: Any,
) -> None:  # fmt: skip
    found = {"p": 0.01, "p_adjusted": 0.02, "half": 0.05, **fields}
    run.estimate(model, metric, value, place=place, kind="degradation", reference="clean", **found)


def said(run: fake_run.FakeRun, folder: Path) -> list[list[str]]:
    rows = read(run.write(folder / "run"))[1].table("What each model relies on, UAR on d")
    return [row for row in rows[1:] if len(row) > 1]


@pytest.mark.parametrize(
    ("value", "half", "text"),
    [
        (0.1, 0.05, "Relies on the order of frames: UAR is worse with frames in another order, by 0.050 to 0.150."),
        (0.01, 0.05, "No use of the order of frames is seen; a loss of up to 0.060 cannot be excluded."),
        (-0.02, 0.05, "No use of the order of frames is seen; a loss of up to 0.030 cannot be excluded."),
        (
            -0.1, 0.05,
            "Not helped by the order of frames: UAR is better with frames in another order, by 0.050 to 0.150.",
        ),
        (0.0, None, "No use of the order of frames is seen: UAR is the same with frames in another order."),
        (0.1, None, "UAR is worse with frames in another order, by 0.100 here."),
        (-0.1, None, "UAR is better with frames in another order, by 0.100 here."),
    ],
)  # fmt: skip
def test_a_loss_in_words(tmp_path: Path, value: float, half: float | None, text: str) -> None:
    run = made("m")
    lose(run, value, half=half)
    (row,) = said(run, tmp_path)
    assert row[0] == "order of frames"
    assert [entry.split()[0] for entry in row[1:4]] == [
        "0.700",
        "0.600",
        f"{value:.3f}".replace("-", "\u2212"),
    ]
    assert row[4:] == [".020", text]


def test_what_is_added_to_the_words(tmp_path: Path) -> None:
    """Too little data, rows without an answer, and decisions that did not change where there is no interval."""
    run = made("m", places=(BLACK, MIXED))
    lose(run, 0.1, BLACK, status="insufficient")
    lose(run, 0.0, half=None, warning="no interval: the same")
    run.estimate("m", "stability", 0.98, place=MIXED, kind="stability", reference="clean")
    run.estimate("m", "stability", 0.5, place=MIXED, kind="stability", part=("sex", "F"))
    run.estimate("m", "severity_flips", 0.3, place=MIXED, kind="stability", reference="severity 2")
    for row in run.estimates:
        row["coverage"] = 0.25 if row["condition"] == "missing_picture" else 1.0
    order, sight = said(run, tmp_path)
    assert order[-1].endswith("with frames in another order. Unchanged decisions: 0.980 [0.960, 1.000].")
    assert order[3] == "0.000 (no interval)1"
    assert "\u2020 too little data" in (tmp_path / "run" / "report.html").read_text()
    assert order[-1].count("decisions") == 1
    assert sight[3].startswith("\u2020 0.100")
    assert sight[-1] == (
        "Relies on sight: UAR is worse with black frames, by 0.050 to 0.150. Too few persons or rows to rest on "
        "that. Rows without an answer: 75 %, on clean media 0 %."
    )


def test_what_is_withheld_or_undefined_shows_no_number(tmp_path: Path) -> None:
    run = made("m", "n")
    lose(run, 0.123, status="suppressed")
    lose(run, None, model="n", warning="undefined: no rows")
    first, second = said(run, tmp_path)
    assert first[3:] == ["withheld", DASH, "Withheld."]
    assert second[3:] == ["undefined1", ".020", "Not known: undefined: no rows."]
    assert "0.123" not in (tmp_path / "run" / "report.html").read_text()


def test_the_strongest_severity_counts_and_whole_frames_before_crops(tmp_path: Path) -> None:
    crop = ("missing_picture", 5, "crop")
    run = made("m", places=(("shuffled", 2, "frame"), ("shuffled", 4, "frame"), crop, BLACK))
    for value, place in (
        (0.1, ("shuffled", 2, "frame")),
        (0.2, ("shuffled", 4, "frame")),
        (0.3, crop),
        (0.4, BLACK),
    ):
        lose(run, value, place)
    lose(run, 0.15, ("shuffled", 0, "frame"), severity=None)
    run.estimate("m", "uar", 0.9, place=BLACK, kind="worst", reference="clean")
    rows = said(run, tmp_path)
    assert [row[3].split()[0] for row in rows] == ["0.200", "0.400"]
    text, page = read(tmp_path / "run")
    assert page.table("How each input was taken away")[1:] == [
        ["order of frames", "shuffled, severity 4, on the frame, label may be lost", "16 stretches"],
        ["direction of time", "not run (reversed)", "not known"],
        ["sight", "missing picture, severity 5, on the frame", DASH],
        ["sound", "not run (missing sound)", "not known"],
    ]
    assert "Below severity 5 a part of the input is left" in text
    assert "motion shorter than a stretch is not taken away" in text


def test_programs_read_null_for_what_was_not_run(tmp_path: Path) -> None:
    run = made("m", "n", places=(MIXED, SILENT))
    lose(run, 0.1, part=("sex", "F"))
    lose(run, 0.2)
    lose(run, 0.3, SILENT)
    found = as_json(run.write(tmp_path / "run"))["reliance"]
    assert [(row["model"], row["input"], row["slice"], row["estimate"], row["status"]) for row in found] == [
        ("m", "order of frames", "sex", 0.1, "reportable"),
        ("m", "order of frames", None, 0.2, "reportable"),
        ("m", "direction of time", None, None, "not run"),
        ("m", "sight", None, None, "not run"),
        ("m", "sound", None, 0.3, "reportable"),
        ("n", "order of frames", None, None, "not compared"),
        ("n", "direction of time", None, None, "not run"),
        ("n", "sight", None, None, "not run"),
        ("n", "sound", None, None, "not compared"),
    ]
    assert found[1] == {
        "model": "m", "dataset": "d", "reliance": "temporal", "input": "order of frames",
        "condition": "shuffled", "severity": 5, "where": "frame", "metric": "uar", "slice": None, "value": None,
        "clean": 0.7, "without": 0.6, "estimate": 0.2, "low": pytest.approx(0.15), "high": pytest.approx(0.25),
        "level": 0.95, "p": 0.01, "p_adjusted": 0.02, "n": 1000, "clusters": 91, "warning": None,
        "status": "reportable",
    }  # fmt: skip
    assert (found[4]["reliance"], found[4]["where"], found[4]["severity"]) == ("modality", "sound", 5)
    assert (found[2]["severity"], found[2]["clean"], found[2]["without"]) == (None, 0.7, None)


def test_answers_alone_are_relied_on_and_lower_may_be_better(tmp_path: Path) -> None:
    """Flips and coverage are no answers; an error that rises by .1 is a loss of .1, as the judge has it."""
    metrics = ("uar", "coverage", "flip_rate", "rmse_valence")
    run = made("m", metrics=metrics)
    for metric in metrics[1:]:
        for place in (fake_run.CLEAN, MIXED):
            run.estimate("m", metric, 0.4 if place[1] else 0.3, place=place)
    for metric in metrics:
        lose(run, 0.1, metric=metric)
    folder = run.write(tmp_path / "run")
    assert [row["metric"] for row in as_json(folder)["reliance"] if row["estimate"]] == [
        "uar",
        "rmse_valence",
    ]
    text, page = read(folder)
    assert [row[0] for row in page.table("Loss without each input on d, by other metrics")[1:]] == [
        "RMSE valence", "m"
    ]  # fmt: skip
    assert "Metrics that follow frames are left out" in text
    (row,) = [
        row for row in page.table("flip rate on d under each condition") if row[0].startswith("shuffled")
    ]
    assert [entry.split()[0] for entry in row[2:]] == ["0.400", "0.100"]
    alone = made("m", metrics=("rmse_valence",))
    alone.estimates = [{**row, "metric": "rmse_valence"} for row in alone.estimates]
    lose(alone, 0.1, metric="rmse_valence")
    assert (
        "RMSE valence is worse with frames in another order, by 0.050 to 0.150."
        in read(alone.write(tmp_path / "alone"))[0]
    )


def test_decisions_say_nothing_of_numbers(tmp_path: Path) -> None:
    run = made("m", metrics=("ccc_valence",))
    run.estimates = [{**row, "metric": "ccc_valence"} for row in run.estimates]
    lose(run, 0.0, metric="ccc_valence", half=None)
    run.estimate("m", "stability", 0.98, place=MIXED, kind="stability", reference="clean")
    page = read(run.write(tmp_path / "run"))[1]
    (row,) = [
        row for row in page.table("What each model relies on, CCC valence on d") if row[0].startswith("order")
    ]
    assert (
        row[-1]
        == "No use of the order of frames is seen: CCC valence is the same with frames in another order."
    )


def test_a_metric_that_leads_stands_with_the_conditions_alone(tmp_path: Path) -> None:
    run = made("m", metrics=("flip_rate", "jitter"))
    run.estimates = [{**row, "metric": name} for name in ("flip_rate", "jitter") for row in run.estimates]
    page = read(run.write(tmp_path / "run"))[1]
    captions = [caption for caption, _ in page.tables if caption.endswith("on d under each condition")]
    assert captions == ["jitter on d under each condition"]


def test_slices_that_were_not_compared_are_dashes(tmp_path: Path) -> None:
    run = made("m", places=(MIXED, BACK), slices=("sex",))
    for place, value in ((fake_run.CLEAN, "F"), (fake_run.CLEAN, "M"), (fake_run.CLEAN, "X")):
        run.estimate("m", "uar", 0.7, part=("sex", value), place=place)
    lose(run, 0.1)
    lose(run, 0.2, part=("sex", "F"))
    lose(run, 0.3, BACK, part=("sex", "F"))
    lose(run, 0.4, BACK, part=("sex", "M"))
    rows = read(run.write(tmp_path / "run"))[1].table("Loss without each input on d, UAR by slice")
    assert rows[0] == ["Slice", "Clean", "Order of frames", "Direction of time"]
    assert [row[0] for row in rows[1:]] == ["m, sex", "F", "M"], "nobody was compared in X"
    assert [entry.split()[0] for entry in rows[2][2:]] == ["0.200", "0.300"]
    assert [entry.split()[0] for entry in rows[3][2:]] == [DASH, "0.400"]
    assert f"{DASH}: not compared" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.parametrize("places", [(), (("low_light", 3, "frame"),)])
def test_without_such_conditions_there_is_no_section(
    tmp_path: Path, places: tuple[fake_run.Place, ...]
) -> None:
    folder = made("m", places=places).write(tmp_path / "run")
    assert as_json(folder)["reliance"] == []
    assert "relies on" not in read(folder)[0]


def test_without_clean_media_nothing_is_known(tmp_path: Path) -> None:
    run = made("m")
    run.estimates = [row for row in run.estimates if row["condition"] != "clean"]
    folder = run.write(tmp_path / "run")
    assert as_json(folder)["reliance"] == []
    assert 'id="reliance"' not in read(folder)[0]


def test_the_terminal_has_two_lines_at_most(tmp_path: Path) -> None:
    names = ("m", "n", "o", "chance")
    run = made(*names, places=(MIXED, BACK, BLACK))
    for number, name in enumerate(names):
        for place in (MIXED, BACK, BLACK):
            few = {"status": "insufficient"} if (name, place) == ("n", BLACK) else {}
            lose(run, 0.1 * (number + 1), place, model=name, **few)
    console = Console(file=io.StringIO(), width=600)
    summarise(run.write(tmp_path / "run"), console)
    lines = [line for line in console.file.getvalue().splitlines() if "reliance" in line]  # type: ignore[attr-defined]
    three = "m 0.100 [0.050, 0.150], n 0.200 [0.150, 0.250], o 0.300 [0.250, 0.350], 1 more in the report"
    assert lines == [
        f"Temporal reliance on d, what is lost of UAR without the order of frames: {three}; without the direction of "
        f"time: {three}",
        f"Modality reliance on d, what is lost of UAR without sight: "
        f"{three.replace('0.250], o', '0.250] insufficient, o')}",
    ]
    page = read(tmp_path / "run")[1]
    assert ["chance (double)"] in page.table("What each model relies on")


def test_names_are_text(tmp_path: Path) -> None:
    run = made(fake_run.SCRIPT, slices=("sex",))
    run.estimate(fake_run.SCRIPT, "uar", 0.7, part=("sex", fake_run.QUOTES))
    lose(run, 0.1, model=fake_run.SCRIPT)
    lose(run, 0.1, model=fake_run.SCRIPT, part=("sex", fake_run.QUOTES))
    text, page = read(run.write(tmp_path / "run"))
    assert "<script" not in text
    rows = page.table("What each model relies on")
    assert rows[1] == [fake_run.SCRIPT]
    assert page.table("Loss without each input on d, UAR by slice")[2][0] == fake_run.QUOTES


def test_one_model_is_named_as_one(tmp_path: Path) -> None:
    one, two = made("m"), made("m", "n")
    for run in (one, two):
        lose(run, 0.1)
    assert ">What the model relies on<" in read(one.write(tmp_path / "one"))[0]
    assert ">What the models rely on<" in read(two.write(tmp_path / "two"))[0]
