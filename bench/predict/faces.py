"""What a face detector says: boxes, five points and scores, a few numbers a frame, on the host.

Coordinates are pixels of the frame it was given, continuous: the pixel in column 0 covers x from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

__all__ = ["Detector", "Faces", "filling", "overlap"]

_LEAST_FILLED = 0.25  # of an aligned picture, for a detected face to be the one it shows


@dataclass(frozen=True)
class Faces:
    """The faces of one frame, best first.

    ``boxes``: float64 [N, 4], x, y, width, height. ``points``: float64 [N, 5, 2], the eye at the left of an
    upright picture, the other eye, nose tip, left and right corner of the mouth; NaN where not known.
    ``scores``: float64 [N] in [0, 1].
    """

    boxes: np.ndarray
    points: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


class Detector(Protocol):
    """A face detector, what ``build`` of a zoo entry of kind "detector" returns.

    ``version`` goes up whenever detections change for the same weights. Frames may come in any order, and on
    a CPU from several threads at once, so it remembers nothing of them.
    """

    version: int

    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        """The faces of each frame of uint8 [T, 3, H, W] RGB."""
        ...


def filling(size: Sequence[int], found: Faces) -> Faces:
    """The one face that fills an aligned picture of some height and width.

    Its points are those of the largest found, if that is large enough to be the one shown, else NaN.

    Its score is that of the face found, NaN where there is none.
    """
    points, score = np.full((1, 5, 2), np.nan), np.full(1, np.nan)
    height, width = size
    areas = found.boxes[:, 2:].prod(1)
    if len(found) and areas.max() >= _LEAST_FILLED * height * width:
        points, score = found.points[areas.argmax()][None], found.scores[areas.argmax()][None]
    return Faces(np.array([[0.0, 0.0, width, height]]), points, score)


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes [N, 4] with boxes [M, 4] as float64 [N, M]; NaN for two empty boxes.

    >>> overlap(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 2.0, 2.0], [5.0, 5.0, 1.0, 1.0]]))
    array([[0.33333333, 0.        ]])
    """
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, :2] + one[:, None, 2:], other[None, :, :2] + other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    union = one[:, None, 2:].prod(2) + other[None, :, 2:].prod(2) - shared
    ratio: np.ndarray = np.divide(shared, union, out=np.full_like(shared, np.nan), where=union > 0)
    return ratio
