"""Sound and pictures that do not go together: one late, one missing, or the voice of somebody else.

The label is the clip's and stays. A modality that is missing is not taken away but empty: silence, and black
frames. A model that listens is never without a sound, nor one that looks without a frame.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import pad

from bench.predict.clip import Clip
from bench.predict.perturb.level import active_power
from bench.predict.perturb.perturbation import Perturbation, percent
from bench.predict.perturb.stream import Stream
from bench.predict.sound import Recording

__all__ = ["DESYNCHRONISATION", "MISMATCHED_VOICE", "MISSING_PICTURE", "MISSING_SOUND"]

_EVERY = 4.0  # seconds

_SHARES = (0.125, 0.25, 0.5, 0.75, 1.0)
_SHARES_FROM = "a range chosen here: 0.5, 1, 2 and 3 of every four seconds, then all of them"


def delay_sound(recording: Recording, lag: float, _stream: Stream) -> Recording:
    """Let the sound come ``lag`` milliseconds later than the pictures, after silence; its end is cut off."""
    samples = recording.sound.samples
    late = min(len(samples), round(lag / 1000 * recording.sound.rate))
    return recording.with_samples(pad(samples[: len(samples) - late], (late, 0)))


def silence(recording: Recording, share: float, stream: Stream) -> Recording:
    """Silence a ``share`` of every four seconds of the sound, in one piece whose begin is drawn."""
    samples = recording.sound.samples.clone()
    phase, span = stream.uniform("phase"), _EVERY * recording.sound.rate
    for number in range(math.floor(len(samples) / span + phase) + 1):
        begin = _begin(number, share, stream)
        first, last = ((number + at) - phase for at in (begin, begin + share))
        samples[max(0, round(first * span)) : max(0, round(last * span))] = 0
    return recording.with_samples(samples)


def blacken(clip: Clip, share: float, stream: Stream) -> Clip:
    """Show black frames for a ``share`` of every four seconds, in one piece whose begin is drawn.

    The time of a frame says whether it is in. A still image is black or not, by chance.
    """
    spans = clip.times / _EVERY + stream.uniform("phase")
    black = clip.frames.clone(memory_format=torch.contiguous_format)
    for row, number in enumerate(np.floor(spans).astype(int).tolist()):
        begin = _begin(number, share, stream)
        if begin <= spans[row] - number < begin + share:
            black[row] = 0
    return clip.with_frames(black)


def _begin(number: int, share: float, stream: Stream) -> float:
    """Where in a span of four seconds the piece begins, as a share of it; larger pieces hold smaller ones.

    Spans are counted from a phase that is drawn, so that the first second is as often missing as any other.
    """
    return (1 - share) * stream.uniform(f"piece {number}")


def mix_voices(recording: Recording, share: float, stream: Stream) -> Recording:
    """Let another's voice have a ``share`` of the power, the own one the rest.

    The other's sound is first brought to the active power of the own one; it begins with it, and is silent
    where it is over earlier. A voice beside silence has no level, and is silent too.
    """
    own, other = recording.sound, recording.other(stream.uniform("voice"))
    gain = (share * active_power(own) / active_power(other).clamp(min=1e-30)).sqrt()
    count = len(own.samples)
    heard = pad(other.samples[:count], (0, count - min(count, len(other.samples))))
    return recording.with_samples(own.samples * math.sqrt(1 - share) + heard * gain.to(torch.float32))


DESYNCHRONISATION = Perturbation(
    name="desynchronisation",
    version=1,
    levels=(125.0, 185.0, 350.0, 700.0, 1400.0),
    unit="ms by which the sound is late",
    source=(
        "125 and 185 ms, from which people notice late sound and no longer accept it (ITU-R BT.1359-1); then "
        "350 ms and its doublings, chosen here"
    ),
    apply=delay_sound,
    random=False,
)

MISSING_SOUND = Perturbation(
    name="missing_sound",
    version=1,
    levels=_SHARES,
    unit="% of every four seconds, silent",
    shown=percent,
    source=_SHARES_FROM,
    apply=silence,
    destroys_label_from=5,
)

MISSING_PICTURE = Perturbation(
    name="missing_picture",
    version=1,
    levels=_SHARES,
    unit="% of every four seconds, black",
    shown=percent,
    source=_SHARES_FROM,
    apply=blacken,
    destroys_label_from=5,
)

MISMATCHED_VOICE = Perturbation(
    name="mismatched_voice",
    version=1,
    levels=(0.1, 0.25, 0.5, 0.75, 1.0),
    unit="% of the power from the voice of another target",
    shown=percent,
    source=(
        "a range chosen here: -9.5, -4.8, 0 and 4.8 dB of the other over the own, then the other alone; "
        "two talkers are mixed at 0 to 5 dB in Hershey et al. 2016 (arXiv:1508.04306)"
    ),
    apply=mix_voices,
    destroys_label_from=4,
)
