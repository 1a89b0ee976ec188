"""Action units: kernels and formulas of F1, AUROC and ICC, of one unit and over all of them.

Of one unit the statistics are small counts or sums; over all units of the targets they are those of each,
stacked, (A, ...), so that a mean is a function of sums like any other. A row in which a unit was not coded
leaves that unit alone. A unit is present where occurrence is above a half, or intensity at least 2, FACS
level B, as is usual on DISFA (Mavadati et al. 2013, IEEE Trans. Affective Computing 4; Zhao, Chu, Zhang 2016,
CVPR); a score of exactly a half decides nothing. A miss of any kind is the wrong answer for F1; AUROC and ICC
are of the rows that have an output and stand beside coverage. ICC of occurrences is refused
(``bench.judge.request``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.formulas import Stats, divide
from bench.judge.kernels import LOGIT_BINS, LOGIT_EDGES, Counts, Key, Moments, Stack
from bench.judge.probabilistic import auroc, auroc_bound
from bench.judge.rows import Bools, Floats, Rows

__all__ = [
    "LEVEL", "OF_ONE", "count", "covered", "f1", "f1_parts", "gives", "icc", "in_classes", "mean_auroc",
    "mean_auroc_bound", "mean_f1", "mean_icc", "of_units", "present", "statistics", "trimmed", "unit_of",
]  # fmt: skip

ABSENT, PRESENT, TIED, NONE = range(4)
LEVEL = {"occurrence": 0.5, "intensity": 2.0}
"""From where a unit is present, by scale."""
# Of 256 bins the inner ones are 5/254 wide, the outer two open.
_INTENSITY_EDGES = np.linspace(0, 5, LOGIT_BINS - 1)
_ROUNDING = 1e-10  # of the mean square: a variance below this share of it is none, as for CCC


def of_units(key: Key) -> bool:
    """Whether statistics are of action units; those of all units have a key without column."""
    return key.kernel in _KERNELS


def unit_of(key: Key, rows: Rows) -> tuple[str, ...]:
    """The units that statistics are of: one, or all that the targets have."""
    return (key.column,) if key.column else tuple(rows.action_units)


def statistics(rows: Rows, key: Key) -> Counts | Moments | Stack:
    """What a kernel makes of each row, of one unit or stacked over all."""
    kernel = _KERNELS[key.kernel]
    if key.column:
        return kernel(rows, key.column)
    return Stack(tuple(partial(kernel, rows, unit) for unit in rows.action_units))


def trimmed(key: Key, tally: Tally) -> Tally:
    """A tally of ``au_ranking`` without the bins that are empty throughout: the same values, far sooner.

    Not where rows are their own clusters, whose entries are told apart by their bin.
    """
    if key.kernel != "au_ranking" or tally.cluster is None:
        return tally
    used = tally.stats.any(axis=tuple(range(tally.stats.ndim - 1)))
    stats: Any = np.ascontiguousarray(tally.stats[..., used])
    return replace(tally, stats=stats) if used.any() else tally


def gives(rows: Rows, key: Key) -> bool:
    """Whether the predictions have the unit; over all units one is enough for F1, where a lack is wrong."""
    said = [rows.action_units[unit][1] is not None for unit in unit_of(key, rows)]
    return any(said) if key.kernel == "au_decisions" else bool(said) and all(said)


def present(rows: Rows, unit: str) -> Bools:
    """Where the targets have the unit present, (N,); False where it was not coded."""
    return np.asarray(rows.unit(unit)[0] >= LEVEL[rows.au_scale])


def _decisions(rows: Rows, unit: str) -> Counts:
    """Rows by truth and decision, 2 x 4: absent, present, tied at a half, no output."""
    truth, said = rows.unit(unit)
    level = LEVEL[rows.au_scale]
    decision = np.where(said >= level, PRESENT, np.where(np.isnan(said), NONE, ABSENT))
    if rows.au_scale == "occurrence":
        decision[said == level] = TIED
    column = (truth >= level) * 4 + decision
    return Counts(np.where(rows.judged & np.isfinite(truth), column, -1), (2, 4))


def _ranking(rows: Rows, unit: str) -> Counts:
    """Covered rows without and with the unit by its score, 2 x 256 bins: logits, or intensities."""
    truth, said = rows.unit(unit)
    edges = LOGIT_EDGES if rows.au_scale == "occurrence" else _INTENSITY_EDGES
    column = (truth >= LEVEL[rows.au_scale]) * LOGIT_BINS + np.searchsorted(edges, said, side="right")
    kept = rows.judged & np.isfinite(truth) & np.isfinite(said)
    return Counts(np.where(kept, column, -1), (2, LOGIT_BINS))


def _intensities(rows: Rows, unit: str) -> Moments:
    """n, x, y, xx, yy, xy of truth x and prediction y of covered rows."""
    truth, said = rows.unit(unit)
    kept = rows.judged & np.isfinite(truth) & np.isfinite(said)
    x, y = np.where(kept, truth, 0.0), np.where(kept, said, 0.0)
    return Moments(kept, np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1))


_KERNELS: dict[str, Callable[[Rows, str], Counts | Moments]] = {
    "au_decisions": _decisions, "au_ranking": _ranking, "au_intensities": _intensities,
}  # fmt: skip


def f1(decisions: Stats) -> Floats:
    """F1 of one action unit: 2 TP / (2 TP + FP + FN).

    A miss (no face, abstained, model error, no output of the unit, a score of exactly a half) counts as the
    wrong answer: a false negative where the unit is present, a false positive where it is absent. NaN where
    no row has it. Source: scikit-learn ``f1_score``.
    """
    value = divide(*f1_parts(decisions))
    return np.where(decisions[..., 1, :].sum(axis=-1) > 0, value, np.nan)


def f1_parts(decisions: Stats) -> tuple[Stats, Stats]:
    """2 TP and 2 TP + FP + FN of each unit."""
    wrong = decisions.sum(axis=-1) - np.stack(
        [decisions[..., 0, ABSENT], decisions[..., 1, PRESENT]], axis=-1
    )
    twice = 2 * decisions[..., 1, PRESENT]
    return twice, twice + wrong.sum(axis=-1)


def mean_f1(decisions: Stats) -> Floats:
    """F1 of action units: the unweighted mean of 2 TP / (2 TP + FP + FN) over the units of the targets.

    Over the units that some row has, as macro-F1 over classes. A miss is the wrong answer for every unit; a
    unit that the model does not have is missed in every row, so that its F1 is 0. ``n`` counts a row once for
    each unit that is coded in it. Source: ABAW, arXiv 2202.10659; scikit-learn ``f1_score``, its mean.
    """
    return _mean(f1(decisions))


def mean_auroc(ranking: Stats) -> Floats:
    """AUROC of action units: the mean over units of P(score where present > score where absent), ties half.

    Over the units with covered rows of both; from 256 bins as AUROC of a label (of intensities 0.02 wide);
    ``mean_auroc_bound`` says how far that can move it. Source: Hanley, McNeil 1982; scikit-learn
    ``roc_auc_score``, its mean.
    """
    return _mean(auroc(ranking))


def mean_auroc_bound(ranking: Stats) -> Floats:
    """How far the mean AUROC without bins can be from ``mean_auroc``: the mean of the units' bounds."""
    return _mean(auroc_bound(ranking))


