"""Margins: how well a paired difference is known if the new model were just as much worse as a margin allows.

The fewer rows two models decide differently the less their difference varies, so that a sample in which the
new model happens to lose little also says that this is known well. Bounds from the sample's own variance call
a model exactly at the margin not worse in up to 6 % of simulated data sets where 5 % are meant, and the more
often the fewer the rows that differ. A verdict therefore takes the variance that the difference has *at* the
margin (the score test of Tango 1998, Statistics in Medicine 17, 891-908), and what clustering adds to the
sample's: V times restricted over own variance of independent rows. Only shares of rows have such a variance:
of other metrics the ratio is 1.
"""

from __future__ import annotations

import numpy as np

from bench.judge.kernels import Counts
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints
from bench.judge.slices import Slice
from bench.judge.sums import Sums

__all__ = ["at_margin", "differing"]


def at_margin(gained: Floats, lost: Floats, margin: float) -> Floats:
    """The variance of a paired difference of shares at gained - lost = -margin, over the one it has, (V,).

    ``gained`` and ``lost`` (V,) are the shares of rows that the new model alone and the old alone gets right.
    With x the maximum likelihood estimate of ``gained`` under the margin m (the positive root of
    2 x^2 - ((1 - m) (gained + lost) - 2 m (1 - lost)) x - gained m (1 - m) = 0), the restricted variance of a
    row is 2 x + m - m^2, its own gained + lost - (gained - lost)^2. 1 where shares are NaN, nothing
    differs, or the margin is 1 and more, which no share can lose.

    >>> at_margin(np.array([0.02]), np.array([0.05]), 0.03).round(6)  # the sample lies on the margin
    array([1.])
    """
    if margin >= 1:
        return np.ones_like(gained)
    rest = 1 - margin
    linear = rest * (gained + lost) - 2 * margin * (1 - lost)
    root = (linear + np.sqrt(linear**2 + 8 * gained * margin * rest)) / 4
    own = gained + lost - (gained - lost) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(own > 0, (2 * root + margin - margin**2) / own, 1.0)


def differing(metric: Metric, new: Sums, old: Sums, one: Slice) -> tuple[Floats, Floats]:
    """The shares of rows that the new model alone, and the old alone, has among a metric's successes.

    (V,) each, for every value of a slice: of the rows in both denominators; for UAR the mean over the classes
    of those of each. NaN for what is no share of rows.
    """
    this, that = _successes(metric, new), _successes(metric, old)
    if this is None or that is None:
        nothing = np.full(len(one.values), np.nan)
        return nothing, nothing
    (mine, counted, part), (other, also, _) = this, that
    value = one.of_stratum[new.strata.of_row]
    kept = counted & also & (value >= 0)
    parts = int(part.max(initial=0)) + 1
    place = value[kept] * parts + part[kept]
    rows, gained, lost = (
        np.bincount(place, weight[kept], len(one.values) * parts).reshape(-1, parts)
        for weight in (np.ones(len(kept)), mine & ~other, other & ~mine)
    )
    present = rows > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = [np.where(present, some / rows, 0).sum(1) / present.sum(1) for some in (gained, lost)]
    return shares[0], shares[1]


def _successes(metric: Metric, sums: Sums) -> tuple[Bools, Bools, Ints] | None:
    """Which rows are successes, which are in the denominator, and the class whose share they count in."""
    rows = sums.rows
    if metric.name == "uar":
        return rows.correct, rows.judged & (rows.truth >= 0), np.maximum(rows.truth, 0)
    statistics = sums.statistics(metric.key) if metric.kind == "proportion" else None
    if not isinstance(statistics, Counts):
        return None
    forms = int(np.prod(statistics.shape))
    hits, trials = metric.formula(np.eye(forms).reshape(forms, *statistics.shape))
    here, form = statistics.column >= 0, np.maximum(statistics.column, 0)
    of_form = [np.broadcast_to(np.asarray(part), forms) > 0 for part in (hits, trials)]
    return here & of_form[0][form], here & of_form[1][form], np.zeros(len(form), np.int64)
