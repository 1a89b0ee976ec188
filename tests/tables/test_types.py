"""Columns of any Arrow type: a table holds each as text, numbers or bytes, or refuses it with a message."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import Targets, read_predictions, read_targets, validate_predictions, validate_targets

FACTS = Facts(name="x")
TARGETS = validate_targets(pa.table({"target": ["a", "b"]}), FACTS, "T")
ROWS = {"target": ["a", "b"]}


def targets_with(folder: Path, column: pa.Array, name: str) -> Targets:
    pq.write_table(pa.table({**ROWS, name: column}), folder / "T.parquet")
    return read_targets(folder / "T.parquet")


def predictions_with(folder: Path, column: pa.Array, name: str) -> pa.Table:
    pq.write_table(pa.table({**ROWS, "valence": [0.1, 0.2], name: column}), folder / "P.parquet")
    return read_predictions(folder / "P.parquet", TARGETS)


HALF = pa.array(np.array([0.5, 1001], np.float16))


@pytest.mark.parametrize(
    ("column", "text", "attribute"),
    [
        (HALF, ["0.5", "1001"], [0.5, 1001.0]),
        (pa.array([b"x", b"\xc3\xa9"]), ["x", "é"], ["x", "é"]),
        (pa.array([b"7", None], pa.large_binary()), ["7", None], [7.0, None]),
        (pa.array([b"x", b"y"], pa.binary(1)), ["x", "y"], ["x", "y"]),
        (pa.array([Decimal("1.50"), None]), ["1.50", None], [1.5, None]),
        (pa.array([86_400_000, None], pa.timestamp("ms")), ["1970-01-02 00:00:00.000", None], None),
        (pa.array([1, None], pa.date32()), ["1970-01-02", None], None),
        (pa.array([60_000, None], pa.time32("ms")), ["00:01:00.000", None], None),
        (pa.array([60, None], pa.duration("s")), ["60", None], [60.0, None]),
        (pa.array([3, 4]).dictionary_encode(), ["3", "4"], [3.0, 4.0]),
        (pa.array([b"x", b"y"]).dictionary_encode(), ["x", "y"], ["x", "y"]),
        (pa.array([2**53 + 1, 2**53]), ["9007199254740993", "9007199254740992"], None),
        (pa.array(["9007199254740993", "1"]), ["9007199254740993", "1"], None),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else None,
)
def test_what_is_text_and_what_is_numbers(
    tmp_path: Path, column: pa.Array, text: list[str | None], attribute: list[object] | None
) -> None:
    assert targets_with(tmp_path, column, "label").facts.labels
    assert targets_with(tmp_path, column, "split").table["split"].to_pylist() == text
    assert predictions_with(tmp_path, column, "fault")["fault"].to_pylist() == text
    given = targets_with(tmp_path, column, "thing")
    assert given.table["thing"].to_pylist() == (text if attribute is None else attribute)
    given.write(tmp_path / "again.parquet")
    assert read_targets(tmp_path / "again.parquet").digest == given.digest


def test_half_precision_is_a_number(tmp_path: Path) -> None:
    half = pa.array(np.array([0.25, 0.75], np.float16))
    for name in ("valence", "weight"):
        assert targets_with(tmp_path, half, name).table[name].to_pylist() == [0.25, 0.75]
    intensity = pa.array(np.array([0.25, 4.5], np.float16))
    assert targets_with(tmp_path, intensity, "au_04").table["au_04"].to_pylist() == [0.25, 4.5]
    columns = {**ROWS, "p_happy": half, "p_sad": pa.array(np.array([0.75, 0.25], np.float16))}
    rows = validate_predictions(pa.table(columns), TARGETS, "P")
    assert rows["predicted"].to_pylist() == ["sadness", "happiness"]


NOT_UTF8 = (
    " row 2: column {name!r} holds bytes that are not UTF-8. A column holds text or numbers. Write it as text, "
    "or leave it out."
)
NEITHER = (
    ": column {name!r} holds {dtype}. A column holds text or numbers. Write it as one or several columns of text "
    "or numbers, or leave it out."
)
UUIDS = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, b"1" * 16], pa.binary(16)))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([b"x", b"\xff"]), NOT_UTF8),
        (pa.array([b"x", b"\xff"], pa.large_binary()), NOT_UTF8),
        (pa.array([b"x", b"\xff"], pa.binary(1)), NOT_UTF8),
        (pa.array([b"x", b"\xff"]).dictionary_encode(), NOT_UTF8),
        (pa.array([[1], [2]]), NEITHER),
        (pa.array([[1], [2]], pa.list_(pa.int64(), 1)), NEITHER),
        (pa.array([{"x": 1}, None]), NEITHER),
        (pa.array([[("x", 1)], None], pa.map_(pa.string(), pa.int64())), NEITHER),
        (pa.array([0, 1], pa.timestamp("us", "Mars/Olympus")), NEITHER),
        (UUIDS, NEITHER),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else None,
)
@pytest.mark.parametrize("name", ["target", "label", "subject", "valence", "au_04", "thing"])
def test_what_no_table_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: pa.Array, message: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        targets_with(Path(), column, name)
    dtype = read_type("T.parquet", name)
    assert str(caught.value) == "T.parquet" + message.format(name=name, dtype=dtype)
    for ours in ("target", "status", "predicted", "valence", "au_04", "p_happy", "fault"):
        with pytest.raises(UserError) as caught:
            predictions_with(Path(), column, ours)
        dtype = read_type("P.parquet", ours)
        assert str(caught.value) == "P.parquet" + message.format(name=ours, dtype=dtype)


def read_type(path: str, name: str) -> pa.DataType:
    """The type as the file gives it back: Parquet renames the fields within nested types."""
    with pq.ParquetFile(path) as file:
        return file.schema_arrow.field(name).type


@pytest.mark.parametrize("dtype", [pa.list_(pa.date32()), pa.list_(pa.timestamp("us", "Mars/Olympus"))])
def test_votes_are_lists_of_numbers(dtype: pa.DataType) -> None:
    with pytest.raises(UserError) as caught:
        validate_targets(pa.table({**ROWS, "votes": pa.array([[2**31 - 1], None], dtype)}), FACTS, "T")
    assert str(caught.value) == "T" + NEITHER.format(name="votes", dtype=dtype)


@pytest.mark.parametrize(
    "dtype",
    [pa.binary(), pa.large_binary(), pa.binary(2), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())],
)
def test_media_bytes_are_bytes_as_they_are(tmp_path: Path, dtype: pa.DataType) -> None:
    held = [b"\xff\0", b"ab"]
    given = targets_with(tmp_path, pa.array(held, pa.binary()).cast(dtype), "media_bytes")
    assert given.table["media_bytes"].to_pylist() == held


def test_media_bytes_may_be_empty_in_every_row(tmp_path: Path) -> None:
    (tmp_path / "T.csv").write_text("target,media_bytes\na,\nb,\n", encoding="utf-8")
    assert read_targets(tmp_path / "T.csv").table["media_bytes"].to_pylist() == [None, None]


WIDTHS = [
    pa.bool_(), pa.int8(), pa.uint16(), pa.int32(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(),
    pa.decimal32(5, 2), pa.decimal64(15, 3), pa.decimal128(30, 4), pa.decimal256(60, 5), pa.date32(), pa.date64(),
    pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.timestamp("s"), pa.timestamp("ms"),
    pa.timestamp("us", "UTC"), pa.timestamp("ns", "Europe/Paris"), pa.duration("s"), pa.duration("ns"), pa.binary(3),
    pa.month_day_nano_interval(),
]  # fmt: skip
TEXT = [pa.string(), pa.large_string(), pa.string_view()]
BYTES = [pa.binary(), pa.large_binary(), pa.binary_view()]


def wrap_list(column: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays([0, 1, 2], column)


def wrap_struct(column: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([column], ["x"])


def wrap_dictionary(column: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), column)


@st.composite
def columns(draw: st.DrawFn) -> pa.Array:
    """Two values of any bits in any type, some null, some within a list, struct or dictionary."""
    dtype = draw(st.sampled_from([*WIDTHS, *TEXT, *BYTES]))
    if dtype in WIDTHS:
        size = -(-2 * dtype.bit_width // 8)
        bits = pa.py_buffer(draw(st.binary(min_size=size, max_size=size)))
        valid = pa.py_buffer(bytes([draw(st.integers(0, 3))]))
        column = pa.Array.from_buffers(dtype, 2, [valid, bits])
    else:
        value = st.none() | (st.text(max_size=3) if dtype in TEXT else st.binary(max_size=3))
        column = pa.array(draw(st.lists(value, min_size=2, max_size=2)), dtype)
    return draw(st.sampled_from([pa.array, wrap_list, wrap_struct, wrap_dictionary]))(column)


NAMES = [
    "target",
    "status",
    "predicted",
    "label",
    "subject",
    "frame",
    "valence",
    "weight",
    "au_04",
    "p_happy",
]
NAMES += ["votes", "media_bytes", "fault", "thing"]


@given(columns(), st.sampled_from(NAMES))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_column_is_held_or_refused(tmp_path: Path, column: pa.Array, name: str) -> None:
    """No exception but UserError, in memory and by way of a file; what is held is held after a rewrite too."""
    table = pa.table({**ROWS, "label": ["happy", "sad"], "valence": [0.1, 0.2], name: column})
    path = tmp_path / "any.parquet"
    with suppress(pa.ArrowException):  # Parquet cannot hold all; then the last file is read once more
        pq.write_table(table, path)
    for read in (lambda: validate_targets(table, FACTS, "T"), lambda: read_targets(path, FACTS)):
        with suppress(UserError):
            held = read()
            held.write(tmp_path / "again.parquet")
            assert read_targets(tmp_path / "again.parquet").digest == held.digest
    with suppress(UserError):
        validate_predictions(table, TARGETS, "P")
    with suppress(UserError):
        read_predictions(path, TARGETS)
