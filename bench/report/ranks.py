"""Tables of ranks: how models stand to one another, and which of them the data tell apart.

They show what ``bench.judge.ranks`` ranked and add no test of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import format as fmt
from bench.report.entries import MARK, Entry, reason, state_of
from bench.report.records import Dataset, Place
from bench.report.results import Results, Row, unique
from bench.report.table import Group, Line, Table, words

__all__ = ["condition_table", "rank_rows", "rank_table", "text", "told"]

_RANKS = (
    "A rank is an interval, 1 the best. With {level} confidence the true ranks of all models of a metric lie "
    "in theirs; models are paired by cluster. Models that these data do not tell apart share ranks, and "
    "nothing else is said of their order."
)
_DOUBLES = "Doubles of known quality are not ranked."


def rank_rows(results: Results, data: Dataset, place: Place) -> dict[tuple[str, str], Row]:
    """The ranks under a condition by model and metric, in file order."""
    rows = results.differences_at(data.name, place, "rank")
    return {(row["model"], row["metric"]): row for row in rows}


def told(results: Results) -> tuple[str, ...]:
    """What must be said of ranks."""
    text = _RANKS.format(level=fmt.percent(results.suite.level))
    return (text, _DOUBLES) if any(model.double for model in results.models) else (text,)


def rank_table(results: Results, data: Dataset) -> Table:
    """Models against metrics under the reference condition; no group where nothing is ranked."""
    place = results.reference(data.name)
    rows = rank_rows(results, data, place)
    metrics = unique(metric for _, metric in rows)
    lines = tuple(
        Line(model, tuple(_entry(rows.get((model, metric))) for metric in metrics))
        for model in _models(results, rows)
    )
    caption = f"Ranks on {data.name}, {words(place)}, as intervals that hold for all models at once"
    columns = ("Model", *(fmt.heading(metric) for metric in metrics))
    return Table(caption, columns, (Group(lines),) if lines else ())


def condition_table(results: Results, data: Dataset, metric: str) -> Table:
    """Conditions against models by one metric; no group where nothing is ranked."""
    places = results.places(data.name)
    found = {place: rank_rows(results, data, place) for place in places}
    models = _models(results, [key for rows in found.values() for key in rows if key[1] == metric])
    lines = tuple(
        Line(words(place), tuple(_entry(rows.get((model, metric))) for model in models))
        for place, rows in found.items()
    )
    caption = f"Ranks by {fmt.metric(metric)} on {data.name} under each condition"
    return Table(caption, ("Condition", *models), (Group(lines),) if models else ())


def text(row: Row | None) -> str:
    """A rank, which is an interval, and of how many, as "1–2 of 3"; no single rank in it is said.

    >>> text({"estimate": 1.0, "low": 1.0, "high": 2.0, "family": "3 models", "status": "reportable"})
    '1–2 of 3'
    """
    if row is None:
        return fmt.DASH
    if row["estimate"] is None:
        return "not ranked"
    held = fmt.rank(row["low"], row["high"])
    return held if row["low"] is None else f"{held} of {row['family'].removesuffix(' models')}"


def _models(results: Results, keys: Sequence[tuple[str, str]] | dict[tuple[str, str], Row]) -> list[str]:
    ranked = {model for model, _ in keys}
    return [model.name for model in results.models if model.name in ranked]


def _entry(row: Row | None) -> Entry:
    if row is None or row["estimate"] is None:
        return Entry(text(row), "text", reason(row))
    mark = f"{MARK} " if state_of(row) == "insufficient" else ""
    return Entry(mark + text(row), state_of(row), reason(row))
