"""Given: what a data set says of a target's face, and the stages of the front-end it stands in for.

Boxes and points are of clean media; where a perturbation moves what is in the frame, they move with it. An
oracle puts what is given in place of what a stage found, so that the difference of two runs is the loss due
to that stage: ``detect`` the box, in every frame that shows some of it and alone, with the points that were
found there; ``track`` the person, who is whoever is found at the box; ``align`` the five points, of the face
that they lie in. It refuses nothing: which data allow an oracle is the plan's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol

import numpy as np

from bench.predict.faces import Faces, overlap
from bench.spec import TargetFace

__all__ = ["NEEDED", "SAME_FACE", "Given", "Move", "Oracle", "overlap_with"]

Oracle = Literal["detect", "track", "align"]
NEEDED: dict[Oracle, str] = {"detect": "box", "track": "box", "align": "points"}
"""The column of targets that each oracle reads."""

SAME_FACE = 0.5
"""Overlap from which two boxes are of one face, as detectors are judged (PASCAL VOC, FDDB, WIDER FACE)."""


class Move(Protocol):
    """Where things of clean frames lie in those that are seen."""

    def __call__(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The place of each of points [N, 2] in frames of (height, width)."""
        ...


@dataclass(frozen=True)
class Given:
    """Which of several faces a target means, where the face is, and what is put in place of what is found.

    ``box`` float64 [4] and ``points`` float64 [5, 2] as in ``Faces``, None where not given; ``move(points,
    size)`` says where they lie in frames that are moved, None where nothing moves.
    """

    face: TargetFace = "largest"
    box: np.ndarray | None = None
    points: np.ndarray | None = None
    oracle: Oracle | None = None
    move: Move | None = None

    def placed(self, size: tuple[int, int]) -> Given:
        """The same in frames of (height, width) as they are seen.

        A box keeps its sides upright, and their proportion: its centre moves, its area grows as that of the
        moved box.
        """
        if self.move is None or (self.box is None and self.points is None):
            return self
        move = partial(self.move, size=size)
        points = None if self.points is None else move(self.points)
        box = None if self.box is None else _moved_box(self.box, move)
        return replace(self, box=box, points=points, move=None)

    def substitute(self, faces: Faces, size: tuple[int, int]) -> Faces:
        """The faces of one frame of (height, width) after the oracle, if it is one of detection or points."""
        if self.oracle == "detect":
            return _with_box(self.placed(size).box, faces, size)
        return _with_points(self.placed(size).points, faces) if self.oracle == "align" else faces


def overlap_with(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with boxes [N, 4], float64 [N]; 0 where it is undefined."""
    shared: np.ndarray = np.nan_to_num(overlap(boxes, box[None].astype(np.float64)))[:, 0]
    return shared


def _with_box(box: np.ndarray | None, faces: Faces, size: tuple[int, int]) -> Faces:
    assert box is not None, "the plan has asked for it"
    height, width = size
    if (box[:2] >= (width, height)).any() or (box[:2] + box[2:] <= 0).any():  # nothing of it is in sight
        return Faces(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))
    points, shared = np.full((1, 5, 2), np.nan), overlap_with(box, faces.boxes)
    if shared.max(initial=0) >= SAME_FACE:
        points = faces.points[[shared.argmax()]]
    return Faces(box[None], points, np.ones(1))


def _with_points(given: np.ndarray | None, faces: Faces) -> Faces:
    assert given is not None, "the plan has asked for them"
    # In halves of the box from its middle; of several faces the one in whose middle they lie most.
    away = (given.mean(0) - faces.boxes[:, :2]) / faces.boxes[:, 2:] * 2 - 1
    inside = (np.abs(away) <= 1).all(1)
    points = faces.points.copy()
    for face in np.flatnonzero(inside)[np.hypot(*away[inside].T).argsort()][:1]:
        points[face] = given
    return replace(faces, points=points)


def _moved_box(box: np.ndarray, move: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    corner, sides = box[:2], box[2:]
    moved = move(corner + sides * np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]]))
    (ax, ay), (bx, by) = moved[2] - moved[0], moved[3] - moved[1]
    area = abs(ax * by - ay * bx) / 2  # of a quadrilateral, by its diagonals
    sides = sides * np.sqrt(area / sides.prod())
    return np.concatenate([moved[4] - sides / 2, sides])
