"""Groups with equal truth that differ in everything else, and one with a planted loss.

A layout says, for every entry (what one cluster has of one group), its group, its cluster, its rows, its ICC
and its class shares. Between clusters a cluster lies in one group; within clusters every cluster has rows of
several groups; thirty slices are intersections of six groups of persons with five kinds of row, or thirty
groups of persons. Refuses groups whose truth differs other than by the loss that is planted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import calibration_draws as draws

__all__ = ["BETWEEN", "WITHIN", "Layout", "between", "simulate", "within"]

Array = np.ndarray[Any, Any]
FEWEST, MOST = 20, 61
_ROWS, _ICC = (5, 40), (0.02, 0.3)
_MIXES = np.array([draws.MIX, draws.MIX[::-1]])

BETWEEN = (
    "equal",
    "group size",
    "cluster size",
    "ICC",
    "class mix",
    "all of these",
    "small",
    "small and unequal",
)
WITHIN = ("equal", "cluster size", "ICC", "class mix", "all of these")


@dataclass(frozen=True)
class Layout:
    """What each of E entries is: ``group``, ``cluster``, mean ``rows``, ICC, class shares ``mix`` (E, 4).

    ``twist`` is the ICC of occasions within a cluster: how far a cluster differs between groups; ``loss``
    (E,) what is taken off the rate.
    """

    group: Array
    cluster: Array
    rows: Array
    icc: Array
    twist: Array
    mix: Array
    loss: Array

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.group.max()) + 1

    def plant(self, loss: float) -> Layout:
        """The same with a loss in the first group."""
        return replace(self, loss=np.where(self.group == 0, loss, 0.0))


def between(design: str, groups: int) -> Layout:
    """Groups of different clusters: 24 clusters of about 15 rows, ICC .1, but for what the design says.

    Sizes run from 20 to 61 clusters, rows from 5 to 40, ICC from .02 to .3; with all of these the smallest
    group has the largest clusters and ICC. Small: 8 clusters a group, or 7 to 61.
    """
    unequal, step = design in ("all of these", "small and unequal"), np.linspace(0, 1, groups)
    least = 7 if design.startswith("small") else FEWEST
    clusters = np.full(groups, 8 if design == "small" else 24)
    if unequal or design == "group size":
        clusters = np.rint(np.geomspace(least, MOST, groups)).astype(np.int64)
    rows = np.full(groups, float(draws.ROWS))
    if unequal or design == "cluster size":
        rows = np.geomspace(*_ROWS[::-1], groups)
    icc = np.interp(step, (0, 1), _ICC[::-1]) if unequal or design == "ICC" else np.full(groups, 0.1)
    mix = np.full((groups, 4), 0.25)
    if unequal or design == "class mix":
        mix = _MIXES[np.arange(groups) % 2]
    group = np.repeat(np.arange(groups), clusters)
    nothing = np.zeros(len(group))
    return Layout(group, np.arange(len(group)), rows[group], icc[group], nothing, mix[group], nothing)


def within(design: str, groups: int, persons: int) -> Layout:
    """Groups of rows that every one of ``persons`` clusters has; thirty are six groups of persons by five.

    ICC of a person .1; a person differs between groups with ICC .02, or from 0 to .2.
    """
    kinds = 5 if groups == 30 else groups
    unequal, step = design == "all of these", np.linspace(0, 1, kinds)
    rows = np.geomspace(4, 20, kinds) if unequal or design == "cluster size" else np.full(kinds, 8.0)
    twist = 0.2 * step[::-1] if unequal or design == "ICC" else np.full(kinds, 0.02)
    mix = _MIXES[np.arange(kinds) % 2] if unequal or design == "class mix" else np.full((kinds, 4), 0.25)
    kind, cluster = np.tile(np.arange(kinds), persons), np.repeat(np.arange(persons), kinds)
    group = kind + kinds * (cluster * (groups // kinds) // persons)
    nothing = np.zeros(len(group))
    return Layout(group, cluster, rows[kind], nothing + 0.1, twist[kind], mix[kind], nothing)


def simulate(rng: np.random.Generator, metric: str, layout: Layout, rate: float, sets: int) -> Array:
    """Statistics (sets, E, ...); the rows of an entry vary by half around their mean."""
    shape = (sets, len(layout.group))
    rows = np.maximum(1, rng.integers(np.rint(layout.rows / 2), np.rint(layout.rows * 1.5) + 1, shape))
    if metric.endswith("valence"):
        return draws.affect(rng, rows, rate, layout.icc, layout.cluster)
    first = np.unique(layout.cluster, return_index=True)[1]
    skill = draws.skills(rng, rate, layout.icc[first], (sets, len(first)))[:, layout.cluster]
    skill = draws.occasions(rng, skill, layout.twist) * (1 - layout.loss / rate)
    if metric == "accuracy":
        return draws.hits(rng, rows, skill)
    return draws.confusions(rng, rows, skill, rate, layout.mix)
