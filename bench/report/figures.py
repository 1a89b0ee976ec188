"""Figures of a report as SVG: slices with their intervals, and metrics along severities.

Drawn with matplotlib's objects and no pyplot, from estimates alone; the same estimates give the same bytes.
Colours are of Okabe and Ito (2008) and never carry meaning alone: models differ in marker too, insufficient
slices are hollow. A suppressed slice is named and has no mark. Text stays text, never mathematics.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from bench.report import format as fmt
from bench.report.drawing import COLOURS, GREY, MARKERS, SOFT, Figure, as_svg, draw_key, styled
from bench.report.entries import state_of
from bench.report.records import Place
from bench.report.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Figure", "condition_forests", "one_severity_each", "recall_forest", "severity_curves", "slice_forests",
]  # fmt: skip

_BLUE = COLOURS[0]
_PANELS, _ROWS = 4, 40
_NUMBERS = "The tables below hold its numbers."
_ROW_INCHES, _PANEL_INCHES, _LEFT_INCHES, _GAP_INCHES = 0.235, 2.5, 3.1, 0.3


@dataclass(frozen=True)
class _Mark:
    """One row of a forest plot: its name and one estimate per panel; a title has no estimates."""

    name: str
    rows: tuple[Row | None, ...] = ()

    @property
    def counts(self) -> str:
        """Its rows and clusters, empty where they are withheld."""
        known = [row for row in self.rows if row is not None]
        if not known or any(row["status"] == "suppressed" for row in known):
            return ""
        return " / ".join(fmt.spanned(row[name] for row in known) for name in ("n", "clusters"))


def slice_forests(results: Results, dataset: str, metric: str) -> list[Figure]:
    """Slices against a metric, one panel per model; more than 4 models or 40 slices make more figures."""
    figures = []
    for start in range(0, len(results.models), _PANELS):
        names = [model.name for model in results.models[start : start + _PANELS]]
        cells = [(name, dataset, results.reference(dataset)) for name in names]
        whole = tuple(results.find(cell, metric, (None, None)) for cell in cells)
        for marks in _split(_slice_marks(results, dataset, metric, cells)):
            svg = _forest([_Mark("all rows", whole), *marks], names, metric, whole)
            who = fmt.short(", ".join(names), 200)
            alt = f"Forest plot of {fmt.metric(metric)} by slice on {dataset} for {who}. {_NUMBERS}"
            caption = (
                f"{fmt.heading(metric)} by slice with {fmt.percent(results.suite.level)} intervals. "
                "The line and band are all rows; hollow marks are insufficient slices."
            )
            figures.append(Figure(svg, fmt.plain(alt), caption))
    return figures


def recall_forest(results: Results, dataset: str) -> Figure | None:
    """Recall of each class, one panel per model (the first 4); None where no class was measured."""
    metrics = [name for name in results.metrics(dataset) if name.startswith("recall/")]
    names = [model.name for model in results.models[:_PANELS]]
    if not metrics:
        return None
    cells = [(name, dataset, results.reference(dataset)) for name in names]
    marks = []
    for metric in metrics:
        rows = tuple(results.find(cell, metric, (None, None)) for cell in cells)
        marks.append(_Mark(metric.removeprefix("recall/"), rows))
    alt = f"Recall of each class on {dataset} for {fmt.short(', '.join(names), 200)}. {_NUMBERS}"
    caption = f"Recall of each class with {fmt.percent(results.suite.level)} intervals, over all rows."
    return Figure(_forest(marks, names, "recall", ()), fmt.plain(alt), caption)


def severity_curves(results: Results, dataset: str, metric: str) -> list[Figure]:
    """A metric along the severities of each perturbation, 0 being clean; a line per model (7 a figure).

    All of them have the same limits, so that a mild and a harsh perturbation look different.
    """
    places = results.places(dataset)
    families = list(dict.fromkeys((p.condition, p.where) for p in places if p.severity))
    names = [model.name for model in results.models]
    parts = [names[start : start + len(COLOURS)] for start in range(0, len(names), len(COLOURS))]
    cells = itertools.product(names, [dataset], places)
    limits = _limits([results.find(cell, metric, (None, None)) for cell in cells])
    figures = []
    for (name, where), part in itertools.product(families, parts):
        steps = [p for p in places if not p.severity or (p.condition, p.where) == (name, where)]
        title = f"{name.replace('_', ' ')}, on the {where}"
        alt = f"{fmt.heading(metric)} on {dataset} along the severities of {title}. {_NUMBERS}"
        caption = f"{fmt.heading(metric)} along the severities of {title}; 0 is clean."
        svg = _curve(results, dataset, metric, steps, part, limits)
        figures.append(Figure(svg, fmt.plain(alt), caption))
    return figures


def one_severity_each(places: Sequence[Place]) -> bool:
    """Whether every condition has one severity, so that there is no curve to draw."""
    perturbed = [(place.condition, place.where) for place in places if place.severity]
    return len(perturbed) == len(set(perturbed))


def condition_forests(results: Results, dataset: str, metric: str) -> list[Figure]:
    """Conditions of one severity each against a metric, a panel per model (4 a figure); the band is clean."""
    places = results.places(dataset)
    clean = results.reference(dataset)
    figures = []
    for start in range(0, len(results.models), _PANELS):
        names = [model.name for model in results.models[start : start + _PANELS]]
        marks = [
            _Mark(_condition(place), tuple(_over_all(results, (n, dataset, place), metric) for n in names))
            for place in places
        ]
        whole = [_over_all(results, (n, dataset, clean), metric) for n in names] if not clean.severity else []
        who = fmt.short(", ".join(names), 200)
        alt = f"{fmt.heading(metric)} on {dataset} under each condition for {who}. {_NUMBERS}"
        caption = (
            f"{fmt.heading(metric)} under each condition with {fmt.percent(results.suite.level)} intervals"
        )
        caption += ". The line and band are clean media." if whole else "."
        figures.append(Figure(_forest(marks, names, metric, whole), fmt.plain(alt), caption))
    return figures


def _over_all(results: Results, cell: tuple[str, str, Place], metric: str) -> Row | None:
    return results.find(cell, metric, (None, None))


def _condition(place: Place) -> str:
    """A condition in few words."""
    named = place.condition.replace("_", " ")
    return f"{named} {place.severity} ({place.where})" if place.severity else named


def _slice_marks(
    results: Results, dataset: str, metric: str, cells: Sequence[tuple[str, str, Place]]
) -> list[list[_Mark]]:
    blocks = []
    for name, values in results.slices(dataset):
        marks = [_Mark(name)]
        for value in values:
            rows = tuple(results.find(cell, metric, (name, value)) for cell in cells)
            marks.append(_Mark(value, rows))
        blocks.append(marks)
    return blocks


def _split(blocks: list[list[_Mark]]) -> Iterator[list[_Mark]]:
    """Marks in figures of about 40 rows, never cutting an attribute."""
    page: list[_Mark] = []
    for block in blocks:
        if page and len(page) + len(block) > _ROWS:
            yield page
            page = []
        page = page + block
    if page:
        yield page


def _forest(marks: Sequence[_Mark], names: Sequence[str], metric: str, whole: Sequence[Row | None]) -> bytes:
    titles = [fmt.wrapped(name, 30) for name in names]
    left, top, bottom = _LEFT_INCHES, 0.42 + 0.16 * any("\n" in title for title in titles), 0.5
    width, height = left + _PANEL_INCHES * len(names) + 0.15, top + bottom + _ROW_INCHES * len(marks)
    with styled():
        canvas = Canvas(figsize=(width, height))
        for number, title in enumerate(titles):
            box = (
                (left + _PANEL_INCHES * number) / width, bottom / height,
                (_PANEL_INCHES - _GAP_INCHES) / width, 1 - (top + bottom) / height,
            )  # fmt: skip
            axes = canvas.add_axes(box)
            axes.set_title(title)
            if number == 0:
                axes.text(
                    -0.04, -1, "n / clusters", transform=axes.get_yaxis_transform(), ha="right", color=SOFT
                )
            axes.set_xlabel(fmt.metric(metric))
            axes.set_ylim(len(marks) - 0.4, -0.6)
            axes.set_xlim(*_limits([row for mark in marks for row in mark.rows]))
            axes.xaxis.set_major_locator(MaxNLocator(5, prune="both"))
            axes.set_yticks([])
            axes.grid(visible=False, axis="y")
            _band(axes, whole[number] if whole else None)
            for position, mark in enumerate(marks):
                if mark.rows:
                    _point(axes, position, mark.rows[number])
                if number == 0:
                    _name(axes, position, mark)
        return as_svg(canvas)


def _limits(rows: Sequence[Row | None]) -> tuple[float, float]:
    """Limits that hold every interval shown, on tenths, within [-1, 1] where the values are."""
    found = [
        row[name] for row in rows if state_of(row) in ("reportable", "insufficient")
        for name in ("estimate", "low", "high") if row is not None and row[name] is not None
    ]  # fmt: skip
    if not found:
        return 0.0, 1.0
    low, high = math.floor(10 * min(found) - 0.2) / 10, math.ceil(10 * max(found) + 0.2) / 10
    return (max(low, -0.02) if min(found) >= 0 else low), (min(high, 1.02) if max(found) <= 1 else high)


def _band(axes: Axes, row: Row | None) -> None:
    if row is None or state_of(row) not in ("reportable", "insufficient"):
        return
    if row["low"] is not None:
        axes.axvspan(row["low"], row["high"], color="#dbe7f0", linewidth=0, zorder=0.5)
    axes.axvline(row["estimate"], color=GREY, linewidth=1, zorder=0.6)


def _point(axes: Axes, position: int, row: Row | None) -> None:
    state = state_of(row)
    if row is None or state not in ("reportable", "insufficient"):
        text = {"suppressed": fmt.WITHHELD, "absent": "not measured", "unavailable": state}.get(
            state, fmt.UNDEFINED
        )
        axes.text(
            0.02,
            position,
            text,
            transform=axes.get_yaxis_transform(),
            va="center",
            color=SOFT,
            style="italic",
        )
        return
    if row["low"] is not None:
        style = "-" if state == "reportable" else (0, (2, 1.5))
        axes.plot(
            [row["low"], row["high"]], [position] * 2, color=_BLUE, linestyle=style, solid_capstyle="butt"
        )
    face = _BLUE if state == "reportable" else "white"
    axes.plot([row["estimate"]], [position], marker="o", color=_BLUE, markerfacecolor=face, linestyle="none")


def _name(axes: Axes, position: float, mark: _Mark) -> None:
    """The name of a row at the left edge of the figure, its n and clusters beside the first panel."""
    transform = axes.get_yaxis_transform()
    edge = -(_LEFT_INCHES - 0.1) / (_PANEL_INCHES - _GAP_INCHES)
    indent, weight = (0.06, "normal") if mark.rows else (0.0, "bold")
    axes.text(
        edge + indent, position, fmt.short(mark.name, 28), transform=transform, va="center", weight=weight
    )
    axes.text(-0.04, position, mark.counts, transform=transform, ha="right", va="center", color=SOFT)


def _curve(
    results: Results, dataset: str, metric: str, steps: Sequence[Place], names: Sequence[str],
    limits: tuple[float, float],
) -> bytes:  # fmt: skip
    keys = [fmt.wrapped(name, 26) for name in names]
    pitch = 0.13 if any("\n" in key for key in keys) else 0.085
    with styled():
        canvas = Canvas(figsize=(5.8, 3.1))
        axes = canvas.add_axes((0.1, 0.15, 0.52, 0.8))
        for number, name in enumerate(names):
            rows = [results.find((name, dataset, step), metric, (None, None)) for step in steps]
            # Side by side, so that intervals of models do not hide each other.
            shift = 0.09 * (number - (len(names) - 1) / 2)
            _line(axes, [step.severity + shift for step in steps], rows, number)
            draw_key(axes, keys[number], 0.96 - pitch * number, number)
        axes.set_xticks(sorted({step.severity for step in steps}))
        axes.set_xlabel("severity (0 is clean)")
        axes.set_ylabel(fmt.metric(metric))
        axes.set_ylim(*limits)
        return as_svg(canvas)


def _line(axes: Axes, at: Sequence[float], rows: Sequence[Row | None], number: int) -> None:
    """One model along the severities; an estimate that is not there breaks the line."""
    colour, marker = COLOURS[number], MARKERS[number]
    values = []
    for x, row in zip(at, rows, strict=True):
        known = row is not None and state_of(row) in ("reportable", "insufficient")
        values.append(row["estimate"] if row is not None and known else math.nan)
        if row is not None and known and row["low"] is not None:
            axes.plot([x, x], [row["low"], row["high"]], color=colour, linewidth=1)
    axes.plot(at, values, color=colour, marker=marker)
