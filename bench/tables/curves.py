"""Curves: one tidy table of the points that diagrams are drawn from, and of the counts of grids.

A row is a point of one curve of one slice value; of the whole, ``slice`` and ``value`` are null. A suppressed
point carries no number but the edges of its bin, which are the same for all data.

``reliability``: a bin of confidence, (``low``, ``high``] (the first holds 0); ``x`` the mean confidence of
its rows, ``y`` their accuracy, ``n`` how many there are; x and y are null in a bin without rows.
``risk_coverage``: the rows whose confidence is at least ``low``; ``x`` their share of the rows with
probabilities, the coverage, ``y`` their error rate, the risk, ``n`` how many there are; ``high`` is null.

Grids (``bench.judge.grids``) are of the whole alone, on clean media: a point is one place of a table.
``confusion``: ``low`` the number of the true label in the label space, ``high`` that of the decision, or
how many labels there are where nothing was decided; ``n`` rows, ``x`` their share of the rows of the label.
``affect_labels``, ``affect_outputs``: a square of valence and arousal, ``low`` and ``high`` its lower
edges, ``SQUARE`` wide, the outer ones open; ``n`` rows. ``quadrant_labels``, ``quadrant_outputs``: by the
quadrant that the label lies in, with its lower edges, -1 or 0; ``x`` mean valence, ``y`` mean arousal,
``n`` rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.tables.files import write_table

__all__ = [
    "AFFECT_LABELS", "AFFECT_OUTPUTS", "CONFUSION", "CURVES", "GRIDS", "QUADRANT_LABELS", "QUADRANT_OUTPUTS",
    "RELIABILITY", "RISK_COVERAGE", "SQUARE", "curves_table", "write_curves",
]  # fmt: skip

RELIABILITY, RISK_COVERAGE = "reliability", "risk_coverage"
CONFUSION = "confusion"
AFFECT_LABELS, AFFECT_OUTPUTS = "affect_labels", "affect_outputs"
QUADRANT_LABELS, QUADRANT_OUTPUTS = "quadrant_labels", "quadrant_outputs"
GRIDS = (CONFUSION, AFFECT_LABELS, AFFECT_OUTPUTS, QUADRANT_LABELS, QUADRANT_OUTPUTS)
SQUARE = 0.25

CURVES = pa.schema(
    [
        *((name, pa.string()) for name in ("model", "dataset", "condition")),
        ("severity", pa.int64()),
        *((name, pa.string()) for name in ("where", "slice", "value", "curve")),
        *((name, pa.float64()) for name in ("low", "high", "x", "y")),
        ("n", pa.int64()),
        ("status", pa.string()),
    ]
)


def curves_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Build the table from rows; NaN becomes null, a row without a column or with another is refused."""
    for row in rows:
        if set(row) != set(CURVES.names):
            raise ValueError(f"not the columns of Curves: {sorted(set(row) ^ set(CURVES.names))}")
    columns = [pa.array([_plain(row[field.name]) for row in rows], field.type) for field in CURVES]
    return pa.Table.from_arrays(columns, schema=CURVES)


def write_curves(table: pa.Table, path: Path) -> None:
    """Write the table as Parquet after checking its schema; without a row there is no file."""
    if not table.schema.equals(CURVES):
        raise ValueError("this is not a Curves table")
    if len(table):
        write_table(table, path)
    else:
        path.unlink(missing_ok=True)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value
