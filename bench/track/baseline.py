"""Baselines from MLflow: a run folder, rebuilt from what ``send`` logged of one model and suite.

A run id (of the parent, or of a child of it) or a registered model version leads to the run. Its plan is cut
to the one model; targets are never sent, so that those of the candidate are taken where their digest is the
same. Files are copied, nothing is imported, unpickled or run, and no path of the server decides where
anything is written. Refused: runs that affectbench did not send whole, files above 1 GiB, other targets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.folder import RunFolder, write_json
from bench.track.content import CELL_FILES
from bench.track.registry import download, entries, read_uri, resolve
from bench.track.send import FILES_TAG, KEY_TAG, PARENT_TAG, SEND_TAG, runs_with
from bench.track.store import require_there, session

if TYPE_CHECKING:
    from mlflow.entities import FileInfo, Run
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

__all__ = ["RUN_TAG", "Baseline", "fetch_baseline", "find_run", "is_reference"]

RUN_TAG = "affectbench.run"
"""The tag of a model version that names the MLflow run in which the version was measured."""
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_LARGEST = 1 << 30  # bytes
_REMEDY = "Start the server, or name the folder of the baseline's run"
_OTHER_ID = "Correct the run id, or name the store with --tracking-uri"
_SEND_IT = "Send the baseline's run again (affectbench track RUN), or name its folder"


@dataclass(frozen=True)
class Baseline:
    """A rebuilt run of one model, the id of the MLflow run, and where it came from, in words."""

    run: RunFolder
    run_id: str
    origin: str


def is_reference(text: str) -> bool:
    """Whether a baseline is named in MLflow, and not a folder.

    >>> is_reference("models:/fer@released"), is_reference("4f" * 16), is_reference("runs/old")
    (True, True, False)
    """
    return text.startswith("models:/") or (bool(_RUN_ID.fullmatch(text)) and not Path(text).exists())


def fetch_baseline(reference: str, uri: str, candidate: RunFolder, folder: Path) -> Baseline:
    """Rebuild in ``folder`` the run that a run id or a registry URI leads to, on the candidate's targets.

    Raises UserError for a reference that leads to no run of affectbench, for one whose files were not sent
    or are not whole, and for targets that are not the candidate's; Unreachable and TrackError as ``send``
    does.
    """
    match = read_uri(reference) if reference.startswith("models:/") else None
    require_there(uri)
    with session(uri, _REMEDY) as client:
        if match is None:
            run = _parent(client, f"run {reference}", reference)
            origin = f"run {run.info.run_id}"
        else:
            version = resolve(client, reference, match)
            run = _measured_in(client, reference, version)
            origin = f"{reference} (version {version.version}, run {run.info.run_id})"
        top = _Files(origin, str(run.info.artifact_uri), uri)
        rebuilt = RunFolder(folder)
        model = _rebuild_plan(run, top, rebuilt)
        _take_targets(origin, candidate, rebuilt)
        children = runs_with(client, run.info.experiment_id, PARENT_TAG, run.info.run_id)
        _fetch_cells(model, top, children, rebuilt)
    return Baseline(rebuilt, str(run.info.run_id), origin)


def find_run(client: MlflowClient, run_id: str, remedy: str) -> Run:
    """The MLflow run of an id; UserError where the store has none or it was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        found = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        found = None
    if found is None or found.info.lifecycle_stage != "active":
        raise UserError(
            f"run {run_id}", "the tracking store has no such run" if found is None else "the run was deleted",
            "A run that 'affectbench track' made, in the store of --tracking-uri",
            remedy,
        )  # fmt: skip
    return found


def _parent(client: MlflowClient, where: str, run_id: str, other: str = _OTHER_ID) -> Run:
    """The run of a model and suite that an id, its own or a child's, belongs to.

    ``other``: how another run is named, where this one is none of affectbench.
    """
    run = find_run(client, run_id, other)
    above = run.data.tags.get(PARENT_TAG, "")
    if KEY_TAG in run.data.tags and _RUN_ID.fullmatch(above):
        run = find_run(client, above, other)
    tags, found = run.data.tags, None
    foreign = SEND_TAG not in tags or PARENT_TAG in tags or not run.data.params.get("model")
    if foreign:
        found = f"run {run_id} is none of affectbench"
    elif run.info.status != "FINISHED":
        found = f"run {run_id} was not sent whole"
    elif FILES_TAG not in tags:
        found = f"run {run_id} was sent without its files"
    if found:
        raise UserError(
            where, found, "A run that affectbench sent to MLflow, without --no-upload",
            other if foreign else _SEND_IT,
        )  # fmt: skip
    return run


