"""Kernels: rows in, summable statistics out.

The statistics of two sets of rows are the sum of theirs: int64 counts, float64 moments. What is not summable
is refused. Decode errors, and rows without the truth a kernel needs, leave its statistics.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from bench.judge.rows import OUTCOMES, Bools, Floats, Ints, Rows

__all__ = ["Counts", "Key", "Misses", "Moments", "confusion", "moments", "outcomes", "total"]

Misses = Literal["wrong", "constant", "left out", "counted"]


class Key(NamedTuple):
    """Which statistics a metric is a function of: a kernel and, for moments, of what."""

    kernel: Literal["confusion", "outcomes", "moments"]
    column: str = ""
    misses: Misses = "counted"


class Counts(NamedTuple):
    """One count a row: ``column`` (N,) into the flattened ``shape``, -1 for a row that is left out."""

    column: Ints
    shape: tuple[int, ...]


class Moments(NamedTuple):
    """Nine numbers a row: ``stats`` (N, 9) float64, see ``moments``; ``kept`` (N,) says which rows count."""

    kept: Bools
    stats: Floats


def confusion(rows: Rows) -> Counts:
    """Confusion counts, K x (K + 1): true label by decision, the last column is *none*."""
    column = rows.truth * (rows.labels + 1) + rows.decision
    counted = rows.judged & (rows.truth >= 0)
    return Counts(np.where(counted, column, -1), (rows.labels, rows.labels + 1))


def outcomes(rows: Rows) -> Counts:
    """What became of every row, decode errors included: one count per code of ``bench.judge.rows``."""
    return Counts(rows.outcome, (OUTCOMES,))


def moments(rows: Rows, column: str, misses: Misses, constant: float) -> Moments:
    """Moments of truth x and prediction y; a missing y is ``constant``, or leaves where misses are left out.

    The columns are n, x, y, xx, yy, xy, |x - y|, 1 where sign(x) = sign(y) (0 is a third sign) else 0, and
    (x - y)^2, of which nothing would be left in raw moments where it is small. Those lose about
    1e-16 / variance in relative terms: harmless for values in [-1, 1].
    """
    truth, prediction = rows.affect[column]
    absent = ~np.isfinite(prediction)
    kept = rows.judged & np.isfinite(truth)
    if misses == "left out":
        kept = kept & ~absent
    x, y = np.where(kept, truth, 0.0), np.where(kept & ~absent, prediction, constant)
    # Written in place: of ten million rows this is 0.6 GB, and parts to be stacked would double it.
    stats = np.empty((len(x), 9))
    stats[:, 0], stats[:, 1], stats[:, 2] = 1.0, x, y
    stats[:, 3], stats[:, 4], stats[:, 5] = x * x, y * y, x * y
    stats[:, 6], stats[:, 7] = np.abs(x - y), np.sign(x) == np.sign(y)
    stats[:, 8] = (x - y) ** 2
    return Moments(kept, stats)


def total(statistics: Counts | Moments) -> Ints | Floats:
    """The statistics of all rows together, in the kernel's shape."""
    if isinstance(statistics, Moments):
        sums: Floats = statistics.stats[statistics.kept].sum(axis=0)
        return sums
    size = int(np.prod(statistics.shape))
    column = statistics.column[statistics.column >= 0]
    return np.bincount(column, minlength=size).reshape(statistics.shape)
