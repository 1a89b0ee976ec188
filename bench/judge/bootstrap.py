"""The cluster bootstrap: clusters drawn with replacement, for what intervals of single values cannot say.

A replicate draws as many clusters as there are, with replacement (multinomial counts; Field, Welsh 2007, JRSS
B 69); its statistics are one matrix product, counts of draws x statistics of clusters, so a replicate costs
what clusters cost, however many rows they hold. Draws depend on the seed and the ids of clusters alone: they
are the same for every slice, metric and model, and so replicates can be compared. Refuses percentile
intervals below 50 clusters (they cover 83, 90 and 94 % of the time for 5, 10 and 20 clusters), values that
are undefined in more than 1 % of replicates, and moments of more clusters than can be drawn in good time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from bench.judge.atoms import Atoms, Strata, Tally
from bench.judge.metrics import Metric
from bench.judge.rows import Floats, Ints

__all__ = [
    "FEWEST_FOR_PERCENTILES", "MOST_FOR_MOMENTS", "MOST_UNDEFINED", "Draws", "Percentiles", "apart", "draw",
    "draw_kinds", "name_kinds", "percentiles", "refusals", "replicate", "resample",
]  # fmt: skip

FEWEST_FOR_PERCENTILES = 50
MOST_FOR_MOMENTS = 50_000
MOST_UNDEFINED = 0.01
_ELEMENTS = 1 << 22


@dataclass(frozen=True)
class Draws:
    """Which clusters each of B replicates draws: made anew, block by block, the same every time.

    ``times`` (C,) how many equal clusters an entry stands for; ``place`` (C,) the entry of each cluster code;
    ``seed`` of a Philox stream.
    """

    times: Ints
    place: Ints
    seed: int
    replicates: int = 2000

    @property
    def size(self) -> int:
        """The number of clusters, and of draws in a replicate."""
        return int(self.times.sum())

    def counts(self, width: int = 1) -> Iterator[Ints]:
        """Blocks (b, C) of how often a replicate draws each entry; every row adds up to ``size``.

        Multinomial over the entries, ``times`` / ``size`` each. Neither b nor ``width``, the numbers a
        replicate takes elsewhere, changes what is drawn.
        """
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(self.seed)))
        single = bool((self.times == 1).all())
        block = max(1, _ELEMENTS // max(width, len(self.times), 1))
        for start in range(0, self.replicates, block):
            rows = min(block, self.replicates - start)
            if not single:
                yield rng.multinomial(self.size, self.times / self.size, rows)
                continue
            drawn = rng.integers(0, self.size, (rows, self.size))
            drawn += np.arange(rows)[:, None] * self.size
            yield np.bincount(drawn.ravel(), minlength=rows * self.size).reshape(rows, self.size)


@dataclass(frozen=True)
class Percentiles:
    """Percentile intervals of V values: arrays (V,), NaN where there is none.

    ``undefined`` the share of replicates without a value; ``reason`` why there is no interval, or None.
    """

    low: Floats
    high: Floats
    undefined: Floats
    reason: tuple[str | None, ...]


def draw(column: pa.ChunkedArray, seed: int, replicates: int = 2000) -> Draws:
    """Draws of the clusters in the cluster column of targets, which is ``table[targets.cluster]``.

    Codes follow first appearance, as those of ``slices.cut``; draws follow the sorted ids, so targets in
    another order, and other models and data in them, get the same draws.

    >>> [next(draw(pa.array(ids), 7, 1).counts()).tolist() for ids in (["b", "a", "b"], ["a", "b"])]
    [[[2, 0]], [[2, 0]]]
    """
    ids = pc.unique(pc.drop_null(column))
    place = np.empty(len(ids), np.int64)
    place[pc.sort_indices(ids).to_numpy()] = np.arange(len(ids))
    return Draws(np.ones(len(ids), np.int64), place, seed, replicates)


def draw_kinds(times: Ints, seed: int, replicates: int = 2000) -> Draws:
    """Draws where every row is its own cluster: of kinds of equal rows, ``times`` (C,) rows of each.

    ``times`` is the ``multiplicity`` of one tally, or for all slices together the ``amount`` of the atoms
    (then see ``name_kinds``). Rows that are in no statistics are not drawn: their number is held fixed. Other
    kernels and models have other kinds; draws that they share take ``apart``.
    """
    return Draws(np.asarray(times, np.int64), np.arange(len(times)), seed, replicates)


def name_kinds(atoms: Atoms, of_stratum: Ints, values: int) -> Tally:
    """A slice of rows that are their own clusters, each kind of row named, so that slices share draws."""
    if atoms.cluster is not None or atoms.column is None or atoms.amount.ndim > 1:
        raise ValueError("kinds are counts of rows that are their own clusters")
    size = int(np.prod(atoms.shape))
    stats = np.eye(size, dtype=np.int64)[atoms.column].reshape(-1, *atoms.shape)
    times = np.asarray(atoms.amount, np.int64)
    return Tally(stats, of_stratum[atoms.stratum], times, values, np.arange(len(times)))


def apart(strata: Strata) -> Strata:
    """Strata of rows that are their own clusters, not collapsed: every kernel and model shares draws.

    A slice's ``of_stratum`` becomes ``of_stratum[strata.of_row]``. It costs as many clusters as rows.
    """
    each = np.arange(len(strata.of_row))
    return Strata(each, each, each)


def resample(tally: Tally, draws: Draws) -> Iterator[Floats]:
    """Blocks (b, V, *shape) of the statistics of each replicate and slice value.

    The same to the last bit in blocks of any size. ValueError for moments of more than 50,000 clusters.
    """
    if tally.stats.dtype.kind == "f" and len(draws.times) > MOST_FOR_MOMENTS:
        raise ValueError(f"moments of more than {MOST_FOR_MOMENTS} clusters are linearised, not drawn")
    if tally.cluster is None and len(tally.value) != len(draws.times):
        raise ValueError("a tally without names of clusters has draws of its own: draw_kinds(multiplicity)")
    order = np.argsort(tally.value, kind="stable")
    shape = tally.stats.shape[1:]
    stats = _exact(tally.stats.reshape(len(order), int(np.prod(shape)))[order], draws.size)
    place = draws.place[order if tally.cluster is None else tally.cluster[order]]
    ends = np.searchsorted(tally.value[order], np.arange(tally.values + 1))
    for counts in draws.counts(tally.values * stats.shape[1]):
        # Clusters first: the rows that a slice value picks are then copied whole.
        weights = np.ascontiguousarray(counts.T, stats.dtype)
        sums = np.zeros((len(counts), tally.values, stats.shape[1]))
        for value, (start, end) in enumerate(pairwise(ends)):
            sums[:, value] = weights[place[start:end]].T @ stats[start:end]
        yield sums.reshape(len(counts), tally.values, *shape)


def replicate(metrics: Sequence[Metric], tally: Tally, draws: Draws) -> Floats:
    """The value of metrics of one kernel in every replicate: (M, B, V), NaN where it is undefined.

    A value is undefined where nothing of it was drawn, and, for what is no proportion, where a class that it
    has was not: the mean would be over other classes (``infer.leave_one_out``).
    """
    if len({metric.key for metric in metrics}) > 1:
        raise ValueError("metrics that are replicated together are of one kernel")
    found = np.full((len(metrics), draws.replicates, tally.values), np.nan)
    total, start = tally.total, 0
    for sums in resample(tally, draws):
        block = slice(start, start := start + len(sums))
        for row, metric in zip(found, metrics, strict=True):
            with np.errstate(divide="ignore", invalid="ignore"):
                row[block] = metric.finish(sums)
            if metric.kind != "proportion":
                row[block][(metric.present(total) & ~metric.present(sums)).any(axis=-1)] = np.nan
    return found


def percentiles(replicates: Floats, clusters: Ints, level: float) -> Percentiles:
    """Percentile intervals of replicates (B, V); ``clusters`` (V,) have a row in the denominators.

    The (B + 1) (1 -+ level) / 2 order statistics, interpolated (Davison, Hinkley 1997, section 5.3), of the
    replicates that have a value. Where there is none, the caller has the jackknife of ``infer``.
    """
    reason = refusals(replicates, clusters)
    known = np.array([why is None for why in reason], np.bool_)
    ends = np.full((2, len(known)), np.nan)
    if known.any():
        tail = (1 - level) / 2
        ends[:, known] = np.nanquantile(replicates[:, known], [tail, 1 - tail], axis=0, method="weibull")
    return Percentiles(ends[0], ends[1], np.isnan(replicates).mean(axis=0), reason)


def refusals(
    replicates: Floats, clusters: Ints | Floats, fewest: int = FEWEST_FOR_PERCENTILES
) -> tuple[str | None, ...]:
    """Why replicates (B, V) give no statement about a value, or None where they do."""
    undefined = np.isnan(replicates).mean(axis=0)
    reason = np.full(len(clusters), None, object)
    reason[undefined > MOST_UNDEFINED] = (
        f"no bootstrap interval: undefined in more than {MOST_UNDEFINED:.0%} of the replicates"
    )
    reason[clusters < fewest] = f"no bootstrap interval: fewer than {fewest} clusters"
    return tuple(reason)


def _exact(stats: Ints | Floats, drawn: int) -> npt.NDArray[Any]:
    """Statistics (P, S) as floats whose sums over ``drawn`` draws round nowhere, in whatever order.

    Counts in single precision where it holds their sums, at half the cost; moments on a grid so fine that
    what it takes from a sum is what adding up takes elsewhere.
    """
    bound = drawn * np.maximum(abs(stats).max(axis=0, initial=0), 1)
    if stats.dtype.kind != "f":
        return stats.astype(np.float32 if bound.max(initial=0) < 2**24 else np.float64)
    bound = drawn * abs(stats).max(axis=0, initial=0.0)
    with np.errstate(divide="ignore"):
        step = np.exp2(np.ceil(np.log2(bound)) - 53)
    whole = np.rint(np.divide(stats, step, out=np.zeros_like(stats), where=step > 0))
    return np.asarray(whole * step, np.float64)
