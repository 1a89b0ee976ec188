"""Withholding: which numbers of slice values are not shown, so that no small group's follow from the others.

A value with fewer than ``suppress_below`` subjects is withheld, for every metric alike: accuracy is a sum of
recalls, so that a mask of each metric's own would be undone by the next. Shown numbers are sums over sets of
rows, and so is everything that can be solved from them: a withheld value follows if its membership (which
combinations of attributes lie in it) is a linear combination of the memberships of shown values and of the
whole. This holds for margins of tables, cycles in them and attributes nested in one another alike. The other
values are shown, those of most subjects first, but for each from which, with those shown before, follows

- a value with too few subjects, over all rows, or over those of one class or with one affect column: where
  the others of its slice have no fear, its recall of fear follows although its accuracy does not;
- a sum of values of one slice that have too few subjects even together (a person in several counts once).

Within shown values the same is done for cells: a value's rows of one true class, its rows decided as one
label, its rows with an output of one affect column. A cell of a few subjects, but not none, is withheld, and
so is what gives it, or cells of one value or of one slice and class that are a few even together. The
memberships are combinations of attributes by classes; accuracy is the sum of a value's recalls, UAR that with
each class weighted by 1 / n; accuracies are shown before UARs, these before cells. A withheld class of a
value takes along its recall, precision, false-positive and selection rate, and the value's F1, kappa and MCC,
which weigh classes by what the model decides; those of decisions are withheld, too, for too few decided as
the label, or too few in their successes. Metrics of probabilities and votes need enough subjects who have
them, AUROC in every class. Memberships are in ``membership``; ``disclosure`` solves for what follows.

Differences are covered with the values: gaps, ratios, contrasts of two shown values and shrunken values are
functions of them. The rest of a value is all measured rows less the value's, and so is every sum over it:
where every such sum of the value and of what is unmeasured is shown, no metric of the rest tells anything
new. UAR alone is shown of values that have a class withheld, and weighs the classes of the rest anew, by 1 /
n of the rest; it must not be held against it where one of these values has a class withheld (``fairness``).

It takes 500 slice values and 10,000 combinations of attributes; beyond, all slices are withheld if one value
is, as all classes are; it takes 1,000 cells and 20,000 combinations with classes, beyond which all of them
are withheld if one is. It does not protect groups that are no value of a slice of the suite (the difference
of two age bins, say), nor against what other runs show: with other slices, with other rows, or of a model
that predicts the same, nor, between conditions, rows that cannot be decoded in one of them. The whole is
always shown, with classes of a few people in it, and whoever knows that such a class occurs in one value
alone knows that value's recall. Nor does it protect the few of a class who were right or wrong in one way
(the hits of a shown recall), successes alone against differences to the whole, and what follows from errors
(intervals, p, and what chance makes of a gap rest on every row of the values compared), from rounding or
because counts are whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.judge.action_units import of_units, present
from bench.judge.atoms import Strata, combine
from bench.judge.disclosure import Numbers, cover
from bench.judge.kernels import Key
from bench.judge.membership import Table, count_clusters, count_subjects, find_parts, find_people, tabulate
from bench.judge.metrics import Metric
from bench.judge.raters import compared_votes
from bench.judge.rows import Bools, Floats, Ints, Rows
from bench.judge.slices import Slice
from bench.judge.temporal import TEMPORAL, counted, gives

__all__ = [
    "MOST_CELLS", "MOST_CELL_COMBINATIONS", "Withheld", "alike", "decides", "withheld", "withheld_decisions",
    "withheld_units",
]  # fmt: skip

MOST_CELL_COMBINATIONS, MOST_CELLS = 20_000, 1_000
_OF_DECISIONS = ("precision", "selection_rate", "false_positive_rate")
_PROBABILITIES, _VOTES, _BOTH, _RATERS = "probabilities", "votes", "probabilities and votes", "raters"


@dataclass(frozen=True)
class Withheld:
    """What is withheld of one cell of a run: per slice, the first of which is the whole, masks.

    ``values`` (V,) every number of a value; ``classes`` (V, K) those of a true class; ``uar`` (V,);
    ``outputs`` (V,) those of rows with an output: per affect column, of probabilities, votes, both, two
    votes, frames that follow one another;
    ``graded`` (V,) those of probabilities by class; ``decisions`` (V, K) those of rows decided as a label,
    None where no metric asks for them; ``units`` (V,) those of each action unit, where one asks for any.
    """

    values: list[Bools]
    classes: list[Bools]
    uar: list[Bools]
    outputs: dict[str, list[Bools]]
    graded: list[Bools]
    decisions: list[Bools] | None = None
    units: dict[str, list[Bools]] = field(default_factory=dict)

    def of(self, metric: Metric, labels: Sequence[str]) -> list[Bools]:
        """Which values of each slice have their number of a metric withheld, (V,) each."""
        stem, _, label = metric.name.partition("/")
        if of_units(metric.key):
            asked = [metric.key.column] if metric.key.column else self.units
            # A mean shows what it is a mean of where all else that it is of is shown.
            masks = zip(*(self.units[unit] for unit in asked), strict=True)
            return [np.asarray(np.any(each, axis=0)) for each in masks]
        if metric.key.kernel != "confusion":
            return self.graded if metric.key.kernel == "ranking" else self._of_rows(metric.key)
        if stem in ("accuracy", "uar"):
            return self.values if stem == "accuracy" else self.uar
        parts = [self.classes]
        if self.decisions is not None and stem != "recall":
            parts.append(self.decisions)
        if label:
            code = list(labels).index(label)
            parts = [[mask[:, [code]] for mask in part] for part in parts]
        # What weighs classes by decisions needs all of them.
        return [np.asarray(np.concatenate(masks, axis=1).any(axis=1)) for masks in zip(*parts, strict=True)]

    def _of_rows(self, key: Key) -> list[Bools]:
        """Those of a metric that takes rows of all classes together."""
        if key.kernel == "moments":
            return self.outputs[key.column] if key.misses == "left out" else self.values
        if key.kernel in ("outcomes", "stages"):
            return self.values
        if key.kernel in TEMPORAL:
            return self.outputs[_sequence_name(key)]
        soft = {"agreement": _VOTES, "soft_scores": _BOTH, "raters": _RATERS}
        return self.outputs[soft.get(key.kernel, _PROBABILITIES)]


def _sequence_name(key: Key) -> str:
    """What ``outputs`` calls the rows in the denominators of a metric that follows frames."""
    return f"{key.kernel}/{key.column}"


def alike(rows: Rows) -> tuple[object, ...]:
    """A key that is the same for cells from which the same is withheld, decisions aside."""
    masks = {"judged": rows.judged, **_with_output(rows)}
    return tuple((name, np.packbits(mask).tobytes()) for name, mask in masks.items())


def decides(metrics: Sequence[Metric]) -> bool:
    """Whether any metric has rows decided as one label for its denominator or numerator."""
    return any(metric.name.partition("/")[0] in _OF_DECISIONS for metric in metrics)


def withheld(slices: Sequence[Slice], strata: Strata, rows: Rows, floor: int) -> Withheld:
    """What is withheld from one cell whatever the model decides; of the whole, the first, nothing.

    The subjects of a value are those with a row that a metric can judge: the fewest over all rows, those with
    a label, and those with each affect column, whatever the model made of them.
    """
    counts = [count_subjects(one, strata, rows) for one in slices[1:]]
    subjects = np.concatenate([np.zeros(0, np.int64), *counts])
    hidden: Bools = subjects < floor
    table = tabulate(slices) if floor else None
    if hidden.any():
        if table is None:
            hidden[:] = True
        else:
            whole = np.ones((len(table.member), 1))
            people = find_people(table, strata, np.zeros_like(strata.of_row), 1, np.flatnonzero(hidden))
            numbers = Numbers((table.slice_,), subjects, people, floor)
            parts = find_parts(rows, table, strata)
            member = np.concatenate([table.member, whole], axis=1)
            cover(hidden, numbers, [(member, hidden), *((member[p], numbers.few) for p in parts)])
    judged = np.where(rows.judged, rows.truth, -1)
    hidden, classes, uar = _cells(hidden, table, strata, judged, rows.labels, floor)
    outputs = {
        name: _cells(hidden, table, strata, np.where(mask, 0, -1), 1, floor)[1][:, 0]
        for name, mask in _with_output(rows).items()
    }
    by_class = np.where(rows.graded, rows.truth, -1)
    graded = _cells(hidden, table, strata, by_class, rows.labels, floor)[1].any(axis=1)
    found = {name: _split(mask, slices) for name, mask in outputs.items()}
    graded |= outputs[_PROBABILITIES]
    return Withheld(
        _split(hidden, slices), _split(classes, slices), _split(uar, slices), found, _split(graded, slices)
    )


def withheld_decisions(
    found: Withheld, slices: Sequence[Slice], strata: Strata, rows: Rows, floor: int
) -> Withheld:
    """The same with the rows decided as one label; *none* is no label: how many decide nothing is shown.

    Withheld are cells of a few subjects, those where the right or the wrong rows are of a few, and what
    gives the former.
    """
    values = np.concatenate([np.zeros(0, np.bool_), *found.values[1:]])
    table = tabulate(slices) if floor else None
    labelled = rows.judged & (rows.truth >= 0) & (rows.decision < rows.labels)
    decided = np.where(labelled, rows.decision, -1)
    values, cells, _ = _cells(values, table, strata, decided, rows.labels, floor)
    if table is not None:
        for mask in (decided == rows.truth, decided != rows.truth):
            there = count_clusters(table, strata, np.where(mask, decided, -1), rows.labels)
            cells |= (there > 0) & (there < floor)
    hidden = _split(values, slices)
    return Withheld(
        hidden,
        [mask | v[:, None] for mask, v in zip(found.classes, hidden, strict=True)],
        [mask | v for mask, v in zip(found.uar, hidden, strict=True)],
        {name: [m | v for m, v in zip(masks, hidden, strict=True)] for name, masks in found.outputs.items()},
        [mask | v for mask, v in zip(found.graded, hidden, strict=True)],
        _split(cells, slices),
    )


def withheld_units(
    found: Withheld, slices: Sequence[Slice], strata: Strata, rows: Rows, floor: int
) -> Withheld:
    """The same with each action unit: all its numbers of values where those with it, or without, are a few.

    Counted over the rows in which it was coded and over those with an output; what gives one is withheld too.
    """
    values = np.concatenate([np.zeros(0, np.bool_), *found.values[1:]])
    table = tabulate(slices) if floor else None
    units = {}
    for unit in rows.action_units:
        truth, said = rows.unit(unit)
        coded, has = rows.judged & np.isfinite(truth), present(rows, unit)
        kept = [mask & part for mask in (coded, coded & np.isfinite(said)) for part in (has, ~has)]
        parts = [_cells(values, table, strata, np.where(k, 0, -1), 1, floor)[1][:, 0] for k in kept]
        units[unit] = _split(np.asarray(np.any(parts, axis=0)), slices)
    return replace(found, units=units)


def _with_output(rows: Rows) -> dict[str, Bools]:
    """The rows in the denominators of metrics that leave misses out, (N,) each."""
    found = {
        name: rows.judged & np.isfinite(truth) & np.isfinite(guess)
        for name, (truth, guess) in rows.affect.items()
    }
    voted = rows.judged & rows.voted
    found[_PROBABILITIES] = rows.graded & (rows.truth >= 0)
    if rows.sequences is not None:
        for key in (key for key in rows.sequences.keys if gives(rows, key)):
            found[_sequence_name(key)] = counted(rows, key)
    return {**found, _VOTES: voted, _BOTH: voted & rows.graded, _RATERS: compared_votes(rows)}


def _split(hidden: Bools, slices: Sequence[Slice]) -> list[Bools]:
    """The masks of all values slice by slice, with one of nothing for the whole."""
    ends = np.cumsum([len(one.values) for one in slices[1:]])
    whole = np.zeros((len(slices[0].values), *hidden.shape[1:]), np.bool_)
    return [whole, *np.split(hidden, ends)[:-1]]


def _cells(
    hidden: Bools, table: Table | None, strata: Strata, code: Ints, codes: int, floor: int
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
    clusters = count_clusters(table, strata, code, codes)
    few = (clusters > 0) & (clusters < floor)
    # Cells of hidden values among them: what covers a value need not cover its few of one class or output.
    if not few.any():
        return hidden, gone, hidden
    kept = code >= 0
    combination = table.of_stratum[strata.of_row[kept]]
    place, first = combine([combination, code[kept]])
    if len(first) > MOST_CELL_COMBINATIONS or gone.size > MOST_CELLS:
        return everything
    inside, of_class = table.member[combination[first]], np.eye(codes)[code[kept][first]]
    member = _cell_members(inside, of_class, np.bincount(place))
    count = len(hidden)
    guarded = np.append(few.ravel(), np.zeros(2 * count, np.bool_))
    # A single code has no sum over codes: what it is a part of has no number of its own.
    masked = np.concatenate([(gone | few).ravel(), np.append(hidden, hidden) | (codes == 1)])
    people = find_people(table, strata, code, codes, np.flatnonzero(few))
    cover(masked, _cell_numbers(table, clusters, people, floor), [(member, guarded)])
    hidden = hidden | (masked[gone.size + count :] if codes > 1 else False)
    cells, uar = masked[: gone.size].reshape(gone.shape), masked[gone.size : gone.size + count]
    return hidden, cells | hidden[:, None], uar | hidden


def _cell_numbers(table: Table, clusters: Ints, people: dict[int, frozenset[int]], floor: int) -> Numbers:
    """The cells of values and codes, ``clusters`` (V, codes) of each, then the UARs, then the values."""
    count, codes = clusters.shape
    cell, none = np.arange(clusters.size), np.full(2 * count, -1)
    of_slice = np.append(np.repeat(table.slice_, codes) * codes + cell % codes, none)
    of_value = np.append(cell // codes, none)
    # Values are shown before UARs, UARs before cells, and neither of them of a withheld value.
    largest = int(clusters.sum()) + 1
    size = np.concatenate([clusters.ravel(), np.full(count, largest), np.full(count, 2 * largest)])
    values = clusters.size + count + np.arange(count)
    within = np.concatenate([np.repeat(values, codes), values, none[:count]])
    return Numbers((of_slice, of_value), size, people, floor, within if codes > 1 else None)


def _cell_members(inside: Floats, of_class: Floats, rows: Ints) -> Floats:
    """Memberships over R combinations with classes: cells, UARs, values, and the classes of the whole.

    ``inside`` (R, V), ``of_class`` (R, K), ``rows`` (R,) how many rows each combination has.
    """
    cells = (inside[:, :, None] * of_class[:, None, :]).reshape(len(rows), -1)
    counts = (rows @ cells).reshape(inside.shape[1], -1)
    present = np.maximum((counts > 0).sum(axis=1, keepdims=True), 1)
    weight = counts.sum(axis=1, keepdims=True) / np.maximum(counts, 1) / present
    return np.concatenate([cells, inside * (of_class @ weight.T), inside, of_class], axis=1)
