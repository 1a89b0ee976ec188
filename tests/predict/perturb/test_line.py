"""The line: clipped peaks, the code, band and rate of a telephone, and packets, each measured back."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch
from scipy import signal

from bench.predict.perturb import SOUND_PERTURBATIONS
from bench.predict.perturb.line import compand
from tests.predict.perturb.voice import decibel, heard, recording, speak

CLIPPING = SOUND_PERTURBATIONS["sound_clipping"]
TELEPHONE = SOUND_PERTURBATIONS["telephone"]
DROPOUT = SOUND_PERTURBATIONS["sound_dropout"]

# ITU-T G.711, table 2a: the decision values and the decoded values of each segment of the mu-law.
DECISIONS = np.concatenate([
    np.arange(1, 32, 2), np.arange(35, 96, 4), np.arange(103, 224, 8), np.arange(239, 480, 16),
    np.arange(511, 992, 32), np.arange(1055, 2016, 64), np.arange(2143, 4064, 128), np.arange(4319, 7904, 256),
])  # fmt: skip
DECODED = np.concatenate([
    np.arange(0, 31, 2), np.arange(33, 94, 4), np.arange(99, 220, 8), np.arange(231, 472, 16),
    np.arange(495, 976, 32), np.arange(1023, 1984, 64), np.arange(2079, 4000, 128), np.arange(4191, 8032, 256),
])  # fmt: skip


def tone(hertz: float, rate: int, amplitude: float = 0.3, seconds: float = 2.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def middle(samples: np.ndarray) -> np.ndarray:
    return samples[len(samples) // 4 : -len(samples) // 4]


@pytest.mark.parametrize(("severity", "share"), [*enumerate([1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32], 1)])
def test_peaks_are_clipped(severity: int, share: float) -> None:
    voice = speak()
    found = heard(CLIPPING(recording(voice), severity, 0))
    limit = 10 ** (-CLIPPING.levels[severity - 1] / 20) * 0.6
    assert limit == pytest.approx(share * 0.6, rel=0.02)
    assert np.abs(found - np.clip(voice, -limit, limit)).max() < 1e-6
    quiet = heard(CLIPPING(recording(voice / 64), severity, 0))
    assert np.abs(quiet - found / 64).max() < 1e-7


def test_the_code_is_that_of_g711() -> None:
    assert len(DECODED) == 128
    values = np.concatenate([[0.0, 0.5], DECISIONS - 0.25, DECISIONS + 0.25, [8030.0, 8158.0, 8159.0]])
    expected = DECODED[np.searchsorted(DECISIONS, values, side="right")]
    for sign in (1, -1):
        found = compand(torch.from_numpy(sign * values / 8159), 0).numpy() * 8159
        assert np.abs(found - sign * expected).max() < 1e-6


def test_the_code_decodes_as_that_of_ffmpeg() -> None:
    decoder = av.CodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    (frame,) = decoder.decode(av.Packet(bytes(range(256))))
    values = frame.to_ndarray()[0].astype(float) / 4  # 14 bits in 16
    assert sorted(set(np.abs(values))) == DECODED.tolist()
    again = compand(torch.from_numpy(values / 8159), 0).numpy() * 8159
    assert np.abs(again - values).max() < 1e-6


@pytest.mark.parametrize("dropped", range(5))
def test_dropped_bits_join_steps(dropped: int) -> None:
    values = np.arange(-8159, 8160, 0.5)
    found = compand(torch.from_numpy(values / 8159), dropped).numpy() * 8159
    assert len(np.unique(found.round(6))) == 2 * (128 >> dropped) - 1
    edges = np.concatenate([[0.0], DECISIONS[(1 << dropped) - 1 :: 1 << dropped], [8159.0]])
    place = np.searchsorted(edges, np.abs(values), side="right").clip(max=len(edges) - 1)
    middles = np.sign(values) * (edges[place - 1] + edges[place]) / 2 * (place > 1)
    assert np.abs(found - middles).max() < 1e-6


@pytest.mark.parametrize("rate", [6000, 8000, 11025, 16_000, 22_050, 44_100, 48_000])
def test_the_band(rate: int) -> None:
    passed = {hertz: heard(TELEPHONE(recording(tone(hertz, rate), rate), 1, 0)) for hertz in (50, 100, 199)}
    assert all(np.abs(middle(found)).max() < 0.003 for found in passed.values())
    for hertz in (301, 1000, 2600, 3399, 4100, 5500):
        if hertz < rate / 2:
            sent = tone(hertz, rate)
            found = heard(TELEPHONE(recording(sent, rate), 1, 0))
            ratio = np.square(middle(found)).sum() / np.square(middle(sent)).sum()
            assert abs(decibel(ratio)) < 0.2 if hertz < 3400 else ratio < 1e-4
            # Neither later nor turned round.
            assert np.corrcoef(middle(found), middle(sent))[0, 1] > 0.999 or hertz > 3400


def test_the_band_within_the_limits_of_g712() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 480_000)
    found = heard(TELEPHONE(recording(noise, 48_000), 1, 0))
    hertz, before = signal.welch(noise, 48_000, nperseg=9600)
    gain = 10 * np.log10(signal.welch(found, 48_000, nperseg=9600)[1] / before)
    assert np.abs(gain[(hertz >= 310) & (hertz <= 3390)]).max() < 0.5
    assert gain[(hertz >= 20) & (hertz <= 190)].max() < -30
    assert gain[(hertz >= 4010) & (hertz < 20_000)].max() < -30


def test_each_bit_costs_six_decibel() -> None:
    sent = tone(1003.7, 16_000, 0.25)
    ratios = []
    for severity in range(1, 6):
        found = heard(TELEPHONE(recording(sent), severity, 0))
        ratios.append(decibel(np.square(middle(sent)).sum() / np.square(middle(found - sent)).sum()))
    assert 33 < ratios[0] < 42  # ITU-T G.712 asks for 33 dB
    assert np.abs(np.diff(ratios) + 6).max() < 2.5


def test_nothing_comes_round() -> None:
    click = np.zeros(16_000)
    click[-1] = 0.9
    found = heard(TELEPHONE(recording(click), 1, 0))
    assert np.abs(found[:14_000]).max() < 1e-3
    assert np.abs(found[-10:]).max() > 0.05


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050])
@pytest.mark.parametrize("severity", range(1, 6))
def test_packets_are_whole_or_silent(rate: int, severity: int) -> None:
    size = rate // 50
    voice = 0.1 + 0.05 * np.sin(np.arange(3000 * size))
    found = heard(DROPOUT(recording(voice, rate), severity, 0)).reshape(3000, size)
    lost = ~found.any(1)
    assert np.abs(found[~lost] - voice.reshape(3000, size)[~lost]).max() < 1e-6
    share = DROPOUT.levels[severity - 1]
    assert abs(lost.mean() - share) < 4 * np.sqrt(share * (1 - share) / 3000)
    more = heard(DROPOUT(recording(voice, rate), min(5, severity + 1), 0)).reshape(3000, size)
    assert not more[lost].any()
    # By chance, one after the other: as often lost after one that was as after one that was not.
    assert abs(np.corrcoef(lost[1:], lost[:-1])[0, 1]) < 4 / np.sqrt(3000)
