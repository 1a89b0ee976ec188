from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from bench.predict.clip import Clip
from bench.predict.perturb.convolve import LARGEST_SUM, convolve_light
from bench.predict.perturb.optics import (
    DEFOCUS,
    LOW_RESOLUTION,
    MOTION_BLUR,
    VIGNETTING,
    ZOOM_BLUR,
    _coarse_on_device,
    disk,
    line,
)
from bench.predict.perturb.stream import Stream

STREAM = Stream.of(0, "clip", "x", 1)


def clip_of(*pictures: np.ndarray, name: str = "clip") -> Clip:
    """Pictures uint8 [H, W] or [H, W, 3] as the frames of a clip."""
    colour = [np.stack([p] * 3) if p.ndim == 2 else p.transpose(2, 0, 1) for p in pictures]
    times = np.arange(len(pictures))
    return Clip(name, torch.from_numpy(np.stack(colour).copy()), times, times / 25)


def scene(height: int, width: int) -> np.ndarray:
    """Noise at two scales, uint8 [H, W, 3]."""
    random = np.random.default_rng(height * width)
    rough = random.uniform(0, 255, (height, width, 3))
    return (0.5 * rough + 0.5 * ndimage.uniform_filter(rough, (5, 5, 0))).astype(np.uint8)


def dot(size: int, *places: tuple[int, int]) -> np.ndarray:
    picture = np.zeros((size, size), np.uint8)
    for y, x in places:
        picture[y, x] = 255
    return picture


