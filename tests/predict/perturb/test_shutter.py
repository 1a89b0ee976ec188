from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

from bench.predict.clip import Clip
from bench.predict.perturb.shutter import ROLLING_SHUTTER, SPEED
from bench.predict.perturb.stream import Stream

FOCAL = 0.5 / math.tan(math.radians(39))  # of the diagonal: 78 degrees from corner to corner


def clip_of(picture: np.ndarray, times: list[float], name: str = "clip") -> Clip:
    """One picture, uint8 [H, W, 3], at each of the times."""
    pixels = torch.from_numpy(picture).permute(2, 0, 1).expand(len(times), -1, -1, -1).contiguous()
    return Clip(name, pixels, np.arange(len(times)), np.array(times))


def drawn(name: str = "clip") -> tuple[float, complex, int]:
    """Turns a second, where on its circle the camera is at the start, and its sense."""
    stream = Stream.of(0, name, ROLLING_SHUTTER.name, ROLLING_SHUTTER.version)
    sense = 1 if stream.uniform("sense") < 0.5 else -1
    return 2 + 8 * stream.uniform("rate"), cmath.rect(1, 2 * math.pi * stream.uniform("phase")), sense


def moves(height: int, width: int, readout: float, time: float, name: str = "clip") -> np.ndarray:
    """By hand: where the camera is when each row is read, less where it is at the frame's time; x + iy."""
    rate, start, sense = drawn(name)
    radius = FOCAL * math.hypot(height, width) * math.radians(SPEED) / (2 * math.pi * rate)
    read = time + ((np.arange(height) + 0.5) / height - 0.5) * readout / 1000
    place = radius * start * (np.exp(2j * np.pi * rate * read) - np.exp(2j * np.pi * rate * time))
    return place.real + 1j * sense * place.imag


@pytest.mark.parametrize("severity", range(1, 6))
@pytest.mark.parametrize(("height", "width"), [(61, 80), (80, 45)])
def test_each_row_is_read_where_the_camera_then_is(severity: int, height: int, width: int) -> None:
    """Second source: complex numbers and scipy's linear interpolation in double precision."""
    noise = gaussian_filter(np.random.default_rng(0).random((height, width, 3)), (2, 2, 0))
    picture = ((noise - noise.min()) / np.ptp(noise) * 255).round().astype(np.uint8)
    times = [0.0, 0.04, 7.3]
    found = ROLLING_SHUTTER(clip_of(picture, times), severity, 0).frames.numpy()
    y, x = np.mgrid[:height, :width]
    for number, time in enumerate(times):
        move = moves(height, width, ROLLING_SHUTTER.levels[severity - 1], time)[:, None]
        at = [y + move.imag, x + move.real]
        expected = [
            map_coordinates(picture[..., c].astype(float), at, order=1, mode="nearest") for c in range(3)
        ]
        assert (found[number] == np.stack(expected).round()).mean() > 0.998
        assert np.abs(found[number] - np.stack(expected)).max() < 0.51


@pytest.mark.parametrize("severity", range(1, 6))
def test_an_upright_edge_is_sheared_by_readout_times_speed(severity: int) -> None:
    """Measured back from the first row and the last, over clips: at most speed times readout, and nearly so."""
    height = width = 200
    picture = np.repeat(np.linspace(0, 255, width)[None, :, None], height, 0).repeat(3, 2)
    picture = picture.round().astype(np.uint8)
    readout = ROLLING_SHUTTER.levels[severity - 1] / 1000
    largest = FOCAL * math.hypot(height, width) * math.radians(SPEED) * readout
    skews = []
    for number in range(60):
        seen = (
            ROLLING_SHUTTER(clip_of(picture, [0.0], str(number)), severity, 0).frames[0, 0].double().numpy()
        )
        inner = seen[:, 40:160].mean(1)
        inner *= (width - 1) / 255
        skews.append(abs(inner[-1] - inner[0]))
        assert abs(inner[height // 2 - 1 : height // 2 + 1].mean() - (width - 1) / 2) < 0.2  # stays
    assert max(skews) <= largest + 0.5  # bytes are rounded
    assert max(skews) > 0.85 * largest
    assert min(skews) < 0.25 * largest  # the camera moves up or down, which shears nothing


def test_senses_and_rates_are_drawn() -> None:
    found = [drawn(str(number)) for number in range(200)]
    assert {sense for *_, sense in found} == {1, -1}
    rates = np.array([rate for rate, *_ in found])
    assert 2 <= rates.min() < 2.5 < 9.5 < rates.max() <= 10


def test_the_motion_goes_on_over_the_clip() -> None:
    """A frame's harm hangs on its own time alone, and comes again after a turn."""
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    rate, *_ = drawn()
    frames = ROLLING_SHUTTER(clip_of(picture, [0.0, 0.5 / rate, 1 / rate]), 5, 0).frames.int()
    assert (frames[0] - frames[1]).abs().double().mean() > 5
    assert (frames[0] - frames[2]).abs().max() <= 1
