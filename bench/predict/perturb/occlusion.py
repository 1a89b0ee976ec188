"""Occlusion of the face by what people wear or hold: a mask, sunglasses, a phone, all tracked to the face.

Each has its sizes in widths of the face and follows its turns; what is drawn for a clip, colour, side and
slant, stays. A face is its convex outline as it is seen, and how much of it is covered is what a severity
says; sunglasses have one size and let less and less light through. All are opaque to what comes behind them
but for glass, matt, as bright as the scene is lit, and cast no shadow.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import torch

from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.overlay import (
    Head,
    Patch,
    Place,
    depth_in,
    depth_in_box,
    depth_in_line,
    overlay,
    soft_edge,
)
from bench.predict.perturb.perturbation import Perturbation, percent
from bench.predict.perturb.stream import Stream

__all__ = ["MASK", "PHONE", "SUNGLASSES"]

Numbers = TypeVar("Numbers", np.ndarray, torch.Tensor)
Colour = tuple[float, float, float]  # shares of white, in linear light

# A surgical mask, in widths of a face: how far its upper edge falls from the nose to a cheek.
_FALL, _HEM = 0.125, 0.03
_BRIDGE = 197  # of the nose
_FOLDS = (0.14, 0.22, 0.3)
_MOST_ASIDE = 0.4  # of the nose, in a face that is turned
_FABRICS: tuple[Colour, ...] = (
    (0.34, 0.57, 0.71),
    (0.81, 0.81, 0.78),
    (0.02, 0.02, 0.023),
    (0.31, 0.58, 0.47),
)

# Sunglasses in widths of a face of 138 mm: lenses of 58 x 45 mm, 16 mm apart, the frame 3 mm, the arms 5.
_LENS, _APART, _RIM, _ARM = (0.21, 0.163), 0.268, 0.022, 0.036
_POINTS = 32  # of the lens's outline
_SQUARE = 2.6  # the power of the lens's outline: 2 is an ellipse, more is squarer
_BEFORE, _BELOW, _WRAP = 0.06, 0.05, 0.28
_EYES, _EARS = (33, 133, 362, 263), (127, 356)
_FRAMES: tuple[Colour, ...] = ((0.009, 0.009, 0.01), (0.055, 0.023, 0.012), (0.034, 0.045, 0.069))

# A phone of 72 x 147 mm half way to the camera, where it looks twice as large.
_PHONE, _CORNER, _SLANT = (0.52, 1.07), 0.12, 15.0
_LENSES = (0.28, 0.8, 0.17)  # from the middle of its back, and half the square they stand in
_BACKS: tuple[Colour, ...] = (
    (0.013, 0.013, 0.015), (0.49, 0.5, 0.515), (0.042, 0.089, 0.195), (0.26, 0.025, 0.025),
)  # fmt: skip


def wear_mask(faces: FaceClip, share: float, stream: Stream) -> FaceClip:
    """Cover the lower ``share`` of each face with a mask, as far up as that takes.

    Its upper edge is highest at the nose and falls towards the ears; folds and the turn of the face shade it.
    """
    fabric = _drawn(_FABRICS, stream)

    def drawn(head: Head, place: Place) -> list[Patch]:
        nose = float((head.flat @ (head.mesh[_BRIDGE] - head.middle)[:2])[0])
        nose = min(max(nose, -_MOST_ASIDE), _MOST_ASIDE)
        edge = head.cut(share, head.flat, lambda across, down: _fallen(across, down, nose))
        below = _fallen(*head.places(head.flat, place), nose) - edge
        within = depth_in(head.outline, place) + _HEM * head.width
        cover = soft_edge(torch.minimum(within, below * head.width), head)
        return [Patch(cover, 0.0, fabric, (0.25 + 0.7 * place.facing) * _folds(below))]

    return overlay(faces, 2 * _HEM, drawn)


def wear_sunglasses(faces: FaceClip, absorbed: float, stream: Stream) -> FaceClip:
    """Put on sunglasses whose grey lenses take away the share ``absorbed`` of the light behind them.

    Light passes the glass once: what lights the eyes comes from beside it too. Frame and arms are opaque; the
    arm at the far side is hidden by the head.
    """
    colour = _drawn(_FRAMES, stream)

    def drawn(head: Head, place: Place) -> list[Patch]:
        eyes = head.point(0, _BELOW, _BEFORE, head.mesh[list(_EYES)].mean(0))
        rim, arm = _RIM * head.width, _ARM * head.width
        nose = [_bent(head, eyes, side * (_APART - _LENS[0]), -_LENS[1] / 3) for side in (-1, 1)]
        frame = depth_in_line(np.stack(nose), 1.5 * rim, place)
        glass = torch.full_like(frame, -torch.inf)
        for side, ear in ((-1, _EARS[0]), (1, _EARS[1])):
            glass = torch.maximum(glass, depth_in(_lens(head, eyes, side), place))
            if side * head.axes[0, 2] < 0:  # this side of the head looks at the camera
                hinge = _bent(head, eyes, side * (_APART + _LENS[0] + _RIM / 2), -_LENS[1] / 2)
                ends = np.stack([hinge, head.mesh[ear]])
                frame = torch.maximum(frame, depth_in_line(ends, arm, place))
        opaque = soft_edge(torch.maximum(frame, glass + rim), head) * (1 - soft_edge(glass, head))
        tinted = soft_edge(glass + rim / 2, head)
        return [Patch(tinted, 1 - absorbed), Patch(opaque, 0.0, colour)]

    return overlay(faces, 0.3, drawn)


def hold_phone(faces: FaceClip, share: float, stream: Stream) -> FaceClip:
    """Hold a phone before each face, from the left or the right, so that it covers a ``share`` of it."""
    colour = _drawn(_BACKS, stream)
    side = 1 if stream.uniform("side") < 0.5 else -1
    slant = math.radians(_SLANT) * (2 * stream.uniform("slant") - 1)
    cos, sin = math.cos(slant), math.sin(slant)

    def drawn(head: Head, place: Place) -> list[Patch]:
        edge = head.cut(share, head.upright, lambda u, v: side * (u * cos + v * sin))
        across, down = head.places(head.upright, place)
        turned, along = side * (across * cos + down * sin) - edge, down * cos - across * sin
        beside = turned - _PHONE[0]
        back = depth_in_box(beside, along, _PHONE, _CORNER)
        lenses = depth_in_box(beside + _LENSES[0], along + _LENSES[1], (_LENSES[2],) * 2, _CORNER / 2)
        cover, dark = (soft_edge(depth * head.width, head) for depth in (back, lenses))
        return [Patch(cover, 0.0, colour, 0.9 - 0.12 * along), Patch(dark * cover, 0.25)]

    return overlay(faces, 1.2, drawn)


def _drawn(colours: tuple[Colour, ...], stream: Stream) -> Colour:
    return colours[int(len(colours) * stream.uniform("colour"))]


def _fallen(across: Numbers, down: Numbers, nose: float) -> Numbers:
    """How far down a place lies, less what the edge of a mask falls there from the nose to either cheek."""
    beside = across - nose
    left, right = _FALL / (0.5 + nose) ** 2, _FALL / (0.5 - nose) ** 2
    return down - beside**2 * (left * (beside < 0) + right * (beside >= 0))


def _folds(below: torch.Tensor) -> torch.Tensor:
    """How the folds of a mask darken it, by the distance below its edge: three of them, soft."""
    shade = torch.ones_like(below)
    for at in _FOLDS:
        shade.sub_(0.12 * torch.exp(-((below - at) / 0.012).square()))
    return shade


def _lens(head: Head, eyes: np.ndarray, side: int) -> np.ndarray:
    """The outline of one lens as it is seen, float64 [K, 2]."""
    angles = np.arange(_POINTS) * (2 * math.pi / _POINTS)
    across, down = (np.sign(v) * np.abs(v) ** (2 / _SQUARE) for v in (np.cos(angles), np.sin(angles)))
    points = [
        _bent(head, eyes, side * _APART + _LENS[0] * u, _LENS[1] * v)[:2]
        for u, v in zip(across.tolist(), down.tolist(), strict=True)
    ]
    return np.array(points)


def _bent(head: Head, eyes: np.ndarray, across: float, down: float) -> np.ndarray:
    """A point of the glasses, which are bent around the head, float64 [3]."""
    return head.point(across, down, -_WRAP * across**2, eyes)


MASK = Perturbation(
    name="mask",
    version=1,
    levels=(0.1, 0.2, 0.35, 0.48, 0.6),
    unit="% of the face's outline covered, from the chin up",
    shown=percent,
    source=(
        "a range chosen here, by what the meshes of 17 photographs have below: the lower lip .05 to .17, the "
        "upper lip .14 to .33, the nose's tip .29 to .50, its bridge .47 to .64, the eyes .58 to .69. So the "
        "chin, the mouth, the nose's tip, a mask as it is worn, and one up to the eyes. People misread faces "
        "in masks: Carbon 2020, doi:10.3389/fpsyg.2020.566886"
    ),
    apply=wear_mask,
    # No mouth is left to see.
    destroys_label_from=3,
)

PHONE = Perturbation(
    name="phone",
    version=1,
    levels=(0.15, 0.3, 0.45, 0.6, 0.75),
    unit="% of the face's outline covered, from one side",
    shown=percent,
    source=(
        "a range chosen here: even steps from a cheek to all but an ear and an eye. The phone is an iPhone "
        "15, 71.6 x 147.6 mm, half way to the camera, where it looks twice as large"
    ),
    apply=hold_phone,
    # More than half is hidden: one eye and an end of the mouth are left, and the sides of a face differ.
    destroys_label_from=4,
)

SUNGLASSES = Perturbation(
    name="sunglasses",
    version=1,
    levels=(0.2, 0.57, 0.82, 0.92, 0.97),
    unit="% of the light taken away by the lenses",
    shown=percent,
    source=(
        "the filter categories 0 to 4 of ISO 12312-1, each at its darkest: they let at least 80, 43, 18, 8 "
        "and 3 % of the light through. Brows and mouth stay to be seen; what sunglasses take from people: "
        "Noyes et al. 2021, doi:10.1098/rsos.201169"
    ),
    apply=wear_sunglasses,
)
