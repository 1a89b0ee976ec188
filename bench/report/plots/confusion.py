"""What is taken for what: recall of each class, and the rows of each label by what a model called them.

Counts are of all rows with a label under clean media; what was given no label stands in the last column. A
withheld count is hatched and has no number, here and in its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from bench.report import format as fmt
from bench.report.drawing import Figure, as_svg, draw_withheld, shade, styled
from bench.report.entries import Entry
from bench.report.parts import Part
from bench.report.plots.forest import PANELS, Mark, draw_forest, is_drawn
from bench.report.plots.tables import TABLED
from bench.report.records import Dataset, Place
from bench.report.results import Results, Row
from bench.report.table import Group, Line, Table, class_recall
from bench.tables.curves import CONFUSION

__all__ = ["NONE", "confusion_parts", "recall_forest"]

NONE = "none"
_MOST_PAIRS = 10
_TOLD = (
    "Each row is all clips of a label, by what the model called them; 'none' is a miss or a tie at the top. "
    "A darker square is a larger share of the row."
)
_HATCHED = (
    "Hatched: withheld, since it is of too few people, or would give such a number away. Recall over all "
    "rows is not withheld, also of a class of few people: it tells how many of their rows were called right. "
    "Hatching keeps back what the others were called."
)
_ABSENT = (
    "There are no counts of what was called what in this run: they are made on clean media where a metric "
    "of labels is asked for."
)
_CELL, _LEFT, _BELOW, _ABOVE = 0.56, 1.35, 0.95, 0.35  # inches

Counts = dict[tuple[int, int], Row]


def confusion_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """Recall of each class, then the confusions of every model, with their tables."""
    parts = []
    recall, drawn = class_recall(results, data.name), recall_forest(results, data.name)
    if recall and drawn:
        parts.append(Part("Recall of each class", figures=(drawn,), tables=(recall,)))
    found = {model.name: _counts(results, data, model.name) for model in results.models}
    found = {name: counts for name, counts in found.items() if counts}
    if found:
        figures = tuple(_figure(data, name, counts) for name, counts in found.items())
        tables = (_pairs(data, found), *(_matrix(data, name, counts) for name, counts in found.items()))
        hatched = any(point["n"] is None for counts in found.values() for point in counts.values())
        told = (_TOLD, _HATCHED) if hatched else (_TOLD,)
        parts.append(Part("What is taken for what", told, figures, tables))
    elif recall:
        parts.append(Part("What is taken for what", (_ABSENT,)))
    return tuple(parts)


def recall_forest(results: Results, dataset: str) -> Figure | None:
    """Recall of each class, one panel per model (the first 4); None where no class was measured."""
    metrics = [name for name in results.metrics(dataset) if name.startswith("recall/")]
    names = [model.name for model in results.models[:PANELS]]
    if not metrics:
        return None
    cells = [(name, dataset, results.reference(dataset)) for name in names]
    marks = []
    for metric in metrics:
        rows = tuple(results.find(cell, metric, (None, None)) for cell in cells)
        marks.append(Mark(metric.removeprefix("recall/"), rows))
    found = "; ".join(f"{name}: {_least(marks, number)}" for number, name in enumerate(names))
    alt = f"Recall of each class on {dataset}. {fmt.short(found, 600)}. {TABLED}"
    first = f", of the first {PANELS} models" if len(results.models) > PANELS else ""
    caption = f"Recall of each class with {fmt.percent(results.suite.level)} intervals, over all rows{first}."
    return Figure(draw_forest(marks, names, "recall", ()), fmt.plain(alt), caption)


def _least(marks: Sequence[Mark], number: int) -> str:
    known = [(mark.name, mark.rows[number]) for mark in marks]
    drawn = [(float(row["estimate"]), name) for name, row in known if row is not None and is_drawn(row)]
    if not drawn:
        return "nothing is known"
    return "from " + " to ".join(f"{fmt.number(x)} ({name})" for x, name in (min(drawn), max(drawn)))


def _counts(results: Results, data: Dataset, model: str) -> Counts:
    """The points of a model by numbers of label and decision; labels without a row are left out."""
    points = results.points((model, data.name, Place("clean")), (None, None), CONFUSION)
    found = {(int(point["low"]), int(point["high"])): point for point in points}
    # A share of no rows is undefined, also where other places of the label are withheld.
    empty = {truth for (truth, _), point in found.items() if point["n"] == 0 and point["x"] is None}
    return {at: point for at, point in found.items() if at[0] not in empty}


def _names(data: Dataset) -> tuple[str, ...]:
    return (*data.facts.labels, NONE)


def _figure(data: Dataset, model: str, counts: Counts) -> Figure:
    truths, names = sorted({truth for truth, _ in counts}), _names(data)
    wide, high = len(names), len(truths)
    width, height = _LEFT + _CELL * wide + 0.1, _BELOW + _CELL * 0.72 * high + _ABOVE
    with styled():
        canvas = Canvas(figsize=(width, height))
        axes = canvas.add_axes(
            (_LEFT / width, _BELOW / height, _CELL * wide / width, _CELL * 0.72 * high / height)
        )
        axes.set_title(fmt.short(model, 60))
        axes.set_xlim(0, wide)
        axes.set_ylim(high, 0)
        axes.grid(visible=False)
        axes.set_xticks(
            [x + 0.5 for x in range(wide)], [fmt.short(n, 14) for n in names], rotation=40, ha="right"
        )
        axes.set_yticks([y + 0.5 for y in range(high)], [fmt.short(names[t], 16) for t in truths])
        axes.tick_params(length=0)
        axes.set_xlabel("called")
        for (y, truth), x in product(enumerate(truths), range(wide)):
            point = counts[truth, x]
            if point["n"] is None:
                draw_withheld(axes, (x, y), 1)
                continue
            share = point["x"]
            axes.add_patch(Rectangle((x, y), 1, 1, facecolor=shade(share), edgecolor="white", linewidth=1))
            ink = "white" if share > 0.62 else "#1b1f24"
            weight = "bold" if truth == x else "normal"
            axes.text(
                x + 0.5,
                y + 0.5,
                fmt.count(point["n"]),
                ha="center",
                va="center",
                color=ink,
                fontsize=8,
                weight=weight,
            )
        svg = as_svg(canvas)
    top = _confused(counts)[:3]
    told = "; ".join(f"{names[t]} called {names[x]}: {_share(p)}" for (t, x), p in top) or "no pair is shown"
    most = f"Most often confused{_among(counts.values())}: {told}"
    alt = f"What {model} takes for what on {data.name}, in rows. {most}. {TABLED}"
    caption = (
        f"Rows of each label by what {fmt.short(model, 60)} called them; darker is a larger share of the row."
    )
    return Figure(svg, fmt.plain(alt), fmt.plain(caption))


def _confused(counts: Counts) -> list[tuple[tuple[int, int], Row]]:
    """The shown places off the diagonal that hold a row, the largest share of their label first."""
    known = [(at, point) for at, point in counts.items() if at[0] != at[1] and point["n"]]
    return sorted(known, key=lambda each: (-each[1]["x"], each[0]))


def _share(point: Row) -> str:
    return f"{100 * point['x']:.1f} % ({fmt.count(point['n'])})"


def _pairs(data: Dataset, found: dict[str, Counts]) -> Table:
    groups, names = [], _names(data)
    for model, counts in found.items():
        lines = (
            Line(
                names[truth],
                (Entry(names[said], "text"), Entry(fmt.count(p["n"])), Entry(f"{100 * p['x']:.1f} %")),
            )
            for (truth, said), p in _confused(counts)[:_MOST_PAIRS]
        )
        groups.append(Group(tuple(lines), model))
    columns = ("Label", "Called", "Rows", "Share of the label's rows")
    kept = tuple(group for group in groups if group.lines)
    among = _among(point for counts in found.values() for point in counts.values())
    caption = f"Labels most often taken for another on {data.name}{among}: the first {_MOST_PAIRS}"
    return Table(caption, columns, kept)


def _among(points: Iterable[Row]) -> str:
    """Among what a first place is the first: one that is withheld may come before it."""
    return ", of what is not withheld" if any(point["n"] is None for point in points) else ""


def _matrix(data: Dataset, model: str, counts: Counts) -> Table:
    names = _names(data)
    lines = tuple(
        Line(names[truth], tuple(_entry(counts[truth, said]) for said in range(len(names))))
        for truth in sorted({truth for truth, _ in counts})
    )
    caption = f"Rows of {data.name} by label (down) and by what {model} called them (across)"
    return Table(caption, ("Label", *names), (Group(lines),))


def _entry(point: Row) -> Entry:
    return Entry(fmt.WITHHELD, "suppressed") if point["n"] is None else Entry(fmt.count(point["n"]))
