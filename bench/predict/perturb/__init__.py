"""Perturbations of media: deterministic, coherent over the clip, five severities in physical units.

The dicts below are the registry, of what acts on windows of frames, on fitted faces in them, and on whole
films; each file is named here by hand, so nothing is registered by an import elsewhere.
"""

from typing import Any

from bench.errors import UserError, listed, nearest
from bench.predict.clip import Clip
from bench.predict.film import Film
from bench.predict.perturb.codec import H264, VP9
from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.face_light import SHADOW_EDGE, SIDE_LIGHT
from bench.predict.perturb.head_pose import PITCH, YAW
from bench.predict.perturb.illuminant import COLOUR_TEMPERATURE
from bench.predict.perturb.jpeg import JPEG
from bench.predict.perturb.light import (
    BACKLIGHT,
    CONTRAST,
    EXPOSURE,
    EXPOSURE_RAMP,
    FLICKER,
    GAMMA,
    LOW_LIGHT,
)
from bench.predict.perturb.loss import PACKET_LOSS
from bench.predict.perturb.occlusion import MASK, PHONE, SUNGLASSES
from bench.predict.perturb.optics import DEFOCUS, LOW_RESOLUTION, MOTION_BLUR, VIGNETTING, ZOOM_BLUR
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.playback import (
    DROPPED_FRAMES,
    FRAME_RATE,
    FROZEN,
    JITTER,
    REVERSED,
    SHUFFLED,
    SPEED,
)
from bench.predict.perturb.sensor import BIT_DEPTH, IMPULSE_NOISE, SENSOR_NOISE, SHOT_NOISE, WHITE_BALANCE
from bench.predict.perturb.shutter import ROLLING_SHUTTER
from bench.predict.perturb.viewpoint import CAMERA_TILT, DISTANCE, OFF_CENTRE, ROLL

__all__ = ["FACE_PERTURBATIONS", "FILM_PERTURBATIONS", "PERTURBATIONS", "Perturbation", "find_perturbation"]

PERTURBATIONS: dict[str, Perturbation[Clip]] = {
    p.name: p
    for p in (
        BACKLIGHT, BIT_DEPTH, CAMERA_TILT, COLOUR_TEMPERATURE, CONTRAST, DEFOCUS, DISTANCE, EXPOSURE,
        EXPOSURE_RAMP, FLICKER, GAMMA, IMPULSE_NOISE, JPEG, LOW_LIGHT, LOW_RESOLUTION, MOTION_BLUR,
        OFF_CENTRE, ROLL, ROLLING_SHUTTER, SENSOR_NOISE, SHOT_NOISE, VIGNETTING, WHITE_BALANCE, ZOOM_BLUR,
    )
}  # fmt: skip

FACE_PERTURBATIONS: dict[str, Perturbation[FaceClip]] = {
    p.name: p for p in (MASK, PHONE, PITCH, SHADOW_EDGE, SIDE_LIGHT, SUNGLASSES, YAW)
}

FILM_PERTURBATIONS: dict[str, Perturbation[Film]] = {
    p.name: p
    for p in (
        DROPPED_FRAMES, FRAME_RATE, FROZEN, H264, JITTER, PACKET_LOSS, REVERSED, SHUFFLED, SPEED, VP9,
    )
}  # fmt: skip


def find_perturbation(name: str, where: str) -> Perturbation[Any]:
    """The perturbation of that name; UserError with the nearest name otherwise."""
    known: dict[str, Perturbation[Any]] = {**PERTURBATIONS, **FACE_PERTURBATIONS, **FILM_PERTURBATIONS}
    if name not in known:
        raise UserError(
            where, f"perturbation {name!r} is not known.{nearest(name, known)}",
            f"It has: {listed(known, 40)}", "Name one of these",
        )  # fmt: skip
    return known[name]
