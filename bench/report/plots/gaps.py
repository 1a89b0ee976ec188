"""Gaps against chance: each observed gap beside what dealing people anew makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.report import format as fmt
from bench.report.differences import gap_table, over
from bench.report.drawing import COLOURS, SOFT, Figure, draw_mark
from bench.report.parts import Part
from bench.report.plots.forest import Mark, Scale, chunks, draw_reason, draw_rows, draw_text, split
from bench.report.plots.tables import TABLED
from bench.report.records import Dataset
from bench.report.results import Results, Row, unique
from bench.report.selection import gap_metrics, slicing_metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GAPS", "gaps_parts"]

GAPS = (
    "The grey bar ends where 95 % of the gaps lie that chance alone makes, its stroke is their mean; the "
    "diamond is the gap observed, hollow where it lies within the bar. Its line is the simultaneous "
    "interval of the largest difference of two values, as far as it lies above 0."
)
_NOTHING = "No attribute has two reportable values of {}, so that there is no gap to draw."
_INSTEAD = "No attribute has two reportable values of {} on {}; drawn are the gaps of {}."
_CHANCE = "#c9d0d8"
_ROOM = 1.45  # so that the widest "p < .001" stands free of the longest interval


def gaps_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """The gaps of the metrics that come first, a figure per four models, beside their table."""
    metrics = gap_metrics(results, data)
    figures = [figure for metric in metrics for figure in _figures(results, data, metric)]
    table = gap_table(results, data, metrics)
    if not figures and not table.groups and not table.notes:
        return ()
    named = " or ".join(map(fmt.metric, metrics))
    text = (GAPS, *_instead(results, data, metrics)) if figures else (_NOTHING.format(named),)
    return (Part("Gaps against chance", text, tuple(figures), (table,)),)


def _instead(results: Results, data: Dataset, metrics: Sequence[str]) -> tuple[str, ...]:
    """Which metric has no gap, where it is the one that slices are shown by."""
    first = slicing_metric(results, data)
    if first is None or first == metrics[0]:
        return ()
    return (_INSTEAD.format(fmt.metric(first), data.name, fmt.metric(metrics[0])),)


def _figures(results: Results, data: Dataset, metric: str) -> list[Figure]:
    place = results.reference(data.name)
    rows = [row for row in results.differences_at(data.name, place) if row["metric"] == metric]
    gaps = {(over(r), r["model"]): r for r in rows if r["kind"] == "gap" and not r["reference"]}
    widest = _widest(rows)
    names = unique(name for name, _ in gaps)
    if not any(row["estimate"] is not None for row in gaps.values()):
        return []
    figures = []
    for models in chunks([model.name for model in results.models]):
        found = ((name, tuple(gaps.get((name, model)) for model in models)) for name in names)
        marks = [Mark(name, mine, ("clusters",)) for name, mine in found]
        for part in split([[mark] for mark in marks]):
            svg = _draw(part, models, metric, widest)
            told = "; ".join(_said(row) for mark in part for row in mark.rows if row is not None)
            what = f"Gaps of {fmt.metric(metric)} on {data.name}"
            alt = f"{what} against chance. {fmt.short(told, 900)}. {TABLED}"
            caption = f"{what} beside those that chance alone makes."
            figures.append(Figure(svg, fmt.plain(alt), caption))
    return figures


def _widest(rows: list[Row]) -> dict[tuple[str, str], Row]:
    """The largest difference of two values of each attribute and model."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        if (
            row["kind"] == "contrast"
            and row["reference"] not in (None, "rest")
            and row["estimate"] is not None
        ):
            key = over(row), row["model"]
            if key not in found or abs(row["estimate"]) > abs(found[key]["estimate"]):
                found[key] = row
    return found


def _draw(
    marks: Sequence[Mark], models: Sequence[str], metric: str, widest: dict[tuple[str, str], Row]
) -> bytes:
    known = [row for mark in marks for row in mark.rows if row is not None and row["estimate"] is not None]
    ends = [row[name] for row in known for name in ("estimate", "null_p95") if row[name] is not None]
    ends += [_interval(widest.get((over(row), row["model"])))[1] for row in known]
    scale = Scale(f"gap of {fmt.metric(metric)}", 0.0, _ROOM * max([*ends, 0.02]))

    def paint(axes: Axes, number: int, position: int) -> None:
        row = marks[position].rows[number]
        if row is None or row["estimate"] is None:
            nothing = row is not None and row["status"] != "suppressed"
            (draw_text(axes, position, "nothing to compare") if nothing else draw_reason(axes, position, row))
            return
        _paint_gap(axes, position, row, widest.get((over(row), row["model"])))

    return draw_rows(marks, models, scale, paint)


def _paint_gap(axes: Axes, position: int, row: Row, widest: Row | None) -> None:
    if row["null_p95"] is not None:
        axes.barh([position], [row["null_p95"]], height=0.5, color=_CHANCE, linewidth=0, zorder=1)
    if row["null_mean"] is not None:
        axes.plot([row["null_mean"]] * 2, [position - 0.25, position + 0.25], color=SOFT, linewidth=1.6)
    low, high = _interval(widest)
    if high > low:
        axes.plot([low, high], [position] * 2, color=COLOURS[0], solid_capstyle="butt")
    beyond = row["null_p95"] is None or row["estimate"] > row["null_p95"]
    draw_mark(axes, (row["estimate"], position), COLOURS[0], "D", filled=beyond)
    if row["p"] is not None:
        inside = axes.get_yaxis_transform()
        text = f"p {fmt.probability(row['p'])}"
        axes.text(1.0, position, text, transform=inside, ha="right", va="center", fontsize=8, color=SOFT)


def _interval(pair: Row | None) -> tuple[float, float]:
    """The simultaneous interval of the size of a difference, as far as it is above 0; (0, 0) without one."""
    if pair is None or pair["low"] is None or pair["high"] is None:
        return 0.0, 0.0
    low, high = pair["low"], pair["high"]
    if pair["estimate"] < 0:
        low, high = -high, -low
    return max(low, 0.0), max(high, 0.0)


def _said(row: Row) -> str:
    """A gap in words."""
    name = f"{row['model']}, {over(row)}"
    if row["estimate"] is None:
        return f"{name}: {fmt.WITHHELD if row['status'] == 'suppressed' else 'nothing to compare'}"
    if row["null_p95"] is None:
        return f"{name}: {fmt.number(row['estimate'])}, not tested"
    side = "above" if row["estimate"] > row["null_p95"] else "within"
    return f"{name}: {fmt.number(row['estimate'])}, {side} the {fmt.number(row['null_p95'])} of chance"
