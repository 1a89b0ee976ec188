from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bench.errors import UserError
from bench.predict.datasets import digest_media, open_data, require_media
from bench.spec import DataSource

ALL = DataSource(adapter="fer2013")
TEST = DataSource(adapter="fer2013", split="test")


def faces(number: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, 48, 48), np.uint8)


def official(root: Path, name: str = "fer2013.csv", header: str = "emotion,pixels,Usage") -> np.ndarray:
    images = faces(3)
    usage = ("Training", "PublicTest", "PrivateTest")
    values = [
        (str(c), " ".join(map(str, image.ravel())), u)
        for c, image, u in zip((0, 3, 6), images, usage, strict=True)
    ]
    order = [("emotion", "pixels", "Usage").index(column.strip()) for column in header.split(",")]
    lines = [header, *(",".join(row[k] for k in order) for row in values)]
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return images


@pytest.mark.parametrize(
    ("name", "header"),
    [("fer2013.csv", "emotion,pixels,Usage"), ("icml_face_data.csv", "emotion, Usage, pixels")],
)
def test_official_table(tmp_path: Path, name: str, header: str) -> None:
    images = official(tmp_path, name, header)
    targets = open_data(ALL, tmp_path)
    rows = targets.table.drop_columns(["media_bytes"]).to_pylist()
    assert rows == [
        {"target": "Training/00000", "label": "anger", "split": "train"},
        {"target": "PublicTest/00001", "label": "happiness", "split": "valid"},
        {"target": "PrivateTest/00002", "label": "neutral", "split": "test"},
    ]
    for image, data in zip(images, targets.table["media_bytes"].to_pylist(), strict=True):
        decoder = av.CodecContext.create("png", "r")  # a second decoder than the encoder's library
        (frame,) = decoder.decode(av.Packet(data))
        assert (frame.to_ndarray(format="gray") == image).all()
    require_media(targets)
    assert digest_media(targets).table["sha256"].null_count == 0


def test_split_of_the_official_table(tmp_path: Path) -> None:
    official(tmp_path)
    assert open_data(TEST, tmp_path).table["target"].to_pylist() == ["PrivateTest/00002"]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("7,1 2,Training", "row 1: Usage is 'Training' and emotion '7'"),
        ("0,1 2,Test", "row 1: Usage is 'Test' and emotion '0'"),
        ("0,1 2,Training", "target 'Training/00000': its pixels are not those of a face"),
        (f"0,{'256 ' * 2304},Training", "its pixels are not those of a face"),
        ("0,,Training", "its pixels are not those of a face"),
    ],
)
def test_official_table_that_is_damaged(tmp_path: Path, row: str, found: str) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{row}\n", encoding="utf-8")
    with pytest.raises(UserError, match=found):
        open_data(ALL, tmp_path)


def kaggle(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_kaggle_folders(tmp_path: Path) -> None:
    names = ("train/angry/Training_1.jpg", "test/sad/PublicTest_2.jpg", "test/happy/PrivateTest_3.jpg")
    kaggle(tmp_path, *names)
    targets = open_data(ALL, tmp_path)
    assert targets.table.to_pylist() == [
        {"target": names[2], "media": names[2], "label": "happiness", "split": "test"},
        {"target": names[1], "media": names[1], "label": "sadness", "split": "valid"},
        {"target": names[0], "media": names[0], "label": "anger", "split": "train"},
    ]
    require_media(targets)
    assert len(open_data(TEST, tmp_path)) == 1


@pytest.mark.parametrize(
    "name", ["test/sad/im0.jpg", "test/bored/PrivateTest_3.jpg", "test/sad/PrivateTest.jpg"]
)
def test_kaggle_name_without_a_split_or_emotion(tmp_path: Path, name: str) -> None:
    kaggle(tmp_path, "train/angry/Training_1.jpg", name)
    with pytest.raises(UserError, match="the name says no split or the folder no emotion"):
        open_data(ALL, tmp_path)


def test_kaggle_folders_without_the_split(tmp_path: Path) -> None:
    kaggle(tmp_path, "train/angry/Training_1.jpg")
    with pytest.raises(
        UserError, match=r"split 'test' has no faces here. FER2013 has the splits test, train, valid"
    ):
        open_data(TEST, tmp_path)


def test_other_folder(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"no fer2013.csv or icml_face_data.csv or .* here, only an empty folder"
    ):
        open_data(ALL, tmp_path)
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match="no train/angry here, only train/"):
        open_data(ALL, tmp_path)


def test_ferplus_folders_with_original_labels(tmp_path: Path) -> None:
    (tmp_path / "fer2013_original_labels.csv").write_text(
        "folder,image,fer2013_label,ambiguous\nFER2013Test,a.png,angry,0\nFER2013Valid,b.png,sad,1\n",
        encoding="utf-8",
    )
    assert open_data(TEST, tmp_path).table.to_pylist() == [
        {"target": "FER2013Test/a.png", "media": "data/FER2013Test/a.png", "label": "anger", "split": "test"}
    ]
    with pytest.raises(
        UserError, match=r"row 1: there is no file '.*data/FER2013Test/a.png'; 1 of 1 row lacks its media"
    ):
        require_media(open_data(TEST, tmp_path))


def test_ferplus_folder_of_another_name(tmp_path: Path) -> None:
    (tmp_path / "fer2013_original_labels.csv").write_text(
        "folder,image,fer2013_label\nFER2013,a.png,angry\n", encoding="utf-8"
    )
    with pytest.raises(UserError, match="row 1: folder is 'FER2013'"):
        open_data(ALL, tmp_path)


def test_real_folder_agrees_with_pandas(shared: Path) -> None:
    import pandas as pd

    root = shared / "data" / "ferplus"
    targets = open_data(TEST, root)
    require_media(targets)
    table = pd.read_csv(root / "fer2013_original_labels.csv")
    table = table[table["folder"] == "FER2013Test"]
    words = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
    assert len(targets) == 3573
    assert targets.table["target"].to_pylist() == ("FER2013Test/" + table["image"]).tolist()
    assert targets.table["label"].to_pylist() == table["fer2013_label"].replace(words).tolist()
