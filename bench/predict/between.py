"""Between detections: the faces of frames in which none were sought, from those before and after.

Of a window every k-th frame is looked at, and its last. A face of two such frames, matched as the Tracker
matches, moves in a straight line from one to the other, its five points with it; one that is in one of them
alone stays where it is for the frames that are nearer to that one. It refuses nothing, and no frame outside
the window decides: windows are cut by the media alone, so that batches and devices change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.predict.faces import Faces
from bench.predict.track import match

__all__ = ["fill", "key_frames"]


def key_frames(count: int, every: int) -> np.ndarray:
    """The frames of a window of so many that are looked at, ascending; all of them for 1.

    >>> key_frames(8, 3), key_frames(1, 5)
    (array([0, 3, 6, 7]), array([0]))
    """
    return np.union1d(np.arange(0, count, every), [count - 1])


def fill(found: Sequence[Faces], keys: np.ndarray, times: np.ndarray) -> list[Faces]:
    """The faces of all frames at ``times`` [T], from those ``found`` in the frames ``keys``."""
    if len(found) == len(times):
        return list(found)
    frames = list(found[:1])
    for place in range(1, len(keys)):
        before, after = found[place - 1], found[place]
        partner = match(before.boxes, after.boxes)
        moments = times[keys[place - 1] : keys[place] + 1]
        span = max(float(moments[-1] - moments[0]), np.finfo(float).tiny)
        shares = (moments[1:-1] - moments[0]) / span
        frames += [_between(before, after, partner, float(share)) for share in shares]
        frames.append(after)
    return frames


def _between(before: Faces, after: Faces, partner: dict[int, int], share: float) -> Faces:
    """The faces at a share of the way; ``partner`` has the place before of each matched place after."""
    here, there = list(partner.values()), list(partner)
    lone, matched = (before, set(here)) if share < 0.5 else (after, set(there))
    alone = [place for place in range(len(lone)) if place not in matched]

    def at(name: str) -> np.ndarray:
        start, end = getattr(before, name)[here], getattr(after, name)[there]
        return np.concatenate([(1 - share) * start + share * end, getattr(lone, name)[alone]])

    return Faces(at("boxes"), at("points"), at("scores"))
