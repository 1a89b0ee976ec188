"""Tables of a report as records of text, and the builders that fill them from results.

A template only loops over these; every string was made by ``bench.report.format``. A table has a caption
and every row a head, so that a screen reader can say what a number is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.report import format as fmt
from bench.report.entries import (
    INSUFFICIENT,
    MARK,
    Entry,
    counted,
    counted_over,
    coverage,
    shown,
    sized,
    state_of,
)
from bench.report.records import Place
from bench.report.results import Results, Row, unique
from bench.tables import STATUSES

__all__ = [
    "Group", "Line", "Table", "class_recall", "extremes", "headline", "misses", "overall",
    "slice_states", "slice_table", "words",
]  # fmt: skip

_WORDS = ("text", "digest", "sentence")
_RANGE = (
    "A range of n or clusters: metrics rest on different rows; each has its own in the table of all rows."
)


@dataclass(frozen=True)
class Line:
    """One row of a table: what it is about, and its entries."""

    head: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Group:
    """Rows that belong together, under a title or none."""

    lines: tuple[Line, ...]
    title: str = ""


@dataclass(frozen=True)
class Table:
    """A caption, the heads of all columns (the first is over the row heads), the groups, and notes below."""

    caption: str
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()

    @property
    def heads(self) -> list[Entry]:
        """The column heads, each text or number as the entries below it."""
        lines = [line.entries for group in self.groups for line in group.lines]
        kinds = {i for entries in lines for i, e in enumerate(entries, 1) if e.kind in _WORDS}
        return [Entry(name, "text" if i in kinds else "number") for i, name in enumerate(self.columns)]

    @property
    def footnotes(self) -> list[str]:
        """The notes of the entries, each once, in reading order."""
        entries = (e for group in self.groups for line in group.lines for e in line.entries)
        return unique(entry.note for entry in entries if entry.note)

    @property
    def told(self) -> tuple[str, ...]:
        """The notes of the table, before them what the mark of too little data says where an entry has it."""
        entries = (e for group in self.groups for line in group.lines for e in line.entries)
        marked = any(entry.text.startswith(f"{MARK} ") for entry in entries)
        return (INSUFFICIENT, *self.notes) if marked else self.notes


def headline(results: Results, metrics: Sequence[str]) -> Table:
    """Models against these metrics, one group per data set."""
    groups = []
    for data in results.datasets:
        lines = []
        for model in results.models:
            cell = (model.name, data.name, results.reference(data.name))
            rows = [results.find(cell, name, (None, None)) for name in metrics]
            counts = (counted_over(rows, "n"), counted_over(rows, "clusters"))
            entries = (*counts, *(shown(row, 4) for row in rows))
            lines.append(Line(f"{model.name} (double)" if model.double else model.name, entries))
        title = f"{data.name}, {words(results.reference(data.name))}"
        groups.append(Group(tuple(lines), title))
    columns = ("Model", "n", "Clusters", *(fmt.heading(name) for name in metrics))
    caption = f"Headline numbers over all rows, estimate and {_level(results)} interval"
    return Table(caption, columns, tuple(groups), _ranged(groups))


def _ranged(groups: Sequence[Group]) -> tuple[str, ...]:
    """What a range of n or clusters means, where there is one."""
    counts = (entry for group in groups for line in group.lines for entry in line.entries[:2])
    return (_RANGE,) if any(fmt.DASH in entry.text[1:] for entry in counts) else ()


def extremes(results: Results, leading: Mapping[str, str], side: str) -> Table:
    """The "Lowest" or "Highest" reportable slice of each attribute, per model, by a data set's metric."""
    groups = []
    for data in results.datasets:
        lines = []
        metric = leading.get(data.name)
        parts = [part for name, values in results.slices(data.name) for part in _compared(name, values)]
        for title, name, values in parts if metric else []:
            for model in results.models:
                cell = (model.name, data.name, results.reference(data.name))
                rows = [results.find(cell, str(metric), (name, value)) for value in values]
                lines.append(Line(title, (Entry(model.name, "text"), *_extreme_of(rows, side))))
        if lines:
            groups.append(Group(tuple(lines), f"{data.name}, by {fmt.metric(str(metric))}"))
    columns = ("Attribute", "Model", f"{side} slice", "Estimate and interval", "n", "Clusters", "Reportable")
    return Table(f"{side} reportable slice of each attribute", columns, tuple(groups))


