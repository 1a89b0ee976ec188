"""Deals: the clusters of several groups together, dealt to groups of the same sizes anew.

Clusters of equal statistics are one kind: where that is less work, what is dealt is how many of each kind.
Very many unequal clusters are dealt in bundles, which takes nothing from the test: where groups mean nothing,
bundles of one size are as exchangeable as their clusters.
Draws depend on the seed alone: neither on the order of clusters or groups nor on how draws are blocked.
It knows no metrics, and refuses to deal anything smaller than a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.judge.atoms import Tally, combine
from bench.judge.rows import Bools, Floats, Ints

__all__ = ["BLOCK", "Deal", "Pool", "bundle", "gather_pool"]

# With the temporaries of a metric about 16 MB, and as fast as larger ones.
BLOCK = 1 << 18
"""Numbers held at once."""
# Up to so many clusters a group they are dealt one by one: counting kinds takes longer.
_ONE_BY_ONE = 500
_MOST = 10_000  # clusters dealt one by one
_BUNDLES = 5_000  # of all clusters together
_FEWEST = 20  # bundles of a group, as the fewest clusters of a value that is reportable
_SINGLE = 2_000  # clusters of the other groups, at least, that change places with those of small ones
_WHOLE = 1 << 20  # below this whole numbers are their own codes


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
    slice values changes a draw. ``bundled`` (P,) are the kinds that are bundles of clusters, the last ones,
    or None: bundles change places with bundles.
    """

    kinds: Floats
    times: Ints
    bundled: Bools | None = None

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
        fewest = max(self.times.size, _ONE_BY_ONE * len(self.size))
        return self.bundled is not None or int(self.size.sum()) <= fewest

    def crowded(self, groups: int) -> bool:
        """Whether a deal to the first ``groups`` is of very many clusters that differ."""
        return self.single and int(self.size[:groups].sum()) > _MOST

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

    def deals(
        self, groups: int, rng: np.random.Generator, draws: int, held: tuple[int, int]
    ) -> Iterator[Deal]:
        """Deal clusters to the first ``groups`` anew, in blocks; how they are blocked changes no draw.

        ``held`` are the numbers that are made of an entry, and of a group.
        """
        size = self.size[:groups]
        entries = int(size.sum()) if self.single else groups * len(self.kinds)
        block = max(1, BLOCK // max(entries * held[0], groups * held[1], len(self.size) ** 2))
        clusters = np.repeat(np.arange(len(self.whole)), self.whole)
        streams = [rng] if self.bundled is None else [rng, *rng.spawn(1)]
        for start in range(0, draws, block):
            count = min(block, draws - start)
            if not self.single:
                yield self._counted(np.stack([_allocate(rng, self.whole, size) for _ in range(count)]))
            elif 2 * entries > len(clusters):
                yield self._one_by_one(self._shuffled(clusters, streams, count)[:, :entries], groups)
            else:
                some = [rng.choice(len(clusters), entries, replace=False) for _ in range(count)]
                yield self._one_by_one(clusters[np.stack(some)], groups)

    def _shuffled(self, clusters: Ints, streams: list[np.random.Generator], count: int) -> Ints:
        """The clusters in random order, in the order of groups, (count, N): bundles where bundles were."""
        if self.bundled is None:
            return streams[0].permuted(np.tile(clusters, (count, 1)), axis=1)
        parts = [clusters[~self.bundled[clusters]], clusters[self.bundled[clusters]]]
        dealt = [
            each.permuted(np.tile(part, (count, 1)), axis=1)
            for each, part in zip(streams, parts, strict=True)
        ]
        held = [self.times[:, kinds].sum(axis=1) for kinds in (~self.bundled, self.bundled)]
        group = np.concatenate([np.repeat(np.arange(len(self.size)), times) for times in held])
        return np.concatenate(dealt, axis=1)[:, np.argsort(group, kind="stable")]

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
    kind, first = combine([_codes(column) for column in stats.T])
    times = np.zeros((tally.values, len(first)), np.int64)
    np.add.at(times, (tally.value, kind), tally.multiplicity)
    order = sorted(range(tally.values), key=lambda group: (times[group].sum(), times[group].tobytes()))
    return Pool(stats[first], times[order])


def bundle(pool: Pool, rng: np.random.Generator) -> Pool:
    """Tie clusters of each group, at random, to bundles of as many each: about ``_BUNDLES`` together.

    A group of too few clusters for ``_FEWEST`` bundles stays as it is; so that they change places with those
    of others, as many of these stay single, at least ``_SINGLE`` but no more than half. Bundles count as
    clusters in a variance: their influence is the sum of those of independent clusters (random groups; Wolter
    2007, Introduction to Variance Estimation, chapter 2).
    """
    size = -(-int(pool.size.sum()) // _BUNDLES)
    large = pool.size >= _FEWEST * size
    small = int(pool.size[~large].sum())
    apart = max(small, _SINGLE) / max(pool.size[large].sum(), 1) if small else 0.0
    bundles = np.where(large, (max(1 - apart, 0.5) * pool.size).astype(np.int64) // size, 0)
    kinds = np.arange(len(pool.kinds))
    dealt = [rng.permutation(np.repeat(kinds, times)) for times in pool.times]
    tied = [own[: count * size].reshape(count, size) for own, count in zip(dealt, bundles, strict=True)]
    alone = [own[count * size :] for own, count in zip(dealt, bundles, strict=True)]
    together, single = np.concatenate(tied), np.concatenate(alone)
    sums = np.stack([column[together].sum(axis=1) for column in pool.columns], axis=1)
    groups = np.arange(len(pool.size))
    group = np.concatenate([np.repeat(groups, [len(own) for own in alone]), np.repeat(groups, bundles)])
    bundled = np.arange(len(group)) >= len(single)
    stats = np.concatenate([pool.kinds[single], sums])
    kind, first = combine([bundled.astype(np.int64), *map(_codes, stats.T)])
    times = np.zeros((len(groups), len(first)), np.int64)
    np.add.at(times, (group, kind), 1)
    order = np.argsort(times.sum(axis=1), kind="stable")
    return Pool(stats[first], times[order], bundled[first])


def _codes(amounts: Floats) -> Ints:
    """Whole numbers in the order of the amounts, (E,): sorting rows by these takes a fraction of the time."""
    least, most = amounts.min(), amounts.max()
    if most - least < _WHOLE and (amounts == np.floor(amounts)).all():
        return np.asarray(amounts - least, np.int64)
    return np.asarray(np.unique(amounts, return_inverse=True)[1], np.int64)
