from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from scipy.spatial.transform import Rotation

from bench.predict.clip import Clip
from bench.predict.perturb import Perturbation
from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.occlusion import MASK, PHONE, SUNGLASSES
from bench.predict.perturb.overlay import Head
from tests.predict.faces import ellipsoid

ALL = (MASK, PHONE, SUNGLASSES)
TURNS = [(0.0, 0.0, 0.0), (30.0, 0.0, 0.0), (-25.0, 10.0, 40.0)]
BACKGROUND = (250, 0, 250)  # of no fabric, frame or phone
EYES, NOSE, CHIN, TOP = (33, 133, 362, 263), 1, 152, 10
SIZE = 300


def face_of(degrees: tuple[float, float, float], name: str = "clip", frames: int = 1) -> FaceClip:
    """A turned made face, 160 pixels wide, on one colour."""
    rotation = Rotation.from_euler("YXZ", degrees, degrees=True).as_matrix()
    mesh = ellipsoid(0, 0, 80) @ rotation.T + [SIZE / 2, SIZE / 2, 0]
    pixels = torch.tensor(BACKGROUND, dtype=torch.uint8)[:, None, None].expand(frames, 3, SIZE, SIZE)
    clip = Clip(name, pixels.contiguous(), np.arange(frames), np.arange(frames) / 25)
    return FaceClip(clip, np.arange(frames), np.repeat(mesh[None], frames, 0), np.ones(frames))


def covered(faces: FaceClip, perturbation: Perturbation[FaceClip], severity: int) -> np.ndarray:
    """Which pixels of the first frame changed, more than an edge's half."""
    found = perturbation(faces, severity, 0).clip.frames[0].int()
    changed: np.ndarray = ((found - faces.clip.frames[0].int()).abs().amax(0) > 20).numpy()
    return changed


