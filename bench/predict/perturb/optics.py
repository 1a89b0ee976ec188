"""Optics: what the lens, its focus and the motion during an exposure do to a picture.

Lengths are shares of the frame, so that one severity is one lens at any resolution, and light is added up as
light: pixels are made linear first, and a bright spot spreads as it does in a camera. ``low_resolution``
alone works on encoded values, as the scalers of programs do. Beyond its edges the frame is mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import grid_sample

from bench.predict.clip import Clip
from bench.predict.perturb.convolve import LARGEST_SUM, convolve_light
from bench.predict.perturb.parts import parts
from bench.predict.perturb.perturbation import Perturbation, percent
from bench.predict.perturb.srgb import count_light, encode_counts
from bench.predict.perturb.stream import Stream

__all__ = ["DEFOCUS", "LOW_RESOLUTION", "MOTION_BLUR", "VIGNETTING", "ZOOM_BLUR", "disk", "line"]

_FINEST = 8  # points along each side of a pixel that say how much of it a disk covers
_UNIT = 128  # weight of one pixel of a line

Taps = Callable[[int, float, torch.device], tuple[torch.Tensor, torch.Tensor]]


def defocus(clip: Clip, share: float, _stream: Stream) -> Clip:
    """Spread each point over a disk, the image of a round aperture.

    ``share`` is the diameter of that circle of confusion over the frame's diagonal, as the photographer's
    limits of sharpness are (1/1500): a lens out of focus fixes it, whatever the resolution.
    """
    diagonal = math.hypot(*clip.frames.shape[-2:])
    return convolve_light(clip, disk(share * diagonal / 2))


def blur_motion(clip: Clip, share: float, stream: Stream) -> Clip:
    """Move the picture along a straight line at constant speed during each exposure.

    The line is ``share`` of the frame's width long, centred, in a direction drawn for the clip.
    """
    kernel = line(share * clip.frames.shape[-1], math.pi * stream.uniform("angle"))
    return convolve_light(clip, kernel)


@lru_cache(64)
def disk(radius: float) -> np.ndarray:
    """Give a disk's kernel, int64 [2r + 1, 2r + 1]: how much of each pixel it covers, up to ``_FINEST``².

    A disk too small to be seen is one pixel. Where the sum would pass 31 bits, fewer points are counted.
    """
    reach = math.ceil(radius - 0.5) if radius > 0.5 else 0
    finest = math.isqrt(int(LARGEST_SUM / (math.pi * (radius + 1) ** 2)))
    points = min(max(finest, 1), _FINEST)
    places = (np.arange((2 * reach + 1) * points) + 0.5) / points - (reach + 0.5)
    inside = (places[:, None] ** 2 + places**2 <= radius**2).astype(np.int64)
    kernel: np.ndarray = inside.reshape(2 * reach + 1, points, 2 * reach + 1, points).sum((1, 3))
    kernel[reach, reach] = max(kernel[reach, reach], 1)
    return kernel


@lru_cache(64)
def line(length: float, angle: float) -> np.ndarray:
    """Give a line's kernel, int64: ``length`` in pixels, ``angle`` in radians from the x axis, y down.

    Along its longer axis a step is one pixel, the last on either side a part of one; across it, each step is
    shared between the two pixels nearest to the line.
    """
    along, across = math.cos(angle), math.sin(angle)
    steep = abs(across) > abs(along)
    if steep:
        along, across = across, along
    half = length * abs(along) / 2
    reach = max(math.ceil(half - 0.5), 0)
    steps = np.arange(-reach, reach + 1)
    weights = np.rint(_UNIT * np.clip(half + 0.5 - np.abs(steps), 0, 1)).astype(np.int64)
    weights[reach] = _UNIT  # a line shorter than a pixel is one pixel
    offsets = steps * (across / along)
    above, below = np.floor(offsets).astype(np.int64), np.ceil(offsets).astype(np.int64)
    lower = np.rint(weights * (offsets - above)).astype(np.int64)
    middle = int(below.max())
    kernel = np.zeros((2 * middle + 1, 2 * reach + 1), np.int64)
    kernel[above + middle, steps + reach] += weights - lower
    kernel[below + middle, steps + reach] += lower
    return np.ascontiguousarray(kernel.T) if steep else kernel


def blur_zoom(clip: Clip, share: float, _stream: Stream) -> Clip:
    """Zoom in about the centre by 1 + ``share``, at a constant rate, during each exposure.

    The mean of 2**n pictures, each larger than the last by the same factor: n means of two, each of the
    picture so far and itself enlarged. They lie so close that the corners move by about a pixel. The larger a
    picture, the more often it is interpolated, up to n times, and that blurs too. Beside pictures that are
    interpolated once each, which would take 3 to 11 times as long, the variance of the Laplacian is 0.66 to
    0.77 of theirs for a sharp photograph of 224 pixels (0.6 grey levels a pixel apart), 0.4 to 0.6 for noise.
    """
    frames = clip.frames
    height, width = frames.shape[-2:]
    doublings = max(1, math.ceil(math.log2(share * math.hypot(height, width) / 2)))
    factor = (1 + share) ** (1 / (2**doublings - 1))
    blurred = torch.empty_like(frames, memory_format=torch.contiguous_format)
    factors = [factor ** (2**number) for number in range(doublings)]
    for part in parts(frames, held=4):
        # All frames share the grid, so that they are channels of one picture to grid_sample.
        light = count_light(frames[part]).view(1, -1, height, width)
        for grid in (_zoomed(height, width, one, frames.device) for one in factors):
            light.add_(grid_sample(light, grid, padding_mode="border", align_corners=False)).mul_(0.5)
        blurred[part] = encode_counts(light).view(frames[part].shape)
    return clip.with_frames(blurred)


def lower_resolution(clip: Clip, factor: float, _stream: Stream) -> Clip:
    """Scale a clip down by ``factor`` along each side, by area, to bytes, and up again bilinearly."""
    if clip.frames.device.type == "cpu":
        return clip.with_frames(_coarse_on_host(clip.frames, factor))
    return clip.with_frames(_coarse_on_device(clip.frames, factor))


def _coarse_on_host(frames: torch.Tensor, factor: float) -> torch.Tensor:
    """OpenCV takes a quarter of the time; means that lie between two bytes may round the other way."""
    import cv2

    height, width = frames.shape[2:]
    size = [max(1, round(length / factor)) for length in (width, height)]
    # OpenCV's means of 2 x 2 bytes round halves up, those of floats and all its others to even.
    kind = np.float32 if [width, height] == [2 * side for side in size] else np.uint8
    coarse = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for plane, found in zip(frames.flatten(0, 1).numpy(), coarse.flatten(0, 1).numpy(), strict=True):
        small = cv2.resize(plane.astype(kind, copy=False), size, interpolation=cv2.INTER_AREA)
        small = np.rint(small, dtype=np.float32)
        grown = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        cv2.convertScaleAbs(grown, found)  # halves round to even
    return coarse


def _coarse_on_device(frames: torch.Tensor, factor: float) -> torch.Tensor:
    coarse = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, held=4):
        pixels = frames[part].to(torch.float32)
        small = _scale_rows(_scale_rows(pixels, _shrunk, factor).mT.contiguous(), _shrunk, factor).round_()
        wide = _scale_rows(small, _grown, frames.shape[3]).mT.contiguous()
        coarse[part] = _scale_rows(wide, _grown, frames.shape[2]).round_()
    return coarse


def vignette(clip: Clip, stops: float, _stream: Stream) -> Clip:
    """Darken towards the corners by the cosine-fourth law, which takes ``stops`` of light at the corner.

    At the angle a from the axis a thin lens without distortion passes cos(a)**4; tan(a) grows with the
    distance from the centre. No exposure makes up for it.
    """
    frames = clip.frames
    height, width = frames.shape[-2:]
    y, x = (_centred(size, frames.device) for size in (height, width))
    distance = (y[:, None] ** 2 + x**2) / (height**2 + width**2)  # 1 at the corner, squared
    passed = ((1 + distance * (2 ** (stops / 2) - 1)) ** -2).to(torch.float32)
    darker = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, held=4):
        darker[part] = encode_counts(count_light(frames[part]).mul_(passed))
    return clip.with_frames(darker)


def _centred(size: int, device: torch.device) -> torch.Tensor:
    """Distances of pixels from the middle of a side, in half pixels, float64 [size]."""
    return torch.arange(1 - size, size, 2, dtype=torch.float64, device=device)


def _zoomed(height: int, width: int, factor: float, device: torch.device) -> torch.Tensor:
    """Where an enlarged picture reads each pixel, in grid_sample's coordinates, float32 [1, H, W, 2]."""
    x, y = ((_centred(size, device) / (size * factor)).to(torch.float32) for size in (width, height))
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], -1)[None]


