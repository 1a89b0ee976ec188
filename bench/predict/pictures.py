"""Pictures of what perturbations do: one frame at every severity, for people to look at.

Only the middle frame of a medium is perturbed, whole and in its own size, and then made small or large enough
to be shown. A perturbation of the aligned face is shown on the whole frame too, one of fitted faces on those
found in it. What a perturbation does over time, or to sound, cannot be seen here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from bench.errors import MediaFault, UserError
from bench.predict.clip import Clip, Sampling
from bench.predict.decode import decode
from bench.predict.perturb import Perturbation
from bench.predict.perturb.face import FaceClip

__all__ = ["middle_frame", "perturb_picture", "still"]

_HOST = torch.device("cpu")


def middle_frame(medium: Path, where: str) -> Clip:
    """The middle frame of an image or a video, one of the two of an even number; UserError if unusable."""
    allowed = "An image or a video that decodes"
    try:
        clips = list(decode(medium, medium.name, Sampling(count=3), _HOST))
    except OSError as error:
        raise UserError(where, f"{medium}: {error.strerror}", allowed, "Correct the path") from None
    except MediaFault as fault:
        raise UserError(where, f"{medium}: {fault}", allowed, "Name another medium") from None
    frames = [(clip, number) for clip in clips for number in range(len(clip))]
    clip, number = frames[len(frames) // 2]
    row = slice(number, number + 1)
    return Clip(clip.id, clip.frames[row], clip.index[row], clip.times[row])


def still(picture: np.ndarray, name: str) -> Clip:
    """A clip of one picture, uint8 [H, W, 3] RGB."""
    frames = torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()
    return Clip(name, frames, np.zeros(1, np.int64), np.zeros(1))


def perturb_picture(
    still: Clip | FaceClip, perturbation: Perturbation[Any], seed: int, side: int
) -> list[np.ndarray] | None:
    """A still at severities 0 to 5, each uint8 [h, w, 3] of at most ``side``; None if no pixel changes."""
    shown, changed = [], False
    for severity in range(6):
        frames = _clip(perturbation(still, severity, seed)).frames
        changed = changed or not torch.equal(frames, _clip(still).frames)
        shown.append(_fitted(frames, side)[0].permute(1, 2, 0).numpy())
    return shown if changed else None


def _clip(still: Clip | FaceClip) -> Clip:
    return still.clip if isinstance(still, FaceClip) else still


def _fitted(frames: torch.Tensor, side: int) -> torch.Tensor:
    """Frames whose longer side is at most ``side``: repeated a whole number of times, or averaged."""
    height, width = frames.shape[-2:]
    times = side // max(height, width)
    if times:
        return frames.repeat_interleave(times, 2).repeat_interleave(times, 3)
    size = [max(1, round(length * side / max(height, width))) for length in (height, width)]
    small = interpolate(frames.to(torch.float32), size, mode="bilinear", antialias=True)
    return small.round_().clamp_(0, 255).to(torch.uint8)
