"""Power: the differences found between two values beside the smallest that such a study finds.

What lies within the bar would have been missed more often than in one study of five: not to have seen a
difference there is not to have seen that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report import format as fmt
from bench.report.differences import over
from bench.report.drawing import COLOURS, Figure, draw_mark
from bench.report.entries import Entry, estimated
from bench.report.parts import Part
from bench.report.plots.forest import Mark, Scale, chunks, draw_rows, draw_text, split
from bench.report.plots.tables import TABLED, left_out
from bench.report.records import Dataset
from bench.report.results import Results, Row, unique
from bench.report.selection import compared_metric, slicing_metric
from bench.report.table import Group, Line, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST_PAIRS", "power_parts"]

MOST_PAIRS = 80
"""So many pairs of values are drawn for a data set, in the order of the slices."""
_TOLD = (
    "The bar is what such a study misses more often than one time in five: differences smaller than its "
    "end. The mark is the difference found, whatever its sign, filled where its simultaneous interval "
    "excludes 0. A hollow mark within the bar says that too few people were seen to tell, not that there is "
    "no difference."
)
_NOTHING = "No attribute has two reportable values of {}, so that no comparison has a power to speak of."
_INSTEAD = "No attribute has two reportable values of {}; shown are the differences of {}."
_UNSEEN = "#c9d0d8"

_Pair = tuple[str, str, str]
_Pairs = dict[tuple[str, ...], Row]


def power_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """What could have been seen, of every pair of values, by the metric that compares them."""
    rows = results.differences_at(data.name, results.reference(data.name), "contrast")
    tested = [row for row in rows if row["reference"] not in (None, "rest") and row["sdd80"] is not None]
    first = slicing_metric(results, data)
    metric = compared_metric(results, data, {row["metric"] for row in tested})
    if first is None or metric is None or not results.slices(data.name):
        return ()
    pairs: _Pairs = {(*_pair(row), row["model"]): row for row in tested if row["metric"] == metric}
    named = unique(_pair(row) for row in pairs.values())
    if not named:
        return (Part("What could have been seen", (_NOTHING.format(fmt.metric(metric)),)),)
    drawn = named[:MOST_PAIRS]
    told = (_TOLD,) if metric == first else (_TOLD, _INSTEAD.format(fmt.metric(first), fmt.metric(metric)))
    parts: list[Part] = []
    for models in chunks([model.name for model in results.models]):
        text = () if parts else (*told, *left_out(len(drawn), len(named), "pairs", "estimates.parquet"))
        figures = tuple(_figure(data, part, models, metric) for part in split(_blocks(drawn, models, pairs)))
        title = f"What could have been seen of {', '.join(models)}" if parts else "What could have been seen"
        parts.append(Part(title, text, figures, (_table(data, drawn, models, pairs, metric),)))
    return tuple(parts)


def _pair(row: Row) -> _Pair:
    return over(row), row["value"], row["reference"]


def _words(pair: _Pair) -> str:
    return f"{pair[1]} {fmt.MINUS} {pair[2]}"


def _blocks(named: Sequence[_Pair], models: Sequence[str], pairs: _Pairs) -> list[list[Mark]]:
    blocks = []
    for attribute in unique(name for name, _, _ in named):
        mine = [pair for pair in named if pair[0] == attribute]
        marks = [Mark(_words(p), tuple(pairs.get((*p, model)) for model in models), ()) for p in mine]
        blocks.append([Mark(attribute), *marks])
    return blocks


def _figure(data: Dataset, marks: Sequence[Mark], models: Sequence[str], metric: str) -> Figure:
    known = [row for mark in marks for row in mark.rows if row is not None]
    ends = [abs(row[name]) for row in known for name in ("estimate", "sdd80") if row[name] is not None]
    scale = Scale(f"difference of {fmt.metric(metric)}", 0.0, 1.08 * max([*ends, 0.02]))

    def paint(axes: Axes, number: int, position: int) -> None:
        row = marks[position].rows[number]
        if row is None:
            draw_text(axes, position, "no test")
        else:
            _paint(axes, position, row)

    svg = draw_rows(marks, models, scale, paint)
    within = sum(abs(row["estimate"]) < row["sdd80"] for row in known if row["estimate"] is not None)
    least, most = (fmt.number(end(row["sdd80"] for row in known)) for end in (min, max))
    every = fmt.counted(len(known), "difference")
    what = f"Differences of {fmt.metric(metric)} on {data.name}"
    alt = (
        f"{what} beside what could have been seen. The smallest difference found in 4 of 5 studies goes from "
        f"{least} to {most}; smaller than theirs: {within} of {every} found. {TABLED}"
    )
    caption = f"{what} beside the smallest found in 4 of 5 studies."
    return Figure(svg, fmt.plain(alt), caption)


def _paint(axes: Axes, position: int, row: Row) -> None:
    axes.barh([position], [row["sdd80"]], height=0.5, color=_UNSEEN, linewidth=0, zorder=1)
    if row["estimate"] is not None:
        seen = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
        draw_mark(axes, (abs(row["estimate"]), position), COLOURS[0], "s", filled=seen)


def _table(
    data: Dataset,
    named: Sequence[_Pair],
    models: Sequence[str],
    pairs: _Pairs,
    metric: str,
) -> Table:
    groups = []
    for attribute in unique(name for name, _, _ in named):
        mine = [pair for pair in named if pair[0] == attribute]
        lines = (Line(_words(p), _entries([pairs.get((*p, model)) for model in models])) for p in mine)
        groups.append(Group(tuple(lines), attribute))
    columns = [text for model in models for text in (model, fmt.SEEN)]
    caption = f"Differences of {fmt.metric(metric)} on {data.name}, with simultaneous intervals"
    return Table(caption, ("Pair", *columns), tuple(groups))


def _entries(rows: Sequence[Row | None]) -> tuple[Entry, ...]:
    seen = (Entry(fmt.DASH if row is None else fmt.number(row["sdd80"])) for row in rows)
    return tuple(entry for pair in zip(map(estimated, rows), seen, strict=True) for entry in pair)
