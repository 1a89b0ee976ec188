"""From scores to rows: what was heard of each target becomes one prediction and its frame rows.

The clip's output is the mean over the rows of the person it means (float64 on the host). Status: decode_error
when the medium failed, no_face when no face was ever found, model_error when the model failed or returned
a value that is not finite, abstained when it returned no row. Where faces were sought, ``stage`` says which
stage lost the target first, of rows with an output too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from bench.errors import MediaFault
from bench.predict.zoo import Model
from bench.tables import decide, frames_schema, predictions_schema
from bench.tables.predictions import output_columns
from bench.tables.scale import require_scale

__all__ = ["End", "Hearing", "frame_rows", "prediction_rows"]


@dataclass
class Hearing:
    """All that one cell has heard of one target so far."""

    target: str
    times: list[np.ndarray] = field(default_factory=list[np.ndarray])
    tracks: list[np.ndarray] = field(default_factory=list[np.ndarray])
    values: list[np.ndarray] = field(default_factory=list[np.ndarray])
    faceless: list[float] = field(default_factory=list[float])
    frames: int = 0
    status: str = "ok"
    fault: str | None = None

    def hear(self, track: int, times: np.ndarray, rows: np.ndarray) -> None:
        """Add the rows [R, C] of one window and person; columns as in ``output_columns``."""
        if not np.isfinite(rows).all():
            self.fail("model_error", "the model returned a value that is not finite")
        self.times.append(np.asarray(times, np.float64))
        self.tracks.append(np.full(len(times), track, np.int64))
        self.values.append(rows)

    def fail(self, status: str, fault: str) -> None:
        """Note the first failure; it decides the status."""
        if self.status == "ok":
            self.status, self.fault = status, fault

    def fail_decoding(self, fault: MediaFault) -> None:
        """Note that the medium failed, which outranks everything else."""
        self.status, self.fault = fault.status, str(fault)

    def conclude(self, track: int | None) -> tuple[str, np.ndarray | None]:
        """The status, and the mean over the rows of the given person where it is ok.

        Where the target means nobody who was seen, a model that failed on others changes nothing.
        """
        if track is None and self.status != "decode_error":
            return "no_face", None
        if self.status != "ok":
            return self.status, None
        block = [v[t == track] for v, t in zip(self.values, self.tracks, strict=True)]
        rows = np.concatenate(block) if block else np.empty((0, 0))
        return ("ok", rows.mean(axis=0)) if len(rows) else ("abstained", None)


End = tuple[int | None, str | None]
"""The person that a target means, and the stage of the front-end that lost the target."""


def prediction_rows(model: Model, hearings: list[Hearing], ends: list[End], *, sought: bool) -> pa.Table:
    """Exactly one row per hearing, in order; UserError for affect on another scale than the targets'.

    ``sought`` says whether there is a front-end, and so a column ``stage``.
    """
    pipeline = model.pipeline
    schema = predictions_schema(pipeline.labels, pipeline.outputs)
    columns = output_columns(pipeline.labels, pipeline.outputs)
    values = np.full((len(hearings), len(columns)), np.nan)
    statuses = []
    for row, (hearing, (track, _)) in enumerate(zip(hearings, ends, strict=True)):
        status, mean = hearing.conclude(track)
        statuses.append(status)
        if mean is not None:
            values[row] = mean
    for position, name in enumerate(columns):
        require_scale(name, values[:, position], lambda row: f"{model.name} target {hearings[row].target!r}")
    order = [position for position, name in enumerate(columns) if name.startswith("p_")]
    codes = decide(values[:, order])
    predicted = [columns[order[code]][2:] if code >= 0 else None for code in codes]
    faults = [h.fault if s == h.status else None for h, s in zip(hearings, statuses, strict=True)]
    arrays = [
        pa.array([hearing.target for hearing in hearings], pa.string()),
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


def _stage(status: str, lost: str | None) -> str | None:
    """The first stage that lost a target; of a medium that breaks off, decoding is."""
    if status == "decode_error":
        return status
    return lost or ("model_error" if status == "model_error" else None)


def frame_rows(model: Model, hearings: list[Hearing]) -> pa.Table:
    """The rows per frame of every target that is a video, by time, then track; none for still images.

    A medium that failed while it was decoded has none: what came before the fault is no whole.
    """
    schema = frames_schema(model.pipeline.labels, model.pipeline.outputs)
    tables = [_frames_of(h, schema) for h in hearings if h.frames > 1 and h.status != "decode_error"]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _frames_of(hearing: Hearing, schema: pa.Schema) -> pa.Table:
    width = len(schema) - 4
    faceless = np.asarray(hearing.faceless, np.float64)
    times = np.concatenate([*hearing.times, faceless])
    tracks = np.concatenate([*hearing.tracks, np.full(len(faceless), -1, np.int64)])
    values = np.concatenate([*hearing.values, np.full((len(faceless), width), np.nan)])
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
