"""The tables of robustness show what was judged, nothing that is withheld, and say so where nothing is lost."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from bench.judge.score import judge
from bench.report import format as fmt
from bench.report.results import Results, read_results
from bench.report.robustness import contrast_table, degradation_table, summary_table, worst_of
from bench.report.table import Table
from bench.report.terminal import as_json, summarise
from bench.spec import Condition, Facts
from bench.tables import write_estimates
from tests.judge.conditions import DARK, NOISE, Made, suite
from tests.report import fake_run
from tests.report.reading import read

PLACES = {("clean", 0): 0.0, ("low_light", 1): 0.1, ("low_light", 3): 0.25, ("sensor_noise", 2): 0.05}


def write(path: Path, reference: str | None = "plain", **facts: bool) -> Results:
    """A run of three models: one that women lose more under, a plain one, and one that nothing changes."""
    made = Made(1, **facts)
    run = fake_run.FakeRun(
        made.targets.facts, [fake_run.model(name) for name in ("biased", "plain", "firm")],
        rows=len(made.truth), slices=("sex",), metrics=("accuracy",),
        conditions=(Condition(**DARK), Condition(**NOISE)),
    )  # fmt: skip
    cells = []
    for name, extra in (("biased", 0.15), ("plain", 0.0), ("firm", 0.0)):
        for (condition, severity), loss in PLACES.items():
            lost = np.where(made.female, loss + extra * (severity > 0), loss) if name != "firm" else 0.0
            cells.append(made.cell(made.answers(lost), condition, severity, model=name))
            where = "crop" if severity else None
            run.cell(name, {"ok": len(made.truth)}, (condition, severity, where))
    run.write(path)
    asked = suite(reference=reference)
    plan = json.loads((path / "run.json").read_text())
    plan["suite"] = asked.model_dump(mode="json")
    (path / "run.json").write_text(json.dumps(plan))
    write_estimates(judge(cells, asked), path / "estimates.parquet")
    return read_results(path)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return write(tmp_path_factory.mktemp("robust"))


def texts(table: Table) -> dict[str, dict[str, list[str]]]:
    return {g.title: {line.head: [e.text for e in line.entries] for line in g.lines} for g in table.groups}


def only(results: Results, kind: str, **names: object) -> dict[str, object]:
    names = {"slice": None, "value": None, "model": "biased", **names}
    (row,) = [
        r for r in results.differences if r["kind"] == kind and all(r[n] == v for n, v in names.items())
    ]
    return row


def test_each_condition_shows_value_degradation_slice_and_stability(results: Results) -> None:
    table = degradation_table(results, results.datasets[0], "accuracy")
    assert all(len(line.entries) == len(table.columns) - 1 for group in table.groups for line in group.lines)
    found = texts(table)
    models, conditions = ("biased", "plain", "firm"), ("low light", "sensor noise")
    assert list(found) == [f"{model}, {name}, on the crop" for model in models for name in conditions]
    dark = found["biased, low light, on the crop"]
    assert list(dark) == ["severity 1", "severity 3"], "means stand in the table of whole conditions"
    shown = dark["severity 3"]
    here = {"condition": "low_light", "severity": 3}
    lost = only(results, "degradation", **here)
    women = only(results, "degradation", **here, slice="sex", value="female")
    assert shown[1:3] == [fmt.estimate(lost), fmt.probability(lost["p_adjusted"])]
    assert shown[4:6] == ["sex female", fmt.estimate(women)]
    assert shown[6] == fmt.estimate(only(results, "stability", metric="stability", **here))
    before, after = (
        next(r for r in results.at("biased", "made", place) if r["slice"] is None)
        for place in (results.places("made")[0], results.places("made")[2])
    )
    assert shown[0] == fmt.estimate(after)
    assert lost["estimate"] == pytest.approx(before["estimate"] - after["estimate"])


def test_a_model_that_loses_nothing_is_said_to(results: Results) -> None:
    data = results.datasets[0]
    firm = texts(degradation_table(results, data, "accuracy"))["firm, low light, on the crop"]
    assert {line[4] for line in firm.values()} == {"no estimated loss"}
    worst = "worst: no condition has an estimated loss"
    assert worst in texts(summary_table(results, data, "accuracy"))["firm"]
    assert worst_of(results, data, "firm", "accuracy") is None
    told = worst_of(results, data, "biased", "accuracy")
    assert told is not None
    assert told.startswith(
        "biased: accuracy (WAR) on made is worst by low light, severity 3, on the crop: 0."
    )


def test_a_worst_condition_that_is_withheld_is_not_said_to_take_nothing(tmp_path: Path) -> None:
    run = fake_run.FakeRun(
        Facts(name="d"), [fake_run.model("m")], rows=9, metrics=("uar",),
        conditions=(Condition(perturb="low_light"),),
    )  # fmt: skip
    place = ("low_light", 1, "frame")
    run.estimate("m", "uar", 0.7)
    run.estimate("m", "uar", 0.3, place=("low_light", None, "frame"), kind="degradation")
    run.estimate("m", "uar", 0.3, place=place, kind="worst", status="suppressed")
    for at in (("clean", 0, None), place):
        run.cell("m", {"ok": 9}, at)
    results = read_results(run.write(tmp_path / "run"))
    shown = texts(summary_table(results, results.datasets[0], "uar"))["m"]
    assert shown["worst of all conditions"][0] == "withheld"


def test_programs_read_every_condition_with_what_it_took(tmp_path: Path) -> None:
    results = write(tmp_path)
    found = as_json(tmp_path)["conditions"]
    assert len(found) == 3 * 3
    dark = {row["model"]: row for row in found if (row["condition"], row["severity"]) == ("low_light", 3)}
    row = only(results, "degradation", condition="low_light", severity=3)
    assert dark["biased"]["degradation"] == {
        name: row[name] for name in ("estimate", "low", "high", "p_adjusted", "status")
    }
    whole = next(
        r for r in results.rows if (r["model"], r["condition"], r["severity"]) == ("biased", "low_light", 3)
    )
    assert (dark["biased"]["estimate"], dark["biased"]["where"]) == (whole["estimate"], "crop")
    worst = {row["model"]: (row["condition"], row["severity"]) for row in found if row["worst"]}
    assert worst["biased"] == worst["plain"] == ("low_light", 3)


def test_whole_conditions_with_errors_over_those_of_the_reference(results: Results) -> None:
    table = summary_table(results, results.datasets[0], "accuracy")
    assert table.columns[4:] == ("Error over that of plain", "Lost over that of plain")
    found = texts(table)
    mean = only(results, "degradation", condition="low_light", severity=None)
    area, error = (only(results, kind, condition="low_light") for kind in ("area", "mce"))
    shown = found["biased"]["low light, on the crop"]
    flips = only(results, "stability", metric="severity_flips", condition="low_light", severity=None)
    assert shown[:4] == [fmt.estimate(row) for row in (mean, area, flips, error)]
    assert found["biased"]["sensor noise, on the crop"][2] == fmt.DASH, "it has one severity"
    assert found["biased"]["all conditions"][3] == fmt.estimate(only(results, "mce", condition="all"))
    assert found["plain"]["all conditions"][3] == "1.000 (no interval)"
    assert {len(line) for group in found.values() for line in group.values()} == {5}


def test_without_a_reference_there_are_no_such_columns(tmp_path: Path) -> None:
    found = write(tmp_path / "run", reference=None)
    table = summary_table(found, found.datasets[0], "accuracy")
    assert table.columns == ("Condition", "Mean degradation", "Area", "Flips between severities")
    assert "all conditions" not in texts(table)["biased"]


def test_who_loses_more_is_averaged_over_severities(results: Results) -> None:
    found = texts(contrast_table(results, results.datasets[0], "accuracy"))["biased, sex"]
    row = only(
        results, "degradation_contrast", condition="low_light", severity=None, slice="sex", value="female"
    )
    assert found["female against male, low light, on the crop"][0] == fmt.estimate(row)
    assert len(found) == 2


def test_the_page_has_the_section_and_its_tables(results: Results) -> None:
    text, page = read(results.run)
    assert "<h3>Robustness</h3>" in text
    rows = page.table("What each condition takes from accuracy")
    assert ["biased, low light, on the crop"] in rows
    assert page.table("Conditions over all severities")
    assert page.table("Differences of degradation")
    assert "between conditions" not in text


def test_the_terminal_names_the_worst_condition_of_each_model(results: Results) -> None:
    console = Console(file=io.StringIO(), width=200)
    summarise(results.run, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    worst = [line.partition(":")[0] for line in lines if "is worst by" in line]
    assert worst == ["biased", "plain"]


def test_runs_without_conditions_have_no_such_section(crema_run: Path) -> None:
    assert "Robustness" not in read(crema_run)[0]
