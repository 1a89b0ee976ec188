"""Votes are one list of numbers per label, or nothing."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import Targets, validate_targets


def targets(columns: dict[str, object]) -> Targets:
    return validate_targets(pa.table(columns), Facts(name="small"), "T")


@pytest.mark.parametrize(
    "dtype", [pa.list_(pa.int64()), pa.large_list(pa.float64()), pa.list_(pa.float64(), 7)]
)
def test_votes_of_any_list_become_float64(dtype: pa.DataType) -> None:
    votes = [[1, 2, 3, 0, 0, 0, 4], None]
    given = targets({"target": ["a", "b"], "label": ["happy", "sad"], "votes": pa.array(votes, dtype)})
    assert given.table.schema.field("votes").type == pa.list_(pa.float64())
    assert given.table["votes"].to_pylist() == votes


@pytest.mark.parametrize(
    "bad", [[1.0] * 6, [1.0] * 6 + [-1.0], [1.0] * 6 + [float("nan")], [1.0] * 6 + [None]]
)
def test_votes_that_are_none(bad: list[float | None]) -> None:
    with pytest.raises(UserError, match="T row 2: votes are"):
        targets({"target": ["a", "b"], "label": ["happy", "sad"], "votes": [[1.0] * 7, bad]})


def test_votes_may_be_absent_everywhere() -> None:
    given = targets({"target": ["a"], "label": ["happy"], "votes": pa.nulls(1)})
    assert given.table["votes"].to_pylist() == [None]


def test_votes_of_text_are_refused() -> None:
    with pytest.raises(UserError, match="votes are"):
        targets({"target": ["a"], "label": ["happy"], "votes": [["1"] * 7]})
