"""Whose voice may stand for a target's: by hand on small tables, and for each number that can be drawn."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bench.predict.voices import Voices
from bench.spec import Facts
from bench.tables import Targets


def voices(**columns: list[str | None]) -> Voices:
    count = len(next(iter(columns.values())))
    table = pa.table(
        {
            "target": [f"t{i}" for i in range(count)],
            **{n: pa.array(v, pa.string()) for n, v in columns.items()},
        }
    )
    return Voices(Targets(table, Facts(name="t", cluster_unit="clip")))


def test_of_another_subject_from_where_the_number_falls() -> None:
    found = voices(subject=["a", "a", "b", "b", "c"], media=list("vwxyz"))
    assert list(found.of_others(0, 0.0)) == [2, 3, 4]
    assert list(found.of_others(0, 0.5)) == [2, 3, 4]
    assert list(found.of_others(0, 0.65)) == [3, 4, 2]
    assert list(found.of_others(4, 0.999999)) == [0, 1, 2, 3]
    assert list(found.of_others(2, 0.2)) == [1, 4, 0]
    assert found.alone() is None


def test_never_its_own_whatever_is_drawn() -> None:
    draw = np.random.default_rng(0)
    subject = [None if draw.random() < 0.3 else str(draw.integers(4)) for _ in range(30)]
    media = [str(draw.integers(12)) for _ in range(30)]
    found = voices(subject=subject, media=media)
    for row in range(30):
        for number in draw.random(20):
            others = list(found.of_others(row, number))
            assert len(others) == len(set(others))
            expected = {
                i for i in range(30)
                if media[i] != media[row] and (subject[row] is None or subject[i] != subject[row])
            }  # fmt: skip
            assert set(others) == expected


@pytest.mark.parametrize("name", ["clip", "media", "audio", "sha256", "audio_sha256"])
def test_without_subjects_another_recording(name: str) -> None:
    found = voices(**{name: ["v", "v", "w"]})
    assert [list(found.of_others(row, 0.0)) for row in range(3)] == [[2], [2], [0, 1]]


def test_who_has_nobody_beside() -> None:
    assert voices(subject=["a", "a", "a"], media=list("xyz")).alone() == 0
    assert voices(subject=["b", "a", None], media=list("xxy")).alone() is None
    assert voices(subject=["b", "a", None], media=list("xxx")).alone() == 0
    assert voices(media=["x"]).alone() == 0
    assert voices(subject=["b", "b", "a"], media=["y", "x", "y"]).alone() == 0
    assert voices(subject=["c", "b", "a"], media=["z", "y", "y"]).alone() is None
