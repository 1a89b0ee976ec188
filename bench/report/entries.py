"""Entries of a table: the text of one estimate or count, what it is, and why a part of it is not there.

A reason comes from the ``warning`` of the estimate's row; nothing here finds one of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench.report import format as fmt
from bench.report.results import Row, unique

__all__ = [
    "INSUFFICIENT", "MARK", "Entry", "counted", "counted_over", "coverage", "estimated", "reason", "shown",
    "sized", "state_of",
]  # fmt: skip

MARK = "\u2020"
INSUFFICIENT = f"{MARK} too little data: shown, never compared."
"""What the mark says, below every table that has it."""
_REASONS = (
    "not ranked", "no interval", "no gap", "no test", "no bootstrap interval", "undefined", "unavailable",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One entry of a table: its text, what it is, which decides how it looks, and a footnote or none.

    ``value``, ``low`` and ``high`` are what the text rounds, where it is of one number: None of what is
    withheld or undefined. Data formats give them; two entries of one text are equal without them.
    """

    text: str
    kind: str = "number"
    note: str = ""
    value: float | None = field(default=None, compare=False)
    low: float | None = field(default=None, compare=False)
    high: float | None = field(default=None, compare=False)


def state_of(row: Row | None) -> str:
    """The state that a reader must know.

    absent, suppressed, unavailable (the predictions lack the output), undefined, insufficient or reportable.
    """
    if row is None:
        return "absent"
    if row["status"] == "suppressed" or row["estimate"] is not None:
        return str(row["status"])
    return "unavailable" if (row["warning"] or "").startswith("unavailable") else "undefined"


def reason(row: Row | None) -> str:
    """Why an estimate has no value, interval or test, in the words of its warning; empty where none is said.

    >>> reason({"warning": "3 rows left out; no interval: fewer than 5 clusters"})
    'no interval: fewer than 5 clusters'
    """
    texts = ((row or {}).get("warning") or "").split("; ")
    return "; ".join(text for text in texts if text.startswith(_REASONS))


def estimated(row: Row | None, digits: int = 3) -> Entry:
    """An estimate with its interval, with the reason where one of them is not there; a dash for no row."""
    if row is None:
        return Entry(fmt.DASH)
    note = reason(row) if row["low"] is None else ""
    numbers = {"value": row["estimate"], "low": row["low"], "high": row["high"]}
    return Entry(fmt.estimate(row, digits), note=note, **numbers)


def shown(row: Row | None, digits: int = 3) -> Entry:
    """An estimate with its interval; insufficient ones carry a dagger, absent ones say so."""
    state = state_of(row)
    if row is None:
        return Entry("not measured", state)
    found = estimated(row, digits)
    if state == "unavailable":
        return Entry(state, state, found.note)
    mark = f"{MARK} " if state == "insufficient" else ""
    return replace(found, text=mark + found.text, kind=state)


def counted(row: Row | None, name: str) -> Entry:
    """A count of an estimate's row: withheld where the value is."""
    if row is not None and row["status"] == "suppressed":
        return Entry(fmt.WITHHELD, "suppressed")
    if row is not None and name == "clusters":
        return Entry(fmt.clusters(row["clusters"], row["cluster_unit"]), value=row["clusters"])
    number = row[name] if row is not None else None
    return Entry(fmt.count(number), value=number)


def counted_over(rows: Sequence[Row | None], name: str) -> Entry:
    """A count of several estimates, as a range where they differ; of those without output nothing counts."""
    known = [row for row in rows if row is not None and state_of(row) != "unavailable"]
    differ = len({row[name] for row in known if row["status"] != "suppressed"}) > 1
    if not differ:
        return counted(next(iter(known or [row for row in rows if row is not None]), None), name)
    text = fmt.spanned(row[name] for row in known)
    if name == "clusters":
        units = unique(fmt.CLUSTERS.get(row["cluster_unit"], "clusters") for row in known)
        text = f"{text} {' or '.join(units)}"
    return Entry(text)


def sized(row: Row | None) -> Entry:
    """The rows and clusters of one estimate, as "169 / 48"."""
    if row is None or row["status"] == "suppressed":
        return counted(row, "n")
    return Entry(f"{fmt.count(row['n'])} / {fmt.count(row['clusters'])}")


def coverage(row: Row | None) -> Entry:
    """The share of an estimate's rows that have an answer."""
    if row is None or row["status"] == "suppressed":
        return counted(row, "n")
    share = row["coverage"]
    return Entry(fmt.DASH if share is None else fmt.number(share), value=share)
