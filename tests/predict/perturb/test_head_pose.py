"""Turned heads: a flat face against the affine map that a turn is, an ellipsoid against its formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.head_pose import PITCH, YAW
from bench.predict.perturb.stream import Stream
from tests.predict.faces import faces_in

HALF = 64.0  # pixels, of the made face


def ramp(name: str = "a", frames: int = 1) -> FaceClip:
    """A face before a picture whose red says the column and whose green says the row, halved."""
    y, x = torch.meshgrid(torch.arange(240), torch.arange(320), indexing="ij")
    pixels = torch.stack([x / 2, y / 2, (x + y) / 4]).round().to(torch.uint8)[None].repeat(frames, 1, 1, 1)
    return faces_in(Clip(name, pixels, np.arange(frames), np.arange(frames) / 25), *range(frames), share=0.2)


def sense(name: str, what: str) -> int:
    return 1 if Stream.of(0, name, what, 1).uniform("sense") < 0.5 else -1


def sources(faces: FaceClip) -> tuple[np.ndarray, np.ndarray]:
    """From which column and row each pixel was read, float64 [H, W] each, to about a pixel."""
    frame = faces.clip.frames[0].double().numpy()
    return 2 * frame[0] + 0.5, 2 * frame[1] + 0.5


def axis_of(faces: FaceClip) -> np.ndarray:
    """A point on the axis: between the cheeks' middle and the middle of all points."""
    return (faces.meshes[0, [234, 454]].mean(0) + faces.meshes[0].mean(0)) / 2


PLACES = np.stack(np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5))


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("perturbation", [YAW, PITCH], ids=lambda p: p.name)
def test_a_flat_face_is_seen_shortened(perturbation, severity: int) -> None:
    """A plane through the middle, turned by an angle: its cosine of the width, or of the height."""
    faces = ramp()
    faces = replace(faces, meshes=faces.meshes * [1, 1, 0])
    columns, rows = sources(perturbation(faces, severity, 0))
    shorter = np.cos(np.radians(perturbation.levels[severity - 1]))
    scale = np.array([shorter, 1.0] if perturbation is YAW else [1.0, shorter])
    middle = axis_of(faces)[:2]
    wanted = (PLACES - middle[:, None, None]) / scale[:, None, None] + middle[:, None, None]
    inside = (((wanted - [[[160]], [[120]]]) / [[[HALF]], [[1.3 * HALF]]]) ** 2).sum(0) < 0.85
    assert inside.sum() > 8000
    assert np.abs(columns - wanted[0])[inside].max() < 2
    assert np.abs(rows - wanted[1])[inside].max() < 2


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_an_ellipsoid_turns_as_its_formula_says(severity: int, name: str) -> None:
    """Its level cuts are circles, so that a turn is a shift of the angle along each of them."""
    faces = ramp(name)
    columns, rows = sources(YAW(faces, severity, 0))
    angle = np.radians(YAW.levels[severity - 1]) * sense(name, "yaw")
    aside, _, depth = axis_of(faces) - [160, 120, 0]
    x, y = PLACES[0] - 160, PLACES[1] - 120
    inside = (y / (1.3 * HALF)) ** 2 < 0.6
    radius = HALF * np.sqrt(1 - np.where(inside, (y / (1.3 * HALF)) ** 2, 0))
    # A point at angle p has x = r sin p and depth -r cos p; turned about the axis (a, d) it is seen at
    # a + (x - a) cos t - (r cos p + d) sin t.
    shift = x - aside * (1 - np.cos(angle)) + depth * np.sin(angle)
    seen = inside & (np.abs(shift) < 0.75 * radius)
    source = radius * np.sin(np.arcsin(np.where(seen, shift / radius, 0)) + angle) + 160
    seen &= np.abs(source - 160) < 0.85 * radius
    assert seen.sum() > 4000
    assert np.abs(rows - PLACES[1])[seen].max() < 3
    assert np.abs(columns - source)[seen].mean() < 1.2
    assert np.abs(columns - source)[seen].max() < 5


