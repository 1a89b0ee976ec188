"""FER2013: 35,887 grey faces of 48 x 48 pixels with one of seven labels, in three published forms.

The official table (``fer2013.csv`` or ``icml_face_data.csv``, pixels as text), the Kaggle folders
(``{train,test}/<emotion>/Training_123.jpg``), and the FER+ folders beside a table
``fer2013_original_labels.csv`` (folder, image, fer2013_label). Splits are Training, PublicTest and
PrivateTest in all three; persons are not known. A file whose name says no split is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.errors import UserError, listed
from bench.labels import EKMAN_7, canonical
from bench.predict.datasets.adapter import Release, require_files
from bench.predict.datasets.ferplus import FOLDERS
from bench.spec import Facts
from bench.tables import read_table
from bench.tables.files import require_columns, row_of

if TYPE_CHECKING:
    import datasets

__all__ = ["FER2013"]

_EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # code 0 to 6 of the table
_SPLITS = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
_TABLES = ("fer2013.csv", "icml_face_data.csv")
_FERPLUS_TABLE = "fer2013_original_labels.csv"
_EDGE = 48  # pixels


def _load(root: Path, split: str | None) -> datasets.Dataset:
    import datasets

    table = _form(root)
    if split is not None:
        table = table.filter(pa.compute.equal(table["split"], split))
    if table.num_rows == 0:
        raise UserError(
            str(root), f"split {split!r} has no faces here",
            f"FER2013 has the splits {listed(_SPLITS.values())}",
            "Give the folder that holds it",
        )  # fmt: skip
    return datasets.Dataset(_with_bytes(table) if "pixels" in table.column_names else table)


def _form(root: Path) -> pa.Table:
    for name in _TABLES:
        if (root / name).is_file():
            return _official(root / name)
    if (root / _FERPLUS_TABLE).is_file():
        return _ferplus(root)
    folders = [path for path in (root / "train", root / "test") if path.is_dir()]
    if not folders:
        require_files(root, "FER2013", f"{' or '.join((*_TABLES, _FERPLUS_TABLE, 'train/'))}")
    return _kaggle(root, folders)


def _official(path: Path) -> pa.Table:
    """Rows of the official table, pixels still text; a target is named by Usage and row, from zero."""
    table = read_table(path)
    table = table.rename_columns([name.strip() for name in table.column_names])
    require_columns(table, ("emotion", "pixels", "Usage"), str(path))
    usages, labels = [], []
    for row, (usage, code) in enumerate(
        zip(table["Usage"].to_pylist(), table["emotion"].to_pylist(), strict=True)
    ):
        if usage not in _SPLITS or code not in tuple("0123456"):
            raise UserError(
                row_of(str(path), row), f"Usage is {usage!r} and emotion {code!r}",
                f"Usage is {listed(_SPLITS)}; emotion is 0 to 6", "Fetch the file again",
            )  # fmt: skip
        usages.append(usage)
        labels.append(canonical(_EMOTIONS[int(code)]))
    return pa.table(
        {
            "target": [f"{usage}/{row:05d}" for row, usage in enumerate(usages)],
            "label": labels,
            "split": [_SPLITS[usage] for usage in usages],
            "pixels": table["pixels"],
        }
    )


def _with_bytes(table: pa.Table) -> pa.Table:
    """Pixels as lossless PNG, so that a row is an ordinary image."""
    import cv2

    images = [cv2.imencode(".png", image)[1].tobytes() for image in _images(table)]
    return table.drop_columns(["pixels"]).append_column("media_bytes", pa.array(images, pa.binary()))


def _images(table: pa.Table) -> Iterator[np.ndarray]:
    for target, text in zip(table["target"].to_pylist(), table["pixels"].to_pylist(), strict=True):
        try:
            yield np.frombuffer(bytes(map(int, (text or "").split())), np.uint8).reshape(_EDGE, _EDGE)
        except ValueError:
            raise UserError(
                f"fer2013 target {target!r}", "its pixels are not those of a face",
                f"A face is {_EDGE**2} whole numbers from 0 to 255", "Fetch the file again",
            ) from None  # fmt: skip


def _ferplus(root: Path) -> pa.Table:
    path = root / _FERPLUS_TABLE
    table = read_table(path)
    require_columns(table, ("folder", "image", "fer2013_label"), str(path))
    folders, images = table["folder"].to_pylist(), table["image"].to_pylist()
    split_of = {folder: split for split, folder in FOLDERS.items()}
    for row, folder in enumerate(folders):
        if folder not in split_of:
            raise UserError(
                row_of(str(path), row), f"folder is {folder!r}", f"Allowed: {listed(split_of)}",
                "Correct the folder",
            )  # fmt: skip
    return pa.table(
        {
            "target": [f"{folder}/{image}" for folder, image in zip(folders, images, strict=True)],
            "media": [f"data/{folder}/{image}" for folder, image in zip(folders, images, strict=True)],
            "label": table["fer2013_label"],
            "split": [split_of[folder] for folder in folders],
        }
    )


def _kaggle(root: Path, folders: list[Path]) -> pa.Table:
    rows = []
    for path in sorted(path for folder in folders for path in folder.glob("*/*") if path.is_file()):
        usage, _, number = path.stem.partition("_")
        if usage not in _SPLITS or not number or path.parent.name not in _EMOTIONS:
            raise UserError(
                str(path), "the name says no split or the folder no emotion",
                f"Names are {', '.join(f'{usage}_<number>.jpg' for usage in _SPLITS)} in folders "
                f"{', '.join(_EMOTIONS)}", "Remove the file, or use the adapter 'manifest' with a table",
            )  # fmt: skip
        rows.append((path.relative_to(root).as_posix(), canonical(path.parent.name), _SPLITS[usage]))
    if not rows:
        require_files(root, "FER2013", *[f"{folder.name}/angry" for folder in folders])
    media, labels, splits = zip(*rows, strict=True)
    return pa.table({"target": media, "media": media, "label": labels, "split": splits})


FER2013 = Release(
    facts=Facts(
        name="fer2013",
        labels=EKMAN_7.labels,
        label_space=EKMAN_7.name,
        cluster_unit="clip",
        media_kind="aligned",
        attributes_public=False,
        licence="collected from the web for a Kaggle challenge (2013); rights of the originals unclear",
        label_source="perceived",  # words of a search, checked by people
    ),
    load=_load,
    splits=tuple(_SPLITS.values()),
)
