"""Slice status: what may be shown, and what may be compared (STATISTICS, Slice status).

A value with fewer subjects than ``suppress_below`` is withheld unless the data set's attributes are public,
and so is every other value that would let it be worked out by subtraction: within each coarser slice of the
suite, and within the whole, the withheld values are at least two and hold at least ``suppress_below``
subjects together (the next smallest is withheld until they do, first of those with withheld neighbours in
another margin); what is withheld in a slice is withheld in
every finer one. Slices that cut the same thing in different ways (two age bins, say) are not checked against
each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.judge.atoms import combine
from bench.judge.infer import Inference
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints
from bench.judge.slices import Slice
from bench.spec import SliceRule

__all__ = ["INSUFFICIENT", "REPORTABLE", "SUPPRESSED", "reportable", "withheld"]

REPORTABLE, INSUFFICIENT, SUPPRESSED = "reportable", "insufficient", "suppressed"


def reportable(
    metric: Metric, inference: Inference, total: Ints | Floats, rule: SliceRule, classes: Bools
) -> Bools:
    """Which slice values hold enough to be compared, (V,).

    Enough clusters; for proportions enough n_eff, successes and failures; for other label metrics enough
    rows in each of the data set's ``classes`` (K,); for the rest enough rows.
    """
    enough: Bools = np.isfinite(inference.estimate) & (inference.clusters >= rule.clusters)
    if metric.kind == "proportion":
        successes = np.asarray(metric.formula(total)[0], np.int64)
        fewer = np.minimum(successes, inference.n - successes)
        enough &= (inference.n_eff >= rule.n_eff) & (fewer >= rule.successes_and_failures)
    elif metric.key.kernel == "confusion":
        enough &= (total.sum(axis=-1)[:, classes] >= rule.rows_in_class).all(axis=-1)
    else:
        enough &= inference.n >= rule.rows_in_class
    return enough


def withheld(slices: Sequence[Slice], clusters: Sequence[Ints], floor: int) -> list[Bools]:
    """Which values of each slice are withheld; ``clusters`` are the subjects behind each slice's numbers.

    The whole (a slice without attributes) is never withheld.
    """
    hidden = [np.zeros(len(s.values), np.bool_) for s in slices]
    for index in sorted(range(len(slices)), key=lambda i: len(slices[i].attributes)):
        one = slices[index]
        if not one.attributes:
            continue
        mine = (clusters[index] < floor) | (one.clusters < floor)
        margins = [(outer, hidden[j]) for j, outer in enumerate(slices) if _coarser(outer, one)]
        groups = [_parents(outer, one) for outer, _ in margins]
        for (_, above), parent in zip(margins, groups, strict=True):
            mine |= above[parent]
        while _cover(mine, groups, one.clusters, floor):
            pass
        hidden[index] = mine
    return hidden


def _coarser(outer: Slice, inner: Slice) -> bool:
    return set(outer.attributes) < set(inner.attributes)


def _parents(outer: Slice, inner: Slice) -> Ints:
    """The value of the coarser slice that each value of the finer one lies in."""
    columns = [inner.attributes.index(name) for name in outer.attributes]
    if not columns:
        return np.zeros(len(inner.values), np.int64)
    stacked = np.concatenate([outer.codes, inner.codes[:, columns]])
    number, _ = combine(list(stacked.T))
    place = np.empty(number.max() + 1, np.int64)
    place[number[: len(outer.values)]] = np.arange(len(outer.values))
    return place[number[len(outer.values) :]]


def _cover(hidden: Bools, parents: Sequence[Ints], clusters: Ints, floor: int) -> bool:
    """Withhold one more value, in place, where subtraction within a margin would give too few; say whether.

    The smallest value of those that lie with withheld ones in most margins: it opens the fewest new ways.
    """
    together = np.sum([np.bincount(parent, hidden)[parent] > 0 for parent in parents], axis=0)
    for parent in parents:
        for group in np.unique(parent[hidden]):
            members = parent == group
            shown = np.flatnonzero(members & ~hidden)
            gone = members & hidden
            if len(shown) and (gone.sum() == 1 or clusters[gone].sum() < floor):
                hidden[shown[np.lexsort((clusters[shown], -together[shown]))[0]]] = True
                return True
    return False