def _compared(name: str, values: Sequence[str]) -> list[tuple[str, str, list[str]]]:
    """A title, the slice and the values that are compared with each other: within each value of a control.

    >>> _compared("sex|age", ["F|<30", "M|<30", "F|>=30"])[0]
    ('sex|age within <30', 'sex|age', ['F|<30', 'M|<30'])
    """
    if "|" not in name:
        return [(name, name, list(values))]
    given = unique(value.rpartition("|")[2] for value in values)
    return [(f"{name} within {g}", name, [v for v in values if v.rpartition("|")[2] == g]) for g in given]


def _extreme_of(rows: Sequence[Row | None], side: str) -> tuple[Entry, ...]:
    known = [row for row in rows if row is not None and state_of(row) == "reportable"]
    compared = Entry(f"{len(known)} of {len(rows)}")
    if not known:
        return (Entry("none reportable", "text"), *[Entry(fmt.DASH)] * 3, compared)
    ordered = sorted(known, key=lambda r: float(r["estimate"]), reverse=side == "Highest")
    row = ordered[0]
    # Apart by rounding in the last bit is not apart.
    if len(known) > 1 and abs(ordered[-1]["estimate"] - row["estimate"]) < 1e-9:
        number = Entry(fmt.number(row["estimate"]))
        return (Entry("all equal", "text"), number, *[Entry(fmt.DASH)] * 2, compared)
    alone = " (the only one)" if len(known) == 1 else ""
    value = Entry(f"{row['value']}{alone}", "text")
    return (value, shown(row), counted(row, "n"), counted(row, "clusters"), compared)


def slice_states(results: Results, leading: Mapping[str, str]) -> Table:
    """How many slices are in which state, per data set and model, by the metric that leads."""
    groups = []
    states = ("reportable", "insufficient", "suppressed", "undefined")
    for data in results.datasets:
        parts = [(name, value) for name, values in results.slices(data.name) for value in values]
        metric = leading.get(data.name)
        if not parts or metric is None:
            continue
        lines = []
        for model in results.models:
            cell = (model.name, data.name, results.reference(data.name))
            found = [state_of(results.find(cell, metric, part)) for part in parts]
            lines.append(Line(model.name, tuple(Entry(fmt.count(found.count(s))) for s in states)))
        groups.append(Group(tuple(lines), f"{data.name}, by {fmt.metric(metric)}"))
    return Table("Slices by state", ("Model", *(state.capitalize() for state in states)), tuple(groups))


def misses(results: Results, dataset: str, places: Sequence[Place]) -> Table:
    """Rows by status, per condition and model; the conditions of a lone model below one another."""
    cells = [(p, cell) for p in places for m in results.models if (cell := results.cell(m.name, dataset, p))]
    known = [s for s in STATUSES if s != "ok"]
    lone = len(results.models) == 1 and len(places) > 1
    lines: dict[str, list[Line]] = {}
    for place, cell in cells:
        counts = (sum(cell.statuses.values()), *(cell.statuses.get(s, 0) for s in ("ok", *known)))
        title, head = (cell.model, words(place)) if lone else (words(place), cell.model)
        line = Line(head, tuple(Entry(fmt.count(n)) for n in counts))
        lines.setdefault(f"{dataset}, {title}", []).append(line)
    first = "Condition" if lone else "Model"
    columns = (first, "Rows", "ok", *(status.replace("_", " ") for status in known))
    caption = "Rows by status: a miss counts as wrong, a decode error leaves the denominators"
    return Table(caption, columns, tuple(Group(tuple(found), title) for title, found in lines.items()))


def overall(results: Results, dataset: str, metrics: Sequence[str], caption: str) -> Table:
    """Metrics over all rows: one row each, an estimate and n per model."""
    place = results.reference(dataset)
    lines = []
    for name in metrics:
        rows = [results.find((m.name, dataset, place), name, (None, None)) for m in results.models]
        counts = (counted_over(rows, "n"), counted_over(rows, "clusters"))
        lines.append(Line(fmt.metric(name), (*counts, *map(shown, rows))))
    columns = ("Metric", "n", "Clusters", *(model.name for model in results.models))
    return Table(caption, columns, (Group(tuple(lines)),))


