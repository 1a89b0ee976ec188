"""Predictions made elsewhere: read, held against the targets and one another, and written as cells.

Refuses what could never be right, what no truth is there for, and rows that one model alone cannot decode.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.digest import digest_json, digest_table
from bench.errors import UserError, counted, listed
from bench.folder import RunFolder
from bench.spec import Suite
from bench.tables import Targets, read_predictions, write_table
from bench.tables.action_units import action_units
from bench.tables.frames import read_frames
from bench.tables.targets import AFFECT

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_all", "read_followed", "write_cell"]


def read_all(
    predictions: Mapping[str, Path], columns: Mapping[str, dict[str, str]], targets: Targets, suite: Suite
) -> dict[str, pa.Table]:
    """The predictions of every model, columns mapped, in the order of the targets; UserError for bad ones."""
    tables = {name: read_predictions(path, targets, columns.get(name)) for name, path in predictions.items()}
    for name, table in tables.items():
        _require_common_label(str(predictions[name]), table, targets)
        if suite.metrics != ("coverage",):  # of any output, whatever is true
            _require_common_output(str(predictions[name]), table, targets)
    _require_same_faults(tables)
    return tables


def read_followed(frames: Mapping[str, Path], targets: Targets) -> dict[str, pa.Table]:
    """Read the outputs per frame of clips; UserError where the targets are frames themselves."""
    from bench.judge.sequences import rows_are_frames

    for name in frames if rows_are_frames(targets) else ():
        raise UserError(
            f"--frames {name}", "the targets are frames already: their rows have a clip and a frame",
            "Outputs per frame are given beside targets that are clips", "Leave --frames out",
        )  # fmt: skip
    return {name: read_frames(path, targets) for name, path in frames.items()}


def write_cell(
    run: RunFolder, names: tuple[str, str], targets: Targets, table: pa.Table, frames: pa.Table | None
) -> None:
    """Write the cell of a model and data set from predictions made elsewhere."""
    model, dataset = names
    folder = run.cell(model, dataset, "clean")
    write_table(table, folder.predictions)
    key = {"targets": targets.digest, "predictions": digest_table(table)}
    if frames is not None:
        write_table(frames, folder.frames)
        key["frames"] = digest_table(frames)
    statuses = table["status"].value_counts().to_pylist()
    folder.finish(
        {
            "key": digest_json(key), "model": model, "dataset": dataset, "condition": "clean",
            "severity": 0, "where": None, "rows": table.num_rows,
            "frames": None if frames is None else frames.num_rows,
            "statuses": {entry["values"]: entry["counts"] for entry in statuses}, "environment": {},
            "precision": None, "decoding": None,
        }
    )  # fmt: skip


def _require_common_label(where: str, table: pa.Table, targets: Targets) -> None:
    """Probabilities of labels that the targets do not have could never be right."""
    known = targets.space.labels
    given = [name.removeprefix("p_") for name in table.column_names if name.startswith("p_")]
    if known and given and not set(given) & set(known):
        raise UserError(
            where, f"its probabilities are of {listed(given)}",
            f"The targets have {listed(known)}: no label is common",
            "Map its columns with --column p_LABEL=YOURS, or judge predictions of the same label space",
        )  # fmt: skip


def _require_common_output(where: str, table: pa.Table, targets: Targets) -> None:
    """Outputs that the targets have no truth for could be judged of nothing but coverage."""
    from bench.judge.rows import has_labels

    names, held = targets.table.column_names, targets.table
    known = ("label", "votes", *AFFECT, *action_units(names))
    truth = {c for c in names if c in known and held[c].null_count < len(held)}
    outputs = {c for c in table.column_names if c in AFFECT or c.startswith(("p_", "au_"))}
    judged = outputs | ({"label", "votes"} if has_labels(table) else set())
    if truth and not judged & truth:
        raise UserError(
            where, f"its outputs are {listed(outputs | ({'predicted'} if judged - outputs else set()))}",
            f"{targets.facts.name} has {listed(truth)}, by which none of these can be judged",
            f"Give predictions of what {targets.facts.name} has, or add the truth of these outputs to it",
        )  # fmt: skip


def _require_same_faults(tables: dict[str, pa.Table]) -> None:
    """A medium that cannot be decoded is the data's fault, so it is everyone's: rows may not differ in it."""
    faults = {}
    for name, table in tables.items():
        rows = zip(table["target"].to_pylist(), table["status"].to_pylist(), strict=True)
        faults[name] = {target for target, status in rows if status == "decode_error"}
    first, *others = faults
    for name in others:
        differing = sorted(faults[first] ^ faults[name])
        if differing:
            raise UserError(
                name,
                f"{counted(len(differing), 'row')} {'is' if len(differing) == 1 else 'are'} decode_error "
                f"here or in {first!r} alone: {listed(differing, 3)}",
                "A decode_error is the data's fault and leaves the denominators, so it is the same for all",
                "Give rows that only one model could not read the status model_error, or score them apart",
            )
