"""A made face, half an ellipsoid, and instruments that find one in every bright picture: no weights needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from bench.predict.align import squares
from bench.predict.clip import Clip
from bench.predict.faces import Faces
from bench.predict.front import FaceFinder, Front
from bench.predict.meshes import MeshFinder
from bench.predict.persons import Persons
from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.triangles import TRIANGLES

TOP = 10  # a point of the rim, as MediaPipe numbers them
FIVE = ((33, 133), (362, 263), (1, 1), (61, 61), (291, 291))


@cache
def rim() -> tuple[int, ...]:
    """The points around the mesh, from the top over the left, as the triangles join them."""
    edges = {(a, b) for one in TRIANGLES.tolist() for a, b in zip(one, one[1:] + one[:1], strict=True)}
    before = {b: a for a, b in edges if (b, a) not in edges}
    around = [TOP]
    while before[around[-1]] != TOP:
        around.append(before[around[-1]])
    return tuple(around)


@cache
def layout() -> np.ndarray:
    """Every point in the unit disc, float64 [468, 2], no triangle back to front: Tutte's embedding.

    The rim lies evenly on the circle, and every other point in the middle of its neighbours.
    """
    outer = np.array(rim())
    angles = -np.pi / 2 - 2 * np.pi * np.arange(len(outer)) / len(outer)
    system = np.zeros((468, 468))
    for a, b, c in TRIANGLES.tolist():
        system[[a, a, b, b, c, c], [b, c, a, c, a, b]] = -1
    system[np.arange(468), np.arange(468)] = -system.sum(1)
    system[outer], right = 0, np.zeros((468, 2))
    system[outer, outer] = 1
    right[outer] = np.stack([np.cos(angles), np.sin(angles)], 1)
    return np.linalg.solve(system, right)


def ellipsoid(across: float, down: float, half: float) -> np.ndarray:
    """The mesh of half an ellipsoid that looks at the camera, its half axes 1, 1.3 and 1 times ``half``."""
    x, y = 0.98 * layout().T
    return np.stack([across + half * x, down + 1.3 * half * y, -half * np.sqrt(1 - x**2 - y**2)], 1)


def five(mesh: np.ndarray) -> np.ndarray:
    """What a detector calls eyes, nose tip and corners of the mouth, float64 [5, 2], of a mesh."""
    return np.stack([mesh[list(pair), :2].mean(0) for pair in FIVE])


def faces_in(clip: Clip, *frames: int, share: float = 0.3) -> FaceClip:
    """One made face in the middle of the given frames of a clip, that wide in shares of the longer side."""
    height, width = clip.frames.shape[-2:]
    mesh = ellipsoid(width / 2, height / 2, share * max(height, width))
    which = np.array(frames, np.int64)
    return FaceClip(clip, which, np.repeat(mesh[None], len(which), 0), np.ones(len(which)))


@dataclass
class BrightFrames:
    """A detector that finds the middle half of every frame brighter than 99, and counts its frames."""

    version: int = 1
    asked: int = 0

    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        self.asked += len(frames)
        height, width = frames.shape[-2:]
        box = np.array([[width / 4, height / 4, width / 2, height / 2]])
        none = Faces(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))
        mesh = ellipsoid(width / 2, height / 2, min(height, width) / 5)
        found = Faces(box, five(mesh)[None], np.ones(1))
        return [found if frame.double().mean() > 99 else none for frame in frames]


@dataclass
class MadeMesh:
    """A mesh network that finds the made face where its five points say, and doubts dark crops."""

    size: int = 64
    margin: float = 0.25
    version: int = 1

    def __call__(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mesh = ellipsoid(0, 0, 1)
        corner, edge = squares(np.ones((1, 4)), five(mesh)[None], self.margin)[0]
        seen = (mesh[:, 0] + 1j * mesh[:, 1] - corner) / edge
        points = np.stack([seen.real, seen.imag, mesh[:, 2] / abs(edge)], 1)
        mesh = torch.from_numpy(points).float().repeat(len(crops), 1, 1)
        return mesh, (crops.double().mean((1, 2, 3)) > 60).float()


def crops_of(finder: FaceFinder, windows: Sequence[tuple[Persons, Clip]]) -> list[list[Clip]]:
    """The crops of each person in each window: detected together, then cut one after the other."""
    found = finder.detect([clip for _, clip in windows])
    return [finder.cut(persons, clip, faces) for (persons, clip), faces in zip(windows, found, strict=True)]


def made_finder() -> MeshFinder:
    """Instruments of a detector and a mesh network that need no weights."""
    return MeshFinder(FaceFinder(Front("bright"), BrightFrames()), MadeMesh(), {"version": 1})
