"""Unlike rows: those that do not enter a metric of two cells alike, though the targets are the same.

A metric that leaves out misses is of other rows where one model missed others; one that follows sampled
frames is of other steps where other frames were sampled or missed, be they as many or not. By that alone the
one can look better than the other. Refuses nothing: ``bench.judge.comparison`` says it beside the difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from bench.judge.kernels import Counts, Stack
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints
from bench.judge.sums import Sums
from bench.judge.temporal import stepped

__all__ = ["Unlike", "unlike"]

_OTHER_ROWS = (
    "not the same rows: this metric leaves out rows without an output, and in {} one model alone has one, or "
    "has it to another extent"
)
_OTHER_STEPS = (
    "not the same steps from frame to frame: others in {}, the first {!r}: {} of the new model, {} of the old"
)
_SAME = 1e-6  # seconds that times of one frame may be apart: single precision moves them


@dataclass(frozen=True)
class _Steps:
    """The steps that count: the ``row`` (S,) of each, ascending, and ``time`` (S, 2), from when to when."""

    row: Ints
    time: Floats

    def of(self, row: int) -> Floats:
        """From when to when the steps of one row go, (steps, 2)."""
        return np.asarray(self.time[self.row == row])


@dataclass(frozen=True)
class Unlike:
    """The rows that do not enter both cells alike, (U,), and the ``steps`` of new and old that say so."""

    rows: Ints
    steps: tuple[_Steps, _Steps] | None = None

    def told(self, rows: Ints, targets: pa.ChunkedArray) -> str | None:
        """What is to be said of some of these rows, with the first difference of steps; None without any."""
        if not len(rows):
            return None
        count = f"{len(rows):,} row" + ("s" if len(rows) > 1 else "")
        if self.steps is None:
            return _OTHER_ROWS.format(count)
        new, old = (one.of(int(rows[0])) for one in self.steps)
        both = min(len(new), len(old))
        first = int(np.argmin(np.append(_same(new[:both], old[:both]), False)))
        words = (_words(one[first : first + 1]) for one in (new, old))
        return _OTHER_STEPS.format(count, targets[int(rows[0])].as_py(), *words)


def unlike(metric: Metric, new: Sums, old: Sums) -> Unlike:
    """The rows that enter a metric on one side alone, or with another weight; misses that count do not."""
    if metric.misses != "left out" and not metric.name.startswith("precision/"):
        return Unlike(np.zeros(0, np.int64))
    apart = (_entering(metric, new) != _entering(metric, old)).any(axis=0)
    if metric.key.kernel != "steps" or _of_rows(new):
        return Unlike(np.flatnonzero(apart))
    steps = _Steps(*stepped(new.rows, metric.key)), _Steps(*stepped(old.rows, metric.key))
    # Where a row has as many steps on both sides, they stand in the same order.
    mine, other = (one.time[~apart[one.row]] for one in steps)
    row = steps[0].row[~apart[steps[0].row]]
    apart[row[~_same(mine, other)]] = True
    return Unlike(np.flatnonzero(apart), steps)


def _same(new: Floats, old: Floats) -> Bools:
    """Which steps are between the same two frames, (S,)."""
    return np.asarray((np.abs(new - old) <= _SAME).all(axis=1))


def _words(step: Floats) -> str:
    """A step, (1, 2), in words, or that there is none, (0, 2)."""
    return "from timestamp {:.12g} to {:.12g}".format(*np.round(step[0], 6)) if len(step) else "none"


def _of_rows(sums: Sums) -> bool:
    """Whether frames are rows, so that a row has one step at most."""
    return sums.rows.sequences is not None and sums.rows.sequences.of_rows


def _entering(metric: Metric, sums: Sums) -> Floats:
    """How much each row adds to each denominator of a metric without its misses, (parts, N)."""
    if metric.misses != "left out":
        return np.asarray(sums.rows.decision < sums.rows.labels, np.float64)[None]
    made = sums.statistics(metric.key)
    parts = [one() for one in made.parts] if isinstance(made, Stack) else [made]
    return np.array(
        [p.column >= 0 if isinstance(p, Counts) else p.kept * p.stats.T[0] for p in parts], np.float64
    )
