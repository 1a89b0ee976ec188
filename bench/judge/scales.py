"""Scales: where values of one kind are compared with each other.

A mean over unlike clusters is skewed, and what comes out low looks surer than it is. Studentised, this
cancels to first order where g'' / g' is -2/3 of the skewness over the standard deviation of what the mean is
of (Hall 1992, The Bootstrap and Edgeworth Expansion): for squared errors of clusters that differ like gamma
numbers on a small negative power of their mean. Clusters of the calibration differ more than that, and one
over the mean it is: 1 / e^2 of a root mean squared error e, 1 / (1 - r) of a CCC r, whose 1 - r is a mean
squared error over what labels and predictions spread, 1 / e of mean errors. Where 24 persons a group differ
in how unlike they are, 7 % of simulated pairs of equal RMSE alarm and 4 to 6 % of equal CCC; on log 9 to
10 %, on atanh 7 to 8 %. Proportions have Wilson's interval. Refuses to say on which scale one value has its
own interval: ``infer`` does.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from bench.judge.infer import ROUNDING
from bench.judge.rows import Floats

__all__ = ["ends", "scale", "slope"]

_MOST = 300.0  # the square of e to this is finite


def scale(kind: str, value: Floats) -> Floats:
    """Where gaps are studentised, growing with the value; rates as they are; NaN on its bound."""
    if kind == "correlation":
        return 1 / (1 - np.where(value > 1 - ROUNDING, np.nan, value))
    if kind == "agreement":
        return np.arctanh(np.where(abs(value) > 1 - ROUNDING, np.nan, value))
    if kind in ("plain", "root"):
        return -(np.where(value < ROUNDING, np.nan, value) ** -_power(kind))
    return value


def slope(kind: str, value: Floats) -> Floats:
    """How much ``scale`` changes with the value."""
    if kind == "correlation":
        return (1 - value) ** -2.0
    if kind == "agreement":
        return 1 / (1 - value**2)
    if kind in ("plain", "root"):
        return _power(kind) * value ** (-_power(kind) - 1)
    return np.ones_like(value)


def ends(kind: str, value: Floats, se: Floats, c: Floats) -> tuple[Floats, Floats]:
    """The interval of each value as part of a difference: c standard errors to each side on its scale.

    Rates are on the logit scale. The upper end of an error is that of its scale to second order, with
    h = c se / e that error times e^(h + h^2 / 2), or e^(h + h^2); from h = 1/2 on the exponent is linear, for
    one over an error has no upper end then.
    """
    if kind == "proportion":
        return _wilson(value, se, c)
    if kind == "rate":
        half = c * se / (value * (1 - value))
        return expit(logit(value) - half), expit(logit(value) + half)
    if kind == "correlation":
        middle, half = 1 / (1 - value), c * se / (1 - value) ** 2
        # 1 / (1 - r) is at least that of r = -1.
        return 1 - 1 / np.maximum(middle - half, 0.5), 1 - 1 / (middle + half)
    if kind == "agreement":
        half = c * se / (1 - value**2)
        return np.tanh(np.arctanh(value) - half), np.tanh(np.arctanh(value) + half)
    if kind in ("plain", "root"):
        power, half = _power(kind), c * se / value
        bent = np.minimum(half, 0.5)
        above = half + power * bent * (half - bent / 2)
        return value * (1 + power * half) ** (-1 / power), value * np.exp(np.minimum(above, _MOST))
    return value - c * se, value + c * se


def _power(kind: str) -> float:
    return 2.0 if kind == "root" else 1.0


def _wilson(value: Floats, se: Floats, c: Floats) -> tuple[Floats, Floats]:
    """Wilson's interval on the effective rows p (1 - p) / V."""
    share = c**2 * se**2 / (value * (1 - value))
    middle = (value + share / 2) / (1 + share)
    half = c * se * np.sqrt(1 + share / (4 * value * (1 - value))) / (1 + share)
    return middle - half, middle + half
