from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import UserError
from bench.labels import EKMAN_8
from bench.predict.datasets import open_data, require_media
from bench.predict.datasets.ferplus import majority
from bench.spec import DataSource

ROWS = """\
fer0000001.png,"(0, 0, 48, 48)",0,9,0,0,0,0,0,1,0,0
fer0000002.png,"(0, 0, 48, 48)",5,5,0,0,0,0,0,0,0,0
fer0000003.png,"(0, 0, 48, 48)",0,0,0,2,0,0,0,0,8,0
fer0000004.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,0,0,10
fer0000005.png,"(0, 0, 48, 48)",4,0,0,0,0,0,0,2,4,0
fer0000006.png,"(0, 0, 48, 48)",1,1,1,1,1,1,3,1,0,0
"""


def put(root: Path, folder: str, rows: str) -> None:
    (root / "data" / folder).mkdir(parents=True)
    (root / "data" / folder / "label.csv").write_text(rows, encoding="utf-8")


def test_label_is_the_unique_majority_of_all_ten_columns(tmp_path: Path) -> None:
    put(tmp_path, "FER2013Valid", ROWS)
    targets = open_data(DataSource(adapter="ferplus"), tmp_path)
    assert targets.table["label"].to_pylist() == ["happiness", None, None, None, None, "fear"]
    assert targets.table["votes"].to_pylist()[0] == [0, 9, 0, 0, 0, 0, 0, 1]
    assert targets.table["target"][0].as_py() == "FER2013Valid/fer0000001.png"
    assert (targets.cluster, targets.facts.media_kind, targets.space) == ("target", "aligned", EKMAN_8)


def test_votes_stand_in_the_order_of_the_labels(tmp_path: Path) -> None:
    order = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    rows = "".join(
        f'{label}.png,"(0, 0, 48, 48)",{",".join(str(10 * (k == n)) for k in range(10))}\n'
        for n, label in enumerate(order)
    )
    put(tmp_path, "FER2013Test", rows)
    for row in open_data(DataSource(adapter="ferplus", split="test"), tmp_path).table.to_pylist():
        assert row["target"] == f"FER2013Test/{row['label']}.png"
        assert row["votes"] == [10.0 * (label == row["label"]) for label in EKMAN_8.labels]


def test_splits(tmp_path: Path) -> None:
    put(tmp_path, "FER2013Valid", ROWS)
    put(tmp_path, "FER2013Test", ROWS)
    assert len(open_data(DataSource(adapter="ferplus"), tmp_path)) == 12
    valid = open_data(DataSource(adapter="ferplus", split="valid"), tmp_path)
    assert set(valid.table["split"].to_pylist()) == {"valid"}
    with pytest.raises(
        UserError, match=r"/data: no FER2013Train/label.csv here, only FER2013Test/, FER2013Valid/"
    ):
        open_data(DataSource(adapter="ferplus", split="train"), tmp_path)
    with pytest.raises(UserError, match=r"split 'val' is not known. Did you mean 'valid'"):
        open_data(DataSource(adapter="ferplus", split="val"), tmp_path)


def test_other_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data here, only an empty folder"):
        open_data(DataSource(adapter="ferplus"), tmp_path)
    (tmp_path / "data").mkdir()
    with pytest.raises(UserError, match=r"no FER2013Train/label.csv and no FER2013Valid/label.csv and no"):
        open_data(DataSource(adapter="ferplus"), tmp_path)


@pytest.mark.parametrize(
    "row", ["a.png,box,1,2\n", 'a.png,"b",1,2,3,4,5,6,7,8,9,-1\n', 'a.png,"b",x,2,3,4,5,6,7,8,9,1\n']
)
def test_row_of_another_form(tmp_path: Path, row: str) -> None:
    put(tmp_path, "FER2013Test", ROWS + row)
    with pytest.raises(UserError, match=r"label\.csv:7: .* is no row of FER\+"):
        open_data(DataSource(adapter="ferplus"), tmp_path)


def test_majority() -> None:
    assert majority(np.array([[0, 3, 1], [2, 2, 1], [0, 0, 0]])).tolist() == [1, -1, -1]


def test_real_folder_agrees_with_pandas(shared: Path) -> None:
    import pandas as pd

    root = shared / "data" / "ferplus"
    targets = open_data(DataSource(adapter="ferplus", split="test"), root)
    require_media(targets)
    names = [
        "neutral",
        "happiness",
        "surprise",
        "sadness",
        "anger",
        "disgust",
        "fear",
        "contempt",
        "unknown",
        "NF",
    ]
    voted = pd.read_csv(root / "data" / "FER2013Test" / "label.csv", names=["box", *names])
    assert (len(voted), set(voted[names].sum(axis=1))) == (3573, {10})
    frame = targets.table.to_pandas()
    frame.index = frame["target"].str.removeprefix("FER2013Test/")
    assert frame.index.tolist() == voted.index.tolist()
    votes = np.stack(frame["votes"])
    assert (votes == voted[list(EKMAN_8.labels)].to_numpy()).all()
    tied = voted[names].eq(voted[names].max(axis=1), axis=0).sum(axis=1) > 1
    winner = voted[names].idxmax(axis=1)
    expected = winner.where(~tied & ~winner.isin(["unknown", "NF"]))
    assert frame["label"].fillna("none").tolist() == expected.fillna("none").tolist()

    # The repository also has one table with a header; its names confirm the order of the ten columns.
    whole = pd.read_csv(root / "fer2013new.csv")
    assert whole.columns[2:].tolist() == names
    whole = whole[whole["Usage"] == "PrivateTest"].drop_duplicates("Image name").set_index("Image name")
    same = (whole.loc[frame.index, list(EKMAN_8.labels)].to_numpy() == votes).all(axis=1)
    assert (~same).sum() == 282  # the two published forms disagree there; the adapter reads the folder form
