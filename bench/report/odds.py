"""Tables of fairness criteria: every emotion against the rest, beside each other, per attribute.

They show the gaps that ``bench.judge.odds`` and ``bench.judge.fairness`` made, where a suite asks for one of
the criteria or the metrics behind them, and add no test of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import differences
from bench.report import format as fmt
from bench.report.entries import Entry, reason
from bench.report.records import Dataset
from bench.report.results import Results, Row, unique
from bench.report.table import Group, Line, Table
from bench.spec import members

__all__ = ["CRITERIA", "odds_tables"]

CRITERIA = (
    "Each emotion against the rest. Gap of recall: equal opportunity. Gaps of recall and of the "
    "false-positive rate, and the larger of the two: equalised odds. "
    "Gap of the selection rate, how often the emotion is "
    "said at all: demographic parity, which groups that show different emotions need not have.",
    "A gap is the largest minus the smallest reportable value; beside it p / q against what chance alone "
    "makes. The p of equalised odds is twice the smaller of its two, at most 1.",
)
_NOTHING = "Nothing to compare: of no emotion do two values hold enough"
_COLUMNS = {
    "recall": "Recall gap", "false_positive_rate": "False-positive rate gap",
    "equalised_odds": "Equalised odds", "selection_rate": "Selection rate gap",
}  # fmt: skip


def odds_tables(results: Results, data: Dataset) -> tuple[Table, ...]:
    """A table per slice, one group a model; none where the suite asks for none of it by name."""
    named = {each.partition("/")[0] for name in results.suite.metrics for each in (name, *members(name))}
    rows = [
        row
        for row in results.differences_at(data.name, results.reference(data.name))
        if row["kind"] == "gap" and row["reference"] is None and row["metric"].partition("/")[0] in _COLUMNS
    ]
    stems = [stem for stem in _COLUMNS if stem in named and any(_stem(row) == stem for row in rows)]
    return tuple(
        _table([row for row in rows if row["slice"] == name], str(name), data, stems)
        for name in (unique(row["slice"] for row in rows) if stems else ())
    )


def _table(rows: Sequence[Row], name: str, data: Dataset, stems: Sequence[str]) -> Table:
    columns = ["Emotion", *(text for stem in stems for text in (_COLUMNS[stem], "p / q"))]
    groups, nothing = [], []
    for model, within in unique((row["model"], row["value"]) for row in rows):
        mine = {row["metric"]: row for row in rows if (row["model"], row["value"]) == (model, within)}
        labels = unique(metric.partition("/")[2] for metric in mine)
        lines = tuple(
            Line(label, tuple(e for stem in stems for e in _entries(mine.get(f"{stem}/{label}"))))
            for label in labels
        )
        title = model if within is None else f"{model}, within {within}"
        if all(row["status"] == "insufficient" and row["estimate"] is None for row in mine.values()):
            nothing.append(title)
        else:
            groups.append(Group(lines, title))
    told = (f"{_NOTHING} ({'; '.join(nothing)}).",) if nothing else ()
    caption = f"Gaps between the values of {name} on {data.name}, each emotion against the rest"
    return Table(caption, tuple(columns), tuple(groups), (*differences.families(rows), *told))


def _entries(row: Row | None) -> tuple[Entry, Entry]:
    if row is None:
        return Entry(fmt.DASH), Entry(fmt.DASH)
    if row["status"] == "suppressed":
        return Entry(fmt.WITHHELD, "suppressed"), Entry(fmt.WITHHELD, "suppressed")
    if row["estimate"] is None:
        return Entry(fmt.DASH, note=reason(row)), Entry(fmt.DASH)
    chances = f"{fmt.probability(row['p'])} / {differences.adjusted(row)}"
    return Entry(fmt.number(row["estimate"])), Entry(chances, note=reason(row) if row["p"] is None else "")


def _stem(row: Row) -> str:
    return str(row["metric"]).partition("/")[0]
