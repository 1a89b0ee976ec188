"""The statistics of one cell: each kernel summed into atoms once, each slice put together when asked for.

What was put together is kept, but of large statistics only the last: it is made again from atoms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.judge import action_units
from bench.judge.atoms import Atoms, Strata, Tally, gather
from bench.judge.formulas import divide
from bench.judge.kernels import (
    Counts,
    Key,
    Moments,
    Stack,
    agreement,
    calibration,
    confusion,
    moments,
    outcomes,
    ranking,
    scores,
    selective,
    soft_scores,
)
from bench.judge.metrics import METRICS
from bench.judge.raters import raters
from bench.judge.rows import DECODE_ERROR, Floats, Ints, Rows
from bench.judge.slices import Slice
from bench.judge.stages import stages
from bench.judge.temporal import TEMPORAL, statistics

__all__ = ["Sums"]

_KEPT = 1 << 30  # bytes of tallies that are kept


class Sums:
    """Tallies and totals of one cell by kernel and slice, made when first asked for."""

    def __init__(self, rows: Rows, strata: Strata, missing_constant: float) -> None:
        self.rows, self.strata, self.missing_constant = rows, strata, missing_constant
        self._atoms: dict[Key, Atoms] = {}
        self._tallies: dict[tuple[Key, str | None], Tally] = {}

    def tally(self, key: Key, one: Slice) -> Tally:
        """The statistics per slice value and cluster."""
        at = key, one.name
        if at not in self._tallies:
            if key not in self._atoms:
                self._atoms[key] = gather(self.statistics(key), self.strata)
            made = self._atoms[key].tally(one.of_stratum, len(one.values))
            self._tallies[at] = action_units.trimmed(key, made)
            self._forget()
        return self._tallies[at]

    def _forget(self) -> None:
        """Let go of the largest tallies but the last one made while all together are too large."""
        last, sizes = next(reversed(self._tallies)), {k: t.stats.nbytes for k, t in self._tallies.items()}
        while len(sizes) > 1 and sum(sizes.values()) > _KEPT:
            largest = max(sizes.keys() - {last}, key=sizes.__getitem__)
            del self._tallies[largest], sizes[largest]

    def total(self, key: Key, one: Slice) -> Any:
        """The statistics per slice value, (V, *shape)."""
        return self.tally(key, one).total

    def fates(self, one: Slice) -> Ints:
        """What became of the rows of each slice value, (V, codes of ``bench.judge.rows``)."""
        fates: Ints = self.total(METRICS["coverage"].key, one)
        return fates

    def with_truth(self, key: Key, one: Slice) -> Ints:
        """How many rows have the truth that a kernel needs, whatever was predicted, (V,).

        Of frames that follow one another, the rows that have any.
        """
        if key.kernel in ("steps", "onsets", "segments"):
            return np.asarray(self.total(key, one)[:, -1], np.int64)
        if key.kernel in ("within", "between"):
            return self.with_truth(Key("moments", key.column), one)
        if key.kernel == "outcomes" or (key.kernel == "stages" and key.column != "label"):
            return np.asarray(self.fates(one)[:, :DECODE_ERROR].sum(axis=-1))
        if key.kernel == "moments":
            headline: Floats = self.total(key._replace(misses="constant"), one)[:, 0]
            return headline.astype(np.int64)
        if key.kernel == "raters":
            return np.asarray(self.total(key, one)[:, 0], np.int64)
        if action_units.of_units(key):
            return action_units.covered(self._decided(key, one))[1].astype(np.int64)
        if key.column == "votes":
            return np.asarray(self.total(METRICS["crowd_agreement"].key, one)[:, 0], np.int64)
        counts: Ints = self.total(METRICS["accuracy"].key, one).sum(axis=(-1, -2))
        return counts

    def coverage(self, key: Key, one: Slice) -> Floats:
        """The share of rows with the output that a kernel needs, (V,), NaN without rows."""
        if key.kernel == "steps":
            steps: Floats = self.total(key, one)
            return divide(steps[:, 0], steps[:, 2])
        if key.kernel in ("within", "between"):
            return divide(self.total(key, one)[:, 0], self.with_truth(key, one))
        if action_units.of_units(key):
            return divide(*action_units.covered(self._decided(key, one)))
        if key.kernel != "moments":
            return METRICS["coverage"].finish(self.fates(one))
        rows = self.with_truth(key, one).astype(np.float64)
        covered: Floats = self.total(key._replace(misses="left out"), one)[:, 0]
        return np.where(rows > 0, covered / np.maximum(rows, 1), np.nan)

    def _decided(self, key: Key, one: Slice) -> Ints:
        """What was decided of the same action units, (V, ...): all rows in which they were coded."""
        decided: Ints = self.total(METRICS["au_f1"].key._replace(column=key.column), one)
        return decided

    def statistics(self, key: Key) -> Counts | Moments | Stack:
        """What a kernel makes of each row, unsummed."""
        if action_units.of_units(key):
            return action_units.statistics(self.rows, key)
        if key.kernel == "moments":
            return moments(self.rows, key.column, key.misses, self.missing_constant)
        if key.kernel in TEMPORAL:
            return statistics(self.rows, key)
        if key.kernel == "ranking":
            return ranking(self.rows, key.label)
        kernels: dict[str, Callable[[Rows], Counts | Moments]] = {
            "confusion": confusion, "outcomes": outcomes, "calibration": calibration, "selective": selective,
            "scores": scores, "agreement": agreement, "soft_scores": soft_scores, "raters": raters,
            "stages": stages,
        }  # fmt: skip
        return kernels[key.kernel](self.rows)
