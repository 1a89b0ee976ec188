"""What ``compare`` prints: old and new beside their paired difference, the whole first, then slices."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich import box
from rich.table import Table

from bench.errors import UserError
from bench.report import format as fmt
from bench.report.console import fits, print_whole, standard_output

if TYPE_CHECKING:
    from rich.console import Console

    from bench.judge.comparison import Compared

__all__ = ["as_json", "print_comparison", "read_margin", "require_margin"]

_COLUMNS = ("Old", "New", f"New {fmt.MINUS} old", "p", "q")
_VERDICTS = ("Not worse", "Equivalent")
_NOTE = (
    "Differences are paired by cluster: the same targets, the same {same}. p and q (the false discovery rate "
    "over all differences) ask whether there is any difference; that none was seen shows nothing. The "
    "interval covers the sampling of {same}, not retraining or seeds."
)
_SAME = {"person": "people", "video": "videos", "clip": "clips"}
_ALONE = "With clips as clusters independence is assumed; if persons recur, intervals are too narrow."
_ROW = (
    "model", "reference", "dataset", "condition", "severity", "where", "slice", "value", "metric",
    "estimate", "low", "high", "level", "method", "n", "clusters", "cluster_unit", "df", "p", "p_adjusted",
    "family", "role", "sdd80", "status", "warning",
)  # fmt: skip


def read_margin(margin: float | None) -> float | None:
    """The margin as given; UserError unless it is a number above 0."""
    if margin is None or (math.isfinite(margin) and margin > 0):
        return margin
    raise UserError(
        "--margin", f"{margin:g} is no margin", "A number above 0, in units of the metric: .02 of accuracy",
        "Give such a number or leave it out",
    )  # fmt: skip


def require_margin(found: Sequence[Compared], margin: float | None) -> None:
    """UserError for a margin as wide as the range of a metric that is compared: no difference lies beyond."""
    from bench.judge.metrics import METRICS

    for name in dict.fromkeys(each.row["metric"] for each in found if each.given and each.non_inferior):
        low, high = METRICS[name.partition("/")[0]].range
        if margin is not None and margin >= high - low:
            raise UserError(
                "--margin",
                f"{margin:g} forbids nothing: no two values of {name} lie more than {high - low:g} apart",
                "A number below that, in units of every metric compared: .02 of accuracy",
                "Give such a number, or name with --metric what the margin is of",
            )  # fmt: skip


def print_comparison(found: Sequence[Compared], margin: float | None, runs: tuple[Path, Path]) -> None:
    """Print every metric of the whole, and of slices the first metric of each cell, with what is to be said.

    Withheld values say so. Two models of one name are told apart by their runs, (new, old).
    """
    console = standard_output()
    verdicts = margin is not None
    for title, group in groupby(found, lambda each: _title(each.row, runs)):
        rows = list(group)
        leading = next((each for each in rows if each.given), rows[0]).row["metric"]
        whole = [([fmt.metric(e.row["metric"])], e) for e in rows if e.row["slice"] is None]
        _print(console, _Shown(title, ("Metric",), whole, verdicts))
        by_slice = [([e.row["slice"], e.row["value"]], e) for e in rows if _in_slice(e, leading)]
        if by_slice:
            head = f"{fmt.heading(leading)} by slice"
            _print(console, _Shown(head, ("Slice", "Value"), by_slice, verdicts))
        for line in _warnings([each for _, each in (*whole, *by_slice)]):
            console.print(fmt.plain(line), markup=False)
    if margin is not None:
        console.print(
            f"Not worse: by no more than {margin:g} (non-inferiority); equivalent: within it either way. "
            "Bounds are one-sided, each at the level of the intervals."
        )
    units = dict.fromkeys(each.row["cluster_unit"] for each in found)
    if "clip" in units:
        console.print(_ALONE)
    console.print(_NOTE.format(same=" or ".join(_SAME[unit] for unit in units)))


def as_json(found: Sequence[Compared], margin: float | None) -> str:
    """One JSON object with every difference; what is withheld or undefined is null."""
    content = {"margin": margin, "differences": [_record(each) for each in found]}
    return json.dumps(content, indent=2, allow_nan=False)


def _record(each: Compared) -> dict[str, Any]:
    row = {name: _plain(each.row.get(name)) for name in _ROW}
    values = {"new": _plain(each.new), "old": _plain(each.old)}
    return {**row, **values, "non_inferior": each.non_inferior, "equivalent": each.equivalent}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _title(row: dict[str, Any], runs: tuple[Path, Path]) -> str:
    condition = fmt.condition(row["condition"], row["severity"], row["where"])
    new, old = row["model"], row["reference"]
    if new == old:
        new, old = (f"{new} of {run}" for run in runs)
    return f"{new} (new) against {old} (old) on {row['dataset']}, {condition}"


def _in_slice(each: Compared, metric: str) -> bool:
    return each.row["slice"] is not None and each.row["metric"] == metric


def _warnings(shown: Sequence[Compared]) -> list[str]:
    """Each thing to be said of the rows shown, once, with the values it is of unless it is of all."""
    of: dict[str, list[str]] = {}
    open_to_all = [each for each in shown if each.row["status"] != "suppressed"]
    for each in open_to_all:
        row = each.row
        name = fmt.metric(row["metric"]) if row["slice"] is None else f"{row['slice']} {row['value']}"
        for text in filter(None, (row["warning"] or "").split("; ")):
            of.setdefault(text, []).append(name)
    return [
        f"Note: {text}." if len(names) == len(open_to_all) else f"Note on {', '.join(names)}: {text}."
        for text, names in of.items()
    ]


class _Shown(NamedTuple):
    """What one table shows: its title, the heads of its names, and the rows, each with its names."""

    title: str
    names: tuple[str, ...]
    rows: list[tuple[list[str], Compared]]
    verdicts: bool


def _print(console: Console, shown: _Shown) -> None:
    """Print a table, on a terminal too narrow for it two numbers above one another in each column."""
    wide = _table(shown, low=False)
    narrow = console.is_terminal and not fits(console, wide)
    print_whole(console, _table(shown, low=True) if narrow else wide)


def _table(shown: _Shown, *, low: bool) -> Table:
    padding = (0, 1, 0, 0) if low else (0, 1)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=padding, title_justify="left", title_style="")
    table.title = fmt.plain(shown.title)
    columns = _in_pairs(_COLUMNS, _VERDICTS) if low else [*_COLUMNS, *_VERDICTS]
    kept = len(columns) if shown.verdicts else len(columns) - (1 if low else 2)
    for name in shown.names:
        table.add_column(name, overflow="fold", no_wrap=not low)
    for name in (*columns[:kept], "State"):
        table.add_column(name, no_wrap=True)
    for names, each in shown.rows:
        numbers, verdicts = _numbers(each), [each.non_inferior or fmt.DASH, each.equivalent or fmt.DASH]
        cells = _in_pairs(numbers, verdicts) if low else [*numbers, *verdicts]
        table.add_row(*(fmt.plain(cell) for cell in (*names, *cells[:kept], each.row["status"])))
    return table


def _in_pairs(numbers: Sequence[str], verdicts: Sequence[str]) -> list[str]:
    """Old above new, the difference above its interval, p above q, and one verdict above the other."""
    old, new, difference, p, q = numbers
    return [f"{old}\n{new}", difference.replace(" [", "\n["), f"{p}\n{q}", "\n".join(verdicts)]


def _numbers(each: Compared) -> list[str]:
    row = each.row
    if row["status"] == "suppressed":
        return ["withheld"] * len(_COLUMNS)
    values = [fmt.number(value, 4) for value in (each.old, each.new)]
    return [*values, _interval(row), *(fmt.probability(row.get(name)) for name in ("p", "p_adjusted"))]


def _interval(row: dict[str, Any]) -> str:
    if math.isnan(row["estimate"]):
        return fmt.UNDEFINED
    value, low, high = (
        fmt.signed(row[name], digits) for name, digits in (("estimate", 4), ("low", 3), ("high", 3))
    )
    return f"{value} (no interval)" if math.isnan(row["low"]) else f"{value} [{low}, {high}]"
