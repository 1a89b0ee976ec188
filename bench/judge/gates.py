"""Verdicts of gates on numbers that Estimates have: pass, fail or inconclusive, never by non-significance.

A bound is held against the printed two-sided interval, so that the number on the page decides it. Values of
a slice lie close enough where both one-sided limits of the difference of every pair do (intersection-union,
no correction; MOVER of Zou, Donner 2008, Statistics in Medicine 27, 1693-1702, which takes the two values as
independent), and too far apart where one pair's simultaneous interval says so. How often each passes at its
margin is simulated in docs/calibration.md. Refuses nothing: what has no interval is inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit, ndtri, stdtrit

from bench.judge.infer import clopper_pearson
from bench.judge.rows import Floats

__all__ = [
    "Intervals", "Verdict", "above", "below", "clusters_to_settle", "clusters_unseen", "differences",
    "one_sided", "unseen", "worst",
]  # fmt: skip

Verdict = Literal["pass", "fail", "inconclusive"]
_ORDER: tuple[Verdict, ...] = ("fail", "inconclusive", "pass")
_Scale = tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]
_ATANH: _Scale = (np.arctanh, np.tanh)
_LOG: _Scale = (np.log, np.exp)
# The scales of printed intervals, by the kind of metric (bench.judge.infer).
_SCALES: dict[str, _Scale] = {
    "rate": (logit, expit),
    "correlation": _ATANH,
    "agreement": _ATANH,
    "plain": _LOG,
    "root": _LOG,
    "signed": (np.asarray, np.asarray),
}


@dataclass(frozen=True)
class Intervals:
    """Values with their two-sided intervals at a level, as Estimates have them: arrays (V,), NaN for none."""

    estimate: Floats
    low: Floats
    high: Floats
    df: Floats
    n_eff: Floats
    level: float


def above(low: float, high: float, bound: float) -> Verdict:
    """Whether a value with this interval is at least a bound.

    >>> above(0.61, 0.68, 0.6), above(0.58, 0.66, 0.6), above(0.5, 0.59, 0.6)
    ('pass', 'inconclusive', 'fail')
    """
    return "pass" if low >= bound else "fail" if high < bound else "inconclusive"


def below(low: float, high: float, bound: float) -> Verdict:
    """Whether a value with this interval is at most a bound.

    >>> below(0.01, 0.04, 0.05), below(0.01, float("nan"), 0.05)
    ('pass', 'inconclusive')
    """
    return "pass" if high <= bound else "fail" if low > bound else "inconclusive"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several together: fail outranks inconclusive, which outranks pass; of none, inconclusive.

    >>> worst(["pass", "inconclusive", "fail"]), worst([])
    ('fail', 'inconclusive')
    """
    return min(verdicts, key=_ORDER.index, default="inconclusive")


def one_sided(kind: str, found: Intervals, level: float) -> tuple[Floats, Floats]:
    """The two limits of each value, (V,), that hold on one side at ``level`` each.

    Of proportions those of Clopper and Pearson on the effective rows, with the t of the level: at the margin
    of a gap they err on the safe side where Wilson's do not (docs/calibration.md). Of all others the printed
    interval, with the t of one side in place of that of two, on its own scale.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        t = stdtrit(found.df, level)
        if kind == "proportion":
            # At 0 and 1 no variance was estimated, so that t has nothing to correct.
            certain = (found.estimate == 0) | (found.estimate == 1)
            n = found.n_eff * np.where(certain, 1.0, (ndtri(level) / t) ** 2)
            return clopper_pearson(found.estimate, n, 2 * level - 1)
        forward, back = _SCALES[kind]
        share = t / stdtrit(found.df, (1 + found.level) / 2)
        middle = forward(found.estimate)
        low, high = (back(middle + share * (forward(end) - middle)) for end in (found.low, found.high))
        return low, high


def differences(theta: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """One-sided limits of the difference of every pair of values (..., V): below and above, (..., pairs).

    Pairs in the order of ``np.triu_indices``; first minus second.
    """
    one, other = np.triu_indices(theta.shape[-1], 1)
    apart = theta[..., one] - theta[..., other]
    down = np.hypot(theta[..., one] - low[..., one], high[..., other] - theta[..., other])
    up = np.hypot(high[..., one] - theta[..., one], theta[..., other] - low[..., other])
    return apart - down, apart + up


def clusters_to_settle(estimate: float, end: float, bound: float, clusters: int) -> int | None:
    """How many clusters like these would bring an interval's end to a bound, if the value stayed as it is.

    Half-widths shrink with the root of the number of clusters. None where the value lies on the bound, where
    there is no interval, and from a million on, which is no advice.

    >>> clusters_to_settle(0.64, 0.58, 0.61, 91)  # half the width: four times the people
    364
    """
    distance = abs(estimate - bound)
    if not np.isfinite(estimate - end) or distance == 0:
        return None
    needed = int(np.ceil(clusters * ((estimate - end) / distance) ** 2 - 1e-9))
    return needed if needed < 1_000_000 else None


def unseen(clusters: int, level: float) -> float:
    """The largest difference of two shares that may stay unseen where no cluster has any, (0, 1).

    1 - (1 - level)^(1/G): the one-sided limit of Clopper and Pearson for none of G clusters, about 3 / G at
    95 %. A cluster counts as one, for its rows may go together, and as much as any other: that models differ
    on it must not go by its size.

    >>> round(unseen(60, 0.95), 4), round(unseen(10**9, 0.95), 4)
    (0.0487, 0.0)
    """
    return float(-np.expm1(np.log1p(-level) / clusters))


def clusters_unseen(margin: float, level: float) -> int:
    """How many clusters without any difference bring what may stay unseen below a margin.

    >>> clusters_unseen(0.05, 0.95), unseen(59, 0.95) < 0.05, unseen(58, 0.95) < 0.05
    (59, True, False)
    """
    return int(np.floor(np.log1p(-level) / np.log1p(-min(margin, 1 - 1e-12)))) + 1
