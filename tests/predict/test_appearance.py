"""Brightness, contrast, sharpness and skin tone against hand computations and OpenCV."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from bench.predict.align import TEMPLATE
from bench.predict.appearance import (
    CHEEKS,
    INNER,
    NAMES,
    SIDE,
    brightness,
    contrast,
    looks,
    sharpness,
    skin_tone,
)

FRONTAL = torch.zeros(1)


def plain(*colour):
    return torch.tensor(colour, dtype=torch.uint8)[None, :, None, None].expand(1, 3, SIDE, SIDE).contiguous()


def noise(seed=0, count=3):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 3, SIDE, SIDE), dtype=np.uint8)
    return torch.from_numpy(pixels)


def by_opencv(crop, kind):
    return cv2.cvtColor(crop.permute(1, 2, 0).numpy().astype(np.float32) / 255, kind)


def test_brightness_is_linear_light():
    # IEC 61966-2-1: byte 188 is half the light of white, 128 a fifth; the primaries have .2126, .7152, .0722 of it.
    assert brightness(plain(255, 255, 255)).item() == pytest.approx(1, abs=1e-6)
    assert brightness(plain(0, 0, 0)).item() == 0
    assert brightness(plain(188, 188, 188)).item() == pytest.approx(
        ((188 / 255 + 0.055) / 1.055) ** 2.4, abs=1e-6
    )
    assert brightness(plain(128, 128, 128)).item() == pytest.approx(0.2158605, abs=1e-6)
    primaries = [brightness(plain(*255 * np.eye(3, dtype=int)[i])).item() for i in range(3)]
    assert primaries == pytest.approx([0.2126, 0.7152, 0.0722], abs=1e-4)
    # The mean of light, not of bytes: half black, half white.
    half = plain(0, 0, 0)
    half[..., : SIDE // 2] = 255
    assert brightness(half).item() == pytest.approx(0.5, abs=1e-6)


def test_contrast_is_the_deviation_of_luma():
    half = plain(0, 0, 0)
    half[..., : SIDE // 2] = 255
    assert contrast(half).item() == pytest.approx(0.5)
    assert contrast(plain(90, 30, 7)).item() == pytest.approx(0, abs=1e-12)
    crops = noise()
    expected = [by_opencv(crop, cv2.COLOR_RGB2GRAY).std() for crop in crops]
    np.testing.assert_allclose(contrast(crops).numpy(), expected, rtol=1e-5)


def test_sharpness_is_the_variance_of_opencv_s_laplacian():
    crops = noise(1)
    expected = []
    for crop in crops:
        grey = by_opencv(crop, cv2.COLOR_RGB2GRAY).astype(np.float64) * 255
        expected.append(cv2.Laplacian(grey, cv2.CV_64F)[1:-1, 1:-1].var())
    np.testing.assert_allclose(sharpness(crops).numpy(), expected, rtol=1e-5)


def test_one_bright_pixel_by_hand_and_less_of_it_when_blurred():
    dot = plain(0, 0, 0)
    dot[..., 40, 40] = 255
    # The Laplacian is -4 x 255 there and 255 at four neighbours, 0 at the others: its mean is 0.
    assert sharpness(dot).item() == pytest.approx(255**2 * (16 + 4) / (SIDE - 2) ** 2)
    picture = noise(2, 1)[0].permute(1, 2, 0).numpy()
    values = []
    for sigma in (0.5, 1, 2, 4):
        blurred = cv2.GaussianBlur(picture, (0, 0), sigma)
        values.append(sharpness(torch.from_numpy(blurred).permute(2, 0, 1)[None]).item())
    assert values == sorted(values, reverse=True)
    assert values[0] > 100 * values[-1]


@pytest.mark.parametrize(
    "colour", [(224, 172, 105), (141, 85, 36), (255, 219, 172), (198, 134, 66), (60, 40, 30)]
)
def test_skin_tone_is_the_angle_of_opencv_s_lab(colour):
    lightness, _, yellow = by_opencv(plain(*colour)[0], cv2.COLOR_RGB2Lab)[0, 0]
    expected = math.degrees(math.atan((lightness - 50) / yellow))
    # OpenCV interpolates in a table; to 1e-4 it is held by hand below.
    assert skin_tone(plain(*colour), FRONTAL).item() == pytest.approx(expected, abs=0.2)


def test_skin_tone_by_hand():
    # (224, 172, 105): linear light .745404, .412543, .141263; XYZ .480432, .463778, .198066;
    # f(Y) = .774055, f(Z / 1.0888) = .566599: L* 73.7904, b* 41.4912; atan(23.7904 / 41.4912) = 29.8 degrees.
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 for c in (224, 172, 105)]
    y = 0.2126729 * linear[0] + 0.7151522 * linear[1] + 0.0721750 * linear[2]
    z = (0.0193339 * linear[0] + 0.1191920 * linear[1] + 0.9503041 * linear[2]) / 1.08883
    expected = math.degrees(math.atan((116 * y ** (1 / 3) - 66) / (200 * (y ** (1 / 3) - z ** (1 / 3)))))
    found = skin_tone(plain(224, 172, 105), FRONTAL).item()
    assert found == pytest.approx(expected, abs=1e-4)
    assert found == pytest.approx(29.8, abs=0.1)


def test_more_light_on_the_same_skin_is_a_larger_angle():
    """Which is why it is no fact about a person."""
    angles = [skin_tone(plain(*(int(c * s) for c in (224, 172, 105))), FRONTAL).item() for s in (0.4, 0.7, 1)]
    assert angles == sorted(angles)
    assert angles[2] - angles[0] > 50


def test_a_grey_or_blue_face_has_no_skin_tone():
    for colour in ((120, 120, 120), (100, 110, 200), (255, 255, 255), (0, 0, 0)):
        assert math.isnan(skin_tone(plain(*colour), FRONTAL).item()), colour


def test_cheeks_are_beside_the_nose_and_only_they_count():
    inner = (TEMPLATE - (-INNER)) / (1 + 2 * INNER) * SIDE  # the five points as pixels of the crop
    eyes, nose, mouth = inner[:2], inner[2], inner[3:]
    for rows, _ in CHEEKS:
        assert eyes[:, 1].max() < rows.start < nose[1] < rows.stop < mouth[:, 1].min()
    (_, left), (_, right) = CHEEKS
    assert left.stop < nose[0] < right.start
    assert (left.start + right.stop, left.stop + right.start) == (SIDE, SIDE)
    face = plain(0, 0, 255)
    for rows, columns in CHEEKS:
        face[..., rows, columns] = plain(224, 172, 105)[..., rows, columns]
    assert skin_tone(face, FRONTAL).item() == skin_tone(plain(224, 172, 105), FRONTAL).item()


def test_the_mean_of_two_cheeks_and_none_that_is_turned_away():
    face, (rows, right) = plain(141, 85, 36), CHEEKS[1]
    face[..., rows, right] = plain(255, 219, 172)[..., rows, right]
    dark, light = (skin_tone(plain(*c), FRONTAL).item() for c in ((141, 85, 36), (255, 219, 172)))
    assert skin_tone(face, FRONTAL).item() == pytest.approx((dark + light) / 2)
    # A face that turns to the picture's right shows its cheek at the picture's left.
    assert skin_tone(face, torch.tensor([40.0])).item() == dark
    assert skin_tone(face, torch.tensor([-40.0])).item() == light
    face[..., rows, right] = 128  # a grey patch tells nothing
    assert skin_tone(face, FRONTAL).item() == dark


def test_all_of_them_for_many_crops_at_once():
    crops, yaw = noise(3, 70), torch.linspace(-60, 60, 70)
    found = looks(crops, yaw)
    assert found.shape == (70, len(NAMES))
    for place in (0, 63, 64, 69):
        one, turned = crops[place : place + 1], yaw[place : place + 1]
        expected = torch.cat([brightness(one), contrast(one), sharpness(one), skin_tone(one, turned)])
        torch.testing.assert_close(found[place], expected, rtol=1e-12, atol=0, equal_nan=True)
