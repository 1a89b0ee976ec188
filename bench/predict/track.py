"""Track: which face of a frame is which face of the frames before, for one medium at a time.

Each track moves on at constant velocity; new boxes are matched to the moved ones so that the sum of their
buffered overlaps is largest (Hungarian method). It knows positions and sizes alone, no looks: who leaves and
returns after a second is a new track. A track belongs to a shot, waits while the camera is elsewhere, and
goes on where it was when the camera is back: who stands after a cut where another stood is somebody else.
Across a cut to a second camera no track goes on.

Looks were tried there, without a model of identity, and left out: the correlation of grey aligned crops of
32 x 32, of nine people in 25 real clips. The least bound that joins no two of them keeps half of the right
joins, between .1 and 1 by person; one set without a person joins that person to another in 3 of 1,000 cuts.
A person would be whole or in pieces by how much the face moves, which is what is measured here.

Source of the buffered overlap: Yang et al., "Hard to track objects with irregular motions and similar
appearances? Make it easier by buffering the matching space", WACV 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from bench.predict.faces import overlap

__all__ = ["Tracker", "match"]

_BUFFER = 0.3  # of width and height, on every side
_LEAST_OVERLAP = 0.1  # with that buffer: two equal boxes at most 1.3 widths apart
_LONGEST_GAP = 1.0  # seconds a track survives unseen
_FEWEST_MISSES = 2  # and at least so many frames, however far apart these are
_NEWEST = 0.5  # share of the newest step in a track's velocity


@dataclass
class _Track:
    number: int
    shot: int
    box: np.ndarray
    time: float
    frame: int
    velocity: np.ndarray  # of the centre, pixels a second

    def box_at(self, time: float) -> np.ndarray:
        moved: np.ndarray = self.box + np.concatenate([self.velocity * (time - self.time), [0.0, 0.0]])
        return moved

    def see(self, box: np.ndarray, time: float, frame: int) -> None:
        if time > self.time:
            step = (_centre(box) - _centre(self.box)) / (time - self.time)
            # The first step is all that is known of the velocity.
            newest = _NEWEST if self.velocity.any() else 1.0
            self.velocity = newest * step + (1 - newest) * self.velocity
        self.box, self.time, self.frame = box, time, frame


class Tracker:
    """The faces of one medium so far: feed it frame by frame, in order of time."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._frame = -1
        self._time = 0.0
        self._shot = 0
        self._left: dict[int, tuple[float, int]] = {}  # by shot: time and frame of its last frame so far

    def update(self, time: float, boxes: np.ndarray, shot: int = 0) -> list[int]:
        """The track of each box (float64 [N, 4]) of the next frame, of a shot; ``time`` in seconds.

        A face no living track of the shot explains starts a new one, numbered from 0 in order of appearance.
        A track lives while it was seen in the last second or in one of the last two frames of its shot.
        """
        if shot != self._shot:
            self._turn_to(shot, time)
        self._frame, self._time = self._frame + 1, time
        living = [track for track in self._tracks if track.shot == shot and self._lives(track, time)]
        matched = match(np.array([track.box_at(time) for track in living]).reshape(-1, 4), boxes)
        numbers: list[int] = []
        for place, box in enumerate(boxes):
            if place in matched:
                track = living[matched[place]]
                track.see(box, time, self._frame)
            else:
                track = _Track(len(self._tracks), shot, box, time, self._frame, np.zeros(2))
                self._tracks.append(track)
            numbers.append(track.number)
        return numbers

    def _turn_to(self, shot: int, time: float) -> None:
        """Leave a shot, and if this one was left before, go on as if its next frame came at once."""
        self._left[self._shot] = self._time, self._frame
        left_at, last = self._left.get(shot, (time, self._frame))
        for track in self._tracks:
            if track.shot == shot:
                track.time += time - left_at
                track.frame += self._frame - last
        self._shot = shot

    def _lives(self, track: _Track, time: float) -> bool:
        return time - track.time <= _LONGEST_GAP or self._frame - track.frame <= _FEWEST_MISSES


def match(expected: np.ndarray, boxes: np.ndarray) -> dict[int, int]:
    """The place of the expected box [N, 4] for each matched place of ``boxes`` [M, 4]."""
    shared = np.nan_to_num(overlap(_buffered(expected), _buffered(boxes)))
    shared[shared < _LEAST_OVERLAP] = 0
    rows, columns = linear_sum_assignment(shared, maximize=True)
    return {
        int(column): int(row) for row, column in zip(rows, columns, strict=True) if shared[row, column] > 0
    }


def _buffered(boxes: np.ndarray) -> np.ndarray:
    more = boxes[:, 2:] * _BUFFER
    return np.concatenate([boxes[:, :2] - more, boxes[:, 2:] + 2 * more], 1)


def _centre(box: np.ndarray) -> np.ndarray:
    centre: np.ndarray = box[:2] + box[2:] / 2
    return centre
