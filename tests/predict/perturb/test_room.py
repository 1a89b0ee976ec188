"""The room: the SNR and spectrum of noise, the decay and level of reverberation, measured back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal

from bench.predict.perturb import SOUND_PERTURBATIONS
from bench.predict.perturb.room import add_noise, reverberant_power, room_response, speech_shaped
from bench.predict.perturb.stream import Stream
from tests.predict.perturb.test_level import power
from tests.predict.perturb.voice import CPU, decibel, heard, recording, speak

NOISE, ROOM = SOUND_PERTURBATIONS["background_noise"], SOUND_PERTURBATIONS["reverberation"]
STREAM = Stream.of(0, "x", "name", 1)

# IEC 60268-16:2011, table A.4, male: dB in the octaves of 125 Hz to 8 kHz.
OCTAVES = (2.9, 2.9, -0.8, -6.8, -12.8, -18.8, -24.8)


@pytest.mark.parametrize(("severity", "ratio"), [*enumerate([20, 15, 10, 5, 0], 1)])
def test_the_ratio_of_voice_to_noise(severity: int, ratio: float) -> None:
    voice = 0.3 * speak()
    noise = heard(NOISE(recording(voice), severity, 0)) - voice
    assert decibel(power(voice) / np.square(noise).mean()) == pytest.approx(ratio, abs=0.01)


def test_the_noise_is_there_in_the_pauses_too() -> None:
    voice = speak()
    noise = heard(NOISE(recording(voice), 3, 0)) - voice
    assert decibel(np.square(noise[34_000:46_000]).mean() / np.square(noise).mean()) == pytest.approx(
        0, abs=0.5
    )


def test_the_spectrum_of_the_noise_is_that_of_speech() -> None:
    noise = speech_shaped(480_000, 48_000, STREAM, CPU).double().numpy()
    hertz, density = signal.welch(noise, 48_000, nperseg=4096)
    at = [125.0 * 2**number for number in range(7)]
    found = 10 * np.log10(np.interp(at, hertz, density) * at)  # of an octave about each
    assert np.abs(found - found[0] - np.array(OCTAVES) + OCTAVES[0]).max() < 0.6


def test_the_noise_of_a_rate_is_the_same_in_hertz() -> None:
    levels = []
    for rate in (8000, 16_000, 44_100):
        hertz, density = signal.welch(
            speech_shaped(10 * rate, rate, STREAM, CPU).numpy(), rate, nperseg=rate // 10
        )
        low, high = (density[(hertz > f) & (hertz < 2 * f)].mean() for f in (300, 1500))
        levels.append(decibel(low / high))
    assert np.ptp(levels) < 1


def test_a_sum_beyond_full_scale_is_clipped() -> None:
    loud = np.sign(np.sin(np.arange(8000) / 9))
    found = heard(add_noise(recording(loud), 0.0, STREAM))
    assert found.max() == 1
    assert found.min() == -1


@pytest.mark.parametrize("seconds", ROOM.levels)
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_time_of_decay_by_schroeder(seconds: float, rate: int) -> None:
    room = room_response(seconds, rate, STREAM, CPU).double().numpy()
    left = 10 * np.log10(np.cumsum(np.square(room[1:])[::-1])[::-1])
    left -= left[0]
    part = (left < -5) & (left > -25)  # T20 of ISO 3382
    slope, _ = np.polyfit(np.flatnonzero(part) / rate, left[part], 1)
    assert -60 / slope == pytest.approx(seconds, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "ratio"), [(0.25, 1.1), (0.5, -1.9), (0.7, -3.3), (1.2, -5.7), (2.0, -7.9)]
)
def test_direct_over_reverberant(seconds: float, ratio: float) -> None:
    room = room_response(seconds, 16_000, STREAM, CPU).double().numpy()
    assert room[0] == 1
    assert decibel(1 / np.square(room[1:]).sum()) == pytest.approx(
        -decibel(reverberant_power(seconds)), abs=1e-3
    )
    assert decibel(1 / reverberant_power(seconds)) == pytest.approx(ratio, abs=0.05)
    # At the distance at which both are alike they are.
    assert reverberant_power(100 * 0.057**2) == pytest.approx(1)


def test_convolution_against_scipy() -> None:
    voice = 0.5 * speak(2.0)
    found = heard(ROOM(recording(voice), 2, 7))
    stream = Stream.of(7, "x", "reverberation", 1)
    room = room_response(0.5, 16_000, stream, CPU).double().numpy()
    expected = signal.fftconvolve(voice.astype(float), room)[: len(voice)] / np.sqrt(np.square(room).sum())
    assert np.abs(found - expected).max() < 1e-5


def test_a_click_becomes_the_room_and_begins_with_it() -> None:
    click = np.zeros(16_000)
    click[4000] = 0.5
    found = heard(ROOM(recording(click), 1, 0))
    assert np.abs(found[:4000]).max() < 1e-6
    assert found[4000] == pytest.approx(0.5 / np.sqrt(1 + reverberant_power(0.25)), abs=1e-6)
    assert np.abs(found[8001:]).max() < 1e-6
    assert np.square(found).sum() == pytest.approx(0.25, rel=1e-4)


def test_rooms_differ_from_target_to_target() -> None:
    one, other = (room_response(0.5, 8000, Stream.of(0, name, "n", 1), CPU) for name in "ab")
    assert abs(torch.corrcoef(torch.stack([one[1:], other[1:]]))[0, 1]) < 0.1
