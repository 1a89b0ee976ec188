"""A cell: one model on one data set under one condition, its key, and its parts on disk.

The key is the sha256 of the inputs that change outputs: targets, weights, the model's Python files, stages by
name and version, condition, seed, precision and schema; never batch size, workers or device. Predictions are
written batch by batch as parts, so that a killed run resumes at a batch boundary and ends in the same bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.digest import digest_json
from bench.errors import MachineError, counted, listed
from bench.folder import CellFolder, RunFolder, write_json
from bench.predict.given import Oracle
from bench.predict.meshes import MeshFinder
from bench.predict.perturb import (
    FACE_PERTURBATIONS,
    FILM_PERTURBATIONS,
    PERTURBATIONS,
    SOUND_PERTURBATIONS,
    find_perturbation,
)
from bench.predict.zoo import Model
from bench.tables import Targets, write_table

__all__ = ["CLEAN", "Cell", "Harm", "Harmed", "Store", "already_made", "cost", "left"]

DECODE_VERSION = 1
AGGREGATE_VERSION = 1
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Harm:
    """What is done to the media of a cell: one perturbation at one severity, or nothing at severity 0."""

    name: str = "clean"
    severity: int = 0
    where: str | None = None

    @property
    def label(self) -> str:
        """The condition's folder name.

        >>> Harm("low_light", 3, "frame").label
        'low_light-3-frame'
        """
        return self.name if self.severity == 0 else f"{self.name}-{self.severity}-{self.where}"

    @property
    def of_picture(self) -> bool:
        """Whether it acts on the pixels of frames or crops, wherever faces are."""
        return self.name in PERTURBATIONS

    @property
    def of_film(self) -> bool:
        """Whether it acts on whole videos, before they are sampled."""
        return self.name in FILM_PERTURBATIONS

    @property
    def of_face(self) -> bool:
        """Whether it acts on the surface of faces, which must be found first."""
        return self.name in FACE_PERTURBATIONS

    @property
    def of_sound(self) -> bool:
        """Whether it acts on the sound of a medium, before a model hears it."""
        return self.name in SOUND_PERTURBATIONS

    def describe(self) -> dict[str, Any]:
        """What enters the key: also the version and the amount, which the severity stands for."""
        if self.severity == 0:
            return {"name": self.name}
        perturbation = find_perturbation(self.name, self.label)
        return {
            "name": self.name,
            "version": perturbation.version,
            "amount": perturbation.levels[self.severity - 1],
            "where": self.where,
        }


CLEAN = Harm()


@dataclass(frozen=True)
class Harmed:
    """Frames, or crops of them, that were to be perturbed, and how many of these stayed as they were."""

    perturbable: int = 0
    unperturbed: int = 0

    def __add__(self, other: Harmed) -> Harmed:
        """Both together."""
        return Harmed(self.perturbable + other.perturbable, self.unperturbed + other.unperturbed)

    def describe(self) -> dict[str, int]:
        """What ``cell.json`` says."""
        return {"perturbable": self.perturbable, "unperturbed": self.unperturbed}


@dataclass(frozen=True)
class Cell:
    """Model x data set x condition, with all that its key depends on.

    ``oracle`` is a stage that is given. ``meshes`` finds the surface of faces for a harm that is done to
    them, and is None for any other.
    """

    model: Model
    dataset: str
    targets: Targets
    harm: Harm
    seed: int
    precision: str
    oracle: Oracle | None = None
    meshes: MeshFinder | None = None

    def __post_init__(self) -> None:
        if self.harm.of_face != (self.meshes is not None):
            raise ValueError(f"{self.harm.label}: meshes are found for what is done to faces, and only then")

    @property
    def name(self) -> tuple[str, str, str]:
        """Model, data set and condition, as the plan of a run names the cell."""
        return self.model.name, self.dataset, self.harm.label

    @property
    def key(self) -> str:
        """The sha256 of the inputs that change outputs."""
        # Keys made before there were oracles and meshes stay.
        oracle = {} if self.oracle is None else {"oracle": self.oracle}
        fitted = {} if self.meshes is None else {"meshes": self.meshes.described}
        return digest_json(
            {
                **oracle,
                "targets": self.targets.digest,
                "model": self.model.describe(),
                "condition": self.harm.describe(),
                "seed": self.seed,
                "precision": self.precision,
                "stages": {"decode": DECODE_VERSION, "aggregate": AGGREGATE_VERSION},
                "schema": SCHEMA_VERSION,
                **fitted,
            }
        )


class Store:
    """The parts of one cell on disk, and their end as one table.

    ``changed`` says that the cell was finished and is made again, since its files are no longer those it was
    finished with. ``batch``: targets per part; an unfinished cell keeps the batch it was begun with, since
    batch boundaries are what makes a resumed run end in the same bytes.
    """

    def __init__(self, run: RunFolder, cell: Cell, batch: int) -> None:
        self.cell, self.key = cell, cell.key
        self.folder: CellFolder = run.cell(cell.model.name, cell.dataset, cell.harm.label)
        self._parts = self.folder.path / "parts"
        facts, begun = self.folder.facts, self._begun()
        self.done = facts is not None and facts["key"] == self.key and self.folder.is_whole
        self.changed = facts is not None and not self.done
        self.batch = begun or batch
        # What belongs to another key, or was damaged, is made again.
        if (self.done or begun is None) and self._parts.exists():
            shutil.rmtree(self._parts)
        if not self.done and begun is None:
            if self.folder.path.exists():
                shutil.rmtree(self.folder.path)
            write_json(self._parts / "plan.json", {"key": self.key, "batch": self.batch})

    def _begun(self) -> int | None:
        """The batch that an unfinished cell of this key was begun with."""
        try:
            plan = json.loads((self._parts / "plan.json").read_text(encoding="utf-8"))
            return int(plan["batch"]) if plan["key"] == self.key else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    @property
    def batches(self) -> int:
        """How many parts the cell has when whole."""
        return -(-len(self.cell.targets) // self.batch)

    def rows(self, batch: int) -> range:
        """The rows of the targets that a batch has."""
        return range(batch * self.batch, min((batch + 1) * self.batch, len(self.cell.targets)))

    def lacks(self, batch: int) -> bool:
        """Whether the part of this batch is still to be made."""
        return not self.done and not (self._parts / f"{batch:06d}.parquet").is_file()

    def write_part(
        self, batch: int, predictions: pa.Table, frames: pa.Table, harmed: Harmed | None = None
    ) -> None:
        """Write one batch; it counts as made once its predictions are in place."""
        if harmed is not None:
            write_json(self._parts / f"{batch:06d}-harmed.json", harmed.describe())
        write_table(frames, self._parts / f"{batch:06d}-frames.parquet")
        write_table(predictions, self._parts / f"{batch:06d}.parquet")

    def finish(self, provenance: dict[str, Any]) -> None:
        """Join the parts, write ``cell.json`` last, then remove the parts.

        Raises MachineError, after removing them, for parts that cannot be read and for a model that gave
        nothing but errors: it is broken, not measured.
        """
        if self.done:
            return
        names = [self._parts / f"{batch:06d}.parquet" for batch in range(self.batches)]
        try:
            predictions = pa.concat_tables(pq.read_table(name) for name in names)
            frames = pa.concat_tables(pq.read_table(n.with_name(f"{n.stem}-frames.parquet")) for n in names)
        except (pa.ArrowException, OSError) as error:
            raise self._unusable(f"a part cannot be read ({str(error).splitlines()[0]})") from None
        counted = predictions["status"].value_counts().to_pylist()
        statuses = {entry["values"]: entry["counts"] for entry in counted}
        harmed = self._harmed(names) if self.cell.harm.of_face else {}
        if "model_error" in statuses and not set(statuses) - {"model_error", "decode_error"}:
            first = next(fault for fault in predictions["fault"].to_pylist() if fault is not None)
            raise self._unusable(f"the model failed on every clip, first with: {first}")
        write_table(predictions, self.folder.predictions)
        if frames.num_rows:
            write_table(frames, self.folder.frames)
        harm = self.cell.harm
        self.folder.finish(
            {
                "key": self.key,
                "model": self.cell.model.name,
                "dataset": self.cell.dataset,
                "condition": harm.name,
                "severity": harm.severity,
                "where": harm.where,
                "rows": predictions.num_rows,
                "frames": frames.num_rows or None,
                "statuses": statuses,
                **harmed,
                **provenance,
            }
        )
        shutil.rmtree(self._parts)
        self.done = True

    def _harmed(self, names: Sequence[Path]) -> dict[str, Any]:
        """What the parts count of perturbed frames, summed, and what found the faces in them."""
        try:
            parts = [json.loads(n.with_name(f"{n.stem}-harmed.json").read_text("utf-8")) for n in names]
            total = sum((Harmed(**part) for part in parts), Harmed())
        except (OSError, ValueError, TypeError) as error:
            raise self._unusable(f"a part cannot be read ({error})") from None
        assert self.cell.meshes is not None
        return {**total.describe(), "meshes": self.cell.meshes.described}

    def _unusable(self, found: str) -> MachineError:
        shutil.rmtree(self.folder.path)
        return MachineError(
            f"{self.cell.model.name} on {self.cell.dataset}, {self.cell.harm.label}", found,
            "A model may fail on single clips, which then count as wrong",
            "The same command makes the cell again; a traceback is in affectbench.log of the run",
        )  # fmt: skip


def already_made(stores: Sequence[Store]) -> list[str]:
    """What a run finds made by one before it, and which finished cells were changed since: a line each."""
    lacking = [store for store in stores if not store.done]
    there = len(stores) - len(lacking)
    text = f"{there} of {counted(len(stores), 'cell')} {'was' if there == 1 else 'were'} already made"
    batches = [store.lacks(batch) for store in lacking for batch in range(store.batches)]
    if not lacking:
        return [f"{text}; nothing is left to predict"]
    said = [text] if len(lacking) < len(stores) else []
    if made := batches.count(False):
        of = "1 batch" if len(batches) == 1 else f"{len(batches)} batches"
        said = [f"{text}, and {made} of {of} of the others"]
    if names := [" / ".join(store.cell.name) for store in stores if store.changed]:
        said.append(f"changed since they were made, and made again: {listed(names, 6)}")
    return said


def left(stores: Sequence[Store]) -> int:
    """How many rows (targets x cells) are left to predict."""
    return sum(len(s.rows(batch)) for s in stores for batch in range(s.batches) if s.lacks(batch))


def cost(stores: Sequence[Store]) -> list[str]:
    """What is left to predict, beside clean media: a line, none where that is all there is."""
    rows = left(stores)
    clean = sum({store.cell.name[:2]: len(store.cell.targets) for store in stores}.values())
    lacking = sum(not store.done for store in stores)
    if rows <= clean:
        return []
    left_over = f"{counted(lacking, 'cell')}, {counted(rows, 'row')}"
    return [f"to predict: {left_over}, {rows / clean:.1f} times those of clean media"]
