"""Pages of a site that needs no server: tables that sort and filter, figures, and the words of others.

A page is one file, opened as it is: its style and its script stand in it, and a content security policy
allows these by their digests and nothing else. Without the script every table is there and complete. Names
and texts are untrusted and always escaped. A table sorts by the ``key`` of its cells, a number or text, and
what has none stands last whichever way.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache, lru_cache

import jinja2
from markupsafe import Markup, escape

from bench.report import format as fmt
from bench.report.drawing import Figure
from bench.report.entries import MARK
from bench.report.render import breakable, environment
from bench.shipped import shipped

__all__ = [
    "Column",
    "Datum",
    "Link",
    "Record",
    "SitePage",
    "SitePart",
    "SiteSection",
    "SiteTable",
    "render_page",
]

_INTERVAL = re.compile(f"(\\[[-+{fmt.MINUS}]?[0-9.]+,) (?=[-+{fmt.MINUS}]?[0-9.]+\\])")
_NUMBERS = ("number", "reportable", "insufficient", "baseline", "rank")


@dataclass(frozen=True)
class Datum:
    """One cell of a table: its text, how it looks, what it sorts by, where it leads and what is said of it.

    ``key`` is a number, or text, or None where there is nothing to sort by.
    """

    text: str
    kind: str = "number"
    key: float | str | None = None
    href: str = ""
    note: str = ""

    @property
    def sort(self) -> str:
        """The key as an attribute, every digit of it."""
        return "" if self.key is None else str(self.key)


@dataclass(frozen=True)
class Column:
    """The head of a column; ``first``: how it sorts first, ascending or descending, "" for not at all."""

    text: str
    first: str = "descending"
    kind: str = "number"


@dataclass(frozen=True)
class Record:
    """A row: what it is of, its cells, and the marks that filters go by (model, double, baseline, ...)."""

    head: Datum
    data: tuple[Datum, ...]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class SiteTable:
    """A table that sorts; ``filters`` are the marks that can be filtered by, with the words of each switch.

    A mark with ``+`` in front is switched on to see rows with it alone; without, off to hide them.
    """

    caption: str
    columns: tuple[Column, ...]
    records: tuple[Record, ...]
    filters: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def footnotes(self) -> list[str]:
        """The notes of the cells, each once, in reading order."""
        cells = (datum for record in self.records for datum in (record.head, *record.data))
        return list(dict.fromkeys(datum.note for datum in cells if datum.note))

    @property
    def told(self) -> list[str]:
        """The notes of the table; that on the mark of too little data only where a cell has the mark."""
        marked = any(MARK in datum.text for record in self.records for datum in record.data)
        return [note for note in self.notes if marked or not note.startswith(MARK)]


@dataclass(frozen=True)
class Link:
    """A place of the site: an address below its folder, and the words that lead there."""

    href: str
    text: str


@dataclass(frozen=True)
class SitePart:
    """A heading with what stands below it; ``quote`` is what somebody else wrote, word for word."""

    title: str
    text: tuple[str, ...] = ()
    tables: tuple[SiteTable, ...] = ()
    figures: tuple[Figure, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    quote: str = ""


@dataclass(frozen=True)
class SiteSection:
    """A section of a page, with the anchor that links lead to."""

    anchor: str
    title: str
    parts: tuple[SitePart, ...]
    facts: tuple[tuple[str, str], ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True)
class SitePage:
    """A page: ``root`` is how the site's folder is called from where the page lies, "" or "../"."""

    title: str
    root: str
    about: tuple[str, ...]
    banners: tuple[str, ...]
    sections: tuple[SiteSection, ...]
    home: Link | None = None
    footer: tuple[str, ...] = ()


def render_page(page: SitePage) -> str:
    """The page as HTML: the same page, the same text."""
    template, style, script = _loaded()
    # Digests cover the characters between the tags, so style and script must enter the page as they are.
    return template.render(
        page=page, style=Markup(style), style_digest=_digest(style),  # noqa: S704 - our own files
        script=Markup(script), script_digest=_digest(script),  # noqa: S704
    )  # fmt: skip


@cache
def _loaded() -> tuple[jinja2.Template, str, str]:
    static = shipped("reports") / "static"
    style = "".join((static / name).read_text(encoding="utf-8") for name in ("report.css", "leaderboard.css"))
    script = (static / "leaderboard.js").read_text(encoding="utf-8")
    made = environment()
    made.filters["rows"] = _rows
    return made.get_template("leaderboard.html.j2"), style, script


def _rows(table: SiteTable) -> Markup:
    """The rows of a table as HTML: of hundreds of thousands of cells a template would take a minute."""
    numbers = {note: number for number, note in enumerate(table.footnotes, 1)}
    lines = []
    for record in table.records:
        cells = "".join(_cell(datum, numbers) for datum in record.data)
        key, head = _safe(record.head.sort), _body(record.head, numbers)
        marks = _safe(" ".join(record.marks))
        lines.append(f'<tr data-marks="{marks}"><th scope="row" data-key="{key}">{head}</th>{cells}</tr>')
    return Markup("\n".join(lines))  # noqa: S704 - every text in it went through _safe


def _cell(datum: Datum, numbers: dict[str, int]) -> str:
    kind, key = _safe(datum.kind), _safe(datum.sort)
    return f'<td class="{kind}" data-key="{key}">{_body(datum, numbers)}</td>'


def _body(datum: Datum, numbers: dict[str, int]) -> str:
    number = datum.kind in _NUMBERS and not datum.href
    text = _unbroken(datum.text) if number else _breaking(datum.text)
    if datum.href:
        text = f'<a href="{_safe(datum.href)}">{text}</a>'
    return f"{text}<sup>{numbers[datum.note]}</sup>" if datum.note else text


@lru_cache(1 << 16)
def _safe(text: str) -> str:
    """Text that is nothing but text, in an element or an attribute."""
    return str(escape(fmt.plain(text)))


@lru_cache(1 << 16)
def _unbroken(text: str) -> str:
    """A number that breaks nowhere but before its interval."""
    return re.sub(r" (?![\[(])", "&nbsp;", _safe(text))


@lru_cache(1 << 16)
def _breaking(text: str) -> str:
    """Text that may break within names, and not within an interval."""
    return _INTERVAL.sub(r"\1&nbsp;", str(breakable(text)))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