def _scale_rows(pixels: torch.Tensor, places: Taps, size: float) -> torch.Tensor:
    """Make each row a weighted sum of rows."""
    rows, weights = places(pixels.shape[2], size, pixels.device)
    scaled = pixels.index_select(2, rows[0]).mul_(weights[0][:, None])
    for row, weight in zip(rows[1:], weights[1:], strict=True):
        scaled.add_(pixels.index_select(2, row).mul_(weight[:, None]))
    return scaled


def _shrunk(size: int, factor: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows, int64 [k, n], and shares, float32 [k, n], of which each of n = size / factor rows is the mean."""
    count = max(1, round(size / factor))
    edges = torch.arange(count + 1, dtype=torch.float64, device=device) * (size / count)
    taps = torch.arange(math.ceil(size / count) + 1, device=device)[:, None]
    rows = edges[:-1].floor().to(torch.int64) + taps
    covered = torch.minimum(edges[1:], rows + 1.0) - torch.maximum(edges[:-1], rows.to(torch.float64))
    shares = covered.clamp_(min=0) * (count / size)
    return rows.clamp_(max=size - 1), shares.to(torch.float32)


def _grown(size: int, wanted: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows, int64 [2, n], and weights, float32 [2, n], of n = ``wanted`` rows between rows, bilinearly."""
    count = int(wanted)
    places = (torch.arange(count, dtype=torch.float64, device=device) + 0.5) * (size / count) - 0.5
    places.clamp_(0, size - 1)
    first = places.floor()
    share = places - first
    rows = torch.stack([first, first + 1]).to(torch.int64).clamp_(max=size - 1)
    return rows, torch.stack([1 - share, share]).to(torch.float32)


DEFOCUS = Perturbation(
    name="defocus",
    version=1,
    levels=(0.0189, 0.0253, 0.0379, 0.0505, 0.0631),
    unit="% of the frame's diagonal, across the circle of confusion",
    shown=percent,
    source=(
        "defocus_blur of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261): radii of 3, 4, 6, 8 "
        "and 10 pixels at 224 x 224. There in encoded values, here in linear light"
    ),
    apply=defocus,
    # Seen on a face a third as wide as the frame; on an aligned crop the label survives longer.
    destroys_label_from=3,
    random=False,
)

LOW_RESOLUTION = Perturbation(
    name="low_resolution",
    version=2,
    levels=(2.0, 3.0, 4.0, 6.0, 8.0),
    unit="of the pixels along each side",
    shown="1/{:g}".format,
    source=(
        "a range chosen here: of a face of 224 pixels it leaves 112, 75, 56, 37 and 28, of one of 48 as "
        "little as 6. pixelate of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261) goes from "
        "1.67 to 4, without interpolation"
    ),
    apply=lower_resolution,
    # Of a face of 48 pixels 12 are left.
    destroys_label_from=3,
    random=False,
)

MOTION_BLUR = Perturbation(
    name="motion_blur",
    version=1,
    levels=(0.029, 0.048, 0.076, 0.106, 0.135),
    unit="% of the frame's width moved during the exposure",
    shown=percent,
    source=(
        "motion_blur of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261): the uniform line at "
        "224 pixels with the standard deviation of its half Gaussian, which is cut at 2 x radius: (10, 3), "
        "(15, 5), (15, 8), (15, 12), (20, 15)"
    ),
    apply=blur_motion,
    # Seen on a face a third as wide as the frame; on an aligned crop the label survives longer.
    destroys_label_from=3,
)

VIGNETTING = Perturbation(
    name="vignetting",
    version=1,
    levels=(1.0, 2.0, 3.0, 4.0, 5.0),
    unit="stops of light lost at the corner",
    source=(
        "the cosine-fourth law: lenses that see 66, 90, 107, 120 and 130 degrees from corner to corner and "
        "correct nothing. A range chosen here, from an ordinary wide angle to beyond a phone's widest"
    ),
    apply=vignette,
    random=False,
)

ZOOM_BLUR = Perturbation(
    name="zoom_blur",
    version=1,
    levels=(0.10, 0.15, 0.20, 0.24, 0.30),
    unit="% enlargement during the exposure",
    shown=percent,
    source=(
        "zoom_blur of ImageNet-C (Hendrycks and Dietterich 2019, arXiv:1903.12261): the last of its zooms "
        "as meant, 1.10 to 1.30 (numpy's arange ends the first at 1.11). There a mean of 12 to 17 pictures, "
        "here of as many as leave no steps"
    ),
    apply=blur_zoom,
    destroys_label_from=5,
    random=False,
)
