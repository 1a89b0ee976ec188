"""The second opinion on the spread between groups and on shrunken values, from what clusters do to values.

Lum, Zhang, Bower 2022, with the covariance of values that share clusters. A group whose error cannot be said
is left out. Refuses fewer than two groups: they have no spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bench.judge.audit_intervals import Interval

__all__ = ["Spread", "spread"]

_NOTHING = 1e-12  # of the error of values: what rounding leaves


class Spread(NamedTuple):
    """The standard deviation between groups, the clusters that it is of, and the shrunken values."""

    estimate: float
    clusters: int
    shrunken: dict[str, float]


def spread(groups: Mapping[str, Interval]) -> Spread:
    """The spread of values by name: their variance, less that of their errors, plus what errors share."""
    known = {name: one for name, one in groups.items() if np.isfinite([one.estimate, *one.pull]).all()}
    people = np.unique(np.concatenate([one.cluster for one in known.values()])) if known else np.array([])
    if len(known) < 2:
        return Spread(np.nan, len(people), {})
    pulls = np.zeros((len(people), len(known)))
    for column, one in zip(pulls.T, known.values(), strict=True):
        column[np.searchsorted(people, one.cluster)] = one.pull
    values, error = np.array([one.estimate for one in known.values()]), np.dot(pulls.T, pulls)
    pairs = error[np.triu_indices(len(known), 1)]
    between = float(np.var(values, ddof=1) - np.trace(error) / len(known) + pairs.mean())
    between = between if between > _NOTHING * np.trace(error) / len(known) else 0.0
    shrunken = values.mean() + _shrunk(values - values.mean(), between, error)
    return Spread(float(np.sqrt(between)), len(people), dict(zip(known, shrunken.tolist(), strict=True)))


def _shrunk(apart: np.ndarray, between: float, error: np.ndarray) -> np.ndarray:
    """How far each value stays from the mean: all the way if it has no error."""
    from scipy.linalg import solve

    if not between:
        return np.where(np.diag(error) == 0, apart, 0.0)
    return np.asarray(between * solve(error + between * np.eye(len(apart)), apart, assume_a="pos"))
