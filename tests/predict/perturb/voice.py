"""A voice made for tests: syllables of a harmonic tone with pauses, the same every time."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from bench.predict.clip import Sound
from bench.predict.sound import Recording

CPU = torch.device("cpu")


@cache
def speak(seconds: float = 5.0, rate: int = 16000, pitch: float = 140.0) -> np.ndarray:
    """Syllables four times a second, silent from 2 to 3 s; float32 in [-0.6, 0.6]."""
    times = np.arange(round(seconds * rate)) / rate
    partials = [n for n in range(1, 60) if n * pitch < rate / 2]
    wave = sum(np.sin(2 * np.pi * n * pitch * times + n * n) / n for n in partials)
    wave = wave * np.clip(np.sin(2 * np.pi * 4 * times), 0.02, None) * ((times < 2) | (times >= 3))
    return (0.6 * wave / np.abs(wave).max()).astype(np.float32)


def recording(
    samples: np.ndarray, rate: int = 16000, name: str = "x", other: np.ndarray | None = None
) -> Recording:
    """Samples as the sound of a target; beside it the voice of somebody else."""
    voice = speak(4.0, rate, 230.0) if other is None else other
    sound = Sound(torch.from_numpy(np.array(samples, np.float32)), rate)
    return Recording(name, sound, lambda _: Sound(torch.from_numpy(voice), rate))


def heard(found: Recording) -> np.ndarray:
    return found.sound.samples.double().numpy()


def decibel(ratio: float) -> float:
    return float(10 * np.log10(ratio))
