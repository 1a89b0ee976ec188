"""FER+: FER2013 faces with ten crowd votes each, in the folder form of github.com/microsoft/FERPlus.

``data/FER2013{Train,Valid,Test}/label.csv`` has no header: image, box, then votes for eight emotions,
unknown and NF (not a face). The same repository's ``fer2013new.csv`` has other votes for some images (282 of
the 3,573 of Test); this adapter reads the folders. Every row is kept; rows of another form are refused.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.errors import UserError, listed
from bench.labels import EKMAN_8
from bench.predict.datasets.adapter import Release, require_files
from bench.spec import Facts

if TYPE_CHECKING:
    import datasets

__all__ = ["FERPLUS", "FOLDERS", "majority"]

FOLDERS = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
_VOTED = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
_OTHER = ("unknown", "NF")
_ORDER = [_VOTED.index(label) for label in EKMAN_8.labels]


def majority(votes: np.ndarray) -> np.ndarray:
    """The column with the most votes per row of [N, K] counts, -1 where the first place is shared.

    >>> majority(np.array([[7, 3], [5, 5]]))
    array([ 0, -1])
    """
    first = votes == votes.max(axis=1, keepdims=True)
    return np.where(first.sum(axis=1) == 1, votes.argmax(axis=1), -1)


def _load(root: Path, split: str | None) -> datasets.Dataset:
    import datasets

    require_files(root, "FER+", "data")
    present = {s: f for s, f in FOLDERS.items() if (root / "data" / f / "label.csv").is_file()}
    wanted = (present or FOLDERS) if split is None else {split: FOLDERS[split]}
    require_files(root / "data", "FER+", *[f"{folder}/label.csv" for folder in wanted.values()])
    return datasets.Dataset(pa.concat_tables([_rows(root, s, folder) for s, folder in wanted.items()]))


def _rows(root: Path, split: str, folder: str) -> pa.Table:
    images, votes = _read(root / "data" / folder / "label.csv")
    winners = majority(votes)  # over all ten: where "unknown" or NF wins there is no emotion
    labels = [_VOTED[w] if 0 <= w < len(_VOTED) else None for w in winners]
    return pa.table(
        {
            "target": [f"{folder}/{image}" for image in images],
            "media": [f"data/{folder}/{image}" for image in images],
            "label": pa.array(labels, pa.string()),
            "votes": votes[:, _ORDER].astype(float).tolist(),
            "split": [split] * len(images),
        }
    )


def _read(path: Path) -> tuple[list[str], np.ndarray]:
    images, votes = [], []
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.reader(file), start=1):
            counts = row[2:]
            if len(counts) != len(_VOTED) + len(_OTHER) or not all(
                c.isascii() and c.isdigit() for c in counts
            ):
                raise UserError(
                    f"{path}:{line}", f"{listed(row)} is no row of FER+",
                    f"A row is image, box and the votes for {', '.join((*_VOTED, *_OTHER))}",
                    "Fetch the file again",
                )  # fmt: skip
            images.append(row[0])
            votes.append([int(count) for count in counts])
    return images, np.array(votes)


FERPLUS = Release(
    facts=Facts(
        name="ferplus",
        labels=EKMAN_8.labels,
        label_space=EKMAN_8.name,
        cluster_unit="clip",
        media_kind="aligned",
        attributes_public=False,
        licence="labels MIT; images FER2013, collected from the web, rights of the originals unclear",
        label_source="perceived",
    ),
    load=_load,
    splits=tuple(FOLDERS),
)
