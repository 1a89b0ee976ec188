"""The active level, against ITU-T P.56 itself and by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from bench.predict.clip import Sound
from bench.predict.perturb.level import active_power
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


def test_by_hand() -> None:
    # Frames of 2 samples. The mean of all is 1/3 of the loudest's; 15.9 dB below that is 1/117 of it, and the
    # third frame, a thousandth, is out; the second, a tenth, stays in.
    frames = np.array([1.0, 1.0, 0.1**0.5, 0.1**0.5, 0.001**0.5, 0.001**0.5])
    assert power(frames, 100) == pytest.approx(1.1 / 2, rel=1e-6)
    # Once it is out, the level of those left rises, and a frame that was in by a hair is out too.
    quiet = 0.0205**0.5
    hair = [1.0, 1.0, *[quiet] * 2, *[0.0] * 2]
    assert (1.0205 / 3) * 10**-1.59 < 0.0205 < 1.0 * 10**-1.59
    assert power(np.array(hair), 100) == pytest.approx(1.0205 / 2, rel=1e-6)


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
