"""Slices as forest plots: a metric of every value with interval, n and clusters, beside all rows."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import format as fmt
from bench.report.drawing import Figure
from bench.report.entries import state_of
from bench.report.parts import Part
from bench.report.plots.forest import Mark, chunks, draw_forest, split
from bench.report.plots.tables import TABLED, Find, estimates_of, models_table
from bench.report.records import Dataset
from bench.report.results import Results, Row
from bench.report.selection import slicing_metric

__all__ = ["groups_parts", "slice_forests", "slice_marks"]

_MARKS = (
    "Filled marks are reportable slices, hollow ones are insufficient: their value is shown, and they are "
    "left out where slices are compared. Withheld slices are named and have no mark."
)


def groups_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """The slices of a data set by the metric that leads, four models at a time, with their numbers."""
    metric = slicing_metric(results, data)
    if metric is None or not results.slices(data.name):
        return ()
    parts: list[Part] = []
    for names in chunks([model.name for model in results.models]):
        first = not parts
        drawn = tuple(_forests(results, data.name, metric, names))
        caption = f"{fmt.heading(metric)} of every slice of {data.name}, estimate and interval"
        table = models_table(results, data.name, names, estimates_of(results, data.name, metric), caption)
        title = "Slices" if first else f"Slices of {', '.join(names)}"
        parts.append(Part(title, (_MARKS,) if first else (), drawn, (table,)))
    return tuple(parts)


def slice_forests(results: Results, dataset: str, metric: str) -> list[Figure]:
    """Slices against a metric, one panel per model; more than 4 models or 40 slices make more figures."""
    chunked = chunks([model.name for model in results.models])
    return [figure for names in chunked for figure in _forests(results, dataset, metric, names)]


def slice_marks(results: Results, dataset: str, names: Sequence[str], find: Find) -> list[list[Mark]]:
    """A block of rows per slice, its name and then its values, an estimate per model."""
    blocks = []
    for name, values in results.slices(dataset):
        found = (tuple(find(model, (name, value)) for model in names) for value in values)
        blocks.append([Mark(name), *(Mark(v, rows) for v, rows in zip(values, found, strict=True))])
    return blocks


def _forests(results: Results, dataset: str, metric: str, names: Sequence[str]) -> list[Figure]:
    find = estimates_of(results, dataset, metric)
    whole = tuple(find(model, (None, None)) for model in names)
    figures = []
    for marks in split(slice_marks(results, dataset, names, find)):
        svg = draw_forest([Mark("all rows", whole), *marks], names, fmt.metric(metric), whole)
        found = "; ".join(f"{n}: {_extremes(marks, i)}" for i, n in enumerate(names))
        alt = f"Forest plot of {fmt.metric(metric)} by slice on {dataset}. {fmt.short(found, 600)}. {TABLED}"
        caption = (
            f"{fmt.heading(metric)} by slice with {fmt.percent(results.suite.level)} intervals. "
            "The line and band are all rows; hollow marks are insufficient slices."
        )
        figures.append(Figure(svg, fmt.plain(alt), caption))
    return figures


def _extremes(marks: Sequence[Mark], number: int) -> str:
    """The smallest and the largest reportable value of a panel, in words."""
    found: list[tuple[str, Row]] = []
    attribute = ""
    for mark in marks:
        attribute = attribute if mark.rows else mark.name
        row = mark.rows[number] if mark.rows else None
        if row is not None and state_of(row) == "reportable":
            found.append((f"{attribute} {mark.name}", row))
    if not found:
        return "no slice is reportable"
    ends = [end(found, key=lambda each: float(each[1]["estimate"])) for end in (min, max)]
    low, high = (f"{fmt.number(row['estimate'])} ({name})" for name, row in ends)
    return f"reportable slices from {low} to {high}"
