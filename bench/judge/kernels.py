"""Kernels: rows in, summable statistics out.

The statistics of two sets of rows are the sum of theirs: int64 counts, float64 moments. What is not summable
is refused. Decode errors, and rows without the truth a kernel needs, leave its statistics; so do rows without
probabilities where those are what a kernel sums, and only then are probabilities and votes read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.special import expit, rel_entr

from bench.judge.rows import OUTCOMES, Bools, Floats, Ints, Rows

__all__ = [
    "CALIBRATION_BINS", "CALIBRATION_EDGES", "FLOOR", "LOGIT_BINS", "LOGIT_EDGES", "Counts", "Kernel", "Key",
    "Misses", "Moments", "Stack", "agreement", "calibration", "confusion", "moments", "outcomes", "ranking",
    "scores", "selective", "soft_scores", "total",
]  # fmt: skip

Misses = Literal["wrong", "constant", "left out", "counted"]
Kernel = Literal[
    "confusion", "outcomes", "moments", "calibration", "selective", "ranking", "scores", "agreement",
    "soft_scores", "raters", "au_decisions", "au_ranking", "au_intensities",
    "steps", "onsets", "segments", "within", "between", "stages",
]  # fmt: skip

CALIBRATION_BINS = 15
LOGIT_BINS = 256
FLOOR = float(np.finfo(np.float64).eps)
"""The least probability of which a logarithm is taken, as in scikit-learn: a certain mistake costs 36.04."""
CALIBRATION_EDGES = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS
# An eighth wide on the logit scale, from -16 to 16 (1.1e-7 from certainty, what float32 tells from 1), the
# outer two open: softmax crowds at 0 and 1, where bins of equal width would hold nearly all rows in one.
LOGIT_EDGES = expit((np.arange(1, LOGIT_BINS) - LOGIT_BINS // 2) / 8)


class Key(NamedTuple):
    """Which statistics a metric is a function of.

    A kernel, for moments of what ``column``, for ranking of which ``label``. The targets must have the
    ``column``, where it is "" a label.
    """

    kernel: Kernel
    column: str = ""
    misses: Misses = "counted"
    label: int = 0


class Counts(NamedTuple):
    """One count a row: ``column`` (N,) into the flattened ``shape``, -1 for a row that is left out."""

    column: Ints
    shape: tuple[int, ...]


class Moments(NamedTuple):
    """C numbers a row: ``stats`` (N, C) float64; ``kept`` (N,) says which rows count.

    Where they are summed by bin, ``bin`` (N,) is below ``bins``; else every row is in one.
    """

    kept: Bools
    stats: Floats
    bin: Ints | None = None
    bins: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of their sums: (C,) or (bins, C)."""
        numbers = self.stats.shape[1]
        return (numbers,) if self.bin is None else (self.bins, numbers)


class Stack(NamedTuple):
    """The statistics of several parts of every row, (parts, *shape); each is made only to be summed."""

    parts: tuple[Callable[[], Counts | Moments], ...]


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


def calibration(rows: Rows) -> Moments:
    """n, hits and the sum of confidence per bin of confidence, 15 x 3.

    Confidence is the largest probability, whatever label has it; tied maxima are no hit. Bins are equally
    wide and hold their upper edge, (low, high], as in Guo et al. 2017 (arXiv 1706.04599).
    """
    confidence = rows.confidence
    stats = np.empty((len(confidence), 3))
    stats[:, 0], stats[:, 1], stats[:, 2] = 1.0, rows.correct, confidence
    place = np.searchsorted(CALIBRATION_EDGES, confidence)
    return Moments(rows.graded & (rows.truth >= 0), stats, place, CALIBRATION_BINS)


def selective(rows: Rows) -> Counts:
    """Wrong and right rows by confidence, 2 x 256 bins, equally wide on the logit scale."""
    column = rows.correct * LOGIT_BINS + _logit_bin(rows.confidence)
    return Counts(np.where(rows.graded & (rows.truth >= 0), column, -1), (2, LOGIT_BINS))


def ranking(rows: Rows, label: int) -> Counts:
    """Rows of other labels and of the label by its probability, 2 x 256 bins, equally wide in logits."""
    column = (rows.truth == label) * LOGIT_BINS + _logit_bin(rows.probability(label))
    return Counts(np.where(rows.graded & (rows.truth >= 0), column, -1), (2, LOGIT_BINS))


def scores(rows: Rows) -> Moments:
    """n, the Brier score and the negative log likelihood of the true label in nats, floored at ``FLOOR``.

    Labels outside the label space are never true; a true label without a probability has probability 0.
    """
    stats, likely = np.zeros((len(rows.truth), 3)), np.zeros(len(rows.truth))
    stats[:, 0] = 1.0
    for code in range(len(rows.probabilities)):
        p, true = rows.probability(code), (rows.truth == code) & (code < rows.labels)
        stats[:, 1] += (p - true) ** 2
        likely = np.where(true, p, likely)
    stats[:, 2] = -np.log(np.maximum(likely, FLOOR))
    return Moments(rows.graded & (rows.truth >= 0), stats)


def agreement(rows: Rows) -> Moments:
    """n, the votes for the decision (none for *none*) and all votes, of rows with votes."""
    votes = rows.ballots
    stats = np.ones((len(votes), 3))
    decided = np.flatnonzero(rows.decision < rows.labels)
    stats[:, 1], stats[:, 2] = 0.0, votes.sum(axis=1)
    stats[decided, 1] = votes[decided, rows.decision[decided]]
    return Moments(rows.judged & (stats[:, 2] > 0), stats)


def soft_scores(rows: Rows) -> Moments:
    """n, and of each row to its votes: cross-entropy, Brier score, Jensen-Shannon divergence.

    Between probabilities p and votes as shares q; nats, floored at ``FLOOR``, and bits. For the divergence p
    is divided by its sum.
    """
    votes = rows.ballots
    cast, mass = votes.sum(axis=1), np.zeros(len(votes))
    for code in range(len(rows.probabilities)):
        mass += rows.probability(code)
    stats = np.zeros((len(votes), 4))
    stats[:, 0] = 1.0
    for code in range(len(rows.probabilities)):
        p = rows.probability(code)
        q = votes[:, code] / np.where(cast > 0, cast, 1.0) if code < rows.labels else np.zeros(len(p))
        stats[:, 1] -= q * np.log(np.maximum(p, FLOOR))
        stats[:, 2] += (p - q) ** 2
        p = p / np.where(mass > 0, mass, 1.0)
        stats[:, 3] += (rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2)) / np.log(4.0)
    return Moments(rows.graded & (cast > 0), stats)


def total(statistics: Counts | Moments | Stack) -> Ints | Floats:
    """The statistics of all rows together, in the kernel's shape."""
    if isinstance(statistics, Stack):
        parts: list[Any] = [total(part()) for part in statistics.parts]
        return np.stack(parts)
    if isinstance(statistics, Moments):
        stats = statistics.stats[statistics.kept]
        if statistics.bin is None:
            sums: Floats = stats.sum(axis=0)
            return sums
        place, bins = statistics.bin[statistics.kept], statistics.bins
        return np.stack([np.bincount(place, column, bins) for column in stats.T], axis=-1)
    size = int(np.prod(statistics.shape))
    column = statistics.column[statistics.column >= 0]
    return np.bincount(column, minlength=size).reshape(statistics.shape)


def _logit_bin(p: Floats) -> Ints:
    return np.searchsorted(LOGIT_EDGES, p, side="right")
