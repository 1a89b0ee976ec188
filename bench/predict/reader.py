"""Reading ahead: media decoded by threads while the device works, in order and in bounded memory.

Each thread decodes one medium at a time into a short queue of windows; windows come out target by target.
A medium that cannot be used comes out as its MediaFault, as a value.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from bench.errors import MediaFault
from bench.predict.clip import Clip, Sampling, Sound
from bench.predict.decode import decode
from bench.predict.sound import load_sound

__all__ = ["WINDOW", "Medium", "chunks", "read_ahead"]

WINDOW = 32
_WINDOWS_AHEAD = 2
_CHUNK_BYTES = 1 << 25
_CHUNK_WINDOWS = 64


@dataclass(frozen=True)
class Medium:
    """What a target is decoded from: a file or bytes, and how its model samples it."""

    target: str
    source: Path | bytes
    sampling: Sampling
    sound_rate: int | None = None
    sound: Path | None = None


Item = tuple[int, Clip | MediaFault]


def read_ahead(media: Sequence[Medium], device: torch.device, workers: int) -> Iterator[Item]:
    """Yield (position, window or fault) in the order of the media; any other error is raised here."""
    ahead = _Ahead(media, device)
    threads = [threading.Thread(target=ahead.work, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(workers + 1):
            ahead.allowed.release()
        for position in range(len(media)):
            yield from ahead.windows(position)
            ahead.allowed.release()
    finally:
        ahead.stopped.set()
        for _ in threads:
            ahead.allowed.release()
        for thread in threads:
            thread.join()


def chunks(items: Iterator[Item]) -> Iterator[tuple[list[tuple[int, Clip]], list[tuple[int, MediaFault]]]]:
    """Pack windows into chunks of at most 64 windows or 32 MiB of pixels, faults beside them.

    The packing depends on the media alone, so a batch computed again gives the same bytes.
    """
    packed: list[tuple[int, Clip]] = []
    faults: list[tuple[int, MediaFault]] = []
    size = 0
    for position, item in items:
        if isinstance(item, MediaFault):
            faults.append((position, item))
            continue
        if packed and (size + item.frames.nbytes > _CHUNK_BYTES or len(packed) == _CHUNK_WINDOWS):
            yield packed, faults
            packed, faults, size = [], [], 0
        packed.append((position, item))
        size += item.frames.nbytes
    if packed or faults:
        yield packed, faults


_END = object()


class _Ahead:
    """What the reading threads share: the next medium, one short queue a medium, and leave to begin one."""

    def __init__(self, media: Sequence[Medium], device: torch.device) -> None:
        self._media, self._device = media, device
        self._queues: list[queue.Queue[object]] = [queue.Queue(_WINDOWS_AHEAD) for _ in media]
        self._positions = iter(range(len(media)))
        self._lock = threading.Lock()
        self.allowed = threading.Semaphore(0)
        self.stopped = threading.Event()

    def work(self) -> None:
        """Decode one medium after another until there is none left."""
        while True:
            self.allowed.acquire()
            with self._lock:
                position = None if self.stopped.is_set() else next(self._positions, None)
            if position is None:
                return
            try:
                for clip in _windows(self._media[position], self._device):
                    self._put(position, clip)
                    if self.stopped.is_set():
                        return
            except BaseException as error:
                self._put(position, error)
            self._put(position, _END)

    def windows(self, position: int) -> Iterator[Item]:
        """The windows of one medium as they come, or its fault; raises whatever else went wrong."""
        while (item := self._queues[position].get()) is not _END:
            if isinstance(item, (Clip, MediaFault)):
                yield position, item
            else:
                assert isinstance(item, BaseException)
                raise item

    def _put(self, position: int, item: object) -> None:
        while not self.stopped.is_set():
            try:
                self._queues[position].put(item, timeout=0.1)
            except queue.Full:
                continue
            return


def _windows(medium: Medium, device: torch.device) -> Iterator[Clip]:
    """The windows of a medium; sound comes from its own file where the targets name one."""
    if medium.sound is None or medium.sound_rate is None:
        yield from decode(
            medium.source, medium.target, medium.sampling, device, sound_rate=medium.sound_rate, window=WINDOW
        )
        return
    samples = torch.from_numpy(load_sound(medium.sound, medium.sound_rate)).to(device)
    for clip in decode(medium.source, medium.target, medium.sampling, device, window=WINDOW):
        yield replace(clip, sound=Sound(samples, medium.sound_rate))
