"""Curves of one run: points of reliability and of risk-coverage diagrams, and which of them are withheld.

Grids of clean cells stand beside them (``bench.judge.grids``). Curves are made where ECE or AURC is asked
for by name, of the whole and of every slice value whose number is reportable. A value's bin with few people
is withheld, and so is every bin that it follows from, beside the whole's bins and the sums over them that
are shown as numbers: the memberships are combinations of attributes by bins, and ``disclosure`` solves for
what follows, for the bins of values that are withheld altogether too. Bins of a second width would cut
those of the first to pieces of a few people, so that where anything can be withheld the risk-coverage
curves of values have the steps of the reliability bins, and only those points that follow from shown bins
and the sums over all. The whole is always shown, in the steps of AURC: whoever knows that one value alone
has rows between two of them knows these rows of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from bench.judge.atoms import combine
from bench.judge.disclosure import Numbers, cover
from bench.judge.grids import grid_points
from bench.judge.kernels import CALIBRATION_BINS, CALIBRATION_EDGES, LOGIT_EDGES, Moments
from bench.judge.membership import count_clusters, find_people, tabulate
from bench.judge.metrics import METRICS
from bench.judge.probabilistic import reliability, risk_coverage
from bench.judge.rows import Bools, Floats, Ints
from bench.judge.sheet import Sheet
from bench.judge.slices import Cut, Slice
from bench.judge.status import INSUFFICIENT, REPORTABLE, SUPPRESSED
from bench.judge.sums import Sums
from bench.judge.withhold import MOST_CELL_COMBINATIONS, MOST_CELLS
from bench.tables.curves import RELIABILITY, RISK_COVERAGE, curves_table

__all__ = ["Curves", "withheld_bins"]

_CALIBRATION, _SELECTIVE = METRICS["ece"].key, METRICS["aurc"].key
_EDGES = np.concatenate([[0.0], CALIBRATION_EDGES, [1.0]])
_LOGIT_LOWS = np.concatenate([[0.0], LOGIT_EDGES])

Points = Iterator[dict[str, Any]]


class Curves:
    """The curves of all cells of a run, collected while they are judged."""

    def __init__(self) -> None:
        self._blocks: list[list[dict[str, Any]]] = []

    def add(
        self, key: Mapping[str, Any], cut: Cut, sums: Sums, judged: Mapping[str, list[Sheet] | None],
        floor: int,
    ) -> None:  # fmt: skip
        """Take the curves of one cell; ``key`` names it, ``judged`` has the sheets of its metrics."""
        named = {name: key[name] for name in ("model", "dataset", "condition", "severity", "where")}
        if key["condition"] == "clean":
            whole = {"slice": None, "value": None}
            self._blocks.append([{**named, **whole, **p} for p in grid_points(sums, judged, floor)])
        asked = {RELIABILITY: judged.get("ece"), RISK_COVERAGE: judged.get("aurc")}
        sheets = {curve: found for curve, found in asked.items() if found is not None}
        if not sheets:
            return
        hidden = [sheet.hidden for sheet in next(iter(sheets.values()))]
        bins = withheld_bins(cut, _bins(sums), hidden, floor)
        block = []
        for index, one in enumerate(cut.slices):
            for value, text in enumerate(one.values):
                for curve, found in sheets.items():
                    if one.name and (found[index].hidden[value] or not found[index].enough[value]):
                        continue
                    at = {"slice": one.name, "value": text if one.name else None, "curve": curve}
                    state = REPORTABLE if found[index].enough[value] else INSUFFICIENT
                    points = _points(curve, sums, one, value, bins[index][value], floor)
                    block += [{**named, **at, "high": None, "status": state, **point} for point in points]
        self._blocks.append(block)

    def table(self) -> pa.Table:
        """The Curves table, in the order in which the cells came."""
        return curves_table([row for block in self._blocks for row in block])


def withheld_bins(cut: Cut, code: Ints, hidden: Sequence[Bools], floor: int) -> list[Bools]:
    """Which bins of each value are withheld, per slice (V, 15).

    ``code`` (N,) is the bin of each row, -1 where it has none; ``hidden`` (V,) per slice says which values
    are withheld altogether; ``floor`` is the least subjects that are shown.
    """
    bins = CALIBRATION_BINS
    whole = np.zeros((len(cut.slices[0].values), bins), np.bool_)
    values = np.concatenate([np.zeros(0, np.bool_), *hidden[1:]])
    cells = np.repeat(values[:, None], bins, axis=1)
    if floor and len(values):
        cells = _covered(cells, values, cut, code, floor)
    ends = np.cumsum([len(one.values) for one in cut.slices[1:]])
    return [whole, *np.split(cells, ends)[:-1]]


def _covered(cells: Bools, values: Bools, cut: Cut, code: Ints, floor: int) -> Bools:
    """The cells, with those of a few people and what gives these away."""
    table, strata, bins = tabulate(cut.slices), cut.strata, cells.shape[1]
    if table is None:
        return np.ones_like(cells)
    clusters = count_clusters(table, strata, code, bins)
    few = (clusters > 0) & (clusters < floor)
    if not few.any():
        return cells
    kept = code >= 0
    combination = table.of_stratum[strata.of_row[kept]]
    _, first = combine([combination, code[kept]])
    if len(first) > MOST_CELL_COMBINATIONS or cells.size > MOST_CELLS:
        return np.ones_like(cells)
    inside, of_bin = table.member[combination[first]], np.eye(bins)[code[kept][first]]
    each = (inside[:, :, None] * of_bin[:, None, :]).reshape(len(first), -1)
    # Always shown: the sums over the bins of each shown value, and the bins of the whole.
    member = np.concatenate([each, inside[:, ~values], of_bin], axis=1)
    number = np.arange(cells.size)
    groups = np.repeat(table.slice_, bins) * bins + number % bins, number // bins
    people = find_people(table, strata, code, bins, np.flatnonzero(few))
    masked = np.asarray((cells | few).ravel())
    cover(masked, Numbers(groups, clusters.ravel(), people, floor), [(member, few.ravel())])
    return masked.reshape(cells.shape)


def _bins(sums: Sums) -> Ints:
    """The reliability bin of each row, -1 for a row without probabilities or label."""
    made = sums.statistics(_CALIBRATION)
    assert isinstance(made, Moments)
    assert made.bin is not None
    return np.where(made.kept, made.bin, -1)


def _points(curve: str, sums: Sums, one: Slice, value: int, hidden: Bools, floor: int) -> Points:
    if curve == RELIABILITY:
        return _reliability(sums.total(_CALIBRATION, one)[value], hidden)
    if floor and one.name:
        return _risk_by_bins(sums.total(_CALIBRATION, one)[value], hidden)
    return _risk(sums.total(_SELECTIVE, one)[value])


def _reliability(stats: Floats, hidden: Bools) -> Points:
    n, confidence, accuracy = reliability(stats)
    for place in range(len(n)):
        edges = {"low": float(_EDGES[place]), "high": float(_EDGES[place + 1])}
        shown = {"x": float(confidence[place]), "y": float(accuracy[place]), "n": int(n[place])}
        yield edges | (_nothing() if hidden[place] else shown)


def _risk(stats: Ints) -> Points:
    """A point for each bin of AURC with a row, from the most confident down."""
    coverage, risk = risk_coverage(stats)
    rows = stats.sum(axis=0)[::-1]
    n = np.cumsum(rows)
    for place in np.flatnonzero(rows):
        low = float(_LOGIT_LOWS[len(rows) - 1 - place])
        yield {"low": low, "x": float(coverage[place]), "y": float(risk[place]), "n": int(n[place])}


def _risk_by_bins(stats: Floats, hidden: Bools) -> Points:
    """A point for each reliability bin with a row: withheld with a withheld bin on either side of it.

    The rows above a point are the sum of the bins there, and all rows less the bins below.
    """
    n, hits = (stats[::-1, k] for k in (0, 1))
    rows, errors, gone = np.cumsum(n), np.cumsum(n - hits), hidden[::-1]
    above = np.cumsum(gone) > 0
    below = np.append(np.cumsum(gone[::-1])[::-1][1:] > 0, False)
    for place in np.flatnonzero(n):
        # Bins hold their upper edge: the least confidence in one is the next number above its lower edge.
        edge = _EDGES[len(n) - 1 - place]
        known = not (above[place] and below[place])
        shown = {"x": float(rows[place] / rows[-1]), "y": float(errors[place] / rows[place])}
        shown["n"] = int(rows[place])
        yield {"low": float(np.nextafter(edge, 1)) if edge else 0.0} | (shown if known else _nothing())


def _nothing() -> dict[str, Any]:
    return {"x": None, "y": None, "n": None, "status": SUPPRESSED}
