"""How well the values of a run are known, by the plain path: intervals beside those of the estimates.

Intervals are looked at of single values and of stability; those of differences, areas, ranks and ratios rest
on draws or on several cells and are counted as not checked. What would take too long is a matter of chance
(``audit_intervals.sample``). Refuses nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.judge.audit_intervals import Interval, interval, jackknifed, part_of, sample
from bench.judge.audit_records import Records, records, scale_of
from bench.judge.audit_values import CellValues
from bench.judge.invariants import Finding
from bench.judge.planned import PlannedCell
from bench.spec import Suite

__all__ = ["FIELDS", "Numbers", "Uncertainty"]

FIELDS = ("low", "high", "df", "n_eff", "level")
_METHODS = (
    "wilson-clustered", "clopper-pearson-clustered", "jackknife-logit", "jackknife-atanh", "jackknife-log",
    "jackknife", None,
)  # fmt: skip

Row = Mapping[str, Any]
Key = tuple[Any, ...]
Numbers = tuple[str, float | None, float | None, float]
"""A field, the number found, the audit's, and how far the two may lie apart."""


class Uncertainty:
    """The intervals of a run by the plain path, made when first asked for, and what was looked at.

    ``cells`` are those that can be read, ``shares`` makes records of a row of kind stability.
    """

    def __init__(
        self, cells: Mapping[Key, CellValues], suite: Suite, rows: Sequence[Row],
        shares: Callable[[Row], Records | None],
    ) -> None:  # fmt: skip
        self._cells, self._level, self._shares = cells, suite.level, shares
        labels = {cell.cell.name[1]: len(cell.facts.labels) for cell in cells.values()}
        self._chosen = sample([row for row in rows if row["dataset"] in labels], labels)
        self._made: dict[Key, dict[Key, Interval | None]] = {}
        self._records: dict[Key, dict[str, Records]] = {}
        self._seen: Counter[str] = Counter()
        self._checked: Counter[str] = Counter()
        self._misnamed: list[str] = []

    @property
    def checked(self) -> dict[str, tuple[int, int]]:
        """By method, how many intervals were checked, and of how many."""
        return {method: (self._checked[method], count) for method, count in sorted(self._seen.items())}

    @property
    def finding(self) -> Finding:
        """Whether the checked intervals are of the method that they name."""
        return Finding("intervals name their method", self._checked.total(), tuple(self._misnamed))

    def affordable(self, row: Row) -> bool:
        """Whether the errors of the values of its slice are made: always of proportions."""
        return not jackknifed({**row, "kind": "value"}) or part_of(row) in self._chosen

    def of(self, row: Row) -> Interval | None:
        """The interval of a row of kind value or stability; None where its cells cannot give it."""
        if row["kind"] == "stability":
            found = self._shares(row)
            return None if found is None else interval(found, row["metric"], self._level)
        key, name = _key(row), (row["slice"], row["value"], row["metric"])
        made = self._made.setdefault(key, {})
        if name not in made:
            found = self._records_of(self._cells[key], key, *name)
            made[name] = None if found is None else interval(found, row["metric"], self._level)
        return made[name]

    def _records_of(
        self, cell: CellValues, key: Key, slice_: str | None, value: str | None, metric: str
    ) -> Records | None:
        """The records of one value; None where the cell cannot give it."""
        groups = cell.groups(slice_) if cell.value(slice_, value, metric) is not None else None
        if groups is None:
            return None
        whole = self._records.setdefault(key, {})
        if metric not in whole:
            whole[metric] = records(cell, metric)
        return whole[metric].of(groups, value)

    def release(self, key: Key) -> None:
        """Let go of the intervals of a cell."""
        self._made.pop(key, None)
        self._records.pop(key, None)

    def skip(self, row: Row) -> None:
        """Count the interval of a row that is not audited."""
        if row["low"] is not None or row["high"] is not None:
            self._seen[row["method"] or "none"] += 1

    def numbers(self, row: Row) -> Iterator[Numbers]:
        """The numbers of the interval of a row beside the audit's; none where it is not looked at."""
        if row["kind"] not in ("value", "stability"):
            self.skip(row)
            return
        method = row["method"] or "none"
        self._seen[method] += 1
        if scale_of(row["metric"]) is None or row["method"] not in _METHODS or not self.affordable(row):
            return
        self._checked[method] += 1
        found = self.of(row)
        if found is not None and found.method != row["method"]:
            at = " / ".join(str(row[name]) for name in (*PlannedCell.KEY, "slice", "value", "metric"))
            self._misnamed.append(f"{at}: named {method}, audited {found.method or 'none'}")
        for field in FIELDS:
            number = getattr(found, field) if found is not None else self._level if field == "level" else None
            audited = None if number is None or np.isnan(number) else float(number)
            # Numbers of rows and degrees of freedom may be large.
            doubt = found.doubt if found is not None and field in ("df", "n_eff") else 0.0
            yield field, row[field], audited, doubt * abs(audited or 0.0)


def _key(row: Row) -> Key:
    return tuple(row[name] for name in PlannedCell.KEY)
