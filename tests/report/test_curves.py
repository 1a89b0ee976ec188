"""Curves of a report: marks stand at the points, what is withheld is nowhere, numbers stand in tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import UserError
from bench.report.format import DASH
from bench.report.plots.calibration import draw, panels
from bench.report.render import render
from bench.report.results import read_results
from bench.spec import Facts
from bench.tables import write_table
from bench.tables.curves import curves_table, write_curves
from tests.report import fake_run
from tests.report.reading import SVG, parse, read, svg_text, svgs
from tests.report.test_figures import marks

SECRET = {"x": 0.123457, "y": 0.098761, "n": 7741}
Part = tuple[str | None, str | None]
WHOLE: Part = (None, None)


def point(curve: str, part: Part, model: str = "m", **fields: Any) -> dict[str, Any]:
    named = {"model": model, "dataset": "d", "condition": "clean", "severity": 0, "where": None}
    at = {"slice": part[0], "value": part[1], "curve": curve, "high": None, "status": "reportable"}
    return {**named, **at, "x": None, "y": None, "n": 0, **fields}


def bins(part: Part, model: str = "m", **at: dict[str, Any]) -> list[dict[str, Any]]:
    """A reliability curve: ``b7`` and so on are bins with rows, or with another status."""
    edges = np.append(np.arange(15) / 15, 1.0)
    return [
        point("reliability", part, model, low=edges[b], high=edges[b + 1], **at.get(f"b{b}", {}))
        for b in range(15)
    ]


def steps(part: Part, *found: tuple[float, float, int], model: str = "m") -> list[dict[str, Any]]:
    return [
        point("risk_coverage", part, model, low=0.9 - 0.1 * i, x=x, y=y, n=n)
        for i, (x, y, n) in enumerate(found)
    ]


@pytest.fixture
def run() -> fake_run.FakeRun:
    facts = Facts(name="d", attributes={"a": "given"})
    made = fake_run.FakeRun(facts, [fake_run.model("m")], rows=10, slices=("a",), metrics=("ece", "aurc"))
    for metric, value in (("ece", 0.087), ("aurc", 0.214)):
        made.estimate("m", metric, value)
    return made


def written(run: fake_run.FakeRun, folder: Path, points: list[dict[str, Any]]) -> Path:
    path = run.write(folder / "run")
    write_curves(curves_table(points), path / "curves.parquet")
    return path


GRADED = bins(WHOLE, b6={"x": 0.45, "y": 0.3, "n": 9}, b9={"x": 0.65, "y": 0.7, "n": 31},
              b14={"x": 0.97, "y": 0.9, "n": 10})  # fmt: skip
STEPS = steps(WHOLE, (0.2, 0.05, 10), (0.58, 0.15, 29), (0.82, 0.2, 41), (1.0, 0.28, 50))


def test_marks_stand_at_the_points_and_bins_of_few_rows_are_hollow(
    run: fake_run.FakeRun, tmp_path: Path
) -> None:
    results = read_results(written(run, tmp_path, GRADED))
    (panel,) = panels(results, "d", "m", None)
    figure = draw(panel, results, "d", "m")
    drawn = marks(figure.svg)
    assert [fill for _, _, fill in drawn] == ["#ffffff", "#0072b2", "#0072b2"]
    for axis, values in ((0, [0.45, 0.65, 0.97]), (1, [0.3, 0.7, 0.9])):
        found = [mark[axis] for mark in drawn]
        slope, start = np.polyfit(values, found, 1)
        np.testing.assert_allclose(found, slope * np.array(values) + start, atol=1e-3)
        assert (slope > 0) == (axis == 0)  # y of an SVG points down
    assert "fewer than 10 rows" in figure.caption
    assert "reliability, ECE 0.087" in svg_text(parse(figure.svg))
    assert "risk" not in figure.alt.lower()


def test_both_diagrams_and_their_tables_stand_on_the_page(run: fake_run.FakeRun, tmp_path: Path) -> None:
    path = written(run, tmp_path, [*GRADED, *STEPS])
    page = read(path)[1]
    accuracy = page.table("Accuracy by confidence on d, over all rows")
    assert [row[:2] for row in accuracy] == [
        ["Confidence", "m"], ["(0.40, 0.47]", "0.300 (n 9)"], ["(0.60, 0.67]", "0.700 (n 31)"],
        ["(0.93, 1.00]", "0.900 (n 10)"], ["ECE", "0.087 [0.067, 0.107]"],
    ]  # fmt: skip
    risk = {row[0]: row[1] for row in page.table("Risk by coverage on d, over all rows")}
    assert risk["10 %"] == risk["20 %"] == "0.050 (at 20.0 %)"
    assert risk["50 %"] == "0.150 (at 58.0 %)"
    assert risk["60 %"] == risk["80 %"] == "0.200 (at 82.0 %)"
    assert risk["100 %"] == "0.280 (at 100.0 %)"
    titles = [text for svg in svgs(page) for text in svg_text(svg)]
    assert {"risk and coverage, AURC 0.214", "coverage", "confidence", "rows", "accuracy"} <= set(titles)
    assert any("Reliability and risk against coverage of m on d" in (attrs.get("alt") or "")
               for tag, attrs in page.tags if tag == "img")  # fmt: skip
    before = path.joinpath("report.html").read_bytes()
    assert render(path).read_bytes() == before


def test_a_withheld_point_breaks_the_line_and_its_numbers_are_nowhere(
    run: fake_run.FakeRun, tmp_path: Path
) -> None:
    """Even where the file, as no honest one does, has numbers in it."""
    gone = {**SECRET, "status": "suppressed"}
    for value in ("p", "q"):
        for metric in ("ece", "aurc"):
            run.estimate("m", metric, 0.1, part=("a", value))
    run.estimate("m", "ece", SECRET["y"], part=("a", "few"), status="suppressed")
    points = [
        *GRADED,
        *bins(("a", "p"), b5={"x": 0.36, "y": 0.3, "n": 20}, b6={"x": 0.45, "y": 0.4, "n": 20}, b7=gone,
              b8={"x": 0.55, "y": 0.5, "n": 20}, b9={"x": 0.65, "y": 0.7, "n": 31}),
        *bins(("a", "q"), b9={"x": 0.65, "y": 0.6, "n": 31}),
        *steps(("a", "p"), (0.4, 0.1, 40)), point("risk_coverage", ("a", "p"), low=0.3, **gone),
        *steps(("a", "p"), (1.0, 0.3, 91)),
    ]  # fmt: skip
    path = written(run, tmp_path, points)
    page = read(path)[1]
    rows = {row[0]: row[1:] for row in page.table("Accuracy by confidence of m by a")}
    assert rows["(0.47, 0.53]"] == ["withheld", DASH]
    assert rows["(0.60, 0.67]"] == ["0.700 (n 31)", "0.600 (n 31)"]
    risk = {row[0]: row[1:] for row in page.table("Risk by coverage of m by a")}
    assert risk["50 %"] == ["0.300 (at 100.0 %)", DASH]
    assert "Not drawn: few (withheld)." in "".join(page.texts)
    drawn = "".join(str(list(svg.itertext())) for svg in svgs(page))
    for number in ("0.123", "0.0988", "0.099", "7741", "7\u202f741"):
        assert number not in "".join(page.texts)
        assert number not in drawn
    results = read_results(path)
    kept = [p for p in results.curves if p["status"] == "suppressed"]
    assert len(kept) == 2
    assert all(p[name] is None for p in kept for name in SECRET)
    (panel,) = panels(results, "d", "m", "a")
    figure = parse(draw(panel, results, "d", "m").svg)
    lines = [p.get("d", "") for p in figure.iter(f"{SVG}path") if "#0072b2" in p.get("style", "")]
    assert [d.count("M") for d in lines if d.count("L") == 2 and d.count("M") == 2]


def test_more_values_than_colours_make_more_figures(run: fake_run.FakeRun, tmp_path: Path) -> None:
    points = []
    for value in range(9):
        run.estimate("m", "ece", 0.1, part=("a", f"v{value}"))
        points += bins(("a", f"v{value}"), b9={"x": 0.65, "y": 0.6, "n": 31})
    results = read_results(written(run, tmp_path, points))
    found = panels(results, "d", "m", "a")
    assert [len(panel.names) for panel in found] == [7, 2]
    texts = svg_text(parse(draw(found[1], results, "d", "m").svg))
    assert {"v7", "v8"} <= set(texts)
    assert not panels(results, "d", "m", None)


def test_a_run_without_curves_has_no_such_section(crema_run: Path) -> None:
    assert not re.search("selective prediction", "".join(read(crema_run)[1].texts))


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    facts = Facts(name="d", attributes={"a": "given"})
    made = fake_run.FakeRun(facts, [fake_run.model(fake_run.SCRIPT)], rows=10, slices=("a",))
    made.estimate(fake_run.SCRIPT, "ece", 0.1)
    made.estimate(fake_run.SCRIPT, "ece", 0.1, part=("a", fake_run.QUOTES))
    points = [
        p for part in (WHOLE, ("a", fake_run.QUOTES))
        for p in bins(part, fake_run.SCRIPT, b9={"x": 0.65, "y": 0.6, "n": 31})
    ]  # fmt: skip
    text, page = read(written(made, tmp_path, points))
    assert "<script" not in text
    assert "script" not in {tag for tag, _ in page.tags}
    assert all("<script" not in "".join(svg.itertext()) or svg.find(f".//{SVG}script") is None
               for svg in svgs(page))  # fmt: skip
    assert page.table("Accuracy by confidence of <script>")[0][1] == fake_run.QUOTES


def test_a_file_of_other_columns_is_refused(run: fake_run.FakeRun, tmp_path: Path) -> None:
    path = written(run, tmp_path, GRADED)
    table = curves_table(GRADED).drop_columns("low")
    write_table(table, path / "curves.parquet")
    with pytest.raises(UserError, match="the columns are not those of Curves"):
        read_results(path)
