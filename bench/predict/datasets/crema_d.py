"""CREMA-D: 7,442 clips of 91 actors, with crowd votes from voice, face and both (Cao et al. 2014).

Intended emotion, sentence and level stand in the clip's name (``1001_IEO_ANG_HI``), demographics in
``VideoDemographics.csv``, votes in ``processedResults/tabulatedVotes.csv``. Media are named where they are
present (``VideoFlash``, ``AudioWAV``). All clips are rows, the four with damaged media too; tables that do
not fit together are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError, listed
from bench.labels import CREMA_6, canonical
from bench.predict.datasets.adapter import Release, require_files
from bench.spec import Facts
from bench.tables import read_table
from bench.tables.files import as_numbers, require_columns

if TYPE_CHECKING:
    import datasets

__all__ = ["CREMA_D"]

_DEMOGRAPHICS = "VideoDemographics.csv"
_VOTES = "processedResults/tabulatedVotes.csv"
_PRESENTATIONS = {"voice": "1", "face": "2", "both": "3"}  # first digit of the id of a row of votes
_LETTERS = {"neutral": "N", "happiness": "H", "sadness": "S", "fear": "F", "disgust": "D", "anger": "A"}
_ATTRIBUTES = {"sex": "Sex", "race": "Race", "ethnicity": "Ethnicity", "age": "Age"}
_EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
_LEVELS = ("LO", "MD", "HI", "XX")


def _load(root: Path, _split: str | None) -> datasets.Dataset:
    import datasets

    require_files(root, "CREMA-D", _DEMOGRAPHICS, _VOTES)
    clips, votes = _votes(root, "both")
    names = [_parts(clip, root / _VOTES) for clip in clips]
    actors = _actors(root / _DEMOGRAPHICS)
    for clip, (actor, *_) in zip(clips, names, strict=True):
        if actor not in actors:
            raise UserError(
                str(root / _DEMOGRAPHICS), f"actor {actor} of clip {clip} is not there",
                "Every actor of a clip has a row", "Fetch the file again",
            )  # fmt: skip
    columns = {
        "target": clips,
        "media": _present(root, "VideoFlash", ".flv", clips),
        "audio": _present(root, "AudioWAV", ".wav", clips),
        "subject": [actor for actor, *_ in names],
        "label": [canonical(emotion) for _, _, emotion, _ in names],
        "votes": votes.tolist(),
        "sentence": [sentence for _, sentence, _, _ in names],
        "level": [level for *_, level in names],
    }
    for name, theirs in _ATTRIBUTES.items():
        columns[name] = [actors[actor][theirs] for actor, *_ in names]
    return datasets.Dataset(pa.table(columns))


def _raters(root: Path) -> dict[str, pa.Table]:
    """Predictions made of the votes of people who heard, saw, or heard and saw each clip.

    ``p_<label>`` is the share of votes; where the first place is shared, the crowd decides nothing.
    """
    require_files(root, "CREMA-D", _VOTES)
    return {name: _shares(*_votes(root, name)) for name in _PRESENTATIONS}


def _shares(clips: list[str], votes: np.ndarray) -> pa.Table:
    shares = votes / votes.sum(axis=1, keepdims=True)
    head = {"target": pa.array(clips), "status": pa.array(["ok"] * len(clips))}
    return pa.table(head | {f"p_{label}": shares[:, k] for k, label in enumerate(CREMA_6.labels)})


def _votes(root: Path, presentation: str) -> tuple[list[str], np.ndarray]:
    """The clips in file order, and their counts of votes, float64 [N, 6] in the order of crema-6."""
    path = root / _VOTES
    table = read_table(path)
    require_columns(table, ("", "fileName", *_LETTERS.values()), str(path))
    table = table.filter(pc.starts_with(table[""], _PRESENTATIONS[presentation]))
    columns = [as_numbers(table, _LETTERS[label], str(path), pa.float64()) for label in CREMA_6.labels]
    votes = np.stack([column.to_numpy() for column in columns], axis=1)
    clips: list[str] = table["fileName"].to_pylist()
    for row in np.flatnonzero(~(votes.sum(axis=1) > 0))[:1]:
        raise UserError(
            str(path), f"clip {clips[row]} has no {presentation} votes", "Every clip was rated",
            "Fetch the file again",
        )  # fmt: skip
    return clips, votes


def _actors(path: Path) -> dict[str, dict[str, str]]:
    table = read_table(path)
    require_columns(table, ("ActorID", *_ATTRIBUTES.values()), str(path))
    return {row["ActorID"]: row for row in table.to_pylist()}


def _parts(clip: str, path: Path) -> tuple[str, str, str, str]:
    """Actor, sentence, emotion and level of a clip."""
    parts = clip.split("_")
    if len(parts) != 4 or parts[2] not in _EMOTIONS or parts[3] not in _LEVELS:
        raise UserError(
            str(path), f"{clip!r} is no name of a clip",
            f"Names are ACTOR_SENTENCE_EMOTION_LEVEL, emotions {listed(_EMOTIONS)}, levels {listed(_LEVELS)}",
            "Fetch the file again",
        )  # fmt: skip
    actor, sentence, emotion, level = parts
    return actor, sentence, emotion, level


def _present(root: Path, folder: str, suffix: str, clips: list[str]) -> pa.Array:
    """The path of each clip's file where it is there, else null."""
    there = {path.name for path in (root / folder).glob(f"*{suffix}")}
    paths = [f"{folder}/{clip}{suffix}" if f"{clip}{suffix}" in there else None for clip in clips]
    return pa.array(paths, pa.string())


CREMA_D = Release(
    facts=Facts(
        name="crema-d",
        labels=CREMA_6.labels,
        label_space=CREMA_6.name,
        cluster_unit="person",
        media_kind="frame",
        attributes={
            **dict.fromkeys(_ATTRIBUTES, "published with the data set, per actor"),
            "sentence": "script",
            "level": "script",
        },
        attributes_public=True,
        licence="ODbL 1.0 (database), DbCL 1.0 (contents)",
        label_source="posed",
    ),
    load=_load,
    raters=_raters,
)
