"""Reading ahead: in order, every item once, bounded, and never waiting for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from bench.errors import MediaFault
from bench.predict import reader
from bench.predict.clip import Clip, Sampling, Sound
from bench.predict.reader import Medium, Reader

CPU = torch.device("cpu")


def window(medium: str, index: int, size: int) -> Clip:
    """One window of ``size`` bytes."""
    pixels = torch.zeros(1, 1, 1, size, dtype=torch.uint8)
    return Clip(medium, pixels, np.array([index]), np.zeros(1))


class Media:
    """Made-up media: windows of random sizes, faults among them; counts the bytes that wait."""

    def __init__(self, seed: int, count: int) -> None:
        draw = np.random.default_rng(seed)
        self.sizes = [draw.choice((1, 10, 400, 3000), draw.integers(0, 5)).tolist() for _ in range(count)]
        self.faulty = set(np.flatnonzero(draw.random(count) < 0.2).tolist())
        self.lock, self.waiting, self.most = threading.Lock(), 0, 0

    def medium(self, number: int) -> Medium:
        return Medium(str(number), b"", Sampling())

    def windows(self, medium: Medium, device: torch.device) -> Iterator[Clip]:
        number = int(medium.target)
        for index, size in enumerate(self.sizes[number]):
            yield window(medium.target, index, size)
            with self.lock:  # the reader came back: this window has found room
                self.waiting += size
                self.most = max(self.most, self.waiting)
        if number in self.faulty:
            raise MediaFault("made to fail")

    def expected(self) -> list[tuple[int, int | None]]:
        rows: list[tuple[int, int | None]] = []
        for number, sizes in enumerate(self.sizes):
            rows += [(number, index) for index in range(len(sizes))]
            rows += [(number, None)] if number in self.faulty else []
        return rows


@pytest.mark.parametrize("small", [0, 10, 400])
@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("seed", range(20))
def test_every_item_comes_once_in_order_and_what_waits_is_bounded(
    seed: int, workers: int, small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = Media(seed, 40)
    monkeypatch.setattr(reader, "read_medium", media.windows)
    monkeypatch.setattr(reader, "_BYTES_AHEAD", 1000)
    monkeypatch.setattr(reader, "_MEDIA_AHEAD", 4)
    monkeypatch.setattr(reader, "_SMALL", small)
    monkeypatch.setattr(reader, "_TOGETHER", 3)
    monkeypatch.setattr(reader, "_MOST_HELD", 2)
    got: list[tuple[int, int | None]] = []
    with Reader(40, media.medium, CPU, workers) as ahead:
        for part in (range(15), range(15, 40)):
            for place, item in ahead.read(part):
                assert isinstance(item, Clip | MediaFault)
                fault = isinstance(item, MediaFault)
                if isinstance(item, Clip):
                    assert item.id == str(part[place])
                    with media.lock:
                        media.waiting -= item.frames.nbytes
                got.append((part[place], None if fault else int(item.index[0])))
    assert got == media.expected()
    # The bound, one window beyond it of the medium that is read, one just taken, and what threads hold.
    assert media.most <= 1000 + 3000 + 3000 + workers * 3 * small


def test_sound_counts_among_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def with_sound(medium: Medium, device: torch.device) -> Iterator[Clip]:
        begun.append(medium.target)
        yield replace(window(medium.target, 0, 1), sound=Sound(torch.zeros(1000), 8000))

    monkeypatch.setattr(reader, "read_medium", with_sound)
    monkeypatch.setattr(reader, "_BYTES_AHEAD", 9_000)
    monkeypatch.setattr(reader, "_SMALL", 0)
    with Reader(50, Media(0, 50).medium, CPU, 1) as ahead:
        items = ahead.read(range(50))
        next(items)
        time.sleep(0.2)
        assert len(begun) <= 1 + 2 + 1  # taken, waiting (4,001 bytes each), decoded without room
        assert len(list(items)) == 49


def test_small_media_are_decoded_many_at_once_by_one_thread_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[int] = []

    def still(medium: Medium, device: torch.device) -> Iterator[Clip]:
        threads.append(threading.get_ident())
        time.sleep(0.001)
        yield window(medium.target, 0, 1)

    def changes(size: int) -> int:
        """How often another thread went on."""
        threads.clear()
        monkeypatch.setattr(reader, "_SMALL", size)
        with Reader(320, Media(0, 320).medium, CPU, 2) as ahead:
            assert [place for place, _ in ahead.read(range(320))] == list(range(320))
        return sum(one != other for one, other in pairwise(threads))

    monkeypatch.setattr(reader, "read_medium", still)
    # Threads take 1, 2, 4, 8 media before they take 16.
    assert changes(1) <= 8 + 320 // 16 < changes(0)


@pytest.mark.parametrize("small", [0, 1 << 16])
def test_a_reader_left_early_ends_its_threads(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    media = Media(1, 200)
    monkeypatch.setattr(reader, "read_medium", media.windows)
    monkeypatch.setattr(reader, "_BYTES_AHEAD", 10)
    monkeypatch.setattr(reader, "_SMALL", small)
    before = threading.active_count()
    with Reader(200, media.medium, CPU, 3) as ahead:
        next(ahead.read(range(200)))
    assert threading.active_count() == before


def test_what_goes_wrong_in_a_thread_is_raised_where_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(medium: Medium, device: torch.device) -> Iterator[Clip]:
        yield window("0", 0, 1)
        raise OSError("the disk is gone")

    monkeypatch.setattr(reader, "read_medium", fail)
    with Reader(3, Media(0, 3).medium, CPU, 2) as ahead:
        items = ahead.read(range(3))
        assert isinstance(next(items)[1], Clip)
        with pytest.raises(OSError, match="the disk is gone"):
            next(items)
