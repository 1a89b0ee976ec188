"""Perturbations of media: deterministic, coherent over the clip, five severities in physical units.

The dict below is the registry; each file is named here by hand, so nothing is registered by an import
elsewhere.
"""

from bench.predict.perturb.light import LOW_LIGHT
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.sensor import SENSOR_NOISE

__all__ = ["PERTURBATIONS", "Perturbation"]

PERTURBATIONS: dict[str, Perturbation] = {p.name: p for p in (LOW_LIGHT, SENSOR_NOISE)}
