"""Membership: which combinations of attributes lie in which values of slices, and which subjects those are.

The values of all slices but the whole stand side by side as columns of one table. It refuses to make a table
too large to be solved, and does not know what is withheld.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.judge.atoms import Strata, combine
from bench.judge.rows import Bools, Floats, Ints, Rows
from bench.judge.slices import Slice

__all__ = [
    "MOST_COMBINATIONS", "MOST_VALUES", "Table", "count_clusters", "count_subjects", "find_parts",
    "find_people", "tabulate",
]  # fmt: skip

MOST_COMBINATIONS, MOST_VALUES = 10_000, 500


@dataclass(frozen=True)
class Table:
    """The V values of all slices but the whole over C combinations of attributes.

    ``slice_`` (V,) is the slice of each; ``of_stratum`` (A,) the combination of each stratum; ``member``
    (C, V) which combinations lie in which value.
    """

    slice_: Ints
    of_stratum: Ints
    member: Floats


def tabulate(slices: Sequence[Slice]) -> Table | None:
    """The table of all slices but the first, the whole; None where it is empty or too large."""
    sizes = [len(one.values) for one in slices[1:]]
    if not sum(sizes):
        return None
    of_stratum, first = combine([one.of_stratum for one in slices[1:]])
    if len(first) > MOST_COMBINATIONS or sum(sizes) > MOST_VALUES:
        return None
    slice_ = np.repeat(np.arange(len(sizes)), sizes)
    number = np.concatenate([np.arange(size) for size in sizes])
    codes = np.stack([one.of_stratum[first] for one in slices[1:]], axis=1)
    return Table(slice_, of_stratum, (codes[:, slice_] == number).astype(np.float64))


def count_subjects(one: Slice, strata: Strata, rows: Rows) -> Ints:
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


def find_people(
    table: Table, strata: Strata, code: Ints, codes: int, which: Ints
) -> dict[int, frozenset[int]]:
    """The clusters in some cells, numbered value by value; empty where every row is its own."""
    if strata.cluster is None:
        return {}
    held = _held(strata, code, codes) > 0
    inside = table.member[table.of_stratum] > 0
    return {
        int(n): frozenset(strata.cluster[held[:, n % codes] & inside[:, n // codes]].tolist()) for n in which
    }


def count_clusters(table: Table, strata: Strata, code: Ints, codes: int) -> Ints:
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


def find_parts(rows: Rows, table: Table, strata: Strata) -> list[Bools]:
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


def _with_truth(rows: Rows) -> list[Bools]:
    return [rows.judged & np.isfinite(truth) for truth, _ in rows.affect.values()]


def _held(strata: Strata, code: Ints, codes: int) -> Ints:
    """The rows of each stratum and code, (A, codes)."""
    kept = code >= 0
    held = np.bincount(strata.of_row[kept] * codes + code[kept], minlength=len(strata) * codes)
    return held.reshape(len(strata), codes)
