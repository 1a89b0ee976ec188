"""A page as data: the tree of its sections, with numbers as numbers and null where there is none.

Every entry of a table has its text, as people read it, and where it is one number its ``value``, ``low`` and
``high``: unrounded where the estimates have it, else as it is shown. What is withheld or undefined is null.
Figures are their text; their numbers stand in the tables beside them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.parts import Page, Part
from bench.report.table import Table

__all__ = ["as_json", "numbers"]

_TURNING = re.compile("[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_NUMBER = rf"[+{fmt.MINUS}]?(?:\d[\d{fmt.THIN}]*)?(?:\.\d+)?"
_SHOWN = re.compile(rf"(?:\u2020 )?({_NUMBER})(?: \[({_NUMBER}), ({_NUMBER})\])?")


def as_json(page: Page, schema: str, about: Mapping[str, Any]) -> str:
    """The page as JSON text; ``schema`` names its form and version, ``about`` stands before the sections."""
    content = {
        "schema": schema,
        "title": page.title,
        "about": page.about,
        "draft": page.draft,
        **about,
        "banners": list(page.banners),
        "cards": [{"answer": c.answer, "title": c.title, "text": list(c.text)} for c in page.cards],
        "facts": _facts(page.facts),
        "summary": [_part(part) for part in page.summary],
        "sections": [
            {
                "anchor": section.anchor,
                "title": section.title,
                "facts": _facts(section.facts),
                "parts": [_part(part) for part in section.parts],
            }
            for section in page.sections
        ],
        "digests": dict(page.digests),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    # Names are data here and stay as they are, but none may turn around what a reader sees.
    return _TURNING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def numbers(entry: Entry) -> tuple[float | None, float | None, float | None]:
    """The number of an entry and the ends of its interval; None where it is no number, or withheld.

    >>> numbers(Entry("0.655 [0.640, 0.671]")), numbers(Entry("withheld", "suppressed"))
    ((0.655, 0.64, 0.671), (None, None, None))
    """
    if any(number is not None for number in (entry.value, entry.low, entry.high)):
        return _finite(entry.value), _finite(entry.low), _finite(entry.high)
    found = _SHOWN.fullmatch(entry.text) if entry.kind not in ("text", "digest", "sentence") else None
    if found is None or not found[1]:
        return None, None, None
    value, low, high = (None if text is None else _read(text) for text in found.groups())
    return value, low, high


def _read(text: str) -> float | int:
    plain = text.replace(fmt.THIN, "").replace(fmt.MINUS, "-")
    return float(plain) if "." in plain else int(plain)


def _finite(number: float | None) -> float | None:
    return None if number is None or not math.isfinite(number) else number


def _facts(facts: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"term": term, "text": text} for term, text in facts]


def _part(part: Part) -> dict[str, Any]:
    return {
        "title": part.title,
        "text": list(part.text),
        **({"quote": part.quote} if part.quote else {}),
        "figures": [{"caption": figure.caption, "text": figure.alt} for figure in part.figures],
        "tables": [_table(table) for table in part.tables],
    }


def _table(table: Table) -> dict[str, Any]:
    groups = [
        {
            "title": group.title,
            "lines": [
                {"head": line.head, "entries": [_entry(each) for each in line.entries]}
                for line in group.lines
            ],
        }
        for group in table.groups
    ]
    columns, notes = list(table.columns), list(table.told)
    return {"caption": table.caption, "columns": columns, "groups": groups, "notes": notes}


def _entry(entry: Entry) -> dict[str, Any]:
    value, low, high = numbers(entry)
    known = {"value": value, "low": low, "high": high}
    note = {"note": entry.note} if entry.note else {}
    if entry.kind in ("text", "digest", "sentence"):
        known = {}
    elif low is None and high is None:
        known = {"value": value}
    return {"text": entry.text, "kind": entry.kind, **known, **note}
