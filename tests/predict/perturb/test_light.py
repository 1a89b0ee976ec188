from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.light import FULL_WELL, LOW_LIGHT


def flat(level: int, frames: int = 4) -> Clip:
    pixels = torch.full((frames, 3, 128, 128), level, dtype=torch.uint8)
    return Clip("flat", pixels, np.arange(frames), np.arange(frames) / 25)


def linear(values: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1, written here again."""
    encoded = values / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("severity", range(1, 6))
def test_each_stop_halves_the_linear_light(severity: int) -> None:
    stops = LOW_LIGHT.levels[severity - 1]
    levels = np.arange(96, 256)
    clip = Clip(
        "ramp",
        torch.from_numpy(np.tile(levels.astype(np.uint8)[None, None, None], (2, 3, 64, 1))),
        np.arange(2),
        np.arange(2) / 25,
    )
    seen = linear(LOW_LIGHT(clip, severity, 0).frames.numpy().astype(float)).mean()
    assert abs(seen / (linear(levels.astype(float)).mean() * 2.0**-stops) - 1) < 0.02


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("level", [140, 200, 255])
def test_the_noise_is_that_of_counted_photons(severity: int, level: int) -> None:
    """Second source: numpy's Poisson numbers; at 40 electrons their Gaussian limit is 2.5 % too wide."""
    light = linear(np.array(float(level))) * 2.0 ** -LOW_LIGHT.levels[severity - 1]
    counted = np.random.default_rng(0).poisson(light * FULL_WELL, 1 << 20) / FULL_WELL
    dark = counted.clip(0, 1)
    encoded = np.where(dark <= 0.0031308, dark * 12.92, 1.055 * dark ** (1 / 2.4) - 0.055)
    expected = (encoded * 255).round()
    found = LOW_LIGHT(flat(level, 8), severity, 0).frames.double()
    assert abs(found.mean() - expected.mean()) < 0.05
    assert abs(found.std() / expected.std() - 1) < 0.03


def test_black_stays_black_and_darker_is_darker() -> None:
    assert LOW_LIGHT(flat(0), 5, 0).frames.max() == 0
    means = [LOW_LIGHT(flat(180), severity, 0).frames.double().mean() for severity in range(6)]
    assert all(after < before - 10 for before, after in pairwise(means))
