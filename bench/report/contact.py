"""A contact sheet: pictures in rows and columns, pixel for pixel, and beside each what it is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from bench.report.drawing import SOFT, styled

__all__ = ["COLUMN", "HEAD", "LABEL", "MARGIN", "SIDE", "Strip", "draw_sheet"]

COLUMN, MARGIN, SIDE = 200, 208, 192
"""Pixels: width of a column and of the text left of them; the longest side of a picture."""
HEAD, LABEL = 24, 48
"""Pixels: heights of the first line and of the text under a row of pictures."""

_DPI = 100
_GAP = 6


@dataclass(frozen=True)
class Strip:
    """One row: its name, what else is said of it, and its pictures uint8 [h, w, 3], each with its text."""

    name: str
    about: tuple[str, ...]
    pictures: Sequence[np.ndarray]
    labels: Sequence[str]


def draw_sheet(strips: Sequence[Strip], columns: Sequence[str]) -> bytes:
    """Draw strips under the names of the columns, as PNG; the same pictures give the same bytes.

    The sheet is MARGIN + COLUMN x columns wide; each strip adds LABEL and its pictures' height to HEAD.
    """
    heights = [max(len(picture) for picture in strip.pictures) for strip in strips]
    width = MARGIN + COLUMN * len(columns)
    height = HEAD + sum(heights) + LABEL * len(strips)
    with styled():
        canvas = Canvas(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        _write(canvas, (MARGIN, height - HEAD / 2), columns, weight="bold", va="center")
        top = height - HEAD
        for strip, tall in zip(strips, heights, strict=True):
            _draw_strip(canvas, strip, top, tall)
            top -= tall + LABEL
        buffer = io.BytesIO()
        FigureCanvasAgg(canvas).print_figure(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def _draw_strip(canvas: Canvas, strip: Strip, top: int, tall: int) -> None:
    about = "\n".join(fill(line, 31) for line in strip.about)
    canvas.text(*_share(canvas, _GAP, top), strip.name, weight="bold", va="top")
    canvas.text(*_share(canvas, _GAP, top - 18), about, va="top", color=SOFT, size=8)
    for number, picture in enumerate(strip.pictures):
        left = MARGIN + COLUMN * number
        # Pixel for pixel, from the lower left corner of the sheet.
        canvas.figimage(picture, left, top - len(picture), origin="upper")
    _write(canvas, (MARGIN, top - tall - _GAP / 2), strip.labels, va="top", size=8)


def _write(canvas: Canvas, place: tuple[float, float], texts: Sequence[str], **look: Any) -> None:
    """Write texts at the left of the columns, from a place in pixels."""
    for number, text in enumerate(texts):
        canvas.text(*_share(canvas, place[0] + COLUMN * number, place[1]), text, **look)


def _share(canvas: Canvas, x: float, y: float) -> tuple[float, float]:
    return x / canvas.bbox.width, y / canvas.bbox.height
