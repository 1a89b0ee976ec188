"""Out-of-plane pose: heads turned or nodded, by their fitted surface, before the scene they were filmed in.

The face is read off the picture and drawn again where its turned surface lies, nearest first, without
perspective. It is the middle of a mesh that goes on around it in rings over hair, ears and neck, whose share
in the movement falls to none, and whose last ring, at twice the size of the face, stays: so what stood beside
the head is pressed or stretched and no hole can open. What the camera did not see, the far cheek of a turned
head, is smeared from what was seen at its edge; light and gaze turn with the head. Where faces stand close,
each is moved a little by the rings of the others. Networks see less than is asked: FSA-Net about .8 of a turn
and .4 of a nod, the mesh network found anew .65 and .7 (tests/zoo/test_head_pose.py).
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import torch
from torch.nn.functional import grid_sample, interpolate

from bench.predict.perturb.face import FaceClip
from bench.predict.perturb.perturbation import Perturbation
from bench.predict.perturb.raster import draw_mesh
from bench.predict.perturb.stream import Stream
from bench.predict.perturb.surface import RIM
from bench.predict.perturb.triangles import TRIANGLES

__all__ = ["PITCH", "YAW"]

# The rings around the rim: how far out, in distances of the rim from its middle, how much they share in the
# turn, and how far behind the rim they lie, in widths of the face.
_RINGS = ((1.12, 0.9, 0.03), (1.3, 0.55, 0.06), (1.6, 0.2, 0.06), (2.0, 0.0, 0.06))
_COVERED = 9.0  # widths of the face by which a ring lies behind what is inside of it when they are drawn
_MOST_TURNED = 20.0  # degrees
_CELLS = 128  # to the width of a face, where displacements are drawn; pixels read between them


def yaw(faces: FaceClip, degrees: float, stream: Stream) -> FaceClip:
    """Turn every head by ``degrees`` to the left or to the right, about its own upright axis.

    A head that is turned by more than 20 degrees as it is stays so: half of its other side was not seen.
    """
    return _turn(faces.only(np.abs(_turned_by(faces.meshes)) <= _MOST_TURNED), degrees, stream, (0.0, 1.0))


def pitch(faces: FaceClip, degrees: float, stream: Stream) -> FaceClip:
    """Turn every head by ``degrees`` up or down, about the line from cheek to cheek."""
    return _turn(faces, degrees, stream, (1.0, 0.0))


def _turn(faces: FaceClip, degrees: float, stream: Stream, about: tuple[float, float]) -> FaceClip:
    """Turn every head about an axis of its own: ``about`` is across and down, as seen of an upright face.

    A mesh of no width has no axis, and its face stays as it is.
    """
    faces = faces.only(faces.widths > 0)
    angle = math.radians(degrees) * (1 if stream.uniform("sense") < 0.5 else -1)
    frames = faces.clip.frames.clone()
    for frame in np.unique(faces.which).tolist():
        moves = [_move(faces, face, angle, about) for face in np.flatnonzero(faces.which == frame).tolist()]
        frames[frame] = _read(faces.clip.frames[frame], [move for move in moves if move is not None])
    return faces.with_frames(frames.contiguous())


def _turned_by(meshes: np.ndarray) -> np.ndarray:
    """The yaw in degrees of the line from cheek to cheek, float64 [N]; signs as in ``mesh_angles``."""
    x, y, depth = np.moveaxis(meshes[:, 454] - meshes[:, 234], -1, 0)
    angles: np.ndarray = np.degrees(np.arctan2(depth, np.hypot(x, y)))
    return angles


Move = tuple[slice, slice, torch.Tensor]
"""Rows and columns of a frame, and from how far across and down each of them is read, float32 [2, h, w]."""


def _move(faces: FaceClip, face: int, angle: float, about: tuple[float, float]) -> Move | None:
    """Where the pixels about a face come from once it is turned; None where it is not in the frame."""
    mesh, width = faces.meshes[face], float(faces.widths[face])
    # Half way from the neck's joint to the middle of the face: hair and neck stay about where they were, and
    # so does the face, as an aligned crop of it is not cut anew.
    middle = (faces.middles[face] + mesh.mean(0)) / 2
    seen, share = _with_rings(mesh, width)
    turned = seen + share[:, None] * ((seen - middle) @ (_rotation(mesh, angle, about).T - np.eye(3)))
    size, ends = faces.clip.frames.shape[-2:], []
    for axis in (1, 0):
        low, high = turned[:, axis].min(), turned[:, axis].max()
        ends.append(slice(max(0, math.floor(low)), min(size[1 - axis], math.ceil(high))))
    rows, columns = ends
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    counts = [max(1, math.ceil((end.stop - end.start) * min(1.0, _CELLS / width))) for end in (columns, rows)]
    steps = np.array(
        [(end.stop - end.start) / count for end, count in zip((columns, rows), counts, strict=True)]
    )
    first = np.array([columns.start, rows.start]) + steps / 2
    depth = turned[:, 2] + width * _COVERED * _ORDER
    corners = np.column_stack([(turned[:, :2] - first) / steps, depth])
    drawn = draw_mesh(corners, _MESH, seen[:, :2] - turned[:, :2], (counts[1], counts[0]))
    moved = torch.tensor(np.nan_to_num(drawn).astype(np.float32), device=faces.clip.frames.device)
    sized = [end.stop - end.start for end in ends]
    return rows, columns, interpolate(moved.movedim(-1, 0)[None], sized, mode="bilinear")[0]


def _with_rings(mesh: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """The points of a face and of the rings around it, float64 [V, 3], and their shares in the turn [V]."""
    rim = mesh[RIM]
    centre = rim.mean(0)
    rings = [
        np.column_stack([centre[:2] + out * (rim - centre)[:, :2], rim[:, 2] + behind * width])
        for out, _, behind in _RINGS
    ]
    shares = [np.ones(len(mesh)), *(np.full(len(rim), share) for _, share, _ in _RINGS)]
    return np.concatenate([mesh, *rings]), np.concatenate(shares)


def _ring_triangles() -> np.ndarray:
    """The triangles of the face and those between its rim and the rings, int64 [K, 3]."""
    count, made = len(RIM), [TRIANGLES]
    rings = [np.array(RIM), *(468 + count * ring + np.arange(count) for ring in range(len(_RINGS)))]
    for inner, outer in pairwise(rings):
        after, beyond = np.roll(inner, -1), np.roll(outer, -1)
        made += [np.stack([inner, outer, beyond], 1), np.stack([inner, beyond, after], 1)]
    return np.concatenate(made)


_MESH = _ring_triangles()
_ORDER = np.repeat(np.arange(len(_RINGS) + 1), [468, *[len(RIM)] * len(_RINGS)])


def _rotation(mesh: np.ndarray, angle: float, about: tuple[float, float]) -> np.ndarray:
    """The rotation by an angle about an axis of the face in the picture plane, [3, 3] (Rodrigues)."""
    level = (mesh[454] - mesh[234])[:2] / math.hypot(*(mesh[454] - mesh[234])[:2])
    x, y = about[0] * level + about[1] * np.array([-level[1], level[0]])
    skew = np.array([[0, 0, y], [0, 0, -x], [-y, x, 0]])
    matrix: np.ndarray = np.eye(3) + math.sin(angle) * skew + (1 - math.cos(angle)) * skew @ skew
    return matrix


def _read(frame: torch.Tensor, moves: list[Move]) -> torch.Tensor:
    """A frame [3, H, W] with the pixels of moved parts read bilinearly; where parts overlap, moves add up."""
    height, width = frame.shape[-2:]
    if not moves:
        return frame
    rows, columns = (
        slice(min(end.start for end in ends), max(end.stop for end in ends))
        for ends in ([move[0] for move in moves], [move[1] for move in moves])
    )
    y = torch.arange(rows.start, rows.stop, dtype=torch.float32, device=frame.device) + 0.5
    x = torch.arange(columns.start, columns.stop, dtype=torch.float32, device=frame.device) + 0.5
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"))
    for down, across, moved in moves:
        top, left = down.start - rows.start, across.start - columns.start
        places[:, top : top + moved.shape[1], left : left + moved.shape[2]] += moved
    grid = torch.stack([places[0] * (2 / width) - 1, places[1] * (2 / height) - 1], -1)[None]
    read = grid_sample(
        frame.to(torch.float32)[None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    result = frame.clone()
    result[:, rows, columns] = read[0].round_().to(torch.uint8)
    return result


YAW = Perturbation(
    name="yaw",
    version=1,
    levels=(7.5, 15.0, 22.5, 30.0, 37.5),
    unit="degrees to the left or right",
    source=(
        "a range chosen here: half steps of the 15 degrees between the cameras of Multi-PIE (Gross et al. "
        "2010, doi:10.1016/j.imavis.2009.08.002), as far as little is smeared that no camera saw; pictures "
        "turned so by a mesh of head and background: Zhu et al. 2016, doi:10.1109/CVPR.2016.23"
    ),
    apply=yaw,
    turns_face=True,
)

PITCH = Perturbation(
    name="pitch",
    version=1,
    levels=(6.0, 12.0, 18.0, 24.0, 30.0),
    unit="degrees up or down",
    source=(
        "a range chosen here: even steps to 30 degrees, two thirds of the normal flexion and extension of "
        "the neck, 45 each (American Academy of Orthopaedic Surgeons 1965, Joint Motion)"
    ),
    apply=pitch,
    turns_face=True,
)