def _measured_in(client: MlflowClient, uri: str, version: ModelVersion) -> Run:
    """The run that a model version was measured in: that of its tag, else the one it was made in."""
    run_id = version.tags.get(RUN_TAG) or version.run_id or ""
    remedy = (
        f"Set the tag: MlflowClient().set_model_version_tag({version.name!r}, {str(version.version)!r}, "
        f"{RUN_TAG!r}, RUN_ID)"
    )
    if not _RUN_ID.fullmatch(run_id):
        raise UserError(
            uri, f"version {version.version} has no tag {RUN_TAG!r}, and no run of its own",
            "The tag holds the id of the MLflow run in which affectbench measured the version", remedy,
        )  # fmt: skip
    return _parent(client, uri, run_id, remedy)


@dataclass(frozen=True)
class _Files:
    """The artifacts of one MLflow run; ``origin`` is what messages call the baseline."""

    origin: str
    source: str
    store: str

    def within(self, folder: str = "") -> dict[str, FileInfo]:
        """What lies in a folder, by name."""
        return entries(self.source, folder, self.store)

    def fetch(self, names: Sequence[str], folder: str, place: Path) -> None:
        """Copy those of some files that are there into ``place``; UserError for one that is too large."""
        there = self.within(folder)
        for name in names:
            if name not in there or there[name].is_dir:
                continue
            inside, size = f"{folder}/{name}".lstrip("/"), there[name].file_size
            if size is None or size > _LARGEST:
                found = "an unknown number of bytes" if size is None else f"{size:,} bytes"
                raise UserError(
                    self.origin, f"{inside} has {found}",
                    f"Files of up to {_LARGEST:,} bytes", "Name the folder of the baseline's run",
                )  # fmt: skip
            download(self.source, inside, self.store, place / name)


def _rebuild_plan(run: Run, files: _Files, rebuilt: RunFolder) -> str:
    """Copy plan, estimates and latencies, the plan cut to the run's one model; returns the model's name."""
    model = str(run.data.params["model"])
    files.fetch(("run.json", "estimates.parquet", "latency.json"), "", rebuilt.path)
    if not rebuilt.estimates.is_file():
        raise _damaged(files.origin, "it has no estimates.parquet")
    try:
        plan = json.loads((rebuilt.path / "run.json").read_text(encoding="utf-8"))
        models = [entry for entry in plan["models"] if entry["name"] == model]
        cells = [cell for cell in plan["cells"] if cell[0] == model]
        names = [word for cell in cells for word in cell]
        names += [entry[field] for entry in plan["datasets"] for field in ("name", "digest")]
        names += [entry["facts"]["name"] for entry in plan["datasets"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        raise _damaged(files.origin, "it has no readable run.json") from None
    plain = all(isinstance(word, str) for word in names) and {len(cell) for cell in cells} == {3}
    if len(models) != 1 or not plain:
        raise _damaged(files.origin, f"its run.json has no cells of {model}")
    write_json(rebuilt.path / "run.json", {**plan, "models": models, "cells": cells})
    return model


def _take_targets(origin: str, candidate: RunFolder, rebuilt: RunFolder) -> None:
    """Write the candidate's targets of each common data set; UserError where the baseline had others.

    Where each run has one data set alone its name does not matter, as in ``bench.sides``. Of what only the
    baseline has no targets are needed.
    """
    mine = {entry["name"]: entry["digest"] for entry in candidate.plan["datasets"]}
    theirs = rebuilt.plan["datasets"]
    alone = next(iter(mine)) if len(mine) == len(theirs) == 1 else None
    for entry in theirs:
        name, digest = entry["name"], entry["digest"]
        own = alone or name
        if own not in mine:
            continue
        targets = candidate.targets(own)
        # What a table calls itself is in its digest, and need not be the name that a suite gives it.
        called = replace(targets, facts=targets.facts.model_copy(update={"name": entry["facts"]["name"]}))
        if called.digest != digest:
            raise UserError(
                origin, f"its targets of {name} ({digest[:12]}) are not the candidate's ({mine[own][:12]})",
                "Candidate and baseline are paired on the same targets, which no tracking server holds",
                "Run the baseline again on these targets, or name its run folder",
            )  # fmt: skip
        called.write(rebuilt.targets_path(name))


def _fetch_cells(model: str, top: _Files, children: Sequence[Run], rebuilt: RunFolder) -> None:
    """Copy the files of every cell of the plan; UserError unless each is as it was written."""
    held: dict[tuple[str | None, str], _Files] = {}
    for child in children:
        files = replace(top, source=str(child.info.artifact_uri))
        held |= {(child.data.params.get("dataset"), name): files for name in files.within()}
    for _, dataset, condition in rebuilt.plan["cells"]:
        cell = rebuilt.cell(model, dataset, condition)
        there = held.get((dataset, cell.path.name))
        if there is not None:
            there.fetch(CELL_FILES, cell.path.name, cell.path)
        if not cell.is_whole:
            lacking = [name for name in CELL_FILES[::2] if not (cell.path / name).is_file()]
            found = f"lacks {listed(lacking)}" if lacking else "has other files than it was sent with"
            raise _damaged(top.origin, f"its cell of {dataset} under {condition} {found}")


def _damaged(origin: str, found: str) -> UserError:
    return UserError(origin, found, "A run as affectbench sent it, with its files", _SEND_IT)
