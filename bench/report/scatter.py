"""Scatter: models by one number against others, panel by panel, each point with its intervals and a letter.

A point is named by its letter, which is that of the table beside it: with many models names would lie over
each other, and a number would be read as a rank. Drawn are numbers that are
there; what is not decided is hollow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from bench.report import format as fmt
from bench.report.drawing import COLOURS, MARKERS, Figure, as_svg, styled

__all__ = ["Panel", "Point", "draw_scatter", "lettered"]

Ends = tuple[float, float, float]


@dataclass(frozen=True)
class Point:
    """A point: its number, x and y, each with low and high, NaN where there is none; ``solid``: decided."""

    number: int
    name: str
    x: Ends
    y: Ends
    solid: bool = True


@dataclass(frozen=True)
class Panel:
    """One panel: the words of its y axis, and its points."""

    label: str
    points: tuple[Point, ...]


def lettered(number: int) -> str:
    """What a point is called, from 1 on, as the columns of a spreadsheet are.

    >>> [lettered(number) for number in (1, 2, 26, 27, 703)]
    ['A', 'B', 'Z', 'AA', 'AAA']
    """
    rest, at = divmod(number - 1, 26)
    return (lettered(rest) if rest else "") + chr(ord("A") + at)


def draw_scatter(panels: Sequence[Panel], x: str, caption: str) -> Figure:
    """The panels side by side over one kind of x axis; ValueError where no panel has a point."""
    shown = [panel for panel in panels if panel.points]
    if not shown:
        raise ValueError("a scatter has a point")
    with styled():
        canvas = Canvas(figsize=(3.9 * len(shown) + 0.3, 3.5), layout="constrained")
        for at, panel in enumerate(shown, 1):
            axes = canvas.add_subplot(1, len(shown), at)
            _draw(axes, panel)
            axes.set_xlabel(x)
            axes.set_ylabel(panel.label)
        svg = as_svg(canvas)
    return Figure(svg, _told(shown, x), caption)


def _draw(axes: Axes, panel: Panel) -> None:
    for point in panel.points:
        look = (point.number - 1) % len(COLOURS)
        colour, marker = COLOURS[look], MARKERS[look]
        (x, left, right), (y, low, high) = point.x, point.y
        if left == left:
            axes.plot([left, right], [y, y], color=colour, linewidth=1.0, alpha=0.7)
        if low == low:
            axes.plot([x, x], [low, high], color=colour, linewidth=1.0, alpha=0.7)
        inside = colour if point.solid else "#ffffff"
        axes.plot(
            [x], [y], marker=marker, color=colour, markerfacecolor=inside, linestyle="none", markersize=6
        )
        axes.annotate(
            lettered(point.number), (x, y), xytext=(5, 5 if point.number % 2 else -11),
            textcoords="offset points", fontsize=9, fontweight="bold",
        )  # fmt: skip
    axes.margins(0.14)


def _told(panels: Sequence[Panel], x: str) -> str:
    """The figure in words: each panel with what its points are."""
    parts = []
    for panel in panels:
        points = "; ".join(
            f"{lettered(p.number)} {p.name}: {fmt.number(p.x[0])} and {fmt.number(p.y[0])}"
            for p in panel.points[:8]
        )
        more = f"; and {len(panel.points) - 8} more" if len(panel.points) > 8 else ""
        parts.append(f"{panel.label} against {x}: {points}{more}.")
    return " ".join(parts) + " All numbers are in the table."
