"""How loud a voice is: the power of the stretches of a sound in which there is any.

Pauses say nothing of a voice, so that a ratio to the mean over all of a sound would depend on how long it is
silent. ITU-T P.56 measures while the sound is within 15.9 dB of the level so found; so does this, by frames
of 20 ms, without the 0.2 s for which P.56 holds on after the voice has stopped, and so a little higher.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from bench.predict.clip import Sound

__all__ = ["active_power", "total"]

_FRAME = 0.02  # seconds
_MARGIN = 10 ** (-15.9 / 10)
_RUN = 4096
_ROUNDS = 16  # frames are only ever left out, and after a few rounds no more are


def active_power(sound: Sound) -> torch.Tensor:
    """The mean square of the active frames of a sound, float64 [], on its device; 0 for silence.

    Active are the frames of at least the mean power of all active ones less 15.9 dB. What is left at the end
    and fills no frame is not looked at, unless there is nothing else.
    """
    samples = sound.samples
    size = min(len(samples), round(_FRAME * sound.rate)) or 1
    squares = samples[: len(samples) // size * size].double().square()
    frames = squares.view(-1, size).sum(1) / size
    power = total(frames) / max(1, len(frames))
    for _ in range(_ROUNDS):
        active = frames >= power * _MARGIN
        power = total(frames * active) / active.sum().clamp(min=1)
    return power


def total(values: torch.Tensor) -> torch.Tensor:
    """The sum of values float64 [n], in an order that no number of threads changes: float64 [].

    Threads share the rows of a sum, but never the values of one.
    """
    return pad(values, (0, -len(values) % _RUN)).view(-1, _RUN).sum(1).sum()
