"""Votes: how many raters, or what share of them, gave each label to a target; a soft label.

A vote is a list of numbers of at least 0, one per label in label-space order, or null; as text, which is all
that CSV has, a JSON list. Lists of another length, other text, negative and non-finite numbers, and votes
without a label space are refused.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError
from bench.tables.files import as_text, row_of

__all__ = ["with_votes"]

_LONGEST = 10_000  # characters of a vote that is text
_QUOTED = 80  # of them in a message


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
    if pa.types.is_string(column.type):
        column = _votes_in_text(as_text(column), labels, where)
    elif not _all_votes(column, len(labels)):
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


def _votes_in_text(column: pa.ChunkedArray, labels: tuple[str, ...], where: str) -> pa.ChunkedArray:
    texts = column.to_pylist()
    votes = [None if text is None else _listed_in(text) for text in texts]
    for row, (text, found) in enumerate(zip(texts, votes, strict=True)):
        if text is not None and not _is_vote(found, len(labels)):
            shown = text if len(text) <= _QUOTED else f"{text[:_QUOTED]} ..."
            kinds = 'a list in Parquet or JSON Lines, or in CSV a JSON list such as "[6, 0, 1]"'
            raise _no_vote(row_of(where, row), shown, labels, f": {kinds}")
    return pa.chunked_array([pa.array(votes, pa.list_(pa.float64()))])


def _listed_in(text: str) -> object:
    """What a JSON text holds, every number as a float; None where it is no JSON, or too long for a vote."""
    try:
        return json.loads(text, parse_int=float) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        return None


def _refuse_votes(column: list[object], labels: tuple[str, ...], where: str) -> None:
    for row, votes in enumerate(column):
        if votes is not None and not _is_vote(votes, len(labels)):
            raise _no_vote(row_of(where, row), votes, labels)


def _no_vote(where: str, found: object, labels: tuple[str, ...], kinds: str = "") -> UserError:
    return UserError(
        where, f"votes are {found!r}",
        f"Votes are a list of {len(labels)} numbers of at least 0, one per label in the order "
        f"{', '.join(labels)}{kinds}", "Correct the votes or leave them empty",
    )  # fmt: skip


def _is_vote(votes: object, length: int) -> bool:
    if not isinstance(votes, list) or len(votes) != length:
        return False
    return all(type(v) in (int, float) and 0 <= v < np.inf for v in votes)
