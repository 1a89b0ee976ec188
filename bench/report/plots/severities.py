"""A metric under conditions over all rows: along severities, or conditions of one severity in one figure.

What is insufficient is hollow with a broken line, as in every other figure.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas

from bench.report import format as fmt
from bench.report.conditions import families
from bench.report.drawing import COLOURS, Figure, as_svg, draw_key, styled
from bench.report.plots.forest import HOLLOW, Mark, chunks, draw_forest, draw_point, is_drawn, limits
from bench.report.plots.tables import TABLED
from bench.report.records import Place
from bench.report.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["condition_forests", "severity_curves", "short_words"]

_PITCH, _LONG_PITCH = 0.085, 0.13


def severity_curves(results: Results, dataset: str, metric: str, most: int | None = None) -> list[Figure]:
    """A metric along the severities of each perturbation, 0 being clean; a line per model (7 a figure).

    All of them have the same limits, so that a mild and a harsh perturbation look different; the first
    ``most`` of them, or all.
    """
    places = results.places(dataset)
    names = [model.name for model in results.models]
    cells = itertools.product(names, [dataset], places)
    ends = limits(results.find(cell, metric, (None, None)) for cell in cells)
    figures = []
    every = itertools.product(families(places), chunks(names, len(COLOURS)))
    for (name, where), part in itertools.islice(every, most):
        steps = [p for p in places if not p.severity or (p.condition, p.where) == (name, where)]
        title = f"{name.replace('_', ' ')}, on the {where}"
        rows = [[results.find((n, dataset, step), metric, (None, None)) for step in steps] for n in part]
        found = "; ".join(_course(n, steps, mine) for n, mine in zip(part, rows, strict=True))
        alt = f"{fmt.heading(metric)} on {dataset} along the severities of {title}. {found}. {TABLED}"
        lost = [str(step.severity) for step in steps if results.may_lose_label(step)]
        told = f" The label may be lost at severity {', '.join(lost)}." if lost else ""
        caption = f"{fmt.heading(metric)} along the severities of {title}; 0 is clean.{told} {HOLLOW}"
        svg = _curve(part, steps, rows, fmt.metric(metric), ends)
        figures.append(Figure(svg, fmt.plain(alt), caption))
    return figures


def condition_forests(results: Results, dataset: str, metric: str) -> list[Figure]:
    """Conditions of one severity each against a metric, a panel per model (4 a figure); the band is clean."""
    places = results.places(dataset)
    clean = results.reference(dataset)
    figures = []
    for names in chunks([model.name for model in results.models]):
        found = [[_over_all(results, (n, dataset, place), metric) for n in names] for place in places]
        marks = [Mark(short_words(p), tuple(rows)) for p, rows in zip(places, found, strict=True)]
        whole = [_over_all(results, (n, dataset, clean), metric) for n in names] if not clean.severity else []
        worst = "; ".join(f"{name}: {_lowest(marks, number)}" for number, name in enumerate(names))
        alt = f"{fmt.heading(metric)} on {dataset} under each condition. {fmt.short(worst, 600)}. {TABLED}"
        level = fmt.percent(results.suite.level)
        caption = f"{fmt.heading(metric)} under each condition with {level} intervals"
        caption += f". The line and band are clean media. {HOLLOW}" if whole else f". {HOLLOW}"
        svg = draw_forest(marks, names, fmt.metric(metric), whole)
        figures.append(Figure(svg, fmt.plain(alt), caption))
    return figures


def short_words(place: Place) -> str:
    """A condition in few words."""
    named = place.condition.replace("_", " ")
    return f"{named} {place.severity} ({place.where})" if place.severity else named


def _over_all(results: Results, cell: tuple[str, str, Place], metric: str) -> Row | None:
    return results.find(cell, metric, (None, None))


def _course(name: str, steps: Sequence[Place], rows: Sequence[Row | None]) -> str:
    """From where to where a line goes, in words."""
    pairs = zip(steps, rows, strict=True)
    known = [(step.severity, row) for step, row in pairs if row is not None and is_drawn(row)]
    if not known:
        return f"{name}: nothing is drawn"
    (first, start), (last, end) = known[0], known[-1]
    few = [str(step) for step, row in known if row["status"] == "insufficient"]
    hollow = f" (insufficient at {', '.join(few)})" if few else ""
    values = [fmt.number(row["estimate"]) for row in (start, end)]
    return f"{name} from {values[0]} at {first} to {values[1]} at {last}{hollow}"


def _lowest(marks: Sequence[Mark], number: int) -> str:
    known = [(mark.name, mark.rows[number]) for mark in marks]
    drawn = [(name, row) for name, row in known if row is not None and is_drawn(row)]
    if not drawn:
        return "nothing is drawn"
    ends = [end(drawn, key=lambda each: float(each[1]["estimate"])) for end in (min, max)]
    return " to ".join(f"{fmt.number(row['estimate'])} ({name})" for name, row in ends)


def _curve(
    names: Sequence[str], steps: Sequence[Place], rows: Sequence[Sequence[Row | None]], label: str,
    ends: tuple[float, float],
) -> bytes:  # fmt: skip
    keys = [fmt.wrapped(name, 26) for name in names]
    pitch = _LONG_PITCH if any("\n" in key for key in keys) else _PITCH
    with styled():
        canvas = Canvas(figsize=(5.8, 3.1))
        axes = canvas.add_axes((0.1, 0.15, 0.52, 0.8))
        for number, mine in enumerate(rows):
            # Side by side, so that intervals of models do not hide each other.
            shift = 0.09 * (number - (len(names) - 1) / 2)
            _line(axes, [step.severity + shift for step in steps], mine, number)
            draw_key(axes, keys[number], 0.96 - pitch * number, number)
        axes.set_xticks(sorted({step.severity for step in steps}))
        axes.set_xlabel("severity (0 is clean)")
        axes.set_ylabel(label)
        axes.set_ylim(*ends)
        return as_svg(canvas)


def _line(axes: Axes, at: Sequence[float], rows: Sequence[Row | None], number: int) -> None:
    """One model along the severities; an estimate that is not there breaks the line."""
    colour = COLOURS[number]
    drawn = [row if row is not None and is_drawn(row) else None for row in rows]
    axes.plot(at, [math.nan if row is None else row["estimate"] for row in drawn], color=colour)
    for x, row in zip(at, drawn, strict=True):
        if row is not None:
            draw_point(axes, x, row, number, upright=True)
