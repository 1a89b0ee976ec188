from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bench.tables.files
from bench.errors import UserError
from bench.tables.files import as_numbers, as_text, read_table, write_table
from bench.tables.plain import plain

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


def put(tmp_path: Path, name: str, content: str) -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_csv_arrives_as_written(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([("a,\n", "b"), *rows])
    expected = [{"a,\n": a or None, "b": b or None} for a, b in rows]
    assert read_table(path).to_pylist() == expected


def test_csv_keeps_leading_zeros_dates_and_words(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "t.csv", "a,b,c,d\n007,2024-01-01,NA,true\n1e3,,nan,\n"))
    assert table.to_pydict() == {
        "a": ["007", "1e3"], "b": ["2024-01-01", None], "c": ["NA", "nan"], "d": ["true", None],
    }  # fmt: skip


def test_csv_of_a_spreadsheet_with_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    assert read_table(path).to_pylist() == [{"a": "1", "b": "2"}]


def test_json_lines_keep_what_looks_like_a_date(tmp_path: Path) -> None:
    lines = '{"target": "2024-01-01", "n": 1}\n{"target": "2024-01-02 10:00:00", "n": null}\n'
    table = read_table(put(tmp_path, "t.jsonl", lines))
    assert table.to_pylist() == [
        {"target": "2024-01-01", "n": 1},
        {"target": "2024-01-02 10:00:00", "n": None},
    ]


def test_json_lines_row_is_named_within_the_first_block_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "t.jsonl", '{"a": 1}\n{"a": 2 3}\n')
    with pytest.raises(UserError, match=r"after an object member in row 2. A file"):
        read_table(path)
    monkeypatch.setattr(bench.tables.files, "_BLOCK", 16)
    with pytest.raises(UserError, match=r"after an object member. A file"):
        read_table(path)


def test_not_utf8_beyond_the_first_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.tables.files, "_BLOCK", 8)
    path = tmp_path / "t.csv"
    path.write_bytes("a,b\né,2\n3,4\n".encode() + b"5,\xff\n")
    with pytest.raises(UserError) as caught:
        read_table(path)
    assert caught.value.where == f"{path}:4"
    path.write_bytes(b"a,b\n1,\xc3")  # cut within a character
    with pytest.raises(UserError, match="byte 0xc3 is not UTF-8"):
        read_table(path)


def test_long_cause_is_cut(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_table(put(tmp_path, "t.jsonl", f'{{"a": 1}}\n{{"a": 1, "{"b" * 500}": 1, "{"b" * 500}": 2}}\n'))
    assert caught.value.found.endswith(" ...")
    assert len(caught.value.found) < 220


def test_csv_field_that_never_ends(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: field larger than field limit"):
        read_table(put(tmp_path, "t.csv", f'"{"x" * 140_000}'))


def test_parquet_is_not_read_by_the_names_of_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "label=happy" / "t.parquet"
    write_table(pa.table({"target": ["a"]}), path)
    assert read_table(path).column_names == ["target"]


def test_parquet_with_text_that_is_not_utf8(tmp_path: Path) -> None:
    offsets, data = pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")
    pq.write_table(pa.table({"x": pa.StringArray.from_buffers(1, offsets, data)}), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="Invalid UTF8"):
        read_table(tmp_path / "t.parquet")


def test_parquet_with_two_columns_of_a_name(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * 2, names=["x", "x"]), tmp_path / "t.parquet")
    with pytest.raises(UserError, match="two columns are named 'x'"):
        read_table(tmp_path / "t.parquet")


def test_written_parquet_depends_on_the_rows_alone(tmp_path: Path) -> None:
    table = pa.table({"a": ["x", "y", "z"]})
    write_table(table, tmp_path / "one" / "t.parquet")
    write_table(pa.concat_tables([table.slice(0, 1), table.slice(1)]), tmp_path / "u.parquet")
    assert (tmp_path / "one" / "t.parquet").read_bytes() == (tmp_path / "u.parquet").read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["t.parquet"]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1001.0, None]), ["1001", None]),
        (pa.array([1.5, 2.0]), ["1.5", "2"]),
        (pa.array([float("nan"), 3.0]), [None, "3"]),
        (pa.array([1e300]), ["1e+300"]),
        (pa.array([7, None]), ["7", None]),
        (pa.array(["a ", "", " \t"]), ["a ", None, None]),
        (pa.array([True]), ["true"]),
    ],
)
def test_as_text(column: pa.Array, expected: list[str | None]) -> None:
    assert as_text(pa.chunked_array([column])).to_pylist() == expected


@pytest.mark.parametrize(
    ("column", "dtype", "expected"),
    [
        (["1", " 2 ", None], pa.int64(), [1, 2, None]),
        (["3.0"], pa.int64(), [3]),
        (["-1e-3"], pa.float64(), [-0.001]),
        (pa.array([1, None], pa.int8()), pa.float64(), [1.0, None]),
        (pa.nulls(2), pa.float64(), [None, None]),
    ],
)
def test_as_numbers(column: object, dtype: pa.DataType, expected: list[float | None]) -> None:
    assert as_numbers(pa.table({"x": column}), "x", "T", dtype).to_pylist() == expected


@pytest.mark.parametrize(
    ("column", "dtype", "found"),
    [
        (["1", "one"], pa.float64(), "T row 2: column 'x' holds 'one'"),
        (["1", "2.5"], pa.int64(), "T row 2: column 'x' holds '2.5'. The column holds whole numbers"),
        (pa.array([1.0, None, 2.5]), pa.int64(), "T row 3: column 'x' holds '2.5'"),
        (pa.array([0], pa.date32()), pa.float64(), "T row 1: column 'x' holds '1970-01-01'"),
    ],
)
def test_as_numbers_names_the_row(column: object, dtype: pa.DataType, found: str) -> None:
    with pytest.raises(UserError) as caught:
        as_numbers(pa.table({"x": column}), "x", "T", dtype)
    assert str(caught.value).startswith(found)


def test_plain_undoes_encodings() -> None:
    text = pa.array(["a", "b"])
    table = pa.table(
        {"d": text.dictionary_encode(), "l": text.cast(pa.large_string()), "v": text.cast(pa.string_view())}
    )
    assert [str(dtype) for dtype in plain(table, "T").schema.types] == ["string"] * 3
    assert plain(table.replace_schema_metadata({"a": "b"}), "T").schema.metadata is None
