from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.illuminant import COLOUR_TEMPERATURE, adaptation, planckian
from bench.predict.perturb.stream import Stream

# Robertson 1968 (doi:10.1364/JOSA.58.001528), as in Wyszecki and Stiles 1982: mired, CIE 1960 u and v of the
# black body.
ISOTHERMS = np.array(
    [
        [150, 0.19962, 0.30921],
        [175, 0.20525, 0.31647],
        [200, 0.21142, 0.32312],
        [225, 0.21807, 0.32909],
        [250, 0.22511, 0.33439],
        [275, 0.23247, 0.33904],
        [300, 0.24010, 0.34308],
        [325, 0.24792, 0.34655],
        [350, 0.25591, 0.34951],
    ]
)

# Lindbloom's matrices (brucelindbloom.com): sRGB to XYZ, XYZ to the Bradford space, and the
# adaptation from D65 to illuminant A.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
DAYLIGHT_TO_A = np.array(
    [
        [1.2164557, 0.1109905, -0.1549325],
        [0.1533326, 0.9152313, -0.0559953],
        [-0.0239469, 0.0358984, 0.3147529],
    ]
)


def linear(values: np.ndarray) -> np.ndarray:
    encoded = values / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def clip_of(pixels: np.ndarray) -> Clip:
    """A one-frame clip of RGB pixels [n, 3]."""
    frames = torch.from_numpy(pixels.T[None, :, None].astype(np.uint8)).contiguous()
    return Clip("colours", frames, np.arange(1), np.zeros(1))


def apply(pixels: np.ndarray, mired: float) -> np.ndarray:
    stream = Stream.of(0, "colours", "colour_temperature", 1)
    return COLOUR_TEMPERATURE.apply(clip_of(pixels), mired, stream).frames[0, :, 0].numpy().T.astype(float)


def white(u: float, v: float) -> np.ndarray:
    """XYZ of luminance 1 of CIE 1960 chromaticity."""
    return np.array([3 * u / (2 * v), 1, (4 - u - 10 * v) / (2 * v)])


def greys() -> np.ndarray:
    """Greys bright enough to carry a colour in bytes, and too dark to clip in the red."""
    return np.repeat(np.arange(90, 190)[:, None], 3, axis=1).astype(float)


def test_the_locus_is_the_published_one() -> None:
    for mired, u, v in ISOTHERMS:
        x, y = planckian(1e6 / mired)
        below = -2 * x + 12 * y + 3
        assert np.hypot(4 * x / below - u, 6 * y / below - v) < 2e-4
    assert np.abs(np.array(planckian(2856)) - [0.44757, 0.40745]).max() < 4e-4  # CIE illuminant A


def test_the_adaptation_is_the_published_one() -> None:
    found = adaptation((0.3127, 0.3290), (0.44757, 0.40745))
    assert np.abs(found - DAYLIGHT_TO_A).max() < 5e-4
    assert np.abs(adaptation((0.3, 0.3), (0.3, 0.3)) - np.eye(3)).max() < 1e-12


@pytest.mark.parametrize("mired", COLOUR_TEMPERATURE.levels)
def test_a_card_takes_the_colour_of_the_lamp(mired: float) -> None:
    """The colour temperature is read back by McCamy 1992 (good to 2 K here), and the shift in mired from it.

    The card is white to the black body of 6504 K, in a hundred exposures, so that bytes are not too coarse.
    """
    x, y = planckian(6504)
    card = np.linalg.inv(XYZ) @ np.array([x / y, 1, (1 - x - y) / y])
    light = card * np.linspace(0.15, 0.4, 100)[:, None]
    seen = XYZ @ linear(apply((255 * (1.055 * light ** (1 / 2.4) - 0.055)).round(), mired)).sum(0)
    x, y, _ = seen / seen.sum()
    n = (x - 0.3320) / (0.1858 - y)
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33
    assert abs(1e6 / kelvin - 1e6 / 6504 - mired) < 1
    assert np.hypot(*(np.array([x, y]) - planckian(kelvin))) < 1e-3


@pytest.mark.parametrize("mired", COLOUR_TEMPERATURE.levels)
def test_greys_keep_their_luminance(mired: float) -> None:
    before, after = (linear(pixels) @ XYZ[1] for pixels in (greys(), apply(greys(), mired)))
    assert abs(after.mean() / before.mean() - 1) < 2e-3
    red, green, blue = apply(greys(), mired).T
    assert (red > green).all()
    assert (green > blue).all()


@pytest.mark.parametrize("row", [4, 8])
def test_any_colour_is_that_of_published_numbers(row: int) -> None:
    """Lindbloom's sRGB and Bradford matrices and Robertson's table, which gives daylight by interpolation."""
    daylight = 1e6 / 6504
    share = (daylight - 150) / 25
    whites = [white(*(ISOTHERMS[0, 1:] * (1 - share) + ISOTHERMS[1, 1:] * share)), white(*ISOTHERMS[row, 1:])]
    gains = np.diag((BRADFORD @ whites[1]) / (BRADFORD @ whites[0]))
    matrix = np.linalg.inv(BRADFORD @ XYZ) @ gains @ BRADFORD @ XYZ
    pixels = np.random.default_rng(3).integers(0, 256, (4000, 3)).astype(float)
    light = (linear(pixels) @ matrix.T).clip(0, 1)
    expected = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    found = apply(pixels, ISOTHERMS[row, 0] - daylight)
    assert np.abs(found - expected).max() < 2
    assert (expected > 254.9).any()
    assert (expected < 0.1).any()


def test_no_shift_is_no_change() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (500, 3)).astype(float)
    assert np.array_equal(apply(pixels, 0.0), pixels)
