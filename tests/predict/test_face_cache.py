"""Faces on disk: whole or absent, private, bounded, and never a reason to end."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bench.digest import digest_bytes
from bench.predict.face_cache import FaceCache, open_cache

KEYS = [digest_bytes(bytes([number])) for number in range(12)]


def table_of(seed: int, rows: int = 40) -> pa.Table:
    """Numbers that do not compress."""
    draw = np.random.default_rng(seed)
    boxes = pa.FixedSizeListArray.from_arrays(draw.normal(size=4 * rows), 4)
    return pa.table({"face": pa.array(np.arange(rows), pa.int32()), "box": boxes})


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_was_written_is_read(tmp_path: Path) -> None:
    FaceCache(tmp_path / "faces").write(KEYS[0], table_of(0))
    FaceCache(tmp_path / "faces").write(KEYS[0], table_of(1))
    again = FaceCache(tmp_path / "faces")
    assert again.read(KEYS[0]).equals(table_of(1))
    assert again.read(KEYS[1]) is None


def test_it_lies_beside_the_weights_and_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFECTBENCH_CACHE", str(tmp_path / "deep" / "cache"))
    before = os.umask(0)
    try:
        cache = open_cache(print)
        assert cache is not None
        cache.write(KEYS[0], table_of(0))
    finally:
        os.umask(before)
    folder = tmp_path / "deep" / "cache" / "faces"
    assert files(tmp_path) == [folder / KEYS[0][:2] / f"{KEYS[0]}.faces"]
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}
    assert set(modes.values()) == {0o700, 0o600}
    assert {path for path, mode in modes.items() if mode == 0o600} == set(files(tmp_path))


def test_every_damage_is_told_and_mended(tmp_path: Path) -> None:
    cache, table = FaceCache(tmp_path), table_of(0, rows=2)
    cache.write(KEYS[0], table)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))]
    damaged += [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(len(whole))]
    damaged += [whole + b"\0", b"PAR1" * 100]
    for data in damaged:
        path.write_bytes(data)
        assert cache.read(KEYS[0]) is None
    cache.write(KEYS[0], table)
    assert path.read_bytes() == whole
    assert cache.read(KEYS[0]).equals(table)


def test_a_file_under_anothers_name_is_none(tmp_path: Path) -> None:
    cache = FaceCache(tmp_path)
    cache.write(KEYS[0], table_of(0))
    (path,) = files(tmp_path)
    other = tmp_path / KEYS[1][:2] / f"{KEYS[1]}.faces"
    other.parent.mkdir()
    path.rename(other)
    assert (cache.read(KEYS[0]), cache.read(KEYS[1])) == (None, None)


def test_what_is_whole_and_yet_no_table_is_none(tmp_path: Path) -> None:
    cache = FaceCache(tmp_path)
    cache.write(KEYS[0], table_of(0))
    (path,) = files(tmp_path)
    path.write_bytes(digest_bytes(KEYS[0].encode() + b"of another time").encode() + b"of another time")
    assert cache.read(KEYS[0]) is None


@contextmanager
def nearly_full(size: int) -> Iterator[None]:
    """No file may grow beyond a size, which the system holds as it does a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_cannot_be_written_costs_one_warning(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "file").write_text("no folder")
    cache = FaceCache(tmp_path / "file" / "faces", said.append)
    for number in range(2):
        cache.write(KEYS[number], table_of(number))
        assert cache.read(KEYS[number]) is None
    full = FaceCache(tmp_path / "full", said.append)
    with nearly_full(1000):
        for number in range(2):
            full.write(KEYS[number], table_of(number))
    assert said == [
        f"warning: faces are not kept for later runs, in {tmp_path}/file/faces: File exists",
        f"warning: faces are not kept for later runs, in {tmp_path}/full: File too large",
    ]
    assert files(tmp_path / "full") == []


def test_who_has_no_home_has_no_cache_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    said: list[str] = []
    monkeypatch.delenv("AFFECTBENCH_CACHE")
    monkeypatch.setattr(Path, "home", homeless)
    assert open_cache(said.append) is None
    assert said == ["warning: faces are not kept for later runs: Could not determine home directory."]


def test_the_oldest_go_where_there_are_too_many(tmp_path: Path) -> None:
    FaceCache(tmp_path / "one").write(KEYS[0], table_of(0))
    (one,) = files(tmp_path / "one")
    size = one.stat().st_size
    folder, most = tmp_path / "faces", 8 * size + size // 2

    def held() -> list[int]:
        return [number for number, key in enumerate(KEYS) if list(folder.rglob(f"{key}*"))]

    def begin(second: int) -> FaceCache:
        for path in files(folder):  # as if all that is there were of long ago, in order
            number = [path.name.startswith(key) for key in KEYS].index(True)
            os.utime(path, (second + number, second + number))
        return FaceCache(folder, most=most)

    cache = FaceCache(folder, most=most)
    for number in range(8):
        cache.write(KEYS[number], table_of(number))
    assert held() == list(range(8))
    cache = begin(1000)
    assert cache.read(KEYS[1]) is not None
    (folder / KEYS[0][:2] / ".killed").write_bytes(bytes(10))
    os.utime(folder / KEYS[0][:2] / ".killed", (1, 1))
    cache.write(KEYS[8], table_of(8))
    # Nine are too many: down to nine tenths of what may be, which is seven; the one just read stays.
    assert held() == [1, 3, 4, 5, 6, 7, 8]
    assert not (folder / KEYS[0][:2] / ".killed").exists()
    for number in (9, 10, 11):  # within one run, too
        cache.write(KEYS[number], table_of(number))
        assert sum(path.stat().st_size for path in files(folder)) <= most
    assert {1, 9, 10, 11} <= set(held())
