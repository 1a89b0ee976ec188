"""Drawing: what all figures of a report share, their look, their colours and the way to SVG.

Drawn with matplotlib's objects and no pyplot; the same numbers give the same bytes. Colours are of Okabe and
Ito (2008) and never carry meaning alone: each comes with a marker. Text stays text, never mathematics.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib.style
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from bench.shipped import shipped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "COLOURS", "GREY", "MARKERS", "SOFT", "Figure", "as_svg", "draw_key", "draw_mark", "draw_withheld",
    "shade", "styled",
]  # fmt: skip

GREY, SOFT = "#8a929b", "#59616b"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"


@dataclass(frozen=True)
class Figure:
    """A drawn figure: its SVG, the text that stands for it, and its caption."""

    svg: bytes
    alt: str
    caption: str


@contextmanager
def styled() -> Iterator[None]:
    """The look of every figure."""
    with (
        matplotlib.style.context(["default", str(shipped("reports") / "style.mplstyle")]),
        warnings.catch_warnings(),
    ):
        # The reader's browser draws the text; that matplotlib's font lacks a script does not matter.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        yield


def draw_key(axes: Axes, name: str, height: float, number: int) -> None:
    """Name one line to the right of the axes, at a height in their units, with its colour and marker."""
    colour, marker, inside = COLOURS[number], MARKERS[number], axes.transAxes
    axes.text(1.09, height, name, transform=inside, va="center")
    drawn = axes.plot([1.05], [height], transform=inside, color=colour, marker=marker)
    drawn[0].set_clip_on(False)


def shade(share: float) -> tuple[float, float, float]:
    """White to the darkest blue, evenly lighter and darker to any eye, for a share in [0, 1]."""
    ends = zip(to_rgb("#ffffff"), to_rgb("#08306b"), strict=True)
    red, green, blue = (start + (end - start) * share for start, end in ends)
    return red, green, blue


def draw_withheld(axes: Axes, corner: tuple[float, float], side: float) -> None:
    """A square that is hatched and has no number, from its lower corner."""
    square = Rectangle(corner, side, side, facecolor="#f4f6f8", edgecolor=GREY, hatch="xxxx", linewidth=0)
    axes.add_patch(square)


def draw_mark(
    axes: Axes, at: tuple[float, float], colour: str, marker: str, *, filled: bool, size: float = 5
) -> None:
    """A mark at a point, hollow where it is not filled."""
    face = colour if filled else "white"
    drawn = axes.plot([at[0]], [at[1]], color=colour, marker=marker, markerfacecolor=face, linestyle="none")
    drawn[0].set_markersize(size)
    drawn[0].set_clip_on(False)


def as_svg(canvas: Canvas) -> bytes:
    """The drawn figure as SVG, without a date."""
    buffer = io.BytesIO()
    FigureCanvasSVG(canvas).print_figure(
        buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    return buffer.getvalue()
