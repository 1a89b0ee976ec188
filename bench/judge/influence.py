"""Influence: what each cluster adds to the error of a value, and so to that of any difference of values.

Clusters are independent, so the variance of a value is the sum of its squared influences, and that of a
difference is the sum of the squared differences, whether the two values share clusters (two conditions, two
models, an attribute that varies within a person) or not. Proportions are linearised; all else is the
delete-one-cluster jackknife. Refuses a value whose leave-one-out values are not all defined: it has none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.judge.atoms import Tally, combine
from bench.judge.infer import freedom, leave_one_out, linearised, residuals
from bench.judge.metrics import Metric
from bench.judge.rows import Floats, Ints

__all__ = ["MANY", "Influence", "influence"]

MANY = 200
"""Sums over clusters are taken to be normal where no cluster weighs more than one of so many equal ones.

At this number p-values of CCC and UAR agree with those of all deals and signs within two to three Monte Carlo
errors of 10,000 draws; those of RMSE and accuracy do from about 60 on. Other metrics were not measured.
"""


@dataclass(frozen=True)
class Influence:
    """Values of one metric over a slice, and what each cluster did to them, on the plain scale.

    ``estimate`` (V,) and its ``clusters`` (V,); ``pull`` (C, V) so that the variance of a value is the sum of
    its squares, weighted by ``multiplicity`` (C,), how many equal clusters a row stands for; 0 where a
    cluster has no row of the value. A value that has no influence is NaN throughout. ``cluster`` (C,) names
    the cluster of each row, None where the rows are of other clusters than those of any other tally. ``kind``
    is that of the metric: on which scale a value has its interval; sums and differences of values are signed.
    """

    estimate: Floats
    pull: Floats
    multiplicity: Ints
    clusters: Ints
    cluster: Ints | None
    kind: str = "signed"

    def variance(self, contrasts: Floats) -> Floats:
        """The variance of the contrasts (K, V), each a weighted sum of values: (K,).

        NaN where a value with a weight other than 0 has no influence.
        """
        unknown = np.isnan(self.pull).any(axis=0)
        pull = np.where(unknown, 0.0, self.pull)
        variance = self.multiplicity @ (pull @ contrasts.T) ** 2
        return np.where((contrasts[:, unknown] != 0).any(axis=1), np.nan, variance)

    @property
    def freedom(self) -> Floats:
        """The degrees of freedom of the variance of each value, (V,), at least 1 (``infer.freedom``)."""
        squares, fourths = (self.multiplicity @ self.pull**k for k in (2, 4))
        return np.maximum(freedom(squares, fourths, self.clusters.astype(np.float64)), 1.0)

    @property
    def covariance(self) -> Floats:
        """The covariances of the values, (V, V): 0 where they share no cluster, NaN without influence."""
        return np.asarray(self.pull.T @ (self.multiplicity[:, None] * self.pull), np.float64)


def influence(metric: Metric, tally: Tally) -> Influence:
    """The influence of every cluster on every value of a tally.

    Proportions: sqrt(G / (G - 1)) e_i / B with e_i = a_i - theta b_i; all else sqrt((G - 1) / G) (mean of
    theta_(i) - theta_(i)). The squares add up to the variance of ``linearised``, or of the jackknife on the
    plain scale, which the one ``infer`` takes on another scale equals to first order.
    """
    tally = tally.where(metric.count(tally.stats) > 0)
    clusters = tally.clusters.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate, entries = (_ratio if metric.kind == "proportion" else _jackknife)(metric, tally, clusters)
    entries = np.where((clusters > 1)[tally.value], entries, np.nan)
    if tally.cluster is None:
        row, first = np.arange(len(entries)), np.arange(len(entries))
    else:
        row, first = combine([tally.cluster])
    pull = np.zeros((len(first), tally.values))
    pull[row, tally.value] = entries
    known = np.ones(tally.values, np.bool_)
    known[tally.value[~np.isfinite(entries)]] = False
    pull[:, ~known | (tally.clusters == 0)] = np.nan
    names = None if tally.cluster is None else tally.cluster[first]
    return Influence(estimate, pull, tally.multiplicity[first], tally.clusters, names, metric.kind)


def _ratio(metric: Metric, tally: Tally, clusters: Floats) -> tuple[Floats, Floats]:
    successes, trials = (np.asarray(part, np.float64) for part in metric.formula(tally.stats))
    theta, _ = linearised(successes, trials, tally)
    scale = np.sqrt(clusters / (clusters - 1)) / tally.sum(trials)
    return theta, scale[tally.value] * residuals(successes, trials, theta, tally)


def _jackknife(metric: Metric, tally: Tally, clusters: Floats) -> tuple[Floats, Floats]:
    left_out, lost = leave_one_out(metric, tally, tally.total)
    left_out = np.where(lost, np.nan, left_out)
    mean = tally.sum(left_out) / clusters
    scale = np.sqrt((clusters - 1) / clusters)
    return metric.finish(tally.total), (scale * mean)[tally.value] - scale[tally.value] * left_out
