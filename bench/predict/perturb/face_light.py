"""Light on the surface of faces: from one side, and the edge of a shadow that wanders over it.

A picture is taken as if its light were even: each pixel's linear light is multiplied by what the added light
says of its surface. Light that is in the picture already stays, so that both are seen. Nothing casts a shadow
but what is said to: under side light the nose does not. Nothing gets brighter: no camera adapts to it.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.srgb import count_light, encode_counts
from bench.predict.perturb.stream import Stream
from bench.predict.perturb.surface import RIM, normals, spread

__all__ = ["SHADOW_EDGE", "SIDE_LIGHT"]

_ASIDE, _ABOVE = 75.0, 20.0  # degrees, of the lamp, from the camera's axis and from the horizontal
# Of the shadow, in widths of the largest face: its edge stays this near to the middle of the face, and is as
# soft as that of a thing a metre away in the sun, .53 degrees wide, on a face of 14 cm.
_SWING, _PENUMBRA = 0.35, 0.066
_SLANT, _BEND = 30.0, 40.0  # degrees, at most from upright; of its light, from the camera's axis
_PERIODS = 2.0, 8.0  # seconds, from one turning to the same again


def light_from_side(faces: FaceClip, stops: float, stream: Stream) -> FaceClip:
    """Light all that is seen by a lamp at the left or right; what looks away gets ``stops`` less light.

    Lambert's law: a surface that looks at the lamp keeps its light, any other has 2^-stops of it, from all
    around, and of the rest the cosine of its angle to the lamp. What is no face looks at the camera, the
    sides of the head in between.
    """
    lamp = _direction(math.radians(_ASIDE) * (1 if stream.uniform("side") < 0.5 else -1))
    lit = np.clip(normals(faces.meshes) @ lamp, 0, None)
    fill = 2.0**-stops
    frames = faces.clip.frames.clone()
    for frame, cosine in spread(faces, lit, -float(lamp[2])):
        light = count_light(frames[frame])
        frames[frame] = encode_counts(light.mul_(cosine.mul_(1 - fill).add_(fill)))
    return faces.with_frames(frames.contiguous())


def cast_edge(faces: FaceClip, stops: float, stream: Stream) -> FaceClip:
    """Let the straight edge of something far off throw its shadow over a part of each frame.

    Side, slant, phase and period of the edge are drawn; it swings over the largest face of a frame, to .35
    widths from its middle. Its light comes from aside, so that it bends over the face, and falls straight on
    all else, as on a wall at the rim of the face. The dark part has 2^-stops of its light.
    """
    slant = math.radians(_SLANT) * (2 * stream.uniform("slant") - 1)
    slant += math.pi if stream.uniform("side") < 0.5 else 0.0
    period = _PERIODS[0] + (_PERIODS[1] - _PERIODS[0]) * stream.uniform("period")
    turns = faces.clip.times / period + stream.uniform("phase")
    places = _SWING * np.sin(2 * np.pi * turns)
    rims = faces.meshes[:, RIM, 2].mean(1, keepdims=True)
    frames, dark = faces.clip.frames.clone(), 2.0**-stops
    for frame, depth in spread(faces, faces.meshes[..., 2] - rims, 0.0):
        largest = max(np.flatnonzero(faces.which == frame), key=lambda face: float(faces.widths[face]))
        across, down, deep = (faces.meshes[largest].mean(0) - [0, 0, rims[largest, 0]]).tolist()
        width = float(faces.widths[largest])
        y, x = (torch.arange(size, device=depth.device) + 0.5 for size in depth.shape)
        beyond = depth.sub_(deep).mul_(math.tan(math.radians(_BEND)))
        beyond += (x - across) * math.cos(slant) + ((y - down) * math.sin(slant))[:, None]
        lit = (beyond / (width * _PENUMBRA) + (0.5 - float(places[frame]) / _PENUMBRA)).clamp_(0, 1)
        lit = lit.square() * (3 - 2 * lit)
        frames[frame] = encode_counts(count_light(frames[frame]).mul_(lit.mul_(1 - dark).add_(dark)))
    return faces.with_frames(frames.contiguous())


def _direction(aside: float) -> np.ndarray:
    """The unit vector to a lamp, float64 [3]: x right, y down, z away from the camera."""
    above = math.radians(_ABOVE)
    level = math.cos(above)
    return np.array([level * math.sin(aside), -math.sin(above), -level * math.cos(aside)])


SIDE_LIGHT = Perturbation(
    name="side_light",
    version=1,
    levels=(1.0, 2.0, 3.0, 4.0, 5.0),
    unit="stops from the lit side to the side away from the lamp",
    source=(
        "a range chosen here: the lighting ratios of portraits, 2:1, 4:1, 8:1, 16:1 and 32:1, a stop apart. "
        "The lamp stands 75 degrees aside and 20 above, between the light of a portrait at 45 and one from "
        "the side at 90; faces lit so: Extended Yale B (Georghiades et al. 2001, doi:10.1109/34.927464)"
    ),
    apply=light_from_side,
)

SHADOW_EDGE = Perturbation(
    name="shadow_edge",
    version=1,
    levels=(1.0, 2.0, 3.0, 4.0, 5.0),
    unit="stops from the light to the shadow",
    source=(
        "a range chosen here about open shade, three stops below the sun in the exposure guides of films "
        "(f/16 in bright sun, f/5.6 in open shade)"
    ),
    apply=cast_edge,
)
