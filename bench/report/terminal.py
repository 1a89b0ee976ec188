"""A run in the terminal: the headline, the slices of the leading metric, gaps, misses, where the rest is.

Tables fold names and never cut a number, whatever the width, and are plain where the output is no terminal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.folder import RunFolder
from bench.report import differences, notes, ranks, reliance, robustness
from bench.report import format as fmt
from bench.report.banners import banners, locked, sought
from bench.report.console import fits, print_whole
from bench.report.entries import reason, state_of
from bench.report.funnel import steps
from bench.report.primary import untestable
from bench.report.records import Dataset, Model, Place
from bench.report.results import Results, Row, read_results
from bench.report.selection import folded, gap_rows, headline_rows, slicing_metric
from bench.report.speed import speed_json, speed_lines
from bench.tables import STATUSES

__all__ = ["as_json", "cautions", "summarise"]

_GAP = (
    "model", "dataset", "slice", "value", "metric", "reference", "estimate", "null_mean", "null_p95", "p",
    "p_adjusted", "family", "role", "method", "clusters", "cluster_unit", "slices_left_out", "warning",
)  # fmt: skip
_MATCHED = "Gaps at equal shares of the labels (base-rate-matched) stand in the report and in --json."
_RANK = (
    "model", "dataset", "metric", "low", "high", "family", "level", "method", "clusters", "cluster_unit",
    "status", "warning",
)  # fmt: skip
_GAPS = (
    "A gap is the largest minus the smallest reportable value. p and q (the false discovery rate) hold it "
    "against what chance alone makes."
)
_SHOWN = ("estimate", "low", "high", "level", "method", "n", "clusters", "cluster_unit", "n_eff", "coverage")


def summarise(run: Path, console: Console) -> None:
    """Print the summary of a finished run; UserError where the folder holds none."""
    results = read_results(run)
    for text in banners(results):
        print_whole(console, Text(fmt.plain(text), style="yellow"))
    for text in sought(results):
        print_whole(console, Text(fmt.plain(text), style="dim"))
    shown = [what for data in results.datasets for what in _of_dataset(results, data, console)]
    for what in shown:
        print_whole(console, what)
    if any(_withholds(what) for what in shown):
        print_whole(console, Text(notes.withheld(results), style="dim"))
    print_whole(console, Text(notes.COVERED_BY_INTERVALS, style="dim"))
    if results.lock is not None and results.lock.followed:
        print_whole(console, Text(fmt.plain(locked(results)), style="dim"))
    if gaps := [row for data in results.datasets for row in gap_rows(results, data)]:
        matched = [_MATCHED] if any(row["reference"] for row in gaps) else []
        told = " ".join((_GAPS, *differences.families(gaps), *matched))
        print_whole(console, Text(fmt.plain(told), style="dim"))
    missing = [text for data in results.datasets for text in untestable(results, data)]
    for text in [*missing, *speed_lines(results)]:
        print_whole(console, Text(fmt.plain(text)))


def cautions(run: Path) -> list[str]:
    """What a reader must know before any number, one plain line each; UserError as for ``summarise``."""
    return [fmt.plain(text) for text in banners(read_results(run))]


def as_json(run: Path) -> dict[str, Any]:
    """The summary as plain JSON values: models, notes, headline estimates, states of slices, gaps, statuses.

    And speed, all conditions, what models rely on and the funnel over all rows, where there are any.
    What is withheld or undefined is null beside its status. ``report`` is null while there is none.
    """
    results = read_results(run)
    report = RunFolder(run).report
    return {
        "affectbench": results.version,
        "run": os.fspath(run),
        "report": os.fspath(report) if report.is_file() else None,
        "suite": results.suite.suite,
        "suite_digest": results.suite_digest,
        "plan": locked(results),
        "lock": None if results.lock is None else results.lock.model_dump(mode="json"),
        "models": [{"name": model.name, "double": model.double} for model in results.models],
        "datasets": [{"name": d.name, "digest": d.digest, "rows": d.rows} for d in results.datasets],
        "notes": list(banners(results)),
        "headline": [entry for data in results.datasets for entry in _headline_json(results, data)],
        "ranks": [
            {**{name: row[name] for name in _RANK}, "rank": row["estimate"]}
            for data in results.datasets
            for row in ranks.rank_rows(results, data, results.reference(data.name)).values()
        ],
        "slices": [entry for data in results.datasets for entry in _slices_json(results, data)],
        "gaps": [
            {**{name: row[name] for name in _GAP}, "status": _gap_state(row)}
            for data in results.datasets
            for row in gap_rows(results, data)
        ],
        "conditions": [
            row for d in results.datasets for row in robustness.conditions_json(results, d.name)
        ],
        "reliance": [row for data in results.datasets for row in reliance.reliance_json(results, data)],
        "funnel": [
            {"model": cell.model, "dataset": cell.dataset, "condition": cell.place.condition,
             "severity": cell.place.severity, "where": cell.place.where or None, **counts}
            for cell in results.cells
            if (counts := steps(results, (cell.model, cell.dataset, cell.place), (None, None)))
        ],
        "speed": speed_json(results),
        "statuses": [
            {
                "model": cell.model, "dataset": cell.dataset, "condition": cell.place.condition,
                "severity": cell.place.severity, "where": cell.place.where or None, "statuses": cell.statuses,
            }
            for cell in results.cells
        ],
    }  # fmt: skip


def _of_dataset(results: Results, data: Dataset, console: Console) -> Iterator[Table | Text]:
    """What is printed of one data set; tables without a row are left out."""
    yield from _with_names(_headline, results, data, console)
    leading = [(m.name, headline_rows(results, data, m.name)) for m in results.models]
    yield from _why((name, fmt.metric(metric), row) for name, rows in leading for metric, row in rows)
    ranked = ranks.rank_rows(results, data, results.reference(data.name))
    yield from _why((name, f"rank by {fmt.metric(metric)}", row) for (name, metric), row in ranked.items())
    metric = slicing_metric(results, data)
    for model in results.models if metric and results.slices(data.name) else ():
        yield _slices(results, data, model.name, str(metric))
        cell = (model.name, data.name, results.reference(data.name))
        parts = ((name, value) for name, values in results.slices(data.name) for value in values)
        yield from _why((*part, results.find(cell, str(metric), part)) for part in parts)
    for make in (_gaps, _misses):
        yield from (table for table in _with_names(make, results, data, console) if table.row_count)
    if more := len(results.places(data.name)[1:]):
        told = [robustness.worst_of(results, data, model.name, metric) for model in results.models if metric]
        yield from (_text(text) for text in (*told, *reliance.lines(results, data)) if text)
        yield Text(f"{fmt.counted(more, 'more condition')}: see the report")


def _with_names(
    make: Callable[[Results, Dataset, Model | None], Table], results: Results, data: Dataset, console: Console
) -> Iterator[Table]:
    """A table of all models where nothing in it need be folded, else one a model under its name."""
    whole = make(results, data, None)
    if fits(console, whole):
        yield whole
    else:
        yield from (make(results, data, model) for model in results.models)


def _why(rows: Iterable[tuple[str, str, Row | None]]) -> Iterator[Text]:
    """Why intervals or values of the table above are not there: a line a reason, with whose it is."""
    found: dict[str, dict[str, list[str]]] = {}
    for group, name, row in rows:
        if row is not None and row["status"] != "suppressed" and row["low"] is None and reason(row):
            found.setdefault(reason(row), {}).setdefault(group, []).append(name)
    lines = []
    for text, groups in found.items():
        whose = "; ".join(f"{group}: {', '.join(names)}" for group, names in groups.items())
        lines.append(f"{text} ({whose})")
    if lines:
        yield Text(fmt.plain("\n".join(lines)) + "\n", style="dim")


def _headline(results: Results, data: Dataset, only: Model | None) -> Table:
    place = results.reference(data.name)
    table = _table(f"{data.name}, all rows", place, only)
    for heading in ("Metric",) if only else ("Model", "Metric"):
        table.add_column(heading, overflow="fold")
    _number_columns(table)
    ranked = ranks.rank_rows(results, data, place)
    for heading in (*(["Rank"] if ranked else []), "State"):
        table.add_column(heading, no_wrap=True)
    for model in (only,) if only else results.models:
        name = _named(model)
        for metric, row in headline_rows(results, data, model.name):
            ranking = [Text(ranks.text(ranked.get((model.name, metric))))] if ranked else []
            shown = (_text(fmt.metric(metric)), *_numbers(row, 4), *ranking, Text(state_of(row)))
            table.add_row(*shown if only else (_text(name), *shown))
            name = ""
    return table


def _named(model: Model) -> str:
    return f"{model.name} (double)" if model.double else model.name


def _slices(results: Results, data: Dataset, model: str, metric: str) -> Table:
    cell = (model, data.name, results.reference(data.name))
    table = _table(f"{model} on {data.name}, {fmt.metric(metric)} by slice", cell[2], None)
    for heading in ("Slice", "Value"):
        table.add_column(heading, overflow="fold")
    _number_columns(table)
    table.add_column("State", no_wrap=True)
    for name, values in results.slices(data.name):
        head = name
        for value in values:
            row = results.find(cell, metric, (name, value))
            table.add_row(_text(head), _text(value), *_numbers(row, 3), Text(state_of(row)))
            head = ""
    return table


def _gaps(results: Results, data: Dataset, only: Model | None) -> Table:
    title = f"{data.name}, largest minus smallest value of each attribute"
    table = _table(title, results.reference(data.name), only)
    for heading in ("Attribute", "Metric") if only else ("Attribute", "Model", "Metric"):
        table.add_column(heading, overflow="fold")
    rows = [row for row in gap_rows(results, data) if row["reference"] is None]
    for heading in ("Gap", "Chance: mean, 95 %", "p", differences.adjusted_head(rows), "Left out"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("State", no_wrap=True)
    before: tuple[str, ...] = ("", "")
    for row in (row for row in folded(rows) if only is None or row["model"] == only.name):
        head = (differences.over(row), row["model"])
        shown = ("" if head[0] == before[0] else head[0], "" if head == before else head[1])
        names = (*shown[: 1 if only else 2], fmt.metric(row["metric"]) if row["metric"] else "all")
        table.add_row(*map(_text, names), *_gap_numbers(row), Text(_gap_state(row)))
        before = head
    return table


def _gap_numbers(row: Row) -> tuple[Text, ...]:
    if row["status"] == "suppressed":
        return tuple(Text(fmt.WITHHELD, style="dim") for _ in range(5))
    left_out = Text(fmt.count(row["slices_left_out"], " "))
    if row["estimate"] is None:
        return *(Text(fmt.DASH) for _ in range(3)), Text(differences.adjusted(row)), left_out
    known = row["null_mean"] is not None
    chance = f"{fmt.number(row['null_mean'])}, {fmt.number(row['null_p95'])}" if known else fmt.DASH
    tested = (fmt.probability(row["p"]), differences.adjusted(row))
    return *(Text(text) for text in (fmt.number(row["estimate"]), chance, *tested)), left_out


def _gap_state(row: Row) -> str:
    """The status of a gap; one without a value is undefined only where enough values were compared."""
    return state_of(row) if row["status"] == "reportable" else str(row["status"])


def _misses(results: Results, data: Dataset, only: Model | None) -> Table:
    place = results.reference(data.name)
    table = _table(f"{data.name}, rows by status", place, only)
    if only is None:
        table.add_column("Model", overflow="fold")
    for status in STATUSES:
        table.add_column(status.replace("_", " "), justify="right", no_wrap=True)
    for model in (only,) if only else results.models:
        cell = results.cell(model.name, data.name, place)
        if cell is not None:
            counts = [fmt.count(cell.statuses.get(status, 0), " ") for status in STATUSES]
            table.add_row(*counts if only else (_text(model.name), *counts))
    return table


def _withholds(what: Table | Text) -> bool:
    """Whether a state in a table says that numbers are withheld."""
    columns = what.columns if isinstance(what, Table) else []
    return any("suppressed" in map(str, column.cells) for column in columns if column.header == "State")


def _table(title: str, place: Place, only: Model | None) -> Table:
    """A table without rows; ``only`` is the model that all of them are of."""
    whose = f"{_named(only)} on " if only else ""
    words = fmt.condition(place.condition, place.severity, place.where)
    heading = Text(fmt.plain(f"{whose}{title} ({words})"), style="bold")
    return Table(title=heading, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))


def _number_columns(table: Table) -> None:
    table.add_column("Estimate, interval", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("Clusters", justify="right", no_wrap=True)


def _numbers(row: Row | None, digits: int) -> tuple[Text, ...]:
    if row is None:
        return Text("not measured", style="dim"), Text(fmt.DASH), Text(fmt.DASH)
    if row["status"] == "suppressed":
        return tuple(Text(fmt.WITHHELD, style="dim") for _ in range(3))
    if state_of(row) == "unavailable":
        return Text("unavailable", style="dim"), Text(fmt.DASH), Text(fmt.DASH)
    clusters = fmt.clusters(row["clusters"], row["cluster_unit"], " ")
    return Text(fmt.estimate(row, digits)), Text(fmt.count(row["n"], " ")), Text(clusters)


def _text(name: str) -> Text:
    """Untrusted text: no markup, no control characters."""
    return Text(fmt.plain(name))


def _headline_json(results: Results, data: Dataset) -> list[dict[str, Any]]:
    return [
        {"model": model.name, "dataset": data.name, "metric": metric, "status": state_of(row)}
        | {name: row[name] for name in _SHOWN}
        for model in results.models
        for metric, row in headline_rows(results, data, model.name)
    ]


def _slices_json(results: Results, data: Dataset) -> list[dict[str, Any]]:
    metric = slicing_metric(results, data)
    found = []
    for model in results.models if metric else ():
        cell = (model.name, data.name, results.reference(data.name))
        states = dict.fromkeys(("reportable", "insufficient", "suppressed", "undefined"), 0)
        for name, values in results.slices(data.name):
            for value in values:
                state = state_of(results.find(cell, str(metric), (name, value)))
                states[state] = states.get(state, 0) + 1
        found.append({"model": model.name, "dataset": data.name, "metric": metric, **states})
    return found
