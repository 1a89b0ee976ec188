"""The face as a mesh: 468 points in space, numbered as MediaPipe's face mesh numbers them.

``find_meshes`` cuts what a mesh network wants to see and brings its points back into the frame. It refuses
nothing: what is no face gets points too, with a low score.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from bench.predict.align import cut, squares

__all__ = ["EYES", "Mesh", "find_meshes", "mesh_angles"]

EYES = (33, 263)
"""The outer corners of the eyes: the one at the left of an upright picture, the other."""


class Mesh(Protocol):
    """A face mesh network, what ``build`` of a zoo entry of kind "mesh" returns.

    ``version`` goes up whenever points change for the same weights.
    """

    @property
    def size(self) -> int:
        """Edge of the square crop it sees, in pixels."""
        ...

    @property
    def margin(self) -> float:
        """How much wider than the aligned square the crop is, on every side, in edges of that square."""
        ...

    @property
    def version(self) -> int:
        """The version of all that is done to a crop."""
        ...

    def __call__(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points float32 [N, 468, 3] in edges of the crop, and scores [N] in [0, 1].

        ``crops``: uint8 [N, 3, size, size] RGB. x right, y down from the first corner, z away from the
        camera.
        """
        ...


def find_meshes(
    network: Mesh, frames: torch.Tensor, which: np.ndarray, boxes: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points of every face in pixels of its frame, float64 [N, 468, 3], and scores [N].

    ``frames`` uint8 [T, 3, H, W]; ``which``, ``boxes`` and ``points``: the frame of each face, its box and
    five points, as in ``Faces``. x right, y down, z away from the camera, 0 somewhere within the head.
    """
    places = squares(boxes, points, network.margin)
    found, scores = network(cut(frames, which, places, network.size))
    x, y, depth = np.moveaxis(found.double().cpu().numpy(), -1, 0)
    corner, edge = places[:, :1], places[:, 1:]
    seen = corner + edge * (x + 1j * y)
    return np.stack([seen.real, seen.imag, depth * np.abs(edge)], -1), scores.double().cpu().numpy()


def mesh_angles(points: np.ndarray) -> np.ndarray:
    """Yaw and roll in degrees, float64 [N, 2], of the line between the eyes; signs as in ``predict.pose``.

    ``points`` [N, 468, 3] as ``find_meshes`` gives them. Pitch would need a face that is known to be level.

    >>> face = np.zeros((1, 468, 3))
    >>> face[0, EYES[1]] = (1.0, 0.0, 1.0)  # the eye at the right is as far behind as beside
    >>> mesh_angles(face)
    array([[45.,  0.]])
    """
    x, y, depth = np.moveaxis(points[:, EYES[1]] - points[:, EYES[0]], -1, 0)
    angles: np.ndarray = np.degrees(np.stack([np.arctan2(depth, np.hypot(x, y)), np.arctan2(y, x)], -1))
    return angles
