"""The room that a voice is heard in: noise beside it, and its own sound from the walls.

Both are stationary and the same wherever in the sound one is; neither knows anything of the sound but how
loud its voice is, so that nothing of what is said, or how, is in them. Sums beyond full scale are clipped, as
a recorder would. Silence has no level that a noise could be held against, and stays silent.
"""

from __future__ import annotations

import math

import torch

from bench.predict.perturb.fourier import fast_length, spectrum_of, with_spectrum
from bench.predict.perturb.level import active_power, total
from bench.predict.perturb.perturbation import Perturbation, rest_of
from bench.predict.perturb.stream import Stream
from bench.predict.sound import Recording

__all__ = ["BACKGROUND_NOISE", "REVERBERATION", "reverberant_power", "room_response", "speech_shaped"]

# Levels of the octaves of 125 Hz to 8 kHz in dB, male speech: IEC 60268-16:2011, table A.4. Above 500 Hz they
# fall by 6 dB an octave, and are taken to go on so.
_OCTAVES = (2.9, 2.9, -0.8, -6.8, -12.8, -18.8, -24.8, -30.8, -36.8)
_LOWEST, _PARTS = 125.0, 8

# A talker a metre from the microphone, in a room of 100 m3.
_DISTANCE, _VOLUME = 1.0, 100.0
_DECAY = 3 * math.log(10)  # of the amplitude by 60 dB


def add_noise(recording: Recording, level: float, stream: Stream) -> Recording:
    """Add speech-shaped noise that is ``level`` dB above the active power of the sound; minus the SNR.

    Shaped as speech it covers all bands of a voice alike, in whatever band a model listens: white noise of
    one SNR would be weak below 1 kHz and all there is above, and the harm depend on the rate of the model.
    The ratio holds for the noise that was drawn, not on average.
    """
    sound = recording.sound
    noise = speech_shaped(len(sound.samples), sound.rate, stream, sound.samples.device)
    power = total(noise.double().square()) / max(1, len(noise))
    gain = (active_power(sound) / power.clamp(min=1e-30)).sqrt() * 10 ** (level / 20)
    return recording.with_samples(sound.samples + noise * gain.to(torch.float32))


def reverberate(recording: Recording, seconds: float, stream: Stream) -> Recording:
    """Put the talker into a room whose sound takes ``seconds`` to decay by 60 dB.

    The sound is convolved with ``room_response`` and divided by the root of its power, so that it is as loud
    as before, for a recorder would be set so. What still sounds when the sound ends is cut off.
    """
    samples, rate = recording.sound.samples, recording.sound.rate
    if not len(samples):
        return recording
    room = room_response(seconds, rate, stream, samples.device)
    size = fast_length(len(samples) + len(room) - 1)
    heard = with_spectrum(spectrum_of(samples, size) * spectrum_of(room, size), size)
    return recording.with_samples(heard[: len(samples)] / math.sqrt(1 + reverberant_power(seconds)))


def speech_shaped(count: int, rate: int, stream: Stream, device: torch.device) -> torch.Tensor:
    """Noise with the long-term spectrum of speech, float32 [count].

    Its power per hertz runs on straight lines, in dB over octaves, through that of the octaves of IEC
    60268-16, and is even below 125 Hz.
    """
    if not count:
        return torch.empty(0, device=device)
    size = fast_length(count)
    hertz = torch.arange(size // 2 + 1, dtype=torch.float64, device=device) * (rate / size)
    part, octave = torch.frexp((hertz / _LOWEST).clamp(1, 2.0 ** (len(_OCTAVES) - 1)))
    place = (octave - 1 + 2 * part - 1) * _PARTS
    below = place.floor()
    gains = torch.tensor(_gains(), dtype=torch.float64, device=device)
    low, high = (gains.index_select(0, below.to(torch.int64) + more) for more in (0, 1))
    gain = low + (high - low) * (place - below)
    white = spectrum_of(stream.normal(size, device), size)
    return with_spectrum(white * gain.to(torch.float32), size)[:count]


def _gains() -> list[float]:
    """The amplitude of speech at ``_PARTS`` evenly spaced frequencies an octave, from the lowest.

    Between them it is taken to be straight, since no power or logarithm of many numbers gives the same bytes
    with each number of threads.
    """
    found = []
    for place in range((len(_OCTAVES) - 1) * _PARTS):
        number, part = divmod(place, _PARTS)
        at = math.log2(1 + part / _PARTS)
        level = _OCTAVES[number] + (_OCTAVES[number + 1] - _OCTAVES[number]) * at
        found.append(10 ** ((level - 10 * math.log10(2) * (number + at)) / 20))
    last = 10 ** ((_OCTAVES[-1] - 10 * math.log10(2) * (len(_OCTAVES) - 1)) / 20)
    return [*found, last, last]


def reverberant_power(seconds: float) -> float:
    """The power from the walls over that straight from the talker, in the diffuse field of Sabine's theory.

    It is the square of the distance over that at which both are alike, 0.057 sqrt(V / RT60) metres.

    >>> round(10 * math.log10(reverberant_power(0.5)), 1)
    1.9
    """
    return (_DISTANCE / 0.057) ** 2 * seconds / _VOLUME


def room_response(seconds: float, rate: int, stream: Stream, device: torch.device) -> torch.Tensor:
    """The impulse response of a room, float32 [1 + seconds x rate]: 1, then normal noise that decays.

    Polack's model (1988): all frequencies decay alike, and there is no single early reflection. The noise has
    ``reverberant_power`` exactly, and ends where it has decayed by 60 dB.
    """
    count = max(1, round(seconds * rate))
    run = math.isqrt(count) + 1  # the product of two short decays, the same with each number of threads
    places = torch.arange(run, dtype=torch.float64, device=device) * (-_DECAY / count)
    decay = ((places * run).exp()[:, None] * places.exp()).flatten()[:count]
    tail = stream.normal(count, device) * decay
    tail *= (reverberant_power(seconds) / total(tail.square())).sqrt()
    return torch.cat([torch.ones(1, dtype=torch.float64, device=device), tail]).to(torch.float32)


BACKGROUND_NOISE = Perturbation(
    name="background_noise",
    version=1,
    levels=(-20.0, -15.0, -10.0, -5.0, 0.0),
    unit="dB SNR, the noise speech-shaped",
    shown=rest_of(0),
    source="the SNRs of Aurora-2: Hirsch and Pearce 2000, ISCA ASR2000; the noise is not theirs",
    apply=add_noise,
)

REVERBERATION = Perturbation(
    name="reverberation",
    version=1,
    levels=(0.25, 0.5, 0.7, 1.2, 2.0),
    unit="s of RT60, a room of 100 m3 with the talker at 1 m",
    source=(
        "0.25, 0.5 and 0.7 s, the rooms of the REVERB challenge (Kinoshita et al. 2013, IEEE WASPAA); 1.2 s "
        "for a hall and 2 s for a church chosen here, as are the volume and the distance"
    ),
    apply=reverberate,
)
