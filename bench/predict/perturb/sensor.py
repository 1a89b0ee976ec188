"""Sensor: noise, wrong values, too few of them, and white that is not white.

Noise is drawn anew for each pixel, channel and frame, as a sensor does; an error of the white balance or of
the converter is the same for the whole clip.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.lookup import look_up
from bench.predict.perturb.parts import parts
from bench.predict.perturb.perturbation import Perturbation, percent, rest_of
from bench.predict.perturb.srgb import encode_light, linear, to_bytes
from bench.predict.perturb.stream import Stream, inverse_normal
from bench.predict.perturb.tone import map_bytes

__all__ = ["BIT_DEPTH", "IMPULSE_NOISE", "SENSOR_NOISE", "SHOT_NOISE", "WHITE_BALANCE"]

# Equally likely photon counts, by 12 of 16 bits: what is rarer than 1 in 8,192 is left out.
_CHANCES = 1 << 12

_HELD = 8  # parts this much smaller than the largest stay in a processor's cache, with a large table half


def add_noise(clip: Clip, sigma: float, stream: Stream) -> Clip:
    """Add Gaussian noise of standard deviation ``sigma`` of full scale; halves round to even, values clamp.

    A real sensor draws anew in every frame, so only ``sigma`` is coherent over the clip.
    """
    frames, changes = clip.frames, _normal(sigma, clip.frames.device)
    noisy = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, _HELD):
        words = stream.words16_frames(clip.index[part], frames[0].numel(), frames.device)
        drawn = look_up(changes, words).view(frames[part].shape)
        noisy[part] = drawn.add_(frames[part]).clamp_(0, 255)
    return clip.with_frames(noisy)


@cache
def _normal(sigma: float, device: torch.device) -> torch.Tensor:
    """Equally likely changes of bytes by Gaussian noise, int16 [65536].

    Pixels are whole numbers, so that rounding the noise is rounding their sum.
    """
    return (inverse_normal(device) * (255 * sigma)).round_().to(torch.int16)


def add_impulses(clip: Clip, share: float, stream: Stream) -> Clip:
    """Set a ``share`` of all values to black or white, half each; the rest stays as it is.

    Not every value is asked whether it is struck, only how many lie between two that are, which follows the
    geometric law: so few random numbers are needed.
    """
    frames = clip.frames
    count = frames[0].numel()
    noisy = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, held=2):
        places, words = _struck(stream, clip.index[part], count, share, frames.device)
        # Those behind the last value strike one more than there are.
        room = torch.empty((len(places), count + 1), dtype=torch.uint8, device=frames.device)
        room[:, :count] = frames[part].flatten(1)
        room.scatter_(1, places.clamp_(max=count), (words & 1).to(torch.uint8).neg_())
        noisy[part] = room[:, :count].view(frames[part].shape)
    return clip.with_frames(noisy)


def _struck(
    stream: Stream, index: np.ndarray, count: int, share: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """The places that are struck in each frame, ascending, int64 [T, n], and their words; some lie beyond.

    More than eight standard deviations above the mean are not struck: once in 10^15 frames.
    """
    drawn = math.ceil(count * share + 8 * math.sqrt(count * share * (1 - share))) + 16
    words = stream.words16_frames(index, drawn, device)
    return look_up(_gaps(share, device), words).cumsum(1, dtype=torch.int64).sub_(1), words


@cache
def _gaps(share: float, device: torch.device) -> torch.Tensor:
    """How far the next value that is struck lies, by 15 of 16 bits, equally likely, int16 [65536]."""
    places = torch.arange(1 << 16, dtype=torch.float64, device=device) // 2
    gaps = ((places + 0.5) / (1 << 15)).log_().div_(math.log1p(-share)).ceil_()
    return gaps.clamp_(min=1).to(torch.int16)


def count_photons(clip: Clip, noise: float, stream: Stream) -> Clip:
    """Count so few photons that white has the relative ``noise``, 1 / sqrt(photons); values clamp.

    Photons fall in proportion to linear light and are counted by the exact Poisson law: at three of them its
    Gaussian limit is another picture. Noise is drawn anew for each pixel, channel and frame.
    """
    frames = clip.frames
    count = frames[0].numel()
    table = _counted(noise, frames.device)
    noisy = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, 2 * _HELD):
        chances = stream.bits16_frames(clip.index[part], count, frames.device).view(frames[part].shape)
        chances.bitwise_right_shift_(4).add_(frames[part], alpha=_CHANCES)
        noisy[part] = table.index_select(0, chances.flatten()).view(frames[part].shape)
    return clip.with_frames(noisy)


@cache
def _counted(noise: float, device: torch.device) -> torch.Tensor:
    """Give the bytes seen of each byte, one for each chance, uint8 [256 * _CHANCES]."""
    photons = noise**-2
    expected = (linear(device) * photons)[:, None]
    # Up to ten standard deviations and ten photons above white's: no chance lies beyond.
    counts = torch.arange(math.ceil(photons + 10 / noise + 10), dtype=torch.float64, device=device)
    below = torch.special.gammaincc(counts + 1, expected)
    chances = (torch.arange(_CHANCES, dtype=torch.float64, device=device) + 0.5) / _CHANCES
    counted = torch.searchsorted(below, chances.expand(256, _CHANCES).contiguous())
    return to_bytes(encode_light((counted / photons).clamp_(max=1))).flatten()


def drop_bits(clip: Clip, bits: float, _stream: Stream) -> Clip:
    """Leave 8 - ``bits`` bits of each encoded value: evenly spaced levels, black and white among them."""
    return map_bytes(clip, _levels(int(bits), clip.frames.device))


@cache
def _levels(bits: int, device: torch.device) -> torch.Tensor:
    highest = 2 ** (8 - bits) - 1
    values = torch.arange(256, dtype=torch.float64, device=device)
    rounded: torch.Tensor = ((values * highest / 255).round() * 255 / highest).round()
    return rounded.to(torch.uint8)[None]


def _photons(noise: float) -> str:
    """The mean of a Poisson count whose standard deviation is that share of it."""
    return f"{noise**-2:.2g}"


def shift_white(clip: Clip, degrees: float, stream: Stream) -> Clip:
    """Multiply the channels by gains, in linear light, that turn grey by ``degrees`` towards one hue.

    The angle is that between the RGB of a white surface and grey; the hue is drawn for the clip, from all of
    them. White keeps its luminance (BT.709), so that the exposure is not touched; values clamp.
    """
    frames = clip.frames
    turn, hue = math.tan(math.radians(degrees)), 2 * math.pi * stream.uniform("hue")
    gains = [1 + turn * math.sqrt(2) * math.cos(hue - 2 * math.pi * channel / 3) for channel in range(3)]
    luminance = sum(share * gain for share, gain in zip((0.2126, 0.7152, 0.0722), gains, strict=True))
    light = linear(frames.device)
    shifted = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for channel, gain in enumerate(gains):
        table = to_bytes(encode_light((light * (gain / luminance)).clamp_(max=1)))
        plane = clip.with_frames(frames[:, channel : channel + 1])
        shifted[:, channel : channel + 1] = map_bytes(plane, table[None]).frames
    return clip.with_frames(shifted)


BIT_DEPTH = Perturbation(
    name="bit_depth",
    version=1,
    levels=(3.0, 4.0, 5.0, 6.0, 7.0),
    unit="bit a channel",
    shown=rest_of(8),
    source="a range chosen here: from the 5 bits a channel of 15-bit high colour to a single one",
    apply=drop_bits,
    destroys_label_from=5,
    random=False,
)

IMPULSE_NOISE = Perturbation(
    name="impulse_noise",
    version=2,
    levels=(0.03, 0.06, 0.09, 0.17, 0.27),
    unit="% of values black or white",
    shown=percent,
    source="impulse_noise of ImageNet-C: Hendrycks and Dietterich 2019, arXiv:1903.12261",
    apply=add_impulses,
)

SENSOR_NOISE = Perturbation(
    name="sensor_noise",
    version=1,
    levels=(0.08, 0.12, 0.18, 0.26, 0.38),
    unit="% of full scale, the standard deviation",
    shown=percent,
    source="gaussian_noise of ImageNet-C: Hendrycks and Dietterich 2019, arXiv:1903.12261",
    apply=add_noise,
)

SHOT_NOISE = Perturbation(
    name="shot_noise",
    version=1,
    levels=(0.1291, 0.2, 0.2887, 0.4472, 0.5774),
    unit="photons at white",
    shown=_photons,
    source=(
        "shot_noise of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261): 60, 25, 12, 5 and 3 "
        "photons at white. There they follow encoded values, here linear light"
    ),
    apply=count_photons,
    destroys_label_from=5,
)

WHITE_BALANCE = Perturbation(
    name="white_balance",
    version=1,
    levels=(3.0, 6.0, 10.0, 15.0, 21.0),
    unit="degrees of reproduction angular error",
    source=(
        "the unit of Finlayson and Zakizadeh 2014 (Reproduction angular error, BMVC). A range chosen here, "
        "from a slight cast to a wrong setting"
    ),
    apply=shift_white,
)
