"""Any table of targets: CSV, Parquet or JSON Lines, its media under the same root.

The suite says what the table cannot know (label space, cluster unit, media kind); facts that a Parquet
written by affectbench carries hold unless the suite says otherwise. A table outside the root is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.compute as pc

from bench.errors import UserError, listed, nearest
from bench.predict.datasets.adapter import overridden
from bench.predict.datasets.media import media_path
from bench.spec import DataSource, Facts
from bench.tables import Targets, read_table, validate_targets
from bench.tables.files import require_columns
from bench.tables.targets import carried_facts

__all__ = ["MANIFEST", "Manifest"]


@dataclass(frozen=True)
class Manifest:
    """A table of targets that the suite names."""

    facts: Facts = field(default_factory=lambda: Facts(name="manifest"))
    splits: tuple[str, ...] = ()

    def open(self, source: DataSource, root: Path) -> Targets:
        """Read the table ``source.targets``, keeping the rows of ``source.split`` if one is named."""
        if source.targets is None:
            raise UserError(
                source.key, "the suite names no table", "A manifest is a CSV, Parquet or JSON Lines table",
                "Add a line 'targets: FILE' to the data set, relative to its folder",
            )  # fmt: skip
        path = media_path(root, source.targets, f"{source.key} targets")
        table = read_table(path)
        facts = overridden(carried_facts(table, path), source)
        targets = validate_targets(table, facts, str(path), root)
        return targets if source.split is None else _of_split(targets, source.split, str(path))


def _of_split(targets: Targets, split: str, where: str) -> Targets:
    require_columns(targets.table, ("split",), where)
    rows = targets.table.filter(pc.equal(targets.table["split"], split))
    if rows.num_rows == 0:
        found = pc.unique(targets.table["split"]).drop_null().to_pylist()
        raise UserError(
            where, f"split {split!r} has no rows.{nearest(split, found)}", f"It has: {listed(found)}",
            "Correct the split of the suite or leave it out",
        )  # fmt: skip
    return replace(targets, table=rows, where=f"{where} split {split!r}")  # whose rows count anew


MANIFEST = Manifest()
