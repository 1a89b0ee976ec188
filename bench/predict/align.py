"""Align: cut the upright square around a face out of a frame, on the frame's device.

With the five points of a face, the similarity transform (turn, one scale, shift; no mirroring) that brings
them closest to ``TEMPLATE`` in least squares decides the square; without them, the detected box does. Source
of the transform: Umeyama, IEEE PAMI 13 (1991), eq. 40-43, which in the plane is one complex quotient.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

__all__ = ["TEMPLATE", "cut", "squares"]

# Where the five points lie in the square around a detected box (same centre, edge its longer edge): medians
# of what YuNet finds in 1,692 of FER2013's PublicTest images, made symmetric. There this square is the image
# itself within 3 % of its edge, so that a crop without margin looks like FER2013.
TEMPLATE = np.array([[0.325, 0.376], [0.675, 0.376], [0.5, 0.566], [0.353, 0.732], [0.647, 0.732]])
_FINEST = 16
_STEP = 1.5  # pixels between samples; with 1 the crops differ by .25 of 255 (rms) and cost 2.3 times as much
_SAMPLES_AT_ONCE = 1 << 22


def squares(boxes: np.ndarray, points: np.ndarray, margin: float) -> np.ndarray:
    """The square to cut for each face, complex128 [N, 2]: its first corner and its first edge, in pixels.

    ``boxes`` [N, 4] and ``points`` [N, 5, 2] as in ``Faces``; ``margin`` widens every side by that share of
    the edge. The picture's y is the imaginary part: u right and v down in the crop (both 0 to 1) is the pixel
    ``corner + edge * (u + 1j * v)``. Where points are NaN or all in one place, the box's square, upright.

    >>> squares(np.array([[10.0, 20.0, 30.0, 40.0]]), np.full((1, 5, 2), np.nan), 0.0)
    array([[ 5.+20.j, 40. +0.j]])
    """
    found = boxes.astype(np.float64) @ np.array([[1, 0], [1j, 0], [0.5, 1], [0.5j, 1j]])
    edge = boxes[:, 2:].max(1).astype(np.complex128)
    corner = found[:, 0] - edge * (0.5 + 0.5j)

    marks = points[..., 0] + 1j * points[..., 1]
    wanted = TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]
    centred, target = marks - marks.mean(1, keepdims=True), wanted - wanted.mean()
    agreement = (centred.conj() * target).sum(1)
    known = np.isfinite(agreement) & (agreement != 0)
    # Umeyama's map is frame to template, agreement / |centred|^2; the edge is its inverse.
    inverse = (np.abs(centred[known]) ** 2).sum(1) / agreement[known]
    edge[known] = inverse
    corner[known] = marks[known].mean(1) - inverse * wanted.mean()
    return np.stack([corner - edge * margin * (1 + 1j), edge * (1 + 2 * margin)], 1)


def cut(frames: torch.Tensor, which: np.ndarray, squares: np.ndarray, size: int) -> torch.Tensor:
    """Crops uint8 [N, 3, size, size] of frames uint8 [T, 3, H, W]; crop n comes from frame ``which[n]``.

    Bilinear between pixel centres; where a crop's pixel covers more than one of the frame's, the mean of
    k x k samples at most 1.5 pixels apart (k <= 16). Outside the frame its nearest pixel continues.
    """
    crops = torch.empty((len(which), 3, size, size), dtype=torch.uint8, device=frames.device)
    finenesses = np.clip(np.ceil(np.abs(squares[:, 1]) / size / _STEP), 1, _FINEST).astype(int)
    for fineness in np.unique(finenesses):
        places = np.flatnonzero(finenesses == fineness)
        at_once = max(1, _SAMPLES_AT_ONCE // (size * int(fineness)) ** 2)
        for start in range(0, len(places), at_once):
            part = places[start : start + at_once]
            samples = _sample(frames, which[part], squares[part], size * int(fineness))
            means = F.avg_pool2d(samples, int(fineness))
            crops[torch.from_numpy(part).to(frames.device)] = (means + 0.5).floor().to(torch.uint8)
    return crops


def _sample(frames: torch.Tensor, which: np.ndarray, squares: np.ndarray, size: int) -> torch.Tensor:
    """Bilinear samples, float32 [N, 3, size, size], at the centres of size x size cells of each square."""
    device = frames.device
    height, width = frames.shape[-2:]
    sides = np.stack([squares.real, squares.imag], 2).astype(np.float32)
    corner, edge = torch.from_numpy(sides).to(device)[:, :, :, None, None].unbind(1)
    steps = (torch.arange(size, device=device) + 0.5) / size
    right, down = steps[None, None, :], steps[None, :, None]
    # Minus one half: pixel 0 has its centre at 0.5.
    x = (corner[:, 0] + edge[:, 0] * right - edge[:, 1] * down - 0.5).clamp(0, width - 1)
    y = (corner[:, 1] + edge[:, 1] * right + edge[:, 0] * down - 0.5).clamp(0, height - 1)
    x0, y0 = x.floor(), y.floor()
    across, along = (x - x0)[:, None], (y - y0)[:, None]
    left, top = x0.long(), y0.long()
    right_pixel, below = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    frame = torch.from_numpy(which.astype(np.int64)).to(device)[:, None, None]

    def at(row: torch.Tensor, column: torch.Tensor) -> torch.Tensor:
        return frames[frame, :, row, column].movedim(-1, 1).float()

    upper = at(top, left).lerp(at(top, right_pixel), across)
    return upper.lerp(at(below, left).lerp(at(below, right_pixel), across), along)
