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


def row_by_row(subject: list[str | None], media: list[str | None], row: int, number: float) -> list[int]:
    """The same, said of one pair of rows after the other."""
    count, found = len(media), []
    for other in ((int(number * count) + step) % count for step in range(count)):
        pairs = ((name[row], name[other]) for name in (subject, media))
        if other != row and not any(own is not None and own == one for own, one in pairs):
            found.append(other)
    return found


@pytest.mark.parametrize("at_once", [1, 7, 4096])
def test_in_any_steps_as_row_by_row(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr("bench.predict.voices._AT_ONCE", at_once)
    draw = np.random.default_rng(1)
    for case in range(60):
        count, few = int(draw.integers(1, 13)), 1 + case % 3
        subject, media = (
            [None if draw.random() < 0.1 else str(draw.integers(few)) for _ in range(count)] for _ in range(2)
        )
        found, number = voices(subject=subject, media=media), draw.random()
        expected = [row_by_row(subject, media, row, number) for row in range(count)]
        assert [list(found.of_others(row, number)) for row in range(count)] == expected
        assert found.alone() == next((row for row, others in enumerate(expected) if not others), None)


def test_rows_that_are_many_are_asked_for_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = ["a"] * 3_990 + ["b"] * 10
    media, asked = [str(place // 2) for place in range(4_000)], list[int]()
    of_others = Voices.of_others
    monkeypatch.setattr(Voices, "of_others", lambda s, row, n: asked.append(row) or of_others(s, row, n))
    assert voices(subject=subject, media=media).alone() is None
    assert not asked
    assert voices(subject=subject[:3_990], media=subject[:3_990]).alone() == 0
    assert voices(subject=subject, media=subject).alone() is None
    assert voices(subject=subject, media=["x"] * 3_990 + media[3_990:]).alone() is None
    assert len(asked) < 5


def test_who_has_nobody_beside() -> None:
    assert voices(subject=["a", "a", "a"], media=list("xyz")).alone() == 0
    assert voices(subject=["b", "a", None], media=list("xxy")).alone() is None
    assert voices(subject=["b", "a", None], media=list("xxx")).alone() == 0
    assert voices(media=["x"]).alone() == 0
    assert voices(subject=["b", "b", "a"], media=["y", "x", "y"]).alone() == 0
    assert voices(subject=["c", "b", "a"], media=["z", "y", "y"]).alone() is None
