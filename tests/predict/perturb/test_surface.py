"""The surface of a made face against the ellipsoid it is on, and what is spread against sums by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.surface import RIM, normals, spread
from bench.predict.perturb.triangles import TRIANGLES
from tests.predict.faces import ellipsoid, faces_in, rim


def blank(frames: int = 2, height: int = 120, width: int = 160) -> Clip:
    pixels = torch.zeros((frames, 3, height, width), dtype=torch.uint8)
    return Clip("a", pixels, np.arange(frames), np.arange(frames) / 25)


def test_the_triangles_are_a_disc() -> None:
    """Euler: points - edges + triangles = 1; each edge within joins two triangles, once in each direction."""
    sides = [(a, b) for one in TRIANGLES.tolist() for a, b in zip(one, one[1:] + one[:1], strict=True)]
    edges = {frozenset(side) for side in sides}
    assert len(set(sides)) == len(sides)
    assert len(set(TRIANGLES.flatten())) - len(edges) + len(TRIANGLES) == 1
    assert set(rim()) == set(RIM)
    assert rim() == (RIM[0], *RIM[:0:-1])
    mesh = ellipsoid(0, 0, 1)
    a, b, c = (mesh[corner] for corner in TRIANGLES.T)
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()  # clockwise, y down


def test_normals_are_those_of_the_ellipsoid() -> None:
    for turn in (0.0, 0.5):
        mesh = ellipsoid(0, 0, 50)
        out = mesh / [1, 1.3**2, 1]
        turned = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        out = (out / np.linalg.norm(out, axis=1, keepdims=True)) @ turned.T
        (found,) = normals((mesh @ turned.T)[None])
        angles = np.degrees(np.arccos((found * out).sum(1).clip(-1, 1)))
        assert np.median(angles) < 1
        assert np.delete(angles, RIM).max() < 12
        assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert (normals(np.zeros((1, 468, 3))) == 0).all()


def test_what_is_spread_is_the_mean_by_hand() -> None:
    faces = faces_in(blank(), 1, share=0.2)
    values = np.linspace(0, 1, 468)[None]
    ((frame, found),) = spread(faces, values, 0.25)
    assert frame == 1
    assert found.shape == (120, 160)
    width = faces.widths[0]
    for row, column in ((60, 80), (52, 90), (70, 60), (60, 125), (30, 115)):
        apart = ((faces.meshes[0, :, :2] - [column + 0.5, row + 0.5]) ** 2).sum(1) / width**2
        weights = np.exp(-apart / (2 * 0.045**2)) + 0.02 * np.exp(-apart / (2 * 0.12**2))
        wanted = ((weights * values[0]).sum() + 0.01 * 0.25) / (weights.sum() + 0.01)
        assert abs(float(found[row, column]) - wanted) < 0.02
    assert found[0, 0] == 0.25


def test_faces_of_a_frame_are_spread_together() -> None:
    one = faces_in(blank(1, 120, 400), 0, share=0.08)
    moved = one.meshes + np.array([140.0, 0, 0])
    both = FaceClip(
        one.clip, np.array([0, 0]), np.concatenate([one.meshes, moved]), np.concatenate([one.scores] * 2)
    )
    values = np.linspace(0, 1, 468)[None]
    ((_, left),) = spread(one, values, 0.0)
    ((_, right),) = spread(replace(one, meshes=moved), values, 0.0)
    ((_, found),) = spread(both, np.concatenate([values, values]), 0.0)
    assert torch.allclose(found, left + right, atol=1e-4)
    assert left.max() > 0.5
    assert torch.allclose(left[:, 100:250], right[:, 240:390], atol=1e-5)
