"""The tables beside figures: the numbers drawn, a row of the figure a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.report import format as fmt
from bench.report.entries import counted_over, shown
from bench.report.results import Results, Row
from bench.report.table import Group, Line, Table

__all__ = ["TABLED", "Find", "estimates_of", "left_out", "models_table"]

_Part = tuple[str | None, str | None]
Find = Callable[[str, _Part], Row | None]
"""What a figure shows of a model and a (slice, value), both None overall."""

TABLED = "The table beside it holds its numbers."


def estimates_of(results: Results, dataset: str, metric: str) -> Find:
    """The estimates of a metric under the reference condition, by model and slice value."""
    place = results.reference(dataset)
    return lambda model, part: results.find((model, dataset, place), metric, part)


def models_table(results: Results, dataset: str, names: Sequence[str], find: Find, caption: str) -> Table:
    """What ``find`` has of all rows and of every value of the slices, a column a model."""
    groups = []
    whole: tuple[str | None, Sequence[str | None]] = (None, [None])
    for name, values in [whole, *results.slices(dataset)]:
        lines = []
        for value in values:
            rows = [find(model, (name, value)) for model in names]
            counts = (counted_over(rows, "n"), counted_over(rows, "clusters"))
            lines.append(Line(value or "all rows", (*counts, *map(shown, rows))))
        groups.append(Group(tuple(lines), name or ""))
    return Table(caption, ("Slice", "n", "Clusters", *names), tuple(groups))


def left_out(drawn: int, found: int, what: str, where: str) -> tuple[str, ...]:
    """How many of something are not drawn, where not all are, and what holds their numbers.

    >>> left_out(2, 5, "comparisons", "estimates.parquet")
    ('3 of 5 comparisons are not drawn; estimates.parquet holds them.',)
    """
    if drawn >= found:
        return ()
    rest, every = fmt.count(found - drawn), fmt.count(found)
    return (f"{rest} of {every} {what} are not drawn; {where} holds them.",)
