"""Disclosure: which withheld numbers follow from shown ones, and what more to withhold until none does.

Every number here is a sum over unknowns, and its membership, a column of a matrix, says over which. A number
follows if its column is a linear combination of shown columns; a few follow together if a combination of
theirs is one. To withhold more against that is what statistical disclosure control calls complementary
suppression: chosen by who is in them and never by what a metric says of them, none of which could be shown
after all by a rule that errs towards withholding: where several sums follow together, any two are taken for
one. It knows no slices, classes or metrics, and takes from its caller which
numbers are guarded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.judge.rows import Bools, Floats, Ints

__all__ = ["Numbers", "cover"]

_ZERO = 1e-8


@dataclass(frozen=True)
class Numbers:
    """N numbers that may be withheld: values of slices, or cells of values and classes.

    ``groups`` (N,) each: of which together too few subjects are withheld, too, -1 for none; ``subjects`` (N,)
    the subjects of each; ``people`` the clusters in each with few subjects, empty where every row is its own;
    ``within`` (N,) the number that each is withheld with, one of more subjects, -1 for none.
    """

    groups: tuple[Ints, ...]
    subjects: Ints
    people: dict[int, frozenset[int]]
    floor: int
    within: Ints | None = None

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
    """Withhold more numbers, in place, so that nothing follows.

    Each part has memberships (.., N + always shown) and what of the N is guarded in it. First everything is
    withheld; then one number after another is shown, those of most subjects first, unless something guarded
    would follow. What gives something away beside the numbers shown so far does so beside more of them: at
    the end, none of those withheld could be shown. Another choice may still be of fewer.
    """
    parts = [(member, guarded.copy()) for member, guarded in parts]
    known = [each for each in (_Known(*part, numbers) for part in parts) if len(each.guarded)]
    if not known:
        return
    free = np.flatnonzero(~hidden)
    hidden[free] = True
    # Of numbers with as many subjects the first stays withheld.
    for number in free[np.lexsort((free, numbers.subjects[free]))][::-1]:
        whole = -1 if numbers.within is None else numbers.within[number]
        if (whole < 0 or not hidden[whole]) and not any(each.gives_away(number) for each in known):
            hidden[number] = False
            for each in known:
                each.show(number)


class _Known:
    """What of one part's numbers does not follow from those shown so far.

    ``left`` (.., N) are the memberships from which all shown numbers have been eliminated: a number follows
    where its column is zero. The first ``pivots`` rows were solved for guarded numbers, the others are zero
    in all of these. ``guarded`` (G,) are those that do not follow from what is always shown.
    """

    def __init__(self, member: Floats, guarded: Bools, numbers: Numbers) -> None:
        self.numbers, self.pivots, count = numbers, 0, len(guarded)
        # The triangle has the same linear combinations in fewer rows, but these have no zeros to pass over.
        tall = len(member) > 4 * member.shape[1]
        self.left = np.array(np.linalg.qr(member, mode="r") if tall else member, np.float64)
        for always in range(count, member.shape[1]):
            self.show(always)
        self.left = self.left[:, :count]
        self.guarded = np.flatnonzero(guarded & (np.abs(self.left).max(axis=0, initial=0) > _ZERO))
        for number in self.guarded.tolist():
            self._solve_for(number)
        self.groups = [mine for group in numbers.groups for mine in self._companies(group[self.guarded])]
        # What follows together from what is always shown cannot be helped.
        rest = self.left[: self.pivots, self.guarded]
        self.given = {block for mine in self.groups for block in self._together(rest, mine)}

    def show(self, number: int) -> None:
        """Eliminate a number; one that involves others than guarded ones is solved for those."""
        column = np.abs(self.left[:, number])
        if column.max(initial=0) <= _ZERO:
            return
        others = column[self.pivots :].max(initial=0) > _ZERO
        row = int(np.argmax(column[self.pivots :])) + self.pivots if others else int(np.argmax(column))
        self._clear(number, row)
        self.left = np.delete(self.left, row, axis=0)
        self.pivots -= not others

    def gives_away(self, number: int) -> bool:
        """Whether something guarded would follow if a number were shown."""
        column = np.abs(self.left[:, number])
        if column.max(initial=0) <= _ZERO or column[self.pivots :].max(initial=0) > _ZERO:
            return False
        rest, column = self.left[: self.pivots, self.guarded], self.left[: self.pivots, number]
        row = int(np.argmax(np.abs(column)))
        after = np.delete(rest - np.outer(column / column[row], rest[row]), row, axis=0)
        if np.abs(after).max(axis=0, initial=0).min() <= _ZERO:
            return True
        # A sum that would follow anew has a part in every row that the number has one in.
        touched = np.abs(rest[np.abs(column) > _ZERO]) > _ZERO
        groups = (mine for mine in self.groups if touched[:, mine].any(axis=1).all())
        return any(self._together(after, mine) - self.given for mine in groups)

    def _companies(self, group: Ints) -> Iterator[Ints]:
        """Places in ``guarded`` of those in a group that may be too few together, as linked pairs are."""
        small = self.numbers.few[self.guarded]
        for mine in (np.flatnonzero(small & (group == k)) for k in np.unique(group[small])):
            linked = np.zeros((len(mine), len(mine)), np.bool_)
            for pair in combinations(range(len(mine)), 2):
                linked[pair] = self._too_few(mine[list(pair)])
            yield from (mine[block] for block in _blocks(linked) if len(block) > 1)

    def _too_few(self, mine: Ints) -> bool:
        return self.numbers.together(self.guarded[mine].tolist()) < self.numbers.floor

    def _solve_for(self, number: int) -> None:
        """Give a guarded number a row of its own, unless it follows from guarded ones that have one."""
        column = np.abs(self.left[self.pivots :, number])
        if column.max(initial=0) <= _ZERO:
            return
        row, place = int(np.argmax(column)) + self.pivots, self.pivots
        self._clear(number, row)
        self.left[[place, row]] = self.left[[row, place]]
        self.pivots += 1

    def _clear(self, number: int, row: int) -> None:
        """Make a number's column 1 in a row, and 0 in all others by taking multiples of that row away."""
        pivot = self.left[row] / self.left[row, number]
        factors = self.left[:, number].copy()
        factors[row] = 0
        rows, columns = np.flatnonzero(factors), np.flatnonzero(pivot)
        self.left[np.ix_(rows, columns)] -= np.outer(factors[rows], pivot[columns])
        self.left[rows, number] = 0
        self.left[row] = pivot

    def _together(self, rest: Floats, mine: Ints) -> set[tuple[frozenset[int], int]]:
        """Guarded numbers of one group of which sums follow and have too few subjects, with how many sums."""
        found: set[tuple[frozenset[int], int]] = set()
        # The projector onto the combinations that follow; its blocks do so independently of one another.
        projector = np.eye(len(mine)) - np.linalg.pinv(rest[:, mine], rcond=_ZERO) @ rest[:, mine]
        if np.abs(projector).max() <= _ZERO:
            return found
        for block in _blocks(np.abs(projector) > _ZERO):
            rank = round(projector[np.ix_(block, block)].trace())
            # A single combination is at most the sum of all; of several, any two numbers may be one.
            size = len(block) if rank == 1 else 2
            if rank and any(self._too_few(mine[list(some)]) for some in combinations(block, size)):
                found.add((frozenset(self.guarded[mine[block]].tolist()), rank))
        return found


def _blocks(linked: Bools) -> list[Ints]:
    """The members of each set of numbers that are linked, directly or by others."""
    from scipy.sparse.csgraph import connected_components

    count, block_of = connected_components(linked, directed=False)
    return [np.flatnonzero(block_of == k) for k in range(count)]
