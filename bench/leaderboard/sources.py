"""Sources: the runs that a leaderboard is made of, and which of their models are one model.

A model is known by what its predictions depend on: entry, checkpoint, weights, code, sampling, front-end and
precision, or the predictions that were given. The same in two runs is one submission; another under the same
name is told apart by its run. Refuses unfinished and changed runs, the same folder twice, one model whose
cells differ from run to run, and slices that together would show what each run withholds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.digest import canonical_json, digest_bytes, digest_json
from bench.errors import UserError
from bench.folder import CellFolder, RunFolder
from bench.report.records import Model
from bench.report.results import Results, Row, read_results

__all__ = ["Source", "Submission", "read_sources", "submissions"]

_IDENTITY = (
    "entry", "checkpoint", "weights_sha256", "code_sha256", "predictions_sha256", "frames_sha256", "sampling",
    "front",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Source:
    """A finished run: ``name`` is how pages call it, the name of its folder."""

    name: str
    folder: RunFolder
    results: Results
    plan: dict[str, Any]

    @cached_property
    def rows(self) -> dict[tuple[str, str], list[Row]]:
        """The values by model and data set, in file order."""
        return _by_model(self.results.rows)

    @cached_property
    def differences(self) -> dict[tuple[str, str], list[Row]]:
        """The estimates of all other kinds by model and data set, in file order."""
        return _by_model(self.results.differences)

    @cached_property
    def _planned(self) -> frozenset[tuple[str, str, str]]:
        return frozenset((model, data, harm) for model, data, harm in self.plan["cells"])

    def cell(self, model: str, dataset: str, condition: str) -> CellFolder | None:
        """The cell of a model, data set and condition, None where the run did not plan it."""
        planned = (model, dataset, condition) in self._planned
        return self.folder.cell(model, dataset, condition) if planned else None


@dataclass(frozen=True, eq=False)
class Submission:
    """One model of a leaderboard: what pages call it, its digest, and the runs it is in, with its record."""

    name: str
    digest: str
    records: tuple[tuple[Source, Model], ...]

    @property
    def model(self) -> Model:
        """The record of the first run that has it."""
        return self.records[0][1]

    @property
    def slug(self) -> str:
        """A file name of its own, also where the case of letters does not count."""
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in self.name)
        return f"{plain.strip('.-')[:60] or 'model'}-{digest_bytes(self.name.encode())[:8]}"


def read_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """The runs in the order given; UserError unless each is finished, unchanged and given once."""
    found: dict[Path, Source] = {}
    for path in paths:
        folder, where = RunFolder(path), path.resolve()
        if where in found:
            raise UserError(
                str(path), "the run is given twice", "Every run once", "Leave one of them out"
            )  # fmt: skip
        plan = folder.plan
        if not folder.estimates.is_file():
            folder.cells()  # which says what is unfinished
        folder.require_sealed()
        taken = {source.name for source in found.values()}
        name = _distinct(where.name or "run", taken)
        found[where] = Source(name, folder, read_results(path), plan)
    _require_same_cuts(tuple(found.values()))
    return tuple(found.values())


def submissions(sources: Sequence[Source]) -> tuple[Submission, ...]:
    """The models of all runs, each once; UserError where one has other predictions in another run."""
    by_name: dict[str, dict[str, list[tuple[Source, Model]]]] = {}
    for source in sources:
        for model, entry in zip(source.results.models, source.plan["models"], strict=True):
            digest = _identity(entry, source)
            by_name.setdefault(model.name, {}).setdefault(digest, []).append((source, model))
    found = []
    for name, same in by_name.items():
        for digest, records in same.items():
            _require_same_cells(name, [source for source, _ in records])
            shown = name if len(same) == 1 else f"{name} ({records[0][0].name})"
            found.append(Submission(shown, digest, tuple(records)))
    return tuple(found)


def _require_same_cuts(sources: Sequence[Source]) -> None:
    """UserError where runs cut the same people by other slices, and small groups of them are withheld.

    What each run withholds is safe by what that run shows: with the slices of another beside it, the
    difference of two values could be that of a person.
    """
    cut: dict[str, tuple[str, Source]] = {}
    for source in sources:
        suite = source.results.suite
        made = suite.model_dump(mode="json", include={"slices", "controls", "bins", "slice_rule"})
        for data in source.results.datasets:
            if data.facts.attributes_public or not suite.slices:
                continue
            before, first = cut.setdefault(data.digest, (canonical_json(made), source))
            if before != canonical_json(made):
                raise UserError(
                    str(source.folder.path), f"it cuts {data.name} by other slices than {first.folder.path}",
                    "Where attributes are not public, all runs of the same targets have the same slices: "
                    "together, groups that each of them withholds could be worked out",
                    "Judge them by the same slices, bins, controls and thresholds, or leave one out",
                )  # fmt: skip


def _identity(entry: dict[str, Any], source: Source) -> str:
    known = {name: entry.get(name) for name in _IDENTITY}
    return digest_json({**known, "precision": source.results.precision})


def _require_same_cells(name: str, sources: Sequence[Source]) -> None:
    """UserError where a cell of a model is in two runs and its predictions are not the same."""
    seen: dict[tuple[str, str], tuple[str, Source]] = {}
    for source in sources:
        digests = {data.name: data.digest for data in source.results.datasets}
        for model, dataset, condition in source.plan["cells"]:
            if model != name:
                continue
            facts = source.folder.cell(model, dataset, condition).facts or {}
            made = json.dumps([facts.get("predictions_sha256"), facts.get("frames_sha256")])
            place = (f"{digests[dataset]} {_seed(source)} {source.results.oracle}", condition)
            before, first = seen.setdefault(place, (made, source))
            if before != made:
                raise UserError(
                    str(source.folder.path),
                    f"the predictions of {name} on {dataset}, {condition}, are not those of "
                    f"{first.folder.path}",
                    "One model has one set of predictions, and these runs say that it is the same model",
                    "Leave one of the runs out; on another device, predictions differ in their last digits",
                )  # fmt: skip


def _by_model(rows: Sequence[Row]) -> dict[tuple[str, str], list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row["model"], row["dataset"]), []).append(row)
    return found


def _seed(source: Source) -> int:
    return source.results.suite.seed


def _distinct(name: str, taken: set[str]) -> str:
    number, found = 2, name
    while found in taken:
        found, number = f"{name} #{number}", number + 1
    return found
