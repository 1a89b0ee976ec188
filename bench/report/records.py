"""What a run is made of, as a report reads it: models, data sets, conditions, cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.spec import Facts

__all__ = ["Cell", "Dataset", "Model", "Perturbation", "Place"]


@dataclass(frozen=True, order=True)
class Place:
    """A condition as a key: its name, severity (0 for clean) and where it acts ("" for clean)."""

    condition: str
    where: str = ""
    severity: int = 0

    @classmethod
    def of(cls, record: dict[str, Any]) -> Place:
        """The condition of a cell's record or of a row of Estimates or Curves."""
        return cls.at(record["condition"], record["severity"], record["where"])

    @classmethod
    def at(cls, condition: str, severity: int | None, where: str | None) -> Place:
        """The condition of these three columns; clean acts nowhere."""
        return cls(condition, (where or "") if severity else "", severity or 0)


@dataclass(frozen=True)
class Model:
    """A model of the run; ``double`` means of known quality by construction, not a model.

    ``origin`` says in words where its weights came from, such as a registry's name and version. ``digests``
    names every sha256 that its numbers rest on: weights, code, predictions made elsewhere. ``sampling`` and
    ``front`` are those of its pipeline (``bench.predict``), None where the harness did not run it.
    """

    name: str
    entry: str | None
    checkpoint: str | None
    double: bool
    origin: str | None = None
    digests: tuple[tuple[str, str], ...] = ()
    sampling: dict[str, Any] | None = None
    front: dict[str, Any] | None = None

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Model:
        """The model of an entry of ``run.json``."""
        digests = [("weights", digest) for digest in entry["weights_sha256"]]
        digests += sorted((entry.get("code_sha256") or {}).items())
        if entry.get("predictions_sha256"):
            digests.append(("predictions", entry["predictions_sha256"]))
        return cls(
            entry["name"], entry["entry"], entry["checkpoint"], entry["double"], entry.get("origin"),
            tuple(digests), entry.get("sampling"), entry.get("front"),
        )  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """A data set of the run: the digest of its targets, their number, and its facts."""

    name: str
    digest: str
    rows: int
    facts: Facts


@dataclass(frozen=True)
class Perturbation:
    """What the severities 1 to 5 of a perturbation stand for, and from which on labels may be lost."""

    amounts: tuple[str, ...]
    unit: str
    destroys_label_from: int | None = None

    @classmethod
    def of(cls, record: dict[str, Any]) -> Perturbation:
        """What ``run.json`` says of a perturbation; older runs hold the numbers alone, and a unit of them."""
        amounts = tuple(record.get("amounts") or [f"{level:g}" for level in record["levels"]])
        return cls(amounts, record["unit"], record["destroys_label_from"])


@dataclass(frozen=True)
class Cell:
    """One model on one data set under one condition: how many rows ended in which status.

    ``perturbable``: frames that were to be perturbed by their faces, None under any other condition;
    ``unperturbed``: how many of them stayed as they were, since no face of theirs could be worked on.
    """

    model: str
    dataset: str
    place: Place
    key: str
    statuses: dict[str, int]
    environment: dict[str, Any] = field(default_factory=dict)
    perturbable: int | None = None
    unperturbed: int = 0

    @classmethod
    def of(cls, record: dict[str, Any]) -> Cell:
        """The cell of the content of a ``cell.json``."""
        return cls(
            model=record["model"],
            dataset=record["dataset"],
            place=Place.of(record),
            key=record["key"],
            statuses=dict(record["statuses"]),
            environment=dict(record.get("environment") or {}),
            perturbable=record.get("perturbable"),
            unperturbed=record.get("unperturbed", 0),
        )
