"""Light on a made face, grey all over, against Lambert's law and the geometry of a shadow by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.face_light import SHADOW_EDGE, SIDE_LIGHT
from bench.predict.perturb.srgb import linear
from bench.predict.perturb.stream import Stream
from tests.predict.faces import faces_in

GREY = 230
CPU = torch.device("cpu")
LAMP = np.array([np.cos(np.radians(20)) * np.sin(np.radians(75)), -np.sin(np.radians(20)), 0])
LAMP[2] = -np.sqrt(1 - (LAMP**2).sum())


def grey(frames: int = 1, name: str = "a", height: int = 240, width: int = 320) -> FaceClip:
    pixels = torch.full((frames, 3, height, width), GREY, dtype=torch.uint8)
    return faces_in(Clip(name, pixels, np.arange(frames), np.arange(frames) * 0.3), *range(frames), share=0.2)


def light_left(faces: FaceClip) -> np.ndarray:
    """The share of its linear light that each pixel keeps, float64 [T, H, W]."""
    table = linear(CPU).numpy()
    return table[faces.clip.frames[:, 1].numpy()] / table[GREY]


def lamp_is_right(name: str) -> bool:
    return Stream.of(0, name, "side_light", 1).uniform("side") < 0.5


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_a_lit_ellipsoid_obeys_lamberts_law(severity: int, name: str) -> None:
    faces = grey(name=name)
    kept = light_left(SIDE_LIGHT(faces, severity, 0))[0]
    fill = 2.0**-severity
    lamp = LAMP * [1 if lamp_is_right(name) else -1, 1, 1]
    y, x = np.mgrid[0:240, 0:320] + 0.5
    u, v = (x - 160) / 64, (y - 120) / (1.3 * 64)
    inside = u**2 + v**2 < 0.7
    out = np.stack([u, v / 1.3, -np.sqrt(1 - np.where(inside, u**2 + v**2, 0))], -1)
    cosine = (out / np.linalg.norm(out, axis=-1, keepdims=True) @ lamp).clip(0)
    wanted = fill + (1 - fill) * cosine
    assert np.abs(kept - wanted)[inside].mean() < 0.025  # the law is smoothed by .045 widths
    assert np.abs(kept - wanted)[inside].max() < 0.1
    # A wall that faces the camera, in bytes.
    assert kept[5, 5] == pytest.approx(fill + (1 - fill) * -LAMP[2], abs=0.01)
    # The side away from the lamp has the fill alone.
    away = kept[120, 118] if lamp_is_right(name) else kept[120, 202]
    assert away == pytest.approx(fill, abs=0.02)


def test_both_sides_are_drawn_and_are_mirror_images() -> None:
    names = ["a", "b", "c", "d"]
    assert {lamp_is_right(name) for name in names} == {True, False}
    found = {lamp_is_right(name): light_left(SIDE_LIGHT(grey(name=name), 4, 0))[0] for name in names}
    inside = np.s_[60:180, 110:210]
    assert np.abs(found[True][:, ::-1][inside] - found[False][inside]).mean() < 0.01


def edge_of(kept: np.ndarray) -> np.ndarray:
    """Where each row of a frame is half lit between its darkest and brightest, columns float64 [H]."""
    half = (kept.min() + kept.max()) / 2
    lit = kept > half
    assert (np.abs(np.diff(lit.astype(int), axis=1)).sum(1) == 1).all()
    dark = np.argmax(lit != lit[:, :1], axis=1)
    rows = np.arange(len(kept))
    before, after = kept[rows, dark - 1], kept[rows, dark]
    return dark - 0.5 + (half - before) / (after - before)


def place(name: str, times: np.ndarray) -> tuple[float, np.ndarray]:
    stream = Stream.of(0, name, "shadow_edge", 1)
    slant = np.radians(30) * (2 * stream.uniform("slant") - 1) + np.pi * (stream.uniform("side") < 0.5)
    period = 2 + 6 * stream.uniform("period")
    return slant, 0.35 * np.sin(2 * np.pi * (times / period + stream.uniform("phase")))


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_on_a_flat_face_the_edge_is_a_straight_line_that_swings(name: str) -> None:
    faces = grey(frames=5, name=name)
    faces = replace(faces, meshes=faces.meshes * [1, 1, 0] + [0, 0, 7.0])
    kept = light_left(SHADOW_EDGE(faces, 3, 0))
    slant, places = place(name, faces.clip.times)
    assert np.ptp(places) > 0.1
    across, down = faces.meshes[0, :, :2].mean(0)
    rows = np.arange(240) + 0.5
    for frame, at in enumerate(places):
        wanted = across + (at * faces.widths[frame] - (rows - down) * np.sin(slant)) / np.cos(slant)
        assert np.abs(edge_of(kept[frame])[:-1] - wanted[:-1]).max() < 0.6
    table = linear(CPU).numpy()
    assert kept.max() == 1
    assert kept.min() == pytest.approx(1 / 8, abs=0.5 * np.diff(table)[100] / table[GREY])


@pytest.mark.parametrize("name", ["a", "c", "d"])
def test_the_edge_bends_with_depth(name: str) -> None:
    """At 40 degrees from the axis what is nearer by its depth is hit as much times tan 40 aside."""
    faces = grey(name=name)
    kept = light_left(SHADOW_EDGE(faces, 5, 0))[0]
    slant, places = place(name, faces.clip.times)
    mesh, width = faces.meshes[0], faces.widths[0]
    deep = mesh[:, 2].mean()
    y, x = np.mgrid[0:240, 0:320] + 0.5
    u, v = (x - 160) / 64, (y - 120) / (1.3 * 64)
    inside = u**2 + v**2 < 0.8
    depth = -64 * np.sqrt(1 - np.where(inside, u**2 + v**2, 0)) - deep
    aside = (x - mesh[:, 0].mean()) * np.cos(slant) + (y - mesh[:, 1].mean()) * np.sin(slant)
    beyond = (aside + np.tan(np.radians(40)) * depth) / width - places[0]
    clear = inside & (np.abs(beyond) > 0.08)
    lit = kept > 0.5
    assert (lit == (beyond > 0))[clear].mean() > 0.99
    bent = clear & ((aside / width - places[0] > 0) != (beyond > 0))
    assert bent.sum() > 80
    assert (lit == (beyond > 0))[bent].mean() > 0.9


def test_it_swings_over_the_largest_face() -> None:
    faces = grey(name="b")
    small = (faces.meshes - [160, 120, 0]) * 0.3 + [40, 120, 0]
    both = FaceClip(
        faces.clip,
        np.array([0, 0]),
        np.concatenate([small, faces.meshes]),
        np.concatenate([faces.scores] * 2),
    )
    alone, together = (light_left(SHADOW_EDGE(one, 5, 0))[0] for one in (faces, both))
    assert np.array_equal(alone[:, 120:], together[:, 120:])
