"""Light on the surface of faces: from one side.

A picture is taken as if its light were even: each pixel's linear light is multiplied by what the added light
says of its surface. Light that is in the picture already stays, so that both are seen. Nothing casts a shadow
but what is said to: under side light the nose does not.
"""

from __future__ import annotations

import math

import numpy as np

from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.srgb import count_light, encode_counts
from bench.predict.perturb.stream import Stream
from bench.predict.perturb.surface import normals, spread

__all__ = ["SIDE_LIGHT"]

_ASIDE, _ABOVE = 60.0, 20.0  # degrees, of the light, from the camera's axis and from the horizontal


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
        "The lamp stands 60 degrees aside, 20 above: between the light of a portrait at 45 and from the side "
        "at 90; faces lit so: Extended Yale B (Georghiades et al. 2001, doi:10.1109/34.927464)"
    ),
    apply=light_from_side,
)