def on_face(faces: FaceClip) -> np.ndarray:
    """Pixels within the convex hull of the mesh: of a triangulation of its points, by scipy."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    hull = Delaunay(faces.meshes[0, :, :2])
    return hull.find_simplex(np.stack([x, y], -1)) >= 0


@pytest.mark.parametrize("perturbation", [MASK, PHONE], ids=lambda one: one.name)
@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("degrees", TURNS)
def test_the_named_share_of_the_face_is_covered(
    perturbation: Perturbation[FaceClip], severity: int, degrees: tuple[float, float, float]
) -> None:
    for name in "abc":
        faces = face_of(degrees, name)
        share = covered(faces, perturbation, severity)[on_face(faces)].mean()
        assert share == pytest.approx(perturbation.levels[severity - 1], abs=0.015)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("degrees", TURNS)
def test_a_mask_covers_a_face_from_the_chin_up(severity: int, degrees: tuple[float, float, float]) -> None:
    """Below its edge everything, above nothing, and nothing beside the face but its hem."""
    faces = face_of(degrees)
    head, seen, face = Head(faces.meshes[0]), covered(faces, MASK, severity), on_face(faces)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    down = ((np.stack([x, y], -1) - head.middle[:2]) @ head.flat.T)[..., 1]
    assert down[face & seen].min() > down[face & ~seen].min() + 0.2
    assert down[face & seen].max() > down[face & ~seen].max()  # the edge falls to either side
    left, top = head.mesh[CHIN, :2] * 0.97 + head.middle[:2] * 0.03
    assert seen[int(top), int(left)]
    left, top = head.mesh[TOP, :2] * 0.97 + head.middle[:2] * 0.03
    assert not seen[int(top), int(left)]
    rows, columns = np.nonzero(seen & ~face)
    away = np.linalg.norm(np.stack([columns, rows], 1)[:, None] + 0.5 - head.outline, axis=2).min(1)
    assert away.max() < 0.03 * head.width + 12  # 12: outline points lie so far apart


def encode(light: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written here again."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255


def linear(values: np.ndarray) -> np.ndarray:
    encoded = values / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("severity", range(1, 6))
def test_lenses_let_through_what_their_category_does(severity: int) -> None:
    """Measured back in linear light, in the middle of both lenses; the categories of ISO 12312-1."""
    least = (0.80, 0.43, 0.18, 0.08, 0.03)[severity - 1]
    faces = face_of((0, 0, 0))
    head = Head(faces.meshes[0])
    eyes = np.add(head.mesh[list(EYES), :2].mean(0), [0, 0.05 * head.width])
    levels = torch.arange(SIZE)[:, None].expand(3, SIZE, SIZE).clamp(max=255).to(torch.uint8)[None]
    found = SUNGLASSES(faces.with_frames(levels.contiguous()), severity, 0).clip.frames[0].numpy()
    for side in (-1, 1):
        column = int(eyes[0] + side * 0.268 * head.width)
        for row in range(int(eyes[1]) - 15, int(eyes[1]) + 15):
            wanted = encode(least * linear(levels[0, 0, row, column].double().numpy()))
            assert np.abs(found[:, row, column] - wanted).max() < 0.52
    assert linear(found[0, int(eyes[1]), column].astype(float)) == pytest.approx(
        least * linear(levels[0, 0, int(eyes[1]), column].double().numpy()), rel=0.07
    )


def test_sunglasses_have_their_size_before_the_eyes() -> None:
    """Along the middle of the lenses: two lenses, two rims each, the gap of the nose."""
    faces = face_of((0, 0, 0))
    head = Head(faces.meshes[0])
    eyes = np.add(head.mesh[list(EYES), :2].mean(0), [0, 0.05 * head.width])
    seen = covered(faces, SUNGLASSES, 5)
    columns = np.flatnonzero(seen[int(eyes[1] + 0.02 * head.width)])
    gap = np.flatnonzero(np.diff(columns) > 1)
    assert len(gap) == 1
    nose = columns[gap[0] + 1] - columns[gap[0]] - 1
    assert nose / head.width == pytest.approx(2 * (0.268 - 0.21 - 0.022), abs=0.02)
    assert (columns[-1] - columns[0] + 1) / head.width == pytest.approx(2 * (0.268 + 0.21 + 0.022), abs=0.02)
    assert (columns[0] + columns[-1] + 1) / 2 == pytest.approx(eyes[0], abs=1)
    rows = np.flatnonzero(seen[:, int(eyes[0] + 0.268 * head.width)])
    assert len(rows) / head.width == pytest.approx(2 * (0.163 + 0.022), abs=0.02)


def test_an_arm_is_seen_at_the_side_that_is_turned_to_the_camera() -> None:
    for yaw in (-30.0, 30.0):
        faces = face_of((yaw, 0, 0))
        head, seen = Head(faces.meshes[0]), covered(faces, SUNGLASSES, 1)
        near = -1 if yaw < 0 else 1  # its cheek is the nearer one
        ear = head.mesh[356 if near == 1 else 127]
        assert ear[2] < head.middle[2]
        y, x = np.mgrid[:SIZE, :SIZE] + 0.5
        assert seen[np.hypot(x - ear[0], y - ear[1]) < 2].all()
        # At the far side nothing is seen beyond the lens and its rim.
        end = head.point(-near * 0.5, 0.05, 0.06 - 0.28 * 0.478**2, head.mesh[list(EYES)].mean(0))
        columns = np.flatnonzero(seen.any(0)) + 0.5
        assert (-near * columns).max() == pytest.approx(-near * end[0], abs=3)


@pytest.mark.parametrize("perturbation", ALL, ids=lambda one: one.name)
def test_what_is_drawn_turns_with_the_picture(perturbation: Perturbation[FaceClip]) -> None:
    faces = face_of((20, 5, 10))
    once = perturbation(faces, 3, 0).clip.frames
    across, down, depth = np.moveaxis(faces.meshes, -1, 0)
    quarter = replace(faces, meshes=np.stack([down, SIZE - across, depth], -1))
    again = perturbation(quarter, 3, 0).clip.frames
    apart = (torch.rot90(once, 1, (2, 3)).int() - again.int()).abs()
    assert (apart > 3).double().mean() < 2e-3


@pytest.mark.parametrize("perturbation", ALL, ids=lambda one: one.name)
def test_what_is_drawn_stays_over_a_clip_and_differs_between_clips(
    perturbation: Perturbation[FaceClip],
) -> None:
    frames = perturbation(face_of((0, 0, 0), frames=5), 3, 0).clip.frames
    assert (frames == frames[:1]).all()
    looks = {perturbation(face_of((0, 0, 0), str(n)), 3, 0).clip.frames.numpy().tobytes() for n in range(20)}
    assert len(looks) >= 3
    if perturbation is PHONE:
        sides = [
            covered(face_of((0, 0, 0), str(n)), PHONE, 1)[:, : SIZE // 2].mean() > 0.3 for n in range(12)
        ]
        assert set(sides) == {True, False}


def test_every_face_of_a_frame_wears_its_own() -> None:
    faces = face_of((0, 0, 0))
    small = (faces.meshes - SIZE / 2) * 0.3
    meshes = np.concatenate([np.add(small, [75, 75, 0]), np.add(small, [225, 225, 0])])
    two = replace(faces, which=np.zeros(2, int), meshes=meshes, scores=np.ones(2))
    for perturbation in ALL:
        seen = covered(two, perturbation, 3)
        shifted = np.roll(seen, (150, 150), (0, 1))
        core = np.s_[190:260, 190:260]
        assert seen[core].any()
        assert (seen[core] == shifted[core]).mean() > 0.99
