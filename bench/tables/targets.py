"""Targets: one row per thing to predict, with what is true of it.

Columns: ``target`` (unique text), ``media`` (path under the root) and optionally ``media_bytes``,
``clip``, ``frame``, ``audio``, ``subject``, ``label``, ``votes`` (soft label in label-space order),
``valence``, ``arousal``, ``dominance`` in [-1, 1], ``au_NN`` (``bench.tables.action_units``), ``box`` and
``points`` (``bench.tables.places``), ``weight``, ``split``, ``fold``, ``sha256`` and ``audio_sha256`` (of the
files). Every other column is an attribute: text,
or numbers where all its values are. Repeated targets, labels outside the space and text where numbers belong
are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench import labels as label_spaces
from bench.digest import digest_json, digest_table
from bench.errors import UserError, counted, listed
from bench.labels import LabelSpace, near_label
from bench.spec import Facts
from bench.tables.action_units import refuse_unit_names, with_action_units
from bench.tables.files import (
    WHOLE,
    as_numbers,
    as_text,
    read_table,
    require_columns,
    row_of,
    write_table,
)
from bench.tables.misspelt import refuse_misspelt
from bench.tables.places import PLACES, with_places
from bench.tables.plain import plain
from bench.tables.votes import with_votes

if TYPE_CHECKING:
    import datasets

__all__ = [
    "AFFECT", "RESERVED", "Targets", "carried_facts", "read_targets", "require_places", "require_unique",
    "validate_targets",
]  # fmt: skip

AFFECT = ("valence", "arousal", "dominance")
_TEXT = ("target", "clip", "media", "audio", "subject", "label", "split", "fold", "sha256", "audio_sha256")
_NUMBERS = {**{name: pa.float64() for name in (*AFFECT, "weight")}, "frame": pa.int64()}
RESERVED = (*_TEXT, *_NUMBERS, "media_bytes", "votes", *PLACES)
_CLUSTER = {"person": "subject", "video": "clip", "clip": "target"}
_FACTS = b"affectbench_facts"


@dataclass(frozen=True)
class Targets:
    """A valid targets table, the facts of its data set, and the folder its media lie under.

    ``where`` is what messages call the table: its path.
    """

    table: pa.Table
    facts: Facts
    root: Path | None = None
    where: str = field(default="", compare=False, repr=False)

    @property
    def space(self) -> LabelSpace:
        """The label space that ``label`` and ``votes`` are in."""
        return LabelSpace(self.facts.label_space, self.facts.labels)

    @property
    def attributes(self) -> tuple[str, ...]:
        """The columns that slices may cut by."""
        return tuple(name for name in self.table.column_names if _is_attribute(name))

    @property
    def cluster(self) -> str:
        """The column that holds the cluster: subject, clip or, with every row its own, target."""
        return _CLUSTER[self.facts.cluster_unit]

    @cached_property
    def digest(self) -> str:
        """The sha256 of rows and facts; bytes of media count through their ``sha256`` column."""
        rows = self.table.drop_columns([c for c in ("media_bytes",) if c in self.table.column_names])
        facts = self.facts.model_dump(mode="json", exclude_none=True)
        return digest_json({"rows": digest_table(rows), "facts": facts})

    @property
    def dataset(self) -> datasets.Dataset:
        """The same rows as a Hugging Face data set, without a copy."""
        import datasets

        return datasets.Dataset(self.table)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def write(self, path: Path) -> None:
        """Write Parquet that carries its facts, so that ``read_targets`` needs nothing else."""
        facts = {_FACTS: self.facts.model_dump_json().encode()}
        write_table(self.table.replace_schema_metadata(facts), path)


def read_targets(path: Path, facts: Facts | None = None, root: Path | None = None) -> Targets:
    """Read and validate a table of targets; facts given here win over facts the file carries."""
    table = read_table(path)
    return validate_targets(table, facts or carried_facts(table, path), str(path), root)


def carried_facts(table: pa.Table, path: Path) -> Facts:
    """The facts that ``Targets.write`` left in the file, else facts that know its name alone."""
    carried = (table.schema.metadata or {}).get(_FACTS)
    if carried is None:
        return Facts(name=path.stem)
    try:
        return Facts(**json.loads(carried))
    except (ValueError, TypeError):
        raise UserError(
            str(path), "the facts it carries are not of this version", "Facts are written by affectbench",
            "Write the table again with this version",
        ) from None  # fmt: skip


def validate_targets(table: pa.Table, facts: Facts, where: str, root: Path | None = None) -> Targets:
    """Type the columns, map labels to the label space, and refuse what no number could rest on.

    Where ``facts`` leave the cluster unit open and no column ``subject`` exists, the video (column ``clip``)
    is the cluster, else every row is its own. Raises UserError for missing columns, empty or repeated
    targets, attributes that nearly have the name of a reserved column that is absent, predictions in the
    place of targets, a missing subject where persons are the clusters, labels outside the space, text where
    numbers belong, negative weights, affect outside [-1, 1], action units by another name or scale, and
    places that are none or, where they say which face is meant, are not given.
    """
    require_columns(table, ("target",), where)
    refuse_misspelt(table.column_names, RESERVED, where)
    refuse_unit_names(table.column_names, where)
    _refuse_predictions(table.column_names, where)
    table = _typed(plain(table, where, lists=("votes", *PLACES), raw=("media_bytes",)), where)
    require_unique(table["target"], where)
    facts = _with_cluster(_with_space(facts, table), table, where)
    table = _in_space(table, facts, where)
    for name in AFFECT:
        _in_range(table, name, (-1, 1), where)
    _in_range(table, "weight", (0, np.inf), where)
    table = with_places(with_votes(table, facts.labels, where), where)
    if facts.target_face == "box":
        require_places(table, "box", "'target_face: box' goes by it", where)
    table, scale = with_action_units(table, facts.au_scale, where)
    attributes = {n: facts.attributes.get(n, "given") for n in table.column_names if _is_attribute(n)}
    facts = facts.model_copy(update={"attributes": attributes, "au_scale": scale})
    return Targets(table.combine_chunks(), facts, root, where)


def require_unique(column: pa.ChunkedArray, where: str, name: str = "target") -> None:
    """Raise UserError for the first row whose target, or clip, is empty or stands in an earlier row."""
    if column.null_count == 0 and len(pc.unique(column)) == len(column):
        return
    seen: dict[str, int] = {}
    for row, target in enumerate(column.to_pylist()):
        if target is None:
            raise UserError(
                row_of(where, row), f"the {name} is empty", f"Every row names its {name}",
                "Fill it or remove the row",
            )  # fmt: skip
        if target in seen:
            raise UserError(
                row_of(where, row), f"{name} {target!r} was already in row {seen[target] + 1}",
                f"Every {name} has one row", "Rename or remove one of them",
            )  # fmt: skip
        seen[target] = row


def require_places(table: pa.Table, name: str, wanted: str, where: str) -> None:
    """Raise UserError unless every row has its ``box`` or ``points``; ``wanted`` says who needs them."""
    require_columns(table, (name,), where)
    for row in _rows(pc.is_null(table[name])):
        raise UserError(
            row_of(where, row),
            f"{name} is empty in {table[name].null_count} of {counted(len(table), 'row')}",
            f"Every row has its {name}, since {wanted}", f"Fill {name}, or leave these rows out",
        )  # fmt: skip


def _refuse_predictions(names: Iterable[str], where: str) -> None:
    """Raise UserError for predictions in the place of targets: an answer and no truth to hold it against."""
    present = set(names)
    if "predicted" in present and not present & {"label", "votes", *AFFECT}:
        raise UserError(
            where, "there is a column 'predicted' and no truth",
            f"Targets hold truth: label, votes, {', '.join(AFFECT)}; predictions are a table of their own",
            "Give it as --predictions, or add the truth",
        )  # fmt: skip


def _is_attribute(name: str) -> bool:
    return name not in RESERVED and not name.startswith("au_")


def _typed(table: pa.Table, where: str) -> pa.Table:
    for position, name in enumerate(table.column_names):
        column = table[name]
        if name in _TEXT:
            column = as_text(column)
        elif name in _NUMBERS or name.startswith("au_"):
            column = as_numbers(table, name, where, _NUMBERS.get(name, pa.float64()))
        elif name not in RESERVED:
            column = _attribute(column)
        table = table.set_column(position, name, column)
    return table


def _attribute(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers where every value is one, else text; NaN and empty are null, which is unmeasured."""
    if pa.types.is_boolean(column.type):
        return as_text(column)
    text = as_text(column)
    try:
        numbers = column if pa.types.is_primitive(column.type) else text
        numbers = numbers.cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return text
    # A number that float64 rounds is the name of something; rounded, two of them could become one.
    rounded = pc.and_(pc.is_finite(numbers), pc.greater_equal(pc.abs(numbers), WHOLE))
    if text.null_count == len(text) or pc.any(rounded).as_py():
        return text
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _with_space(facts: Facts, table: pa.Table) -> Facts:
    if facts.labels or "label" not in table.column_names:
        return facts
    found = [label for label in pc.unique(table["label"]).to_pylist() if label is not None]
    if not found:
        return facts
    space = label_spaces.infer(found)
    return facts.model_copy(update={"labels": space.labels, "label_space": space.name})


