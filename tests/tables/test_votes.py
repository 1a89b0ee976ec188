"""Votes are one list of numbers per label, or nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import Targets, read_targets, validate_targets


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


def text_votes(*votes: str | None) -> Targets:
    rows = len(votes)
    return targets({"target": [f"t{i}" for i in range(rows)], "label": ["happy"] * rows, "votes": [*votes]})


def test_votes_of_a_csv_are_json_lists(tmp_path: Path) -> None:
    path = tmp_path / "T.csv"
    path.write_text(
        'target,label,votes\na,happy,"[6, 0, 1, 0, 0, 0, 2.5]"\nb,sad,\nc,sad,"  "\nd,sad,"[0,1,0,0,0,0,1e2]"\n'
    )
    given = read_targets(path)
    assert given.table.schema.field("votes").type == pa.list_(pa.float64())
    assert given.table["votes"].to_pylist() == [[6, 0, 1, 0, 0, 0, 2.5], None, None, [0, 1, 0, 0, 0, 0, 100]]
    lists = pa.array([[6, 0, 1, 0, 0, 0, 2.5], None, None, [0, 1, 0, 0, 0, 0, 100]])
    columns = {"target": ["a", "b", "c", "d"], "label": ["happy", "sad", "sad", "sad"], "votes": lists}
    assert targets(columns).digest == validate_targets(given.table, Facts(name="small"), "T").digest


@pytest.mark.parametrize(
    "bad",
    [
        "6 0 1 0 0 0 0", "[6, 0, 1]", "[6, 0, 1, 0, 0, 0, -1]", "[6, 0, 1, 0, 0, 0, NaN]", "7", '{"happiness": 7}',
        "[6, 0, 1, 0, 0, 0, true]", "[6, 0, 1, 0, 0, 0, null]", '[6, 0, 1, 0, 0, 0, "1"]', "[6, 0, 1, 0, 0, 0, 0",
        f"[6, 0, 1, 0, 0, 0, 1{'0' * 400}]", "[" * 9999, "null",
    ],
)  # fmt: skip
def test_text_that_is_no_list_of_numbers(bad: str) -> None:
    shown = bad if len(bad) <= 80 else f"{bad[:80]} ..."
    with pytest.raises(UserError) as caught:
        text_votes("[6, 0, 1, 0, 0, 0, 0]", bad)
    assert str(caught.value) == (
        f"T row 2: votes are {shown!r}. Votes are a list of 7 numbers of at least 0, one per label in the order "
        "neutral, happiness, sadness, surprise, fear, disgust, anger: a list in Parquet or JSON Lines, or in CSV "
        'a JSON list such as "[6, 0, 1]". Correct the votes or leave them empty.'
    )


def test_text_longer_than_any_vote_is_not_parsed() -> None:
    vote = "[6, 0, 1, 0, 0, 0, 0]"
    assert text_votes(vote.ljust(10_000)).table["votes"].to_pylist() == [[6, 0, 1, 0, 0, 0, 0]]
    with pytest.raises(UserError, match="T row 1: votes are"):
        text_votes(vote.ljust(10_001))


def test_votes_of_text_are_refused() -> None:
    with pytest.raises(UserError, match="votes are"):
        targets({"target": ["a"], "label": ["happy"], "votes": [["1"] * 7]})
