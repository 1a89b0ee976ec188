"""Perturbations of media: deterministic, coherent over the clip, five severities in physical units.

The dict below is the registry; each file is named here by hand, so nothing is registered by an import
elsewhere.
"""

from bench.errors import UserError, listed, nearest
from bench.predict.perturb.illuminant import COLOUR_TEMPERATURE
from bench.predict.perturb.light import (
    BACKLIGHT,
    CONTRAST,
    EXPOSURE,
    EXPOSURE_RAMP,
    FLICKER,
    GAMMA,
    LOW_LIGHT,
)
from bench.predict.perturb.optics import DEFOCUS, LOW_RESOLUTION, MOTION_BLUR, VIGNETTING, ZOOM_BLUR
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.sensor import BIT_DEPTH, IMPULSE_NOISE, SENSOR_NOISE, SHOT_NOISE, WHITE_BALANCE
from bench.predict.perturb.viewpoint import CAMERA_TILT, DISTANCE, OFF_CENTRE, ROLL

__all__ = ["PERTURBATIONS", "Perturbation", "find_perturbation"]

PERTURBATIONS: dict[str, Perturbation] = {
    p.name: p
    for p in (
        BACKLIGHT, BIT_DEPTH, CAMERA_TILT, COLOUR_TEMPERATURE, CONTRAST, DEFOCUS, DISTANCE, EXPOSURE,
        EXPOSURE_RAMP, FLICKER, GAMMA, IMPULSE_NOISE, LOW_LIGHT, LOW_RESOLUTION, MOTION_BLUR, OFF_CENTRE,
        ROLL, SENSOR_NOISE, SHOT_NOISE, VIGNETTING, WHITE_BALANCE, ZOOM_BLUR,
    )
}  # fmt: skip


def find_perturbation(name: str, where: str) -> Perturbation:
    """The perturbation of that name; UserError with the nearest name otherwise."""
    if name not in PERTURBATIONS:
        raise UserError(
            where, f"perturbation {name!r} is not known.{nearest(name, PERTURBATIONS)}",
            f"It has: {listed(PERTURBATIONS)}", "Name one of these",
        )  # fmt: skip
    return PERTURBATIONS[name]
