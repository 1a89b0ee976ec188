"""Chains: what a camera makes of a scene goes through a codec, as it does in life.

The first link changes the pixels of every frame at the video's native rate, as it is stored and before it is
turned upright, so that only what knows no up can be one; the second encodes what it made. Both have the
severity of the chain. A still image has no stream, and is refused.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from bench.errors import quantity
from bench.predict.clip import Clip
from bench.predict.film import Film, Pictures
from bench.predict.orientation import Orientation
from bench.predict.perturb.codec import H264
from bench.predict.perturb.light import LOW_LIGHT
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.stream import Stream
from bench.predict.rgb import at_once, to_rgb

__all__ = ["LOW_LIGHT_H264"]

_TOGETHER = 8  # frames in memory at once, fewer where they are large
_PER_VERSION = 100


def _frames(film: Film, link: Perturbation[Clip], severity: int, stream: Stream) -> Pictures:
    """The frames of a film, each with its number, after the link."""
    converter = VideoReformatter()
    while first := next(film.frames, None):
        batch = [first, *islice(film.frames, at_once(_TOGETHER, first[1]) - 1)]
        numbers = np.array([number for number, _ in batch], np.int64)
        pixels = to_rgb([frame for _, frame in batch], Orientation(), converter)
        clip = Clip(film.id, pixels, numbers, film.times[numbers])
        changed = link.apply(clip, link.levels[severity - 1], stream).frames.permute(0, 2, 3, 1)
        for number, frame in zip(numbers, changed.contiguous().numpy(), strict=True):
            yield int(number), VideoFrame.from_ndarray(frame, format="rgb24")


def _amount(link: Perturbation[Any], severity: int) -> str:
    """The amount of one link with the name of its unit, which is the first word."""
    return quantity(link.amounts[severity - 1], link.unit.split()[0])


def chained(name: str, first: Perturbation[Clip], second: Perturbation[Film]) -> Perturbation[Film]:
    """The perturbation of whole videos that does one after the other, at the same severity.

    Its version goes up with that of either; its label is destroyed where either's is.
    """

    def apply(film: Film, severity: float, stream: Stream) -> Film:
        place = round(severity)
        changed = replace(film, frames=_frames(film, first, place, stream))
        return second.apply(changed, second.levels[place - 1], stream)

    destroyed = [each.destroys_label_from for each in (first, second) if each.destroys_label_from is not None]
    return Perturbation(
        name=name,
        version=_PER_VERSION * first.version + second.version,
        levels=(1.0, 2.0, 3.0, 4.0, 5.0),
        unit=f"({first.name}, then {second.name})",
        source=f"{first.name}: {first.source}; {second.name}: {second.source}",
        apply=apply,
        destroys_label_from=min(destroyed, default=None),
        random=first.random or second.random,
        shown=lambda severity: " + ".join(_amount(each, round(severity)) for each in (first, second)),
    )


LOW_LIGHT_H264 = chained("low_light_h264", LOW_LIGHT, H264)
