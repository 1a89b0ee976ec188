"""Coverage by group: the share of rows with an answer, since whom a model misses it does not serve."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from bench.report import format as fmt
from bench.report.drawing import Figure
from bench.report.parts import Part
from bench.report.plots.forest import Mark, chunks, draw_forest, is_drawn, split
from bench.report.plots.groups import slice_marks
from bench.report.plots.tables import TABLED, Find, estimates_of, models_table
from bench.report.records import Dataset
from bench.report.results import Results
from bench.report.selection import slicing_metric

__all__ = ["coverage_parts"]

_METRIC = "coverage"
_TOLD = (
    "The share of rows with an answer: rows without a face, abstentions and model errors have none. A tie "
    "at the top is an answer that decides nothing."
)
_BARE = "Coverage was not asked for as a metric, so that it stands here without intervals."
_WHOLE = "Every row of every slice that is shown has an answer."


def coverage_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """The coverage of every slice as a forest beside its table; a sentence where nothing is missed."""
    metric = slicing_metric(results, data)
    if metric is None or not results.slices(data.name):
        return ()
    place = results.reference(data.name)
    rows = (row for model in results.models for row in results.at(model.name, data.name, place))
    asked = any(row["metric"] == _METRIC and row["slice"] is not None for row in rows)
    find = estimates_of(results, data.name, _METRIC) if asked else _beside(results, data, metric)
    parts: list[Part] = []
    for names in chunks([model.name for model in results.models]):
        whole = Mark("all rows", tuple(find(model, (None, None)) for model in names))
        blocks = slice_marks(results, data.name, names, find)
        known = [
            row for mark in (whole, *chain.from_iterable(blocks)) for row in mark.rows if row is not None
        ]
        if all(row["estimate"] in (None, 1.0) for row in known):
            continue
        figures = tuple(_figure(data, [whole, *part], names) for part in split(blocks))
        table = models_table(results, data.name, names, find, f"Coverage of every slice of {data.name}")
        title = f"Coverage by slice of {', '.join(names)}" if parts else "Coverage by slice"
        parts.append(Part(title, () if parts else (_TOLD, *(() if asked else (_BARE,))), figures, (table,)))
    return tuple(parts) or (Part("Coverage by slice", (_WHOLE,)),)


def _beside(results: Results, data: Dataset, metric: str) -> Find:
    """The coverage that stands beside the estimates of another metric."""
    estimate = estimates_of(results, data.name, metric)

    def find(model: str, part: tuple[str | None, str | None]) -> dict[str, object] | None:
        row = estimate(model, part)
        return None if row is None else {**row, "estimate": row["coverage"], "low": None, "high": None}

    return find


def _figure(data: Dataset, marks: Sequence[Mark], names: Sequence[str]) -> Figure:
    svg = draw_forest(marks, names, _METRIC, marks[0].rows)
    found = "; ".join(f"{name}: {_range(marks, number)}" for number, name in enumerate(names))
    alt = f"Coverage by slice on {data.name}. {fmt.short(found, 600)}. {TABLED}"
    caption = (
        "The share of rows with an answer by slice. The line is all rows; hollow marks are insufficient."
    )
    return Figure(svg, fmt.plain(alt), caption)


def _range(marks: Sequence[Mark], number: int) -> str:
    """The least and the most covered slice of a panel, in words."""
    rows = [(mark.name, mark.rows[number]) for mark in marks[1:] if mark.rows]
    known = [(float(row["estimate"]), name) for name, row in rows if row is not None and is_drawn(row)]
    if not known:
        return "nothing is shown"
    return "from " + " to ".join(f"{fmt.number(x)} ({name})" for x, name in (min(known), max(known)))
