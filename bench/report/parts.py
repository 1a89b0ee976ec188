"""What a page is made of: cards, sections of parts, and a part of sentences, figures and tables.

``bench.report.render`` writes it as HTML, ``page_markdown`` as Markdown and ``page_json`` as JSON: one tree,
so that no format shows a number that another does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.report.drawing import Figure
from bench.report.table import Table

__all__ = ["ANSWERS", "Answer", "Card", "Page", "Part", "Section"]

Answer = Literal["holds", "fails", "unknown", "told"]
ANSWERS: dict[Answer, str] = {
    "holds": "Holds", "fails": "Fails", "unknown": "Unknown", "told": "For the record",
}  # fmt: skip
"""The word of each answer, which stands beside its colour and mark."""


@dataclass(frozen=True)
class Part:
    """A stretch of a section under its own heading: sentences, figures, tables.

    ``quote`` is what somebody else wrote, word for word.
    """

    title: str
    text: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    quote: str = ""


@dataclass(frozen=True)
class Section:
    """A section with an anchor: terms with what they are, then parts."""

    anchor: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Card:
    """One answer of a first screen: what it says, in sentences, and the section where it is borne out.

    A ``wide`` one takes the whole width, and is read before those beside one another below it.
    """

    answer: Answer
    title: str
    text: tuple[str, ...]
    anchor: str
    wide: bool = False


@dataclass(frozen=True)
class Page:
    """The whole report; ``cards`` stand before all else, ``draft`` where nobody signs it yet."""

    title: str
    about: str
    banners: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    summary: tuple[Part, ...]
    sections: tuple[Section, ...]
    digests: tuple[tuple[str, str], ...]
    cards: tuple[Card, ...] = ()
    draft: bool = False