def class_recall(results: Results, dataset: str) -> Table | None:
    """Recall of each class, the share of its rows that were called so; None where no class was measured."""
    metrics = [name for name in results.metrics(dataset) if name.startswith("recall/")]
    if not metrics:
        return None
    table = overall(results, dataset, metrics, "Recall of each class, over all rows")
    named = tuple(
        Line(name.removeprefix("recall/"), line.entries)
        for name, line in zip(metrics, table.groups[0].lines, strict=True)
    )
    return Table(table.caption, ("Class", *table.columns[1:]), (Group(named),))


def slice_table(results: Results, model: str, dataset: str, metrics: Sequence[str]) -> Table:
    """Every slice of one model: counts, coverage, and each metric with interval, effective n and state.

    n and clusters stand once where all metrics share them, else beside each metric.
    """
    cell = (model, dataset, results.reference(dataset))
    shared = _share_counts(results, cell, metrics)
    effective = _with_effective_n(results, cell, metrics)
    groups = []
    counts = "once" if shared else "each"
    whole: tuple[str | None, Sequence[str | None]] = (None, [None])
    for name, values in [whole, *results.slices(dataset)]:
        lines = []
        for value in values:
            rows = {metric: results.find(cell, metric, (name, value)) for metric in metrics}
            lines.append(_slice_line(value or "all rows", rows, effective, counts))
        groups.append(Group(tuple(lines), name or ""))
    columns = ["Slice", *(["n", "Clusters"] if shared else []), "Coverage"]
    for metric in metrics:
        own = [] if shared else ["n / clusters"]
        columns += [fmt.heading(metric), *own, *(["n_eff"] if metric in effective else [])]
    named = ", ".join(fmt.metric(name) for name in metrics)
    caption = f"{model} on {dataset}: {named} by slice, estimate and {_level(results)} interval"
    return Table(caption, (*columns, "State"), tuple(groups))


def _slice_line(head: str, rows: dict[str, Row | None], effective: set[str], counts: str) -> Line:
    """One value of a slice, n and clusters "once" before all metrics or "each" beside its metric."""
    first = next((row for row in rows.values() if row is not None), None)
    once = [counted(first, "n"), counted(first, "clusters")] if counts == "once" else []
    entries = [*once, coverage(first)]
    for name, row in rows.items():
        own = [sized(row)] if counts == "each" else []
        entries += [shown(row), *own, *([counted(row, "n_eff")] if name in effective else [])]
    return Line(head, (*entries, _state(list(rows), list(rows.values()))))


def _share_counts(results: Results, cell: tuple[str, str, Place], metrics: Sequence[str]) -> bool:
    """Whether in every slice all metrics rest on as many rows and clusters."""
    found: dict[tuple[str | None, str | None], set[tuple[int, int]]] = {}
    for row in results.at(*cell):
        if row["metric"] in metrics and state_of(row) not in ("suppressed", "unavailable"):
            found.setdefault((row["slice"], row["value"]), set()).add((row["n"], row["clusters"]))
    return all(len(counts) == 1 for counts in found.values())


def _with_effective_n(results: Results, cell: tuple[str, str, Place], metrics: Sequence[str]) -> set[str]:
    return {row["metric"] for row in results.at(*cell) if row["n_eff"] is not None} & set(metrics)


def _state(metrics: Sequence[str], rows: Sequence[Row | None]) -> Entry:
    """One state where all metrics agree, else each state with its metrics."""
    by_state: dict[str, list[str]] = {}
    for name, row in zip(metrics, rows, strict=True):
        by_state.setdefault(state_of(row), []).append(fmt.metric(name).removesuffix(" (WAR)"))
    if len(by_state) == 1:
        return Entry(next(iter(by_state)), "text")
    told = [f"{state}: {', '.join(names)}" for state, names in by_state.items()]
    return Entry("; ".join(told), "text")


def words(place: Place) -> str:
    """A condition in words."""
    return fmt.condition(place.condition, place.severity, place.where)


def _level(results: Results) -> str:
    return fmt.percent(results.suite.level)
