"""Estimates as rows that are made when they are looked at: a run of many conditions has a million of them.

Columns stay arrays; a row is a dictionary, made once and kept. The numbers and the warning of a suppressed
row are removed before any row is made, so that nothing built from here can show one, whatever the file
holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["EstimateRows", "Row"]

Row = dict[str, Any]
Ints = npt.NDArray[np.int64]

_SHOWN = ("severity",)  # a number that names a row, and says nothing of it


class EstimateRows(Sequence[Row]):
    """The rows of a table of Estimates, in file order; what reads them cannot change them."""

    def __init__(self, table: pa.Table) -> None:
        self._codes: dict[str, Ints] = {}
        self._words: dict[str, list[Any]] = {}
        self._numbers: dict[str, npt.NDArray[Any]] = {}
        self._known: dict[str, npt.NDArray[np.bool_]] = {}
        self._made: dict[int, Row] = {}
        self._length, self._names = int(table.num_rows), list(table.column_names)
        for name in self._names:
            self._take_in(name, table[name].combine_chunks())
        gone = self._is("status", "suppressed")
        self._codes["warning"][gone] = -1
        for name in self._known.keys() - set(_SHOWN):
            self._known[name] &= ~gone

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return self.take(range(*index.indices(self._length)))
        place = int(range(self._length)[index])
        made = self._made.get(place)
        if made is None:
            made = self._made[place] = {name: self._value(name, place) for name in self._names}
        return made

    def __iter__(self) -> Iterator[Row]:
        return (self[place] for place in range(self._length))

    def take(self, places: Iterable[int]) -> list[Row]:
        """The rows at some places."""
        return [self[place] for place in places]

    def only(self, places: Sequence[int]) -> EstimateRows:
        """The rows at some places alone, as a table of their own."""
        kept, found = np.array(places, np.int64), copy(self)
        columns = {
            name: {key: column[kept] for key, column in getattr(self, name).items()}
            for name in ("_codes", "_numbers", "_known")
        }
        vars(found).update(columns, _length=len(kept), _made={})
        return found

    def groups(self, *names: str) -> dict[tuple[Any, ...], list[int]]:
        """The places of the rows by the values of some columns, each in file order."""
        if not self._length:
            return {}
        key, span = np.zeros(self._length, np.int64), 1
        for name in names:
            codes = self._code(name)
            width = int(codes.max()) + 1
            if span * width >= 2**62:
                key = np.unique(key, return_inverse=True)[1]
                span = int(key.max()) + 1
            key, span = key * width + codes, span * width
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        # By first appearance, so that nothing depends on how keys sort.
        parts = sorted(np.split(order, starts[1:]), key=lambda part: int(part[0]))
        return {tuple(self._value(n, int(part[0])) for n in names): part.tolist() for part in parts}

    def keys(self, places: Sequence[int], *names: str) -> Iterator[tuple[Any, ...]]:
        """The values of some columns of text at some places, without making rows."""
        words = (np.array(self._words[name], object)[self._codes[name][places]] for name in names)
        return zip(*words, strict=True)

    def has(self, name: str, place: int) -> bool:
        """Whether a column of numbers has one at a place."""
        return bool(self._known[name][place])

    def _take_in(self, name: str, column: pa.Array) -> None:
        if pa.types.is_string(column.type):
            found = column.dictionary_encode()
            codes = pc.fill_null(found.indices, -1).to_numpy(zero_copy_only=False)
            self._codes[name] = np.array(codes, np.int64)
            # The last word stands for -1: nothing.
            self._words[name] = [*found.dictionary.to_pylist(), None]
        else:
            self._known[name] = np.array(pc.is_valid(column).to_numpy(zero_copy_only=False))
            self._numbers[name] = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)

    def _is(self, name: str, word: str) -> npt.NDArray[np.bool_]:
        words = self._words[name]
        return np.equal(self._codes[name], words.index(word) if word in words else -2)

    def _code(self, name: str) -> Ints:
        """A column as counts from 0, which stands for nothing."""
        if name in self._codes:
            return self._codes[name] + 1
        numbers = np.unique(self._numbers[name], return_inverse=True)[1]
        return np.where(self._known[name], numbers + 1, 0)

    def _value(self, name: str, place: int) -> Any:
        if name in self._codes:
            return self._words[name][self._codes[name][place]]
        return self._numbers[name][place].item() if self._known[name][place] else None
