"""The active level, against ITU-T P.56 itself and by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from bench.predict.clip import Sound
from bench.predict.perturb.level import active_power, total
from bench.predict.sound import load_sound
from tests.predict.perturb.voice import decibel, speak


def power(samples: np.ndarray, rate: int = 16000) -> float:
    return float(active_power(Sound(torch.from_numpy(np.array(samples, np.float32)), rate)))


def p56(samples: np.ndarray, rate: int) -> float:
    """The active speech level in dB by method B of ITU-T P.56: envelope, hangover, margin of 15.9 dB."""
    smooth = math.exp(-1 / (0.03 * rate))
    envelope = np.abs(samples.astype(float))
    for _ in range(2):
        envelope = lfilter([1 - smooth], [1, -smooth], envelope)
    places, hold = np.arange(len(samples)), math.ceil(0.2 * rate)
    levels = []
    for threshold in 2.0 ** np.arange(-15, 0):
        last = np.maximum.accumulate(np.where(envelope >= threshold, places, -hold))
        active = int((places - last < hold).sum())
        if active:
            level = decibel(np.square(samples, dtype=float).sum() / active)
            levels.append((level, level - 20 * math.log10(threshold)))
    above = [n for n, (_, margin) in enumerate(levels) if margin >= 15.9]
    (high, much), (low, little) = levels[above[-1] + 1], levels[above[-1]]
    return low + (high - low) * (little - 15.9) / (little - much)


def test_a_steady_sound_is_all_active() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 100 * np.arange(16000) / 16000)
    assert power(tone) == pytest.approx(0.125, rel=1e-6)


def test_pauses_do_not_count() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 16000)
    alone = power(noise)
    faint = 1e-3 * noise
    for pause in (np.zeros(16000), np.zeros(160_000), np.tile(faint, 9)):
        assert power(np.concatenate([pause, noise, pause])) == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize(
    ("powers", "active"),
    [
        ([1, 0.1, 0.001], [1, 0.1]),
        # 15.9 dB are a factor of 0.0257: a frame is out where it has less than that of the mean with it.
        ([1, 0.0132], [1, 0.0132]),
        ([1, 0.0128], [1]),
        # A hundredth has more than that of the mean of all, but not once the silent frames are out.
        ([1, 0.01, *[0] * 8], [1]),
    ],
)
def test_by_hand(powers: list[float], active: list[float]) -> None:
    frames = np.repeat(np.sqrt(powers), 2)  # of two samples: 20 ms at 100 Hz
    assert power(frames, 100) == pytest.approx(np.mean(active), rel=1e-6)
    assert power(frames[::-1], 100) == pytest.approx(np.mean(active), rel=1e-6)


def test_no_number_of_threads_moves_a_sum() -> None:
    values = torch.from_numpy(np.random.default_rng(0).random(5_000_000))
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3, 8):
        torch.set_num_threads(threads)
        found.append(float(total(values)))
    torch.set_num_threads(before)
    assert len(set(found)) == 1
    assert found[0] == pytest.approx(math.fsum(values.tolist()), rel=1e-13)
    assert float(total(values[:0])) == 0


@pytest.mark.parametrize("samples", [[], [0.0], [0.0] * 5000])
def test_silence_has_none(samples: list[float]) -> None:
    assert power(np.array(samples)) == 0


def test_what_fills_no_frame_is_looked_at_where_it_is_all() -> None:
    assert power(np.array([0.5])) == pytest.approx(0.25)
    assert power(np.concatenate([np.full(320, 0.5), np.full(319, 0.9)])) == pytest.approx(0.25)


def test_p56_on_a_made_voice() -> None:
    """Half of the made voice is pauses of 125 ms, which P.56 takes for voice: twice the power."""
    voice = speak()
    assert decibel(power(voice)) - p56(voice, 16000) == pytest.approx(3.01, abs=0.5)
    assert decibel(power(voice) / np.square(voice, dtype=float).mean()) > 1


def test_p56_on_real_voices(shared: Path) -> None:
    """Without its hangover the level is higher, by less than 2 dB, and as much so for each voice."""
    paths = sorted((shared / "data" / "ravdess_audio" / "wav").rglob("*.wav"))[:24]
    found = []
    for path in paths:
        samples = load_sound(path, 16000)
        found.append(decibel(power(samples)) - p56(samples, 16000))
    assert len(found) == 24
    assert 0 < min(found) < max(found) < 2.5
    assert np.std(found) < 0.5
