"""Reading ahead: media decoded by threads while the device works, in order and in bounded memory.

Threads take one medium after another and put its windows into a queue of its own; windows come out medium by
medium. What waits to be read is bounded in bytes, whatever the media are: many pictures, or little of a long
video. A medium that cannot be used comes out as its MediaFault, as a value.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType

import torch

from bench.errors import MediaFault
from bench.predict.clip import Clip, Sampling, Sound
from bench.predict.decode import windows
from bench.predict.film import Alter
from bench.predict.media import unusable
from bench.predict.sound import Hear, Recording, load_sound

__all__ = ["WINDOW", "Item", "Medium", "Reader", "chunks", "read_medium"]

WINDOW = 32
_BYTES_AHEAD = 1 << 26
_MEDIA_AHEAD = 128
# Windows of small media are handed over many at once, and decoded by one thread at a time: else threads spend
# longer on handing each other locks, the interpreter's among them, than on decoding.
_SMALL, _TOGETHER, _MOST_HELD = 1 << 16, 16, 64
_OTHERS_TRIED = 16
_CHUNK_BYTES = 1 << 25
_CHUNK_WINDOWS = 64


@dataclass(frozen=True)
class Medium:
    """What a target is decoded from: a file or bytes, what is done to it, and how its model samples it.

    ``sound``: the file of the sound, where that is not the source itself. ``hear``: what is done to the
    sound; ``others``: in what another's sound is sought, in the order that a number in [0, 1) draws.
    """

    target: str
    source: Path | bytes
    sampling: Sampling
    sound_rate: int | None = None
    sound: Path | None = None
    alter: Alter | None = None
    hear: Hear | None = None
    others: Callable[[float], Iterator[Path | bytes]] = lambda _: iter(())


Item = tuple[int, Clip | MediaFault]


class Reader:
    """The windows of media 0, 1, ..., decoded ahead by ``workers`` threads onto a device.

    ``medium(i)`` says what the i-th is. A context manager, so that its threads end with the block.
    """

    def __init__(
        self, count: int, medium: Callable[[int], Medium], device: torch.device, workers: int
    ) -> None:
        self._count, self._medium, self._device = count, medium, device
        self._waiting: dict[int, deque[object]] = {}
        self._bytes = self._next = self._current = 0
        self._stopped = False
        self._turn, lock = threading.Lock(), threading.Lock()
        self._read, self._room = threading.Condition(lock), threading.Condition(lock)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Reader:
        """Start the threads."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the threads and wait for them."""
        with self._room:
            self._stopped = True
            self._room.notify_all()
        for thread in self._threads:
            thread.join()

    def read(self, media: range) -> Iterator[Item]:
        """Yield (place in ``media``, window or fault) of the next media; ranges follow one another.

        Raises whatever else went wrong while decoding.
        """
        for place, number in enumerate(media):
            ended = False
            while not ended:
                item, ended = self._take(number)
                if isinstance(item, (Clip, MediaFault)):
                    yield place, item
                elif item is not _END:
                    assert isinstance(item, BaseException)
                    raise item

    def _take(self, number: int) -> tuple[object, bool]:
        """The next item of a medium, and whether no more come of it, as far as is known."""
        with self._read:
            self._current = number
            waiting = self._waiting.get(number)
            if not waiting:
                self._room.notify_all()
                self._read.wait_for(lambda: self._waiting.get(number))
                waiting = self._waiting[number]
            item = waiting.popleft()
            self._bytes -= _size(item)
            if ended := item is _END or (len(waiting) == 1 and waiting[0] is _END):
                del self._waiting[number]
            # Woken when half is read, threads decode in bursts; one wake-up an item costs more than a still.
            if self._bytes <= _BYTES_AHEAD // 2 and self._next <= number + _MEDIA_AHEAD // 2:
                self._room.notify_all()
            return item, ended

    def _work(self) -> None:
        """Decode some media after others until there are none left, of small ones many at once."""
        most = 1
        while numbers := self._begin(most):
            most, held = min(2 * most, _TOGETHER), list[tuple[int, object]]()
            with ExitStack() as turn:
                if len(numbers) > 1:
                    turn.enter_context(self._turn)
                for number in numbers:
                    for item in self._items(number):
                        held.append((number, item))
                        if _size(item) > _SMALL or len(held) > _MOST_HELD:
                            most = 1
                            turn.close()  # others may be waited for
                            if not self._put(held):
                                return
                            held = []
                    held.append((number, _END))
            if not self._put(held):
                return

    def _items(self, number: int) -> Iterator[object]:
        """The windows of a medium, and at last what went wrong."""
        try:
            yield from read_medium(self._medium(number), self._device)
        except GeneratorExit:  # nobody reads on
            raise
        except BaseException as error:  # travels to the reader, which raises it there
            yield error

    def _begin(self, most: int) -> range:
        """Take the next media, at most so many; none at the end."""
        with self._room:
            self._room.wait_for(lambda: self._stopped or self._next < self._current + _MEDIA_AHEAD)
            numbers = range(self._next, self._next if self._stopped else min(self._next + most, self._count))
            self._next = numbers.stop
            self._waiting.update((number, deque()) for number in numbers)
            return numbers

    def _put(self, items: Sequence[tuple[int, object]]) -> bool:
        """Hand windows over as soon as there is room; False once stopped."""
        with self._room:
            for number, item in items:
                while not (self._stopped or self._has_room(number, _size(item))):
                    self._room.wait()
                if self._stopped:
                    return False
                self._bytes += _size(item)
                self._waiting[number].append(item)
                if number == self._current:
                    self._read.notify()
            return True

    def _has_room(self, number: int, size: int) -> bool:
        """Whether a window may wait to be read; the medium that is being read always has room for one."""
        wanted = number == self._current and not self._waiting[number]
        return wanted or self._bytes + size <= _BYTES_AHEAD


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
        if packed and (size + _size(item) > _CHUNK_BYTES or len(packed) == _CHUNK_WINDOWS):
            yield packed, faults
            packed, faults, size = [], [], 0
        packed.append((position, item))
        size += _size(item)
    if packed or faults:
        yield packed, faults


_END = object()


def _size(item: object) -> int:
    """Bytes of a window with the sound it carries, though windows of one medium share that; else 0."""
    if not isinstance(item, Clip):
        return 0
    return item.frames.nbytes + (item.sound.samples.nbytes if item.sound is not None else 0)


def read_medium(medium: Medium, device: torch.device) -> Iterator[Clip]:
    """The windows of a medium, each with the whole of its sound, where its model listens."""
    sound = None if medium.sound_rate is None else _sound(medium, medium.sound_rate, device)
    for pixels, index, times in windows(medium.source, medium.target, medium.sampling, WINDOW, medium.alter):
        yield Clip(medium.target, pixels.to(device), index, times, sound=sound)


def _sound(medium: Medium, rate: int, device: torch.device) -> Sound:
    """The sound of a medium, as it is to be heard; from its own file where the targets name one."""

    def load(source: Path | bytes) -> Sound:
        return Sound(torch.from_numpy(load_sound(source, rate)).to(device), rate)

    def other(number: float) -> Sound:
        for source in islice(medium.others(number), _OTHERS_TRIED):
            try:
                return load(source)
            except MediaFault:  # that is the other's row
                continue
        raise unusable(
            "none of the others whose sound could stand for its own has one",
            "Allowed: data whose media have sound",
            "Leave the condition out",
        )

    sound = load(medium.sound or medium.source)
    return sound if medium.hear is None else medium.hear(Recording(medium.target, sound, other)).sound
