from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.signal import find_peaks

from bench.predict.clip import Clip
from bench.predict.perturb.light import (
    BACKLIGHT,
    CONTRAST,
    EXPOSURE,
    EXPOSURE_RAMP,
    FLICKER,
    FULL_WELL,
    GAMMA,
    LOW_LIGHT,
    RAMP_PERIOD,
)
from bench.predict.perturb.perturbation import Perturbation

SEVERITIES = range(1, 6)


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


def every_byte(perturbation: Perturbation, severity: int) -> np.ndarray:
    """What the perturbation makes of each byte, by one frame that holds them all, in three channels."""
    frames = torch.arange(256, dtype=torch.uint8).expand(1, 3, 1, 256).contiguous()
    found = (
        perturbation(Clip("bytes", frames, np.arange(1), np.zeros(1)), severity, 0).frames[0, :, 0].numpy()
    )
    assert (found == found[0]).all()
    return found[0].astype(float)


def encoded(light: np.ndarray) -> np.ndarray:
    return 255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_each_stop_doubles_the_linear_light_until_it_clips(severity: int) -> None:
    stops = EXPOSURE.levels[severity - 1]
    found = every_byte(EXPOSURE, severity)
    light = linear(np.arange(256.0)) * 2.0**stops
    assert (found[light >= 1] == 255).all()
    assert np.abs(found - encoded(light.clip(max=1))).max() <= 0.5 + 1e-9
    seen = (light < 1) & (light > 0.1)
    measured = np.log2(linear(found[seen]).sum() / linear(np.flatnonzero(seen).astype(float)).sum())
    assert abs(measured - stops) < 0.01


def test_the_grey_card_clips_at_the_last_exposure_alone() -> None:
    assert [every_byte(EXPOSURE, severity)[118] < 255 for severity in SEVERITIES] == [True] * 4 + [False]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gamma_is_the_slope_of_logarithms(severity: int) -> None:
    exponent = GAMMA.levels[severity - 1]
    found = every_byte(GAMMA, severity)
    places = np.arange(100, 256)
    slope = np.polyfit(np.log(places / 255), np.log(found[places] / 255), 1)[0]
    assert abs(slope / exponent - 1) < 0.005
    assert (found[0], found[255]) == (0, 255)
    assert [every_byte(GAMMA, 4)[value] for value in (51, 128, 204)] == [
        10,
        64,
        163,
    ]  # by hand: value^2 / 255


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_is_a_blend_with_mid_grey(severity: int) -> None:
    """Second source: Pillow's blend with a flat image, as its own contrast enhancer does; 118 for 117.65."""
    loss = CONTRAST.levels[severity - 1]
    found = every_byte(CONTRAST, severity)
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    blend = np.asarray(Image.blend(Image.new("L", ramp.size, 118), ramp, 1 - loss))[0]
    assert np.abs(found - blend).max() <= 1
    assert abs(np.polyfit(np.arange(256), found, 1)[0] / (1 - loss) - 1) < 0.03
    assert found[118] == 118


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_veil_is_a_share_of_white_in_linear_light(severity: int) -> None:
    share = BACKLIGHT.levels[severity - 1]
    found = every_byte(BACKLIGHT, severity)
    assert abs(linear(found[0]) - share) < 0.005
    assert found[255] == 255
    slope, veil = np.polyfit(linear(np.arange(256.0)), linear(found), 1)
    assert abs(slope - (1 - share)) < 0.005
    assert abs(veil - share) < 0.005


def gains(perturbation: Perturbation, severity: int, times: np.ndarray, name: str = "flat") -> np.ndarray:
    """The gain of linear light of each frame, measured on an even grey that never clips."""
    levels = torch.arange(80, 130, dtype=torch.uint8).expand(len(times), 3, 1, 50).contiguous()
    found = perturbation(Clip(name, levels, np.arange(len(times)), times), severity, 0).frames.numpy()
    return linear(found.astype(float)).mean((1, 2, 3)) / linear(np.arange(80.0, 130)).mean()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_flicker_has_its_modulation_depth(severity: int) -> None:
    """Seen by a camera of 2,000 frames a second, which the lamp cannot fool."""
    measured = gains(FLICKER, severity, np.arange(2000) / 2000)
    depth = (measured.max() - measured.min()) / (measured.max() + measured.min())
    assert abs(depth - FLICKER.levels[severity - 1]) < 0.01
    assert abs(measured.mean() - 1) < 0.01


def test_flicker_beats_against_the_frame_rate() -> None:
    """Second source: the lamp is counted at 2,000 frames a second; at 25 and 30 its alias is what is left."""
    lamps = []
    for name in map(str, range(8)):
        fast = gains(FLICKER, 3, np.arange(8000) / 2000, name)
        peaks = find_peaks(fast, distance=10)[0]
        lamp = 2000 * (len(peaks) - 1) / (peaks[-1] - peaks[0])
        lamps.append(lamp)
        for rate in (25, 30):
            slow = gains(FLICKER, 3, np.arange(rate * 40) / rate, name) - 1
            spectrum = np.abs(np.fft.rfft(slow * np.hanning(len(slow)), 8 * len(slow)))
            beat = spectrum.argmax() * rate / (8 * len(slow))
            assert abs(beat - abs(lamp - rate * round(lamp / rate))) < 0.1
    near = {mains: [lamp for lamp in lamps if abs(lamp / mains - 1) < 0.0101] for mains in (100, 120)}
    assert near[100]
    assert near[120]
    assert len(near[100]) + len(near[120]) == len(lamps)
    assert len(set(np.round(lamps, 2))) > 4


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_exposure_swings_by_its_stops(severity: int) -> None:
    stops = EXPOSURE_RAMP.levels[severity - 1]
    times = np.arange(0, 3 * RAMP_PERIOD, 0.04)
    levels = torch.arange(40, 90, dtype=torch.uint8).expand(len(times), 3, 1, 50).contiguous()
    found = EXPOSURE_RAMP(Clip("flat", levels, np.arange(len(times)), times), severity, 0).frames.numpy()
    measured = np.log2(linear(found.astype(float)).mean((1, 2, 3)) / linear(np.arange(40.0, 90)).mean())
    assert abs(measured.max() - stops) < 0.02
    assert abs(measured.min() + stops) < 0.03
    assert np.abs(np.fft.rfft(measured)).argmax() == 3
    assert abs(measured.mean()) < 0.01


def test_the_start_of_the_swing_belongs_to_the_clip() -> None:
    starts = [gains(EXPOSURE_RAMP, 2, np.zeros(1), str(number))[0] for number in range(40)]
    assert min(starts) < 0.8
    assert max(starts) > 1.25


@pytest.mark.parametrize("perturbation", [FLICKER, EXPOSURE_RAMP], ids=lambda each: each.name)
def test_time_and_not_the_number_of_the_frame_decides(perturbation: Perturbation) -> None:
    times = np.array([0.0, 0.013, 0.5, 0.513])
    whole = gains(perturbation, 4, times)
    assert gains(perturbation, 4, times[2:]).tolist() == whole[2:].tolist()
    assert len(set(whole.round(3))) == 4
