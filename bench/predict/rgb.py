"""Frames of FFmpeg as RGB pixels, the same bytes on every processor: exact rounding, interpolated chroma."""

from __future__ import annotations

import numpy as np
import torch
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from bench.predict.orientation import Orientation

__all__ = ["to_rgb"]

_CONVERSION = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
_PLANES = (1, 2, 0)  # planar RGB is stored green, blue, red


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
