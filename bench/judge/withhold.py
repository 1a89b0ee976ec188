"""Withholding: which numbers of slice values are not shown, so that no small group's follow from the others.

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

Within shown values the same is done for cells: a value's rows of one true class, its rows decided as one
label, its rows with an output of one affect column. A cell of a few subjects, but not none, is withheld and
so is what gives it, or cells of one value or of one slice and class that are a few even together. The
memberships are combinations of attributes by classes; accuracy is the sum of a value's recalls, UAR that with
each class weighted by 1 / n. A withheld class of a value takes along its recall, precision, false-positive
and selection rate, and the value's F1, kappa and MCC, which weigh classes by what the model decides; those of
decisions are withheld, too, for too few decided as the label, or too few in their successes.

It takes 500 slice values and 10,000 combinations of attributes; beyond, all slices are withheld if one value
is, as all classes are; it takes 1,000 cells and 20,000 combinations with classes, beyond which all of them
are withheld if one is. It does not protect groups that are no value of a slice of the suite (the
difference of two age bins, say), nor against what other runs show: with other slices, with other rows, or of
a model that predicts the same. The whole is always shown, with classes of a few people in it, and whoever
knows that such a class occurs in one value alone knows that value's recall. Nor does it protect the few of a
class who were right or wrong in one way (the hits of a shown recall), successes alone against differences to
the whole, and counts that follow from intervals, from rounding or because they are whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bench.judge.atoms import Strata, combine
from bench.judge.metrics import Metric
from bench.judge.rows import Bools, Floats, Ints, Rows
from bench.judge.slices import Slice

__all__ = [
    "MOST_CELLS", "MOST_CELL_COMBINATIONS", "MOST_COMBINATIONS", "MOST_VALUES", "Withheld", "decides",
    "withheld", "withheld_decisions",
]  # fmt: skip

MOST_COMBINATIONS, MOST_VALUES = 10_000, 500
MOST_CELL_COMBINATIONS, MOST_CELLS = 20_000, 1_000
_ZERO = 1e-8
_OF_DECISIONS = ("precision", "selection_rate", "false_positive_rate")
_WEIGHED_BY_DECISIONS = ("macro_f1", "weighted_f1", "kappa", "mcc")


@dataclass(frozen=True)
class Withheld:
    """What is withheld of one cell of a run: per slice, the first of which is the whole, masks.

    ``values`` (V,) every number of a value; ``classes`` (V, K) those of a true class; ``uar`` (V,);
    ``outputs`` (V,) per affect column those of rows with an output; ``decisions`` (V, K) those of rows
    decided as a label, None where no metric asks for them.
    """

    values: list[Bools]
    classes: list[Bools]
    uar: list[Bools]
    outputs: dict[str, list[Bools]]
    decisions: list[Bools] | None = None

    def of(self, metric: Metric, labels: Sequence[str]) -> list[Bools]:
        """Which values of each slice have their number of a metric withheld, (V,) each."""
        stem, _, label = metric.name.partition("/")
        if metric.key.kernel == "moments" and metric.key.misses == "left out":
            return self.outputs[metric.key.column]
        if stem == "uar":
            return self.uar
        if stem in _WEIGHED_BY_DECISIONS:
            return [v | c.any(axis=1) for v, c in zip(self.values, self.classes, strict=True)]
        if not label:
            return self.values
        code = list(labels).index(label)
        hidden = [mask[:, code] for mask in self.classes]
        if stem in _OF_DECISIONS and self.decisions is not None:
            return [a | b[:, code] for a, b in zip(hidden, self.decisions, strict=True)]
        return hidden


@dataclass(frozen=True)
class _Numbers:
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
        return self.subjects < self.floor

    def together(self, members: Sequence[int]) -> int:
        """The subjects in any of some numbers; a person may be in several."""
        summed = int(self.subjects[list(members)].sum())
        if not self.people:
            return summed
        return min(summed, len(frozenset[int]().union(*(self.people[value] for value in members))))


@dataclass(frozen=True)
class _Table:
    """The V values of all slices but the whole over C combinations of attributes.

    ``slice_`` (V,) is the slice of each; ``of_stratum`` (A,) the combination of
    each stratum; ``member`` (C, V) which combinations lie in which value.
    """

    slice_: Ints
    of_stratum: Ints
    member: Floats


def decides(metrics: Sequence[Metric]) -> bool:
    """Whether any metric has rows decided as one label for its denominator or numerator."""
    return any(metric.name.partition("/")[0] in _OF_DECISIONS for metric in metrics)


def withheld(slices: Sequence[Slice], strata: Strata, rows: Rows, floor: int) -> Withheld:
    """What is withheld from one cell whatever the model decides; of the whole, the first, nothing.

    The subjects of a value are those with a row that a metric can judge: the fewest over all rows, those with
    a label, and those with each affect column, whatever the model made of them.
    """
    counts = [_subjects(one, strata, rows) for one in slices[1:]]
    subjects = np.concatenate([np.zeros(0, np.int64), *counts])
    hidden: Bools = subjects < floor
    table = _table(slices, hidden) if floor and len(hidden) else None
    if hidden.any():
        if table is None:
            hidden[:] = True
        else:
            whole = np.ones((len(table.member), 1))
            people = _people(table, strata, np.zeros_like(strata.of_row), 1, np.flatnonzero(hidden))
            numbers = _Numbers((table.slice_,), subjects, people, floor)
            parts = _parts(rows, table, strata)
            member = np.concatenate([table.member, whole], axis=1)
            _cover(hidden, numbers, [(member, hidden), *((member[p], numbers.few) for p in parts)])
    judged = np.where(rows.judged, rows.truth, -1)
    hidden, classes, uar = _cells(hidden, table, strata, judged, rows.labels, floor)
    outputs = {}
    for name, (truth, guess) in rows.affect.items():
        covered = np.where(rows.judged & np.isfinite(truth) & np.isfinite(guess), 0, -1)
        _, cells, _ = _cells(hidden, table, strata, covered, 1, floor)
        outputs[name] = _split(cells[:, 0], slices)
    return Withheld(_split(hidden, slices), _split(classes, slices), _split(uar, slices), outputs)


def withheld_decisions(
    found: Withheld, slices: Sequence[Slice], strata: Strata, rows: Rows, floor: int
) -> Withheld:
    """The same with the rows decided as one label; *none* is no label, and taken to be shown.

    Withheld are cells of a few subjects, those where the right or the wrong rows are of a few, and what
    gives the former.
    """
    values = np.concatenate([np.zeros(0, np.bool_), *found.values[1:]])
    table = _table(slices, values) if floor and len(values) else None
    decided = np.where(rows.judged & (rows.truth >= 0), rows.decision, -1)
    values, cells, _ = _cells(values, table, strata, decided, rows.labels + 1, floor)
    if table is not None:
        for mask in (decided == rows.truth, decided != rows.truth):
            there = _clusters(table, strata, np.where(mask, decided, -1), rows.labels + 1)
            cells |= (there > 0) & (there < floor)
    hidden = _split(values, slices)
    return Withheld(
        hidden,
        [mask | v[:, None] for mask, v in zip(found.classes, hidden, strict=True)],
        [mask | v for mask, v in zip(found.uar, hidden, strict=True)],
        {name: [m | v for m, v in zip(masks, hidden, strict=True)] for name, masks in found.outputs.items()},
        _split(cells[:, :-1], slices),
    )


def _table(slices: Sequence[Slice], hidden: Bools) -> _Table | None:
    """The table of all slices, None where it is too large."""
    of_stratum, first = combine([one.of_stratum for one in slices[1:]])
    if len(first) > MOST_COMBINATIONS or len(hidden) > MOST_VALUES:
        return None
    sizes = [len(one.values) for one in slices[1:]]
    slice_ = np.repeat(np.arange(len(sizes)), sizes)
    number = np.concatenate([np.arange(size) for size in sizes])
    codes = np.stack([one.of_stratum[first] for one in slices[1:]], axis=1)
    return _Table(slice_, of_stratum, (codes[:, slice_] == number).astype(np.float64))


def _split(hidden: Bools, slices: Sequence[Slice]) -> list[Bools]:
    """The masks of all values slice by slice, with one of nothing for the whole."""
    ends = np.cumsum([len(one.values) for one in slices[1:]])
    whole = np.zeros((len(slices[0].values), *hidden.shape[1:]), np.bool_)
    return [whole, *np.split(hidden, ends)[:-1]]


def _people(table: _Table, strata: Strata, code: Ints, codes: int, which: Ints) -> dict[int, frozenset[int]]:
    """The clusters in some cells, numbered value by value; empty where every row is its own."""
    if strata.cluster is None:
        return {}
    held = _held(strata, code, codes) > 0
    inside = table.member[table.of_stratum] > 0
    return {
        int(n): frozenset(strata.cluster[held[:, n % codes] & inside[:, n // codes]].tolist()) for n in which
    }


def _held(strata: Strata, code: Ints, codes: int) -> Ints:
    """The rows of each stratum and code, (A, codes)."""
    kept = code >= 0
    held = np.bincount(strata.of_row[kept] * codes + code[kept], minlength=len(strata) * codes)
    return held.reshape(len(strata), codes)


def _clusters(table: _Table, strata: Strata, code: Ints, codes: int) -> Ints:
    """The clusters of each value with a row of each code, (V, codes); -1 is a row that is left out."""
    held = _held(strata, code, codes)
    inside = table.member[table.of_stratum] > 0
    found = np.zeros((inside.shape[1], codes), np.int64)
    for k in range(codes):
        if strata.cluster is None:
            found[:, k] = held[:, k] @ inside
            continue
        stratum = np.flatnonzero(held[:, k])
        who = np.unique(strata.cluster[stratum], return_inverse=True)[1]
        for value in range(inside.shape[1]):
            found[value, k] = len(np.unique(who[inside[stratum, value]]))
    return found


def _cells(
    hidden: Bools, table: _Table | None, strata: Strata, code: Ints, codes: int, floor: int
) -> tuple[Bools, Bools, Bools]:
    """Which values are withheld, (V,), which cells of a value and a code, (V, codes), which UARs, (V,).

    ``code`` (N,) is that of each row, -1 where it is left out; ``hidden`` (V,) the values withheld anyway.
    """
    gone = np.repeat(hidden[:, None], codes, axis=1)
    if not floor or hidden.all():
        return hidden, gone, hidden
    everything = hidden, np.ones_like(gone), np.ones_like(hidden)
    if table is None:
        return everything
    clusters = _clusters(table, strata, code, codes)
    few = (clusters > 0) & (clusters < floor)
    if not (few & ~gone).any():
        return hidden, gone, hidden
    kept = code >= 0
    combination = table.of_stratum[strata.of_row[kept]]
    place, first = combine([combination, code[kept]])
    if len(first) > MOST_CELL_COMBINATIONS or gone.size > MOST_CELLS:
        return everything
    inside, of_class = table.member[combination[first]], np.eye(codes)[code[kept][first]]
    member = _cell_members(inside, of_class, np.bincount(place))
    count, number, none = len(hidden), np.arange(gone.size), np.full(2 * len(hidden), -1)
    groups = (
        np.append(np.repeat(table.slice_, codes) * codes + number % codes, none),
        np.append(number // codes, none),
    )
    # UAR goes after all cells, a value after all UARs.
    largest = int(clusters.sum()) + 1
    size = np.concatenate([clusters.ravel(), np.full(count, largest), np.full(count, 2 * largest)])
    guarded = np.append(few.ravel(), np.zeros(2 * count, np.bool_))
    # A single code has no sum over codes: what it is a part of has no number of its own.
    sums = np.concatenate([hidden, hidden]) | (codes == 1)
    masked = np.concatenate([(gone | few).ravel(), sums])
    people = _people(table, strata, code, codes, np.flatnonzero(few))
    _cover(masked, _Numbers(groups, size, people, floor), [(member, guarded)])
    hidden = hidden | (masked[gone.size + count :] if codes > 1 else False)
    cells, uar = masked[: gone.size].reshape(gone.shape), masked[gone.size : gone.size + count]
    return hidden, cells | hidden[:, None], uar | hidden


def _cell_members(inside: Floats, of_class: Floats, rows: Ints) -> Floats:
    """Memberships over R combinations with classes: cells, UARs, values, and the classes of the whole.

    ``inside`` (R, V), ``of_class`` (R, K), ``rows`` (R,) how many rows each combination has.
    """
    cells = (inside[:, :, None] * of_class[:, None, :]).reshape(len(rows), -1)
    counts = (rows @ cells).reshape(inside.shape[1], -1)
    present = np.maximum((counts > 0).sum(axis=1, keepdims=True), 1)
    weight = counts.sum(axis=1, keepdims=True) / np.maximum(counts, 1) / present
    return np.concatenate([cells, inside * (of_class @ weight.T), inside, of_class], axis=1)


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


def _parts(rows: Rows, table: _Table, strata: Strata) -> list[Bools]:
    """The combinations of attributes that occur in the rows of each number: of a class, of an affect column.

    What follows in more rows follows in fewer, so those of accuracy need no part of their own.
    """
    masks = [rows.judged & (rows.truth == label) for label in range(rows.labels)] + _with_truth(rows)
    masks += [rows.judged & np.isfinite(truth) & np.isfinite(guess) for truth, guess in rows.affect.values()]
    parts = {}
    for mask in masks:
        part = np.bincount(table.of_stratum[strata.of_row[mask]], minlength=len(table.member)) > 0
        parts[part.tobytes()] = part
    return list(parts.values())


def _cover(hidden: Bools, numbers: _Numbers, parts: Sequence[tuple[Floats, Bools]]) -> None:
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


def _revealing(member: Floats, guarded: Ints, hidden: Bools, numbers: _Numbers) -> list[int]:
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


def _following(rest: Floats, guarded: Ints, numbers: _Numbers) -> list[Floats]:
    """Combinations of guarded numbers that follow and must not, (guarded,) each: first single ones."""
    found = list(np.eye(len(guarded))[np.abs(rest).max(axis=0, initial=0) <= _ZERO])
    small = numbers.few[guarded]
    for group in numbers.groups:
        for number in np.unique(group[guarded[small]]):
            found += _together(rest, guarded, np.flatnonzero(small & (group[guarded] == number)), numbers)
    return found


def _together(rest: Floats, guarded: Ints, mine: Ints, numbers: _Numbers) -> list[Floats]:
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
