"""Attributes that a table of their own adds to targets: measured ones, or what people annotated.

The table has one row a target, or a clip, or a subject, in a column of that name; every other column becomes
an attribute. A target without a row is unmeasured. Refused: rows of what the targets do not have, a second
row of the same, and columns that are no attributes or that the targets have already.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench.digest import digest_table
from bench.errors import UserError, counted, listed
from bench.tables.files import as_text, read_table, row_of
from bench.tables.plain import plain
from bench.tables.targets import RESERVED, Targets, require_unique, validate_targets

__all__ = ["KEYS", "carried_measurement", "described", "join_attributes"]

KEYS = ("target", "clip", "subject")
"""What a table of attributes may have a row for; the first that it has a column of."""
_MEASURED = b"affectbench_measured"


def join_attributes(targets: Targets, path: Path) -> Targets:
    """The same targets, in the same order, with the attributes of a table; their digest is another.

    The facts say where each came from: "measured" where affectbench wrote the file as it is, else "given";
    with these, small groups are withheld though those of the data set are public. Raises UserError as the
    module says, and as ``validate_targets`` does.
    """
    source = "given" if carried_measurement(path) is None else "measured"
    where = str(path)
    table = plain(read_table(path), where)
    key = _key(table, targets, where)
    names = [name for name in table.column_names if name != key]
    _refuse_names(names, targets, where)
    rows = _rows(as_text(table[key]), as_text(targets.table[key]), key, where)
    joined = targets.table
    for name in names:
        joined = joined.append_column(name, table[name].combine_chunks().take(rows))
    attributes = {**targets.facts.attributes, **dict.fromkeys(names, source)}
    # That those of the data set are public says nothing of what somebody adds.
    public = targets.facts.attributes_public and source == "measured"
    facts = targets.facts.model_copy(update={"attributes": attributes, "attributes_public": public})
    return replace(
        validate_targets(joined, facts, targets.where or targets.facts.name, targets.root),
        where=targets.where,
    )


def described(table: pa.Table, measurement: dict[str, object]) -> pa.Table:
    """A table with what it was measured from, and the digest of its rows."""
    held = {"from": measurement, "rows": digest_table(table)}
    return table.replace_schema_metadata({_MEASURED: json.dumps(held, sort_keys=True)})


def carried_measurement(path: Path) -> dict[str, object] | None:
    """What a table that affectbench measured was measured from; None for any other, or changed, file."""
    import pyarrow.parquet as pq

    try:
        held = json.loads((pq.read_schema(path).metadata or {})[_MEASURED])
        if held["rows"] != digest_table(pq.read_table(path)):
            return None
        found = held["from"]
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _key(table: pa.Table, targets: Targets, where: str) -> str:
    """The column that the table is joined by."""
    found = [name for name in KEYS if name in table.column_names]
    if not found:
        raise UserError(
            where, f"it has no column {', '.join(KEYS[:-1])} or {KEYS[-1]}",
            f"Attributes are of targets, clips or subjects; it has: {listed(table.column_names)}",
            "Add the column that names them",
        )  # fmt: skip
    key = found[0]
    if key not in targets.table.column_names:
        raise UserError(
            where, f"it is joined by {key!r}, and the targets have no such column",
            f"The targets have: {listed(n for n in KEYS if n in targets.table.column_names)}",
            f"Give a row for each of these, or add the column {key!r} to the targets",
        )  # fmt: skip
    return key


def _refuse_names(names: list[str], targets: Targets, where: str) -> None:
    """UserError for a column that is no attribute, or that the targets have."""
    if not names:
        raise UserError(
            where, "it has no attribute", "Every column but the one that names the rows is an attribute",
            "Add columns, or leave --attributes out",
        )  # fmt: skip
    for name in names:
        if name in targets.table.column_names and name not in RESERVED:
            raise UserError(
                where, f"the targets have a column {name!r} already", "An attribute has one source",
                "Rename it in the file, or leave it out of one of the two",
            )  # fmt: skip
        if name in RESERVED or name == "predicted" or name.startswith(("au_", "p_")):
            raise UserError(
                where, f"column {name!r} is no attribute", f"Not attributes: {listed(RESERVED, 40)}, "
                "predicted, au_NN and p_LABEL", "Rename it, or leave it out",
            )  # fmt: skip


def _rows(given: pa.ChunkedArray, wanted: pa.ChunkedArray, key: str, where: str) -> pa.Array:
    """The row of the table for each target, null for none."""
    require_unique(given, where, key)
    strange = given.filter(pc.invert(pc.is_in(given, value_set=pc.unique(wanted))))
    if len(strange):
        row = pc.index(given, strange[0]).as_py()
        raise UserError(
            row_of(where, row),
            f"no target has {key} {strange[0].as_py()!r}; "
            f"so it is with {len(strange)} of {counted(len(given), 'row')}",
            f"The targets have: {listed(wanted.drop_null()[:3].to_pylist()) or 'none'} ...",
            f"Correct the column {key!r}, or leave the rows out that are not of these targets",
        )  # fmt: skip
    return pc.index_in(wanted, value_set=given.combine_chunks()).combine_chunks()