@pytest.mark.parametrize("perturbation", [YAW, PITCH], ids=lambda p: p.name)
def test_the_scene_stays_beyond_the_last_ring(perturbation) -> None:
    faces = ramp()
    found = perturbation(faces, 5, 0).clip.frames[0]
    apart = np.hypot((PLACES[0] - 160) / HALF, (PLACES[1] - 120) / (1.3 * HALF))
    moved = (found != faces.clip.frames[0]).any(0).numpy()
    assert not moved[apart > 2.01].any()
    assert moved[apart < 0.8].mean() > 0.7
    # No hole: what is read goes on from pixel to pixel, but for where the near hides the far.
    columns, rows = sources(perturbation(faces, 5, 0))
    assert np.isfinite(columns).all()
    assert (np.abs(np.diff(rows, axis=1)) > 8).mean() < 0.01


def test_both_senses_are_drawn_and_are_mirror_images() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    assert {sense(name, "yaw") for name in names} == {1, -1}
    found = {sense(name, "yaw"): sources(YAW(ramp(name), 3, 0))[0] for name in names}
    inside = np.s_[80:160, 120:200]
    assert np.abs(found[1][:, ::-1] + found[-1] - 320)[inside].mean() < 1.5


def test_the_axis_leans_with_the_head() -> None:
    """A face turned in the picture plane by a right angle is shortened from top to bottom."""
    faces = ramp()
    flat = (faces.meshes - [160, 120, 0]) * [1, 1, 0]
    leaning = np.stack([160 - flat[..., 1], 120 + flat[..., 0], flat[..., 2]], -1)
    columns, rows = sources(YAW(replace(faces, meshes=leaning), 5, 0))
    inside = np.s_[90:150, 110:210]
    assert np.abs(columns - PLACES[0])[inside].max() < 2
    wanted = (PLACES[1] - 120) / np.cos(np.radians(37.5)) + 120
    assert np.abs(rows - wanted)[inside].max() < 3


def test_a_head_that_is_turned_stays_as_it_is() -> None:
    faces = ramp(frames=2)
    angle = np.radians([15, 25])
    turned = faces.meshes - [160, 120, 0]
    turned = np.stack(
        [
            np.stack(
                [
                    m[:, 0] * np.cos(a) + m[:, 2] * np.sin(a),
                    m[:, 1],
                    m[:, 2] * np.cos(a) - m[:, 0] * np.sin(a),
                ],
                1,
            )
            for m, a in zip(turned, angle, strict=True)
        ]
    )
    faces = replace(faces, meshes=turned + np.array([160, 120, 0]))
    found = YAW(faces, 2, 0)
    assert found.which.tolist() == [0]
    assert found.unfitted == 1
    assert torch.equal(found.clip.frames[1], faces.clip.frames[1])
    assert not torch.equal(found.clip.frames[0], faces.clip.frames[0])
    assert PITCH(faces, 2, 0).unfitted == 0


@pytest.mark.parametrize("perturbation", [YAW, PITCH], ids=lambda p: p.name)
def test_a_mesh_of_no_width_leaves_its_face_as_it_is(perturbation) -> None:
    faces = ramp(frames=2)
    faces.meshes[1] = faces.meshes[1, 0]
    found = perturbation(faces, 3, 0)
    assert found.unfitted == 1
    assert torch.equal(found.clip.frames[1], faces.clip.frames[1])
    assert not torch.equal(found.clip.frames[0], faces.clip.frames[0])


def test_moves_of_faces_that_stand_apart_do_not_touch() -> None:
    y, x = torch.meshgrid(torch.arange(120), torch.arange(400), indexing="ij")
    pixels = torch.stack([x / 2, y / 2, (x + y) / 4]).round().to(torch.uint8)[None]
    one = faces_in(Clip("a", pixels, np.arange(1), np.zeros(1)), 0, share=0.06)
    left, right = (replace(one, meshes=one.meshes + np.array([shift, 0.0, 0.0])) for shift in (-100, 100))
    both = FaceClip(one.clip, np.zeros(2, np.int64), np.concatenate([left.meshes, right.meshes]), np.ones(2))
    found, *alone = (YAW(faces, 5, 0).clip.frames for faces in (both, left, right))
    assert torch.equal(found[..., :200], alone[0][..., :200])
    assert torch.equal(found[..., 200:], alone[1][..., 200:])
