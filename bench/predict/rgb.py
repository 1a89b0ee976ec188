"""Frames of FFmpeg as RGB pixels, the same bytes on every processor: exact rounding, interpolated chroma."""

from __future__ import annotations

import numpy as np
import torch
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from bench.predict.orientation import Orientation

__all__ = ["at_once", "to_rgb"]

_CONVERSION = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
_BYTES = 1 << 26  # of pixels at once, where that is more than one frame
_PLANES = (1, 2, 0)  # planar RGB is stored green, blue, red


def at_once(most: int, frame: VideoFrame) -> int:
    """How many frames of one size may be held as pixels at once: ``most``, or as many as take 64 MiB, or one.

    >>> [at_once(32, VideoFrame(*size)) for size in ((640, 360), (3840, 2160), (7680, 4320))]
    [32, 2, 1]
    """
    return max(1, min(most, _BYTES // (3 * frame.width * frame.height)))


def to_rgb(frames: list[VideoFrame], orientation: Orientation, converter: VideoReformatter) -> torch.Tensor:
    """Convert frames to uint8 [T, 3, H, W] RGB on the host, turned upright."""
    width, height = orientation.size(frames[0].width, frames[0].height)
    pixels = torch.empty((len(frames), 3, height, width), dtype=torch.uint8)
    room = pixels.numpy()
    for number, frame in enumerate(frames):
        planar = converter.reformat(frame, format="gbrp", interpolation=_CONVERSION, threads=1)
        for channel, plane in zip(_PLANES, planar.planes, strict=True):
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
            room[number, channel] = orientation.turn(rows[:, : plane.width])
    return pixels
