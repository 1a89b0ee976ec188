"""Slice status: what may be shown, and what may be compared (STATISTICS, Slice status).

``suppressed`` values are withheld (``bench.judge.withhold``), unless the data set's attributes are public;
``insufficient`` ones are shown, but left out of comparisons; the rest is ``reportable``.
"""

from __future__ import annotations

import numpy as np

from bench.judge.action_units import of_units
from bench.judge.infer import Inference
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints
from bench.spec import SliceRule

__all__ = ["INSUFFICIENT", "REPORTABLE", "SUPPRESSED", "reportable"]

REPORTABLE, INSUFFICIENT, SUPPRESSED = "reportable", "insufficient", "suppressed"


def reportable(
    metric: Metric, inference: Inference, total: Ints | Floats, rule: SliceRule, classes: Bools
) -> Bools:
    """Which slice values hold enough to be compared, (V,).

    Enough clusters; for proportions enough n_eff, successes and failures; for other label metrics enough
    rows in each of the data set's ``classes`` (K,), for AUROC of the label and of others, for action units
    with and without each; for the rest enough rows.
    """
    enough: Bools = np.isfinite(inference.estimate) & (inference.clusters >= rule.clusters)
    if metric.kind == "proportion":
        successes = np.asarray(metric.formula(total)[0], np.int64)
        fewer = np.minimum(successes, inference.n - successes)
        enough &= (inference.n_eff >= rule.n_eff) & (fewer >= rule.successes_and_failures)
    elif metric.key.kernel in ("confusion", "ranking") or of_units(metric.key):
        enough &= (metric.in_classes(total)[:, classes] >= rule.rows_in_class).all(axis=-1)
    else:
        enough &= inference.n >= rule.rows_in_class
    return enough
