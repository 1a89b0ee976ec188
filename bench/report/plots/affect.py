"""The plane of valence and arousal: where labels and outputs lie, and how each quadrant is moved.

Rows with both labels and both outputs, in squares; the outer squares are open. A withheld square is hatched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from bench.report import format as fmt
from bench.report.drawing import COLOURS, GREY, MARKERS, Figure, as_svg, draw_withheld, shade, styled
from bench.report.entries import Entry
from bench.report.parts import Part
from bench.report.plots.tables import TABLED
from bench.report.records import Dataset, Place
from bench.report.results import Results, Row
from bench.report.table import Group, Line, Table
from bench.tables.curves import AFFECT_LABELS, AFFECT_OUTPUTS, QUADRANT_LABELS, QUADRANT_OUTPUTS, SQUARE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["affect_parts"]

_TOLD = (
    "Rows with both labels and both outputs, by valence and arousal; rows that a model misses are in "
    "neither plane. A darker square holds more rows, a hatched one is withheld. An arrow goes from the mean "
    "label of a quadrant to the mean output for the same rows: short arrows err little on average, arrows "
    "to the middle are outputs that shrink."
)
_ABSENT = (
    "There is no plane of valence and arousal in this run: it is made on clean media where a metric of each "
    "is asked for."
)
_NAMES = {
    (0.0, 0.0): "valence 0 or more, arousal 0 or more",
    (-1.0, 0.0): "valence below 0, arousal 0 or more",
    (-1.0, -1.0): "valence below 0, arousal below 0",
    (0.0, -1.0): "valence 0 or more, arousal below 0",
}
_PANEL, _LEFT, _BELOW, _GAP = 2.7, 0.6, 0.5, 0.7  # inches

Squares = dict[tuple[float, float], Row]


def affect_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """The plane of every model with its tables: nothing where no metric is of valence or of arousal."""
    metrics = results.metrics(data.name)
    if not all(any(axis in name.split("_") for name in metrics) for axis in ("valence", "arousal")):
        return ()
    figures, tables = [], []
    for name in (model.name for model in results.models):
        found = {curve: _points(results, data, name, curve) for curve in _CURVES}
        if all(found.values()):
            figures.append(_figure(data, name, found))
            tables += [_quadrants(data, name, found), _squares(data, name, found)]
    if not figures:
        return (Part("The plane of valence and arousal", (_ABSENT,)),)
    return (Part("The plane of valence and arousal", (_TOLD,), tuple(figures), tuple(tables)),)


_CURVES = (AFFECT_LABELS, AFFECT_OUTPUTS, QUADRANT_LABELS, QUADRANT_OUTPUTS)


def _points(results: Results, data: Dataset, model: str, curve: str) -> Squares:
    points = results.points((model, data.name, Place("clean")), (None, None), curve)
    return {(point["low"], point["high"]): point for point in points}


def _figure(data: Dataset, model: str, found: dict[str, Squares]) -> Figure:
    width, height = 2 * (_LEFT + _PANEL) + 0.15, _PANEL + _BELOW + 0.35
    most = max([p["n"] for c in _CURVES[:2] for p in found[c].values() if p["n"] is not None], default=1)
    with styled():
        canvas = Canvas(figsize=(width, height))
        for number, (curve, title) in enumerate(((AFFECT_LABELS, "labels"), (AFFECT_OUTPUTS, "outputs"))):
            left = (number * (_PANEL + _LEFT) + _LEFT) / width
            axes = canvas.add_axes((left, _BELOW / height, _PANEL / width, _PANEL / height))
            axes.set_title(f"{title} of {fmt.short(model, 30)}" if number else title)
            _plane(axes, found[curve], max(most, 1))
            if number:
                _arrows(axes, found)
            else:
                axes.set_ylabel("arousal")
        svg = as_svg(canvas)
    told = "; ".join(f"{_NAMES[at]}: {_moved(found, at)}" for at in _NAMES)
    alt = (
        f"Labels and outputs of {model} on {data.name} in the plane of valence and arousal. {told}. {TABLED}"
    )
    where = f"Where labels lie and where {fmt.short(model, 60)} puts them"
    caption = f"{where}; the darkest square holds {fmt.counted(most, 'row')}."
    return Figure(svg, fmt.plain(alt), fmt.plain(caption))


def _plane(axes: Axes, squares: Squares, most: int) -> None:
    axes.set_xlim(-1, 1)
    axes.set_ylim(-1, 1)
    axes.grid(visible=False)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.set_xlabel("valence")
    for (low, high), point in squares.items():
        if point["n"] is None:
            draw_withheld(axes, (low, high), SQUARE)
        elif point["n"]:
            patch = Rectangle((low, high), SQUARE, SQUARE, facecolor=shade(point["n"] / most), linewidth=0)
            axes.add_patch(patch)
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.axvline(0, color=GREY, linewidth=0.8)


def _arrows(axes: Axes, found: dict[str, Squares]) -> None:
    """From the mean label of each quadrant to the mean output."""
    for at in _NAMES:
        start, end = found[QUADRANT_LABELS].get(at), found[QUADRANT_OUTPUTS].get(at)
        if start is None or end is None or not start["n"]:
            continue
        tip, tail = (end["x"], end["y"]), (start["x"], start["y"])
        axes.annotate(
            "",
            tip,
            tail,
            arrowprops={
                "arrowstyle": "-|>",
                "color": COLOURS[1],
                "linewidth": 1.8,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
        axes.plot(
            [tail[0]], [tail[1]], marker=MARKERS[0], color=COLOURS[1], markerfacecolor="white", markersize=4
        )


def _moved(found: dict[str, Squares], at: tuple[float, float]) -> str:
    start, end = found[QUADRANT_LABELS][at], found[QUADRANT_OUTPUTS][at]
    if start["n"] is None:
        return fmt.WITHHELD
    if not start["n"]:
        return "no rows"
    return f"from ({_pair(start)}) to ({_pair(end)})"


def _pair(point: Row) -> str:
    return f"{fmt.number(point['x'], 2)}, {fmt.number(point['y'], 2)}"


def _quadrants(data: Dataset, model: str, found: dict[str, Squares]) -> Table:
    lines = []
    for at, name in _NAMES.items():
        start, end = found[QUADRANT_LABELS][at], found[QUADRANT_OUTPUTS][at]
        lines.append(Line(name, _entries(start, end)))
    columns = (
        "Quadrant of the label", "Rows", "Mean label: valence", "arousal", "Mean output: valence", "arousal",
    )  # fmt: skip
    caption = f"Mean label and mean output of {model} on {data.name} by quadrant of the label"
    return Table(caption, columns, (Group(tuple(lines)),))


def _entries(start: Row, end: Row) -> tuple[Entry, ...]:
    if start["n"] is None:
        return (Entry(fmt.WITHHELD, "suppressed"),) * 5
    means = (point[axis] for point in (start, end) for axis in "xy")
    return (Entry(fmt.count(start["n"])), *(Entry(fmt.DASH if m is None else fmt.number(m)) for m in means))


def _squares(data: Dataset, model: str, found: dict[str, Squares]) -> Table:
    edges = sorted({low for low, _ in found[AFFECT_LABELS]})
    lines = []
    for high in reversed(edges):
        pairs = ([found[curve][low, high] for curve in (AFFECT_LABELS, AFFECT_OUTPUTS)] for low in edges)
        lines.append(Line(_from(high), tuple(map(_both, pairs))))
    caption = f"Rows of {data.name} by arousal (down) and valence (across): labels / outputs of {model}"
    return Table(caption, ("Arousal", *map(_from, edges)), (Group(tuple(lines)),))


def _from(edge: float) -> str:
    return f"{fmt.number(edge, 2)} to {fmt.number(edge + SQUARE, 2)}"


def _both(points: Sequence[Row]) -> Entry:
    texts = [fmt.WITHHELD if point["n"] is None else fmt.count(point["n"]) for point in points]
    kind = "suppressed" if all(text == fmt.WITHHELD for text in texts) else "number"
    return Entry(" / ".join(texts), kind)
