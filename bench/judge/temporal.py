"""Temporal metrics: what changes from one frame to the next, how late, and in which segments.

Kernels make numbers per row out of ``bench.judge.sequences``, which are summed like any others; formulas
make values of the sums. The first of the numbers counts what the denominator holds, the last is 1 where the
row has a part in a sequence of two or more frames.

Steps (flip rate, jitter) are pairs of successive frames as they were sampled. One counts if both frames have
what is compared: a tie decides nothing, and over a missed frame nothing is compared. So a model that misses
frames has fewer steps, not more flips; the share of steps that count stands as coverage beside the value. A
step belongs to the row of its second frame. Steps rest on how densely frames were sampled: values of models
that saw other frames are not comparable.

Onsets and segments need a label of each frame. Runs are cut where a frame has no label; frames that could not
be decoded are passed over. A miss is no label, so it delays an onset and ends a segment. Refuses nothing:
what a metric may be asked of is decided in ``bench.judge.request``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.judge import clips
from bench.judge.formulas import Stats, divide
from bench.judge.kernels import Key, Moments
from bench.judge.rows import Bools, Floats, Ints, Rows
from bench.judge.sequences import Sequences

__all__ = [
    "COUNTED", "OVERLAP", "TEMPORAL", "counted", "flip_rate", "gives", "jitter", "needed", "onset_lag",
    "onset_missed", "segment_agreement", "statistics", "stepped",
]  # fmt: skip

TEMPORAL = ("steps", "onsets", "segments", "within", "between")
"""The kernels that need sequences."""
COUNTED = {
    "steps": "steps from frame to frame, as densely as they were sampled", "onsets": "changes of the label",
    "segments": "segments, those of the labels and those predicted",
}  # fmt: skip
"""What n counts, where that is not rows."""
OVERLAP = 0.5
"""The least intersection over union of segments that agree."""


def flip_rate(steps: Stats) -> tuple[Stats, Stats]:
    """Flip rate: the share of steps from one frame to the next at which the decision changes.

    Of steps whose frames are both decided. A model that always says the same has 0, right or wrong: read it
    beside accuracy. Where labels change within clips, some flips are right. Source: flip probability of
    Hendrycks, Dietterich 2019 (arXiv 1903.12261), between successive frames.
    """
    return steps[..., 1], steps[..., 0]


def jitter(steps: Stats) -> Floats:
    """Jitter: the mean change from one frame to the next, mean |y_t - y_(t-1)|.

    Of valence and the like in their units; of probabilities the total variation distance, 1/2 sum_k
    |p_k - q_k|, in [0, 1]. A constant has 0. Source of the distance: Levin, Peres, Wilmer 2009, section 4.1.
    """
    return divide(steps[..., 1], steps[..., 0])


def onset_lag(onsets: Stats) -> Floats:
    """Onset lag: after a change of the label, how many frames until the decision is the new label.

    The mean over changes of the label within a sequence, in frame numbers of the targets; 0 where it is the
    new label at once or was before. Where it never is before the label changes again, the lag is censored at
    how long the label lasted, so that the mean is too small: read it beside onset_missed.
    """
    return divide(onsets[..., 1], onsets[..., 0])


def onset_missed(onsets: Stats) -> tuple[Stats, Stats]:
    """Missed onsets: the share of changes of the label after which the decision never is the new label.

    Before the label changes again or the sequence ends.
    """
    return onsets[..., 2], onsets[..., 0]


def segment_agreement(segments: Stats) -> Floats:
    """Segmental F1 at 50 % overlap (F1@50): 2 TP / (segments of the labels + segments predicted).

    Segments are longest runs of one label, or of one decision, within a sequence; two agree if their label
    is the same and their intersection over union is at least .5, of which no segment has two. Source: Lea et
    al. 2017, arXiv 1611.05267, without a background class. As with F1, a miss in place of a wrong answer
    can raise it: read it beside coverage.
    """
    return divide(segments[..., 1], segments[..., 0])


def needed(key: Key) -> tuple[str, ...]:
    """The columns of targets that a temporal metric cannot do without."""
    if key.kernel == "steps":
        return ()
    return ("clip", "frame", key.column or "label")


def gives(rows: Rows, key: Key) -> bool:
    """Whether there are sequences, and the predictions have what is compared."""
    found = rows.sequences
    if found is None or (key.kernel != "steps" and not found.of_rows):
        return False
    if key.kernel in ("within", "between"):
        return key.column in rows.affect
    if key.column == "probabilities":
        return any(name.startswith("p_") for name in found.outputs)
    return key.column in found.outputs if key.column else found.said is not None


def statistics(rows: Rows, key: Key) -> Moments:
    """The numbers of each row, made once; ``rows`` have sequences."""
    found = rows.sequences
    assert found is not None
    if key not in found.sums:
        found.sums[key] = _made(rows, found, key)
    stats = found.sums[key]
    return Moments(rows.judged & (stats != 0).any(axis=1), stats)


def counted(rows: Rows, key: Key) -> Bools:
    """The rows in the denominator, (N,)."""
    made = statistics(rows, key)
    return made.kept & (made.stats[:, 0] > 0)


def steps(found: Sequences, column: str) -> Floats:
    """Steps that count, the sum of changes, steps as sampled, and whether the row has any: (N, 4)."""
    change, possible = _steps(found, column)
    counts = np.isfinite(change)
    parts = (counts, np.where(counts, change, 0.0), possible)
    return np.stack([*map(found.by_row, parts), _followed(found)], axis=1)


def stepped(rows: Rows, key: Key) -> tuple[Ints, Floats]:
    """The steps that count, in order: the row of each, (S,), and from when to when it goes, (S, 2)."""
    found = rows.sequences
    assert found is not None
    after = np.flatnonzero(np.isfinite(_steps(found, key.column)[0]))
    return found.row[after], np.stack([found.at[after - 1], found.at[after]], axis=1)


def onsets(rows: Rows, found: Sequences) -> Floats:
    """Changes of the label, the sum of lags, those missed, and whether the row is in a sequence: (N, 4)."""
    kept = np.flatnonzero(found.judged)
    row, at, sequence = found.row[kept], found.at[kept], found.sequence[kept]
    truth, hit = rows.truth[row], rows.decision[row] == rows.truth[row]
    start = np.flatnonzero(_breaks(sequence, truth))
    before = start - 1  # of the first frame -1, the last: no onset, since no sequence goes round
    is_onset = (start > 0) & (sequence[start] == sequence[before])
    is_onset &= (truth[start] >= 0) & (truth[before] >= 0)
    end = np.append(start[1:], len(row))
    last = end - 1
    until = at[last] + 1
    goes_on = np.flatnonzero(end < len(row))
    goes_on = goes_on[sequence[end[goes_on]] == sequence[last[goes_on]]]
    until[goes_on] = at[end[goes_on]]
    places = np.where(hit, np.arange(len(row)), len(row))
    reached = np.minimum.reduceat(places, start) if len(start) else start
    missed = reached == len(row)
    lag = np.where(missed, until, at[np.minimum(reached, last)]) - at[start]
    stats = np.zeros((found.rows, 4))
    stats[row[start], :3] = np.stack([is_onset, np.where(is_onset, lag, 0.0), is_onset & missed], axis=1)
    stats[:, 3] = _followed(found)
    return stats


def segments(rows: Rows, found: Sequences) -> Floats:
    """Segments that begin here, those that agree, and whether the row is in a sequence: (N, 3)."""
    judged = np.flatnonzero(found.judged)
    truth = rows.truth[found.row[judged]]
    block = np.cumsum(_breaks(found.sequence[judged], truth >= 0))
    kept = truth >= 0
    row, truth, block = found.row[judged][kept], truth[kept], block[kept]
    decision = rows.decision[row]
    labelled, decided = _Runs.of(_breaks(block, truth)), _Runs.of(_breaks(block, decision))
    # Both are runs of frames, so that two of them meet in one run, or not at all.
    both = _Runs.of(_breaks(block, truth, decision))
    here, there = labelled.number[both.start], decided.number[both.start]
    union = labelled.length[here] + decided.length[there] - both.length
    agree = (truth[both.start] == decision[both.start]) & (both.length >= OVERLAP * union)
    stats = np.zeros((found.rows, 3))
    counted = decision[decided.start] < rows.labels
    for runs, present, which in ((labelled, labelled.start >= 0, here), (decided, counted, there)):
        agrees = np.bincount(which[agree], minlength=len(runs.start)) > 0
        stats[:, 0] += np.bincount(row[runs.start], present, found.rows)
        stats[:, 1] += np.bincount(row[runs.start], present & agrees, found.rows)
    stats[:, 2] = _followed(found)
    return stats


class _Runs(NamedTuple):
    """Longest runs of frames: the run of each frame, and the first frame and length of each run."""

    number: Ints
    start: Ints
    length: Ints

    @classmethod
    def of(cls, begins: Bools) -> _Runs:
        start = np.flatnonzero(begins)
        return cls(np.cumsum(begins) - 1, start, np.diff(np.append(start, len(begins))))


def _breaks(*codes: Ints | Bools) -> Bools:
    """Where any of the codes (S,) is another than before, the first frame included, (S,)."""
    found = np.zeros(len(codes[0]), np.bool_)
    found[:1] = True
    for code in codes:
        found[1:] |= code[1:] != code[:-1]
    return found


def _steps(found: Sequences, column: str) -> tuple[Floats, Bools]:
    """By how much each frame differs from the one before it, NaN for no step that counts; what is a step."""
    after = np.flatnonzero(found.follows)
    possible = np.zeros(len(found.row), np.bool_)
    possible[after] = found.judged[after] & found.judged[after - 1]
    change = np.full(len(found.row), np.nan)
    change[after] = _changes(found, column, after)
    return np.where(possible, change, np.nan), possible


def _changes(found: Sequences, column: str, after: Ints) -> Floats:
    """By how much each of some frames differs from the one before it, NaN where either lacks an output."""
    if not column:
        assert found.said is not None
        now, then = found.said[after], found.said[after - 1]
        return np.where((now >= 0) & (then >= 0), now != then, np.nan)
    names = [column]
    if column == "probabilities":
        names = [name for name in found.outputs if name.startswith("p_")]
    total = np.zeros(len(after))
    for name in names:
        numbers = found.outputs[name]()
        total += np.abs(numbers[after] - numbers[after - 1])
    return total / 2 if column == "probabilities" else total


def _followed(found: Sequences) -> Floats:
    """1 for each row with a frame that follows or is followed, (N,)."""
    follows = found.follows
    return (found.by_row(follows | np.append(follows[1:], False)[: len(follows)]) > 0).astype(np.float64)


def _made(rows: Rows, found: Sequences, key: Key) -> Floats:
    if key.kernel == "steps":
        return steps(found, key.column)
    if key.kernel in ("onsets", "segments"):
        return (onsets if key.kernel == "onsets" else segments)(rows, found)
    return (clips.within if key.kernel == "within" else clips.between)(rows, found, key.column)
