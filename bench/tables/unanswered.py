"""Rows of predictions that are ok and answer nothing: counted as wrong, and more likely a fault of the file.

Only where labels are all that decides: beside probabilities an empty label is a tie at the top, and a table
of other outputs without any label gives none.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import counted, listed
from bench.tables.targets import AFFECT

__all__ = ["unanswered"]


def unanswered(predictions: pa.Table, where: str) -> str | None:
    """What to say of valid predictions with ok rows that name no label; None where there are none."""
    named, columns = predictions["predicted"], predictions.column_names
    others = any(name in AFFECT or name.startswith("au_") for name in columns)
    if any(name.startswith("p_") for name in columns) or (others and named.null_count == len(named)):
        return None
    empty = predictions.filter(pc.and_(pc.equal(predictions["status"], "ok"), pc.is_null(named)))["target"]
    if not len(empty):
        return None
    rows, first = counted(len(predictions), "row"), listed(empty[:3].to_pylist())
    more = ", ..." if len(empty) > 3 else ""
    return (
        f"{where}: in {len(empty):,} of {rows} the status is ok and 'predicted' is empty ({first}{more}), "
        "which counts as wrong. Give a status such as abstained or no_face where the model gave no label"
    )
