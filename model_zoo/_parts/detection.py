"""What detectors of faces by prior boxes share: frames made small enough, and one box kept for each face.

Everything happens on the device of the frames; what leaves it are the rows of the faces kept. It knows no
network: rows are a score, a box and perhaps five points for each cell of each frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from bench.predict.faces import Faces

__all__ = ["find_faces", "portions", "priors", "shrink", "suppress"]

MOST = 5000
"""Rows of one frame that are looked at, best first."""
# A CPU is fastest while one frame stays in its caches.
_FRAMES_AT_ONCE = {"cpu": 1}
_FRAMES_ELSEWHERE, _PIXELS_ELSEWHERE = 32, 1 << 26


def portions(frames: torch.Tensor, most: int | None = None) -> Sequence[torch.Tensor]:
    """Frames [T, 3, H, W] in portions that their device takes at once: on a CPU one, else at most 32.

    ``most``: how many the network takes, where its file says so.
    """
    height, width = frames.shape[-2:]
    fitting = max(1, min(_FRAMES_ELSEWHERE, _PIXELS_ELSEWHERE // (height * width)))
    return frames.split(most or _FRAMES_AT_ONCE.get(frames.device.type, fitting))


def shrink(pixels: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, np.ndarray]:
    """Pixels [T, C, H, W] made no larger than ``height`` x ``width``; and what x and y are to be times.

    One factor for both edges (bilinear, antialiased, float32); smaller pixels are not enlarged.
    """
    old_height, old_width = pixels.shape[-2:]
    factor = min(1.0, height / old_height, width / old_width)
    size = max(1, round(old_height * factor)), max(1, round(old_width * factor))
    small = pixels.float()
    if factor < 1:
        small = F.interpolate(small, size, mode="bilinear", antialias=True)
    return small, np.array([old_width / size[1], old_height / size[0]])


def priors(height: int, width: int, edges: dict[int, Sequence[int]], device: torch.device) -> torch.Tensor:
    """Centre x, centre y and edge of every prior square, float32 [cells, 3], in pixels.

    ``edges``: for each stride the squares' edges. Strides follow each other, in a stride rows, in a row
    columns, in a column edges. Cells share the frame evenly: where the stride does not divide it, they are
    one more and closer together than the stride.

    >>> priors(8, 14, {8: (10, 20)}, torch.device("cpu")).tolist()
    [[3.5, 4.0, 10.0], [3.5, 4.0, 20.0], [10.5, 4.0, 10.0], [10.5, 4.0, 20.0]]
    """
    squares = []
    for stride, sizes in edges.items():
        rows, columns = -(-height // stride), -(-width // stride)
        y, x, edge = torch.meshgrid(
            (torch.arange(rows, device=device) + 0.5) * (height / rows),
            (torch.arange(columns, device=device) + 0.5) * (width / columns),
            torch.tensor(sizes, dtype=torch.float32, device=device),
            indexing="ij",
        )
        squares.append(torch.stack([x, y, edge], 3).reshape(-1, 3))
    return torch.cat(squares)


def find_faces(rows: torch.Tensor, scale: np.ndarray, least: float, most_overlap: float) -> list[Faces]:
    """The faces of each frame, from rows as in ``suppress``; x and y times ``scale``, no points are NaN."""
    frame, kept = suppress(rows, least, most_overlap)
    frames, table = frame.cpu().numpy(), kept.cpu().double().numpy()
    found = []
    for number in range(len(rows)):
        own = table[frames == number]
        points = np.full((len(own), 5, 2), np.nan)
        if own.shape[1] > 5:
            points = own[:, 5:].reshape(-1, 5, 2) * scale
        found.append(Faces(own[:, 1:5] * np.tile(scale, 2), points, own[:, 0]))
    return found


def suppress(rows: torch.Tensor, least: float, most_overlap: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Greedy non-maximum suppression of all frames at once: the frame of each row kept, and that row.

    ``rows``: float [T, cells, 5 + more]: score, x, y, width, height and whatever follows. A row is kept if
    its score is at least ``least`` (above 0) and no better row kept overlaps it (IoU) by more than
    ``most_overlap``; of equal scores the first cell is the better. Kept rows come by frame, best first.
    """
    wanted = rows[..., 0] >= least
    counts = wanted.sum(1)
    frame, cell = torch.nonzero(wanted, as_tuple=True)
    # A table with a line for each frame, padded by rows of score 0.
    slot = torch.arange(len(frame), device=rows.device) - (counts.cumsum(0) - counts)[frame]
    table = rows.new_zeros(len(rows), int(counts.max()), rows.shape[-1])
    table[frame, slot] = rows[frame, cell]
    order = table[..., 0].sort(dim=1, descending=True, stable=True).indices[:, :MOST]
    table = table.gather(1, order[..., None].expand(-1, -1, rows.shape[-1]))

    left = table[..., 0] >= least
    kept = torch.zeros_like(left)
    places = torch.arange(left.shape[1], device=rows.device)
    while left.any():  # once for each face of the frame with the most
        best = left & (places == torch.where(left, places, len(places)).amin(1, keepdim=True))
        kept |= best
        boxes = table[..., 1:5].where(best[..., None], 0).sum(1, keepdim=True)
        left &= ~best & (_overlap(boxes, table[..., 1:5]) <= most_overlap)
    frame, place = torch.nonzero(kept, as_tuple=True)
    return frame, table[frame, place]


def _overlap(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Intersection over union [T, M] of one box for each frame [T, 1, 4] with boxes [T, M, 4]."""
    low = torch.maximum(one[..., :2], other[..., :2])
    high = torch.minimum(one[..., :2] + one[..., 2:], other[..., :2] + other[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    return shared / (one[..., 2:].prod(-1) + other[..., 2:].prod(-1) - shared)
