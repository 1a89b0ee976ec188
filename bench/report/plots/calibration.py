"""Calibration: reliability and risk-coverage diagrams with the tables of their numbers.

Drawn where ECE or AURC was asked for, under the condition whose slices are shown: of all rows per model, and
of the values of each slice. A withheld point breaks the line and reads "withheld" in the table; a value of
which nothing is drawn is named with its reason. Nothing is computed but the nearest point of a coverage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from bench.report import format as fmt
from bench.report.drawing import COLOURS, GREY, MARKERS, SOFT, Figure, as_svg, draw_key, styled
from bench.report.entries import Entry, shown, state_of
from bench.report.parts import Part
from bench.report.records import Dataset
from bench.report.results import Results, Row
from bench.report.table import Group, Line, Table
from bench.tables.curves import RELIABILITY, RISK_COVERAGE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CURVES", "Panel", "calibration_parts", "draw", "panels", "tables"]

CURVES = (
    "Reliability: the rows of each bin of confidence, the largest probability, against how many of them are "
    "right; on the dashed line a model is right as often as it says. Hollow marks are bins of few rows. ECE "
    "is the mean distance from that line, weighted by rows.",
    "Risk and coverage: the error rate of the rows kept if only the most confident are. AURC is its mean "
    "over all coverages. Coverage here is a share of the rows with probabilities: rows that a model misses "
    "are in neither diagram.",
)
_METRIC = {RELIABILITY: "ece", RISK_COVERAGE: "aurc"}
_AXES = {
    RELIABILITY: ("mean confidence", "accuracy"),
    RISK_COVERAGE: ("coverage", "risk (error rate)"),
}
_MOST, _TENTHS, _MANY = len(COLOURS), 10, 20
_PANEL, _LEFT, _BELOW, _KEY = 2.9, 0.72, 0.45, 2.6  # inches


@dataclass(frozen=True)
class Panel:
    """Curves that stand in one figure: those of one model, or of the values of one slice of it.

    ``names`` of the lines; per curve the ``points`` of each line and its estimate in ``rows``; ``left_out``
    says of which values nothing is drawn, and why.
    """

    title: str
    names: tuple[str, ...]
    points: dict[str, tuple[list[Row], ...]]
    rows: dict[str, tuple[Row | None, ...]]
    left_out: tuple[str, ...] = ()


def calibration_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """The curves of all rows of every model, then of the values of the slices of each, with their tables."""
    names = [model.name for model in results.models]
    whole = {name: panels(results, data.name, name, None) for name in names}
    shown = [panel for found in whole.values() for panel in found]
    if not shown:
        return ()
    drawn = tuple(draw(panel, results, data.name, name) for name, found in whole.items() for panel in found)
    told = tables(shown, f" on {data.name}, over all rows")
    parts = [Part("Calibration and selective prediction", CURVES, drawn, told)]
    for name in names:
        cut = [(s, panels(results, data.name, name, s)) for s, _ in results.slices(data.name)]
        drawn = tuple(draw(panel, results, data.name, name) for _, found in cut for panel in found)
        told = tuple(t for s, found in cut for t in tables(found, f" of {name} by {s}"))
        if drawn:
            parts.append(Part(f"Calibration and selective prediction of {name} by slice", (), drawn, told))
    return tuple(parts)


def panels(results: Results, dataset: str, model: str, slice_: str | None) -> list[Panel]:
    """The panels of a model: of all rows, or of a slice, at most 7 values each; none without points."""
    cell = (model, dataset, results.reference(dataset))
    values = dict(results.slices(dataset)).get(slice_, []) if slice_ else [None]
    curves = [c for c in _METRIC if any(results.points(cell, (slice_, value), c) for value in values)]
    there = [v for v in values if any(results.points(cell, (slice_, v), curve) for curve in curves)]
    estimates = {c: {v: results.find(cell, _METRIC[c], (slice_, v)) for v in values} for c in curves}
    absent = [
        f"{value} ({_reason([estimates[curve][value] for curve in curves])})"
        for value in values if value is not None and value not in there
    ]  # fmt: skip
    found = []
    for start in range(0, len(there), _MOST):
        mine = there[start : start + _MOST]
        points = {c: tuple(results.points(cell, (slice_, value), c) for value in mine) for c in curves}
        rows = {curve: tuple(estimates[curve][value] for value in mine) for curve in curves}
        names = tuple(value or model for value in mine)
        found.append(Panel(slice_ or "all rows", names, points, rows, tuple(absent)))
    return found


def draw(panel: Panel, results: Results, dataset: str, model: str) -> Figure:
    """A panel as a figure: reliability over rows per bin, and risk against coverage, as far as asked for."""
    curves = list(panel.points)
    count, keyed = len(curves), len(panel.names) > 1
    width, height = (_PANEL + _LEFT) * count + (_KEY if keyed else 0.2), 3.7
    with styled():
        canvas = Canvas(figsize=(width, height))
        for number, curve in enumerate(curves):
            left, wide = (number * (_PANEL + _LEFT) + _LEFT) / width, _PANEL / width
            bars = 0.75 / height if curve == RELIABILITY else 0.0
            low = _BELOW / height + (bars + 0.09 if bars else 0)
            axes = canvas.add_axes((left, low, wide, 1 - 0.3 / height - low))
            axes.set_title(_named(panel, curve))
            _curve(axes, panel, curve, results.suite.slice_rule.rows_in_class)
            if bars:
                axes.set_xticklabels([])
                _bars(canvas.add_axes((left, _BELOW / height, wide, bars)), panel)
        for number, name in enumerate(panel.names if keyed else ()):
            draw_key(axes, fmt.wrapped(name, 22), 0.96 - 0.11 * number, number)
        drawn = as_svg(canvas)
    kinds = " and ".join("reliability" if c == RELIABILITY else "risk against coverage" for c in curves)
    alt = f"{kinds.capitalize()} of {model} on {dataset}, {panel.title}. The tables below hold its numbers."
    lines = f"by {panel.title}" if keyed or panel.title != "all rows" else "over all rows"
    few = results.suite.slice_rule.rows_in_class
    caption = f"{fmt.short(model, 60)} {lines}: {kinds}." + (
        f" Hollow marks are bins of fewer than {fmt.counted(few, 'row')}." if RELIABILITY in curves else ""
    )
    missing = f" Not drawn: {'; '.join(panel.left_out)}." if panel.left_out else ""
    return Figure(drawn, fmt.plain(alt), fmt.plain(caption + missing))


def tables(panels_: Sequence[Panel], caption: str) -> tuple[Table, ...]:
    """The numbers of panels side by side: accuracy of each bin, and the risk at each tenth of coverage."""
    made = []
    for curve, head, lines in (
        (RELIABILITY, "Accuracy by confidence", _by_bin),
        (RISK_COVERAGE, "Risk by coverage", _by_coverage),
    ):
        names = [name for p in panels_ if curve in p.points for name in p.names]
        points = [line for p in panels_ for line in p.points.get(curve, ())]
        rows = [row for p in panels_ for row in p.rows.get(curve, ())]
        if names:
            last = Line(fmt.heading(_METRIC[curve]), tuple(shown(row) for row in rows))
            columns = ("Confidence" if curve == RELIABILITY else "Coverage, at least", *names)
            made.append(Table(f"{head}{caption}", columns, (Group((*lines(points), last)),)))
    return tuple(made)


def _named(panel: Panel, curve: str) -> str:
    """The title of a panel, with the number that sums it up where it is of one line."""
    title = {RELIABILITY: "reliability", RISK_COVERAGE: "risk and coverage"}[curve]
    row = panel.rows[curve][0]
    if len(panel.names) > 1 or row is None or row["estimate"] is None:
        return title
    return f"{title}, {fmt.metric(_METRIC[curve])} {fmt.number(row['estimate'])}"


def _curve(axes: Axes, panel: Panel, curve: str, few: int) -> None:
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_ylabel(_AXES[curve][1])
    if curve == RELIABILITY:
        axes.set_ylim(0, 1)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    else:
        axes.set_xlabel(_AXES[curve][0])
    for number, points in enumerate(panel.points[curve]):
        x, y = ([math.nan if p[name] is None else p[name] for p in points if p["n"] != 0] for name in "xy")
        colour, marker = COLOURS[number], MARKERS[number]
        if curve == RISK_COVERAGE:
            # Marks a tenth of the diagonal apart tell lines apart; a step without a neighbour must show, too.
            marks = 0.1 if len(x) > _MANY else None
            axes.plot(x, y, color=colour, marker=marker, markevery=marks, markersize=4, clip_on=False)
            continue
        axes.plot(x, y, color=colour, linewidth=1)
        for p in points:
            if p["n"]:
                face = colour if p["n"] >= few else "white"
                (mark,) = axes.plot([p["x"]], [p["y"]], color=colour, marker=marker, markerfacecolor=face)
                mark.set_clip_on(False)
    if curve == RISK_COVERAGE:
        axes.set_ylim(0, max(axes.get_ylim()[1], 0.05))


def _bars(axes: Axes, panel: Panel) -> None:
    """Rows per bin of confidence; of several lines outlines, of one filled."""
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    axes.set_xlabel("confidence")
    axes.set_ylabel("rows", color=SOFT)
    for number, points in enumerate(panel.points[RELIABILITY]):
        edges = [points[0]["low"], *(p["high"] for p in points)]
        rows = [math.nan if p["n"] is None else p["n"] for p in points]
        alone = len(panel.names) == 1
        axes.stairs(rows, edges, color=COLOURS[number], fill=alone, alpha=0.45 if alone else 1.0)
    axes.set_ylim(0, None)


def _by_bin(lines: Sequence[Sequence[Row]]) -> Iterator[Line]:
    """A line per bin in which any has a row, or withholds one."""
    for bins in zip(*lines, strict=True):
        if any(point["n"] != 0 for point in bins):
            edges = f"({fmt.number(bins[0]['low'], 2)}, {fmt.number(bins[0]['high'], 2)}]"
            yield Line(edges, tuple(_in_bin(point) for point in bins))


def _in_bin(point: Row) -> Entry:
    if point["status"] == "suppressed":
        return Entry(fmt.WITHHELD, "suppressed")
    if not point["n"]:
        return Entry(fmt.DASH)
    return Entry(f"{fmt.number(point['y'])} (n {fmt.count(point['n'])})")


def _by_coverage(lines: Sequence[Sequence[Row]]) -> Iterator[Line]:
    for tenth in range(1, _TENTHS + 1):
        entries = tuple(_kept(points, tenth / _TENTHS) for points in lines)
        yield Line(fmt.percent(tenth / _TENTHS), entries)


def _kept(points: Sequence[Row], coverage: float) -> Entry:
    """The risk at the first shown point of at least this coverage, beside the coverage it has."""
    point = next((p for p in points if p["x"] is not None and p["x"] >= coverage - 1e-9), None)
    if point is None:
        return Entry(fmt.WITHHELD, "suppressed") if points else Entry(fmt.DASH)
    return Entry(f"{fmt.number(point['y'])} (at {fmt.number(100 * point['x'], 1)} %)")


def _reason(rows: Sequence[Row | None]) -> str:
    """Why a value has no curve."""
    states = [state_of(row) for row in rows]
    return fmt.WITHHELD if "suppressed" in states else next(iter(states), "absent")
