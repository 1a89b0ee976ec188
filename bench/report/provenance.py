"""Where the numbers come from, as tables: interval methods, warnings, digests, environment.

Everything is read from the run; nothing is looked up on this machine, so a report does not depend on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.records import Model
from bench.report.results import Results, Row, unique
from bench.report.speed import speed_table
from bench.report.table import Group, Line, Table, words

__all__ = ["methods", "provenance", "sights", "warnings"]

_JACKKNIFE = "Leaves out one cluster at a time and sees how far the value moves; Student's t over clusters"
_METHODS = {
    "wilson-clustered": "Wilson's interval on the effective n, Student's t over clusters (Korn, Graubard).",
    "clopper-pearson-clustered": "Clopper and Pearson's interval on the effective n, for shares near 0 or 1.",
    "jackknife": f"{_JACKKNIFE}.",
    "jackknife-logit": f"{_JACKKNIFE}, on the logit scale.",
    "jackknife-atanh": f"{_JACKKNIFE}, on the atanh scale.",
    "jackknife-log": f"{_JACKKNIFE}, on the log scale.",
}


def methods(results: Results) -> Table:
    """Which method made the intervals of which metric, and what it does."""
    used: dict[str, list[str]] = {}
    for (method, _), places in results.rows.groups("method", "metric").items():
        # A method may be named beside an interval that is not there.
        found = next((results.rows[place] for place in places if results.rows.has("low", place)), None)
        if method and found is not None:
            used.setdefault(method, []).append(_stem(found))
    lines = tuple(
        Line(
            method, (Entry(", ".join(unique(found)), "text"), Entry(_METHODS.get(method, "as named"), "text"))
        )
        for method, found in used.items()
    )
    return Table("Methods of the intervals", ("Method", "Metrics", "What it does"), (Group(lines),))


def warnings(results: Results) -> Table:
    """The warnings of the estimates: as they stand over all rows, by their kind over slices."""
    groups = []
    for data in results.datasets:
        place = results.reference(data.name)
        rows = [row for m in results.models for row in results.at(m.name, data.name, place) if row["warning"]]
        whole = [(text, row) for row in rows if row["slice"] is None for text in _texts(row)]
        cut = [(_kind(text), row) for row in rows if row["slice"] is not None for text in _texts(row)]
        for title, found in (("all rows", whole), ("slices, by kind of warning", cut)):
            if found:
                groups.append(Group(_warned(found), f"{data.name}, {title}"))
    columns = ("Warning", "Models", "Metrics", "Estimates")
    return Table("Warnings of the estimates", columns, tuple(groups))


def provenance(results: Results) -> tuple[Table, ...]:
    """Digests, seed and environment."""
    models = tuple(
        Group(_lines(model.digests), _origin(model))
        for model in results.models
        if model.digests or model.origin
    )
    settings = (("Device", results.device), ("Precision", results.precision), ("Oracle", results.oracle))
    run = [
        ("affectbench", results.version),
        ("Suite digest", results.suite_digest),
        *_lock(results),
        ("Seed", str(results.suite.seed)),
        *((name, value) for name, value in settings if value),
        *((f"{name} in cells", value) for name, value in _environment(results)),
    ]
    cells = [(f"{cell.model}, {cell.dataset}, {words(cell.place)}", cell.key) for cell in results.cells]
    tables = (
        sights(results),
        speed_table(results),
        Table("What each model rests on", ("What", "sha256"), models),
        Table(
            "Digests of the targets",
            ("Data set", "sha256"),
            (Group(_lines((d.name, d.digest) for d in results.datasets)),),
        ),
        Table("The run", ("What", "Value"), (Group(_lines(run)),)),
        Table("Keys of the cells", ("Cell", "Key"), (Group(_lines(cells)),) if cells else ()),
    )
    return tuple(table for table in tables if table.groups)


def sights(results: Results) -> Table:
    """Which frames and faces each model sees that the harness ran; doubles look at none."""
    aligned = [data.name for data in results.datasets if data.facts.media_kind == "aligned"]
    cropped = len(aligned) == len(results.datasets)

    def faces(model: Model) -> str:
        return "the media as they are" if cropped else _faces(model.front, aligned)

    lines = tuple(
        Line(model.name, (Entry(_frames(model.sampling), "text"), Entry(faces(model), "text")))
        for model in results.models
        if model.sampling is not None and not model.double
    )
    return Table("What each model sees", ("Model", "Frames", "Faces"), (Group(lines),) if lines else ())


def _frames(sampling: dict[str, Any]) -> str:
    """The sampling in words.

    >>> _frames({"rate": 5.0, "count": None}), _frames({"rate": None, "count": 16})
    ('5 a second', '16 of each video')
    """
    if sampling["rate"] is not None:
        return f"{sampling['rate']:g} a second"
    return "every one" if sampling["count"] is None else f"{sampling['count']} of each video"


def _faces(front: dict[str, Any] | None, aligned: list[str]) -> str:
    """The front-end in words; ``aligned`` names data sets whose media are faces already.

    >>> _faces({"detector": "yunet", "size": 64, "margin": 0.0}, [])
    'found by yunet, tracked, turned upright, 64 x 64 pixels without margin'
    """
    if front is None:
        return "whole frames"
    edge = f"{front['size']} x {front['size']} pixels"
    margin = f"with a margin of {100 * front['margin']:g} %" if front["margin"] else "without margin"
    taken = f"; those of {', '.join(aligned)} as they are" if aligned else ""
    every = front.get("every", 1)
    looked = f" in one frame of {every}, in straight lines between" if every > 1 else ""
    return f"found by {front['detector']}{looked}, tracked, turned upright, {edge} {margin}{taken}"


def _lock(results: Results) -> list[tuple[str, str]]:
    """The lock that the run was given, and whether it followed it; nothing where there was none."""
    lock = results.lock
    if lock is None:
        return []
    policy = [("Locked policy", f"{lock.policy.name} {lock.policy.sha256}")] if lock.policy else []
    followed = "yes" if lock.followed else f"no: {lock.differs}"
    return [("Lock", lock.lock), ("Locked at", lock.time), *policy, ("Lock followed", followed)]


def _lines(pairs: Iterable[tuple[str, str]]) -> tuple[Line, ...]:
    return tuple(Line(name, (Entry(value, "digest"),)) for name, value in pairs)


def _stem(row: Row) -> str:
    """A metric without its label."""
    return fmt.metric(row["metric"].partition("/")[0])


def _texts(row: Row) -> list[str]:
    return str(row["warning"]).split("; ")


def _kind(text: str) -> str:
    """A warning without its numbers: what stands before a colon or after a count of rows.

    >>> _kind("3 rows without label left out"), _kind("no interval: fewer than 5 clusters")
    ('without label left out', 'no interval')
    """
    return re.sub(r"^\d+ rows? ", "", text).partition(":")[0]


def _warned(found: list[tuple[str, Row]]) -> tuple[Line, ...]:
    lines = []
    for text in unique(text for text, _ in found):
        rows = [row for other, row in found if other == text]
        models = ", ".join(unique(row["model"] for row in rows))
        metrics = ", ".join(unique(_stem(row) for row in rows))
        count = Entry(fmt.count(len(rows)))
        lines.append(Line(text, (Entry(models, "text"), Entry(metrics, "text"), count)))
    return tuple(lines)


def _origin(model: Model) -> str:
    entry = f", entry {model.entry}" if model.entry and model.entry != model.name else ""
    checkpoint = f", checkpoint {model.checkpoint}" if model.checkpoint else ""
    return f"{model.name}{entry}{checkpoint}" + (f", from {model.origin}" if model.origin else "")


def _environment(results: Results) -> list[tuple[str, str]]:
    names = unique(name for cell in results.cells for name in cell.environment)
    return [
        (name, ", ".join(unique(str(c.environment[name]) for c in results.cells if name in c.environment)))
        for name in names
    ]
