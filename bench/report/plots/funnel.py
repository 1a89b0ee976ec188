"""The funnel as bars: of the targets of each group, which step lost how many, and how many came out right.

A bar is all targets of a group. What is withheld has no bar, and a step of which nothing is known loses
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from bench.report import format as fmt
from bench.report.drawing import COLOURS, Figure
from bench.report.funnel import TOLD, funnel_tables, steps
from bench.report.parts import Part
from bench.report.plots.forest import Mark, Scale, chunks, draw_reason, draw_rows, split
from bench.report.plots.tables import TABLED
from bench.report.records import Dataset
from bench.report.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["funnel_parts", "segments"]

_FATES = {
    "right": ("right", COLOURS[0], ""),
    "predicted": ("predicted, not right", COLOURS[5], "///"),
    "aligned": ("no output", "#8a929b", "..."),
    "followed": ("not aligned", COLOURS[4], "\\\\\\"),
    "right_face": ("lost from sight", COLOURS[3], "xxx"),
    "face": ("another face", COLOURS[2], "+++"),
    "decoded": ("no face found", COLOURS[1], "|||"),
    "targets": ("not decoded", "#1b1f24", "---"),
}
"""The last step that a target took: what became of it then, with its colour and hatching."""

_FIRST = "funnel_decoded"

Steps = dict[str, int | None]


def funnel_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """The funnel of every model by slice as stacked bars beside its tables; nothing without a funnel."""
    tables = funnel_tables(results, data)
    if not tables:
        return ()
    place = results.reference(data.name)
    models = [m.name for m in results.models if steps(results, (m.name, data.name, place), (None, None))]
    figures = [
        _figure(results, data, names, marks)
        for names in chunks(models)
        for marks in split(_blocks(results, data, names))
    ]
    return (Part("Funnel", TOLD, tuple(figures), tables),)


def segments(found: Steps) -> dict[str, int]:
    """How many targets took each step as their last, of those steps of which something is known.

    >>> segments({"targets": 9, "decoded": 9, "face": 7, "right_face": None, "right": 4})
    {'decoded': 2, 'face': 3, 'right': 4}
    """
    known = [(name, count) for name, count in found.items() if count is not None]
    after = [count for _, count in known[1:]] + [0]
    parts = {name: count - rest for (name, count), rest in zip(known, after, strict=True)}
    return {name: count for name, count in parts.items() if count}


def _blocks(results: Results, data: Dataset, models: Sequence[str]) -> list[list[Mark]]:
    """All rows, then a block per slice; estimates are those of the first step, for their counts and state."""
    place = results.reference(data.name)

    def mark(name: str, part: tuple[str | None, str | None]) -> Mark:
        cells = ((model, data.name, place) for model in models)
        return Mark(name, tuple(results.find(cell, _FIRST, part) for cell in cells))

    blocks = [[mark("all rows", (None, None))]]
    for name, values in results.slices(data.name):
        blocks.append([Mark(name), *(mark(value, (name, value)) for value in values)])
    return blocks


def _figure(results: Results, data: Dataset, models: Sequence[str], marks: Sequence[Mark]) -> Figure:
    place = results.reference(data.name)
    found: dict[tuple[int, int], Steps] = {}
    for position, mark in enumerate(marks):
        for number, row in enumerate(mark.rows):
            if row is not None and row["status"] != "suppressed":
                cell = (models[number], data.name, place)
                found[number, position] = steps(results, cell, (row["slice"], row["value"]))

    def paint(axes: Axes, number: int, position: int) -> None:
        if (number, position) in found:
            _paint(axes, position, found[number, position])
        else:
            draw_reason(axes, position, marks[position].rows[number])

    there = {name for each in found.values() for name in segments(each)}
    scale = Scale("share of targets", 0.0, 1.0)
    svg = draw_rows(marks, models, scale, paint, key=_key(there))
    told = "; ".join(f"{model}: {_said(found.get((number, 0), {}))}" for number, model in enumerate(models))
    alt = f"Where targets are lost on {data.name}, by slice. Of all rows {fmt.short(told, 600)}. {TABLED}"
    caption = "The targets of each group as a bar: what came out right, and which step lost the others."
    return Figure(svg, fmt.plain(alt), caption)


def _paint(axes: Axes, position: int, found: Steps) -> None:
    """One bar: from the right label at the left to what did not decode at the right."""
    left, every = 0.0, found["targets"]
    parts = segments(found)
    for name, (_, colour, hatch) in _FATES.items():
        if name in parts and every:
            wide = parts[name] / every
            axes.barh(
                [position], [wide], left=left, height=0.66, color=colour, hatch=hatch, edgecolor="white",
                linewidth=0.6,
            )  # fmt: skip
            left += wide


def _key(there: set[str]) -> list[Patch]:
    """What the colours and hatchings of a figure mean."""
    return [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=label)
        for name, (label, colour, hatch) in _FATES.items()
        if name in there
    ]


def _said(found: Steps) -> str:
    parts, every = segments(found) if found else {}, found.get("targets")
    if not every:
        return "nothing is known"
    told = (f"{fmt.percent(parts[name] / every)} {_FATES[name][0]}" for name in _FATES if name in parts)
    return ", ".join(told)
