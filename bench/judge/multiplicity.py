"""Multiplicity: p-values of a family of tests, adjusted for how many there are.

NaN, a test that could not be made, stays NaN and is not counted. Refuses numbers that are no p-values.
"""

from __future__ import annotations

import numpy as np

from bench.judge.rows import Floats

__all__ = ["benjamini_hochberg", "holm"]


def holm(p: Floats) -> Floats:
    """Holm's step-down adjusted p-values, (K,): max over j <= i of min(1, (n - j + 1) p_(j)).

    Rejecting what is at most alpha keeps the chance of any false rejection at alpha, however the tests depend
    on each other. Raises ValueError outside [0, 1]. Source: Holm 1979, Scandinavian Journal of Statistics 6.

    >>> holm(np.array([0.01, 0.04, np.nan, 0.03]))
    array([0.03, 0.06,  nan, 0.06])
    """
    order, ranked = _ranked(p)
    factors = np.arange(len(order), 0, -1)
    return _back(p, order, np.maximum.accumulate(factors * ranked))


def benjamini_hochberg(p: Floats) -> Floats:
    """Benjamini-Hochberg step-up adjusted p-values, (K,): min over j >= i of min(1, n p_(j) / j).

    Rejecting what is at most q keeps the expected share of false rejections at q for independent or
    positively dependent tests. Raises ValueError outside [0, 1]. Source: Benjamini, Hochberg 1995, Journal of
    the Royal Statistical Society B 57.

    >>> benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.03]))
    array([0.03, 0.04,  nan, 0.04])
    """
    order, ranked = _ranked(p)
    scaled = len(order) * ranked / np.arange(1, len(order) + 1)
    return _back(p, order, np.minimum.accumulate(scaled[::-1])[::-1])


def _ranked(p: Floats) -> tuple[np.ndarray, Floats]:
    """The places of the p-values that are there, from the smallest up, and those p-values."""
    known = np.flatnonzero(~np.isnan(p))
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("p-values lie in [0, 1]")
    order = known[np.argsort(p[known], kind="stable")]
    return order, p[order]


def _back(p: Floats, order: np.ndarray, adjusted: Floats) -> Floats:
    result = np.full(len(p), np.nan)
    result[order] = np.minimum(adjusted, 1.0)
    return result
