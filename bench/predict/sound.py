"""The sound of a medium: float32 mono at the rate a model wants, on the clock of the pictures.

Mono is the mean of the channels, as in librosa. Sample 0 falls on the first video frame: sound that starts
later gets silence before it, sound that starts earlier loses its beginning. Refused, each as a MediaFault: no
sound, no sample, more than an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import torch
from av.container import InputContainer

from bench.errors import MediaFault
from bench.predict.clip import Sound
from bench.predict.media import opened, unusable

__all__ = ["MAX_SECONDS", "Hear", "Recording", "has_sound", "load_sound"]

MAX_SECONDS = 3600


def _alone(_number: float) -> Sound:
    raise ValueError("there is no other medium whose sound it could be")


@dataclass(frozen=True)
class Recording:
    """The sound of one medium, before a model hears it.

    ``id``: the target it belongs to, which seeds perturbations. ``other``: the sound of another medium of the
    data set, the one that a number in [0, 1) falls on.
    """

    id: str
    sound: Sound
    other: Callable[[float], Sound] = _alone

    def with_samples(self, samples: torch.Tensor) -> Recording:
        """The same recording with other samples, as many, clipped at full scale."""
        return replace(self, sound=replace(self.sound, samples=samples.clamp(-1, 1)))


Hear = Callable[[Recording], Recording]
"""What is done to the sound of a medium before a model hears it."""


def has_sound(medium: Path | bytes) -> bool:
    """Whether a medium has a sound track; of one that does not open nothing is known, and it may."""
    try:
        with opened(medium) as container:
            return bool(container.streams.audio)
    except (MediaFault, OSError):
        return True


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
