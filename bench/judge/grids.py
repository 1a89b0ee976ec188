"""Grids of one cell: how many rows lie in each place of a table of two codes, over all rows together.

``confusion``: true label by decision, misses and ties in the last column. ``affect_labels`` and
``affect_outputs``: valence by arousal in squares a quarter wide, of the rows with both labels and both
outputs; ``quadrant_labels`` and ``quadrant_outputs``: the means of labels and of outputs by the quadrant of
the label, in which 0 is on the upper side. Made where metrics of these were asked for.

A place of a few people, but not none, is withheld, and so is what gives it away beside all that is shown:
the sums of rows and columns, accuracy, UAR and, of places off the diagonal, the diagonal itself, since
recalls tell it. Where no number of places can be solved for, all are withheld. It does not protect from
knowing that a place is empty, nor that a count is no fraction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.judge.atoms import Strata, combine
from bench.judge.disclosure import Numbers, cover
from bench.judge.rows import Bools, Floats, Ints, Rows
from bench.judge.sheet import Sheet
from bench.judge.status import REPORTABLE, SUPPRESSED
from bench.judge.sums import Sums
from bench.judge.withhold import MOST_CELLS
from bench.tables.curves import (
    AFFECT_LABELS,
    AFFECT_OUTPUTS,
    CONFUSION,
    QUADRANT_LABELS,
    QUADRANT_OUTPUTS,
    SQUARE,
)

__all__ = ["Places", "count_places", "grid_points", "withheld_places"]

_SIDE = round(2 / SQUARE)
_SQUARES = _SIDE**2
_UPPER = np.arange(_SIDE) >= _SIDE // 2
_QUADRANT = np.add.outer(2 * _UPPER, _UPPER).ravel()

Points = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Places:
    """The rows and clusters in each of P places, (P,) each, and who is in some of them."""

    rows: Ints
    clusters: Ints
    people: dict[int, frozenset[int]]


def grid_points(sums: Sums, judged: Mapping[str, Sequence[Sheet] | None], floor: int) -> Points:
    """The points of the grids that the metrics of a cell ask for; ``floor`` is the least people shown."""
    keys = {found[0].metric.key for found in judged.values() if found}
    if any(key.kernel == "confusion" for key in keys):
        yield from _confusion(sums.rows, sums.strata, floor)
    if {"valence", "arousal"} <= {key.column for key in keys if key.kernel == "moments"}:
        yield from _affect(sums.rows, sums.strata, floor)


def count_places(code: Ints, places: int, strata: Strata, floor: int) -> Places:
    """Count by place; ``code`` (N,) is that of each row, -1 where it is in none."""
    kept = code >= 0
    rows = np.bincount(code[kept], minlength=places)
    if strata.cluster is None:
        return Places(rows, rows, {})
    who = strata.cluster[strata.of_row[kept]]
    _, first = combine([code[kept], who])
    place, who = code[kept][first], who[first]
    clusters = np.bincount(place, minlength=places)
    few = np.flatnonzero((clusters > 0) & (clusters < floor))
    return Places(rows, clusters, {int(p): frozenset(who[place == p].tolist()) for p in few})


def withheld_places(found: Places, always: Sequence[Floats], groups: tuple[Ints, ...], floor: int) -> Bools:
    """Which places are withheld, (P,).

    ``always`` are the memberships, (A, P) each, of sums that are shown, one array for each set of guarded
    places: the first guards all, every further one those that do not lie in a sum of one place.
    """
    few: Bools = (found.clusters > 0) & (found.clusters < floor)
    if not few.any() or len(few) > MOST_CELLS:
        return np.full(len(few), few.any())
    # An empty place tells of nobody and covers nothing: it is shown first.
    most = int(found.clusters.sum()) + floor
    subjects = np.where(found.clusters == 0, most, found.clusters)
    parts = []
    for sums in always:
        alone = (sums != 0).sum(axis=1) == 1
        parts.append((np.concatenate([np.eye(len(few)), sums.T], axis=1), few & ~sums[alone].any(axis=0)))
    hidden = few.copy()
    cover(hidden, Numbers(groups, subjects, found.people, floor), parts)
    return hidden


def _confusion(rows: Rows, strata: Strata, floor: int) -> Points:
    labels, wide = rows.labels, rows.labels + 1
    counted = rows.judged & (rows.truth >= 0)
    found = count_places(
        np.where(counted, rows.truth * wide + rows.decision, -1), labels * wide, strata, floor
    )
    truth, said = np.divmod(np.arange(labels * wide), wide)
    of_label = np.bincount(truth, found.rows, labels)
    right = truth == said
    with np.errstate(divide="ignore", invalid="ignore"):
        share = found.rows / of_label[truth]
        recalls = np.where(right & (of_label[truth] > 0), 1 / of_label[truth], 0.0)
    margins = [*np.eye(labels)[:, truth], *np.eye(wide)[:, said], right.astype(np.float64), recalls]
    diagonal = np.eye(labels * wide)[right]
    always = [np.stack(margins), np.concatenate([np.stack(margins), diagonal])]
    hidden = withheld_places(found, always, (truth, said), floor)
    for place in range(labels * wide):
        at = {"low": float(truth[place]), "high": float(said[place])}
        yield _point(CONFUSION, at, bool(hidden[place]), found.rows[place], share[place])


def _affect(rows: Rows, strata: Strata, floor: int) -> Points:
    truth, said = (np.stack([rows.affect[name][k] for name in ("valence", "arousal")]) for k in (0, 1))
    counted = rows.judged & np.isfinite(truth).all(axis=0) & np.isfinite(said).all(axis=0)
    truth, said = (np.where(counted, values, 0.0) for values in (truth, said))
    quadrant = np.where(counted, _place(truth, 2), -1)
    gone = withheld_places(count_places(quadrant, 4, strata, floor), [np.ones((1, 4))], (_one(4),), floor)
    shown = np.eye(4)[~gone][:, _QUADRANT]
    for curve, values, sums in ((AFFECT_LABELS, truth, shown), (AFFECT_OUTPUTS, said, shown[:0])):
        found = count_places(np.where(counted, _place(values, _SIDE), -1), _SQUARES, strata, floor)
        always = np.concatenate([np.ones((1, _SQUARES)), sums])
        hidden = withheld_places(found, [always], (_one(_SQUARES),), floor)
        for place in range(_SQUARES):
            yield _point(curve, _corner(place, _SIDE), hidden[place], found.rows[place])
    for curve, values in ((QUADRANT_LABELS, truth), (QUADRANT_OUTPUTS, said)):
        for place in range(4):
            inside = values[:, quadrant == place]
            x, y = inside.mean(axis=1) if inside.size else (np.nan, np.nan)
            yield _point(curve, _corner(place, 2), gone[place], inside.shape[1], x, y)


def _place(values: Floats, side: int) -> Ints:
    """The square of each pair of values, of so many a side over [-1, 1]; the outer ones are open. (2, N)."""
    x, y = np.searchsorted(np.linspace(-1, 1, side + 1)[1:-1], values, side="right")
    return np.asarray(x * side + y)


def _corner(place: int, side: int) -> dict[str, float]:
    x, y = divmod(place, side)
    return {"low": 2 * x / side - 1, "high": 2 * y / side - 1}


def _one(places: int) -> Ints:
    return np.zeros(places, np.int64)


def _point(
    curve: str, at: dict[str, float], gone: Any, n: int, x: float = np.nan, y: float = np.nan
) -> dict[str, Any]:
    if gone:
        return {"curve": curve, **at, "x": None, "y": None, "n": None, "status": SUPPRESSED}
    return {"curve": curve, **at, "x": float(x), "y": float(y), "n": int(n), "status": REPORTABLE}
