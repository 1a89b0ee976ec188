"""Estimates: one long table that every report table, figure, gate and MLflow metric is a filter of.

Overall rows have null ``slice``; an intersection is ``slice = race&sex``, ``value = Asian&Male``; within the
values of a control it is ``slice = sex|age``, ``value = Male|<30``, and what compares the sexes there has the
``value`` of the control, ``<30``, or of the two (contrasts). What is undefined is null, never 0. ``status``
suppressed rows carry no number.

``kind`` says what ``estimate`` is: a value; a gap, the largest minus the smallest value of a slice, with p
and the mean and 95th percentile that chance alone gives it, with the ``reference`` base-rate-matched if all
values had the same mix of classes (``bench.judge.matched``), and of ``equalised_odds/fear`` the larger of two
(``bench.judge.odds``); a contrast, ``value`` minus ``reference``; a spread, the standard deviation between
the values, or one value shrunken; a ratio of the rates of a slice. A ratio has the ``reference`` min/max, the
smallest rate over the largest, whose ``null_mean`` is how often it falls below .8 were all rates equal (a
mean over draws of yes or no: no p-value), or max/geometric mean, of error rates (x + .5) / (n + 1). ``role``
is confirmatory for primary tests of the suite, else exploratory; ``sdd80`` is the smallest difference that
the interval, which holds for all of ``family``, finds in four studies of five. What conditions do are kinds
of their own: degradation, degradation_contrast, stability, area, worst, mce, relative_mce
(``bench.judge.robustness``). A rank is the place of a model among those of ``family``, the range that of its
true one (``bench.judge.ranks``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.tables.files import write_table

__all__ = ["ESTIMATES", "estimates_table", "write_estimates"]

_TEXT, _COUNT, _NUMBER = pa.string(), pa.int64(), pa.float64()
_COLUMNS = {
    _TEXT: "model dataset condition where slice value metric kind reference side method cluster_unit "
    "family role status warning",
    _COUNT: "severity n clips frames clusters slices_left_out",
    _NUMBER: "estimate low high level n_eff df p p_adjusted null_mean null_p95 sdd80 coverage",
}
_TYPE = {name: dtype for dtype, names in _COLUMNS.items() for name in names.split()}
_NAMES = (
    "model dataset condition severity where slice value metric kind reference estimate low high level side "
    "method n clips frames clusters cluster_unit n_eff df p p_adjusted family role null_mean null_p95 sdd80 "
    "coverage slices_left_out status warning"
)
_ORDER = _NAMES.split()

ESTIMATES = pa.schema([(name, _TYPE[name]) for name in _ORDER])


def estimates_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Build the table from rows; absent fields and NaN become null, unknown fields are refused."""
    for row in rows:
        unknown = set(row) - set(_TYPE)
        if unknown:
            raise ValueError(f"no such column of Estimates: {sorted(unknown)}")
    columns = [pa.array([_plain(row.get(n)) for row in rows], _TYPE[n]) for n in _ORDER]
    return pa.Table.from_arrays(columns, schema=ESTIMATES)


def write_estimates(table: pa.Table, path: Path) -> None:
    """Write the table as Parquet after checking that it has the schema of ESTIMATES."""
    if not table.schema.equals(ESTIMATES):
        raise ValueError("this is not an Estimates table")
    write_table(table, path)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
