from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from bench.predict.clip import Clip
from bench.predict.perturb.overlay import (
    Head,
    Patch,
    Place,
    depth_in,
    depth_in_box,
    depth_in_line,
    overlay,
    soft_edge,
)
from tests.predict.faces import ellipsoid, faces_in

LEFT_EAR, RIGHT_EAR, TOP, CHIN = 234, 454, 10, 152


def place_of(height: int, width: int) -> Place:
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width)[None] + 0.5
    return Place(x, y, torch.ones(height, width))


def turned(degrees: tuple[float, float, float], middle: tuple[float, float] = (60, 50)) -> np.ndarray:
    """The made face, 40 pixels from its middle to its cheeks, by yaw, pitch and roll about its middle."""
    rotation = Rotation.from_euler("YXZ", degrees, degrees=True).as_matrix()
    return ellipsoid(0, 0, 40) @ rotation.T + [*middle, 0]


def test_the_axes_of_a_face_turn_with_it() -> None:
    """Second source: the rotation that the mesh was given, by scipy."""
    upright = Head(turned((0, 0, 0)))
    for degrees in ((0.0, 0.0, 30.0), (40.0, 0.0, 0.0), (-20.0, 25.0, 100.0)):
        rotation = Rotation.from_euler("YXZ", degrees, degrees=True)
        head = Head(turned(degrees))
        assert head.axes == pytest.approx(rotation.apply(upright.axes), abs=1e-9)
        assert head.width == pytest.approx(upright.width)
        assert np.linalg.det(head.axes) == pytest.approx(-1)  # ahead is towards the camera
    assert upright.axes[2, 2] < -0.99


def test_the_outline_is_the_convex_hull() -> None:
    for degrees in ((0.0, 0.0, 0.0), (35.0, 10.0, 20.0)):
        mesh = turned(degrees)
        hull = ConvexHull(mesh[:, :2])
        outline = Head(mesh).outline
        across, down = outline.T
        area = abs(np.dot(across, np.roll(down, 1)) - np.dot(down, np.roll(across, 1))) / 2
        assert area == pytest.approx(hull.volume, rel=1e-4)
        found = np.linalg.norm(outline[:, None] - mesh[hull.vertices, :2], axis=2).min(1)
        assert found.max() < 1e-3


def test_places_on_a_flat_face_are_those_of_its_points() -> None:
    """A turned flat face: what is seen of a point comes back as where it lies on the face."""
    flat = ellipsoid(0, 0, 40) * [1, 1, 0]
    for degrees in ((0.0, 0.0, 0.0), (50.0, 0.0, 0.0), (30.0, 20.0, 40.0)):
        head = Head(flat @ Rotation.from_euler("YXZ", degrees, degrees=True).as_matrix().T + [60, 50, 0])
        points = (head.mesh - head.middle) @ head.axes[:2].T / head.width
        seen = Place(*(torch.from_numpy(head.mesh[None, :, axis].copy()) for axis in (0, 1)), torch.ones(1))
        across, down = head.places(head.flat, seen)
        assert across[0].numpy() == pytest.approx(points[:, 0], abs=1e-6)
        assert down[0].numpy() == pytest.approx(points[:, 1], abs=1e-6)


def test_what_stands_upright_rolls_and_does_not_turn() -> None:
    for roll in (0.0, 30.0, -100.0):
        head = Head(turned((0, 0, roll)))
        aside = Head(turned((0, 0, roll)) @ np.diag([1, 1, 0.2]))  # flatter: seen the same
        angle = math.radians(roll)
        wanted = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        tilt = Head(turned((0, 0, 0))).upright * Head(turned((0, 0, 0))).width
        assert head.upright * head.width == pytest.approx(tilt @ wanted, abs=1e-9)
        assert aside.upright * aside.width == pytest.approx(head.upright * head.width)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("degrees", [(0.0, 0.0, 0.0), (40.0, 10.0, 25.0)])
def test_a_cut_leaves_its_share_of_the_outline(share: float, degrees: tuple[float, float, float]) -> None:
    """Second source: OpenCV fills the outline, sixteen times as fine."""
    head = Head(turned(degrees))
    found = head.cut(share, head.flat, lambda across, down: across + 2 * down)
    filled = np.zeros((1600, 1920), np.uint8)
    cv2.fillConvexPoly(filled, np.rint(head.outline * 16).astype(np.int32), 1)
    y, x = (at.astype(float) / 16 for at in np.nonzero(filled))
    across, down = head.flat @ (np.stack([x, y]) - head.middle[:2, None])
    assert (across + 2 * down > found).mean() == pytest.approx(share, abs=0.01)


def test_depths_in_an_outline_are_opencvs() -> None:
    outline = Head(turned((25.0, 5.0, 15.0))).outline
    for order in (outline, outline[::-1]):
        found = depth_in(order, place_of(100, 120))
        polygon = outline.astype(np.float32)
        for y in range(0, 100, 7):
            for x in range(0, 120, 7):
                wanted = cv2.pointPolygonTest(polygon, (x + 0.5, y + 0.5), True)
                if wanted >= 0:
                    assert float(found[y, x]) == pytest.approx(wanted, abs=1e-3)
                else:  # beyond a corner the nearest edge's line is nearer than the corner
                    assert wanted - 1e-3 <= float(found[y, x]) < 0


