"""Sound and pictures that do not go together: lags, pieces that are missing and other voices, measured back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import signal

from bench.predict.clip import Clip
from bench.predict.perturb import PERTURBATIONS, SOUND_PERTURBATIONS
from tests.predict.perturb.test_level import power
from tests.predict.perturb.voice import decibel, heard, recording, speak

LATE = SOUND_PERTURBATIONS["desynchronisation"]
SILENT = SOUND_PERTURBATIONS["missing_sound"]
OTHER = SOUND_PERTURBATIONS["mismatched_voice"]
BLACK = PERTURBATIONS["missing_picture"]


def filmed(seconds: float, rate: float = 25.0, name: str = "x") -> Clip:
    times = np.arange(round(seconds * rate)) / rate
    return Clip(name, torch.full((len(times), 3, 2, 2), 200, dtype=torch.uint8), np.arange(len(times)), times)


def black(clip: Clip, severity: int, seed: int = 0) -> np.ndarray:
    levels = BLACK(clip, severity, seed).frames.flatten(1).numpy()
    assert ((levels == 0).all(1) | (levels == 200).all(1)).all()
    return levels[:, 0] == 0


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050])
@pytest.mark.parametrize(("severity", "lag"), [*enumerate([0.125, 0.185, 0.35, 0.7, 1.4], 1)])
def test_the_lag(rate: int, severity: int, lag: float) -> None:
    voice = np.random.default_rng(0).normal(0, 0.1, 4 * rate).astype(np.float32)
    found = heard(LATE(recording(voice, rate), severity, 0))
    late = round(lag * rate)
    assert not found[:late].any()  # nothing comes round
    assert (found[late:] == voice[:-late]).all()
    matched = signal.correlate(found, voice.astype(float), method="fft")
    assert signal.correlation_lags(len(found), len(voice))[matched.argmax()] == late


def test_a_sound_that_is_shorter_than_the_lag_is_not_heard() -> None:
    assert not LATE(recording(np.full(1000, 0.5)), 1, 0).sound.samples.any()


@pytest.mark.parametrize(("severity", "share"), [*enumerate([0.125, 0.25, 0.5, 0.75, 1.0], 1)])
def test_the_share_that_is_silent(severity: int, share: float) -> None:
    voice = np.full(8000 * 40, 0.5, np.float32)
    silent = heard(SILENT(recording(voice, 8000), severity, 0)) == 0
    assert (heard(SILENT(recording(voice, 8000), severity, 0))[~silent] == 0.5).all()
    # Whole spans of four seconds have the share exactly; the first and the last are cut.
    assert silent.mean() == pytest.approx(share, abs=0.1)
    begins = np.flatnonzero(np.diff(silent.astype(int)) == 1)
    if share < 1:
        inner = [silent[begin + 1 : begin + 1 + round(share * 32_000)].all() for begin in begins[:-1]]
        assert len(inner) >= 7
        assert all(inner)


def test_at_last_all_of_it_is_missing() -> None:
    for number in range(50):
        assert not SILENT(recording(np.full(9001, 0.5), 1000, f"x{number}"), 5, 0).sound.samples.any()
        assert black(filmed(9.0, 30000 / 1001, f"x{number}"), 5).all()


def test_less_is_missing_within_more() -> None:
    pieces = [
        heard(SILENT(recording(np.full(20_000, 0.5), 1000), severity, 3)) == 0 for severity in range(1, 6)
    ]
    frames = [black(filmed(20.0), severity, 3) for severity in range(1, 6)]
    for found in (pieces, frames):
        for less, more in pairwise(found):
            assert not (less & ~more).any()
            assert less.sum() < more.sum()


@pytest.mark.parametrize(("severity", "share"), [*enumerate([0.125, 0.25, 0.5, 0.75, 1.0], 1)])
def test_each_moment_is_as_often_black(severity: int, share: float) -> None:
    found = np.array([black(filmed(10.0, 5.0), severity, seed) for seed in range(400)])
    assert np.abs(found.mean(0) - share).max() < 4.5 * np.sqrt(share * (1 - share) / 400) + 1e-12
    still = filmed(0.04, 25.0)
    assert len(still) == 1
    assert np.mean([black(still, severity, seed)[0] for seed in range(400)]) == found[:, 0].mean()


@pytest.mark.parametrize("severity", [1, 3])
def test_each_moment_is_as_often_silent(severity: int) -> None:
    share, voice = SILENT.levels[severity - 1], np.full(10_000, 0.5)
    found = np.array(
        [heard(SILENT(recording(voice, 1000), severity, seed))[::50] == 0 for seed in range(400)]
    )
    assert np.abs(found.mean(0) - share).max() < 5 * np.sqrt(share * (1 - share) / 400)


def test_frames_are_black_at_their_times() -> None:
    often, seldom = black(filmed(20.0, 30.0), 3), black(filmed(20.0, 10.0), 3)
    assert (often[::3] == seldom).all()
    assert 0 < (np.diff(often.astype(int)) == 1).sum() <= 6  # a piece in every four seconds, and one cut


def test_sound_and_picture_are_not_missing_together() -> None:
    silent = heard(SILENT(recording(np.full(40_000, 0.5), 1000), 3, 0))[::40] == 0
    assert abs(np.corrcoef(silent, black(filmed(40.0), 3))[0, 1]) < 0.9


@pytest.mark.parametrize(("severity", "share"), [*enumerate([0.1, 0.25, 0.5, 0.75, 1.0], 1)])
def test_the_share_of_another_voice(severity: int, share: float) -> None:
    own, other = 0.2 * speak(), 0.02 * speak(5.0, 16_000, 230.0)
    found = heard(OTHER(recording(own, other=other.astype(np.float32)), severity, 0))
    foreign = found - np.sqrt(1 - share) * own
    assert decibel(power(foreign) / power(own)) == pytest.approx(decibel(share), abs=0.01)
    assert np.corrcoef(foreign, other)[0, 1] > 0.99999
    assert np.square(found).mean() == pytest.approx(np.square(own, dtype=float).mean(), rel=0.1)


def test_a_shorter_voice_is_followed_by_silence_and_a_longer_one_cut() -> None:
    own = 0.2 * speak()
    short = heard(OTHER(recording(own, other=speak(1.0, 16_000, 230.0)), 5, 0))
    assert np.abs(short[:16_000]).max() > 0.05
    assert not short[16_000:].any()
    long = speak(8.0, 16_000, 230.0)
    found = heard(OTHER(recording(own, other=long), 5, 0))
    assert np.corrcoef(found, long[: len(own)])[0, 1] > 0.99999


def test_which_voice_it_is_comes_from_the_stream() -> None:
    asked = []
    for seed in range(200):
        own = recording(speak(0.1))
        voice = own.other
        OTHER(
            type(own)("x", own.sound, lambda number, voice=voice: asked.append(number) or voice(number)),
            1,
            seed,
        )
    assert 0 <= min(asked) < 0.1
    assert 0.9 < max(asked) < 1
    assert len(set(asked)) == 200
