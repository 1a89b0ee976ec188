"""Tables of differences: gaps beside what chance alone makes of them, the contrasts behind them, and ratios.

They show what ``bench.judge.fairness`` tested and add no test of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import format as fmt
from bench.report.results import Dataset, Results, Row, unique
from bench.report.table import Entry, Group, Line, Table

__all__ = ["contrast_table", "gap_table", "ratio_table"]

_GAPS = (
    "Attribute", "Model", "Gap", "Mean by chance", "95 % by chance", "p", "p or q, adjusted",
    "Largest difference", "Its simultaneous interval", "Would be seen from",
)  # fmt: skip

_RATIOS = (
    "Attribute", "Model", "Smallest / largest", "Below .8 by chance", "Largest error / geometric mean",
)  # fmt: skip


def gap_table(results: Results, data: Dataset, metrics: Sequence[str]) -> Table:
    """The gap of every slice and model, one group a metric, under the reference condition."""
    groups = []
    for metric in metrics:
        rows = _rows(results, data, metric)
        order = {model.name: place for place, model in enumerate(results.models)}
        rows.sort(key=lambda row: order[row["model"]])
        lines = [
            _gap_line(row, [r for r in rows if _beside(row, r) and r["reference"] != "rest"])
            for row in rows
            if row["kind"] == "gap"
        ]
        if lines:
            groups.append(Group(tuple(lines), f"{data.name}, {fmt.metric(metric)}"))
    return Table("Largest minus smallest reportable value of each attribute", _GAPS, tuple(groups))


def contrast_table(results: Results, data: Dataset, metric: str) -> Table:
    """Every value against the other measured rows, by one metric, one group a model and slice."""
    rows = [row for row in _rows(results, data, metric) if row["kind"] == "contrast"]
    groups = []
    for model, name in unique((row["model"], row["slice"]) for row in rows):
        mine = [row for row in rows if (row["model"], row["slice"]) == (model, name)]
        # Where there are but two values, or the rest would tell what is withheld, the pairs say it.
        shown = [row for row in mine if row["reference"] == "rest"] or mine
        lines = tuple(
            Line(f"{row['value']} against {_rest(row)}", (
                Entry(fmt.estimate(row)), Entry(fmt.probability(row["p_adjusted"])),
                Entry(fmt.number(row["sdd80"])),
            ))
            for row in shown
        )  # fmt: skip
        groups.append(Group(lines, f"{model}, {name}"))
    caption = f"Differences of {fmt.metric(metric)} on {data.name} with simultaneous intervals"
    return Table(caption, ("Contrast", "Difference", "p, adjusted", "Would be seen from"), tuple(groups))


def ratio_table(results: Results, data: Dataset, metrics: Sequence[str]) -> Table:
    """Ratios of the rates of every slice, with how often chance alone makes the first one small."""
    groups = []
    for metric in metrics:
        rows = [row for row in _rows(results, data, metric) if row["kind"] == "ratio"]
        lines = []
        for name, model in unique((row["slice"], row["model"]) for row in rows):
            mine = {row["reference"]: row for row in rows if (row["slice"], row["model"]) == (name, model)}
            least, most = (mine.get(name, {}) for name in ("min/max", "max/geometric mean"))
            numbers = (least.get("estimate"), least.get("null_mean"), most.get("estimate"))
            entries = [Entry(fmt.DASH if number is None else fmt.number(number)) for number in numbers]
            lines.append(Line(name, (Entry(model, "text"), *entries)))
        if lines:
            groups.append(Group(tuple(lines), f"{data.name}, {fmt.metric(metric)}"))
    return Table("Ratios of rates, which decide nothing", _RATIOS, tuple(groups))


def _rows(results: Results, data: Dataset, metric: str) -> list[Row]:
    place = results.reference(data.name)
    return [row for row in results.differences_at(data.name, place) if row["metric"] == metric]


def _beside(gap: Row, row: Row) -> bool:
    return row["kind"] == "contrast" and all(row[name] == gap[name] for name in ("model", "slice"))


def _gap_line(row: Row, pairs: Sequence[Row]) -> Line:
    if row["estimate"] is None:
        dash = Entry(fmt.DASH)
        why = Entry("nothing to compare", "text")
        return Line(row["slice"], (Entry(row["model"], "text"), *[dash] * 5, why, dash, dash))
    entries = [
        Entry(row["model"], "text"),
        Entry(fmt.number(row["estimate"])),
        Entry(fmt.number(row["null_mean"])),
        Entry(fmt.number(row["null_p95"])),
        Entry(fmt.probability(row["p"])),
        Entry(fmt.probability(row["p_adjusted"]) + (" (primary)" if row["role"] == "confirmatory" else "")),
    ]
    known = [pair for pair in pairs if pair["estimate"] is not None]
    if not known:
        return Line(row["slice"], (*entries, Entry(fmt.DASH, "text"), *[Entry(fmt.DASH)] * 2))
    widest = max(known, key=lambda pair: abs(pair["estimate"]))
    seen = max((pair["sdd80"] for pair in known if pair["sdd80"] is not None), default=None)
    entries += [
        Entry(f"{widest['value']} {fmt.MINUS} {widest['reference']}", "text"),
        Entry(fmt.estimate(widest)),
        Entry(fmt.number(seen)),
    ]
    return Line(row["slice"], tuple(entries))


def _rest(row: Row) -> str:
    return "all other measured rows" if row["reference"] == "rest" else str(row["reference"])
