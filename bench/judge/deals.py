"""Deals: the clusters of several groups together, dealt to groups of the same sizes anew.

Clusters of equal statistics are one kind: where that is less work, what is dealt is how many of each kind.
Draws depend on the seed alone: neither on the order of clusters or groups nor on how draws are blocked.
It knows no metrics, and refuses to deal anything smaller than a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.rows import Floats, Ints

__all__ = ["BLOCK", "Deal", "Pool", "gather_pool"]

# With the temporaries of a metric about 16 MB, and as fast as larger ones.
BLOCK = 1 << 18
"""Numbers held at once."""
# Up to so many clusters a group they are dealt one by one: counting kinds takes longer.
_ONE_BY_ONE = 500


@dataclass(frozen=True)
class Deal:
    """Clusters dealt to some of the groups, in m draws: E entries in the order of these groups.

    ``kind`` (m or 1, E) which kind of cluster; ``times`` (m or 1, E) how many of them; ``size`` clusters and
    ``start``, the first entry, of each group; ``group`` (E,); ``draws`` m.
    """

    kind: Ints
    times: Floats
    size: Ints
    start: Ints
    group: Ints
    draws: int

    def sum(self, amounts: Floats) -> Floats:
        """Sum an amount per cluster (..., m, E) over each group: (..., m, groups)."""
        return np.asarray(np.add.reduceat(self.times * amounts, self.start, axis=-1))


@dataclass(frozen=True)
class Pool:
    """The clusters of all groups: ``kinds`` (P, S) of equal statistics, ``times`` (K, P) each was observed.

    Kinds are sorted by their statistics and groups by size, so neither the order of entries nor that of
    slice values changes a draw.
    """

    kinds: Floats
    times: Ints

    @cached_property
    def size(self) -> Ints:
        """The clusters of each group, (K,)."""
        return np.asarray(self.times.sum(axis=1))

    @cached_property
    def whole(self) -> Ints:
        """How many clusters of each kind there are, (P,)."""
        return np.asarray(self.times.sum(axis=0))

    @cached_property
    def single(self) -> bool:
        """Whether clusters are dealt one by one, for that is less than counting kinds in every group."""
        return int(self.size.sum()) <= max(self.times.size, _ONE_BY_ONE * len(self.size))

    @cached_property
    def columns(self) -> Floats:
        """The statistics of all kinds, (S, P): in this order many are finished fastest."""
        return np.ascontiguousarray(self.kinds.T)

    def stats(self, deal: Deal) -> Floats:
        """The statistics of every entry of a deal, (S, m or 1, E)."""
        return np.asarray(self.columns[:, deal.kind])

    def observed(self) -> Deal:
        """The deal as it is in the data."""
        if self.single:
            kinds = np.arange(len(self.kinds))
            return self._one_by_one(np.concatenate([np.repeat(kinds, row) for row in self.times])[None])
        return self._counted(self.times[None])

    def deals(self, groups: int, rng: np.random.Generator, draws: int) -> Iterator[Deal]:
        """Deal clusters to the first ``groups`` anew, in blocks; how they are blocked changes no draw."""
        size = self.size[:groups]
        entries = int(size.sum()) if self.single else groups * len(self.kinds)
        block = max(1, BLOCK // max(entries * self.kinds.shape[1], len(self.size) ** 2))
        clusters = np.repeat(np.arange(len(self.whole)), self.whole)
        for start in range(0, draws, block):
            count = min(block, draws - start)
            if not self.single:
                yield self._counted(np.stack([_allocate(rng, self.whole, size) for _ in range(count)]))
            elif 2 * entries > len(clusters):
                dealt = rng.permuted(np.tile(clusters, (count, 1)), axis=1)
                yield self._one_by_one(dealt[:, :entries], groups)
            else:
                some = [rng.choice(len(clusters), entries, replace=False) for _ in range(count)]
                yield self._one_by_one(clusters[np.stack(some)], groups)

    def _one_by_one(self, kind: Ints, groups: int | None = None) -> Deal:
        size = self.size[:groups]
        group = np.repeat(np.arange(len(size)), size)
        return Deal(kind, np.ones((1, kind.shape[1])), size, np.cumsum(size) - size, group, len(kind))

    def _counted(self, times: Ints) -> Deal:
        draws, groups, kinds = times.shape
        kind = np.tile(np.arange(kinds), groups)[None]
        flat, group = times.reshape(draws, -1).astype(np.float64), np.repeat(np.arange(groups), kinds)
        return Deal(kind, flat, self.size[:groups], np.arange(groups) * kinds, group, draws)


def _allocate(rng: np.random.Generator, whole: Ints, size: Ints) -> Ints:
    """Deal counted kinds (P,) to groups of the sizes (K,): multivariate hypergeometric, (K, P)."""
    left, dealt = whole.copy(), np.empty((len(size), len(whole)), np.int64)
    for group, taken in enumerate(size):
        every = taken == left.sum()
        dealt[group] = left if every else rng.multivariate_hypergeometric(left, taken, method="marginals")
        left -= dealt[group]
    return dealt


def gather_pool(stats: Floats, tally: Tally) -> Pool:
    """The clusters of a tally: ``stats`` (E, S) of each of its entries."""
    kinds, kind = np.unique(stats, axis=0, return_inverse=True)
    times = np.zeros((tally.values, len(kinds)), np.int64)
    np.add.at(times, (tally.value, kind), tally.multiplicity)
    return Pool(kinds, times[np.argsort(times.sum(axis=1), kind="stable")])
