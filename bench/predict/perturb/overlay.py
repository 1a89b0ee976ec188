"""Drawing on faces: what stands in front of them, with soft edges, in linear light, in the face's own frame.

A ``Head`` is where a face is and how it is turned, by its mesh; a ``Patch`` is what some of its pixels are
covered with. Nothing here casts a shadow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.light import MID_GREY
from bench.predict.perturb.lookup import look_up
from bench.predict.perturb.srgb import WHITE, count_light, encode_counts, linear
from bench.predict.perturb.surface import normals, spread

__all__ = [
    "Head", "Patch", "Place", "depth_in", "depth_in_box", "depth_in_line", "overlay", "soft_edge",
]  # fmt: skip

_TOP, _CHIN, _LEFT, _RIGHT = 10, 152, 234, 454  # the ends of a face, as MediaPipe numbers them
_FINE = 64  # points along each side of a face that say how much of it lies where
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue: ITU-R BT.709
_SOFTNESS = 0.012  # of an edge, in widths of a face; a pixel at least


@dataclass(frozen=True)
class Head:
    """One face: its mesh, float64 [468, 3] in pixels of the frame, and what follows from it."""

    mesh: np.ndarray

    @cached_property
    def width(self) -> float:
        """From cheek to cheek, in pixels."""
        return float(np.linalg.norm(self.mesh[_RIGHT] - self.mesh[_LEFT]))

    @cached_property
    def axes(self) -> np.ndarray:
        """Unit vectors across, down and ahead of the face, float64 [3, 3]; at right angles."""
        across = _unit(self.mesh[_RIGHT] - self.mesh[_LEFT])
        long = self.mesh[_CHIN] - self.mesh[_TOP]
        down = _unit(long - (long @ across) * across)
        return np.stack([across, down, np.cross(down, across)])

    @cached_property
    def middle(self) -> np.ndarray:
        """Between the ends of the face, float64 [3]."""
        middle: np.ndarray = self.mesh[[_TOP, _CHIN, _LEFT, _RIGHT]].mean(0)
        return middle

    @cached_property
    def outline(self) -> np.ndarray:
        """The convex hull of the face as it is seen, float64 [K, 2]."""
        import cv2

        hull: np.ndarray = cv2.convexHull(self.mesh[:, :2].astype(np.float32))[:, 0].astype(np.float64)
        return hull

    def point(self, across: float, down: float, ahead: float, start: np.ndarray) -> np.ndarray:
        """The point that lies so many widths of the face from ``start`` [3], float64 [3]."""
        away: np.ndarray = start + self.width * (np.array([across, down, ahead]) @ self.axes)
        return away

    @cached_property
    def flat(self) -> np.ndarray:
        """Takes what is seen, less the middle, to places on a flat face, in widths: float64 [2, 2]."""
        flat: np.ndarray = np.linalg.pinv(self.axes[:2, :2].T * self.width)
        return flat

    @cached_property
    def upright(self) -> np.ndarray:
        """The same for what stands upright with the face, and does not turn aside with it: float64 [2, 2]."""
        right, down = _unit(self.mesh[_CHIN, :2] - self.mesh[_TOP, :2])[::-1].tolist()
        return np.array([[right, -down], [down, right]]) / max(self.width, 1e-9)

    def places(self, chart: np.ndarray, place: Place) -> tuple[torch.Tensor, torch.Tensor]:
        """Across and down from the middle of the face, in widths, of pixels, by ``flat`` or ``upright``."""
        (a, b), (c, d) = chart.tolist()
        x, y = place.x - float(self.middle[0]), place.y - float(self.middle[1])
        return x * a + y * b, x * c + y * d

    def cut(
        self, share: float, chart: np.ndarray, measure: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> float:
        """The value that ``measure`` of places on the face exceeds on a ``share`` of the seen outline."""
        low, high = self.outline.min(0), self.outline.max(0)
        steps = (np.arange(_FINE) + 0.5) / _FINE
        grid = np.stack(np.meshgrid(*(low + steps[:, None] * (high - low)).T), -1).reshape(-1, 2)
        starts, inward = _edges(self.outline)
        inside = grid[((grid @ inward.T) >= (starts * inward).sum(1)).all(1)]
        across, down = chart @ (inside - self.middle[:2]).T
        return float(np.quantile(measure(across, down), 1 - share)) if len(inside) else 0.0


class Patch(NamedTuple):
    """What covers a face: ``cover`` float32 [h, w] in [0, 1]; the share of light that ``passes`` through it.

    ``colour``: what it sends itself, shares of white in linear light, times ``shade``.
    """

    cover: torch.Tensor
    passes: float
    colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shade: torch.Tensor | float = 1.0


class Place(NamedTuple):
    """Pixels of a frame: ``x`` [1, w] and ``y`` [h, 1] of their centres, and how they look at the camera."""

    x: torch.Tensor
    y: torch.Tensor
    facing: torch.Tensor


def overlay(faces: FaceClip, reach: float, drawn: Callable[[Head, Place], Sequence[Patch]]) -> FaceClip:
    """Cover every face by what is ``drawn`` of it, first things first, up to ``reach`` widths beyond it.

    What is drawn is lit as the scene is, by the rule of a grey world: where a frame's mean light is below
    that of a grey card, so much less is sent. In a frame without colours nothing has one.
    """
    frames = faces.clip.frames.clone(memory_format=torch.contiguous_format)
    cosines = np.clip(-normals(faces.meshes)[..., 2], 0, 1)
    for frame, facing in spread(faces, cosines, 1.0):
        lit, grey = _lit(faces.clip.frames[frame]), _grey(faces.clip.frames[frame])
        for face in np.flatnonzero(faces.which == frame).tolist():
            head = Head(faces.meshes[face])
            rows, columns = _window(head, reach, frames.shape[-2:])
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            x = torch.arange(columns.start, columns.stop, device=frames.device)[None] + 0.5
            y = torch.arange(rows.start, rows.stop, device=frames.device)[:, None] + 0.5
            light = count_light(frames[frame, :, rows, columns])
            for patch in drawn(head, Place(x, y, facing[rows, columns])):
                light.mul_(1 - patch.cover * (1 - patch.passes))
                if any(patch.colour):
                    luminance = sum(w * share for w, share in zip(_LUMINANCE, patch.colour, strict=True))
                    sent = torch.where(grey, luminance, light.new_tensor(patch.colour)) * (lit * WHITE)
                    light.add_((patch.cover * patch.shade) * sent[:, None, None])
            frames[frame, :, rows, columns] = encode_counts(light)
    return faces.with_frames(frames)


def depth_in(outline: np.ndarray, place: Place) -> torch.Tensor:
    """How far each pixel lies within a convex outline [K, 2], in pixels, below 0 outside: float32 [h, w]."""
    depth = torch.full_like(place.facing, torch.inf)
    for start, inward in zip(*(part.tolist() for part in _edges(outline)), strict=True):
        across, along = (place.x - start[0]) * inward[0], (place.y - start[1]) * inward[1]
        depth = torch.minimum(depth, across + along)
    return depth


def depth_in_line(ends: np.ndarray, thick: float, place: Place) -> torch.Tensor:
    """The same of a line between two points, [2, 2] or more columns, ``thick`` pixels, its ends round."""
    (left, top), (right, down) = ends[:, :2].tolist()
    across, along = right - left, down - top
    length = max(across**2 + along**2, 1e-9)
    share = (((place.x - left) * across + (place.y - top) * along) / length).clamp_(0, 1)
    return thick / 2 - torch.hypot(place.x - left - share * across, place.y - top - share * along)


def depth_in_box(
    across: torch.Tensor, down: torch.Tensor, half: tuple[float, float], corner: float
) -> torch.Tensor:
    """The same of a box with round corners about the origin of its axes, all in one unit of length."""
    beside, below = across.abs() - (half[0] - corner), down.abs() - (half[1] - corner)
    outer = torch.hypot(beside.clamp(min=0), below.clamp(min=0)) + torch.maximum(beside, below).clamp(max=0)
    return corner - outer


def soft_edge(depth: torch.Tensor, head: Head) -> torch.Tensor:
    """Cover of pixels that lie so many pixels within an edge: half on it, all or none soon beside it."""
    return (depth / max(1.0, _SOFTNESS * head.width) + 0.5).clamp_(0, 1)


def _lit(frame: torch.Tensor) -> torch.Tensor:
    """The mean linear light of a frame as a share of a grey card's, at most 1; summed without rounding."""
    counts = (linear(frame.device) * WHITE).round().to(torch.int32)
    total = look_up(counts, frame).sum(dtype=torch.int64).to(torch.float64)
    return (total / (frame.numel() * WHITE * MID_GREY)).clamp_(max=1).to(torch.float32)


def _grey(frame: torch.Tensor) -> torch.Tensor:
    """Whether the channels of a frame are the same, bool []."""
    return (frame == frame[:1]).all()


def _edges(outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A start and the inward unit normal of each edge of a convex outline, float64 [K, 2] each."""
    ahead = np.roll(outline, -1, 0) - outline
    after = np.roll(outline, -1, 0)
    turn = np.sign((outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]).sum()) or 1.0
    normal = turn * np.stack([-ahead[:, 1], ahead[:, 0]], 1)
    lengths = np.linalg.norm(normal, axis=1, keepdims=True)
    return outline, np.divide(normal, lengths, out=np.zeros_like(normal), where=lengths > 0)


def _window(head: Head, reach: float, size: Sequence[int]) -> tuple[slice, slice]:
    """The rows and columns of a frame within ``reach`` widths of a face."""
    low, high = head.outline.min(0) - reach * head.width, head.outline.max(0) + reach * head.width
    across, down = (
        slice(min(max(math.floor(first), 0), length), min(max(math.ceil(last), 0), length))
        for first, last, length in zip(low.tolist(), high.tolist(), (size[1], size[0]), strict=True)
    )
    return down, across


def _unit(vector: np.ndarray) -> np.ndarray:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
