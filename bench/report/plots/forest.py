"""Forest plots: rows of a name, counts and an interval, one panel per model; what all kinds of them share.

A suppressed row is named and has no mark, an insufficient one is hollow with a broken line. Names stand at
the left edge, n and clusters beside the first panel. Nothing is chosen here: rows come in the order of the
caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bench.report import format as fmt
from bench.report.drawing import COLOURS, GREY, MARKERS, SOFT, as_svg, draw_mark, styled
from bench.report.entries import state_of
from bench.report.results import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BAND", "HOLLOW", "PANELS", "Mark", "Scale", "chunks", "draw_forest", "draw_point", "draw_reason",
    "draw_rows", "draw_text", "is_drawn", "limits", "split",
]  # fmt: skip

BAND = "#dbe7f0"
HOLLOW = "Hollow marks are insufficient."
"""Said in the caption where marks of estimates are drawn."""
PANELS = 4
"""So many models stand side by side."""
_ROWS, _KEYS = 40, 4
_ROW_INCHES, _PANEL_INCHES, _LEFT_INCHES, _GAP_INCHES = 0.235, 2.5, 3.1, 0.3
_T = TypeVar("_T")


@dataclass(frozen=True)
class Mark:
    """One row of a forest plot: its name and one estimate per panel; a title has no estimates.

    ``counted`` are the counts of the estimates that stand beside it.
    """

    name: str
    rows: tuple[Row | None, ...] = ()
    counted: tuple[str, ...] = ("n", "clusters")

    @property
    def counts(self) -> str:
        """Its rows and clusters, empty where they are withheld."""
        known = [row for row in self.rows if row is not None]
        if not known or any(row["status"] == "suppressed" for row in known):
            return ""
        return " / ".join(fmt.spanned(row[name] for row in known) for name in self.counted)


def is_drawn(row: Row | None) -> bool:
    """Whether an estimate has a mark: it is there, and not withheld."""
    return state_of(row) in ("reportable", "insufficient")


def chunks(items: Sequence[_T], size: int = PANELS) -> list[Sequence[_T]]:
    """The items in order, so many at a time.

    >>> chunks("abcde", 2)
    ['ab', 'cd', 'e']
    """
    return [items[start : start + size] for start in range(0, len(items), size)]


def split(blocks: Iterable[list[_T]], most: int = _ROWS) -> Iterator[list[_T]]:
    """Rows in figures of about 40, never cutting a block."""
    page: list[_T] = []
    for block in blocks:
        if page and len(page) + len(block) > most:
            yield page
            page = []
        page = page + block
    if page:
        yield page


@dataclass(frozen=True)
class Scale:
    """The axis that all panels of a figure share: what it is of, and its limits."""

    label: str
    low: float
    high: float


def draw_forest(
    marks: Sequence[Mark], names: Sequence[str], label: str, whole: Sequence[Row | None]
) -> bytes:
    """Draw the rows, a panel per name; the line and band of a panel are its estimate in ``whole``, if any."""

    def ground(axes: Axes, number: int) -> None:
        _band(axes, whole[number] if whole else None)

    def paint(axes: Axes, number: int, position: int) -> None:
        draw_point(axes, position, marks[position].rows[number])

    scale = Scale(label, *limits(row for mark in marks for row in mark.rows))
    return draw_rows(marks, names, scale, paint, ground)


def draw_rows(
    marks: Sequence[Mark], names: Sequence[str], scale: Scale, paint: Callable[[Axes, int, int], None],
    ground: Callable[[Axes, int], None] | None = None, key: Sequence[Patch] = (),
) -> bytes:  # fmt: skip
    """Draw named rows, a panel per name: ``paint`` paints a row of a panel, ``ground`` what lies below."""
    titles = [fmt.wrapped(name, 30) for name in names]
    left, top = _LEFT_INCHES, 0.42 + 0.16 * any("\n" in title for title in titles)
    bottom = 0.5 + _ROW_INCHES * math.ceil(len(key) / _KEYS)
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
            axes.set_xlabel(scale.label)
            axes.set_ylim(len(marks) - 0.4, -0.6)
            axes.set_xlim(scale.low, scale.high)
            axes.xaxis.set_major_locator(MaxNLocator(5, prune="both"))
            axes.set_yticks([])
            axes.grid(visible=False, axis="y")
            if ground is not None:
                ground(axes, number)
            for position, mark in enumerate(marks):
                if mark.rows:
                    paint(axes, number, position)
            if number == 0:
                _name_rows(axes, marks)
        if key:
            canvas.legend(handles=key, loc="lower left", ncols=_KEYS, frameon=False, fontsize=8)
        return as_svg(canvas)


def limits(rows: Iterable[Row | None]) -> tuple[float, float]:
    """Limits that hold every interval shown, on tenths, within [-1, 1] where the values are."""
    shown = [row for row in rows if row is not None and is_drawn(row)]
    ends = ("estimate", "low", "high")
    found = [row[name] for row in shown for name in ends if row[name] is not None]
    if not found:
        return 0.0, 1.0
    low, high = math.floor(10 * min(found) - 0.2) / 10, math.ceil(10 * max(found) + 0.2) / 10
    return (max(low, -0.02) if min(found) >= 0 else low), (min(high, 1.02) if max(found) <= 1 else high)


def _band(axes: Axes, row: Row | None) -> None:
    if row is None or not is_drawn(row):
        return
    if row["low"] is not None:
        axes.axvspan(row["low"], row["high"], color=BAND, linewidth=0, zorder=0.5)
    axes.axvline(row["estimate"], color=GREY, linewidth=1, zorder=0.6)


def draw_point(
    axes: Axes, position: float, row: Row | None, number: int = 0, *, upright: bool = False
) -> None:
    """The mark and interval of an estimate in a row, in the look of a number, or why it has none.

    ``upright``: the values are those of y, and the position is one of x.
    """
    colour = COLOURS[number]
    if row is None or not is_drawn(row):
        draw_reason(axes, position, row)
        return
    reportable = row["status"] == "reportable"
    if row["low"] is not None:
        style = "-" if reportable else (0, (2, 1.5))
        ends = [row["low"], row["high"]], [position] * 2
        axes.plot(*(ends[::-1] if upright else ends), color=colour, linestyle=style, solid_capstyle="butt")
    at = (position, row["estimate"]) if upright else (row["estimate"], position)
    draw_mark(axes, at, colour, MARKERS[number], filled=reportable)


def draw_reason(axes: Axes, position: float, row: Row | None) -> None:
    """Say in a row of a panel why it has no mark."""
    state = state_of(row)
    told = {"suppressed": fmt.WITHHELD, "absent": "not measured", "unavailable": state}
    draw_text(axes, position, told.get(state, fmt.UNDEFINED))


def draw_text(axes: Axes, position: float, text: str) -> None:
    """Words in place of a mark."""
    inside = axes.get_yaxis_transform()
    axes.text(0.02, position, text, transform=inside, va="center", color=SOFT, style="italic")


def _name_rows(axes: Axes, marks: Sequence[Mark]) -> None:
    """The names of rows at the left edge of the figure, their n and clusters beside the first panel."""
    inside = axes.get_yaxis_transform()
    edge = -(_LEFT_INCHES - 0.1) / (_PANEL_INCHES - _GAP_INCHES)
    heads = [" / ".join(mark.counted) for mark in marks if mark.counts]
    if heads:
        axes.text(-0.04, -1, heads[0], transform=inside, ha="right", color=SOFT)
    for position, mark in enumerate(marks):
        indent, weight = (0.06, "normal") if mark.rows else (0.0, "bold")
        name = fmt.short(mark.name, 28 if mark.counts else 40)
        axes.text(edge + indent, position, name, transform=inside, va="center", weight=weight)
        axes.text(-0.04, position, mark.counts, transform=inside, ha="right", va="center", color=SOFT)
