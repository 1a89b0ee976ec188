from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.errors import MediaFault
from bench.predict import sound
from bench.predict.sound import load_sound


def dominant(samples: np.ndarray, rate: int) -> float:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[power.argmax()])


def write_wave(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def test_a_wave_file_at_its_own_rate_is_exact(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, (5000, 1))
    found = load_sound(write_wave(tmp_path / "a.wav", samples, 16000), 16000)
    assert found.dtype == np.float32
    assert (found == (samples[:, 0] / 32768).astype(np.float32)).all()


def test_mono_is_the_mean_of_the_channels(tmp_path: Path) -> None:
    samples = np.random.default_rng(1).integers(-20000, 20000, (4000, 2))
    found = load_sound(write_wave(tmp_path / "a.wav", samples, 8000), 8000)
    assert np.abs(found - samples.mean(1) / 32768).max() < 1e-4


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_frequency_and_loudness_of_a_tone(film: Callable[..., Path], name: str, rate: int) -> None:
    samples = load_sound(film(name, frames=60, tone=440.0), rate)
    assert abs(len(samples) / rate - 2) < 0.1
    middle = samples[rate // 4 : rate // 4 + rate]
    assert abs(dominant(middle, rate) - 440) < 1.01
    assert abs(middle.std() - 0.5 / np.sqrt(2)) < 0.01


def test_sample_zero_falls_on_the_first_frame(film: Callable[..., Path]) -> None:
    samples = load_sound(film("late.mkv", frames=60, tone=440.0, onset=0.5), 16000)
    loud = np.flatnonzero(np.abs(samples) > 0.1)[0] / 16000
    assert abs(loud - 0.5) < 0.08  # AAC starts with up to one frame of 1,024 samples of its own
    stamps = [1000 + 33 * number for number in range(60)]
    early = load_sound(film("early.mkv", frames=60, tone=440.0, stamps=stamps), 16000)
    assert abs(len(early) / 16000 - 1) < 0.1


def test_real_speech_against_its_samples(shared: Path) -> None:
    path = sorted((shared / "data" / "ravdess_audio").rglob("*.wav"))[0]
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        expected = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        rate = file.getframerate()
    assert np.abs(load_sound(path, rate) - expected).max() < 1e-6
    assert abs(len(load_sound(path, 16000)) - len(expected) * 16000 / rate) < 40


def test_no_sound(film: Callable[..., Path]) -> None:
    with pytest.raises(MediaFault) as caught:
        load_sound(film("a.mp4"), 16000)
    assert str(caught.value) == (
        "no sound. Allowed: a medium with sound, for a model that listens. Add its sound track."
    )
    assert caught.value.status == "decode_error"


def test_a_sound_without_samples(tmp_path: Path) -> None:
    with pytest.raises(MediaFault):
        load_sound(write_wave(tmp_path / "a.wav", np.zeros((0, 1)), 8000), 8000)


def test_a_sound_that_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wave(tmp_path / "a.wav", np.zeros((8000 * 3, 1)), 8000)
    monkeypatch.setattr(sound, "MAX_SECONDS", 2)
    with pytest.raises(MediaFault, match="longer than 2 s"):
        load_sound(path, 8000)
