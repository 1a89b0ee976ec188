"""Figures: marks stand where the estimates are, gaps stay gaps, text is text."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from bench.report.plots.confusion import recall_forest
from bench.report.plots.groups import slice_forests
from bench.report.plots.severities import severity_curves
from bench.report.results import read_results
from bench.spec import Facts
from tests.report import fake_run
from tests.report.reading import SVG, parse, svg_text


def marks(svg: bytes, colour: str = "#0072b2") -> list[tuple[float, float, str]]:
    """x, y and fill of the markers drawn in a colour, in document order."""
    found = []
    for use in parse(svg).iter(f"{SVG}use"):
        style = use.get("style", "")
        if f"stroke: {colour}" in style:
            fill = re.search(r"fill: (#\w+)", style)
            assert fill is not None
            found.append((float(use.get("x", "nan")), float(use.get("y", "nan")), fill[1]))
    return found


@pytest.fixture
def run(tmp_path: Path) -> fake_run.FakeRun:
    facts = Facts(name="d", attributes={"a": "given"})
    return fake_run.FakeRun(facts, [fake_run.model("m")], rows=10, slices=("a",))


def test_marks_stand_at_their_estimates(run: fake_run.FakeRun, tmp_path: Path) -> None:
    values = [0.5, 0.31, 0.62, 0.77]
    run.estimate("m", "accuracy", values[0])
    for name, value in zip("pqr", values[1:], strict=True):
        run.estimate(
            "m", "accuracy", value, part=("a", name), status="insufficient" if name == "q" else "reportable"
        )
    run.estimate("m", "accuracy", 0.9, part=("a", "s"), status="suppressed")
    (figure,) = slice_forests(read_results(run.write(tmp_path / "run")), "d", "accuracy")
    drawn = marks(figure.svg)
    assert len(drawn) == len(values)
    slope, start = np.polyfit(values, [x for x, _, _ in drawn], 1)
    assert slope > 0
    np.testing.assert_allclose([x for x, _, _ in drawn], slope * np.array(values) + start, atol=1e-3)
    assert [fill for _, _, fill in drawn] == ["#0072b2", "#0072b2", "#ffffff", "#0072b2"]
    assert [y for _, y, _ in drawn] == sorted(y for _, y, _ in drawn)
    assert b">withheld<" in figure.svg


def test_an_undefined_severity_breaks_the_line(run: fake_run.FakeRun, tmp_path: Path) -> None:
    for severity, value in enumerate([0.8, 0.7, None, 0.5]):
        place = ("low_light", severity, "frame") if severity else fake_run.CLEAN
        run.estimate("m", "uar", value, place=place, half=None)
    (figure,) = severity_curves(read_results(run.write(tmp_path / "run")), "d", "uar")
    points = marks(figure.svg)
    assert len(points) == 3 + 1  # and the key
    lines = [p.get("d", "") for p in parse(figure.svg).iter(f"{SVG}path")]
    broken = [d for d in lines if d.count("M") == 2 and d.count("L") == 1]
    assert len(broken) == 1


def test_insufficient_severities_are_hollow(run: fake_run.FakeRun, tmp_path: Path) -> None:
    """Planted: 1 and 3 are insufficient. Their intervals are broken lines, those of the others are not."""
    for severity in range(4):
        place = ("low_light", severity, "frame") if severity else fake_run.CLEAN
        status = "insufficient" if severity % 2 else "reportable"
        run.estimate("m", "uar", 0.8 - severity / 10, place=place, status=status, half=0.05)
    (figure,) = severity_curves(read_results(run.write(tmp_path / "run")), "d", "uar")
    drawn = marks(figure.svg)
    fills = [fill for x, _, fill in drawn if x < max(x for x, _, _ in drawn)]  # the key stands to the right
    assert fills == ["#0072b2", "#ffffff", "#0072b2", "#ffffff"]
    upright = []
    for path in parse(figure.svg).iter(f"{SVG}path"):
        ends = [*map(float, re.findall(r"-?[\d.]+", path.get("d", "")))]
        if "stroke: #0072b2" in path.get("style", "") and len(ends) == 4 and ends[0] == ends[2]:
            upright.append((ends[0], "stroke-dasharray" in path.get("style", "")))
    assert [x for x, _ in upright] == sorted(x for x, _, _ in drawn)[:4]
    assert [broken for _, broken in upright] == [False, True, False, True]
    assert "Hollow marks are insufficient." in figure.caption
    assert "m from 0.800 at 0 to 0.500 at 3 (insufficient at 1, 3)" in figure.alt


def test_all_curves_of_a_data_set_share_their_limits(run: fake_run.FakeRun, tmp_path: Path) -> None:
    """The clean value stands at the same height in each, and a value stands higher the larger it is."""
    run.estimate("m", "uar", 0.8, half=0.1)
    for name, values in (("blur", (0.79, 0.78)), ("low_light", (0.5, 0.2))):
        for severity, value in enumerate(values, 1):
            run.estimate("m", "uar", value, place=(name, severity, "frame"), half=0.1)
    mild, harsh = severity_curves(read_results(run.write(tmp_path / "run")), "d", "uar")
    heights = {}
    for figure, values in ((mild, (0.8, 0.79, 0.78)), (harsh, (0.8, 0.5, 0.2))):
        drawn = [y for _, y, _ in marks(figure.svg)][:3]
        heights |= dict(zip(values, drawn, strict=True))
    assert marks(mild.svg)[0] == marks(harsh.svg)[0]
    values, drawn = list(heights), list(heights.values())
    slope, start = np.polyfit(values, drawn, 1)
    assert slope < 0  # y of an SVG points down
    np.testing.assert_allclose(drawn, slope * np.array(values) + start, atol=1e-3)


def test_many_slices_and_models_make_more_figures(tmp_path: Path) -> None:
    facts = Facts(name="d", attributes={"a": "given", "b": "given"})
    names = [f"m{i}" for i in range(6)]
    run = fake_run.FakeRun(facts, [fake_run.model(name) for name in names], rows=10, slices=("a", "b"))
    for name in names:
        run.estimate(name, "uar", 0.5)
        for part in [(a, str(i)) for a in "ab" for i in range(30)]:
            run.estimate(name, "uar", 0.4, part=part)
    figures = slice_forests(read_results(run.write(tmp_path / "run")), "d", "uar")
    assert len(figures) == 4
    assert sum(len(marks(figure.svg)) for figure in figures) == 6 * (1 + 30) * 2


def test_recall_is_none_without_classes(run: fake_run.FakeRun, tmp_path: Path) -> None:
    run.estimate("m", "uar", 0.5)
    assert recall_forest(read_results(run.write(tmp_path / "run")), "d") is None


def test_drawing_leaves_no_trace(hostile_run: Path) -> None:
    before = dict(matplotlib.rcParams)
    results = read_results(hostile_run)
    first = slice_forests(results, "data <b>&amp;", "uar")
    assert dict(matplotlib.rcParams) == before
    assert first == slice_forests(results, "data <b>&amp;", "uar")
    for figure in first:
        parse(figure.svg)
        assert b"<script" not in figure.svg
        assert b"&lt;script&gt;" in figure.svg


def test_a_long_name_is_wrapped_and_not_cut(tmp_path: Path) -> None:
    name = "planted_bias@tint=cool,loss=0.25"
    run = fake_run.FakeRun(
        Facts(name="d", attributes={"a": "given"}), [fake_run.model(name)], rows=9, slices=("a",)
    )
    for part in ((None, None), ("a", "x")):
        run.estimate(name, "uar", 0.5, part=part)
    run.estimate(name, "uar", 0.4, place=("low_light", 1, "frame"))
    results = read_results(run.write(tmp_path / "run"))
    for figure in (*slice_forests(results, "d", "uar"), *severity_curves(results, "d", "uar")):
        drawn = svg_text(parse(figure.svg))
        assert {"planted_bias@tint=cool,", "loss=0.25"} <= set(drawn)
