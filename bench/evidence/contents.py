"""What of a finished run goes into a bundle, and what each file is made from.

Internal: everything that the run has, but never a medium: targets that hold bytes are refused. External:
aggregates and digests (``bench.evidence.aggregates``); the tables with rows of targets and of what models
said stay where they are, and stand in the manifest with their digests. What is no part of the run is left
out and named. Refuses a run that is unfinished or not as it was judged, and a lock that the run was not
made with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from bench.errors import UserError
from bench.evidence.aggregates import CELLS, DERIVABLE, PLAN, reduced_cells, reduced_plan, require_aggregates
from bench.evidence.container import Member, member
from bench.evidence.derive import what_derives
from bench.evidence.manifest import File
from bench.evidence.reading import no_plan
from bench.folder import RunFolder
from bench.prereg import Lock, follow

__all__ = ["ESTIMATES", "LOCK", "Contents", "external", "internal", "unknown_files"]

ESTIMATES, LOCK = "estimates.parquet", "lock.json"
_CURVES, _REPORT, _JUDGED, _LATENCY = "curves.parquet", "report.html", "judged.json", "latency.json"
_AUDIT = ("audit.html", "audit.md", "audit.json", "audit.pdf")
_OWN = (".lock", "affectbench.log")  # made while at work, and of no number


@dataclass(frozen=True)
class Contents:
    """The members of a bundle, what each is made of, and the files of the run that it does not hold."""

    members: tuple[Member, ...]
    of: dict[str, tuple[str, ...]]
    elsewhere: tuple[Member, ...] = ()

    def files(self) -> tuple[File, ...]:
        """The members as the manifest names them, by path."""
        return tuple(self._file(each) for each in sorted(self.members, key=lambda m: m.path))

    def absent(self) -> tuple[File, ...]:
        """What is elsewhere as the manifest names it, by path."""
        return tuple(self._file(each) for each in sorted(self.elsewhere, key=lambda m: m.path))

    def _file(self, each: Member) -> File:
        return File(path=each.path, size=each.size, sha256=each.sha256, of=self.of.get(each.path, ()))


def internal(run: RunFolder, lock: tuple[Path, Lock] | None) -> Contents:
    """Everything that a finished run has; UserError where it is unfinished or was changed."""
    rows, records = _rows(run), _records(run)
    members = [_member(run, path) for path in (*rows, *records)]
    of = _origins(rows, records)
    if lock is not None:
        _require_same(run, lock[1])
        members.append(member(LOCK, lock[0]))
        of[LOCK] = ()
    return Contents(tuple(members), of)


def external(run: RunFolder, lock: Lock | None) -> Contents:
    """Aggregates and digests; UserError where these would give away what a suppressed row withholds."""
    rows, records = _rows(run), _records(run)
    require_aggregates(run)
    if lock is not None:
        _require_same(run, lock)
    hidden = [
        path
        for path in (*rows, *records)
        if path in ("run.json", _LATENCY) or path.startswith(("targets/", "cells/"))
    ]
    of = _origins(rows, records)
    made = {PLAN: reduced_plan(run.plan), CELLS: reduced_cells(run), DERIVABLE: what_derives(run)}
    of |= {
        PLAN: ("run.json",),
        CELLS: tuple(p for p in records if p.startswith("cells/")),
        DERIVABLE: (ESTIMATES,),
    }
    members = [_member(run, path) for path in records if path not in hidden]
    members += [member(name, content) for name, content in made.items()]
    return Contents(tuple(members), of, tuple(_member(run, path) for path in hidden))


def unknown_files(run: RunFolder) -> list[str]:
    """Files in the folder that are no part of the run, by path."""
    known = {*_rows(run), *_records(run), *_OWN}
    there = (path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if not path.is_dir())
    return sorted(set(there) - known)


def _rows(run: RunFolder) -> tuple[str, ...]:
    """The tables of rows: targets, predictions, frames. All are as plan and cells say."""
    found = []
    for entry in run.plan["datasets"]:
        _require_no_media(run.targets(entry["name"]).table, run.targets_path(entry["name"]))
        found.append(run.targets_path(entry["name"]))
    for cell in run.cells():
        found += [path for path in (cell.predictions, cell.frames) if path.is_file()]
    return tuple(_path(run, path) for path in found)


def _records(run: RunFolder) -> tuple[str, ...]:
    """All other files of the run; UserError unless they are those that it was judged with."""
    run.require_sealed()
    if no_plan((run.path / "run.json").read_bytes()):
        raise UserError(
            str(run.path), "its run.json is no plan of this version, or has names with control characters",
            "A run that 'run' or 'score' of this version wrote", "Make the run anew",
        )  # fmt: skip
    cells = [_path(run, cell.path / "cell.json") for cell in run.cells()]
    results = [
        name
        for name in (ESTIMATES, _CURVES, _LATENCY, _REPORT, _JUDGED, *_AUDIT)
        if (run.path / name).is_file()
    ]
    return ("run.json", *cells, *results)


def _origins(rows: tuple[str, ...], records: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """What every file is made of."""
    of = {path: tuple(_beside(path, rows)) for path in records if path.endswith("/cell.json")}
    of |= {path: ("run.json", *(p for p in rows if p.startswith("targets/"))) for path in rows if "/" in path}
    of |= {path: () for path in (*rows, "run.json") if not path.startswith("cells/")}
    judged = tuple(path for path in records if path in (ESTIMATES, _CURVES))
    of |= dict.fromkeys(judged, ("run.json", *rows))
    of |= {path: ("run.json",) for path in records if path == _LATENCY}
    of |= {path: ("run.json", *judged) for path in records if path == _REPORT or path in _AUDIT}
    of[_JUDGED] = tuple(path for path in records if path in ("run.json", *judged, _LATENCY, _REPORT))
    return of


def _beside(path: str, rows: tuple[str, ...]) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    return (row for row in rows if row.rpartition("/")[0] == folder)


def _path(run: RunFolder, path: Path) -> str:
    return path.relative_to(run.path).as_posix()


def _member(run: RunFolder, path: str) -> Member:
    place = run.path / path
    if place.is_symlink() or not place.resolve().is_relative_to(run.path.resolve()):
        raise UserError(
            str(place), "it is a link", "A bundle holds the files of a run themselves", "Put the file there"
        )
    return member(path, place)


def _require_no_media(table: pa.Table, path: Path) -> None:
    for field in table.schema:
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            raise UserError(
                str(path), f"column {field.name!r} holds bytes", "No medium goes into a bundle",
                "Score it with targets that name their media",
            )  # fmt: skip


def _require_same(run: RunFolder, lock: Lock) -> None:
    """UserError unless the run was given this lock and says of it what is so."""
    said = run.plan.get("lock")
    if said != follow(lock, run.plan).model_dump(mode="json"):
        found = "the run began without a lock" if said is None else "the run was given another lock"
        raise UserError("--lock", found, "The lock that the run was given", "Leave it out, or give that one")
