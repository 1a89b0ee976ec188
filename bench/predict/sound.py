"""The sound of a medium: float32 mono at the rate a model wants, on the clock of the pictures.

Mono is the mean of the channels, as in librosa. Sample 0 falls on the first video frame: sound that starts
later gets silence before it, sound that starts earlier loses its beginning. Refused, each as a MediaFault: no
sound, no sample, more than an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer

from bench.predict.media import opened, unusable

__all__ = ["MAX_SECONDS", "load_sound"]

MAX_SECONDS = 3600


def load_sound(medium: Path | bytes, rate: int) -> np.ndarray:
    """The whole sound of a medium, float32 [S] in [-1, 1], mono at ``rate`` Hz.

    Raises MediaFault with status ``decode_error``.
    """
    with opened(medium) as container:
        if not container.streams.audio:
            raise _no_sound()
        lead, length = 0, 0
        parts: list[np.ndarray] = []
        for start, samples in _resampled(container, rate):
            if not parts:
                lead = round((start - _picture_start(container)) * rate)
            parts.append(samples)
            length += len(samples)
            if length + lead > MAX_SECONDS * rate:
                raise unusable(
                    f"its sound is longer than {MAX_SECONDS} s",
                    f"Allowed: at most {MAX_SECONDS} s of sound",
                    "Cut the medium into clips",
                )
    samples = np.concatenate([np.zeros(max(lead, 0), np.float32), *parts])[max(-lead, 0) :]
    if not len(samples):
        raise _no_sound()
    return samples.clip(-1, 1)


def _resampled(container: InputContainer, rate: int) -> Iterator[tuple[float, np.ndarray]]:
    """Yield the start in seconds and the samples of each piece of sound."""
    resampler = av.AudioResampler(format="fltp", rate=rate)
    for frame in container.decode(container.streams.audio[0]):
        start = frame.time or 0.0
        for piece in resampler.resample(frame):
            yield start, piece.to_ndarray().mean(axis=0)
    for piece in resampler.resample(None):
        yield 0.0, piece.to_ndarray().mean(axis=0)


def _picture_start(container: InputContainer) -> float:
    for stream in container.streams.video:
        if stream.start_time is not None and stream.time_base is not None:
            return float(stream.start_time * stream.time_base)
    return 0.0


def _no_sound() -> Exception:
    return unusable(
        "no sound", "Allowed: a medium with sound, for a model that listens", "Add its sound track"
    )
