"""The digests: known values, and the laws that make them keys."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.digest import canonical_json, digest_bytes, digest_file, digest_json, digest_table

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
COLUMNS = {
    "text": (st.none() | st.text(st.characters(codec="utf-8"), max_size=5), pa.string()),
    "bytes": (st.none() | st.binary(max_size=5), pa.binary()),
    "number": (st.none() | st.floats(allow_nan=False), pa.float64()),
    "count": (st.none() | st.integers(-(2**63), 2**63 - 1), pa.int64()),
    "yes": (st.none() | st.booleans(), pa.bool_()),
    "votes": (st.none() | st.lists(st.none() | st.floats(0, 9), max_size=3), pa.list_(pa.float64())),
    "words": (st.none() | st.lists(st.sampled_from(["a", "bc"]), max_size=3), pa.list_(pa.string())),
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 8))
    names = draw(st.lists(st.sampled_from(sorted(COLUMNS)), unique=True, max_size=4))
    columns = {
        name: pa.array(draw(st.lists(COLUMNS[name][0], min_size=rows, max_size=rows)), COLUMNS[name][1])
        for name in names
    }
    return pa.table(columns)


@given(PLAIN)
def test_canonical_json_round_trips(value: Any) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_canonical_json_ignores_the_order_of_keys(value: dict[str, int]) -> None:
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")], {"a": {"b": float("nan")}}])
def test_canonical_json_refuses_what_is_not_finite(value: Any) -> None:
    with pytest.raises(ValueError, match="finite floats"):
        canonical_json(value)


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, {"a": Path("x")}, [b"x"], {1, 2}, np.float32(1)])
def test_canonical_json_refuses_other_types(value: Any) -> None:
    with pytest.raises(TypeError, match="canonical JSON takes"):
        canonical_json(value)


def test_known_digests(tmp_path: Path) -> None:
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert digest_bytes(b"abc") == abc
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_file(tmp_path / "abc") == abc
    assert digest_json({"b": 1, "a": "é"}) == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()


def test_digest_of_a_file_longer_than_a_block(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "x").write_bytes(data)
    assert digest_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_digest_of_a_table_is_the_sha256_of_its_parts() -> None:
    """Written out by hand once: header, null bits, lengths, values."""
    table = pa.table({"a": pa.array(["xy", None, "z"]), "n": pa.array([1.5, 2.0, None])})
    parts = [
        b'["a","large_string",3]', bytes([0b01000000]), np.array([2, 0, 1]).tobytes(), b"xyz",
        b'["n","double",3]', bytes([0b00100000]), np.array([1.5, 2.0, 0.0]).tobytes(),
    ]  # fmt: skip
    assert digest_table(table) == hashlib.sha256(b"".join(parts)).hexdigest()


@given(tables(), st.data())
def test_digest_is_independent_of_chunks(table: pa.Table, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, table.num_rows))
    again = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    assert digest_table(again) == digest_table(table)


@given(tables(), st.data())
def test_digest_of_a_slice_is_that_of_the_same_rows_alone(table: pa.Table, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, table.num_rows))
    length = data.draw(st.integers(0, table.num_rows))
    part = table.slice(start, length)
    alone = pa.Table.from_pylist(part.to_pylist(), schema=table.schema)
    assert digest_table(part) == digest_table(alone)


@given(tables(), tables())
def test_different_tables_have_different_digests(one: pa.Table, other: pa.Table) -> None:
    def bits(
        table: pa.Table,
    ) -> str:  # 0.0 == -0.0, and equal() takes NaN for different: compare what is written
        return repr((table.schema.to_string(), table.num_rows * bool(table.num_columns), table.to_pylist()))

    assert (digest_table(one) == digest_table(other)) == (bits(one) == bits(other))


def test_digest_moves_with_name_order_type_null_and_value() -> None:
    table = pa.table({"a": ["x", "y"], "b": [1, 2]})
    others = [
        table.rename_columns(["a", "c"]),
        table.select(["b", "a"]),
        table.take([1, 0]),
        table.set_column(1, "b", pa.array([1.0, 2.0])),
        table.set_column(1, "b", pa.array([1, None])),
        table.set_column(1, "b", pa.array([1, 0])),
        table.set_column(0, "a", pa.array(["xy", ""])),
        table.set_column(0, "a", pa.array(["", "xy"])),
    ]
    assert len({digest_table(t) for t in (table, *others)}) == len(others) + 1


def test_digest_is_independent_of_encoding_and_format(tmp_path: Path) -> None:
    table = pa.table(
        {"a": pa.array(["x", None, "x"]), "v": pa.array([[1.0], None, []], pa.list_(pa.float64()))}
    )
    forms = [
        table.set_column(0, "a", table["a"].dictionary_encode()),
        table.set_column(0, "a", table["a"].cast(pa.large_string())),
        table.set_column(0, "a", table["a"].cast(pa.string_view())),
        table.set_column(1, "v", table["v"].cast(pa.large_list(pa.float64()))),
    ]
    pq.write_table(table, tmp_path / "t.parquet")
    forms.append(pq.read_table(tmp_path / "t.parquet"))
    assert {digest_table(form) for form in forms} == {digest_table(table)}


def test_digest_ignores_what_lies_under_a_null() -> None:
    mask = np.array([False, True])
    one = pa.table({"a": pa.array(np.array([1.0, 2.0]), mask=mask)})
    other = pa.table({"a": pa.array(np.array([1.0, 3.0]), mask=mask)})
    assert digest_table(one) == digest_table(other)


def test_digest_of_empty_columns() -> None:
    nothing = [pa.table({"a": pa.array([], dtype)}) for dtype in (pa.string(), pa.float64(), pa.null())]
    assert len({digest_table(table) for table in nothing}) == 3
    assert digest_table(pa.table({"a": pa.nulls(2)})) != digest_table(pa.table({"a": pa.nulls(3)}))
    assert digest_table(pa.table({"a": pa.chunked_array([], pa.string())})) == digest_table(nothing[0])


def test_digest_refuses_other_columns() -> None:
    with pytest.raises(TypeError, match="not struct"):
        digest_table(pa.table({"a": [{"x": 1}]}))
