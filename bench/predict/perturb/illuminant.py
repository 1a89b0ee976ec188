"""The colour of the light: from daylight towards tungsten, with a camera that keeps its daylight balance.

The shift is a von Kries adaptation in the Bradford space (Lam 1985), one matrix in linear light: right for
greys, near for other colours, since three numbers a pixel do not hold its spectrum. Colours beyond sRGB are
clipped, as the red of bright pixels is under warm light.
"""

from __future__ import annotations

import numpy as np
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.parts import parts
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.srgb import count_light, encode_counts
from bench.predict.perturb.stream import Stream

__all__ = ["COLOUR_TEMPERATURE", "planckian"]

# The correlated colour temperature of CIE D65, the white of sRGB.
_DAYLIGHT = 6504.0

_HELD = 8  # parts this much smaller than the largest stay in a processor's cache

# Linear sRGB to CIE XYZ (IEC 61966-2-1), and XYZ to the Bradford space.
_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def warm(clip: Clip, mired: float, _stream: Stream) -> Clip:
    """Shift the light of a clip by ``mired`` (1e6 / K) along the black bodies, from that of 6504 K.

    D65 lies 0.003 beside them (CIE 1960 uv) and stays beside them, so that no shift is no change. Greys keep
    their luminance, as under a meter, until red clips; halves round to even.
    """
    frames = clip.frames
    lamp = planckian(1e6 / (1e6 / _DAYLIGHT + mired))
    rows = (np.linalg.inv(_XYZ) @ adaptation(planckian(_DAYLIGHT), lamp) @ _XYZ).tolist()
    warmed = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, _HELD):
        red, green, blue = count_light(frames[part]).unbind(1)
        mixed, share = torch.empty_like(red), torch.empty_like(red)
        for channel, (of_red, of_green, of_blue) in enumerate(rows):
            # Products and sums apart: fused, they would round otherwise on another device.
            torch.mul(red, of_red, out=mixed)
            mixed.add_(torch.mul(green, of_green, out=share)).add_(torch.mul(blue, of_blue, out=share))
            warmed[part, channel] = encode_counts(mixed)
    return clip.with_frames(warmed)


def planckian(kelvin: float) -> tuple[float, float]:
    """CIE xy of a black body of 1,000 to 15,000 K, within 1e-4 of its CIE 1960 uv.

    Krystek 1985, "An algorithm to calculate correlated colour temperature", Color Research & Application 10.

    >>> [round(value, 3) for value in planckian(2856)]
    [0.448, 0.408]
    """
    t = kelvin
    u = (0.860117757 + 1.54118254e-4 * t + 1.28641212e-7 * t**2) / (
        1 + 8.42420235e-4 * t + 7.08145163e-7 * t**2
    )
    v = (0.317398726 + 4.22806245e-5 * t + 4.20481691e-8 * t**2) / (
        1 - 2.89741816e-5 * t + 1.61456053e-7 * t**2
    )
    return 3 * u / (2 * u - 8 * v + 4), 2 * v / (2 * u - 8 * v + 4)


def adaptation(source: tuple[float, float], target: tuple[float, float]) -> np.ndarray:
    """The Bradford matrix, float64 [3, 3], that takes XYZ under a white of xy ``source`` to ``target``."""
    cones = [_BRADFORD @ np.array([x / y, 1, (1 - x - y) / y]) for x, y in (source, target)]
    matrix: np.ndarray = np.linalg.inv(_BRADFORD) @ np.diag(cones[1] / cones[0]) @ _BRADFORD
    return matrix


COLOUR_TEMPERATURE = Perturbation(
    name="colour_temperature",
    version=1,
    levels=(40.0, 80.0, 120.0, 160.0, 196.0),
    unit="mired from daylight of 6504 K (CIE D65) towards tungsten",
    source=(
        "the photographer's mired from 6504 K to CIE standard illuminant A, 2856 K (ISO/CIE 11664-2): four "
        "steps of 40 and the 36 that are left, 5161, 4278, 3653, 3187 and 2859 K. The steps are chosen here"
    ),
    apply=warm,
    random=False,
)
