"""The funnel of a report: how many targets each step from the medium to the right label is left with.

By slice under the reference condition, and by condition over all rows. Counts are the estimates' own: a share
times the rows it is of. What is withheld there is withheld here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.judge.metrics import FUNNEL
from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.records import Dataset, Place
from bench.report.results import Results, Row
from bench.report.table import Group, Line, Table, words

__all__ = ["TOLD", "funnel_tables", "steps"]

TOLD = (
    "How many targets are left after each step from the medium to the right label, and their share of those "
    "that decode (of the decoded, of all targets; of the right, of those with a label). A target that a step "
    "lost is lost to all steps after it, though the model may have given an answer, even a right one. Right "
    "face: it overlaps with the given box by half or more. Followed: it was found in half of the frames or "
    "more. Aligned: its five points are within a tenth of the eyes' distance of the given ones. "
    "Targets without a given box or points count as passed there, and so do all under conditions that turn "
    "the face away from its given points.",
)
_HEADS = ("Decoded", "Face found", "Right face", "Followed", "Aligned", "Predicted", "Right")
_UNKNOWN = "{} is not known where the targets have no column '{}'."

Cell = tuple[str, str, Place]
Part = tuple[str | None, str | None]


def funnel_tables(results: Results, data: Dataset) -> tuple[Table, ...]:
    """The tables of a data set; none where no faces were sought."""
    place, slices = results.reference(data.name), results.slices(data.name)
    by_slice: list[Group] = []
    by_condition: list[Group] = []
    places = results.places(data.name)
    for model in (m.name for m in results.models if _known(results, (m.name, data.name, place))):
        cell = (model, data.name, place)
        whole = [_line(results, "all rows", cell, (None, None))]
        by_slice.append(Group(tuple(whole), model))
        for name, values in slices:
            lines = (_line(results, value, cell, (name, value)) for value in values)
            by_slice.append(Group(tuple(lines), f"{model}, {name}"))
        if len(places) > 1:
            cells = [(model, data.name, each) for each in places]
            lines = (_line(results, words(each[2]), each, (None, None)) for each in cells)
            by_condition.append(Group(tuple(lines), model))
    made = [
        ("Slice", by_slice, f"Targets left after each step on {data.name}, {words(place)}"),
        (
            "Condition",
            by_condition,
            f"Targets left after each step on {data.name} by condition, over all rows",
        ),
    ]
    return tuple(_table(first, groups, caption) for first, groups, caption in made if groups)


def steps(results: Results, cell: Cell, part: Part) -> dict[str, int | None]:
    """The targets and how many each step is left with; None where it is not known, empty without a funnel."""
    rows = {name: results.find(cell, name, part) for name in FUNNEL}
    first = rows["funnel_decoded"]
    if first is None:
        return {}
    return {
        "targets": first["n"],
        **{name.removeprefix("funnel_"): _count(row) for name, row in rows.items()},
    }


def _known(results: Results, cell: Cell) -> bool:
    row = results.find(cell, "funnel_decoded", (None, None))
    return row is not None and row["estimate"] is not None


def _count(row: Row | None) -> int | None:
    return None if row is None or row["estimate"] is None else round(row["estimate"] * row["n"])


def _line(results: Results, head: str, cell: Cell, part: Part) -> Line:
    rows: list[Row | None] = [results.find(cell, name, part) for name in FUNNEL]
    return Line(head, (_targets(rows[0]), *map(_entry, rows)))


def _targets(row: Row | None) -> Entry:
    withheld = row is not None and row["status"] == "suppressed"
    return Entry(fmt.WITHHELD, "suppressed") if withheld else Entry(fmt.count(row["n"] if row else None))


def _entry(row: Row | None) -> Entry:
    if row is not None and row["status"] == "suppressed":
        return Entry(fmt.WITHHELD, "suppressed")
    count: Any = _count(row)
    return Entry(
        fmt.DASH if row is None or count is None else f"{fmt.count(count)} ({_share(row['estimate'])})"
    )


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(first: str, groups: Sequence[Group], caption: str) -> Table:
    """The table without the steps of which nothing is known, which are named below it."""
    lines = [line.entries for group in groups for line in group.lines]
    unknown = [i for i in range(1, len(_HEADS) + 1) if all(entries[i].text == fmt.DASH for entries in lines)]
    kept = [i for i in range(len(_HEADS) + 1) if i not in unknown]
    shorter = tuple(
        Group(
            tuple(Line(line.head, tuple(line.entries[i] for i in kept)) for line in group.lines), group.title
        )
        for group in groups
    )
    heads = ("Targets", *_HEADS)
    columns = dict(zip(_HEADS, FUNNEL.values(), strict=True))
    notes = tuple(_UNKNOWN.format(heads[i], columns[heads[i]]) for i in unknown if columns[heads[i]])
    return Table(caption, (first, *(heads[i] for i in kept)), shorter, notes)
