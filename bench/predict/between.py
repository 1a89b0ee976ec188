"""Between detections: the faces of frames in which none were sought, from those before and after.

Of a window every k-th frame is looked at, and its last. A face of two such frames, matched as the Tracker
matches, moves in a straight line from one to the other, its five points with it; one that is in one of them
alone stays where it is for the frames that are nearer to that one. Where a cut lies between them, the faces
of each stay where they are for the frames of its shot; frames of any other shot have none. It refuses
nothing, and no frame outside the window decides: windows are cut by the media alone, so that batches and
devices change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.predict.faces import Faces
from bench.predict.track import match

__all__ = ["fill", "key_frames"]

_NOBODY = Faces(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))


def key_frames(count: int, every: int) -> np.ndarray:
    """The frames of a window of so many that are looked at, ascending; all of them for 1.

    >>> key_frames(8, 3), key_frames(1, 5)
    (array([0, 3, 6, 7]), array([0]))
    """
    return np.union1d(np.arange(0, count, every), [count - 1])


def fill(found: Sequence[Faces], keys: np.ndarray, times: np.ndarray, shots: Sequence[int]) -> list[Faces]:
    """The faces of all frames at ``times`` [T], of ``shots``, from those ``found`` in the frames ``keys``."""
    frames = list(found[:1])
    for place in range(1, len(keys)):
        before, after = found[place - 1], found[place]
        first, last = int(keys[place - 1]), int(keys[place])
        if shots[first] == shots[last]:
            course = _moving(before, after, times[first : last + 1])
        else:
            course = [before if shot == shots[first] else after for shot in shots[first + 1 : last]]
        own = (shots[first], shots[last])
        between = zip(course, shots[first + 1 : last], strict=True)
        frames += [faces if shot in own else _NOBODY for faces, shot in between]
        frames.append(after)
    return frames


def _moving(before: Faces, after: Faces, moments: np.ndarray) -> list[Faces]:
    """The faces at all but the first and the last of some moments, which are those of two detections."""
    partner = match(before.boxes, after.boxes)
    span = max(float(moments[-1] - moments[0]), np.finfo(float).tiny)
    shares = (moments[1:-1] - moments[0]) / span
    return [_between(before, after, partner, float(share)) for share in shares]


def _between(before: Faces, after: Faces, partner: dict[int, int], share: float) -> Faces:
    """The faces at a share of the way; ``partner`` has the place before of each matched place after."""
    here, there = list(partner.values()), list(partner)
    lone, matched = (before, set(here)) if share < 0.5 else (after, set(there))
    alone = [place for place in range(len(lone)) if place not in matched]

    def at(name: str) -> np.ndarray:
        start, end = getattr(before, name)[here], getattr(after, name)[there]
        return np.concatenate([(1 - share) * start + share * end, getattr(lone, name)[alone]])

    return Faces(at("boxes"), at("points"), at("scores"))
