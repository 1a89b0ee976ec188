from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

from bench.predict.clip import Clip
from bench.predict.perturb.sensor import BIT_DEPTH, IMPULSE_NOISE, SENSOR_NOISE, SHOT_NOISE, WHITE_BALANCE
from bench.predict.perturb.stream import Stream


def flat(level: int, frames: int = 4) -> Clip:
    pixels = torch.full((frames, 3, 128, 128), level, dtype=torch.uint8)
    return Clip("flat", pixels, np.arange(frames), np.arange(frames) / 25)


def linear(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written here again."""
    encoded = values / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255


@pytest.mark.parametrize("sigma", [0.02, 0.05, 0.08, 0.12])
def test_noise_on_grey_has_the_planted_deviation(sigma: float) -> None:
    noisy = SENSOR_NOISE.apply(flat(128), sigma, Stream.of(0, "flat", "x", 1)).frames.double() / 255
    assert abs(noisy.mean() - 128 / 255) < sigma / 50
    assert abs(noisy.std() / sigma - 1) < 0.02


@pytest.mark.parametrize("severity", [3, 4, 5])
def test_strong_noise_has_the_deviation_of_a_clipped_normal(severity: int) -> None:
    """Where clipping bites, the second source is numpy's normal, clipped."""
    sigma = SENSOR_NOISE.levels[severity - 1]
    expected = np.random.default_rng(0).normal(128 / 255, sigma, 1 << 21).clip(0, 1)
    noisy = SENSOR_NOISE(flat(128, 8), severity, 0).frames.numpy() / 255
    assert abs(noisy.std() / expected.std() - 1) < 0.02
    assert abs(noisy.mean() - expected.mean()) < 0.005


def test_each_frame_channel_and_pixel_has_its_own_noise() -> None:
    noise = SENSOR_NOISE(flat(128), 1, 0).frames.double() - 128
    rows = noise.flatten(0, 1).flatten(1).numpy()
    assert np.abs(np.corrcoef(rows) - np.eye(len(rows))).max() < 0.05
    first = noise[0, 0].flatten().numpy()
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.05


def test_values_clamp_and_do_not_wrap() -> None:
    assert SENSOR_NOISE(flat(255), 1, 0).frames.float().mean() > 240
    assert SENSOR_NOISE(flat(0), 1, 0).frames.float().mean() < 15


@pytest.mark.parametrize("severity", range(1, 6))
def test_impulses_strike_the_share_of_values_that_is_named(severity: int) -> None:
    """The share of ImageNet-C, half of it black, with binomial error of five deviations."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    noisy = IMPULSE_NOISE(flat(128, 8), severity, 0).frames.numpy()
    allowed = 5 * np.sqrt(share / 2 / noisy.size)
    assert abs((noisy == 0).mean() - share / 2) < allowed
    assert abs((noisy == 255).mean() - share / 2) < allowed
    assert set(np.unique(noisy)) == {0, 128, 255}


def test_impulses_leave_the_rest_alone_and_strike_anew() -> None:
    ramp = torch.arange(256, dtype=torch.uint8).expand(2, 3, 128, 256).contiguous()
    clip = Clip("ramp", ramp, np.arange(2), np.arange(2) / 25)
    noisy = IMPULSE_NOISE(clip, 5, 0).frames
    struck = noisy != ramp
    assert set(noisy[struck].unique().tolist()) == {0, 255}
    rows = struck.flatten(0, 1).flatten(1).double().numpy()
    assert np.abs(np.corrcoef(rows) - np.eye(6)).max() < 0.05


@pytest.mark.parametrize(("severity", "photons"), [(1, 60), (2, 25), (3, 12), (4, 5), (5, 3)])
@pytest.mark.parametrize("level", [20, 90, 160, 255])
def test_photons_follow_the_poisson_law(severity: int, photons: int, level: int) -> None:
    """Each count becomes one byte; how often it is seen is scipy's Poisson law."""
    law = stats.poisson(linear(np.array(float(level))) * photons)
    counts = np.arange(photons + 1)
    shown = encode(counts / photons).round().astype(int)
    expected = np.zeros(256)
    np.add.at(expected, shown, law.pmf(counts))
    expected[255] += law.sf(photons)
    noisy = SHOT_NOISE(flat(level, 8), severity, 0).frames.flatten()
    found = np.bincount(noisy.numpy(), minlength=256) / len(noisy)
    assert np.abs(found - expected).max() < 0.004
    assert abs(found @ linear(np.arange(256.0)) - expected @ linear(np.arange(256.0))) < 0.003


@pytest.mark.parametrize("severity", range(1, 6))
def test_shot_noise_is_the_named_part_of_white(severity: int) -> None:
    """At a light of 0.2 of white, far from clipping, noise to signal is the amount over sqrt(0.2)."""
    level = 124
    light = linear(SHOT_NOISE(flat(level, 8), severity, 0).frames.numpy().astype(float))
    expected = SHOT_NOISE.levels[severity - 1] / np.sqrt(linear(np.array(float(level))))
    assert abs(light.std() / light.mean() / expected - 1) < 0.03


def test_black_has_no_photons_and_each_pixel_its_own() -> None:
    assert SHOT_NOISE(flat(0), 5, 0).frames.max() == 0
    rows = SHOT_NOISE(flat(128), 1, 0).frames.flatten(0, 1).flatten(1).double().numpy()
    assert np.abs(np.corrcoef(rows) - np.eye(len(rows))).max() < 0.05


@pytest.mark.parametrize("severity", range(1, 6))
def test_bits_that_are_left(severity: int) -> None:
    """By exact fractions: the nearest of 2^bits evenly spaced levels."""
    bits = (5, 4, 3, 2, 1)[severity - 1]
    top = 2**bits - 1
    levels = [round(Fraction(255 * code, top)) for code in range(top + 1)]
    ramp = torch.arange(256, dtype=torch.uint8).expand(1, 3, 2, 256).contiguous()
    found = BIT_DEPTH(Clip("ramp", ramp, np.arange(1), np.zeros(1)), severity, 0).frames
    expected = [levels[round(Fraction(value * top, 255))] for value in range(256)]
    assert found[0, 1, 0].tolist() == expected
    assert len(found.unique()) == 2**bits
    assert (found.min(), found.max()) == (0, 255)
    assert (found.int() - ramp.int()).abs().max() <= 255 / top / 2 + 0.5


@pytest.mark.parametrize("severity", range(1, 6))
def test_white_is_off_by_the_named_angle_at_the_same_luminance(severity: int) -> None:
    hues = []
    grey = np.ones(3) / np.sqrt(3)
    for number in range(100):
        clip = Clip(str(number), flat(150, 1).frames, np.arange(1), np.zeros(1))
        colour = linear(WHITE_BALANCE(clip, severity, 0).frames[0, :, 0, 0].numpy().astype(float))
        angle = np.degrees(np.arccos(colour @ grey / np.linalg.norm(colour)))
        assert abs(angle - WHITE_BALANCE.levels[severity - 1]) < 0.6
        luminance = colour @ [0.2126, 0.7152, 0.0722]
        assert abs(luminance / linear(np.array(150.0)) - 1) < 0.02
        red, green, blue = colour
        hues.append(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue) % (2 * np.pi))
    assert stats.kstest(np.array(hues) / (2 * np.pi), "uniform").pvalue > 1e-4


def test_white_balance_is_one_for_the_clip() -> None:
    shifted = WHITE_BALANCE(flat(150, 3), 4, 0).frames
    assert (shifted == shifted[:1, :, :1, :1]).all()
    assert WHITE_BALANCE(flat(0), 5, 0).frames.max() == 0
    assert WHITE_BALANCE(flat(255), 5, 0).frames.max() == 255
