"""A run on disk: what was planned, the targets, one folder a cell, the estimates.

::

    RUN/run.json                              the plan, written first; a folder with another plan is refused
    RUN/targets/<dataset>.parquet
    RUN/cells/<model>/<dataset>/<condition>/  predictions.parquet, frames.parquet, cell.json (written last)
    RUN/estimates.parquet  RUN/report.html

A cell exists if and only if its ``cell.json`` exists. Everything is written under a temporary name and moved
into place, so a killed command leaves nothing half done under a final name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.digest import digest_bytes, digest_json
from bench.errors import UserError
from bench.tables import Targets, read_targets

__all__ = ["CellFolder", "RunFolder", "write_json"]

_PLAN = "run.json"


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
        path = self.path / "cell.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    def claim(self, plan: dict[str, Any]) -> None:
        """Write the plan into an empty folder, or accept the folder of the same plan; refuse any other.

        Raises UserError, with nothing written, for a folder that holds another run or other files.
        """
        path = self.path / _PLAN
        if path.is_file():
            before = self.plan
            if digest_json(before) != digest_json(plan):
                changed = sorted(k for k in {*before, *plan} if before.get(k) != plan.get(k))
                raise UserError(
                    str(self.path), f"the folder holds another run; these differ: {', '.join(changed)}",
                    "A folder holds one run, and the same command again finishes it",
                    "Choose another --out",
                )  # fmt: skip
            return
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UserError(
                str(self.path), "it exists and is not a run of affectbench", "A new or empty folder",
                "Choose another --out",
            )  # fmt: skip
        self.path.mkdir(parents=True, exist_ok=True)
        write_json(path, plan)

    @property
    def plan(self) -> dict[str, Any]:
        """The content of ``run.json``; UserError if there is none."""
        path = self.path / _PLAN
        try:
            plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
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
        """The targets of a data set, with their facts."""
        return read_targets(self.targets_path(dataset))

    def cell(self, model: str, dataset: str, condition: str) -> CellFolder:
        """The folder of a cell; ``condition`` as in ``low_light-3-frame``."""
        return CellFolder(self.path / "cells" / _slug(model) / _slug(dataset) / _slug(condition))

    def cells(self) -> Iterator[CellFolder]:
        """The finished cells, in the order of their names."""
        for path in sorted(self.path.glob("cells/*/*/*/cell.json")):
            yield CellFolder(path.parent)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON for people (indented, sorted) and move it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    partial.write_text(text + "\n", encoding="utf-8")
    partial.replace(path)


def _slug(name: str) -> str:
    """A name as one folder: what is not plain becomes ``_``, with a digest so that no two names meet.

    >>> _slug("mini-xception@102-0.66")
    'mini-xception@102-0.66'
    """
    plain = re.sub(r"[^A-Za-z0-9@=,._-]", "_", name)[:100].lstrip(".")
    return plain if plain == name else f"{plain}~{digest_bytes(name.encode())[:8]}"
