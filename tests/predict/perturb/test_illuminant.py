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

# Lindbloom's matrices (brucelindbloom.com): sRGB to XYZ, and the Bradford adaptation from D65 to illuminant A.
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
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


def warm(pixels: np.ndarray, severity: int) -> np.ndarray:
    return COLOUR_TEMPERATURE(clip_of(pixels), severity, 0).frames[0, :, 0].numpy().T.astype(float)


def greys() -> np.ndarray:
    """Greys bright enough to carry a colour in bytes, and too dark to clip in the red."""
    return np.repeat(np.arange(90, 190)[:, None], 3, axis=1).astype(float)


def test_the_locus_is_the_published_one() -> None:
    for mired, u, v in ISOTHERMS:
        x, y = planckian(1e6 / mired)
        below = -2 * x + 12 * y + 3
        assert np.hypot(4 * x / below - u, 6 * y / below - v) < 2e-4
    assert np.abs(np.array(planckian(2856)) - [0.44757, 0.40745]).max() < 3e-4  # CIE illuminant A


def test_the_adaptation_is_the_published_one() -> None:
    found = adaptation((0.3127, 0.3290), (0.44757, 0.40745))
    assert np.abs(found - DAYLIGHT_TO_A).max() < 5e-4
    assert np.abs(adaptation((0.3, 0.3), (0.3, 0.3)) - np.eye(3)).max() < 1e-12


@pytest.mark.parametrize("severity", range(1, 6))
def test_greys_take_the_colour_of_the_lamp(severity: int) -> None:
    """The colour temperature is read back by McCamy 1992 (good to 2 K here), and the shift in mired from it."""
    x, y, _ = (XYZ @ linear(warm(greys(), severity)).sum(0)) / (XYZ @ linear(warm(greys(), severity)).sum(0)).sum()
    n = (x - 0.3320) / (0.1858 - y)
    kelvin = 449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33
    assert abs(1e6 / kelvin - 1e6 / 6504 - COLOUR_TEMPERATURE.levels[severity - 1]) < 2
    expected = planckian(kelvin)
    assert np.hypot(x - expected[0], y - expected[1]) < 1e-3


@pytest.mark.parametrize("severity", range(1, 6))
def test_greys_keep_their_luminance(severity: int) -> None:
    before, after = (linear(pixels) @ XYZ[1] for pixels in (greys(), warm(greys(), severity)))
    assert abs(after.mean() / before.mean() - 1) < 2e-3
    red, green, blue = warm(greys(), severity).T
    assert (red > green).all()
    assert (green > blue).all()


def test_any_colour_under_tungsten_is_that_of_published_matrices() -> None:
    """Illuminant A is 196.4 mired from D65: every colour, clipped ones too, within a byte of Lindbloom's."""
    pixels = np.random.default_rng(3).integers(0, 256, (4000, 3)).astype(float)
    stream = Stream.of(0, "colours", "colour_temperature", 1)
    found = COLOUR_TEMPERATURE.apply(clip_of(pixels), 1e6 / 2856 - 1e6 / 6504, stream).frames[0, :, 0].numpy().T
    light = (linear(pixels) @ (np.linalg.inv(XYZ) @ DAYLIGHT_TO_A @ XYZ).T).clip(0, 1)
    expected = 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(found - expected).max() < 1.5
    assert (expected > 254.9).any()
    assert (expected < 0.1).any()


def test_no_shift_is_no_change() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (500, 3)).astype(float)
    stream = Stream.of(0, "colours", "colour_temperature", 1)
    found = COLOUR_TEMPERATURE.apply(clip_of(pixels), 0.0, stream).frames[0, :, 0].numpy().T
    assert np.abs(found - pixels).max() <= 12  # D65 lies 0.003 beside the black body, so white moves a little
