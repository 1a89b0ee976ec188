"""The surface of fitted faces: which way it looks, and values of its points spread over the picture.

Light and shade know the face by these two alone, so that nothing is drawn with an edge: what is spread is
smooth and goes on beyond the mesh, over ears and hair, where it gives way to what is said of all else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch.nn.functional import grid_sample

from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.triangles import TRIANGLES

__all__ = ["RIM", "normals", "spread"]

# The oval of the face, the ends of the mesh: from the forehead over the camera's right cheek to the chin.
RIM = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176,
    149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
]  # fmt: skip

# In widths of a face: a point's value is spread as far as the next points, and a little of it further out.
_NEAR, _FAR, _SHARE = 0.045, 0.12, 0.02
_ELSE = 0.01  # weight of what is said of all else; it wins about .3 widths beyond the mesh
_REACH, _CELLS = 0.75, 128  # half the square that is drawn, beyond the mesh; cells along its edge

_MEMBERS = (TRIANGLES[None] == np.arange(468)[:, None, None]).any(-1).astype(np.float64)  # points, triangles


def normals(meshes: np.ndarray) -> np.ndarray:
    """Unit vectors that point out of the surface at every point, float64 [N, 468, 3], of such meshes.

    Means over the triangles of a point, weighted by their areas; zero where these cancel.
    """
    a, b, c = (meshes[:, corner] for corner in TRIANGLES.T)
    sums = _MEMBERS @ np.cross(c - a, b - a)
    lengths = np.linalg.norm(sums, axis=-1, keepdims=True)
    units: np.ndarray = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0)
    return units


def spread(faces: FaceClip, values: np.ndarray, elsewhere: float) -> Iterator[tuple[int, torch.Tensor]]:
    """Spread ``values`` [N, 468] over the frames that have faces: each with its map, float32 [H, W].

    At each pixel the mean over the points of all faces of a frame, weighted by two Gaussians of the distance,
    and over ``elsewhere``, which is what is left far from them.
    """
    frames = faces.clip.frames
    height, width = frames.shape[-2:]
    for frame in np.unique(faces.which).tolist():
        total = frames.new_full((height, width), elsewhere * _ELSE, dtype=torch.float32)
        weight = frames.new_full((height, width), _ELSE, dtype=torch.float32)
        for face in np.flatnonzero(faces.which == frame).tolist():
            square = _square(faces, face)
            rows, columns = _inside(square, height, width)
            if rows.start < rows.stop and columns.start < columns.stop:
                part = _read(_splat(faces, face, values[face], square), square, rows, columns)
                total[rows, columns] += part[0]
                weight[rows, columns] += part[1]
        yield frame, total.div_(weight)


def _square(faces: FaceClip, face: int) -> tuple[float, float, float]:
    """The middle and half the edge of the square about a face beyond which nothing is spread."""
    low, high = faces.meshes[face, :, :2].min(0), faces.meshes[face, :, :2].max(0)
    across, down = ((low + high) / 2).tolist()
    return across, down, float((high - low).max() / 2 + _REACH * faces.widths[face])


def _inside(square: tuple[float, float, float], height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns of a frame whose pixel centres lie in a square."""
    across, down, half = square
    ends = []
    for middle, size in ((down, height), (across, width)):
        first, last = math.ceil(middle - half - 0.5), math.floor(middle + half - 0.5)
        ends.append(slice(min(max(first, 0), size), min(max(last + 1, 0), size)))
    return ends[0], ends[1]


def _splat(
    faces: FaceClip, face: int, values: np.ndarray, square: tuple[float, float, float]
) -> torch.Tensor:
    """Sums of values times weight, and of weights, in the cells of the square: float32 [2, cells, cells].

    A Gaussian is a product of one along and one across, so that a product of matrices sums over the points.
    """
    device, (across, down, half) = faces.clip.frames.device, square
    points = torch.tensor(faces.meshes[face, :, :2].tolist(), dtype=torch.float32, device=device)
    held = torch.tensor([values.tolist(), [1.0] * len(values)], dtype=torch.float32, device=device)
    cells = (torch.arange(_CELLS, device=device) + 0.5) * (2 * half / _CELLS) - half
    width, sums = float(faces.widths[face]), held.new_zeros((2, _CELLS, _CELLS))
    for size, share in ((_NEAR * width, 1.0), (_FAR * width, _SHARE)):
        x, y = (
            (((cells + middle)[None] - points[:, axis, None]) / size).square().mul_(-0.5).exp_()
            for axis, middle in ((0, across), (1, down))
        )
        sums += share * ((held[:, None, :] * y.T) @ x)
    return sums


def _read(
    cells: torch.Tensor, square: tuple[float, float, float], rows: slice, columns: slice
) -> torch.Tensor:
    """Cells of a square at the centres of pixels, bilinearly, float32 [2, rows, columns]."""
    across, down, half = square
    x = (torch.arange(columns.start, columns.stop, device=cells.device) + (0.5 - across)) / half
    y = (torch.arange(rows.start, rows.stop, device=cells.device) + (0.5 - down)) / half
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[None]
    return grid_sample(cells[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0]
