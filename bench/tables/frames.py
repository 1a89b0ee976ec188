"""Frames made elsewhere: what a model said of every sampled frame of every clip, read and validated.

Columns: ``target``, ``timestamp`` (seconds), ``track`` (which face; without it all rows of a target are one),
``status`` (without it every row is ok), and outputs as in predictions: ``predicted``, ``p_<label>``,
``valence``, ``arousal``, ``dominance``. Where there are probabilities, they decide and ``predicted`` is not
read. A frame of no status ok says that it was sampled and nothing was said of it. Refuses frames of targets
that are not there, times that are no numbers, and a face that is twice at one time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError, listed
from bench.tables.files import as_numbers, read_table, require_columns, row_of
from bench.tables.plain import plain
from bench.tables.predictions import require_probabilities, require_range, require_statuses, typed
from bench.tables.targets import AFFECT, Targets

__all__ = ["read_frames", "validate_frames"]

_NAMED = ("target", "timestamp", "track", "status", "predicted", *AFFECT)


def read_frames(path: Path, targets: Targets) -> pa.Table:
    """Read the frames of clips and return them valid, by target in its order, then by time and track."""
    return validate_frames(read_table(path), targets, str(path))


def validate_frames(table: pa.Table, targets: Targets, where: str) -> pa.Table:
    """Type the columns and refuse what no sequence could rest on.

    Raises UserError for targets that are not there, empty times, repeated faces, unknown statuses, and
    outputs as ``validate_predictions`` does.
    """
    require_columns(table, ("target", "timestamp"), where)
    columns = table.column_names
    read = [name for name in columns if name in _NAMED or name.startswith("p_")]
    table = plain(table.select(read), where)
    time = as_numbers(table, "timestamp", where, pa.float64())
    track = as_numbers(table, "track", where, pa.int64()) if "track" in read else None
    table = typed(table, targets.space, where)
    ok = require_statuses(table, where)
    _refuse_strange(table, targets, time, where)
    if track is not None:
        _refuse_no_track(track, ok, where)
    track = pc.if_else(pa.array(ok), 0 if track is None else track, pa.scalar(None, pa.int64()))
    table = _with_outputs(table, targets, ok, columns, where)
    head = {"target": table["target"], "timestamp": time, "track": track, "status": table["status"]}
    outputs = [name for name in table.column_names if name not in head]
    return _ordered(pa.table(head | {name: table[name] for name in outputs}), targets, where)


def _refuse_strange(table: pa.Table, targets: Targets, time: pa.ChunkedArray, where: str) -> None:
    known = pc.is_in(table["target"], value_set=targets.table["target"].combine_chunks()).to_numpy()
    for row in np.flatnonzero(~known)[:1]:
        raise UserError(
            row_of(where, int(row)), f"target {table['target'][int(row)].as_py()!r} is none of the targets",
            "Every frame is of a target", "Correct it, or remove the frames of other clips",
        )  # fmt: skip
    for row in np.flatnonzero(~np.isfinite(time.to_numpy()))[:1]:
        raise UserError(
            row_of(where, int(row)), "the timestamp is empty or no finite number",
            "Every frame has its time in seconds", "Fill it; frame numbers will do where times are not known",
        )  # fmt: skip


def _refuse_no_track(track: pa.ChunkedArray, ok: np.ndarray, where: str) -> None:
    for row in np.flatnonzero(ok & pc.is_null(track).to_numpy())[:1]:
        raise UserError(
            row_of(where, int(row)), "the track is empty and the status is ok",
            "A frame with an output says of which face it is",
            "Fill it, or leave the column out where every clip has one face",
        )  # fmt: skip


def _with_outputs(
    table: pa.Table, targets: Targets, ok: np.ndarray, columns: list[str], where: str
) -> pa.Table:
    grades = [name for name in table.column_names if name.startswith("p_")]
    affect = [name for name in table.column_names if name in AFFECT]
    if not grades and not affect and "predicted" not in table.column_names:
        raise UserError(
            where, f"no output column among {listed(columns)}",
            "Frames hold 'p_<label>' columns, 'predicted', valence, arousal or dominance",
            "Name the columns so",
        )  # fmt: skip
    if grades:
        require_probabilities(table, grades, ok, where)
    for name in affect:
        require_range(table, name, targets.facts.au_scale, where)
    return table.drop_columns(["predicted"]) if grades and "predicted" in table.column_names else table


def _ordered(table: pa.Table, targets: Targets, where: str) -> pa.Table:
    """By target, time and track, after refusing two rows of one face at one time."""
    target = pc.index_in(table["target"], targets.table["target"].combine_chunks()).to_numpy()
    time, track = table["timestamp"].to_numpy(), pc.fill_null(table["track"], -1).to_numpy()
    order = np.lexsort((track, time, target))
    same = [np.diff(part[order]) == 0 for part in (target, time, track)]
    for place in np.flatnonzero(np.logical_and.reduce(same) & (track[order][1:] >= 0))[:1]:
        row = int(order[place + 1])
        raise UserError(
            row_of(where, row),
            f"target {table['target'][row].as_py()!r} has face {track[row]} twice at {time[row]:g} s",
            "A face has one row at a time", "Remove one of them, or number the faces in 'track'",
        )  # fmt: skip
    return table.take(order)
