"""A triangle mesh drawn into cells: what lies nearest to the camera at each, by its corners' values.

On the host, in numpy: a mesh has some hundred triangles and the cells are coarse; pixels are read elsewhere.
"""

from __future__ import annotations

import numpy as np

__all__ = ["draw_mesh"]

_EDGE = 1e-9  # of a triangle: cells on an edge belong to both sides, so that no crack is between them


def draw_mesh(
    corners: np.ndarray, triangles: np.ndarray, values: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """``values`` [V, C] at the centres of size[0] x size[1] cells, float64 [rows, columns, C]; else NaN.

    ``corners`` float64 [V, 3]: column and row in cells (the first has its centre at 0, 0), and depth: of two
    triangles over a cell the one less deep there is drawn. Flat ones (of no area) are not.
    """
    drawn = np.full((*size, values.shape[1]), np.nan)
    a, b, c = (corners[triangles[:, corner]] for corner in range(3))
    area = _cross(b - a, c - a)
    triangles = triangles[area != 0]
    which, rows, columns = _candidates(corners[triangles][..., :2], size)
    area, a, b, c = (part[area != 0][which] for part in (area, a, b, c))
    cell = np.stack([columns, rows], 1) - a[:, :2]
    second, third = _cross(cell, c - a) / area, _cross(b - a, cell) / area
    first = 1 - second - third
    inside = np.minimum(np.minimum(first, second), third) >= -_EDGE
    shares = np.stack([first, second, third], 1)[inside]
    which, rows, columns = which[inside], rows[inside], columns[inside]
    depth = (shares * corners[triangles[which]][..., 2]).sum(1)
    order = np.argsort(-depth, kind="stable")  # the last that is written stays
    mixed = (shares[..., None] * values[triangles[which]]).sum(1)
    drawn[rows[order], columns[order]] = mixed[order]
    return drawn


def _candidates(corners: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each cell in the box around each triangle [K, 3, 2]: the triangle, row and column, int64 each."""
    last = np.array(size)[::-1] - 1
    low = np.clip(np.ceil(corners.min(1)), 0, last + 1).astype(np.int64)
    high = np.clip(np.floor(corners.max(1)), -1, last).astype(np.int64)
    across, down = np.maximum(high - low + 1, 0).T
    counts = across * down
    which = np.repeat(np.arange(len(corners)), counts)
    place = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
    return which, low[which, 1] + place // across[which], low[which, 0] + place % across[which]


def _cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    product: np.ndarray = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    return product
