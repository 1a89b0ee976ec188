"""The line from the microphone to the model: an input that is too loud, a telephone, lost packets.

None of them is levelled afterwards, and nothing conceals what is lost: codecs do, each in its own way.
"""

from __future__ import annotations

import math

import torch

from bench.predict.perturb.fourier import fast_length, spectrum_of, with_spectrum
from bench.predict.perturb.perturbation import Perturbation, percent, rest_of
from bench.predict.perturb.stream import Stream
from bench.predict.sound import Recording

__all__ = ["SOUND_CLIPPING", "SOUND_DROPOUT", "TELEPHONE", "compand"]

_PACKETS = 50  # a second: 20 ms each, as RFC 3551 has it for voice

_LINE_RATE = 8000
_STOPS, _PASSES = (200.0, 4000.0), (300.0, 3400.0)  # Hz
_SETTLES = 0.1  # seconds of silence in which the filters ring out, so that nothing comes round to the begin

# ITU-T G.711: the overload of the 14 bits, and what is added to a value so that segments double.
_OVERLOAD, _BIAS = 8159.0, 33.0
_STEPS = 32.0  # in twice a segment: its 16 steps are the upper half


def clip_peaks(recording: Recording, depth: float, _stream: Stream) -> Recording:
    """Clip a sound ``depth`` dB below its own peak, and leave it as quiet as it then is.

    Held against the peak and not against full scale, so that a sound that was recorded too quiet is harmed
    as any other.
    """
    samples = recording.sound.samples
    if not len(samples):
        return recording
    limit = samples.abs().amax() * 10 ** (-depth / 20)
    return recording.with_samples(samples.clamp(-limit, limit))


def telephone(recording: Recording, bits: float, _stream: Stream) -> Recording:
    """Send a sound over a telephone line: 300 to 3,400 Hz, 8,000 samples/s, mu-law of 8 less ``bits`` bits.

    Band and rate are changed on the spectrum of the whole sound, and the band is cut once before the line and
    once behind it. Its edges fall smoothly, from 300 to 200 Hz and from 3,400 to 4,000 Hz, within the limits
    of ITU-T G.712. Full scale is the overload of the code.
    """
    samples, rate = recording.sound.samples, recording.sound.rate
    if not len(samples):
        return recording
    common = math.gcd(rate, _LINE_RATE)
    needed = len(samples) + math.ceil(_SETTLES * rate)
    pieces = fast_length(-(-needed * common // rate))
    here, there = pieces * (rate // common), pieces * (_LINE_RATE // common)
    sent = _in_band(samples, here, there, common / pieces)
    heard = _in_band(compand(sent, int(bits)), there, here, common / pieces)
    return recording.with_samples(heard[: len(samples)])


def _in_band(samples: torch.Tensor, before: int, after: int, hertz: float) -> torch.Tensor:
    """The telephone band of samples, filled up to ``before`` of them, at another rate: [after].

    ``hertz``: what lies between two places of the spectrum.
    """
    spectrum = spectrum_of(samples, before)[: after // 2 + 1]
    places = torch.arange(len(spectrum), dtype=torch.float64, device=samples.device) * hertz
    low = (places - _STOPS[0]) / (_PASSES[0] - _STOPS[0])
    high = (places - _STOPS[1]) / (_PASSES[1] - _STOPS[1])
    edge = torch.minimum(low, high).clamp(0, 1)
    gain = edge * edge * (3 - 2 * edge)
    return with_spectrum(spectrum * gain.to(samples.dtype) * (after / before), after)


def compand(samples: torch.Tensor, dropped: int) -> torch.Tensor:
    """What a mu-law code of 8 bits (ITU-T G.711) makes of samples when its ``dropped`` lowest are lost.

    0 to 4 bits of the step within a segment; the sign and the segment stay. The middle of what is left is
    decoded, and zero where that holds zero.
    """
    step = 2**dropped
    biased = (samples.abs() * _OVERLOAD).clamp(max=_OVERLOAD - 1) + _BIAS
    mantissa, exponent = torch.frexp(biased)
    code = (mantissa * (_STEPS / step)).floor() * step + step / 2
    powers = torch.tensor([2.0**number for number in range(14)], dtype=samples.dtype, device=samples.device)
    value = code / _STEPS * powers[exponent] - _BIAS
    return samples.sign() * torch.where(biased < _STEPS + 2 * step, 0.0, value) / _OVERLOAD


def lose_sound(recording: Recording, share: float, stream: Stream) -> Recording:
    """Lose a ``share`` of packets of 20 ms, each by chance; silence stands for them.

    Where fewer are lost, it is some of the same ones.
    """
    samples = recording.sound.samples
    size = max(1, round(recording.sound.rate / _PACKETS))
    numbers = stream.bits16(0, max(1, -(-len(samples) // size)), samples.device)
    lost = (numbers < share * (1 << 16)).repeat_interleave(size)[: len(samples)]
    return recording.with_samples(samples.masked_fill(lost, 0))


SOUND_CLIPPING = Perturbation(
    name="sound_clipping",
    version=1,
    levels=(6.0, 12.0, 18.0, 24.0, 30.0),
    unit="dB below the peak of the sound",
    source=(
        "halvings of the amplitude, a range chosen here: from a half to 1/32, where a voice is little but "
        "its changes of sign, of which words are still understood (Licklider and Pollack 1948, JASA 20)"
    ),
    apply=clip_peaks,
    random=False,
)

TELEPHONE = Perturbation(
    name="telephone",
    version=1,
    levels=(0.0, 1.0, 2.0, 3.0, 4.0),
    unit="bit of mu-law at 8 kHz, in 300 to 3,400 Hz",
    shown=rest_of(8),
    source=(
        "ITU-T G.711 and G.712 at severity 1, a bit of it robbed for signalling at severity 2 (56 kbit/s); "
        "then chosen here, to the sign and the segment alone, which are 4 bits (32 kbit/s)"
    ),
    apply=telephone,
    random=False,
)

SOUND_DROPOUT = Perturbation(
    name="sound_dropout",
    version=1,
    levels=(0.03, 0.1, 0.2, 0.4, 0.7),
    unit="% of packets of 20 ms lost",
    shown=percent,
    source=(
        "3 %, what ITU-T G.1010 allows conversational voice to lose; above it a range chosen here, each two "
        "to three times the last"
    ),
    apply=lose_sound,
)
