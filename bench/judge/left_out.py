"""Left out: the values of dealt groups, and what they would be without each of their clusters.

A test deals clusters ten thousand times and leaves out each of them every time, so what is made again must be
little. Means of ratios of sums (UAR, macro-F1, F1 of action units) need two sums a class, not a confusion.
AUROC is a form in two histograms: without a cluster it is less by what the cluster has with the group, a
product of its histogram and the group's cumulated one, made for all clusters at once. All other metrics are
finished anew from all their sums. It knows no tests, and refuses to approximate: values are those of
``Metric.finish``, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import digamma

from bench.judge import action_units, formulas, probabilistic
from bench.judge.deals import Deal, Pool
from bench.judge.formulas import Stats
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints

__all__ = ["LeftOut", "left_out"]


class LeftOut(Protocol):
    """How the values of a metric come about in a deal of m draws.

    Called: the values of the groups, (m, groups), NaN for a group without some class of the pool, whose mean
    would be over other classes than that of the others; and the values without each entry's cluster, (m, E),
    NaN at least where a class is lost with it. What a group has no cluster of has any value.
    """

    @property
    def held(self) -> tuple[int, int]:
        """The numbers held at once for an entry, and for a group, of a draw."""
        ...

    def __call__(self, deal: Deal) -> tuple[Floats, Floats]:
        """The values, and those without each cluster."""
        ...


def left_out(metric: Metric, shape: tuple[int, ...], pool: Pool) -> LeftOut:
    """The shortest way to the values of a metric of statistics (P, *shape) that are dealt."""
    kinds = pool.kinds.reshape(-1, *shape)
    if metric.formula in _TERMS:
        above, below, rows = (np.asarray(part, np.float64) for part in _TERMS[metric.formula](kinds))
        known = pool.whole @ rows > 0
        return _Ratios(_classes(metric, kinds, pool), above.T[known], below.T[known])
    if metric.formula in (probabilistic.auroc, action_units.mean_auroc):
        units = np.moveaxis(kinds.reshape(len(kinds), -1, *shape[-2:]), 1, 0)
        made = [_histograms(unit, pool.whole) for unit in units if unit.any(axis=(0, 2)).all()]
        return _Areas(_classes(metric, kinds, pool), made)
    if metric.formula is probabilistic.aurc:
        used = kinds[..., kinds.any(axis=(0, 1))]
        wrong, right = np.ascontiguousarray(used[..., ::-1].transpose(1, 2, 0))
        harmonic = digamma(np.arange(1.0, pool.whole @ kinds.sum(axis=(-1, -2)) + 2))
        return _Curves(_classes(metric, kinds, pool), np.stack([wrong, wrong + right], axis=1), harmonic)
    return _Finished(metric, shape, pool)


@dataclass(frozen=True)
class _Classes:
    """Which kinds hold a row of each class of the pool that a group might lack: ``held`` (C, P), 0 or 1."""

    held: Floats

    def in_groups(self, deal: Deal) -> tuple[Bools, Bools]:
        """Which groups hold every class, and which do whatever cluster leaves; (m, groups) each."""
        every = np.ones((deal.draws, len(deal.size)), np.bool_)
        always = every.copy()
        for held in self.held:
            clusters = deal.sum(held[deal.kind])
            every &= clusters > 0
            always &= clusters > 1
        return every, always


def _classes(metric: Metric, kinds: Stats, pool: Pool) -> _Classes:
    held = metric.in_classes(kinds) > 0
    clusters = pool.whole @ held
    # A group of two more than all clusters that lack a class holds the class without any one of its own.
    scarce = (clusters > 0) & (pool.size.sum() - clusters > pool.size.min() - 2)
    return _Classes(np.ascontiguousarray(held.T[scarce], np.float64))


@dataclass(frozen=True)
class _Ratios:
    """The mean over terms of sums ``above`` (K, P) over sums ``below`` (K, P)."""

    classes: _Classes
    above: Floats
    below: Floats

    @property
    def held(self) -> tuple[int, int]:
        return 2, 1

    def __call__(self, deal: Deal) -> tuple[Floats, Floats]:
        value, rest = np.zeros(()), np.zeros(())
        for above, below in zip(self.above, self.below, strict=True):
            a, b = above[deal.kind], below[deal.kind]
            over, under = deal.sum(a), deal.sum(b)
            value = value + over / under
            rest = rest + (over[:, deal.group] - a) / (under[:, deal.group] - b)
        return _known(self.classes, deal, value / len(self.above), rest / len(self.above))


@dataclass(frozen=True)
class _Areas:
    """The mean AUROC of the histograms of ``units``."""

    classes: _Classes
    units: list[_Histograms]

    @property
    def held(self) -> tuple[int, int]:
        return 4, max(max(unit.flat.shape) for unit in self.units)

    def __call__(self, deal: Deal) -> tuple[Floats, Floats]:
        times = _times(deal, len(self.units[0].flat))
        areas = [unit.areas(deal, times) for unit in self.units]
        value, rest = (np.add.reduce(each) / len(areas) for each in zip(*areas, strict=True))
        return _known(self.classes, deal, value, rest)


@dataclass(frozen=True)
class _Histograms:
    """One unit: rows without and with it by bin, ``flat`` (P, 2 B), in all, ``rows`` (2, P), ``alone`` (P,).

    Wins are counted twice, so that all numbers are whole. Products of matrices of these are exact, however
    they are added up, below 2^53, or 2^24 where ``flat`` is of float32.
    """

    flat: np.ndarray
    rows: Floats
    alone: Floats

    def areas(self, deal: Deal, times: Floats) -> tuple[Floats, Floats]:
        """The area of each group, wins / pairs, and without each cluster."""
        draws, groups, kinds = times.shape
        dealt = times.reshape(-1, kinds).astype(self.flat.dtype)
        others, own = np.moveaxis(
            (dealt @ self.flat).reshape(draws, groups, 2, self.flat.shape[1] // 2), 2, 0
        )
        below, above = _below(others), _below(own[..., ::-1])[..., ::-1]
        wins = (np.asarray(own, np.float64) * below).sum(axis=-1)
        # Its own rows against others of the group, and the group's against its others.
        shared = (
            np.concatenate([above, below], axis=-1).reshape(draws * groups, self.flat.shape[1]) @ self.flat.T
        )
        place = (np.arange(draws)[:, None] * groups + deal.group) * kinds + deal.kind
        rest = wins[:, deal.group] - (shared.ravel()[place] - self.alone[deal.kind])
        other, mine = (deal.sum(rows[deal.kind]) for rows in self.rows)
        pairs = (other[:, deal.group] - self.rows[0][deal.kind]) * (
            mine[:, deal.group] - self.rows[1][deal.kind]
        )
        return wins / (2 * other * mine), rest / (2 * pairs)


def _histograms(counts: Floats, whole: Ints) -> _Histograms:
    """Counts (P, 2, B) of one unit and how many clusters there are of each kind."""
    counts = counts[..., counts.any(axis=(0, 1))]
    rows = counts.sum(axis=-1)
    wins = 2 * rows.sum(axis=-1).max() * (whole @ rows).sum()
    alone = (counts[:, 1] * _below(counts[:, 0])).sum(axis=-1)
    flat = counts.reshape(len(counts), -1).astype(np.float32 if wins < 1 << 24 else np.float64)
    return _Histograms(flat, np.ascontiguousarray(rows.T), alone)


@dataclass(frozen=True)
class _Curves:
    """AURC: ``bins`` (B, 2, P) of wrong and all rows from the most confident down, ``harmonic`` sums 1/j."""

    classes: _Classes
    bins: Floats
    harmonic: Floats

    @property
    def held(self) -> tuple[int, int]:
        return 4, 1

    def __call__(self, deal: Deal) -> tuple[Floats, Floats]:
        whole, rest = _Curve(self.harmonic), _Curve(self.harmonic)
        for wrong, rows in self.bins:
            e, n = wrong[deal.kind], rows[deal.kind]
            errors, total = deal.sum(e), deal.sum(n)
            whole.add(errors, total)
            rest.add(errors[:, deal.group] - e, total[:, deal.group] - n)
        return _known(self.classes, deal, whole.area / whole.rows, rest.area / rest.rows)


class _Curve:
    """The area under a risk-coverage curve so far, as ``probabilistic.aurc`` has it."""

    def __init__(self, harmonic: Floats) -> None:
        self.area = self.errors = self.rows = np.zeros(())
        self._harmonic, self._before = harmonic, harmonic[:1]

    def add(self, errors: Floats, rows: Floats) -> None:
        """Keep one more bin."""
        until = self.rows + rows
        after = self._harmonic[until.astype(np.int64)]
        rate = errors / np.maximum(rows, 1)
        self.area = self.area + errors + (self.errors - rate * self.rows) * (after - self._before)
        self.errors, self.rows, self._before = self.errors + errors, until, after


@dataclass(frozen=True)
class _Finished:
    """Any metric: all statistics less those of each cluster, finished."""

    metric: Metric
    shape: tuple[int, ...]
    pool: Pool

    @property
    def held(self) -> tuple[int, int]:
        return len(self.pool.columns), 1

    def __call__(self, deal: Deal) -> tuple[Floats, Floats]:
        stats = self.pool.stats(deal)
        total = deal.sum(stats)
        rest, total = (
            np.moveaxis(part, 0, -1).reshape(*part.shape[1:], *self.shape)
            for part in (total[..., deal.group] - stats, total)
        )
        metric = self.metric
        classes = metric.present((self.pool.whole @ self.pool.kinds).reshape(self.shape))
        every = (metric.present(total) == classes).all(axis=-1)
        lost = (metric.present(rest) != classes).any(axis=-1)
        return np.where(every, metric.finish(total), np.nan), np.where(lost, np.nan, metric.finish(rest))


def _known(classes: _Classes, deal: Deal, value: Floats, rest: Floats) -> tuple[Floats, Floats]:
    every, always = classes.in_groups(deal)
    if not always.all():
        value, rest = np.where(every, value, np.nan), np.where(always[:, deal.group], rest, np.nan)
    return value, rest


def _times(deal: Deal, kinds: int) -> Floats:
    """How many clusters of each kind the groups hold, (m, groups, P)."""
    groups = len(deal.size)
    place = (np.arange(deal.draws)[:, None] * groups + deal.group) * kinds + deal.kind
    weights = np.broadcast_to(deal.times, place.shape).ravel()
    times = np.bincount(place.ravel(), weights, deal.draws * groups * kinds)
    return np.asarray(times.reshape(deal.draws, groups, kinds), np.float64)


def _below(counts: Floats) -> Floats:
    """Twice the rows in lower bins, and those in the same one, (..., B)."""
    return 2 * np.cumsum(counts, axis=-1) - counts


_Terms = Callable[[Stats], tuple[Stats, Stats, Stats]]


def _of_recall(confusion: Stats) -> tuple[Stats, Stats, Stats]:
    hits, rows = formulas.recall(confusion)
    return hits, rows, rows


def _of_f1(confusion: Stats) -> tuple[Stats, Stats, Stats]:
    hits, rows = formulas.recall(confusion)
    return 2 * hits, rows + formulas.precision(confusion)[1], rows


def _of_units(decisions: Stats) -> tuple[Stats, Stats, Stats]:
    twice, judged = action_units.f1_parts(decisions)
    parts = twice, judged, decisions[..., 1, :].sum(axis=-1)
    above, below, rows = (part.reshape(len(decisions), -1) for part in parts)
    return above, below, rows


_TERMS: dict[Callable[[Stats], object], _Terms] = {
    formulas.uar: _of_recall, formulas.macro_f1: _of_f1,
    action_units.f1: _of_units, action_units.mean_f1: _of_units,
}  # fmt: skip
"""The sums whose ratios a metric is the mean of, and the rows a ratio must have to count, (P, K) each."""
