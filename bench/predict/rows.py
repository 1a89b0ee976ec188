"""From scores to rows: what was heard of each target becomes one prediction and its frame rows.

The clip's output is the mean over the rows of the person it means (float64 on the host). Status: decode_error
when the medium failed, no_face when no face was ever found, model_error when the model failed or returned
a value that is not finite, abstained when it returned no row. Where faces were sought, ``stage`` says which
stage lost the target first, of rows with an output too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa

from bench.errors import MediaFault
from bench.predict.zoo import Model
from bench.tables import decide, frames_schema, predictions_schema
from bench.tables.predictions import output_columns
from bench.tables.scale import require_scale

__all__ = ["End", "Hearing", "Hearings", "Rows", "frame_rows", "prediction_rows"]


@dataclass(frozen=True)
class Rows:
    """What a model said, row by row, of targets of a batch.

    ``places``: int64 [R], which target. ``tracks``: int64 [R], which person. ``times``: float64 [R], seconds.
    ``values``: float64 [R, C], columns as in ``output_columns``.
    """

    places: np.ndarray
    tracks: np.ndarray
    times: np.ndarray
    values: np.ndarray

    @classmethod
    def none(cls, model: Model) -> Rows:
        """No rows of what a model declares."""
        width = len(output_columns(model.pipeline.labels, model.pipeline.outputs))
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty((0, width)))

    def __getitem__(self, chosen: np.ndarray | slice) -> Rows:
        return Rows(self.places[chosen], self.tracks[chosen], self.times[chosen], self.values[chosen])

    def __len__(self) -> int:
        return len(self.places)


@dataclass
class Hearing:
    """What one cell has noted of one target so far, beside the rows."""

    target: str
    faceless: list[float] = field(default_factory=list[float])
    frames: int = 0
    status: str = "ok"
    fault: str | None = None

    def fail(self, status: str, fault: str) -> None:
        """Note the first failure; it decides the status."""
        if self.status == "ok":
            self.status, self.fault = status, fault

    def fail_decoding(self, fault: MediaFault) -> None:
        """Note that the medium failed, which outranks everything else."""
        self.status, self.fault = fault.status, str(fault)

    def conclude(self, track: int | None, *, heard: bool) -> str:
        """The status, of the person that the target means, of whom rows were ``heard`` or not.

        Where the target means nobody who was seen, a model that failed on others changes nothing.
        """
        if track is None and self.status != "decode_error":
            return "no_face"
        return "abstained" if self.status == "ok" and not heard else self.status


class Hearings:
    """All that one cell has heard of the targets of a batch so far."""

    def __init__(self, model: Model, targets: Sequence[str]) -> None:
        self.targets = [Hearing(target) for target in targets]
        self._blocks = [Rows.none(model)]

    def hear(self, rows: Rows) -> None:
        """Add what the model said of one chunk."""
        self._blocks.append(rows)
        for place in np.unique(rows.places[~np.isfinite(rows.values).all(axis=1)]):
            self.targets[place].fail("model_error", "the model returned a value that is not finite")

    @property
    def rows(self) -> Rows:
        """Everything heard, by target, and of each in the order in which it was heard."""
        joined = Rows(*(np.concatenate([getattr(b, f.name) for b in self._blocks]) for f in fields(Rows)))
        return joined[np.argsort(joined.places, kind="stable")]


End = tuple[int | None, str | None]
"""The person that a target means, and the stage of the front-end that lost the target."""


def prediction_rows(model: Model, hearings: Hearings, ends: Sequence[End], *, sought: bool) -> pa.Table:
    """Exactly one row per target, in order; UserError for affect on another scale than the targets'.

    ``sought`` says whether there is a front-end, and so a column ``stage``.
    """
    pipeline, targets = model.pipeline, hearings.targets
    schema = predictions_schema(pipeline.labels, pipeline.outputs)
    columns = output_columns(pipeline.labels, pipeline.outputs)
    rows = hearings.rows
    meant = np.array([-1 if track is None else track for track, _ in ends], np.int64)
    means, heard = _means(rows[rows.tracks == meant[rows.places]], len(targets))
    ended = zip(targets, ends, heard.tolist(), strict=True)
    statuses = [hearing.conclude(track, heard=has_rows) for hearing, (track, _), has_rows in ended]
    values = np.where(np.array([status == "ok" for status in statuses])[:, None], means, np.nan)
    for position, name in enumerate(columns):
        require_scale(name, values[:, position], lambda row: f"{model.name} target {targets[row].target!r}")
    order = [position for position, name in enumerate(columns) if name.startswith("p_")]
    codes = decide(values[:, order])
    predicted = [columns[order[code]][2:] if code >= 0 else None for code in codes]
    faults = [h.fault if s == h.status else None for h, s in zip(targets, statuses, strict=True)]
    arrays = [
        pa.array([hearing.target for hearing in targets], pa.string()),
        pa.array(statuses, pa.string()),
        pa.array(predicted, pa.string()),
        *(pa.array(column, pa.float64(), from_pandas=True) for column in values.T),
        pa.array(faults, pa.string()),
    ]
    table = pa.Table.from_arrays(arrays, schema=schema)
    if not sought:
        return table
    stages = [_stage(status, lost) for status, (_, lost) in zip(statuses, ends, strict=True)]
    return table.append_column("stage", pa.array(stages, pa.string()))


def _means(rows: Rows, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean [N, C] over the rows of each target, added up in order, and whether it has any [N]."""
    counts = np.bincount(rows.places, minlength=targets)
    sums = [np.bincount(rows.places, weights=column, minlength=targets) for column in rows.values.T]
    heard = counts > 0
    means = np.full((targets, len(sums)), np.nan)
    np.divide(np.array(sums).reshape(-1, targets).T, counts[:, None], out=means, where=heard[:, None])
    return means, heard


def _stage(status: str, lost: str | None) -> str | None:
    """The first stage that lost a target; of a medium that breaks off, decoding is."""
    if status == "decode_error":
        return status
    return lost or ("model_error" if status == "model_error" else None)


def frame_rows(model: Model, hearings: Hearings) -> pa.Table:
    """The rows per frame of every target that is a video, by time, then track; none for still images.

    A medium that failed while it was decoded has none: what came before the fault is no whole.
    """
    schema = frames_schema(model.pipeline.labels, model.pipeline.outputs)
    rows, targets = hearings.rows, hearings.targets
    ends = np.searchsorted(rows.places, np.arange(len(targets) + 1)).tolist()
    tables = [
        _frames_of(hearing, rows[start:end], schema)
        for hearing, start, end in zip(targets, ends[:-1], ends[1:], strict=True)
        if hearing.frames > 1 and hearing.status != "decode_error"
    ]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _frames_of(hearing: Hearing, rows: Rows, schema: pa.Schema) -> pa.Table:
    faceless = np.asarray(hearing.faceless, np.float64)
    times = np.concatenate([rows.times, faceless])
    tracks = np.concatenate([rows.tracks, np.full(len(faceless), -1, np.int64)])
    values = np.concatenate([rows.values, np.full((len(faceless), rows.values.shape[1]), np.nan)])
    order = np.lexsort((tracks, times))
    found = tracks[order] >= 0
    arrays = [
        pa.array([hearing.target] * len(order), pa.string()),
        pa.array(times[order], pa.float64()),
        pa.array(tracks[order], pa.int64(), mask=~found),
        pa.array(np.where(found, "ok", "no_face").tolist(), pa.string()),
        *(pa.array(column, pa.float64(), from_pandas=True) for column in values[order].T),
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
