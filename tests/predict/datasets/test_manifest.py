from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UserError
from bench.predict.datasets import ADAPTERS, open_data
from bench.spec import DataSource, Facts
from bench.tables import read_targets

TABLE = "target,media,label,split,gender\na,a.png,happy,train,f\nb,b.png,sad,test,m\n"


def source(**fields: object) -> DataSource:
    return DataSource(adapter="manifest", targets="T.csv", **fields)  # type: ignore[arg-type]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "T.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path


def test_rows_and_facts(root: Path) -> None:
    targets = open_data(source(), root)
    assert (len(targets), targets.root, targets.facts.name, targets.space.name) == (2, root, "T", "ekman-7")
    assert targets.attributes == ("gender",)


def test_suite_says_what_the_table_cannot(root: Path) -> None:
    said = source(
        name="mine", labels="happy, sad", media_kind="aligned", attributes_public=True, cluster_unit="clip"
    )
    facts = open_data(said, root).facts
    assert facts == Facts(
        name="mine", labels=("happiness", "sadness"), label_space="declared", cluster_unit="clip",
        media_kind="aligned", attributes={"gender": "given"}, attributes_public=True,
    )  # fmt: skip


def test_carried_facts_hold_unless_the_suite_says_otherwise(root: Path) -> None:
    given = read_targets(root / "T.csv", Facts(name="carried", licence="CC0", media_kind="aligned"))
    given.write(root / "T.parquet")
    facts = open_data(DataSource(adapter="manifest", targets="T.parquet", media_kind="frame"), root).facts
    assert (facts.name, facts.licence, facts.media_kind) == ("carried", "CC0", "frame")


def test_split(root: Path) -> None:
    assert open_data(source(split="test"), root).table["target"].to_pylist() == ["b"]
    with pytest.raises(
        UserError, match=r"T\.csv: split 'tset' has no rows. Did you mean 'test'\? It has: test, train"
    ):
        open_data(source(split="tset"), root)
    (root / "T.csv").write_text("target,label\na,happy\n", encoding="utf-8")
    with pytest.raises(UserError, match="column 'split' is missing"):
        open_data(source(split="test"), root)


def test_label_space_that_is_none(root: Path) -> None:
    with pytest.raises(UserError, match="manifest labels: 'happy' names no label space"):
        open_data(source(labels="happy"), root)


def test_table_must_be_named_and_lie_under_the_root(root: Path) -> None:
    with pytest.raises(UserError, match="manifest: the suite names no table"):
        open_data(DataSource(adapter="manifest"), root)
    with pytest.raises(UserError, match=r"manifest targets: path '\.\./T\.csv' leaves the data folder"):
        open_data(DataSource(adapter="manifest", targets="../T.csv"), root)


def test_unknown_adapter_and_missing_folder(root: Path) -> None:
    with pytest.raises(UserError, match=r"data set 'cremad' is not known. Did you mean 'crema-d'"):
        open_data(DataSource(adapter="cremad"), root)
    with pytest.raises(UserError, match=r"there is no such folder. Data set 'manifest' lies in a folder"):
        open_data(source(), root / "none")


def test_registry_names_are_those_of_the_facts() -> None:
    assert {name: adapter.facts.name for name, adapter in ADAPTERS.items()} == {
        name: name for name in ADAPTERS
    }
    assert all(set(adapter.splits) <= {"train", "valid", "test"} for adapter in ADAPTERS.values())
