"""What is perturbed where the surface of the face must be known: a clip and the meshes of its faces."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from bench.predict.clip import Clip

__all__ = ["FaceClip"]

_CHEEKS = (234, 454)  # the outermost points, before the ears


@dataclass(frozen=True)
class FaceClip:
    """A clip and the N faces in it whose surface is known well enough to be worked on.

    ``which``: int64 [N], the frame (row of the clip) of each face, ascending. ``meshes``: float64
    [N, 468, 3], numbered as MediaPipe's face mesh, in pixels of the frame: x right, y down, z away from the
    camera, 0 somewhere within the head. ``scores``: float64 [N] in [0, 1], how sure the network is of a face
    there. A frame that is not in ``which`` has no such face and is to be left as it is.
    """

    clip: Clip
    which: np.ndarray
    meshes: np.ndarray
    scores: np.ndarray

    @property
    def id(self) -> str:
        """The target that the clip belongs to, which seeds perturbations."""
        return self.clip.id

    @property
    def widths(self) -> np.ndarray:
        """How wide each face is from cheek to cheek, along its own axis: pixels, float64 [N]."""
        left, right = _CHEEKS
        lengths: np.ndarray = np.linalg.norm(self.meshes[:, right] - self.meshes[:, left], axis=-1)
        return lengths

    @property
    def middles(self) -> np.ndarray:
        """The point between both cheeks, about the neck's joint, float64 [N, 3]."""
        points: np.ndarray = self.meshes[:, list(_CHEEKS)].mean(1)
        return points

    @property
    def unfitted(self) -> int:
        """How many frames have no face to work on."""
        return len(self.clip) - len(np.unique(self.which))

    def only(self, kept: np.ndarray) -> FaceClip:
        """The same with some of the faces, those where bool [N] is true; the others are not worked on."""
        return FaceClip(self.clip, self.which[kept], self.meshes[kept], self.scores[kept])

    def with_frames(self, frames: torch.Tensor) -> FaceClip:
        """The same with other pixels; the meshes stay those of the pixels before."""
        return replace(self, clip=self.clip.with_frames(frames))
