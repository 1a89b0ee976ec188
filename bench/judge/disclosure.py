"""Disclosure: which withheld numbers follow from shown ones, and what more to withhold until none does.

Every number here is a sum over unknowns, and its membership, a column of a matrix, says over which. A number
follows if its column is a linear combination of shown columns; a few follow together if a combination of
theirs is one. To withhold more against that is what statistical disclosure control calls complementary
suppression. It knows no slices, classes or metrics, and takes from its caller which numbers are guarded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.judge.rows import Bools, Floats, Ints

__all__ = ["Numbers", "cover"]

_ZERO = 1e-8


@dataclass(frozen=True)
class Numbers:
    """N numbers that may be withheld: values of slices, or cells of values and classes.

    ``groups`` (N,) each: of which together too few subjects are withheld, too, -1 for none; the first is also
    where the next to withhold is looked for first; ``subjects`` (N,) the subjects of each; ``people`` the
    clusters in each with few subjects, empty where every row is its own.
    """

    groups: tuple[Ints, ...]
    subjects: Ints
    people: dict[int, frozenset[int]]
    floor: int

    @property
    def few(self) -> Bools:
        """Which numbers rest on too few subjects, (N,)."""
        return self.subjects < self.floor

    def together(self, members: Sequence[int]) -> int:
        """The subjects in any of some numbers; a person may be in several."""
        summed = int(self.subjects[list(members)].sum())
        if not self.people:
            return summed
        return min(summed, len(frozenset[int]().union(*(self.people[value] for value in members))))


def cover(hidden: Bools, numbers: Numbers, parts: Sequence[tuple[Floats, Bools]]) -> None:
    """Withhold more numbers, in place, until nothing follows.

    Each part has memberships (.., N + always shown) and what of the N is guarded in it.
    """
    # The triangle has the same linear combinations and at most as many rows as there are columns.
    tables = [(np.asarray(np.linalg.qr(member, mode="r"), np.float64), guarded) for member, guarded in parts]

    def further() -> list[int]:
        found = (_revealing(member, np.flatnonzero(guarded), hidden, numbers) for member, guarded in tables)
        return next((some for some in found if some), [])

    while some := further():
        hidden[some] = True


def _revealing(member: Floats, guarded: Ints, hidden: Bools, numbers: Numbers) -> list[int]:
    """The numbers to withhold next, none where nothing follows from the shown ones."""
    guarded = guarded[np.abs(member[:, guarded]).max(axis=0, initial=0) > _ZERO]
    shown = np.flatnonzero(~hidden)
    # Ascending and what is always shown last, so that each combination is found in the smallest there are.
    shown = shown[np.argsort(numbers.subjects[shown], kind="stable")]
    shown = np.concatenate([shown, np.arange(len(hidden), member.shape[1])])
    solved, rest, basis = _eliminate(member[:, shown], member[:, guarded])
    choices = []
    for combination in _following(rest, guarded, numbers):
        home = numbers.groups[0][guarded[np.argmax(np.abs(combination))]]
        used = shown[basis][np.abs(solved @ combination) > _ZERO]
        used = used[used < len(hidden)]
        if len(used):
            best = used[np.lexsort((used, numbers.subjects[used], numbers.groups[0][used] != home))[0]]
            choices.append((len(used), int(numbers.subjects[best]), int(best), frozenset(used.tolist())))
    # The shortest first: what it needs must be withheld anyway, and may break the longer ones.
    chosen: list[int] = []
    for _, _, best, among in sorted(choices, key=lambda choice: choice[:3]):
        if among.isdisjoint(chosen):
            chosen.append(best)
    return chosen


def _following(rest: Floats, guarded: Ints, numbers: Numbers) -> list[Floats]:
    """Combinations of guarded numbers that follow and must not, (guarded,) each: first single ones."""
    found = list(np.eye(len(guarded))[np.abs(rest).max(axis=0, initial=0) <= _ZERO])
    small = numbers.few[guarded]
    for group in numbers.groups:
        for number in np.unique(group[guarded[small]]):
            found += _together(rest, guarded, np.flatnonzero(small & (group[guarded] == number)), numbers)
    return found


def _together(rest: Floats, guarded: Ints, mine: Ints, numbers: Numbers) -> list[Floats]:
    """Combinations of guarded numbers of one group that follow and have too few subjects together."""
    from scipy.sparse.csgraph import connected_components

    found = []
    # The projector onto the combinations that follow; its blocks do so independently of one another.
    projector = np.eye(len(mine)) - np.linalg.pinv(rest[:, mine], rcond=_ZERO) @ rest[:, mine]
    count, block_of = connected_components(np.abs(projector) > _ZERO)
    for block in (np.flatnonzero(block_of == k) for k in range(count)):
        rank = round(projector[np.ix_(block, block)].trace())
        # A single combination is at most the sum of all; of several, any two numbers may be one.
        sums = [block] if rank == 1 else combinations(block, 2)
        if rank and min(numbers.together(guarded[mine[list(s)]].tolist()) for s in sums) < numbers.floor:
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
