"""A report read back as a page: its tags, tables, texts and pictures."""

from __future__ import annotations

import base64
import html.parser
import re
from pathlib import Path
from xml.etree import ElementTree as ET

from bench.report.render import render

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "img", "br", "link", "wbr"}


class Reader(html.parser.HTMLParser):
    """Collects what a test asks of a page, and fails on tags that do not balance."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.texts: list[str] = []
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs)), f"an attribute is repeated in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append(("", []))
        if tag == "tr":
            self.tables[-1][1].append([])
        if tag in ("td", "th"):
            self.tables[-1][1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.texts.append(data)
        if "caption" in self.open:
            caption, rows = self.tables[-1]
            self.tables[-1] = (caption + data, rows)
        if {"td", "th"} & set(self.open):
            self.tables[-1][1][-1][-1] += data

    def table(self, caption: str) -> list[list[str]]:
        """The rows of the only table whose caption begins so."""
        found = [rows for c, rows in self.tables if c.startswith(caption)]
        assert len(found) == 1, [c for c, _ in self.tables]
        return found[0]


def read(run: Path) -> tuple[str, Reader]:
    text = render(run).read_text(encoding="utf-8")
    return text, Reader(text)


def parse(svg: bytes) -> ET.Element:
    """The root of an SVG that the report drew."""
    return ET.fromstring(svg)  # noqa: S314 - our own file


def svgs(page: Reader) -> list[ET.Element]:
    prefix = "data:image/svg+xml;base64,"
    sources = [attrs["src"] or "" for tag, attrs in page.tags if tag == "img"]
    assert sources
    assert all(source.startswith(prefix) for source in sources)
    return [parse(base64.b64decode(source.removeprefix(prefix))) for source in sources]


def svg_text(root: ET.Element) -> list[str]:
    return ["".join(node.itertext()) for node in root.iter(f"{SVG}text")]
