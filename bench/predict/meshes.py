"""The meshes of every face in windows or crops, by a detector and a mesh network, for what harms the face.

One pair for all models, so that all see the same harmed pixels. A face whose fit is bad is refused: where
the network doubts that it sees a face, or its eyes, nose and mouth lie elsewhere than the detector's. What is
left is a ``FaceClip``, which counts the frames without a face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from bench.predict.clip import Clip
from bench.predict.faces import Faces, filling
from bench.predict.front import FaceFinder, Front
from bench.predict.mesh import EYES, Mesh, find_meshes
from bench.predict.perturb.face import FaceClip
from bench.predict.pipeline import Build
from bench.predict.zoo import Zoo

__all__ = ["MeshFinder", "load_mesh_finder", "misplaced"]

VERSION = 1
DETECTOR, NETWORK = "yunet", "facemesh"
# Of faces in photographs the network says 1.0 and of what is none below 0.1: any bound between will do.
LEAST_SCORE = 0.5
# In distances between the outer corners of the eyes. Good fits are misplaced by .04 to .18, since the two
# place nose tips and corners of mouths by other rules; a face found in a drawing of a head by .37.
MOST_MISPLACED = 0.25
# What the detector calls eyes (a mean of two corners), nose tip and corners of the mouth.
_FIVE = ((33, 133), (362, 263), (1, 1), (61, 61), (291, 291))
_CROPS_AT_ONCE = 64


@dataclass(frozen=True)
class MeshFinder:
    """A detector and a mesh network. ``described``: all that changes what they say."""

    finder: FaceFinder
    network: Mesh
    described: dict[str, Any]

    def find(self, clips: Sequence[Clip], *, aligned: bool) -> list[FaceClip]:
        """Fit every face of every clip; of ``aligned`` clips the whole picture is one face."""
        return self.fit(clips, self.finder.detect(clips), aligned=aligned)

    def fit(
        self, clips: Sequence[Clip], found: Sequence[Sequence[Faces]], *, aligned: bool
    ) -> list[FaceClip]:
        """Fit the faces that its detector found in every frame of every clip."""
        if aligned:
            found = [
                [filling(clip.frames.shape[-2:], one) for one in faces]
                for clip, faces in zip(clips, found, strict=True)
            ]
        return [self._fit(clip, faces) for clip, faces in zip(clips, found, strict=True)]

    def _fit(self, clip: Clip, faces: Sequence[Faces]) -> FaceClip:
        which = np.repeat(np.arange(len(clip)), [len(found) for found in faces])
        boxes = np.concatenate([found.boxes for found in faces]).reshape(-1, 4)
        points = np.concatenate([found.points for found in faces]).reshape(-1, 5, 2)
        meshes, scores = np.empty((len(which), 468, 3)), np.empty(len(which))
        for start in range(0, len(which), _CROPS_AT_ONCE):
            part = slice(start, start + _CROPS_AT_ONCE)
            fitted = find_meshes(self.network, clip.frames, which[part], boxes[part], points[part])
            meshes[part], scores[part] = fitted
        good = (scores >= LEAST_SCORE) & ~(misplaced(meshes, points) > MOST_MISPLACED)
        return FaceClip(clip, which, meshes, scores).only(good)


def load_mesh_finder(zoo: Zoo, device: torch.device, where: str) -> MeshFinder:
    """Find and build what fits meshes; UserError for weights that are not at hand, said of ``where``."""
    request = Build(device, torch.float32)
    asked = (where, "Leave out what needs the surface of a face")
    detector = zoo.load_part(DETECTOR, "detector", request, asked)
    network = zoo.load_part(NETWORK, "mesh", request, asked)
    described = {
        "version": VERSION,
        "parts": [
            {"name": part.name, "weights": list(part.weights_sha256), "code": part.code_sha256}
            for part in (detector, network)
        ],
    }
    finder = FaceFinder(Front(DETECTOR), detector.built, detector.describe(request))
    return MeshFinder(finder, network.built, described)


def misplaced(meshes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How far the worst of a detector's five points lies from a mesh's: float64 [N].

    ``meshes`` [N, 468, 3], ``points`` [N, 5, 2]; in distances between the outer corners of the eyes, along
    the face's own axis. NaN where the points are not known.
    """
    own = np.stack([meshes[:, list(pair), :2].mean(1) for pair in _FIVE], 1)
    apart = np.linalg.norm(meshes[:, EYES[1]] - meshes[:, EYES[0]], axis=-1)
    worst: np.ndarray = np.linalg.norm(own - points, axis=-1).max(1) / apart
    return worst
