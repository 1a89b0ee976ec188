"""How a face looks in a picture: brightness, contrast, sharpness and skin tone, from aligned crops.

All are read off the inner face: the middle 70 % of the aligned square (brows to chin, hardly any hair or
background), scaled to ``SIDE`` pixels, so that a face of few pixels is less sharp than the same face of many.
Pixels are taken as sRGB. What cannot be told is NaN. Nothing here says who someone is: skin tone is an angle
of colour under the light of the picture, it moves with that light and is no race or ethnicity.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from bench.predict.perturb.srgb import linear

__all__ = ["INNER", "NAMES", "SIDE", "brightness", "contrast", "looks", "sharpness", "skin_tone"]

INNER, SIDE = -0.15, 96
"""The margin of the aligned square, which is the inner face, and the edge of its crop in pixels."""
NAMES = ("brightness", "contrast", "sharpness", "skin_tone_ita")

# The cheeks: between eye and corner of the mouth, beside the nose. With align.TEMPLATE their patches lie at
# .25 to .37 and .63 to .75 of the square's edge, .53 to .65 down: 16 x 16 pixels of the crop.
CHEEKS = ((slice(52, 68), slice(14, 30)), (slice(52, 68), slice(66, 82)))
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
# sRGB's primaries under D65 (IEC 61966-2-1): rows X, Y, Z.
_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))
_LEAST_YELLOW = 1.0  # about one just noticeable difference: what is less yellow is grey or lit blue
_TURNED = 25.0  # degrees of yaw; beyond, the patch of the far cheek reaches over the face's edge
_AT_ONCE = 64


def looks(crops: torch.Tensor, yaw: torch.Tensor) -> torch.Tensor:
    """All of ``NAMES``, float64 [N, 4], of uint8 crops [N, 3, SIDE, SIDE] RGB of faces turned by ``yaw``."""
    parts = [
        torch.stack([brightness(part), contrast(part), sharpness(part), skin_tone(part, turned)], 1)
        for part, turned in zip(torch.split(crops, _AT_ONCE), torch.split(yaw, _AT_ONCE), strict=True)
    ]
    return torch.cat(parts)


def brightness(crops: torch.Tensor) -> torch.Tensor:
    """Mean relative luminance, linear light, 0 (black) to 1 (white); float64 [N]."""
    return _xyz(crops)[:, 1].mean((-2, -1))


def contrast(crops: torch.Tensor) -> torch.Tensor:
    """RMS contrast: standard deviation of luma in [0, 1], 0 to .5; float64 [N]. Peli, JOSA A 7 (1990)."""
    return (_luma(crops) / 255).flatten(1).std(1, correction=0)


def sharpness(crops: torch.Tensor) -> torch.Tensor:
    """Variance of the Laplacian of luma (0 to 255), float64 [N]; low where blurred.

    Four neighbours, without the outermost pixels. Source: Pech-Pacheco et al., "Diatom autofocusing in
    brightfield microscopy", ICPR 2000.
    """
    kernel = torch.tensor(_LAPLACIAN, dtype=torch.float64, device=crops.device)[None, None]
    return F.conv2d(_luma(crops)[:, None], kernel).flatten(1).var(1, correction=0)


def skin_tone(crops: torch.Tensor, yaw: torch.Tensor) -> torch.Tensor:
    """Individual typology angle in degrees, float64 [N]: the mean of both cheeks; above 55 very light skin.

    Of each cheek atan((L* - 50) / b*), with the medians of L* and b* of its patch (CIE 1976, D65). A cheek
    that a ``yaw`` [N] of more than 25 degrees turns away is left out; one with b* below 1 is grey or lit blue
    and tells nothing; NaN where neither tells. Source: Chardon, Cretois, Hourseau, "Skin colour typology and
    suntanning pathways", Int. J. Cosmetic Science 13 (1991).
    """
    angles = []
    for (rows, columns), away in zip(CHEEKS, (yaw < -_TURNED, yaw > _TURNED), strict=True):
        lightness, yellow = _lab(crops[..., rows, columns])
        light, b = (values.flatten(1).quantile(0.5, 1) for values in (lightness, yellow))
        angle = torch.rad2deg(torch.atan((light - 50) / b))
        angles.append(torch.where((b >= _LEAST_YELLOW) & ~away, angle, torch.nan))
    return torch.stack(angles, 1).nanmean(1)


def _luma(crops: torch.Tensor) -> torch.Tensor:
    weights = torch.tensor(_LUMA, dtype=torch.float64, device=crops.device)
    return torch.einsum("nchw,c->nhw", crops.double(), weights)


def _xyz(crops: torch.Tensor) -> torch.Tensor:
    """CIE XYZ of bytes, float64 [N, 3, H, W], Y of white is 1."""
    light = linear(crops.device)[crops.int()]
    matrix = torch.tensor(_TO_XYZ, dtype=torch.float64, device=crops.device)
    return torch.einsum("nchw,xc->nxhw", light, matrix)


def _lab(crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """L* and b* of bytes, float64 [N, H, W] each; white is the bytes' own, so that grey has b* = 0."""
    white = torch.tensor(_TO_XYZ, dtype=torch.float64, device=crops.device).sum(1)
    share = _xyz(crops) / white[:, None, None]
    root = torch.where(share > (6 / 29) ** 3, share ** (1 / 3), share * (29 / 6) ** 2 / 3 + 4 / 29)
    return 116 * root[:, 1] - 16, 200 * (root[:, 1] - root[:, 2])
