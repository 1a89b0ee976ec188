"""A run on disk: what was planned, the targets, one folder a cell, the estimates.

::

    RUN/run.json                              the plan, written first; a folder with another plan is refused
    RUN/targets/<dataset>.parquet
    RUN/cells/<model>/<dataset>/<condition>/  predictions.parquet, frames.parquet, cell.json (written last)
    RUN/estimates.parquet  RUN/report.html  RUN/curves.parquet, where metrics have any
    RUN/latency.json                          where 'run --measure-latency' measured
    RUN/judged.json                           the digests of these files and of the plan, written after them
    RUN/audit.html  audit.md  audit.json  audit.pdf   the audit report, where one was asked for

A cell exists if and only if its ``cell.json`` exists. Everything is written under a temporary name and moved
into place, so a killed command leaves nothing half done under a final name.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import filelock

from bench.digest import digest_bytes, digest_file, digest_json
from bench.errors import UserError, counted
from bench.tables import Targets, read_targets

__all__ = ["CellFolder", "RunFolder", "save", "write_file", "write_json"]

_PLAN, _JUDGED = "run.json", "judged.json"
_PLAN_DIGEST = "run_sha256"


@dataclass(frozen=True)
class CellFolder:
    """The folder of one cell and what its ``cell.json`` says."""

    path: Path

    @property
    def predictions(self) -> Path:
        """The predictions table, exactly one row per target."""
        return self.path / "predictions.parquet"

    @property
    def frames(self) -> Path:
        """The outputs per frame, present where the media are videos."""
        return self.path / "frames.parquet"

    @property
    def facts(self) -> dict[str, Any] | None:
        """The content of ``cell.json``, None while the cell is unfinished."""
        try:
            facts: dict[str, Any] = json.loads((self.path / "cell.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return facts

    @property
    def is_whole(self) -> bool:
        """Whether the tables are there and are the ones that ``cell.json`` was written for."""
        facts = self.facts
        if facts is None:
            return False
        tables = [
            (self.predictions, facts.get("predictions_sha256")),
            (self.frames, facts.get("frames_sha256")),
        ]
        return all((digest_file(path) if path.is_file() else None) == digest for path, digest in tables)

    def finish(self, facts: dict[str, Any]) -> None:
        """Write ``cell.json`` with the digests of the tables: from now on the cell exists."""
        digests = {
            "predictions_sha256": digest_file(self.predictions),
            "frames_sha256": digest_file(self.frames) if self.frames.is_file() else None,
        }
        write_json(self.path / "cell.json", {**facts, **digests})


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path
    lock: filelock.BaseFileLock | None = field(default=None, compare=False, repr=False)

    def claim(self, plan: dict[str, Any]) -> RunFolder:
        """Write the plan into an empty folder, or accept the folder of the same plan; refuse any other.

        The folder returned is locked against other processes for as long as it lives. Raises UserError, with
        nothing written, for a folder that holds another run or other files or is in use.
        """
        path = self.path / _PLAN
        if path.is_file():
            before = self.plan
            if digest_json(before) != digest_json(plan):
                fields = {*before, *plan} - {"cells"}  # which follow from the others
                changed = sorted(k for k in fields if before.get(k) != plan.get(k))
                raise UserError(
                    str(self.path), f"the folder holds another run; these differ: {', '.join(changed)}",
                    "A folder holds one run, and the same command again finishes it",
                    "Choose another --out",
                )  # fmt: skip
            return self._locked()
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(
                str(self.path), "it exists and is not a run of affectbench", "A new or empty folder",
                "Choose another --out",
            )  # fmt: skip
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                str(self.path), f"the folder cannot be made: {error.strerror}", "A place that can be written",
                "Choose another --out",
            ) from None  # fmt: skip
        locked = self._locked()
        write_json(path, plan)
        return locked

    def _locked(self) -> RunFolder:
        lock = filelock.FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise UserError(
                str(self.path), "another process is at work here", "One process a run",
                "Wait for it, or choose another --out",
            ) from None  # fmt: skip
        return replace(self, lock=lock)

    @property
    def plan(self) -> dict[str, Any]:
        """The content of ``run.json``; UserError if there is none."""
        path = self.path / _PLAN
        try:
            plan: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            plan = None
        if not isinstance(plan, dict):
            raise UserError(
                str(self.path), f"there is no readable {_PLAN}", "A folder that 'run' or 'score' wrote",
                "Correct the path",
            ) from None  # fmt: skip
        return plan

    @property
    def estimates(self) -> Path:
        """The Estimates table."""
        return self.path / "estimates.parquet"

    @property
    def curves(self) -> Path:
        """The Curves table, present where the metrics asked for have curves or grids."""
        return self.path / "curves.parquet"

    @property
    def latency(self) -> Path:
        """What was measured of the models' speed, present where that was asked for."""
        return self.path / "latency.json"

    def seal(self) -> None:
        """Write down which plan, estimates, curves, latencies and report the run was judged with."""
        write_json(self.path / _JUDGED, self._judged())

    def require_sealed(self) -> None:
        """UserError unless plan, estimates, curves, latencies and report are those it was judged with."""
        try:
            sealed = json.loads((self.path / _JUDGED).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            sealed = None
        judged = self._judged()
        if isinstance(sealed, dict) and _PLAN_DIGEST not in sealed:
            del judged[_PLAN_DIGEST]  # as runs were sealed before the plan was
        if sealed != judged:
            changed = "plan, estimates, curves, latencies or report were changed"
            raise UserError(
                str(self.path), f"there is no readable {_JUDGED}" if sealed is None else changed,
                "What was judged, as it was written",
                f"Run 'affectbench report {self.path}', which judges anew",
            )  # fmt: skip

    def _judged(self) -> dict[str, str | None]:
        files = {"estimates": self.estimates, "curves": self.curves, "report": self.report}
        files["run"] = self.path / _PLAN
        files |= {"latency": self.latency} if self.latency.is_file() else {}
        return {f"{n}_sha256": digest_file(path) if path.is_file() else None for n, path in files.items()}

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def log(self) -> Path:
        """Where tracebacks go."""
        return self.path / "affectbench.log"

    def targets_path(self, dataset: str) -> Path:
        """Where the targets of a data set lie."""
        return self.path / "targets" / f"{_slug(dataset)}.parquet"

    def targets(self, dataset: str) -> Targets:
        """The targets of a data set, with their facts; UserError unless they are those of the plan."""
        path = self.targets_path(dataset)
        found = read_targets(path)
        planned = {entry["name"]: entry["digest"] for entry in self.plan["datasets"]}
        if found.digest != planned.get(dataset):
            raise UserError(
                str(path), "it is not the table that the run was made with",
                "The targets as they were written", "Run the command of this folder again",
            )  # fmt: skip
        return found

    def cell(self, model: str, dataset: str, condition: str) -> CellFolder:
        """The folder of a cell; ``condition`` as in ``low_light-3-frame``."""
        return CellFolder(self.path / "cells" / _slug(model) / _slug(dataset) / _slug(condition))

    def cells(self) -> list[CellFolder]:
        """The cells of the plan in its order; UserError unless each is finished and as it was written."""
        planned = [self.cell(*names) for names in self.plan["cells"]]
        for folder in planned:
            if not folder.is_whole:
                count = sum(not cell.is_whole for cell in planned)
                raise UserError(
                    str(folder.path),
                    f"{count} of {counted(len(planned), 'cell')} {'is' if count == 1 else 'are'} "
                    "unfinished or changed, this first",
                    "Every cell of the plan, as it was written", "Run the command of this folder again",
                )  # fmt: skip
        return planned


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON for people (indented, sorted) and move it into place."""
    write_file(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def write_file(path: Path, content: str | bytes, *, new: bool = False) -> None:
    """Write a file under another name and move it into place, the folder made where there is none.

    ``new``: FileExistsError where something is there, also if it came there meanwhile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        if new:
            _link(partial, path)
        else:
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _link(partial: Path, path: Path) -> None:
    """Move a file where nothing may be replaced; some file systems have no links."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:
        path.touch(exist_ok=False)
        partial.replace(path)


def save(path: Path, text: str, how: Literal["replace", "new", "add"] = "replace") -> None:
    """Write a file that the user named, or add to it; UserError where that cannot be done.

    ``new`` is refused where something is there. Only what is added is not written at once.
    """
    try:
        if how == "add":
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(text)
        else:
            write_file(path, text, new=how == "new")
    except OSError as error:
        raise UserError(
            str(path), f"it cannot be written: {error.strerror}", "A file in a folder that can be written",
            "Name another",
        ) from None  # fmt: skip


def _slug(name: str) -> str:
    """A name as one folder: what is not plain becomes ``_``, with a digest so that no two names meet.

    >>> _slug("mini-xception@102-0.66")
    'mini-xception@102-0.66'
    """
    plain = re.sub(r"[^A-Za-z0-9@=,._-]", "_", name)[:100].lstrip(".")
    return plain if plain == name else f"{plain}~{digest_bytes(name.encode())[:8]}"
