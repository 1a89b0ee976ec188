"""Persons: who is in a medium, which of them its target means, and which stage of the front-end lost it.

Who is who from frame to frame is the Tracker's, by shots; here is what is known of each. The target means the
person of the largest sum of box areas over all frames, so that the one who is large and long in the picture
counts and not a passer-by close to the camera; or the one nearest to the middle of the frame (the mean over
frames by area, of those seen at least half as often as the one seen most); or the one of most overlap with
the given box, summed over frames. It refuses nothing: where nobody could be meant there is no target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.predict.clip import Clip
from bench.predict.faces import Faces
from bench.predict.given import SAME_FACE, Given, overlap_with
from bench.predict.shots import NO_SHOT, Shots, thumbnails
from bench.predict.track import Tracker

__all__ = ["Persons"]

_OFTEN = 0.5  # of the frames; and, to be the central one, of those of the person seen most
# Mean distance of the points over that of the eyes. Source: Burgos-Artizzu, Perona, Dollar, "Robust face
# landmark estimation under occlusion", ICCV 2013, where a face above 10 % is a failure.
_MISALIGNED = 0.1


@dataclass
class _Seen:
    """What is known of one person: sums over the frames in which they were seen."""

    frames: int = 0
    area: float = 0.0
    off_centre: float = 0.0  # pixels from the middle, times area
    overlap: float = 0.0
    error: float = 0.0
    pointed: int = 0  # frames in which points were found


class Persons:
    """The persons of one medium so far: feed it window by window, in order of time."""

    def __init__(self, given: Given | None = None) -> None:
        self.given = given or Given()
        self._shots, self._shot = Shots(), 0
        self._tracker = Tracker()
        self._seen: dict[int, _Seen] = {}

    def meet(self, window: Clip, faces: Sequence[Faces]) -> list[list[int]]:
        """The person of each face of each frame of the next window.

        Numbered from 0 in order of appearance; where the oracle tracks, 0 is whoever is found at the box.
        """
        given = self.given.placed(window.size)
        numbers = []
        for time, thumbnail, found in zip(window.times, thumbnails(window.frames), faces, strict=True):
            shot = self._shots.follow(thumbnail)
            if shot != NO_SHOT:
                self._shot = shot
            # In frames that show nothing tracks wait; who is found there all the same is of the shot before.
            tracks = self._tracker.update(float(time), found.boxes, self._shot if len(found) else shot)
            numbers.append(self._note(tracks, found, given, window.size))
        return numbers

    def _note(self, numbers: list[int], faces: Faces, given: Given, size: tuple[int, int]) -> list[int]:
        """Note the faces of one frame of (height, width), whose tracks are known; the person of each."""
        shared = np.zeros(len(faces)) if given.box is None else overlap_with(given.box, faces.boxes)
        if given.oracle == "track":
            there = shared.argmax() if shared.max(initial=0) >= SAME_FACE else -1
            numbers = [0 if place == there else number + 1 for place, number in enumerate(numbers)]
        middle = np.array([size[1], size[0]]) / 2
        for place, number in enumerate(numbers):
            seen, (x, y, width, height) = self._seen.setdefault(number, _Seen()), faces.boxes[place]
            seen.frames += 1
            seen.area += float(width * height)
            seen.off_centre += float(width * height * np.hypot(*(middle - (x + width / 2, y + height / 2))))
            seen.overlap += float(shared[place])
            if given.points is not None and np.isfinite(faces.points[place]).all():
                seen.error += _misalignment(faces.points[place], given.points)
                seen.pointed += 1
        return numbers

    def target(self) -> int | None:
        """The person a target means, None if nobody could be meant; of equal ones the first."""
        if self.given.oracle == "track":
            return 0 if 0 in self._seen else None
        if self.given.face == "central":
            sized = {n: seen for n, seen in self._seen.items() if seen.area > 0}
            most = max((seen.frames for seen in sized.values()), default=0)
            often = {n: seen for n, seen in sized.items() if seen.frames >= _OFTEN * most}
            return min(often, key=lambda n: (often[n].off_centre / often[n].area, n), default=None)
        amounts = {n: s.overlap if self.given.face == "box" else s.area for n, s in self._seen.items()}
        meant = [number for number, amount in amounts.items() if amount > 0]
        return max(meant, key=lambda n: (amounts[n], -n), default=None)

    def stage(self, frames: int) -> str | None:
        """Which stage of the front-end lost the target in a medium of so many frames; None where none did.

        A word of ``STAGES``. ``wrong_face``: the mean overlap with the given box is below .5; ``alignment``:
        the mean error of the five points is above a tenth of the distance between the eyes. Neither is known
        where no box, or no points, are given, nor alignment of a detector that finds no points.
        """
        person = self.target()
        if person is None:
            return "not_detected"
        seen = self._seen[person]
        if self.given.box is not None and seen.overlap < SAME_FACE * seen.frames:
            return "wrong_face"
        if seen.frames < _OFTEN * frames:
            return "lost_track"
        return "alignment" if seen.error > _MISALIGNED * seen.pointed else None


def _misalignment(found: np.ndarray, given: np.ndarray) -> float:
    """The mean distance of five points [5, 2] from the given ones, over that of the given eyes."""
    eyes = np.hypot(*(given[1] - given[0]))
    return float(np.hypot(*(found - given).T).mean() / eyes)
