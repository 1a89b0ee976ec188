"""Rolling shutter: the rows of a frame are exposed one after another while the camera shakes.

A picture that moves across is sheared, one that moves down is stretched or squeezed, and where the motion
turns within a frame it wobbles. Only that is added: the camera's motion from frame to frame, which a global
shutter shows as well, is left out, so that the middle row stays where it is.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import grid_sample

from bench.predict.clip import Clip
from bench.predict.perturb.parts import parts
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.stream import Stream
from bench.predict.perturb.viewpoint import FIELD_OF_VIEW

__all__ = ["ROLLING_SHUTTER", "SPEED"]

# Degrees a second that the camera turns: a brisk shake or pan, chosen here.
SPEED = 120.0

# Turns a second of the shake, from a person's steps to a moving car.
_SLOWEST, _FASTEST = 2.0, 10.0

_HELD = 8  # parts this much smaller than those of plain noise stay in a processor's cache


def roll_shutter(clip: Clip, readout: float, stream: Stream) -> Clip:
    """Expose the rows of each frame one after another, the last ``readout`` ms after the first.

    The camera's axis goes round a circle at the constant ``SPEED``, so that no frame is spared, with a
    frequency, phase and sense drawn for the clip; the frame's time is that of its middle row. Each row is
    moved by what the circle adds since then, by sub-pixels, bilinearly, as a whole: rows do not tilt.
    Beyond the frame's edges their pixels are repeated; halves round to even.
    """
    frames = clip.frames
    height, width = frames.shape[-2:]
    rate = _SLOWEST + (_FASTEST - _SLOWEST) * stream.uniform("rate")
    sense = 1 if stream.uniform("sense") < 0.5 else -1
    focal = math.hypot(height, width) / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))
    radius = focal * math.radians(SPEED) / (2 * math.pi * rate)  # in pixels
    row = torch.arange(height, dtype=torch.float64, device=frames.device).add_(0.5 - height / 2)
    late = row * (2 * math.pi * rate * readout / 1000 / height)  # radians of the circle since the middle row
    column = torch.arange(width, dtype=torch.float64, device=frames.device).add_(0.5 - width / 2)
    start = 2 * math.pi * stream.uniform("phase")
    angles = [start + 2 * math.pi * (rate * time % 1) for time in clip.times.tolist()]
    seen = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, _HELD):
        at = torch.tensor(angles[part], dtype=torch.float64, device=frames.device)[:, None]
        right = (torch.cos(at + late) - torch.cos(at)) * radius  # [T, H]
        down = (torch.sin(at + late) - torch.sin(at)) * (radius * sense)
        x = (column + right[..., None]).mul_(2 / width).to(torch.float32)
        y = ((row + down) * (2 / height)).to(torch.float32)[..., None].expand_as(x)
        grid = torch.stack((x, y), dim=-1)
        pixels = frames[part].to(torch.float32)
        read = grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
        seen[part] = read.round_().to(torch.int32)
    return clip.with_frames(seen)


ROLLING_SHUTTER = Perturbation(
    name="rolling_shutter",
    version=1,
    levels=(10.0, 15.0, 22.0, 27.0, 33.0),
    unit="ms from the first row to the last, under a shake of 120 degrees a second",
    source=(
        "readout times of phones and action cameras lie between 14 and 33 ms: iPhone 5 at 22.6 and 27.4, "
        "Galaxy S3 30, iPhone 4 32.3, GoPro Hero3+ 14.8, measured by panning and by a lamp, as tabled in "
        "github.com/JzHuai0108/kalibr, doc/rolling-shutter-table.md; 1/30 s is the most that 30 frames a "
        "second leave, 10 ms and the shake are chosen here"
    ),
    apply=roll_shutter,
)