def icc(intensities: Stats) -> Floats:
    """ICC(3,1) of the intensities of one action unit: (BMS - EMS) / (BMS + EMS), truth and model two raters.

    For two raters 2 cov / (var_x + var_y): consistency, so that a constant shift costs nothing. 0 where the
    predictions are constant, as the mean squares have it; NaN where the truth is, for then there is nothing
    to agree on. Source: Shrout, Fleiss 1979, Psychological Bulletin 86, ICC(3,1); FERA 2015.
    """
    n = intensities[..., 0]
    x, y, xx, yy, xy = (divide(intensities[..., k], n) for k in range(1, 6))
    var_x, var_y = xx - x * x, np.maximum(yy - y * y, 0.0)
    return np.where(_varies(intensities), divide(2 * (xy - x * y), var_x + var_y), np.nan)


def mean_icc(intensities: Stats) -> Floats:
    """ICC(3,1) of action units: the mean of (BMS - EMS) / (BMS + EMS) over units whose truth varies.

    Undefined where it is for every unit. Source: Shrout, Fleiss 1979; FERA 2015, its mean over units.
    """
    return _mean(icc(intensities))


OF_ONE: dict[Any, Callable[[Stats], Floats]] = {
    mean_f1: f1, mean_auroc: auroc, mean_auroc_bound: auroc_bound, mean_icc: icc,
}  # fmt: skip
"""The formula of one unit for that over all of them."""


def count(key: Key, stats: Stats) -> Floats:
    """The rows in the denominator, those of every unit added up."""
    rows = stats[..., 0] if key.kernel == "au_intensities" else stats.sum(axis=(-1, -2))
    return np.asarray(rows if key.column else rows.sum(axis=-1), np.float64)


def in_classes(key: Key, stats: Stats) -> Floats:
    """Rows without and with each unit, (..., 2 A); of intensities those of units that vary, (..., A)."""
    if key.kernel == "au_intensities":
        rows = np.where(_varies(stats), stats[..., 0], 0)
        return np.asarray(rows[..., None] if key.column else rows, np.float64)
    rows = stats.sum(axis=-1)
    return np.asarray(
        rows if key.column else rows.reshape(*rows.shape[:-2], rows.shape[-2] * rows.shape[-1]), np.float64
    )


def covered(decisions: Stats) -> tuple[Floats, Floats]:
    """Rows with an output and all rows of each slice value, from ``au_decisions`` (V, ...): (V,) each."""
    counts = decisions.reshape(len(decisions), -1, 4).sum(axis=1)
    return np.asarray(counts[:, :NONE].sum(axis=1)), np.asarray(counts.sum(axis=1))


def _varies(intensities: Stats) -> Bools:
    n = intensities[..., 0]
    mean, square = divide(intensities[..., 1], n), divide(intensities[..., 3], n)
    return np.asarray(square - mean * mean > _ROUNDING * square)


def _mean(values: Floats) -> Floats:
    """The mean over units of the values that are defined."""
    known = ~np.isnan(values)
    return divide(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
