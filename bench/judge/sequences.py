"""Sequences: which rows, or which frames of a row, follow one another in time, and what was said of each.

Where targets are frames (columns ``clip`` and ``frame``), a sequence is the rows of one clip and one subject,
in order of ``frame``. Where targets are clips, it is the sampled frames of a row in a Frames table, in order
of ``timestamp``, with what was said of the person the row means: the track whose mean output is nearest to
the row's prediction, to nine decimals (``bench.predict.rows`` makes them the same); of several the one seen
most often, then the first. A track is as far away as in its farthest column; a column is infinitely far where
only the track or only the prediction has a value, and is left aside where neither has. Outputs of one person
at one time, from overlapping windows, are averaged. Every mean is over the finite numbers of a column, NaN
where there is none. Refuses two rows of one clip, subject and frame, which have no order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError
from bench.judge.atoms import combine
from bench.judge.kernels import Key
from bench.judge.rows import EMPTY, Bools, Floats, Ints, Rows, as_codes, has_labels, numbers, positions
from bench.tables import Targets, decide
from bench.tables.targets import AFFECT

__all__ = ["Sequences", "follow_frames", "follow_rows", "refuse_repeated", "rows_are_frames"]

_DECIMALS = 9  # of means over frames, to which a prediction is told from others


@dataclass(frozen=True)
class Sequences:
    """S sampled frames of N rows, sequence by sequence in order of time.

    ``row`` (S,) is the row of each frame and ``sequence`` (S,) a number that ascends; ``at`` (S,) its frame
    number or seconds; ``judged`` (S,) is false where the frame could not be decoded; ``said`` (S,) the code
    of the decided word, whatever the label space, -1 for none, or None where the model decides nothing;
    ``outputs`` give the numbers of a column, (S,), NaN where there is none. ``of_rows``: every frame is a
    row of its own. ``keys`` are the statistics that are asked for, ``sums`` those made already, by row.
    """

    rows: int
    row: Ints
    sequence: Ints
    at: Floats
    judged: Bools
    said: Ints | None
    outputs: dict[str, Callable[[], Floats]]
    of_rows: bool
    keys: tuple[Key, ...] = ()
    sums: dict[Key, Floats] = field(default_factory=dict[Key, Floats], compare=False, repr=False)

    @property
    def follows(self) -> Bools:
        """Which frames have one before them in their sequence, (S,)."""
        return np.append(np.zeros(min(len(self.row), 1), np.bool_), np.diff(self.sequence) == 0)

    def by_row(self, amount: Floats | Ints | Bools) -> Floats:
        """Sum one amount per frame (S,) over the frames of each row: (N,)."""
        return np.bincount(self.row, np.asarray(amount, np.float64), self.rows).astype(np.float64)


def rows_are_frames(targets: Targets) -> bool:
    """Whether the rows of the targets are frames of clips."""
    table = targets.table
    return all(n in table.column_names and table[n].null_count < len(table) for n in ("clip", "frame"))


def refuse_repeated(targets: Targets, place: str, metric: str) -> None:
    """Raise UserError where a frame of a clip, and of a subject where that is known, has two rows."""
    row, sequence = _ordered(targets)
    frame = numbers(targets.table["frame"])[row]
    again = np.flatnonzero((np.diff(sequence) == 0) & (np.diff(frame) == 0))
    for place_ in again[:1]:
        twice = targets.table.slice(int(row[place_]), 1).to_pylist()[0]
        person = f" and subject {twice['subject']!r}" if "subject" in twice else ""
        raise UserError(
            place,
            f"metric {metric!r} follows frames, and {targets.facts.name} has frame {twice['frame']} of clip "
            f"{twice['clip']!r}{person} twice",
            "Each frame of a clip is one row, or one for each subject",
            "Correct 'frame', give each of several persons a 'subject', or take the metric out",
        )


def follow_rows(targets: Targets, predictions: pa.Table, rows: Rows, keys: tuple[Key, ...]) -> Sequences:
    """The sequences of targets that are frames; rows without clip or frame are in none."""
    row, sequence = _ordered(targets)
    ok = rows.outcome <= EMPTY

    def output(name: str) -> Floats:
        found = np.where(ok, numbers(predictions[name]), np.nan)[row]
        return np.asarray(np.clip(found, 0.0, 1.0) if name.startswith("p_") else found, np.float64)

    words = np.where(ok, as_codes(predictions["predicted"]), -1)[row]
    return Sequences(
        rows=len(targets), row=row, sequence=sequence, at=numbers(targets.table["frame"])[row],
        judged=rows.judged[row], said=words if has_labels(predictions) else None,
        outputs={name: partial(output, name) for name in _outputs(predictions)}, of_rows=True, keys=keys,
    )  # fmt: skip


def follow_frames(
    targets: Targets, predictions: pa.Table, frames: pa.Table, rows: Rows, keys: tuple[Key, ...]
) -> Sequences:
    """The sequences of targets that are clips; frames of other targets are left aside."""
    row = pc.fill_null(pc.index_in(frames["target"], targets.table["target"].combine_chunks()), -1)
    frames = frames.filter(pa.array(row.to_numpy() >= 0)) if len(frames) else frames
    row = row.to_numpy().astype(np.int64)
    row = row[row >= 0]
    time, ok = numbers(frames["timestamp"]), positions(frames["status"], ("ok",)) == 0
    order = np.lexsort((time, row))
    row, time, ok, frames = row[order], time[order], ok[order], frames.take(order)
    # The sample of each frame row: all tracks of a target at one time.
    sample = np.cumsum(np.append(True, (np.diff(row) != 0) | (np.diff(time) != 0))[: len(row)]) - 1
    first = np.flatnonzero(np.append(True, np.diff(sample) > 0)[: len(sample)])
    mine = _of_person(frames, predictions, row, ok & (rows.outcome <= EMPTY)[row])
    place = sample[mine]

    def output(name: str) -> Floats:
        found = _means(numbers(frames[name])[mine], place, len(first))
        return np.asarray(np.clip(found, 0.0, 1.0) if name.startswith("p_") else found, np.float64)

    names = _outputs(frames)
    grades = [name for name in names if name.startswith("p_")]
    said = None
    if grades:
        said = decide(np.stack([output(name) for name in grades], axis=1))
    elif "predicted" in frames.column_names:
        said = np.full(len(first), -1)
        said[place] = as_codes(frames["predicted"])[mine]
    return Sequences(
        rows=len(targets), row=row[first], sequence=row[first], at=time[first],
        judged=rows.judged[row[first]], said=said,
        outputs={name: partial(output, name) for name in names}, of_rows=False, keys=keys,
    )  # fmt: skip


def _of_person(frames: pa.Table, predictions: pa.Table, row: Ints, ok: Bools) -> Ints:
    """The places of the frame rows of the person whom each target means."""
    track = pc.fill_null(frames["track"], 0).to_numpy().astype(np.int64)
    place = np.flatnonzero(ok)
    part, first = combine([row[place], track[place] - track.min(initial=0)])
    count = np.bincount(part, minlength=len(first))
    of, distance = row[place][first], np.zeros(len(first))
    for name in set(_outputs(frames)) & set(_outputs(predictions)):
        mean = _means(numbers(frames[name])[place], part, len(first))
        meant = numbers(predictions[name])[of]
        apart = np.where(np.isfinite(mean) == np.isfinite(meant), np.abs(mean - meant), np.inf)
        distance = np.fmax(distance, np.round(apart, _DECIMALS))  # NaN, of neither, is left aside
    order = np.lexsort((track[place][first], -count, distance, of))
    best = order[np.append(True, np.diff(of[order]) != 0)[: len(order)]]
    return place[np.isin(part, best)]


def _means(amount: Floats, part: Ints, parts: int) -> Floats:
    """The mean of the finite amounts of each part, NaN where there is none, (parts,)."""
    finite = np.isfinite(amount)
    count = np.bincount(part[finite], minlength=parts)
    total = np.bincount(part[finite], amount[finite], parts)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _outputs(table: pa.Table) -> list[str]:
    """The columns of numbers that a model says of a face."""
    return [name for name in table.column_names if name in AFFECT or name.startswith("p_")]


def _ordered(targets: Targets) -> tuple[Ints, Ints]:
    """The rows that are frames of a clip, sequence by sequence in order, and the number of the sequence."""
    table = targets.table
    clip, frame = as_codes(table["clip"]), numbers(table["frame"])
    row = np.flatnonzero((clip >= 0) & np.isfinite(frame))
    parts = [clip[row]]
    if "subject" in table.column_names:
        parts.append(as_codes(table["subject"])[row] + 1)
    sequence = combine(parts)[0]
    order = np.lexsort((frame[row], sequence))
    return row[order], sequence[order]
