"""Base-rate-matched gaps: how far values would lie apart if all had the same mix of classes.

Accuracy, F1 and the like differ between groups that are treated alike where one group holds more of the easy
classes. Direct standardisation takes that away: in every group a row of class k weighs w_k / n_k, with w_k
the share of the class among all rows compared and n_k its share in the group. The test is that of any gap,
of the metric so weighted: the mix of all rows compared is the same however clusters are dealt. Refuses a gap
where a compared value lacks a class that another has, and where a class of one is withheld: weights by class
are one more equation in what is withheld.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bench.judge.fairness import Comparison
from bench.judge.formulas import Stats, divide
from bench.judge.gaps import gap
from bench.judge.metrics import Metric
from bench.judge.rows import Floats, Ints
from bench.judge.status import INSUFFICIENT, REPORTABLE, SUPPRESSED
from bench.spec import Suite

__all__ = ["MATCHED", "matched", "names_it", "standardised"]

MATCHED = "base-rate-matched"
_UNMOVED = ("recall", "uar")
_LACKING = "no gap: a compared value has no rows of a class that another has"
_WITHHELD = "withheld: a class of a compared value is withheld"


def names_it(suite: Suite, metric: str) -> bool:
    """Whether a suite names a metric itself or a primary test of it: each costs more than the plain gap."""
    tested = [test.partition("/")[2].rpartition("/")[0] for test in suite.primary]
    return bool({metric, metric.partition("/")[0]} & {*suite.metrics, *tested})


def standardised(metric: Metric, mix: Floats) -> Metric:
    """A metric of confusion counts as if a share ``mix`` (K,) of the rows were of each class.

    NaN where a class of the mix has no row. Proportions become rates: weights by class are no sums over
    clusters. Source: direct standardisation; scikit-learn ``sample_weight``.
    """

    def formula(confusion: Stats) -> Floats:
        rows = np.asarray(confusion.sum(axis=-1), np.float64)
        weighed = confusion * divide(np.where(rows > 0, mix, 0.0), rows + (rows == 0))[..., None]
        value = divide(*metric.formula(weighed)) if metric.kind == "proportion" else metric.formula(weighed)
        # What is 0 / 0 stays so, where weights would leave it to rounding.
        defined = ~np.isnan(metric.finish(confusion)) & ((rows > 0) | (mix == 0)).all(axis=-1)
        return np.where(defined, value, np.nan)

    formula.__doc__ = metric.about
    kind = "rate" if metric.kind == "proportion" else metric.kind
    return replace(metric, formula=formula, kind=kind)


def matched(asked: Comparison) -> Iterator[dict[str, Any]]:
    """The gap of one metric over one slice had all compared values the same mix of classes, if that moves it.

    No row for metrics that weigh classes alike anyway, nor where fewer than two values are compared or their
    mixes are the same.
    """
    metric = asked.metric
    if metric.key.kernel != "confusion" or metric.name.partition("/")[0] in _UNMOVED:
        return
    rows = np.asarray(asked.tally.total, np.int64).sum(axis=-1)[asked.included]
    if len(rows) < 2 or _are_alike(rows):
        return
    row: dict[str, Any] = {
        "kind": "gap", "reference": MATCHED, "role": "exploratory", "p": np.nan,
        "slices_left_out": int((~asked.included).sum()),
    }  # fmt: skip
    if (asked.included & (asked.partly | asked.cells)).any():
        yield {**row, "slices_left_out": None, "status": SUPPRESSED, "warning": _WITHHELD}
        return
    if ((rows == 0).any(axis=0) & (rows > 0).any(axis=0)).any():
        yield {**row, "status": INSUFFICIENT, "warning": _LACKING}
        return
    mix = rows.sum(axis=0) / rows.sum()
    found = gap(standardised(metric, mix), asked.tally, asked.included, asked.seed, asked.draws)
    yield {
        **row, "estimate": found.estimate, "null_mean": found.null_mean, "null_p95": found.null_p95,
        "p": found.p, "clusters": found.clusters, "method": found.method, "status": REPORTABLE,
        "warning": found.reason,
    }  # fmt: skip


def _are_alike(rows: Ints) -> bool:
    """Whether all values, (V, K) rows by class, have the same mix, in whole numbers."""
    sizes = rows.sum(axis=1)
    return bool((rows * sizes[0] == rows[0] * sizes[:, None]).all())
