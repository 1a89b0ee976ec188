from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.sensor import SENSOR_NOISE
from bench.predict.perturb.stream import Stream


def flat(level: int, frames: int = 4) -> Clip:
    pixels = torch.full((frames, 3, 128, 128), level, dtype=torch.uint8)
    return Clip("flat", pixels, np.arange(frames), np.arange(frames) / 25)


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
