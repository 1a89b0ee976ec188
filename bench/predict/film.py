"""A video before a model samples it: its frames at their native rate, and which of them is shown when.

What acts on the whole video (a codec, a change of time) acts here, and on no still image. Frames are decoded
once, in ascending order, and never held: memory stays bounded by the window. Only what is shown in another
order goes through a temporary file, as large as the sampled frames.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from av.video.frame import VideoFrame

from bench.predict.clip import Sampling

__all__ = ["Alter", "Film", "Pictures", "Window", "in_order", "sample", "shown"]

Pictures = Iterator[tuple[int, VideoFrame]]
"""Frames with their numbers, ascending."""

Window = tuple[torch.Tensor, np.ndarray, np.ndarray]
"""Pixels uint8 [T, 3, H, W], numbers int64 [T] and times float64 [T] of consecutive frames."""


@dataclass(frozen=True)
class Film:
    """A video, and what is shown of it.

    ``id``: the target it belongs to, which seeds perturbations. ``times``: float64 [m], seconds from the
    first frame, ascending. ``source``: int64 [m], the number of the frame that is shown at each. ``frames``:
    all frames from number 0, read once; one that does not decode is missing.
    """

    id: str
    times: np.ndarray
    source: np.ndarray
    frames: Pictures


Alter = Callable[[Film], Film]
"""What is done to a film before it is sampled."""


def sample(times: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Numbers of the sampled frames, int64 ascending and distinct, for frames shown at ``times`` [n].

    The nearest frame to a multiple of 1/rate is the earlier one where two are equally near.

    >>> sample(np.array([0.0, 0.4, 0.5, 1.0]), Sampling(rate=2)).tolist()
    [0, 2, 3]
    >>> sample(np.arange(9) / 25, Sampling(count=3)).tolist()
    [0, 4, 8]
    """
    if sampling.count is not None:
        return np.unique(np.linspace(0, len(times) - 1, sampling.count).round().astype(np.int64))
    if sampling.rate is not None:
        # A frame is nearest to the multiples between its two middles; counting them per frame, and not one by
        # one, bounds the work by the frames, whatever a file claims its duration to be.
        ends = np.concatenate([(times[1:] + times[:-1]) / 2, times[-1:]]) * sampling.rate
        counted = np.floor(ends + 1e-9 * sampling.rate)
        counted[-1] = np.floor(ends[-1] + 1e-6)
        return np.flatnonzero(np.diff(counted, prepend=-1.0) > 0)
    return np.arange(len(times))


def shown(film: Film, chosen: np.ndarray) -> Pictures:
    """Yield the chosen places of a film with their pictures, by ascending number of the frame shown there.

    A frame may be shown many times. For one that does not decode, the next that does is shown, or the last
    where none follows.
    """
    source = film.source[chosen]
    order = np.argsort(source, kind="stable")
    reached, frame = 0, None
    for number, frame in film.frames:
        while reached < len(order) and source[order[reached]] <= number:
            yield int(chosen[order[reached]]), frame
            reached += 1
    if frame is not None:
        yield from ((int(chosen[place]), frame) for place in order[reached:])


def in_order(windows: Iterator[Window], size: int) -> Iterator[Window]:
    """The frames of windows by ascending number, in windows of at most ``size``, through a temporary file."""
    numbers, times = list[np.ndarray](), list[np.ndarray]()
    shape: tuple[int, ...] = ()
    with tempfile.TemporaryFile() as file:
        for pixels, index, at in windows:
            file.write(pixels.numpy().data)
            shape = tuple(pixels.shape[1:])
            numbers.append(index)
            times.append(at)
        every, all_times = np.concatenate(numbers), np.concatenate(times)
        order = np.argsort(every)
        for rows in np.split(order, range(size, len(order), size)):
            pixels = torch.empty((len(rows), *shape), dtype=torch.uint8)
            for room, row in zip(pixels.numpy(), rows, strict=True):
                file.seek(int(row) * room.nbytes)
                file.readinto(room.data)
            yield pixels, every[rows], all_times[rows]
