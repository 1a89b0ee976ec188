"""The face front-end: detect the faces of every frame, track them into persons, align each to a crop.

Frames go in, one clip of upright face crops per person comes out; only boxes, points and scores leave the
device. It refuses nothing: frames without a face give no clip, and whoever runs it says what that means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from bench.errors import MachineError
from bench.predict.align import cut, squares
from bench.predict.between import fill, key_frames
from bench.predict.clip import Clip
from bench.predict.device import is_out_of_memory
from bench.predict.faces import Detector, Faces
from bench.predict.given import Given
from bench.predict.persons import Persons
from bench.predict.shots import Shots, thumbnails

__all__ = ["Detector", "FaceFinder", "Faces", "Front", "Persons"]

VERSION = 2


@dataclass(frozen=True)
class Front:
    """How a model wants its faces: which detector finds them, and how the aligned crop is cut.

    ``detector``: a zoo entry, name or name@checkpoint. ``size``: edge of the square crop in pixels.
    ``margin``: how much wider than the face's square the crop is (0.2 = 20 % of the square's edge, on every
    side); that square is the one around the detected box, turned upright and put in place by the five points.
    ``every``: the detector looks at every so many frames, and faces move in straight lines between
    (``bench.predict.between``).
    """

    detector: str = "yunet"
    size: int = 112
    margin: float = 0.2
    every: int = 1

    def describe(self) -> dict[str, Any]:
        """What enters the key of a cell."""
        found = {"version": VERSION, "detector": self.detector, "size": self.size, "margin": self.margin}
        # Keys made before there was a choice stay.
        return found if self.every == 1 else {**found, "every": self.every}


@dataclass(frozen=True)
class FaceFinder:
    """Detect, track and align windows of media, many windows at a time.

    The windows of one medium share their Persons (``start``) and must come in order of time. ``described``:
    all of the detector, and of what it runs on, that changes what it finds; None where that is not known.
    """

    front: Front
    detector: Detector
    described: dict[str, Any] | None = field(default=None, compare=False)

    def describe(self) -> dict[str, Any] | None:
        """All that changes what ``detect`` finds in given frames; None where that is not known."""
        if self.described is None:
            return None
        return {**self.described, "front": VERSION, "every": self.front.every}

    def start(self, given: Given | None = None) -> Persons:
        """The empty state of one medium; ``target()`` of it says, at the end, whom the target means."""
        return Persons(given)

    def detect(self, clips: Sequence[Clip]) -> list[list[Faces]]:
        """The faces of every frame of every clip; frames of equal size go through the detector together."""
        places: dict[tuple[int, ...], list[int]] = {}
        keys = [key_frames(len(clip), self.front.every) for clip in clips]
        for place, clip in enumerate(clips):
            places.setdefault(tuple(clip.frames.shape[1:]), []).append(place)
        found: dict[int, list[Faces]] = {}
        for group in places.values():
            looked = [
                clips[p].frames if len(keys[p]) == len(clips[p]) else clips[p].frames[keys[p]] for p in group
            ]
            faces = iter(self._faces(torch.cat(looked)))
            found.update((place, [next(faces) for _ in keys[place]]) for place in group)
        return [
            found[place] if len(keys[place]) == len(clip) else fill(found[place], keys[place], *_course(clip))
            for place, clip in enumerate(clips)
        ]

    def _faces(self, frames: torch.Tensor) -> list[Faces]:
        """The faces of frames [T, 3, H, W]; MachineError when one frame alone does not fit into memory."""
        try:
            with torch.inference_mode():
                return self.detector(frames)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(frames) == 1:
                raise MachineError(
                    self.front.detector,
                    f"out of memory on one frame of {frames.shape[-1]}x{frames.shape[-2]} pixels ({error})",
                    "A frame fits into the device's memory", "Use a larger device, or --device cpu",
                ) from error  # fmt: skip
        half = len(frames) // 2
        return self._faces(frames[:half]) + self._faces(frames[half:])

    def cut(self, persons: Persons, clip: Clip, faces: Sequence[Faces]) -> list[Clip]:
        """One clip of crops per person seen in a window, by number.

        A crop clip has the frames in which its person was found, with their ``index`` and ``times``, and the
        window's ``id`` and ``sound``.
        """
        seen = persons.meet(clip, faces)
        tracks = np.array([track for numbers in seen for track in numbers], dtype=np.int64)
        which = np.repeat(np.arange(len(seen)), [len(numbers) for numbers in seen])
        if not len(tracks):
            return []
        order = np.lexsort((which, tracks))  # by track, within it by time
        boxes, points = np.concatenate([f.boxes for f in faces]), np.concatenate([f.points for f in faces])
        places = squares(boxes, points, self.front.margin)[order]
        crops = cut(clip.frames, which[order], places, self.front.size)
        numbers, counts = np.unique(tracks, return_counts=True)
        ends = counts.cumsum()
        parts = zip(numbers, ends - counts, ends, strict=True)
        return [
            replace(
                clip,
                frames=crops[start:end],
                index=clip.index[which[order[start:end]]],
                times=clip.times[which[order[start:end]]],
                track=int(number),
            )
            for number, start, end in parts
        ]


def _course(clip: Clip) -> tuple[np.ndarray, list[int]]:
    """The times of a window's frames, and their shots."""
    shots = Shots()
    return clip.times, [shots.follow(one) for one in thumbnails(clip.frames)]
