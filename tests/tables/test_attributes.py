"""Attributes that are joined to targets: by what, where they come from, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import read_targets, validate_targets
from bench.tables.attributes import carried_measurement, described, join_attributes

ROWS = [
    {"target": "a", "clip": "1", "subject": "s2", "label": "happiness", "sex": "f"},
    {"target": "b", "clip": "1", "subject": "s1", "label": "neutral", "sex": "m"},
    {"target": "c", "clip": "2", "subject": "s2", "label": "happiness", "sex": "m"},
]


@pytest.fixture
def targets():
    facts = Facts(name="t", attributes={"sex": "self-reported"})
    return validate_targets(pa.Table.from_pylist(ROWS), facts, "T.csv")


def write(tmp_path, text):
    path = tmp_path / "A.csv"
    path.write_text(text)
    return path


def test_by_target_in_any_order_and_what_is_not_there_is_unmeasured(targets, tmp_path):
    joined = join_attributes(targets, write(tmp_path, "target,yaw,light\nc,-3.5,dim\na,12,\n"))
    assert joined.table["target"].to_pylist() == ["a", "b", "c"]
    assert joined.table["yaw"].to_pylist() == [12, None, -3.5]
    assert joined.table["light"].to_pylist() == [None, None, "dim"]
    assert joined.attributes == ("sex", "yaw", "light")
    assert joined.facts.attributes == {"sex": "self-reported", "yaw": "given", "light": "given"}
    assert joined.table.select(targets.table.column_names).equals(targets.table)
    assert joined.digest != targets.digest
    assert joined.where == targets.where


@pytest.mark.parametrize(
    ("text", "expected"),
    [("subject,age\ns1,30\ns2,40\n", [40, 30, 40]), ("clip,age\n2,7\n1,5\n", [5, 5, 7])],
)
def test_by_subject_or_clip_all_their_targets_get_it(targets, tmp_path, text, expected):
    assert join_attributes(targets, write(tmp_path, text)).table["age"].to_pylist() == expected


def test_numbers_that_name_clips_are_met_as_text(targets, tmp_path):
    path = tmp_path / "A.parquet"
    pq.write_table(pa.table({"clip": [2.0, 1.0], "age": [7, 5]}), path)
    assert join_attributes(targets, path).table["age"].to_pylist() == [5, 5, 7]


def test_a_measured_table_says_so_and_the_facts_travel(targets, tmp_path):
    table = pa.table({"target": ["a", "b", "c"], "yaw": [1.0, 2.0, None]})
    pq.write_table(described(table, {"version": 1}), tmp_path / "m.parquet")
    assert carried_measurement(tmp_path / "m.parquet") == {"version": 1}
    joined = join_attributes(targets, tmp_path / "m.parquet")
    assert joined.facts.attributes["yaw"] == "measured"
    joined.write(tmp_path / "targets.parquet")
    again = read_targets(tmp_path / "targets.parquet")
    assert (again.facts.attributes["yaw"], again.digest) == ("measured", joined.digest)


def test_the_same_values_from_another_source_are_another_digest(targets, tmp_path):
    table = pa.table({"target": ["a", "b", "c"], "yaw": [1.0, 2.0, None]})
    pq.write_table(table, tmp_path / "g.parquet")
    pq.write_table(described(table, {}), tmp_path / "m.parquet")
    given, measured = (join_attributes(targets, tmp_path / f"{name}.parquet") for name in "gm")
    assert given.table.equals(measured.table)
    assert given.digest != measured.digest


def test_a_measured_table_that_was_changed_is_no_measured_one(targets, tmp_path):
    table = described(pa.table({"target": ["a", "b", "c"], "yaw": [1.0, 2.0, None]}), {"version": 1})
    path = tmp_path / "m.parquet"
    for changed in (table.append_column("race", [["x", "y", "x"]]), table.slice(0, 2)):
        pq.write_table(changed, path)
        assert carried_measurement(path) is None
        joined = join_attributes(targets, path)
        assert set(joined.facts.attributes.values()) == {"self-reported", "given"}


def test_what_somebody_adds_to_public_attributes_is_not_public(targets, tmp_path):
    public = replace(targets, facts=targets.facts.model_copy(update={"attributes_public": True}))
    given = join_attributes(public, write(tmp_path, "subject,ill\ns1,yes\ns2,no\n"))
    assert not given.facts.attributes_public
    measured = pa.table({"target": ["a", "b", "c"], "yaw": [1.0, 2.0, None]})
    pq.write_table(described(measured, {}), tmp_path / "m.parquet")
    assert join_attributes(public, tmp_path / "m.parquet").facts.attributes_public


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "target,yaw\na,1\nx,2\ny,3\n",
            "A.csv row 2: no target has target 'x'; so it is with 2 of 3 rows. The targets have: a, b, c ... "
            "Correct the column 'target', or leave the rows out that are not of these targets.",
        ),
        (
            "target,yaw\na,1\nb,2\na,3\n",
            "A.csv row 3: target 'a' was already in row 1. Every target has one row. Rename or remove one of them.",
        ),
        (
            "subject,yaw\ns1,1\ns1,2\n",
            "A.csv row 2: subject 's1' was already in row 1. Every subject has one row. Rename or remove one of them.",
        ),
        ("clip,yaw\n1,1\n,2\n", "A.csv row 2: the clip is empty. Every row names its clip. Fill it or remove the row."),
        (
            "target,sex\na,f\n",
            "A.csv: the targets have a column 'sex' already. An attribute has one source. Rename it in the file, or "
            "leave it out of one of the two.",
        ),
        (
            "id,yaw\na,1\n",
            "A.csv: it has no column target, clip or subject. Attributes are of targets, clips or subjects; it has: "
            "id, yaw. Add the column that names them.",
        ),
        (
            "target\na\n",
            "A.csv: it has no attribute. Every column but the one that names the rows is an attribute. Add columns, "
            "or leave --attributes out.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_refused(targets, tmp_path, monkeypatch, text, said):
    path = write(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        join_attributes(targets, path.relative_to(tmp_path))
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "name", ["label", "fold", "clip", "subject", "au_12", "predicted", "p_happiness", "votes"]
)
def test_what_is_no_attribute_is_refused(targets, tmp_path, name):
    with pytest.raises(UserError, match=f"column '{name}' is no attribute. Not attributes: .*media_bytes"):
        join_attributes(targets, write(tmp_path, f"target,{name}\na,1\n"))


def test_a_key_that_the_targets_lack_is_refused(tmp_path):
    rows = [{"target": "a", "label": "happiness"}]
    targets = validate_targets(pa.Table.from_pylist(rows), Facts(name="t"), "T.csv")
    with pytest.raises(UserError, match="it is joined by 'subject', and the targets have no such column"):
        join_attributes(targets, write(tmp_path, "subject,age\ns,3\n"))
