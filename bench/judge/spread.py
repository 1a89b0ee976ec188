"""Spread: how far apart the values of groups lie once sampling error is taken off, and what could be seen.

Arrays are (K,), one entry a group; a group whose value or variance is NaN is left out and stays NaN. The
ratios are shown and never decide anything: under equal rates they fall below four fifths as a rule (see
``ratio_alarm``). Refuses to call a difference small because it was not seen: that is what ``sdd80`` is for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from bench.judge.rows import Floats, Ints

__all__ = ["Spread", "error_ratio", "min_max_ratio", "ratio_alarm", "sdd80", "spread"]

_ELEMENTS = 1 << 22


@dataclass(frozen=True)
class Spread:
    """The variance between groups, in squared units of the value, and the shrunken values (K,)."""

    variance: float
    shrunken: Floats


def spread(values: Floats, covariance: Floats) -> Spread:
    """How far values lie apart beyond sampling error C, the ``covariance`` (K, K) of the values.

    s2 = max(0, var_{K-1}(values) - mean(C_gg) + mean(C_gh, g < h)): what groups share moves all of them and
    none apart. Shrunken values are drawn to the mean by how little is known of each: mean + s2 (s2 I + C)^-1
    (values - mean), which is s2 / (s2 + C_gg) (value - mean) for groups that share no cluster; a value
    without sampling error stays where it is. NaN below two groups. Sources: Lum, Zhang, Bower 2022, arXiv
    2205.05770 (independent groups); Efron, Morris 1975, Journal of the American Statistical Association 70.
    """
    known = np.isfinite(values) & np.isfinite(np.diag(covariance))
    shrunken = np.full(len(values), np.nan)
    if (count := int(known.sum())) < 2:
        return Spread(float("nan"), shrunken)
    some, error = values[known], covariance[np.ix_(known, known)]
    own, apart = np.diag(error), some - some.mean()
    shared = (error.sum() - own.sum()) / (count * (count - 1))
    between = max(0.0, float(some.var(ddof=1) - (own.mean() - shared)))
    if between <= 1e-12 * own.mean():  # what rounding leaves where groups share all that moves them
        between = 0.0
    if between:
        apart = between * np.linalg.solve(between * np.eye(count) + error, apart)
    else:
        apart = np.where(own == 0, apart, 0.0)
    shrunken[known] = some.mean() + apart
    return Spread(between, shrunken)


def error_ratio(errors: Floats, rows: Floats) -> float:
    """The largest error rate over the geometric mean of all, with rates (x + .5) / (n + 1).

    At least 1; groups without rows are left out; NaN below two groups. Source: NIST Face Recognition Vendor
    Test part 8 (NISTIR 8429), max / geometric mean, with rates that are never 0.
    """
    known = rows > 0
    if known.sum() < 2:
        return float("nan")
    rates = (errors[known] + 0.5) / (rows[known] + 1)
    return float(rates.max() / np.exp(np.log(rates).mean()))


def min_max_ratio(values: Floats) -> float:
    """The smallest rate over the largest; NaN below two groups and where the largest is not above 0.

    Source: the four-fifths rule of the EEOC Uniform Guidelines 1978, 29 CFR 1607.4 D.
    """
    known = values[np.isfinite(values)]
    if len(known) < 2 or known.max() <= 0:
        return float("nan")
    return float(known.min() / known.max())


def ratio_alarm(rate: float, rows: Ints, seed: int, threshold: float = 0.8, draws: int = 9_999) -> float:
    """P(min / max < threshold) were every group's rate the same, by simulation.

    ``rows`` (K,) independent rows of each group: effective ones, rounded down, where rows are clustered.
    Groups without rows are left out; NaN below two. All rates 0 is no alarm.
    """
    rows = rows[rows > 0]
    if len(rows) < 2:
        return float("nan")
    generator = np.random.Generator(np.random.Philox(seed))
    block, alarms = max(1, _ELEMENTS // len(rows)), 0
    for start in range(0, draws, block):
        rates = generator.binomial(rows, rate, (min(block, draws - start), len(rows))) / rows
        alarms += int((rates.min(axis=1) < threshold * rates.max(axis=1)).sum())
    return alarms / draws


def sdd80(se: Floats, df: Floats, critical: Floats) -> Floats:
    """The smallest difference that a two-sided test detects with 80 % power: (c + t_{.8}) se.

    c is the ``critical`` value beyond which |estimate| / se is found: of one test alone the t quantile, of a
    family that of its largest statistic. t on ``df``; NaN where one of them is. Source: Bloom 1995,
    Evaluation Review 19 (the minimum detectable effect).
    """
    return np.asarray((critical + stdtrit(df, 0.8)) * se, np.float64)
