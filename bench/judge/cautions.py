"""Cautions: what must be said beside a test or an interval that simulations found less than reliable.

docs/calibration.md has the simulations. A caution rests on what is known of the data at hand, never on what
the test found. Refuses to hide a number: it says how far the number can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints

__all__ = ["cautioned", "counts", "differing"]

_FEWEST_ERRORS = 10
_RARE = (
    "a value expects fewer than 10 errors or right answers at equal rates: in simulations of such groups up "
    "to 17 % of families alarmed falsely, where 5 % were meant to"
)
_UNEQUAL = (
    "the compared values differ by more than a factor of two in clusters and in rows a cluster: in "
    "simulations of such groups up to 9 % of families alarmed falsely, where 5 % were meant to"
)
_SPREAD = (
    "errors of different clusters are compared: in simulations of groups that differ in how unlike their "
    "clusters are, up to 8 % of families alarmed falsely, where 5 % were meant to"
)
_SPREADING = ("plain", "root")
_CHOSEN = (
    "values with as many clusters as compared ones are left out for few effective rows, errors or classes, "
    "and those that stay look surer than they are: in simulations of such choices up to 9 % of families "
    "alarmed falsely, where 5 % were meant to"
)


def differing(metric: Metric, tally: Tally, included: Bools) -> tuple[str, ...]:
    """What must be said of every test and interval of differences between the ``included`` (V,) values.

    Empty where simulations kept what is promised. It rests on how many rows, clusters and errors there are,
    not on estimated standard errors: one that came out too small both alarms and looks like the others. Only
    which values are ``included`` goes by the rule of slices, whose effective rows are an estimate.
    """
    tally = tally.where(metric.count(tally.stats) > 0)
    chosen = _are_chosen(tally.clusters, included)
    tally = tally.where(included[tally.value])
    spreads = metric.kind in _SPREADING and _lie_apart(tally)
    said = (
        _RARE if _expects_few_errors(metric, tally, included) else None,
        _SPREAD if spreads else _UNEQUAL if _are_unequal(metric, tally, included) else None,
        _CHOSEN if chosen else None,
    )
    return tuple(filter(None, said))


def cautioned(row: dict[str, Any], cautions: Sequence[str]) -> dict[str, Any]:
    """The row with the cautions in its warning, if it has a test that they could be about."""
    if row["p"] != row["p"]:
        return row
    return {**row, "warning": "; ".join(filter(None, [row["warning"], *cautions])) or None}


def counts(metric: Metric, tally: Tally, included: Bools) -> tuple[Floats, Floats]:
    """Successes and trials of the included values of a proportion."""
    successes, trials = (np.asarray(part, np.float64) for part in metric.formula(tally.total))
    return successes[included], trials[included]


def _expects_few_errors(metric: Metric, tally: Tally, included: Bools) -> bool:
    """Whether fewer than ten errors, or than ten right answers, are expected in a value at equal rates."""
    if metric.kind != "proportion":
        return False
    successes, trials = counts(metric, tally, included)
    rate = successes.sum() / trials.sum()
    return bool(trials.min() * min(rate, 1 - rate) < _FEWEST_ERRORS)


def _are_unequal(metric: Metric, tally: Tally, included: Bools) -> bool:
    """Whether compared values differ twofold in their number of clusters and in the rows of one."""
    clusters = tally.clusters[included].astype(np.float64)
    if len(clusters) < 2 or clusters.min() == 0:
        return False
    rows = tally.sum(metric.count(tally.stats))[included] / clusters
    return bool(clusters.max() > 2 * clusters.min() and rows.max() > 2 * rows.min())


def _are_chosen(clusters: Ints, included: Bools) -> bool:
    """Whether values are left out that have as many clusters as some that are compared."""
    left_out = clusters[~included]
    return bool(included.any() and len(left_out) and left_out.max() >= clusters[included].min())


def _lie_apart(tally: Tally) -> bool:
    """Whether each cluster has rows of one value alone."""
    return tally.cluster is None or len(np.unique(tally.cluster)) == len(tally.cluster)
