"""Pictures of what perturbations do: one frame at every severity, for people to look at.

Only the middle frame of a medium is perturbed, whole and in its own size, and then made small or large enough
to be shown. A perturbation of the aligned face is shown on the whole frame too, one of fitted faces on those
found in it. Of one that comes and goes that moment is shown, for all severities, at which it changes most.
A codec is shown on the beginning of a whole video, at such a moment too. What only changes when a picture is
shown, or the sound, cannot be seen here.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from bench.errors import MediaFault, UserError
from bench.predict.clip import Clip, Sampling
from bench.predict.decode import decode, windows
from bench.predict.film import Alter, Film
from bench.predict.perturb import Perturbation
from bench.predict.perturb.face import FaceClip

__all__ = ["changes_pictures", "middle_frame", "perturb_film", "perturb_picture", "still"]

_HOST = torch.device("cpu")
_MOMENTS = [0.25 * number for number in range(16)]  # seconds: what comes and goes does so every 4
_FEW = 64
_BEGIN, _RATE = 4.0, 5.0  # seconds of a video that are looked at, and frames of a second


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
    still = _at(still, _moment_of_most_harm(_thinned(still), perturbation, seed))
    for severity in range(6):
        frames = _clip(perturbation(still, severity, seed)).frames
        changed = changed or not torch.equal(frames, _clip(still).frames)
        shown.append(_fitted(frames, side)[0].permute(1, 2, 0).numpy())
    return shown if changed else None


def changes_pictures(perturbation: Perturbation[Film]) -> bool:
    """Whether a perturbation of whole videos changes pictures, and not only which of them is shown when."""
    film = Film("", np.arange(2) / _RATE, np.arange(2), iter(()))
    return perturbation(film, 1, 0).frames is not film.frames


def perturb_film(
    medium: Path, perturbation: Perturbation[Film], seed: int, side: int
) -> list[np.ndarray] | None:
    """One moment of a video's begin at severities 0 to 5, as ``perturb_picture`` gives a still.

    Of five frames a second that one which differs most from itself, over all severities; the first of equals.
    None if no pixel changes. Raises UserError for a still image.
    """
    clean = _begin(medium, lambda film: film, side)
    alters = [partial(perturbation, severity=severity, seed=seed) for severity in range(1, 6)]
    harmed = [_begin(medium, alter, side) for alter in alters]
    apart = [
        sum(float(np.abs(one[place].astype(np.int16) - picture).mean()) for one in harmed)
        for place, picture in enumerate(clean)
    ]
    most = int(np.argmax(apart))
    return [clean[most], *(one[most] for one in harmed)] if apart[most] else None


def _begin(medium: Path, alter: Alter, side: int) -> list[np.ndarray]:
    """The first seconds of an altered video, each frame uint8 [h, w, 3] of at most ``side``."""
    found = windows(medium, medium.name, Sampling(rate=_RATE), 1, alter)
    early = takewhile(lambda window: window[2][0] < _BEGIN, found)
    return [_fitted(pixels, side)[0].permute(1, 2, 0).numpy() for pixels, _, _ in early]


def _moment_of_most_harm(still: Clip | FaceClip, perturbation: Perturbation[Any], seed: int) -> float:
    """How many seconds later the still differs most from itself, over all severities; the first of equals."""

    def harmed(moment: float, severity: int) -> torch.Tensor:
        return _clip(perturbation(_at(still, moment), severity, seed)).frames

    # Four moments of a period tell whether it comes and goes at all, and spare faces what takes seconds.
    first, *others = (harmed(moment, 3) for moment in _MOMENTS[::4])
    if all(torch.equal(first, other) for other in others):
        return 0.0
    clean = _clip(still).frames.float()
    return max(
        _MOMENTS, key=lambda moment: sum(_apart(harmed(moment, severity), clean) for severity in range(1, 6))
    )


def _apart(frames: torch.Tensor, clean: torch.Tensor) -> float:
    return float((frames - clean).abs().mean())


def _at(still: Clip | FaceClip, moment: float) -> Clip | FaceClip:
    """The same picture, with the same noise, so many seconds later."""
    if isinstance(still, FaceClip):
        return replace(still, clip=_clip(_at(still.clip, moment)))
    return replace(still, times=still.times + moment)


def _thinned(still: Clip | FaceClip) -> Clip | FaceClip:
    """Few of the pixels, since time does the same to all; of fitted faces all, which lie there."""
    if isinstance(still, FaceClip):
        return still
    step = -(-max(still.frames.shape[-2:]) // _FEW)
    return still.with_frames(still.frames[..., ::step, ::step].contiguous())


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