def _with_cluster(facts: Facts, table: pa.Table, where: str) -> Facts:
    if "cluster_unit" not in facts.model_fields_set and "subject" not in table.column_names:
        unit = "video" if "clip" in table.column_names else "clip"
        facts = facts.model_copy(update={"cluster_unit": unit})
    column = _CLUSTER[facts.cluster_unit]
    require_columns(table, (column,), where)
    for row in _rows(pc.is_null(table[column])):
        raise UserError(
            row_of(where, row), f"column {column!r} is empty",
            f"Every row has a {column}, since intervals resample it",
            "Fill it, or leave the whole column out where it is not known",
        )  # fmt: skip
    return facts


def _in_space(table: pa.Table, facts: Facts, where: str) -> pa.Table:
    if "label" not in table.column_names or not facts.labels:
        return table
    names = {word: label_spaces.canonical(word) for word in pc.unique(table["label"]).drop_null().to_pylist()}
    strange = [word for word, name in names.items() if name not in facts.labels]
    for row in _rows(pc.is_in(table["label"], pa.array(strange, pa.string()))):
        word = table["label"][row].as_py()
        raise UserError(
            row_of(where, row),
            f"label {word!r} is not in the label space {facts.label_space}.{near_label(word, facts.labels)}",
            f"Allowed: {listed(facts.labels)}",
            "Correct the label or declare the space with --labels",
        )
    column = pa.array([names.get(word) for word in table["label"].to_pylist()], pa.string())
    return table.set_column(table.column_names.index("label"), "label", column)


def _in_range(table: pa.Table, name: str, bounds: tuple[float, float], where: str) -> None:
    if name not in table.column_names:
        return
    low, high = bounds
    values = table[name].to_numpy()
    outside = ~((values >= low) & (values <= high) & np.isfinite(values))
    for row in np.flatnonzero(outside & pc.is_valid(table[name]).to_numpy())[:1]:
        within = f"lies in [{low}, {high}]" if np.isfinite(high) else f"is at least {low}"
        raise UserError(
            row_of(where, int(row)), f"{name} is {values[row]:g}", f"{name} {within} or is empty",
            "Rescale the column" if name in AFFECT else "Correct the value or leave the field empty",
        )  # fmt: skip


def _rows(mask: pa.ChunkedArray) -> list[int]:
    """The first row, if any, where the mask holds."""
    return [int(row) for row in np.flatnonzero(mask.to_numpy())[:1]]
