"""Cautions: what must be said beside a test or an interval that simulations found less than reliable.

docs/calibration.md has the simulations. A caution rests on what is known of the data at hand, never on what
the test found. Refuses to hide a number: it says how far the number can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.infer import freedom
from bench.judge.influence import Influence
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats

__all__ = ["cautioned", "counts", "differing"]

_FEWEST_ERRORS = 10
_RARE = (
    "a value expects fewer than 10 errors or right answers at equal rates: in simulations of such groups up "
    "to 17 % of families alarmed falsely, where 5 % were meant to"
)
_UNEQUAL = (
    "standard errors of the compared values differ by more than a factor of two: in simulations of such "
    "groups up to 11 % of families alarmed falsely, where 5 % were meant to"
)
_SCALED = ("correlation", "plain")
_FEWEST_FREE = 0.4
_FEW_RULE = (
    "few clusters make most of the error of a compared value (its degrees of freedom are fewer than two in "
    "five of its clusters): in simulations of such groups up to 11 % of families alarmed falsely, where 5 % "
    "were meant to"
)


def differing(metric: Metric, tally: Tally, found: Influence, included: Bools) -> tuple[str, ...]:
    """What must be said of every test and interval of differences between the ``included`` (V,) values.

    ``found`` is the influence on the values of the tally. Empty where simulations kept what is promised.
    """
    said = (
        _RARE if _expects_few_errors(metric, tally, included) else None,
        _UNEQUAL if _are_unequal(found, included) else None,
        _FEW_RULE if metric.kind in _SCALED and _do_few_rule(found, included) else None,
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


def _are_unequal(found: Influence, included: Bools) -> bool:
    """Whether one compared value is known more than twice as well as another."""
    variances = np.diag(found.covariance)[included]
    known = variances[np.isfinite(variances) & (variances > 0)]
    return bool(len(known) > 1 and known.max() > 4 * known.min())


def _do_few_rule(found: Influence, included: Bools) -> bool:
    """Whether the variance of a compared value has far fewer degrees of freedom than it has clusters."""
    squares, fourths = (found.multiplicity @ found.pull[:, included] ** k for k in (2, 4))
    clusters = found.clusters[included].astype(np.float64)
    return bool((freedom(squares, fourths, clusters) < _FEWEST_FREE * (clusters - 1)).any())
