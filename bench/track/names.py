"""Metric names that MLflow accepts, the same for the same estimate in every run.

::

    uar                            overall
    recall/fear                    a metric of one label
    uar/sex/Female                 a slice
    uar/race.and.sex/Asian.and.Male   an intersection (race&sex, Asian&Male)
    uar/sex.given.age/Male.given..lt.30   within a value of a control (sex|age, Male|<30)
    gap/uar/sex                    any other kind stands in front
    contrast/uar/sex/Female.vs.rest   and what it is compared with behind
    uar.low  uar.high              the bounds of the interval

MLflow takes letters, digits, ``_ - . /`` and spaces (a colon not on Windows). Every other character, and
every ``/`` or sentence dot inside a part, is written as a word between two dots, so two estimates never
share a name: a dot before a digit is a dot, a dot before a letter opens a word. (Whether a metric has a
label follows from the metric, and no metric is called like a kind.) Nothing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bench.digest import digest_bytes

__all__ = ["metric_name", "part"]

_WORDS = {"&": "and", "|": "given", "/": "slash", "<": "lt", ">": "gt", "=": "eq", "+": "plus"}
_ILLEGAL = re.compile(r"[^\w\- .]|\.(?![0-9])|^ | $")
_LONGEST = 250 - len(".high")


def part(text: str) -> str:
    """Write one part of a name (a metric, an attribute, a value) in the characters MLflow accepts.

    One to one: different texts give different parts. Letters of any script stay.

    >>> part("Asian&Male"), part("0.5-1.5"), part("[20, 30)")
    ('Asian.and.Male', '0.5-1.5', '.x5B.20.x2C. 30.x29.')
    >>> part("e.g."), part("")
    ('e.x2E.g.x2E.', '.empty.')
    """
    return _ILLEGAL.sub(lambda match: f".{_word(match.group())}.", text) if text else ".empty."


def metric_name(row: Mapping[str, Any]) -> str:
    """The name of one row of Estimates, at most 245 characters; a longer one ends in a digest of itself.

    >>> metric_name({"metric": "uar", "kind": "value", "slice": "race&sex", "value": "Asian&Male"})
    'uar/race.and.sex/Asian.and.Male'
    >>> metric_name({"metric": "uar", "kind": "gap", "slice": "sex", "value": None})
    'gap/uar/sex'
    """
    parts = [*row["metric"].split("/", 1), row.get("slice"), row.get("value")]
    if row["kind"] != "value":
        parts.insert(0, row["kind"])
    name = "/".join(part(text) for text in parts if text is not None)
    if row.get("reference") is not None:
        name += f".vs.{part(row['reference'])}"
    if len(name) <= _LONGEST:
        return name
    end = f".cut.{digest_bytes(name.encode())[:16]}"
    return name[: _LONGEST - len(end)] + end


def _word(character: str) -> str:
    return _WORDS.get(character, f"x{ord(character):X}")
