"""Light: how much of it there is, how it is spread over the range, and how it swings in time.

Exposure, glare and lamps act on linear light, contrast and gamma on encoded values, as displays and software
do. Whatever a curve needs is fixed, not taken from the pixels: the mean of a frame or of a window would let
the scene, or how a clip was cut, decide the harm. Nothing restores what was clipped. Each is the same for the
three channels; light from one side needs a surface and is not here.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import torch

from bench.predict.clip import Clip
from bench.predict.perturb.lookup import look_up
from bench.predict.perturb.parts import parts
from bench.predict.perturb.perturbation import Perturbation, percent
from bench.predict.perturb.srgb import WHITE, encode_counts, encode_light, linear, to_bytes
from bench.predict.perturb.stream import Stream
from bench.predict.perturb.tone import map_bytes

__all__ = [
    "BACKLIGHT",
    "CONTRAST",
    "EXPOSURE",
    "EXPOSURE_RAMP",
    "FLICKER",
    "FULL_WELL",
    "GAMMA",
    "LOW_LIGHT",
    "MID_GREY",
    "RAMP_PERIOD",
]

# Electrons at white: the order of the small pixels of phones and webcams, not one sensor's datum.
FULL_WELL = 5000.0

# The reflectance of a photographer's grey card, to which light meters expose.
MID_GREY = 0.18

# Seconds of one swing of the exposure: a camera that overshoots, corrects and overshoots again.
RAMP_PERIOD = 4.0

# Lamps on alternating current are brightest twice a period; EN 50160 lets 50 Hz mains wander by 1 %.
_LAMPS = (100.0, 120.0)
_WANDER = 0.01

_HELD = 8  # parts this much smaller than the largest stay in a processor's cache


def darken(clip: Clip, stops: float, stream: Stream) -> Clip:
    """Take ``stops`` of exposure from a clip; halves round to even, values clamp.

    A fixed gain: nothing brightens the image afterwards, and the noise that the medium already holds is
    scaled with the light. Of n electrons the sensor counts n + sqrt(n) z, the Gaussian limit of the Poisson
    law; z is drawn anew for each pixel, channel and frame.
    """
    frames = clip.frames
    count = frames[0].numel()
    light = linear(frames.device) * 2.0**-stops
    signal = (light * WHITE).to(torch.float32)
    spread = ((light / FULL_WELL).sqrt() * WHITE).to(torch.float32)
    dark = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, _HELD):
        seen = stream.normal_frames(clip.index[part], count, frames.device).view(frames[part].shape)
        seen.mul_(look_up(spread, frames[part])).add_(look_up(signal, frames[part]))
        dark[part] = encode_counts(seen)
    return clip.with_frames(dark)


def overexpose(clip: Clip, stops: float, _stream: Stream) -> Clip:
    """Give ``stops`` of exposure to a clip: linear light times 2 to the stops, clipped at white."""
    return map_bytes(clip, _scaled((2.0**stops,), clip.frames.device))


def apply_gamma(clip: Clip, exponent: float, _stream: Stream) -> Clip:
    """Raise encoded values in [0, 1] to ``exponent``: middle tones darken, black and white stay."""
    return map_bytes(clip, _powers(exponent, clip.frames.device))


def reduce_contrast(clip: Clip, loss: float, _stream: Stream) -> Clip:
    """Draw encoded values towards mid grey by the share ``loss`` of their distance from it.

    ImageNet-C draws each image to its own mean. Here the pivot is fixed, so that neither the scene nor the
    window moves it: the encoded value of ``MID_GREY``, 0.461, which is where a metered image has its mean
    (ImageNet's is 0.449).
    """
    return map_bytes(clip, _nearer_grey(loss, clip.frames.device))


def add_veil(clip: Clip, share: float, _stream: Stream) -> Clip:
    """Lay scattered light over the frame: ``share`` of white from the veil, the rest from the scene.

    A light behind the subject scatters in the lens and the camera exposes for both, so that white stays white
    and black rises to ``share`` in linear light. The veil is even: its shape depends on where the light is,
    which a crop of a face does not tell.
    """
    return map_bytes(clip, _veiled(share, clip.frames.device))


def flicker(clip: Clip, depth: float, stream: Stream) -> Clip:
    """Light the scene by a lamp on the mains whose light swings by ``depth`` about its mean.

    Each frame sees 1 + depth cos(2 pi (f t + phase)) of its light, at its own time t: a short exposure
    samples the lamp, and 100 or 120 Hz beat against the frame rate. Per clip are drawn the mains (50 or
    60 Hz), its wander within 1 % and the phase, so that frame rates that divide f flicker slowly. A rolling
    shutter, which would lay bands over the frame, is not modelled.
    """
    lamp = _LAMPS[int(2 * stream.uniform("mains"))] * (1 + _WANDER * (2 * stream.uniform("wander") - 1))
    phase = stream.uniform("phase")
    turns = [lamp * time + phase for time in clip.times.tolist()]
    return scale_light(clip, [1 + depth * math.cos(2 * math.pi * turn) for turn in turns])


def swing_exposure(clip: Clip, stops: float, stream: Stream) -> Clip:
    """Swing the exposure by up to ``stops`` either way, a sine of ``RAMP_PERIOD``.

    Its phase is drawn per clip: a short clip is a ramp up or down, a still image one moment of the swing.
    """
    phase = stream.uniform("phase")
    turns = [time / RAMP_PERIOD + phase for time in clip.times.tolist()]
    return scale_light(clip, [2.0 ** (stops * math.sin(2 * math.pi * turn)) for turn in turns])


def scale_light(clip: Clip, gains: list[float]) -> Clip:
    """Scale the linear light of the clip by one gain, or of each frame by its own; clipped at white."""
    return map_bytes(clip, _scaled(tuple(gains), clip.frames.device))


# Tables, uint8 [1, 256]: kept, since for stills making one takes as long as looking all bytes up.


@lru_cache(16)
def _scaled(gains: tuple[float, ...], device: torch.device) -> torch.Tensor:
    """One for each of the gains, uint8 [T, 256]."""
    scale = torch.tensor(gains, dtype=torch.float64, device=device)[:, None]
    return to_bytes(encode_light((scale * linear(device)).clamp(max=1)))


@cache
def _powers(exponent: float, device: torch.device) -> torch.Tensor:
    return to_bytes(_codes(device) ** exponent)[None]


@cache
def _nearer_grey(loss: float, device: torch.device) -> torch.Tensor:
    pivot = encode_light(torch.full((), MID_GREY, dtype=torch.float64, device=device))
    return to_bytes(pivot + (_codes(device) - pivot) * (1 - loss))[None]


@cache
def _veiled(share: float, device: torch.device) -> torch.Tensor:
    return to_bytes(encode_light(linear(device) * (1 - share) + share))[None]


def _codes(device: torch.device) -> torch.Tensor:
    """Give the encoded value in [0, 1] of each byte, float64 [256]."""
    return torch.arange(256, dtype=torch.float64, device=device) / 255


LOW_LIGHT = Perturbation(
    name="low_light",
    version=1,
    levels=(1.0, 2.0, 3.0, 4.0, 5.0),
    unit="stops of exposure lost",
    source=(
        "photographic stops, each half the light; five take an office's 500 lx (EN 12464-1) to about 16 lx, "
        "a lit street. A range chosen here; the exposure ratios of 100 to 300 in Chen et al. 2018 "
        "(arXiv:1805.01934) are 6.6 to 8.2 stops, with gain"
    ),
    apply=darken,
)

EXPOSURE = Perturbation(
    name="exposure",
    version=1,
    levels=(0.5, 1.0, 1.5, 2.0, 2.5),
    unit="stops of exposure gained",
    source=(
        "half stops up to where a grey card of 18 % clips: log2(1 / 0.18) = 2.47. A range chosen here; skin "
        "reflects more or less than the card, so light skin clips first"
    ),
    apply=overexpose,
    destroys_label_from=5,
    random=False,
)

GAMMA = Perturbation(
    name="gamma",
    version=1,
    levels=(1.2, 1.4, 1.7, 2.0, 2.4),
    unit="as the exponent of encoded values",
    source=(
        "a range chosen here, from 1.2, displays of 1.8 and 2.2 taken for each other (1.22), to 2.4, the "
        "whole power of a reference display (ITU-R BT.1886) applied once more"
    ),
    apply=apply_gamma,
    random=False,
)

CONTRAST = Perturbation(
    name="contrast",
    version=1,
    levels=(0.6, 0.7, 0.8, 0.9, 0.95),
    unit="% of contrast lost",
    shown=percent,
    source=(
        "contrast of ImageNet-C, factors 0.4 to 0.05: Hendrycks and Dietterich 2019, arXiv:1903.12261; "
        "its pivot is the mean of each image, here it is mid grey"
    ),
    apply=reduce_contrast,
    destroys_label_from=5,
    random=False,
)

BACKLIGHT = Perturbation(
    name="backlight",
    version=1,
    levels=(0.05, 0.1, 0.2, 0.35, 0.55),
    unit="% of white as veiling glare, in linear light",
    shown=percent,
    source=(
        "a range chosen here, of the quantity that ISO 9358 measures as the veiling glare index: from a good "
        "lens to a lamp or window in the frame on a smeared one"
    ),
    apply=add_veil,
    random=False,
)

FLICKER = Perturbation(
    name="flicker",
    version=1,
    levels=(0.08, 0.2, 0.4, 0.6, 0.8),
    unit="% modulation depth of the light, (max - min) / (max + min)",
    shown=percent,
    source=(
        "from 8 %, the limit of low risk at 100 Hz in IEEE 1789-2015 (0.08 % a hertz above 90 Hz); above it "
        "a range chosen here: lamps without smoothing reach 100 %"
    ),
    apply=flicker,
)

EXPOSURE_RAMP = Perturbation(
    name="exposure_ramp",
    version=1,
    levels=(0.25, 0.5, 1.0, 1.5, 2.0),
    unit="stops of exposure either way",
    source="a range chosen here, up to the two stops either way of a camera's exposure compensation",
    apply=swing_exposure,
)
