"""Atoms: summed statistics per cluster and stratum, from which every slice is put together.

A stratum is a combination of the suite's slice attributes within a cluster. Counts are held sparse (stratum,
column, count), so ten million rows become megabytes however finely strata cut, and so are moments by bin;
other moments are held dense. Where every row is its own cluster a stratum spans clusters, and equal clusters
collapse into one with a multiplicity. Refuses to resample anything smaller than a cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.errors import UserError
from bench.judge.kernels import Counts, Moments, Stack
from bench.judge.rows import Bools, Floats, Ints

__all__ = ["Atoms", "Strata", "Tally", "combine", "gather", "stratify"]

# How much wider than the rows a key may be to be numbered without sorting.
_DENSE = 8
_MOST = 2 << 30  # bytes of stacked statistics of rows that are their own clusters


@dataclass(frozen=True)
class Strata:
    """Which of A strata each of N rows lies in, and the cluster of each stratum.

    ``of_row`` (N,); ``first`` (A,) a row of each stratum, to read attributes from; ``cluster`` (A,), or None
    where every row is its own cluster.
    """

    of_row: Ints
    first: Ints
    cluster: Ints | None

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Tally:
    """Statistics per slice value and cluster: all that estimates and intervals are made of.

    ``stats`` (P, *shape); ``value`` (P,) codes below ``values``; ``multiplicity`` (P,) how many equal
    clusters each entry stands for; ``cluster`` (P,) which cluster each entry is of, or None where every entry
    is of other clusters than every other.
    """

    stats: Ints | Floats
    value: Ints
    multiplicity: Ints
    values: int
    cluster: Ints | None = None

    def where(self, mask: Bools) -> Tally:
        """The entries of the mask; the slice values stay."""
        if mask.all():
            return self
        cluster = None if self.cluster is None else self.cluster[mask]
        return Tally(self.stats[mask], self.value[mask], self.multiplicity[mask], self.values, cluster)

    def sum(self, amounts: Ints | Floats) -> Floats:
        """Sum one amount per entry (P,) over clusters: (values,) float64."""
        weights = np.asarray(amounts * self.multiplicity, np.float64)
        return np.asarray(np.bincount(self.value, weights, self.values), np.float64)

    @cached_property
    def clusters(self) -> Ints:
        """The number of clusters of each slice value, (values,)."""
        return self.sum(np.ones(len(self.value))).astype(np.int64)

    @cached_property
    def total(self) -> Ints | Floats:
        """The statistics of each slice value, (values, *shape)."""
        shape = self.stats.shape[1:]
        columns = self.stats.reshape(len(self.stats), int(np.prod(shape))).T
        sums = np.stack([self.sum(column) for column in columns], axis=-1).reshape(self.values, *shape)
        return sums if self.stats.dtype == np.float64 else sums.astype(np.int64)


@dataclass(frozen=True)
class Atoms:
    """The statistics of one kernel over one cell.

    ``stratum`` (E,); ``amount`` (E,) int64 counts with their ``column`` (E,), or (E, C) float64 moments, with
    their bin as ``column`` or without; ``shape`` of the statistics; ``cluster`` of each stratum as in Strata;
    ``row`` (E,) names the row where rows that are their own clusters have several entries.
    """

    stratum: Ints
    amount: Ints | Floats
    column: Ints | None
    shape: tuple[int, ...]
    cluster: Ints | None
    row: Ints | None = None

    def tally(self, of_stratum: Ints, values: int) -> Tally:
        """Put a slice together: ``of_stratum`` (A,) gives the slice value of every stratum."""
        value = of_stratum[self.stratum]
        if self.row is not None:
            cluster = self.row
        elif self.cluster is not None:
            cluster = self.cluster[self.stratum]
        else:
            return self._alone(value, values)
        pair, first = combine([value, cluster])
        bins = self._bins
        at = pair if self.column is None else pair * bins + self.column
        columns = self.amount.T if self.amount.ndim == 2 else [self.amount]
        sums = [np.bincount(at, weights=column, minlength=len(first) * bins) for column in columns]
        stats: Ints | Floats = np.stack(sums, axis=-1).reshape(len(first), *self.shape)
        if self.amount.ndim == 1:
            stats = stats.astype(np.int64)
        return Tally(stats, value[first], np.ones(len(first), np.int64), values, cluster[first])

    @property
    def _bins(self) -> int:
        """How many columns or bins amounts are summed by."""
        return int(np.prod(self.shape)) // int(np.prod(self.amount.shape[1:]))

    def _alone(self, value: Ints, values: int) -> Tally:
        if self.amount.ndim == 2:
            stats = self.amount
            if self.column is not None:
                stats = np.zeros((len(value), *self.shape))
                stats[np.arange(len(value)), self.column] = self.amount
            return Tally(stats, value, np.ones(len(value), np.int64), values)
        assert self.column is not None
        size = self._bins
        times = np.bincount(value * size + self.column, self.amount, minlength=values * size)
        kinds = np.flatnonzero(times)
        stats = np.eye(size, dtype=np.int64)[kinds % size].reshape(len(kinds), *self.shape)
        return Tally(stats, kinds // size, times[kinds].astype(np.int64), values)


def stratify(cluster: Ints, attributes: Sequence[Ints]) -> Strata:
    """Find the strata of N rows from cluster codes (N,) and the codes of the slice attributes, (N,) each."""
    alone = len(cluster) == 0 or np.bincount(cluster).max() == 1
    parts = [*attributes] if alone else [cluster, *attributes]
    of_row, first = combine(parts or [np.zeros_like(cluster)])
    return Strata(of_row, first, None if alone else cluster[first])


def gather(statistics: Counts | Moments | Stack, strata: Strata) -> Atoms:
    """Sum the statistics of rows into atoms; UserError for a stack of rows that are very many clusters."""
    if isinstance(statistics, Stack):
        return _gather_stack(statistics, strata)
    if isinstance(statistics, Counts):
        size = int(np.prod(statistics.shape))
        counted = statistics.column >= 0
        key = (strata.of_row * size + statistics.column)[counted]
        key, count = np.unique(key, return_counts=True)
        return Atoms(key // size, count, key % size, statistics.shape, strata.cluster)
    stratum, stats = strata.of_row[statistics.kept], statistics.stats[statistics.kept]
    column = None if statistics.bin is None else statistics.bin[statistics.kept]
    if strata.cluster is not None:
        of_row, first = combine([stratum] if column is None else [stratum, column])
        sums = [np.bincount(of_row, weights=each, minlength=len(first)) for each in stats.T]
        stratum, stats = stratum[first], np.stack(sums, axis=-1)
        column = None if column is None else column[first]
    return Atoms(stratum, stats, column, statistics.shape, strata.cluster)


def _gather_stack(stack: Stack, strata: Strata) -> Atoms:
    """The atoms of every part, one part after the other, in columns or a bin of its own.

    Rows that are their own clusters do not collapse, for they meet again in other parts.
    """
    rows = np.arange(len(strata.of_row))
    alone = strata.cluster is None
    found = [gather(part(), Strata(rows, rows, rows) if alone else strata) for part in stack.parts]
    shape = (len(found), *found[0].shape)
    if alone:
        _require_room(len(rows), shape)
    width = 1 if found[0].column is None else int(np.prod(shape[1:]))
    place = [k * width + (0 if one.column is None else one.column) for k, one in enumerate(found)]
    stratum = np.concatenate([one.stratum for one in found])
    amount = np.concatenate([one.amount for one in found])
    column = np.concatenate([np.broadcast_to(c, len(o.stratum)) for c, o in zip(place, found, strict=True)])
    if alone:
        return Atoms(strata.of_row[stratum], amount, column, shape, None, stratum)
    return Atoms(stratum, amount, column, shape, strata.cluster)


def _require_room(rows: int, shape: tuple[int, ...]) -> None:
    size = 8 * rows * int(np.prod(shape))
    if size > _MOST:
        raise UserError(
            "metrics over all action units",
            f"{rows:,} rows, each a cluster of its own, would take {size / 2**30:.1f} GiB",
            f"At most {_MOST >> 30} GiB",
            "Ask for units one by one, as au_auroc/au_12, or give a column 'subject' or 'clip'",
        )


def combine(codes: Sequence[Ints]) -> tuple[Ints, Ints]:
    """Number the combinations of several codes that occur, in lexicographic order.

    Returns the combination of each row (N,) and the first row of each combination.

    >>> combine([np.array([1, 0, 1]), np.array([0, 5, 0])])
    (array([1, 0, 1]), array([1, 0]))
    """
    key = np.zeros_like(codes[0])
    span = 1
    for part in codes:
        width = int(part.max(initial=0)) + 1
        if span * width >= 2**62:
            key = np.unique(key, return_inverse=True)[1]
            span = int(key.max(initial=0)) + 1
        key, span = key * width + part, span * width
    if span > _DENSE * len(key):
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        return inverse, first
    # A narrow key needs no sorting. Of repeated indices the last assignment stands: here, the first row.
    row = np.full(span, -1)
    row[key[::-1]] = np.arange(len(key))[::-1]
    occurs = row >= 0
    return (np.cumsum(occurs) - 1)[key], row[occurs]
