"""A metric under conditions by group: which values of an attribute lose more than others.

Severity curves, a panel per perturbation; where every condition has one severity, the values stand below
one another under each condition. Where there are more than can be shown, the conditions that take most come
first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report import format as fmt
from bench.report.conditions import families, one_severity_each
from bench.report.drawing import COLOURS, Figure
from bench.report.entries import shown
from bench.report.parts import Part
from bench.report.plots.forest import (
    HOLLOW,
    Mark,
    Scale,
    chunks,
    draw_point,
    draw_rows,
    is_drawn,
    limits,
    split,
)
from bench.report.plots.multiples import Lines, draw_multiples
from bench.report.plots.severities import short_words
from bench.report.plots.tables import TABLED, left_out
from bench.report.records import Dataset, Place
from bench.report.results import Results
from bench.report.table import Group, Line, Table, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_FIGURES", "MOST_PANELS", "by_group_parts"]

MOST_PANELS, MOST_FIGURES = 48, 24
"""So many small curves, in so many figures, are drawn of a data set."""
_TOLD = (
    "A line per value of an attribute, clean at 0; bands are intervals, each its own, hollow marks are "
    "insufficient. Bands that overlap are no test: differences of degradation stand under Robustness."
)
_TOLD_FLAT = (
    "The values of an attribute under each condition; intervals are each its own, hollow marks are "
    "insufficient. Intervals that overlap are no test: differences of degradation stand under Robustness."
)

Panel = tuple[str, Sequence[Place]]


def by_group_parts(results: Results, data: Dataset, metric: str) -> tuple[Part, ...]:
    """A part per model and attribute, as far as anything was both cut and perturbed."""
    places = results.places(data.name)
    every = [lines for lines in _all_lines(results, data, metric) if any(map(is_drawn, lines.all_rows))]
    if not every or len(places) < 2:
        return ()
    flat, count = one_severity_each(places), len(families(places))
    kept = every[:MOST_FIGURES]
    most = max(1, MOST_PANELS // len(kept))
    ends = limits(row for lines in every for row in lines.all_rows)
    parts: list[Part] = []
    for lines in kept:
        chosen = families(places) if flat else _worst_first(results, data, lines.model, metric)[:most]
        panels = [_panel(lines, family) for family in chosen]
        figures = _below(results, lines, metric) if flat else [_along(results, lines, panels, metric, ends)]
        text = () if parts else (_TOLD_FLAT if flat else _TOLD, *_untold(len(kept), len(every)))
        told = () if flat or most >= count else (_worst(most, count),)
        title = f"{lines.model} by {lines.attribute} under conditions"
        parts.append(Part(title, (*text, *told), tuple(figures), (_table(lines, chosen, metric, data),)))
    return tuple(parts)


def _all_lines(results: Results, data: Dataset, metric: str) -> list[Lines]:
    return [
        Lines(model.name, name, tuple(part), {
            place: tuple(results.find((model.name, data.name, place), metric, (name, v)) for v in part)
            for place in results.places(data.name)
        })
        for model in results.models
        for name, values in results.slices(data.name)
        for part in chunks(values, len(COLOURS))
    ]  # fmt: skip


def _worst_first(results: Results, data: Dataset, model: str, metric: str) -> list[tuple[str, str]]:
    """The perturbations, those that take most of a model on average over severities first."""
    lost = {
        (row["condition"], row["where"] or ""): row["estimate"]
        for row in results.of_kind("degradation", data.name, model, metric)
        if row["slice"] is None and row["severity"] is None and row["estimate"] is not None
    }
    found = families(results.places(data.name))
    return sorted(found, key=lambda family: -lost.get(family, -math.inf))


def _untold(drawn: int, found: int) -> tuple[str, ...]:
    return left_out(drawn, found, "attributes of models", "estimates.parquet")


def _worst(most: int, count: int) -> str:
    return (
        f"Shown are the {most} of {count} perturbations that take most on average over severities; "
        "estimates.parquet holds the others."
    )


def _panel(lines: Lines, family: tuple[str, str]) -> Panel:
    name, where = family
    steps = [place for place in lines.rows if not place.severity or (place.condition, place.where) == family]
    return f"{name.replace('_', ' ')} ({where})", steps


def _along(
    results: Results, lines: Lines, panels: Sequence[Panel], metric: str, ends: tuple[float, float]
) -> Figure:
    """The curves of one model and attribute."""
    svg = draw_multiples(lines, panels, fmt.metric(metric), ends)
    told = "; ".join(_said(lines, title, steps[-1]) for title, steps in panels)
    return _figure(results, lines, svg, f"{fmt.heading(metric)} along severities", told)


def _below(results: Results, lines: Lines, metric: str) -> list[Figure]:
    """Conditions of one severity each, the values below one another."""
    blocks = []
    for place, rows in lines.rows.items():
        mine = zip(lines.values, rows, strict=True)
        blocks.append([Mark(short_words(place)), *(Mark(value, (row,)) for value, row in mine)])
    told = "; ".join(_said(lines, short_words(place), place) for place in lines.rows)
    scale = Scale(fmt.metric(metric), *limits(lines.all_rows))
    return [
        _figure(results, lines, _draw(lines, marks, scale), f"{fmt.heading(metric)} under conditions", told)
        for marks in split(blocks)
    ]


def _draw(lines: Lines, marks: Sequence[Mark], scale: Scale) -> bytes:
    def paint(axes: Axes, number: int, position: int) -> None:
        mark = marks[position]
        draw_point(axes, position, mark.rows[number], lines.values.index(mark.name))

    return draw_rows(marks, [lines.model], scale, paint)


def _figure(results: Results, lines: Lines, svg: bytes, what: str, told: str) -> Figure:
    named = f"{what} of {lines.model} by {lines.attribute}"
    caption = f"{named}, with {fmt.percent(results.suite.level)} intervals. {HOLLOW}"
    return Figure(svg, fmt.plain(f"{named}. {fmt.short(told, 600)}. {TABLED}"), fmt.plain(caption))


def _said(lines: Lines, title: str, place: Place) -> str:
    """The lowest and the highest reportable value under a condition, in words."""
    rows = zip(lines.values, lines.rows[place], strict=True)
    known = [(value, row) for value, row in rows if row is not None and is_drawn(row)]
    sorted_ = sorted((float(r["estimate"]), value) for value, r in known if r["status"] == "reportable")
    at = f"{title} at severity {place.severity}" if place.severity else title
    if not sorted_:
        return f"{at}: nothing is reportable"
    return f"{at}: " + " to ".join(f"{fmt.number(x)} ({value})" for x, value in (sorted_[0], sorted_[-1]))


def _table(lines: Lines, chosen: Sequence[tuple[str, str]], metric: str, data: Dataset) -> Table:
    """The numbers of a figure: a line per condition and severity, a column per value."""
    places = [place for place in lines.rows if not place.severity or (place.condition, place.where) in chosen]
    made = tuple(Line(words(place), tuple(map(shown, lines.rows[place]))) for place in places)
    caption = f"{fmt.heading(metric)} of {lines.model} on {data.name} by {lines.attribute} under conditions"
    return Table(caption, ("Condition", *lines.values), (Group(made),))
