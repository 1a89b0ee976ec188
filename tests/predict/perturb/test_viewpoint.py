from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from bench.predict.clip import Clip
from bench.predict.perturb import Perturbation
from bench.predict.perturb.stream import Stream
from bench.predict.perturb.viewpoint import CAMERA_TILT, DISTANCE, OFF_CENTRE, ROLL, recede

ALL = (ROLL, CAMERA_TILT, DISTANCE, OFF_CENTRE)
SHAPES = [(120, 90), (90, 120), (97, 97), (64, 113)]  # portrait, landscape, odd, wide
FOCAL = 0.5 / math.tan(math.radians(39))  # of the diagonal: 78 degrees from corner to corner


def clip_of(*frames: np.ndarray, name: str = "clip") -> Clip:
    """A clip of frames uint8 [H, W, 3]."""
    pixels = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous()
    return Clip(name, pixels, np.arange(len(frames)), np.arange(len(frames)) / 25)


def picture(clip: Clip) -> np.ndarray:
    return clip.frames[0].permute(1, 2, 0).numpy()


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth random colours, uint8 [H, W, 3], over the whole range."""
    noise = gaussian_filter(np.random.default_rng(seed).random((height, width, 3)), (4, 4, 0))
    return ((noise - noise.min()) / np.ptp(noise) * 255).round().astype(np.uint8)


def spot(height: int, width: int, x: float, y: float) -> np.ndarray:
    """A bright round spot on black, at (x, y) from the centre of the frame."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    light = np.exp(-((columns - width / 2 - x) ** 2 + (rows - height / 2 - y) ** 2) / (2 * 1.5**2))
    return np.repeat((light * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def centroid(clip: Clip) -> np.ndarray:
    """Where the brightness of a picture is, (x, y) from the centre of the frame."""
    bright = picture(clip)[..., 0].astype(float)
    rows, columns = np.mgrid[: bright.shape[0], : bright.shape[1]] + 0.5
    return np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum() - np.array(
        [bright.shape[1] / 2, bright.shape[0] / 2]
    )


def drawn(perturbation: Perturbation, label: str, name: str = "clip", seed: int = 0) -> float:
    return Stream.of(seed, name, perturbation.name, perturbation.version).uniform(label)


def project(points: np.ndarray, degrees: float, direction: float, diagonal: float) -> np.ndarray:
    """Where points [n, 2] of the frame land by hand: rays, turned by scipy, on the picture plane again.

    The camera's axis moves by ``degrees`` away from the subject, which then lies towards ``direction``.
    """
    focal = FOCAL * diagonal
    across = np.array([-math.sin(direction), math.cos(direction), 0])  # the axis it turns about
    rays = np.column_stack([points, np.full(len(points), focal)])
    turned = Rotation.from_rotvec(math.radians(degrees) * across).apply(rays)
    seen = turned[:, :2] / turned[:, 2:] * focal
    moved = focal * math.tan(math.radians(degrees))
    return seen - moved * np.array([math.cos(direction), math.sin(direction)])


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_roll_is_opencvs_rotation_about_the_centre(severity: int, height: int, width: int) -> None:
    source = scene(height, width)
    angle = ROLL.levels[severity - 1]
    centre = ((width - 1) / 2, (height - 1) / 2)
    senses = set()
    for name in "abcdef":
        found = picture(ROLL(clip_of(source, name=name), severity, 0)).astype(int)
        errors = {}
        for sense in (1, -1):
            matrix = cv2.getRotationMatrix2D(centre, sense * angle, 1.0)
            expected = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
            errors[sense] = np.abs(found - expected).max()
        sense = min(errors, key=lambda one: errors[one])
        assert errors[sense] <= 2  # OpenCV reads at 32nds of a pixel
        senses.add(sense)
    assert senses == {1, -1}


@pytest.mark.parametrize("severity", range(1, 6))
def test_roll_reads_bilinearly_and_rounds(severity: int) -> None:
    """Second source: scipy's linear interpolation in double precision, on noise."""
    source = np.random.default_rng(0).integers(0, 256, (45, 62, 3), np.uint8)
    sense = 1 if drawn(ROLL, "sense") < 0.5 else -1
    turn = Rotation.from_euler("z", sense * ROLL.levels[severity - 1], degrees=True).as_matrix()[:2, :2]
    rows, columns = np.mgrid[:45, :62]
    x, y = np.einsum("ij,jhw->ihw", turn, np.stack([columns - 30.5, rows - 22.0]))
    expected = [
        map_coordinates(source[..., one].astype(float), [y + 22, x + 30.5], order=1, mode="nearest")
        for one in range(3)
    ]
    found = ROLL(clip_of(source), severity, 0).frames[0].numpy()
    assert (found == np.stack(expected).round()).mean() > 0.999


@pytest.mark.parametrize("severity", range(1, 6))
def test_roll_turns_a_spot_by_its_degrees(severity: int) -> None:
    x, y = centroid(ROLL(clip_of(spot(121, 141, 40, 0)), severity, 0))
    assert math.hypot(x, y) == pytest.approx(40, abs=0.1)
    assert abs(math.degrees(math.atan2(y, x))) == pytest.approx(ROLL.levels[severity - 1], abs=0.2)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_a_tilted_camera_is_opencvs_homography(severity: int, height: int, width: int) -> None:
    """Four corners projected by hand give OpenCV its matrix."""
    source, degrees = scene(height, width), CAMERA_TILT.levels[severity - 1]
    half = np.array([width / 2, height / 2])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half * 0.5
    for name in "abc":
        direction = 2 * math.pi * drawn(CAMERA_TILT, "direction", name)
        seen = project(corners, degrees, direction, math.hypot(height, width))
        before, after = ((points + half - 0.5).astype(np.float32) for points in (corners, seen))
        matrix = cv2.getPerspectiveTransform(before, after)
        expected = cv2.warpPerspective(source, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        found = picture(CAMERA_TILT(clip_of(source, name=name), severity, 0))
        assert np.abs(found.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("severity", range(1, 6))
def test_a_spot_lands_where_the_tilted_camera_sees_it(severity: int) -> None:
    """A row along the direction of tilt needs no matrix: tan(atan(x / f) + angle) f - tan(angle) f."""
    degrees, height, width = CAMERA_TILT.levels[severity - 1], 161, 161
    focal = FOCAL * math.hypot(height, width)
    for name, distance in (("a", 0.0), ("b", 25.0), ("c", -40.0)):
        direction = 2 * math.pi * drawn(CAMERA_TILT, "direction", name)
        along = np.array([math.cos(direction), math.sin(direction)])
        angle = math.radians(degrees)
        expected = focal * (math.tan(math.atan(distance / focal) + angle) - math.tan(angle))
        source = spot(height, width, *(distance * along))
        assert centroid(CAMERA_TILT(clip_of(source, name=name), severity, 0)) == pytest.approx(
            expected * along, abs=0.3
        )


def linear(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written here again."""
    encoded = values / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode(light: np.ndarray) -> np.ndarray:
    return (np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255).round()


@pytest.mark.parametrize(("factor", "height", "width"), [(2.0, 96, 144), (1.5, 96, 144), (4.0, 128, 96)])
def test_distance_is_opencvs_area_resampling_of_light(factor: float, height: int, width: int) -> None:
    """Where the small picture is a whole number of pixels, so that OpenCV can make it."""
    source = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    rows, columns = int(height / factor), int(width / factor)
    small = cv2.resize(linear(source).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    top, left = (height - rows) // 2, (width - columns) // 2
    border = [(top, height - rows - top), (left, width - columns - left)]
    found = picture(recede(clip_of(source), factor, Stream.of(0, "clip", "x", 1))).astype(int)
    inside = found[top : top + rows, left : left + columns]
    assert np.abs(inside - encode(small)).max() <= 1
    corners = np.array([found[y, x] for y in (0, -1) for x in (0, -1)])
    assert np.array_equal(corners, [source[y, x] for y in (0, -1) for x in (0, -1)])
    for axis, (before, after) in enumerate(border):
        lines = np.moveaxis(found, axis, 0)
        assert (lines[:before] == lines[:1]).all()
        assert (lines[len(lines) - after :] == lines[-1:]).all()


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize(("height", "width"), [(31, 24), (24, 31), (3, 50)])
def test_distance_averages_the_area_each_pixel_covers(severity: int, height: int, width: int) -> None:
    """Second source: the integral of the picture with repeated edges, differences of which are areas."""
    factor = DISTANCE.levels[severity - 1]
    source = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    light = linear(source)
    for axis, size in enumerate((height, width)):
        margin = 6 * size
        padded = np.pad(light, [(margin, margin) if one == axis else (0, 0) for one in range(3)], "edge")
        padded = np.moveaxis(padded, axis, 0).reshape(size + 2 * margin, -1)
        total = np.concatenate([np.zeros((1, padded.shape[1])), padded.cumsum(axis=0)])
        edges = (np.arange(size + 1) - size / 2) * factor + size / 2 + margin
        at = np.stack([np.interp(edges, np.arange(len(total)), column) for column in total.T], axis=1)
        other = [one for number, one in enumerate(light.shape) if number != axis]
        light = np.moveaxis((np.diff(at, axis=0) / factor).reshape(size, *other), 0, axis)
    found = picture(DISTANCE(clip_of(source), severity, 0))
    assert np.abs(found - encode(light)).max() <= 1


@pytest.mark.parametrize("severity", range(1, 6))
def test_at_a_distance_a_spot_is_nearer_the_centre_and_sends_less_light(severity: int) -> None:
    factor = DISTANCE.levels[severity - 1]
    source = np.zeros((224, 224, 3), np.uint8)
    source[20:60, 150:190] = 255  # 40 pixels wide, at (58, -72) from the centre
    found = DISTANCE(clip_of(source), severity, 0)
    light = linear(picture(found)[..., 0])
    assert light.sum() == pytest.approx(1600 / factor**2, rel=0.01)
    rows, columns = np.mgrid[:224, :224] + 0.5
    place = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum() - 112
    assert place == pytest.approx(np.array([58, -72]) / factor, abs=0.1)


def test_every_flat_colour_stays_at_a_distance() -> None:
    levels = np.arange(256, dtype=np.uint8)[:, None, None, None]
    clip = clip_of(*np.broadcast_to(levels, (256, 9, 7, 3)))
    for severity in range(1, 6):
        assert torch.equal(DISTANCE(clip, severity, 0).frames, clip.frames)


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_off_centre_is_a_translation_by_whole_pixels(severity: int, height: int, width: int) -> None:
    source, share = scene(height, width), OFF_CENTRE.levels[severity - 1]
    for name in "abcd":
        direction = 2 * math.pi * drawn(OFF_CENTRE, "direction", name)
        right, down = round(share * width * math.cos(direction)), round(share * height * math.sin(direction))
        matrix = np.array([[1, 0, right], [0, 1, down]], float)
        expected = cv2.warpAffine(
            source, matrix, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
        )
        assert np.array_equal(picture(OFF_CENTRE(clip_of(source, name=name), severity, 0)), expected)


@pytest.mark.parametrize("severity", range(1, 6))
def test_off_centre_moves_a_spot_by_its_share_of_the_frame(severity: int) -> None:
    moved = centroid(OFF_CENTRE(clip_of(spot(200, 400, 0, 0)), severity, 0)) / np.array([400, 200])
    assert np.linalg.norm(moved) == pytest.approx(OFF_CENTRE.levels[severity - 1], abs=0.004)


def test_directions_go_all_round() -> None:
    for perturbation in (CAMERA_TILT, OFF_CENTRE):
        quarters = [int(4 * drawn(perturbation, "direction", str(clip))) for clip in range(400)]
        assert np.bincount(quarters, minlength=4).min() > 70


@pytest.mark.parametrize("perturbation", ALL, ids=lambda one: one.name)
@pytest.mark.parametrize("severity", [1, 5])
def test_one_map_serves_all_frames_and_channels(perturbation: Perturbation, severity: int) -> None:
    still = scene(40, 56)
    frames = perturbation(clip_of(*[still] * 5), severity, 0).frames
    assert (frames == frames[:1]).all()
    grey = np.repeat(still[..., :1], 3, axis=2)
    channels = perturbation(clip_of(grey), severity, 0).frames[0]
    assert torch.equal(channels, frames[0, :1].expand(3, -1, -1))


@pytest.mark.parametrize("perturbation", ALL, ids=lambda one: one.name)
def test_a_flat_picture_has_no_border(perturbation: Perturbation) -> None:
    flat = np.full((33, 20, 3), (200, 17, 90), np.uint8)
    for severity in range(1, 6):
        assert np.array_equal(picture(perturbation(clip_of(flat), severity, 0)), flat)


@pytest.mark.parametrize("perturbation", [ROLL, CAMERA_TILT], ids=lambda one: one.name)
def test_bands_do_not_matter(perturbation: Perturbation, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clip_of(scene(61, 47), scene(61, 47, seed=1))
    whole = perturbation(clip, 3, 0).frames
    monkeypatch.setattr("bench.predict.perturb.viewpoint._BAND", 4 * 47)
    assert torch.equal(perturbation(clip, 3, 0).frames, whole)
