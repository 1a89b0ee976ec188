"""What a page is made of: sections of parts, and a part of sentences, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.drawing import Figure
from bench.report.table import Table

__all__ = ["Page", "Part", "Section"]


@dataclass(frozen=True)
class Part:
    """A stretch of a section under its own heading: sentences, figures, tables."""

    title: str
    text: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Section:
    """A section with an anchor: terms with what they are, then parts."""

    anchor: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    about: str
    banners: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    summary: tuple[Part, ...]
    sections: tuple[Section, ...]
    digests: tuple[tuple[str, str], ...]