def linear(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written here again."""
    encoded = values / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light.clip(0) ** (1 / 2.4) - 0.055) * 255


def pixels(clip: Clip) -> np.ndarray:
    return clip.frames.permute(0, 2, 3, 1).numpy().astype(float)


def spread(kernel: np.ndarray) -> np.ndarray:
    """Covariance of a kernel or a spot, in pixels squared, y before x."""
    places = np.indices(kernel.shape).reshape(2, -1)
    return np.cov(places, aweights=kernel.flatten(), ddof=0)


KERNELS = [disk(0.3), disk(1.3), disk(6.0), disk(11.7), line(9.0, 0.0), line(9.4, 0.5), line(20.0, 2.0)]
# Lopsided ones show which way round a kernel lies; the second is added by running sums.
KERNELS += [
    np.array([[9, 0, 0], [3, 2, 0], [0, 0, 0]]),
    np.array([[0, 5, 5, 5, 5], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{kernel.shape}")
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (8, 8), (40, 57)])
def test_convolution_is_that_of_scipy_in_linear_light(kernel: np.ndarray, shape: tuple[int, int]) -> None:
    picture = scene(*shape)
    weights = (kernel / kernel.sum())[..., None]
    expected = encode(ndimage.convolve(linear(picture), weights, mode="reflect"))
    found = pixels(convolve_light(clip_of(picture), kernel))[0]
    assert np.abs(found - expected).max() < 0.5 + 0.1


def test_both_ways_of_adding_are_taken_and_agree() -> None:
    """A line along x is cheaper by running sums, along y tap by tap; the pictures are each other's mirror."""
    picture = scene(31, 31)
    one = pixels(convolve_light(clip_of(picture), line(9.0, 0.0)))[0]
    other = pixels(convolve_light(clip_of(picture.transpose(1, 0, 2)), line(9.0, math.pi / 2)))[0]
    assert np.array_equal(one, other.transpose(1, 0, 2))


@pytest.mark.parametrize("at_once", [1, 31, 100, 961, 2000])
def test_parts_do_not_matter(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = clip_of(scene(31, 29), scene(31, 29)[::-1])
    for kernel in (disk(3.3), line(9.0, 2.0)):
        whole = convolve_light(clip, kernel).frames
        with monkeypatch.context() as patch:
            patch.setattr("bench.predict.perturb.convolve._AT_ONCE", at_once)
            assert torch.equal(convolve_light(clip, kernel).frames, whole)


def test_kernels_beyond_32_bits() -> None:
    kernel = disk(230.0)
    assert kernel.sum() > LARGEST_SUM
    picture = scene(9, 9)
    found = pixels(convolve_light(clip_of(picture), kernel))[0]
    expected = encode(linear(picture).mean((0, 1)))
    assert np.abs(found - expected).max() < 2  # so wide that it sees the mean of all reflections
    assert (pixels(convolve_light(clip_of(np.full((9, 9), 200, np.uint8)), kernel)) == 200).all()


def test_flat_pictures_stay() -> None:
    for level in range(256):
        flat = clip_of(np.full((3, 5), level, np.uint8))
        for perturbation in (DEFOCUS, MOTION_BLUR, ZOOM_BLUR, LOW_RESOLUTION):
            assert torch.equal(perturbation(flat, 5, 0).frames, flat.frames), (perturbation.name, level)


@pytest.mark.parametrize("radius", [3.0, 4.25, 6.5, 10.0, 31.0, 80.0])
def test_a_disk_has_its_area_and_its_spread(radius: float) -> None:
    kernel = disk(radius)
    assert abs(kernel.sum() / kernel.max() / (math.pi * radius**2) - 1) < 0.02
    assert np.abs(spread(kernel) - np.eye(2) * (radius**2 / 4 + 1 / 12)).max() < 0.02 * radius**2 / 4 + 0.02
    assert np.array_equal(kernel, kernel.T)
    assert np.array_equal(kernel, kernel[::-1, ::-1])
    assert kernel.sum() <= LARGEST_SUM


@pytest.mark.parametrize(("severity", "radius"), [(1, 3), (2, 4), (3, 6), (4, 8), (5, 10)])
def test_defocus_has_the_radii_of_imagenet_c(severity: int, radius: int) -> None:
    """Measured back from a point of light at 224 pixels; on four times the pixels it is twice as wide."""
    for size, wanted in ((224, radius), (448, 2 * radius)):
        middle = size // 2
        places = [(middle + y, middle + x) for y in range(3) for x in range(3)]  # nine, to be bright enough
        spot = linear(pixels(DEFOCUS(clip_of(dot(size, *places)), severity, 0))[0, :, :, 0])
        assert abs(spot.sum() / 9 - 1) < 0.03
        assert abs(math.sqrt(spread(spot)[0, 0] - 2 / 3) / (wanted / 2) - 1) < 0.03
        lit = np.flatnonzero(spot.any(0))
        assert abs(lit[-1] - lit[0] + 1 - (2 * wanted + 3)) <= 1


def test_defocus_of_a_picture_is_close_to_opencv() -> None:
    """The second source of the whole path: filter2D with a disk drawn by sixteenths of a pixel."""
    picture = scene(224, 224)
    fine = (np.arange(13 * 16) + 0.5) / 16 - 6.5
    kernel = (np.hypot(fine[:, None], fine) <= 6).reshape(13, 16, 13, 16).mean((1, 3))
    expected = encode(cv2.filter2D(linear(picture), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))
    found = pixels(DEFOCUS(clip_of(picture), 3, 0))[0]
    assert np.abs(found - expected).max() < 1.0


@pytest.mark.parametrize("length", [6.5, 9.0, 16.3, 30.24])
@pytest.mark.parametrize("angle", [0.0, 0.2, 0.7, 1.3, math.pi / 2, 2.0, 3.0])
def test_a_line_has_its_length_and_direction(length: float, angle: float) -> None:
    kernel = line(length, angle)
    assert np.array_equal(kernel, kernel[::-1, ::-1])  # centred: the face does not move
    values, vectors = np.linalg.eigh(spread(kernel))
    assert abs(math.sqrt(12 * values[1]) / length - 1) < 0.05
    assert values[0] < 0.26
    direction = math.atan2(vectors[0, 1], vectors[1, 1]) % math.pi
    assert abs((direction - angle + math.pi / 2) % math.pi - math.pi / 2) < 0.03


def test_motion_blur_has_the_spread_of_imagenet_c() -> None:
    """ImageMagick's kernel: the half Gaussian exp(-k^2 / 2 sigma^2), k = 0 to 2 x radius."""
    for level, (radius, sigma) in zip(
        MOTION_BLUR.levels, [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)], strict=True
    ):
        steps = np.arange(2 * radius + 1)
        weights = np.exp(-(steps**2) / (2 * sigma**2))
        deviation = math.sqrt(np.cov(steps, aweights=weights, ddof=0))
        assert abs(level - deviation * math.sqrt(12) / 224) < 0.0006


def test_motion_blur_is_one_line_for_the_whole_clip() -> None:
    picture = dot(101, (50, 50))
    blurred = MOTION_BLUR(clip_of(picture, picture, picture), 3, 0).frames
    assert torch.equal(blurred[0], blurred[2])
    length = 0.076 * 101
    found = []
    for number in range(200):
        spot = linear(pixels(MOTION_BLUR(clip_of(picture, name=str(number)), 3, 0))[0, :, :, 0])
        values, vectors = np.linalg.eigh(spread(spot))
        assert abs(math.sqrt(12 * values[1]) / length - 1) < 0.08
        found.append(math.atan2(vectors[0, 1], vectors[1, 1]) % math.pi / math.pi)
    assert stats.kstest(found, "uniform").pvalue > 1e-4


def zoom(picture: np.ndarray, factor: float) -> np.ndarray:
    """Enlarge about the centre, bilinearly."""
    middle = (np.array(picture.shape[:2]) - 1) / 2
    offset = middle - middle / factor
    planes = [
        ndimage.affine_transform(picture[..., c], np.eye(2) / factor, offset, order=1, mode="nearest")
        for c in range(3)
    ]
    return np.stack(planes, -1)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_zoom_blur_is_the_mean_of_many_zooms(severity: int) -> None:
    picture = cv2.GaussianBlur(scene(120, 90), (0, 0), 2)
    share = ZOOM_BLUR.levels[severity - 1]
    light = np.mean([zoom(linear(picture), (1 + share) ** t) for t in np.linspace(0, 1, 200)], 0)
    found = pixels(ZOOM_BLUR(clip_of(picture), severity, 0))[0]
    assert np.abs(found - encode(light)).mean() < 0.5
    assert np.abs(found - encode(light)).max() < 4


@pytest.mark.parametrize("severity", range(1, 6))
def test_zoom_blur_loses_detail_by_interpolating_in_a_row(severity: int) -> None:
    """Against the same pictures interpolated once each, on sharp noise with two flat squares.

    Grey levels differ by 2 a pixel, and of the variance of the Laplacian 0.85 to 0.69 is left; light is kept.
    """
    picture = scene(120, 90)
    picture[30:60, 20:50], picture[70:100, 50:80] = 0, 255
    share = ZOOM_BLUR.levels[severity - 1]
    count = 2 ** math.ceil(math.log2(share * math.hypot(120, 90) / 2))
    light = np.mean([zoom(linear(picture), (1 + share) ** t) for t in np.linspace(0, 1, count)], 0)
    once = encode(light).round()
    found = pixels(ZOOM_BLUR(clip_of(picture), severity, 0))[0]
    left = cv2.Laplacian(found, -1).var() / cv2.Laplacian(once, -1).var()
    assert 1.5 < np.abs(found - once).mean() < 2.5
    assert abs(found.mean() - once.mean()) < 0.3
    assert 0.6 < left < 0.9


def test_zoom_blur_draws_streaks_of_the_named_length() -> None:
    size, away = 401, 100
    places = [(200 + y, 200 + away + x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    for severity, share in enumerate(ZOOM_BLUR.levels, start=1):
        streak = linear(pixels(ZOOM_BLUR(clip_of(dot(size, *places)), severity, 0))[0, 195:206, :, 0]).sum(0)
        lit = np.flatnonzero(streak > streak.max() / 4)
        assert abs(lit[-1] - lit[0] - away * share) < 5
        assert abs(lit[0] - (200 + away - 1)) <= 2
    assert pixels(ZOOM_BLUR(clip_of(dot(size, (200, 200))), 1, 0))[0, 200, 200, 0] > 230


@pytest.mark.parametrize("shape", [(48, 48), (224, 224), (97, 61), (7, 30), (1, 1)])
@pytest.mark.parametrize("factor", [1.667, 2.0, 3.0, 3.333, 8.0])
def test_low_resolution_is_opencv_by_area_and_back(shape: tuple[int, int], factor: float) -> None:
    """In double precision; on the host and as other devices do it."""
    picture = scene(*shape)
    small = tuple(max(1, round(size / factor)) for size in shape[::-1])
    shrunk = cv2.resize(picture.astype(np.float64), small, interpolation=cv2.INTER_AREA).round()
    expected = cv2.resize(shrunk, shape[::-1], interpolation=cv2.INTER_LINEAR)
    clip = clip_of(picture)
    host = LOW_RESOLUTION.apply(clip, factor, STREAM)
    device = clip.with_frames(_coarse_on_device(clip.frames, factor))
    for found in (pixels(host)[0], pixels(device)[0]):
        # A mean that lies between two bytes may round either way.
        assert np.abs(found - expected.reshape(found.shape)).max() <= 1.51
        assert np.abs(found - expected.reshape(found.shape)).mean() < 0.3
    apart = (host.frames.int() - device.frames.int()).abs()
    assert apart.max() <= 1
    assert (apart > 0).double().mean() < 0.02


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize("shape", [(301, 301), (201, 355)])
def test_vignetting_is_the_cosine_fourth_law(severity: int, shape: tuple[int, int]) -> None:
    """By angles: a corner that loses s stops lies acos(2^(-s / 4)) off the axis."""
    stops = VIGNETTING.levels[severity - 1]
    seen = pixels(VIGNETTING(clip_of(np.full(shape, 255, np.uint8)), severity, 0))[0, :, :, 0]
    y, x = np.indices(shape)
    corner = math.acos(2 ** (-stops / 4))
    away = np.hypot(y - (shape[0] - 1) / 2, x - (shape[1] - 1) / 2) / (math.hypot(*shape) / 2)
    assert np.abs(seen - encode(np.cos(np.arctan(away * math.tan(corner))) ** 4)).max() < 0.51
    assert seen[shape[0] // 2, shape[1] // 2] == 255
    assert abs(math.log2(linear(seen)[0, 0]) + stops) < 0.1


def test_vignetting_has_the_fields_of_view_it_names() -> None:
    fields = [2 * math.degrees(math.acos(2 ** (-stops / 4))) for stops in VIGNETTING.levels]
    assert [round(field) for field in fields] == [66, 90, 107, 120, 130]
