"""Small multiples: one panel per perturbation, a line per value of an attribute along the severities.

Intervals are bands, insufficient points are hollow, an estimate that is not there breaks the line; a value
that is withheld throughout is named in the key and has no mark. All panels share their limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas

from bench.report import format as fmt
from bench.report.drawing import COLOURS, MARKERS, as_svg, draw_key, styled
from bench.report.plots.forest import is_drawn
from bench.report.records import Place
from bench.report.results import Row, unique

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Lines", "draw_multiples"]

_ACROSS, _WIDE, _HIGH = 4, 2.15, 1.55  # inches, as all of these
_LEFT, _BELOW, _ABOVE, _KEY, _PITCH = 0.6, 0.5, 0.28, 2.5, 0.3
# ``draw_key`` stands so far to the right of axes that are so wide.
_BESIDE = 3.0


@dataclass(frozen=True)
class Lines:
    """The values of one attribute of one model, at most 7, and their estimates under each condition."""

    model: str
    attribute: str
    values: tuple[str, ...]
    rows: dict[Place, tuple[Row | None, ...]]

    def of(self, number: int, places: Sequence[Place]) -> list[Row | None]:
        """The estimates of one value along some conditions."""
        return [self.rows[place][number] for place in places]

    @property
    def all_rows(self) -> list[Row | None]:
        """Every estimate."""
        return [row for rows in self.rows.values() for row in rows]


def draw_multiples(
    lines: Lines, panels: Sequence[tuple[str, Sequence[Place]]], label: str, ends: tuple[float, float]
) -> bytes:
    """Draw titled panels, each of conditions in order of severity; ``ends`` are the limits of all."""
    across = min(_ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    width, height = _LEFT + _WIDE * across + _KEY, down * (_HIGH + _ABOVE + _BELOW)
    height = max(height, _PITCH * (len(lines.values) + 1))
    with styled():
        canvas = Canvas(figsize=(width, height))
        for index, (title, steps) in enumerate(panels):
            row, column = divmod(index, across)
            bottom = height - (row + 1) * (_HIGH + _ABOVE + _BELOW) + _BELOW
            box = (_LEFT + column * _WIDE) / width, bottom / height, (_WIDE - 0.25) / width, _HIGH / height
            axes = canvas.add_axes(box)
            axes.set_title(fmt.short(title, 28), fontsize=8)
            _draw_panel(axes, lines, steps)
            axes.set_xticks([step.severity for step in steps])
            axes.set_ylim(*ends)
            axes.set_xlabel("severity (0 is clean)", fontsize=8)
            if column:
                axes.set_yticklabels([])
            else:
                axes.set_ylabel(label)
        _draw_keys(canvas, lines, width, height)
        return as_svg(canvas)


def _draw_panel(axes: Axes, lines: Lines, steps: Sequence[Place]) -> None:
    at = [step.severity for step in steps]
    for number in range(len(lines.values)):
        rows = [row if row is not None and is_drawn(row) else None for row in lines.of(number, steps)]
        value, low, high = ([_number(row, end) for row in rows] for end in ("estimate", "low", "high"))
        colour, marker = COLOURS[number], MARKERS[number]
        axes.fill_between(at, low, high, color=colour, alpha=0.14, linewidth=0)
        axes.plot(at, value, color=colour, linewidth=1.2)
        for state, face in (("reportable", colour), ("insufficient", "white")):
            mine = [
                (x, y) for x, y, row in zip(at, value, rows, strict=True) if row and row["status"] == state
            ]
            if mine:
                look = axes.plot(*zip(*mine, strict=True), color=colour, marker=marker, markersize=4)[0]
                look.set(linestyle="none", markerfacecolor=face)


def _number(row: Row | None, name: str) -> float:
    return math.nan if row is None or row[name] is None else float(row[name])


def _draw_keys(canvas: Canvas, lines: Lines, width: float, height: float) -> None:
    """The values to the right of the panels, those that are withheld throughout by name alone."""
    axes = canvas.add_axes(((width - _KEY - _BESIDE) / width, 0, _BESIDE / width, 1))
    axes.set_axis_off()
    for number, value in enumerate(lines.values):
        states = unique(row["status"] for row in lines.of(number, list(lines.rows)) if row is not None)
        withheld = f" ({fmt.WITHHELD})" if states == ["suppressed"] else ""
        draw_key(axes, fmt.wrapped(f"{value}{withheld}", 24), 1 - (0.4 + _PITCH * number) / height, number)
