"""A page as Markdown: headings, sentences, pipe tables; of a figure the text that stands for it.

Every text is escaped, for names and labels come from elsewhere: nothing in it is markup, opens a tag or
breaks out of a cell. It shows what the HTML shows, word for word; pictures it has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.parts import ANSWERS, Page, Part
from bench.report.table import Table

__all__ = ["as_markdown", "escaped"]

_MARKUP = re.compile(r"([\\`*_{}\[\]|#~$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str) -> str:
    r"""One line in which nothing is markup, a link or a tag.

    >>> escaped("a|b <i> `c`\nd"), escaped("- see https://x.org")
    ('a\\|b &lt;i&gt; \\`c\\` d', '\\- see https\\://x.org')
    >>> escaped("1. no list"), escaped("2027-12-02 is no list")
    ('1\\. no list', '2027-12-02 is no list')
    """
    line = " ".join(fmt.plain(text).split("\n")).strip()
    line = _MARKUP.sub(r"\\\1", re.sub("[&<>]", lambda found: _ENTITIES[found[0]], line))
    line = line.replace("://", "\\://").replace("www.", "www\\.")
    # No list, rule or heading begins the line.
    return re.sub(r"^(\d+(?=[.)](?:\s|$))|(?=[-+=]))", r"\1\\", line)


def as_markdown(page: Page) -> str:
    """The whole page as Markdown (GitHub's, for its tables)."""
    lines = [f"# {escaped(page.title)}", ""]
    lines += [f"{escaped(page.about)}\n"] if page.about else []
    for text in page.banners:
        lines += [f"> {escaped(text)}", ""]
    for card in page.cards:
        lines += [f"## {ANSWERS[card.answer]}: {escaped(card.title)}", ""]
        lines += [*(f"- {escaped(text)}" for text in card.text), ""]
    lines += _facts(page.facts)
    for part in page.summary:
        lines += _part(part)
    for section in page.sections:
        lines += [f"## {escaped(section.title)}", "", *_facts(section.facts)]
        for part in section.parts:
            lines += _part(part)
    lines += ["---", "", *(f"- {escaped(name)} sha256 {escaped(digest)}" for name, digest in page.digests)]
    return "\n".join(lines) + "\n"


def _facts(facts: Sequence[tuple[str, str]]) -> list[str]:
    return [*(f"- **{escaped(term)}**: {escaped(text)}" for term, text in facts), ""] if facts else []


def _part(part: Part) -> Iterator[str]:
    yield from (f"### {escaped(part.title)}", "")
    for text in part.text:
        yield from (escaped(text), "")
    if part.quote:
        yield from (*_verbatim(part.quote), "")
    for figure in part.figures:
        yield from (f"Figure: {escaped(figure.caption)}", "", escaped(figure.alt), "")
    for table in part.tables:
        yield from _table(table)


def _verbatim(text: str) -> Iterator[str]:
    """Lines in a fence that no line of theirs ends."""
    fence = "`" * (1 + max([2, *(len(run) for run in re.findall("`+", text))]))
    yield from (f"{fence}text", *fmt.plain(text).rstrip("\n").split("\n"), fence)


def _table(table: Table) -> Iterator[str]:
    if table.groups:
        yield from (f"**{escaped(table.caption)}**", "")
        yield _row(head.text for head in table.heads)
        kinds = ["text", *(head.kind for head in table.heads[1:])]  # the first heads the rows
        yield _row(("---:" if kind == "number" else "---" for kind in kinds), raw=True)
        for group in table.groups:
            if group.title:
                yield _row([f"**{escaped(group.title)}**", *[""] * (len(table.columns) - 1)], raw=True)
            for line in group.lines:
                yield _row([line.head, *(_entry(entry, table) for entry in line.entries)])
        yield ""
    for number, note in enumerate(table.footnotes, 1):
        yield from (f"Note {number}: {escaped(note)}", "")
    for note in table.told:
        yield from (escaped(note), "")


def _entry(entry: Entry, table: Table) -> str:
    return f"{entry.text} (note {table.footnotes.index(entry.note) + 1})" if entry.note else entry.text


def _row(cells: Sequence[str] | Iterator[str], *, raw: bool = False) -> str:
    return f"| {' | '.join(cell if raw else escaped(cell) for cell in cells)} |"
