"""Perturbations of media: deterministic, coherent over the clip, five severities in physical units.

The dict below is the registry; each file is named here by hand, so nothing is registered by an import
elsewhere.
"""

from bench.errors import UserError, listed, nearest
from bench.predict.perturb.light import LOW_LIGHT
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.sensor import SENSOR_NOISE

__all__ = ["PERTURBATIONS", "Perturbation", "find_perturbation"]

PERTURBATIONS: dict[str, Perturbation] = {p.name: p for p in (LOW_LIGHT, SENSOR_NOISE)}


def find_perturbation(name: str, where: str) -> Perturbation:
    """The perturbation of that name; UserError with the nearest name otherwise."""
    if name not in PERTURBATIONS:
        raise UserError(
            where, f"perturbation {name!r} is not known.{nearest(name, PERTURBATIONS)}",
            f"It has: {listed(PERTURBATIONS)}", "Name one of these",
        )  # fmt: skip
    return PERTURBATIONS[name]
