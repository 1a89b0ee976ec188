"""Faces found by one run are not sought by the next, and no byte of any result tells the two apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from bench.predict import reader
from bench.predict.cell import CLEAN, Harm
from bench.predict.clip import Clip, Scores
from bench.predict.face_cache import FaceCache
from tests.predict.made import targets_of
from tests.predict.remembering import ALL, FRAMES, NAMES, Bench
from tests.predict.test_run_face import brightness


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.of(tmp_path)


HARMS = {
    "clean": [CLEAN],
    "crops": [CLEAN, Harm("gamma", 3, "crop"), Harm("side_light", 3, "crop")],
    "frames": [Harm("gamma", 3, "frame"), Harm("gamma", 4, "frame")],
    "faces": [Harm("side_light", 3, "frame")],
    "films": [Harm("frame_rate", 3, "frame")],
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", HARMS)
def test_a_second_run_seeks_nothing_and_ends_in_the_same_bytes(bench: Bench, kind: str, workers: int) -> None:
    bench.workers, harms = workers, HARMS[kind]
    asked, without = bench.run(*harms, cached=False)
    assert not list(bench.folder.rglob("*.faces"))
    assert bench.run(*harms) == (asked, without)
    assert bench.recalled == [0] * len(harms)
    assert bench.run(*harms) == (0 if kind != "crops" else asked - ALL, without)
    assert asked >= ALL
    assert len(set(without)) > len(harms)  # the conditions differ


@pytest.mark.parametrize("workers", [1, 2])
def test_every_chunk_of_a_batch_is_remembered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(reader, "_CHUNK_WINDOWS", 1)
    bench.batch, bench.workers, harms = 3, workers, [CLEAN, Harm("gamma", 3, "frame")]
    plain = bench.run(*harms, cached=False)
    assert bench.run(*harms) == plain == (2 * ALL, plain[1])
    assert bench.run(*harms) == (0, plain[1])
    tables = [bench.cache.read(file.stem) for file in bench.folder.rglob("*.faces")]
    assert [sorted(set(table["place"].to_pylist())) for table in tables] == [[0]] * 6
    for batch in (1, 2):  # other batches of the same chunks
        bench.batch = batch
        assert bench.run(*harms) == (0, bench.run(*harms, cached=False)[1])
    bench.batch = 3
    monkeypatch.undo()  # one chunk, of more frames together
    assert bench.run(CLEAN)[0] == ALL


def test_an_oracle_comes_after_what_was_found(bench: Bench) -> None:
    boxes = pa.array([[8.0, 8.0, 48.0, 48.0]] * len(NAMES))
    bench.targets = replace(bench.targets, table=bench.targets.table.append_column("box", boxes))
    found = bench.run()
    bench.oracle = "detect"
    given = bench.run()
    assert (found[0], given[0]) == (ALL, 0)
    assert given[1] != found[1]
    assert given[1] == bench.run(cached=False)[1]
    bench.oracle = None
    assert bench.run() == (0, found[1])


def test_batches_written_before_an_interrupt_are_known(bench: Bench) -> None:
    def stops(clips: Sequence[Clip]) -> list[Scores]:
        if any(clip.id == NAMES[-1] for clip in clips):
            raise KeyboardInterrupt
        return brightness(clips)

    bench.batch, bench.predict = 1, stops
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    bench.predict = brightness
    asked, results = bench.run()
    assert asked == FRAMES
    assert results == bench.run(cached=False)[1]


def test_a_damaged_file_is_sought_and_written_again(bench: Bench) -> None:
    _, results = bench.run()
    files = sorted(bench.folder.rglob("*.faces"))
    before = [file.read_bytes() for file in files]
    files[0].write_bytes(before[0][:-40])
    asked, mended = bench.run()
    assert 0 < asked < ALL
    assert mended == results
    assert [file.read_bytes() for file in files] == before
    assert bench.run() == (0, results)


def test_a_file_that_is_whole_and_speaks_of_other_frames_is_not_believed(bench: Bench) -> None:
    bench.batch = 3
    _, results = bench.run()
    (file,) = bench.folder.rglob("*.faces")
    table = bench.cache.read(file.stem)
    frames = pa.array(table["frame"].to_numpy() + 1)
    bench.cache.write(file.stem, table.set_column(table.column_names.index("frame"), "frame", frames))
    assert bench.run() == (ALL, results)
    assert bench.run() == (0, results)


def test_a_detector_that_nobody_described_is_asked_every_time(bench: Bench) -> None:
    bench.described = None
    assert [bench.run()[0] for _ in range(2)] == [ALL, ALL]
    assert not list(bench.folder.rglob("*.faces"))


def test_a_cache_that_cannot_be_written_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    cache = FaceCache(bench.folder / NAMES[0] / "faces", said.append)
    monkeypatch.setattr(Bench, "cache", property(lambda _: cache))
    plain = bench.run(cached=False)
    assert bench.run() == plain
    assert len(said) == 1


def test_media_that_do_not_decode_have_no_faces_to_remember(bench: Bench) -> None:
    for name in NAMES[:2]:
        (bench.folder / name).write_bytes(b"no film")
    bench.targets = targets_of(bench.folder, NAMES)
    results = bench.run(cached=False)
    assert bench.run() == results
    assert bench.run() == (0, results[1])


def test_nothing_but_numbers_is_kept(bench: Bench) -> None:
    bench.run()
    for file in bench.folder.rglob("*.faces"):
        table = bench.cache.read(file.stem)
        assert table.column_names == ["place", "frame", "face", "box", "score", "points"]
        assert not any(name.encode() in file.read_bytes() for name in NAMES)
        assert not any(name in str(file.relative_to(bench.folder)) for name in NAMES)
