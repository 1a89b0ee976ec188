"""Whose sound may stand for a target's: that of another person, or of another recording at least."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow.compute as pc

from bench.tables import Targets

__all__ = ["Voices"]

# Rows that are alike in any of these may be of one voice.
_ALIKE = ("subject", "clip", "media", "audio", "sha256", "audio_sha256")
_AT_ONCE = 4096  # rows


class Voices:
    """The rows of targets, and which of them share no subject, clip, file or content."""

    def __init__(self, targets: Targets) -> None:
        self._table = targets.table

    def of_others(self, row: int, number: float) -> Iterator[int]:
        """The rows whose voice is not that of ``row``, from the one that ``number`` in [0, 1) falls on.

        They follow in the order of the table, from its end to its begin. What a row does not say is taken to
        be unlike.
        """
        count = len(self._table)
        own = self._codes[:, [row]]
        for start in range(0, count, _AT_ONCE):
            others = (int(number * count) + np.arange(start, min(start + _AT_ONCE, count))) % count
            alike = ((self._codes[:, others] == own) & (own >= 0)).any(0)
            yield from others[~alike & (others != row)].tolist()

    def alone(self) -> int | None:
        """The first row for which there is no other voice, None where there is one for each."""
        codes, count = self._codes, len(self._table)
        # Who is like few in each column has another; rows that are alike in all are asked for once.
        like = np.sum([np.where(one >= 0, np.bincount(one + 1)[one + 1] - 1, 0) for one in codes], axis=0)
        firsts = np.sort(np.unique(codes, axis=1, return_index=True)[1])
        rows = firsts[like[firsts] + 1 >= count].tolist()
        return next((row for row in rows if next(self.of_others(row, 0.0), None) is None), None)

    @cached_property
    def _codes(self) -> np.ndarray:
        """What each row has in each column, int64 [columns, rows], -1 where it has nothing."""
        codes = [np.full(len(self._table), -1)]
        for name in set(_ALIKE) & set(self._table.column_names):
            indices = self._table[name].combine_chunks().dictionary_encode().indices
            codes.append(pc.fill_null(indices, -1).to_numpy(zero_copy_only=False).astype(np.int64))
        return np.stack(codes)