def test_depths_in_lines_and_boxes() -> None:
    place = place_of(40, 60)
    line = depth_in_line(np.array([[10.5, 20.5, 7.0], [40.5, 20.5, 9.0]]), 6.0, place)
    assert line[20, 25] == pytest.approx(3)
    assert line[25, 25] == pytest.approx(-2)
    assert line[20, 44] == pytest.approx(-1)  # beyond its round end
    point = depth_in_line(np.array([[10.5, 20.5], [10.5, 20.5]]), 6.0, place)
    assert point[20, 14] == pytest.approx(-1)
    box = depth_in_box(place.x - 30.0, place.y - 20.0, (20.0, 10.0), 4.0)
    assert box[20, 30] == pytest.approx(10, abs=0.6)
    area = float((box > 0).sum())
    assert area == pytest.approx(40 * 20 - (4 - math.pi) * 16, abs=4)


def test_edges_are_as_soft_as_a_pixel_or_a_face_says() -> None:
    small, large = Head(ellipsoid(0, 0, 10)), Head(ellipsoid(0, 0, 500))
    depth = torch.tensor([-9.0, -0.5, 0.0, 0.25, 0.5, 9.0])
    assert soft_edge(depth, small).tolist() == [0, 0, 0.5, 0.75, 1, 1]
    found = soft_edge(depth, large)
    assert found[2] == 0.5
    assert 0.5 < float(found[3]) < 0.55
    assert found[[1, 4]].tolist() == pytest.approx(
        [0.5 + side * 0.5 / (0.012 * large.width) for side in (-1, 1)]
    )


def test_patches_pass_light_and_send_their_own() -> None:
    """By hand in linear light, first patches first; pixels that nothing covers keep their bytes."""
    frames = torch.randint(
        0, 256, (2, 3, 40, 50), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    faces = faces_in(Clip("clip", frames, np.arange(2), np.arange(2) / 25), 1)

    def drawn(_head: Head, place: Place) -> list[Patch]:
        cover = (place.x > 25).expand_as(place.facing).float()
        return [Patch(cover, 0.5), Patch(cover * 0.25, 0.0, (0.2, 0.4, 0.8), 0.5)]

    found = overlay(faces, 5.0, drawn).clip.frames
    assert torch.equal(found[0], frames[0])
    assert torch.equal(found[1, :, :, :25], frames[1, :, :, :25])
    seen = frames[1, :, :, 25:].double().numpy() / 255
    light = np.where(seen <= 0.04045, seen / 12.92, ((seen + 0.055) / 1.055) ** 2.4)
    light = light * 0.5 * 0.75 + 0.25 * 0.5 * np.array([0.2, 0.4, 0.8])[:, None, None]
    wanted = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(found[1, :, :, 25:].numpy() - wanted).max() < 0.52


@pytest.mark.parametrize("level", [0, 20, 60, 90, 118, 119, 255])
def test_what_is_drawn_is_lit_as_the_scene_is(level: int) -> None:
    """White sends white where the mean light is a grey card's 18 %, byte 118, and in proportion below."""
    frames = torch.full((1, 3, 40, 40), level, dtype=torch.uint8)
    found = overlay(faces_in(Clip("clip", frames, np.arange(1), np.zeros(1)), 0), 9.0, white).clip.frames
    encoded = level / 255
    light = encoded / 12.92 if encoded <= 0.04045 else ((encoded + 0.055) / 1.055) ** 2.4
    light = min(light / 0.18, 1)
    wanted = 255 * (light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
    assert found.unique().tolist() == [round(wanted)]


def test_nothing_has_a_colour_in_a_grey_picture() -> None:
    """Luminance by BT.709, 0.5 here, byte 188; in the next frame, which has colours, the colour itself."""
    frames = torch.full((2, 3, 40, 40), 200, dtype=torch.uint8)
    frames[1, 0, 0, 0] = 199

    def drawn(_head: Head, place: Place) -> list[Patch]:
        return [Patch(torch.ones_like(place.facing), 0.0, (1.0, 0.4, 0.018))]

    faces = faces_in(Clip("clip", frames, np.arange(2), np.arange(2) / 25), 0, 1)
    found = overlay(faces, 9.0, drawn).clip.frames
    assert [found[0, channel].unique().tolist() for channel in range(3)] == [[188], [188], [188]]
    assert [found[1, channel].unique().tolist() for channel in range(3)] == [[255], [170], [36]]


def white(_head: Head, place: Place) -> list[Patch]:
    return [Patch(torch.ones_like(place.facing), 0.0, (1, 1, 1))]


def test_nothing_is_drawn_beyond_its_reach() -> None:
    frames = torch.full((1, 3, 100, 120), 200, dtype=torch.uint8)
    faces = faces_in(Clip("clip", frames, np.arange(1), np.zeros(1)), 0, share=0.1)
    everything = overlay(faces, 0.25, white)
    rows, columns = np.nonzero((everything.clip.frames[0, 0] == 255).numpy())
    head = Head(faces.meshes[0])
    low, high = head.outline.min(0) - 0.25 * head.width, head.outline.max(0) + 0.25 * head.width
    assert [columns.min(), rows.min()] == np.floor(low).tolist()
    assert [columns.max() + 1, rows.max() + 1] == np.ceil(high).tolist()
    meshes = np.concatenate([faces.meshes, np.add(faces.meshes, [40, 0, 0])])
    two = replace(faces, which=np.zeros(2, int), meshes=meshes)
    one, both = (overlay(some, 0.0, white).clip.frames == 255 for some in (faces, two))
    assert both.sum() == 2 * one.sum()
