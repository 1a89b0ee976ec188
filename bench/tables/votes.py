"""Votes: how many raters, or what share of them, gave each label to a target; a soft label.

A vote is a list of numbers of at least 0, one per label in label-space order, or null. Lists of another
length, negative and non-finite numbers, and votes without a label space are refused.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError
from bench.tables.files import row_of

__all__ = ["with_votes"]


def with_votes(table: pa.Table, labels: tuple[str, ...], where: str) -> pa.Table:
    """The table with ``votes``, if it has them, as lists of float64; UserError for what is no vote."""
    if "votes" not in table.column_names:
        return table
    if not labels:
        raise UserError(
            where, "there are votes but no label space", "Votes stand in the order of the labels",
            "Declare the space with --labels, or give a label column",
        )  # fmt: skip
    column = table["votes"]
    if column.null_count == len(column):
        column = pa.chunked_array([pa.nulls(len(column), pa.list_(pa.float64()))])
    if not _all_votes(column, len(labels)):
        _refuse_votes(column.to_pylist(), labels, where)
    votes = column.cast(pa.list_(pa.float64()))
    return table.set_column(table.column_names.index("votes"), "votes", votes)


def _all_votes(column: pa.ChunkedArray, length: int) -> bool:
    """Whether every value is null or a vote, without a Python object per value."""
    if not pa.types.is_list(column.type):
        return False
    values = column.combine_chunks().flatten()
    if values.null_count or not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        return False
    numbers = values.to_numpy()
    lengths = pc.list_value_length(column).drop_null().to_numpy()
    return bool((lengths == length).all() and (numbers >= 0).all() and np.isfinite(numbers).all())


def _refuse_votes(column: list[object], labels: tuple[str, ...], where: str) -> None:
    for row, votes in enumerate(column):
        if votes is not None and not _is_vote(votes, len(labels)):
            raise UserError(
                row_of(where, row), f"votes are {votes!r}",
                f"Votes are a list of {len(labels)} numbers of at least 0, one per label in the order "
                f"{', '.join(labels)}", "Correct the votes or leave them empty",
            )  # fmt: skip


def _is_vote(votes: object, length: int) -> bool:
    if not isinstance(votes, list) or len(votes) != length:
        return False
    return all(isinstance(v, int | float) and 0 <= v < np.inf for v in votes)
