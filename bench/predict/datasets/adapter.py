"""What an adapter is: the facts of a data set, and how its folder becomes targets.

A published data set is a ``Release``: constant facts and a function that loads its rows. What a folder lacks
is refused with what was looked for and what is there; no row is dropped for a missing label or medium.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from bench.errors import UserError, listed, nearest
from bench.labels import declare
from bench.spec import DataSource, Facts
from bench.tables import Targets, validate_targets

if TYPE_CHECKING:
    import datasets

__all__ = ["Adapter", "Release", "overridden", "require_files"]


class Adapter(Protocol):
    """Anything that turns a folder into targets."""

    @property
    def facts(self) -> Facts:
        """What is true of the whole data set, as far as it is known without its files."""

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that ``source.split`` may name; empty where only the files know."""

    def open(self, source: DataSource, root: Path) -> Targets:
        """Read the rows of ``source.split`` (None: all) under ``root``."""


@dataclass(frozen=True)
class Release:
    """A published data set.

    ``load(root, split)`` returns the rows as a Hugging Face data set with the columns of Targets; split None
    means all. ``raters(root)`` returns predictions made of human votes, by name of the presentation.
    """

    facts: Facts
    load: Callable[[Path, str | None], datasets.Dataset]
    splits: tuple[str, ...] = ()
    raters: Callable[[Path], dict[str, pa.Table]] | None = None

    def open(self, source: DataSource, root: Path) -> Targets:
        """Read the rows of ``source.split`` (None: all) under ``root``; UserError for an unknown split."""
        if source.split is not None and source.split not in self.splits:
            known = listed(self.splits) if self.splits else "none, it has no official split"
            raise UserError(
                source.key, f"split {source.split!r} is not known.{nearest(source.split, self.splits)}",
                f"Splits of {self.facts.name}: {known}", "Correct the split or leave it out",
            )  # fmt: skip
        rows = self.load(root, source.split).with_format("arrow")[:]
        return validate_targets(rows, overridden(self.facts, source), str(root), root)


def overridden(facts: Facts, source: DataSource) -> Facts:
    """The facts of a data set after what the suite says about it."""
    said: dict[str, object] = {
        "name": source.name,
        "cluster_unit": source.cluster_unit,
        "media_kind": source.media_kind,
        "attributes_public": source.attributes_public,
        "au_scale": source.au_scale,
        "target_face": source.target_face,
        "label_source": source.label_source,
    }
    if source.labels is not None:
        space = declare(source.labels, f"{source.key} labels")
        said |= {"labels": space.labels, "label_space": space.name}
    return facts.model_copy(update={name: value for name, value in said.items() if value is not None})


def require_files(root: Path, name: str, *paths: str) -> None:
    """Raise UserError unless every file or folder of a layout is under the root."""
    missing = [path for path in paths if not (root / path).exists()]
    if missing:
        there = [entry.name + "/" * entry.is_dir() for entry in root.iterdir()]
        raise UserError(
            str(root), f"no {' and no '.join(missing)} here, only {listed(there) or 'an empty folder'}",
            f"The folder of {name} has {', '.join(paths)}", "Give the folder that holds them",
        )  # fmt: skip
