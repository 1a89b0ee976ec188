from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.labels import CREMA_6, EKMAN_7
from bench.spec import Facts
from bench.tables import Targets, read_targets, validate_targets, write_table

FACTS = Facts(name="small")


def targets(columns: dict[str, object], facts: Facts = FACTS) -> Targets:
    return validate_targets(pa.table(columns), facts, "T")


def test_labels_become_the_fields_nouns_in_an_inferred_space() -> None:
    given = targets({"target": ["a", "b", "c"], "label": ["Happy", None, "sadness"]})
    assert given.table["label"].to_pylist() == ["happiness", None, "sadness"]
    assert (given.space, len(given)) == (EKMAN_7, 3)


def test_declared_space_holds() -> None:
    facts = Facts(name="x", labels=CREMA_6.labels, label_space="crema-6")
    assert targets({"target": ["a"], "label": ["ANG"]}, facts).table["label"].to_pylist() == ["anger"]
    with pytest.raises(UserError, match="label 'surprise' is not in the label space crema-6"):
        targets({"target": ["a"], "label": ["surprise"]}, facts)


def test_labels_that_are_all_empty_give_no_space() -> None:
    assert targets({"target": ["a"], "label": [None]}).space.labels == ()


@pytest.mark.parametrize(
    ("columns", "unit", "cluster"),
    [
        ({"subject": ["s", "s"]}, "person", "subject"),
        ({"clip": ["c", "c"]}, "video", "clip"),
        ({}, "clip", "target"),
    ],
)
def test_cluster_is_the_largest_that_is_known(columns: dict[str, object], unit: str, cluster: str) -> None:
    given = targets({"target": ["a", "b"], **columns})
    assert (given.facts.cluster_unit, given.cluster) == (unit, cluster)


def test_declared_cluster_is_never_replaced() -> None:
    person = Facts(name="x", cluster_unit="person")
    with pytest.raises(UserError, match="column 'subject' is missing"):
        targets({"target": ["a"], "clip": ["c"]}, person)
    video = Facts(name="x", cluster_unit="video")
    assert targets({"target": ["a"], "clip": ["c"], "subject": ["s"]}, video).cluster == "clip"


def test_attributes_are_numbers_where_all_values_are() -> None:
    given = targets(
        {
            "target": ["a", "b", "c"], "age": ["20", None, "31.5"], "gender": ["f", "m", None],
            "zip": ["007", "1", "x"], "nothing": pa.nulls(3), "glasses": [True, False, None],
            "pose": [1.0, float("nan"), 3.0], "born": pa.array([0, 1, None], pa.date32()),
            "au_04": ["0", "1", None],
        }
    )  # fmt: skip
    rows = given.table.to_pydict()
    assert rows["age"] == [20.0, None, 31.5]
    assert rows["gender"] == ["f", "m", None]
    assert rows["zip"] == ["007", "1", "x"]
    assert rows["nothing"] == [None] * 3
    assert rows["glasses"] == ["true", "false", None]
    assert rows["pose"] == [1.0, None, 3.0]
    assert rows["born"] == ["1970-01-01", "1970-01-02", None]
    assert rows["au_04"] == [0.0, 1.0, None]
    assert given.attributes == ("age", "gender", "zip", "nothing", "glasses", "pose", "born")


def test_provenance_of_attributes_is_kept_or_given() -> None:
    facts = Facts(name="x", attributes={"sex": "self-reported", "absent": "measured"})
    given = targets({"target": ["a"], "sex": ["f"], "age": [3]}, facts)
    assert given.facts.attributes == {"sex": "self-reported", "age": "given"}


def test_subjects_read_as_numbers_keep_their_plain_form() -> None:
    given = targets({"target": [1, 2], "subject": [1001.0, 1002.0]})
    assert given.table["subject"].to_pylist() == ["1001", "1002"]
    assert given.table["target"].to_pylist() == ["1", "2"]


def test_empty_subject_of_parquet_is_as_empty_as_one_of_csv() -> None:
    with pytest.raises(UserError, match="T row 2: column 'subject' is empty"):
        targets({"target": ["a", "b"], "subject": ["s", ""]})


@pytest.mark.parametrize("value", [float("nan"), 1.01, -1.01, float("inf")])
def test_affect_outside_its_range(value: float) -> None:
    with pytest.raises(UserError, match=r"T row 2: arousal is .*lies in \[-1, 1\]"):
        targets({"target": ["a", "b"], "arousal": [None, value]})


@pytest.mark.parametrize("value", [float("nan"), -0.5, float("inf")])
def test_weights_are_finite_and_not_negative(value: float) -> None:
    with pytest.raises(UserError, match="T row 1: weight is"):
        targets({"target": ["a"], "weight": [value]})


def test_written_targets_carry_their_facts(tmp_path: Path) -> None:
    facts = Facts(name="x", labels=("bored", "engaged"), label_space="declared", licence="CC0")
    given = targets({"target": ["a"], "label": ["bored"], "clip": ["c"], "gender": ["f"]}, facts)
    given.write(tmp_path / "t.parquet")
    again = read_targets(tmp_path / "t.parquet", root=tmp_path)
    assert (again.facts, again.digest, again.root) == (given.facts, given.digest, tmp_path)
    assert again.table.equals(given.table)
    other = read_targets(tmp_path / "t.parquet", Facts(name="y"))
    assert (other.facts.name, other.space.labels) == ("y", ("bored",))


@pytest.mark.parametrize("carried", [b"{", b"[1]", b'{"name": "x", "colour": "red"}'])
def test_facts_of_another_version(carried: bytes, tmp_path: Path) -> None:
    table = pa.table({"target": ["a"]}).replace_schema_metadata({b"affectbench_facts": carried})
    write_table(table, tmp_path / "t.parquet")
    with pytest.raises(UserError, match="the facts it carries are not of this version"):
        read_targets(tmp_path / "t.parquet")


def test_facts_of_a_plain_file_know_its_name(tmp_path: Path) -> None:
    (tmp_path / "faces.csv").write_text("target\na\n", encoding="utf-8")
    assert read_targets(tmp_path / "faces.csv").facts.name == "faces"


def test_digest_moves_with_rows_and_facts_but_not_with_bytes_root_or_chunks(tmp_path: Path) -> None:
    columns = {"target": ["a", "b"], "sha256": ["0" * 64, "1" * 64]}
    plain = targets(columns)
    with_bytes = targets({**columns, "media_bytes": [b"x", b"y"]})
    elsewhere = validate_targets(pa.table(columns), FACTS, "U", tmp_path)
    assert plain.digest == with_bytes.digest == elsewhere.digest
    assert plain.digest != targets(columns, Facts(name="other")).digest
    assert plain.digest != targets({**columns, "sha256": ["0" * 64, "2" * 64]}).digest


def test_dataset_is_a_hugging_face_data_set() -> None:
    import datasets

    given = targets({"target": ["a", "b"], "age": [1, 2]})
    assert isinstance(given.dataset, datasets.Dataset)
    assert given.dataset["target"][:] == ["a", "b"]


def test_predictions_are_no_targets() -> None:
    columns = {"target": ["a"], "predicted": ["fear"]}
    with pytest.raises(UserError) as caught:
        targets(columns)
    assert str(caught.value) == (
        "T: there is a column 'predicted' and no truth. Targets hold truth: label, votes, valence, arousal, "
        "dominance; predictions are a table of their own. Give it as --predictions, or add the truth."
    )
    both = targets({**columns, "label": ["fear"]})
    assert both.attributes == ("predicted",), "one table may hold both"
