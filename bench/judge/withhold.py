"""Withholding: which slice values are not shown, so that no small group's numbers follow from the others.

A value with fewer than ``suppress_below`` subjects is withheld, for every metric alike: accuracy is a sum of
recalls, so that a mask of each metric's own would be undone by the next. Then further values are withheld
until nothing follows from what is shown. Shown numbers are sums over sets of rows, and so is everything that
can be solved from them: a withheld value follows if its membership (which combinations of attributes lie in
it) is a linear combination of the memberships of shown values and of the whole. This holds for margins of
tables, cycles in them and attributes nested in one another alike. Until none is left, the smallest value in
a combination is withheld (of the same slice if there is one) that gives

- a withheld value, over all rows;
- a value with too few subjects, over the rows of one class or with one affect column: where the others of its
  slice have no fear, its recall of fear follows although its accuracy does not;
- values of one slice that have too few subjects even together (a person in several counts once).

It takes 500 slice values and 10,000 combinations of attributes; beyond, all slices are withheld if one value
is. It does not protect groups that are no value of a slice of the suite (the
difference of two age bins, say), nor against what other runs show: with other slices, with other rows, or of
a model that predicts the same. A class that is rare within a shown value is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.judge.atoms import Strata, combine
from bench.judge.rows import Bools, Floats, Ints, Rows
from bench.judge.slices import Slice

__all__ = ["MOST_COMBINATIONS", "MOST_VALUES", "withheld"]

MOST_COMBINATIONS, MOST_VALUES = 10_000, 500
_ZERO = 1e-8


@dataclass(frozen=True)
class _Values:
    """All V values of the slices but the whole, one after the other.

    ``slice_`` (V,) is the slice and ``subjects`` (V,) the subjects of each; ``of_stratum`` (A,) the
    combination of attributes of each stratum; ``member`` (C, V + 1) which combinations lie in which value,
    and in the whole, the last column; ``people`` the clusters in each value with few subjects, empty where
    every row is its own.
    """

    slice_: Ints
    subjects: Ints
    of_stratum: Ints
    member: Floats
    people: dict[int, frozenset[int]]
    floor: int

    @property
    def few(self) -> Bools:
        return self.subjects < self.floor

    def together(self, members: Sequence[int]) -> int:
        """The subjects in any of some values; a person may be in several."""
        summed = int(self.subjects[list(members)].sum())
        if not self.people:
            return summed
        return min(summed, len(frozenset[int]().union(*(self.people[value] for value in members))))


def withheld(slices: Sequence[Slice], strata: Strata, rows: Rows, floor: int) -> list[Bools]:
    """Which values of each slice are withheld from one cell, (V,) each; of the whole, the first, never.

    The subjects of a value are those with a row that a metric can judge: the fewest over all rows, those with
    a label, and those with each affect column, whatever the model made of them.
    """
    counts = [_subjects(one, strata, rows) for one in slices[1:]]
    subjects = np.concatenate([np.zeros(0, np.int64), *counts])
    hidden: Bools = subjects < floor
    if hidden.any():
        of_stratum, first = combine([one.of_stratum for one in slices[1:]])
        if len(first) > MOST_COMBINATIONS or len(hidden) > MOST_VALUES:
            hidden[:] = True
        else:
            member = np.ones((len(first), len(hidden) + 1))
            slice_ = np.repeat(np.arange(len(counts)), [len(count) for count in counts])
            number = np.concatenate([np.arange(len(count)) for count in counts])
            codes = np.stack([one.of_stratum[first] for one in slices[1:]], axis=1)
            member[:, :-1] = codes[:, slice_] == number
            people = (
                {}
                if strata.cluster is None
                else {
                    int(value): frozenset(strata.cluster[member[of_stratum, value] > 0].tolist())
                    for value in np.flatnonzero(hidden)
                }
            )
            _cover(hidden, _Values(slice_, subjects, of_stratum, member, people, floor), strata, rows)
    ends = np.cumsum([len(count) for count in counts])
    return [np.zeros(len(slices[0].values), np.bool_), *np.split(hidden, ends)[:-1]]


def _subjects(one: Slice, strata: Strata, rows: Rows) -> Ints:
    """The fewest subjects of each value in any of the rows that metrics need, of those where it has any."""
    fewest = one.clusters.copy()
    for mask in (rows.judged, rows.judged & (rows.truth >= 0), *_with_truth(rows)):
        held = np.bincount(strata.of_row[mask], minlength=len(strata))
        if strata.cluster is None:
            found = np.bincount(one.of_stratum, held, len(fewest)).astype(np.int64)
        else:
            value = one.of_stratum[held > 0]
            _, first = combine([value, strata.cluster[held > 0]])
            found = np.bincount(value[first], minlength=len(fewest))
        fewest = np.where(found > 0, np.minimum(found, fewest), fewest)
    return fewest


def _with_truth(rows: Rows) -> list[Bools]:
    return [rows.judged & np.isfinite(truth) for truth, _ in rows.affect.values()]


def _parts(rows: Rows, values: _Values, strata: Strata) -> list[Bools]:
    """The combinations of attributes that occur in the rows of each number: of a class, of an affect column.

    What follows in more rows follows in fewer, so those of accuracy need no part of their own.
    """
    masks = [rows.judged & (rows.truth == label) for label in range(rows.labels)] + _with_truth(rows)
    masks += [rows.judged & np.isfinite(truth) & np.isfinite(guess) for truth, guess in rows.affect.values()]
    parts = {}
    for mask in masks:
        part = np.bincount(values.of_stratum[strata.of_row[mask]], minlength=len(values.member)) > 0
        parts[part.tobytes()] = part
    return list(parts.values())


def _cover(hidden: Bools, values: _Values, strata: Strata, rows: Rows) -> None:
    """Withhold more values, in place, until nothing follows."""
    parts = [(values.member, hidden), *((values.member[p], values.few) for p in _parts(rows, values, strata))]
    # The triangle has the same linear combinations and at most V + 1 rows.
    tables = [(np.asarray(np.linalg.qr(member, mode="r"), np.float64), guarded) for member, guarded in parts]

    def further() -> int | None:
        found = (_revealing(member, np.flatnonzero(guarded), hidden, values) for member, guarded in tables)
        return next((value for value in found if value is not None), None)

    while (value := further()) is not None:
        hidden[value] = True


def _revealing(member: Floats, guarded: Ints, hidden: Bools, values: _Values) -> int | None:
    """The value to withhold next, or None where nothing follows from the shown ones."""
    guarded = guarded[np.abs(member[:, guarded]).max(axis=0, initial=0) > _ZERO]
    shown = np.flatnonzero(~hidden)
    # Ascending and the whole last, so that each combination is found in the smallest values there are.
    shown = np.append(shown[np.argsort(values.subjects[shown], kind="stable")], len(hidden))
    solved, rest, basis = _eliminate(member[:, shown], member[:, guarded])
    choices = []
    for combination in _following(rest, guarded, values):
        home = values.slice_[guarded[np.argmax(np.abs(combination))]]
        used = shown[basis][np.abs(solved @ combination) > _ZERO]
        used = used[used < len(hidden)]
        if len(used):
            best = used[np.lexsort((used, values.subjects[used], values.slice_[used] != home))[0]]
            choices.append((len(used), int(values.subjects[best]), int(best)))
    # The shortest first: what it needs must be withheld anyway, and may break the longer ones.
    return min(choices)[-1] if choices else None


def _following(rest: Floats, guarded: Ints, values: _Values) -> list[Floats]:
    """Combinations of guarded values that follow and must not, (guarded,) each: first single values."""
    from scipy.sparse.csgraph import connected_components

    found = list(np.eye(len(guarded))[np.abs(rest).max(axis=0, initial=0) <= _ZERO])
    small = values.few[guarded]
    for number in np.unique(values.slice_[guarded[small]]):
        mine = np.flatnonzero(small & (values.slice_[guarded] == number))
        # The projector onto the combinations that follow; its blocks do so independently of one another.
        projector = np.eye(len(mine)) - np.linalg.pinv(rest[:, mine], rcond=_ZERO) @ rest[:, mine]
        count, block_of = connected_components(np.abs(projector) > _ZERO)
        for block in (np.flatnonzero(block_of == k) for k in range(count)):
            rank = round(projector[np.ix_(block, block)].trace())
            # A single combination is at most the sum of all; of several, any two values may be one.
            sums = [block] if rank == 1 else combinations(block, 2)
            if rank and min(values.together(guarded[mine[list(s)]].tolist()) for s in sums) < values.floor:
                combination = np.zeros(len(guarded))
                combination[mine] = projector[:, block[0]]
                found.append(combination)
    return found


def _eliminate(shown: Floats, guarded: Floats) -> tuple[Floats, Floats, list[int]]:
    """Gauss-Jordan elimination of the columns of ``shown`` in their order.

    Returns the coefficients of each guarded column in the basis, what of it lies outside of their span (zero
    where it follows), and the columns of ``shown`` that form the basis.
    """
    table = np.concatenate([shown, guarded], axis=1)
    basis: list[int] = []
    for column in range(shown.shape[1]):
        rank = len(basis)
        if rank == len(table):
            break
        pivot = rank + int(np.argmax(np.abs(table[rank:, column])))
        if abs(table[pivot, column]) <= _ZERO:
            continue
        table[[rank, pivot]] = table[[pivot, rank]]
        table[rank] /= table[rank, column]
        factors = table[:, column].copy()
        factors[rank] = 0
        table -= np.outer(factors, table[rank])
        basis.append(column)
    solved = table[:, shown.shape[1] :]
    return solved[: len(basis)], solved[len(basis) :], basis
