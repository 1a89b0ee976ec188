"""Within- and between-clip correlations: whether a model follows a clip, and whether it tells clips apart.

One CCC over all frames mixes both: a model that knows of each clip its mean alone can look good. Only rows
with truth and prediction count (read coverage beside them), and a clip is the rows of one clip and subject.

Within: every row as its deviation from the mean of its clip, truth and prediction each. Bias between clips
is gone, and a clip weighs as its number of rows times its variance. Between: every clip once, as its means.
Where a slice holds a part of a clip's rows, as where light changes within it, these rows deviate from the
mean of the whole clip, and between clips it counts with the share of its rows that the slice holds. Refuses
nothing: what a metric may be asked of is decided in ``bench.judge.request``.
"""

from __future__ import annotations

import numpy as np

from bench.judge import formulas
from bench.judge.formulas import Stats, divide
from bench.judge.rows import Floats, Ints, Rows
from bench.judge.sequences import Sequences

__all__ = ["between", "ccc_between", "ccc_within", "pcc_between", "pcc_within", "within"]

_CONSTANT = 1e-10  # as for CCC: a variance below this share of the mean square is none


def ccc_within(within: Stats) -> Floats:
    """Within-clip CCC: 2 sum dx dy / (sum dx^2 + sum dy^2), dx and dy the deviations from a clip's means.

    Lin's coefficient of the deviations, whose means are 0. NaN where truth or predictions are constant within
    all clips. Source: Lin 1989, Biometrics 45, on the residuals of Bland, Altman 1995, BMJ 310, p. 446.
    """
    xx, yy, xy = _deviations(within)
    return divide(2 * xy, xx + yy)


def pcc_within(within: Stats) -> Floats:
    """Within-clip PCC, the repeated measures correlation: sum dx dy / sqrt(sum dx^2 sum dy^2).

    NaN as for the within-clip CCC. Source: Bland, Altman 1995, BMJ 310, p. 446.
    """
    xx, yy, xy = _deviations(within)
    return np.clip(divide(xy, np.sqrt(xx * yy)), -1.0, 1.0)


def ccc_between(between: Stats) -> Floats:
    """Between-clip CCC: Lin's coefficient of the clips' means, every clip once, population variance.

    NaN where the means of truth or of predictions are constant. Source: Lin 1989; unweighted means as in
    Bland, Altman 1995, BMJ 310, p. 633 has them where subjects have equally many rows.
    """
    return formulas.ccc(between[..., 1:])


def pcc_between(between: Stats) -> Floats:
    """Between-clip PCC: Pearson's correlation of the clips' means, every clip once; NaN as for the CCC."""
    return formulas.pcc(between[..., 1:])


def within(rows: Rows, found: Sequences, column: str) -> Floats:
    """n, dx dx, dy dy, dx dy, and x x, y y as the scale of what is constant: (N, 6).

    Of rows of clips with two or more such rows: one row alone deviates from nothing.
    """
    row, clip, x, y = _covered(rows, found, column)
    counts = np.bincount(clip)
    kept = counts[clip] > 1
    dx, dy = x - _means(clip, x, counts), y - _means(clip, y, counts)
    parts = (np.ones(len(x)), dx * dx, dy * dy, dx * dy, x * x, y * y)
    stats = np.zeros((found.rows, len(parts)))
    stats[row[kept]] = np.stack(parts, axis=1)[kept]
    return stats


def between(rows: Rows, found: Sequences, column: str) -> Floats:
    """n, and of the row's share of its clip's weight, 1 in all: w, w x, w y, w x x, w y y, w x y: (N, 7).

    x and y are the clip's means.
    """
    row, clip, x, y = _covered(rows, found, column)
    counts = np.bincount(clip)
    x, y = _means(clip, x, counts), _means(clip, y, counts)
    ones = np.ones(len(x))
    stats = np.zeros((found.rows, 7))
    stats[row, 0] = 1.0
    stats[row, 1:] = np.stack([ones, x, y, x * x, y * y, x * y], axis=1) / counts[clip][:, None]
    return stats


def _covered(rows: Rows, found: Sequences, column: str) -> tuple[Ints, Ints, Floats, Floats]:
    """The rows that count, the clip of each, its truth and its prediction."""
    x, y = (side[found.row] for side in rows.affect[column])
    kept = found.judged & np.isfinite(x) & np.isfinite(y)
    return found.row[kept], found.sequence[kept], x[kept], y[kept]


def _means(clip: Ints, values: Floats, counts: Ints) -> Floats:
    """The mean over each row's clip, (N,)."""
    return np.asarray((np.bincount(clip, values) / np.maximum(counts, 1))[clip], np.float64)


def _deviations(within: Stats) -> tuple[Floats, ...]:
    xx, yy, xy = (np.asarray(within[..., k], np.float64) for k in range(1, 4))
    return (
        np.where(xx > _CONSTANT * within[..., 4], xx, np.nan),
        np.where(yy > _CONSTANT * within[..., 5], yy, np.nan),
        xy,
    )
