"""Planar viewpoint: where the camera stands and points, as far as one picture can tell it.

Each is a map of the picture plane, the same for all frames of a clip, about the centre of the frame, with x
to the right and y down in pixels. Out-of-plane pose needs the surface of the head: ``head_pose``.

Where nothing was filmed, the nearest filmed pixel is repeated. A reflection would show a second face, and
grey or black a straight edge that no room has and that gives the angle away. A subject that the frame's edge
cuts is smeared out there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch.nn.functional import grid_sample

from bench.predict.clip import Clip
from bench.predict.perturb.parts import parts
from bench.predict.perturb.perturbation import Moves, Perturbation, percent
from bench.predict.perturb.srgb import count_light, encode_counts
from bench.predict.perturb.stream import Stream

__all__ = ["CAMERA_TILT", "DISTANCE", "FIELD_OF_VIEW", "OFF_CENTRE", "ROLL"]

# Degrees from corner to corner, so that the shape of the frame does not matter: a webcam's (Logitech C920).
FIELD_OF_VIEW = 78.0

_BAND = 1 << 20  # points of the map held at once
_HELD = 8  # parts this much smaller than those of plain noise stay in a processor's cache


def roll(clip: Clip, degrees: float, stream: Stream) -> Clip:
    """Turn the picture about its centre by ``degrees``, to the left or to the right."""
    return _remap(clip, _turn(clip.frames.shape[-2:], degrees, stream))


def _turn(_size: Sequence[int], degrees: float, stream: Stream) -> np.ndarray:
    angle = math.radians(degrees) * (1 if stream.uniform("sense") < 0.5 else -1)
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def tilt_camera(clip: Clip, degrees: float, stream: Stream) -> Clip:
    """Turn the camera away from its subject by ``degrees`` in any direction, and keep the subject centred.

    What was at the centre stays there, as in a crop of a wider picture, so that the projection changes and
    the framing does not: the side away from the axis is stretched. A camera that turns about its pinhole sees
    no parallax, so this is exact for a scene of any depth. At the centre, scale grows by 1/cos^2 in the
    direction and by 1/cos across (1.49 and 1.22 at 35 degrees).
    """
    return _remap(clip, _tilt(clip.frames.shape[-2:], degrees, stream))


def _tilt(size: Sequence[int], degrees: float, stream: Stream) -> np.ndarray:
    height, width = size
    focal = math.hypot(height, width) / 2 / math.tan(math.radians(FIELD_OF_VIEW / 2))
    angle, direction = math.radians(degrees), 2 * math.pi * stream.uniform("direction")
    cos, sin = math.cos(direction), math.sin(direction)
    shift = focal * math.tan(angle)
    crop = np.array([[1.0, 0.0, shift * cos], [0.0, 1.0, shift * sin], [0.0, 0.0, 1.0]])
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    back = np.array(
        [[math.cos(angle), 0.0, -math.sin(angle)], [0.0, 1.0, 0.0], [math.sin(angle), 0.0, math.cos(angle)]]
    )
    lens = np.diag([focal, focal, 1.0])
    matrix: np.ndarray = lens @ turn @ back @ turn.T @ np.linalg.inv(lens) @ crop
    return matrix


def recede(clip: Clip, factor: float, _stream: Stream) -> Clip:
    """Move the whole scene ``factor`` times as far: 1/factor as large about the centre.

    Each pixel takes the mean linear light of the ``factor`` x ``factor`` pixels it covers, as a sensor does.
    """
    frames = clip.frames
    rows, columns = (_repeated(size, factor, frames.device) for size in frames.shape[-2:])
    far = torch.empty_like(frames, memory_format=torch.contiguous_format)
    for part in parts(frames, _HELD):
        near = count_light(frames[part])
        small = _average_rows(_average_rows(near, factor).mT.contiguous(), factor).mT
        far[part] = encode_counts(small).index_select(3, columns).index_select(2, rows)
    return clip.with_frames(far)


def move_off_centre(clip: Clip, share: float, stream: Stream) -> Clip:
    """Move the picture by ``share`` of its width and height in any direction, by whole pixels.

    Whole pixels, so that the place changes and the sharpness does not.
    """
    frames = clip.frames
    height, width = frames.shape[-2:]
    right, down = _shift((height, width), share, stream)
    top, bottom = max(down, 0), height + min(down, 0)
    left, end = max(right, 0), width + min(right, 0)
    moved = torch.empty_like(frames, memory_format=torch.contiguous_format)
    moved[..., top:bottom, left:end] = frames[..., top - down : bottom - down, left - right : end - right]
    moved[..., top:bottom, :left] = moved[..., top:bottom, left : left + 1]
    moved[..., top:bottom, end:] = moved[..., top:bottom, end - 1 : end]
    moved[..., :top, :] = moved[..., top : top + 1, :]
    moved[..., bottom:, :] = moved[..., bottom - 1 : bottom, :]
    return clip.with_frames(moved)


def _shift(size: tuple[int, int], share: float, stream: Stream) -> tuple[int, int]:
    """How far to the right and down, in pixels."""
    height, width = size
    direction = 2 * math.pi * stream.uniform("direction")
    return round(share * width * math.cos(direction)), round(share * height * math.sin(direction))


def _move_by(matrix: Callable[[Sequence[int], float, Stream], np.ndarray]) -> Moves:
    """Where points go under a map that says where each pixel is read."""

    def moves(points: np.ndarray, size: tuple[int, int], amount: float, stream: Stream) -> np.ndarray:
        height, width = size
        middle = np.array([width / 2, height / 2])
        there = np.column_stack([points - middle, np.ones(len(points))])
        there = there @ np.linalg.inv(matrix(size, amount, stream)).T
        moved: np.ndarray = there[:, :2] / there[:, 2:] + middle
        return moved

    return moves


def _recede_points(points: np.ndarray, size: tuple[int, int], factor: float, _stream: Stream) -> np.ndarray:
    middle = np.array([size[1] / 2, size[0] / 2])
    moved: np.ndarray = (points - middle) / factor + middle
    return moved


def _shift_points(points: np.ndarray, size: tuple[int, int], share: float, stream: Stream) -> np.ndarray:
    moved: np.ndarray = points + np.array(_shift(size, share, stream), np.float64)
    return moved


def _remap(clip: Clip, matrix: np.ndarray) -> Clip:
    """Read each pixel, bilinearly, where ``matrix`` [3, 3] says that it was; halves round to even.

    It takes homogeneous coordinates from the frame's centre. No map here shrinks a picture by more than 1.75,
    and that at the edge alone (a camera tilted by 35 degrees), so that nothing is averaged.
    """
    frames = clip.frames
    height, width = frames.shape[-2:]
    seen = torch.empty_like(frames, memory_format=torch.contiguous_format)
    grids = list(_grids(matrix, height, width, frames.device))
    for part in parts(frames, _HELD):
        # All frames share the map, so that they are channels of one picture to grid_sample.
        layers = frames[part].to(torch.float32).reshape(1, -1, height, width)
        for rows, grid in grids:
            read = grid_sample(layers, grid, mode="bilinear", padding_mode="border", align_corners=False)
            seen[part, :, rows] = read.round_().to(torch.int32).view(-1, 3, read.shape[-2], width)
    return clip.with_frames(seen)


def _grids(
    matrix: np.ndarray, height: int, width: int, device: torch.device
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Yield bands of rows and where each pixel of them is read, float32 [1, rows, width, 2] in [-1, 1]."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    x = torch.arange(width, dtype=torch.float64, device=device).add_(0.5 - width / 2)
    step = max(1, _BAND // width)
    for start in range(0, height, step):
        rows = slice(start, min(start + step, height))
        y = torch.arange(rows.start, rows.stop, dtype=torch.float64, device=device)
        y = y.add_(0.5 - height / 2)[:, None]
        depth = x * g + (y * h + i)
        across = (x * a + (y * b + c)).div_(depth).mul_(2 / width).to(torch.float32)
        down = (x * d + (y * e + f)).div_(depth).mul_(2 / height).to(torch.float32)
        yield rows, torch.stack((across, down), dim=-1)[None]


def _touched(size: int, factor: float) -> range:
    """The rows of a receded picture that show more than its repeated edge, and one more each way."""
    centre = size / 2
    first, end = math.floor(centre - centre / factor), math.ceil(centre + centre / factor)
    return range(max(0, first - 1), min(size, end + 1))


def _repeated(size: int, factor: float, device: torch.device) -> torch.Tensor:
    """Which of the touched rows stands in each row of the frame, int64 [size]."""
    touched = _touched(size, factor)
    return torch.arange(size, device=device).clamp_(touched[0], touched[-1]).sub_(touched[0])


def _average_rows(picture: torch.Tensor, factor: float) -> torch.Tensor:
    """Average [..., H, W] over ``factor`` rows for each touched row, with parts of rows at either end."""
    size = picture.shape[-2]
    touched = _touched(size, factor)
    row = torch.arange(touched[0], touched[-1] + 1, dtype=torch.float64, device=picture.device)
    low = (row - size / 2) * factor + size / 2
    mean = picture.new_zeros((*picture.shape[:-2], len(touched), picture.shape[-1]))
    for step in range(math.ceil(factor) + 1):
        cell = low.floor() + step
        weight = (torch.minimum(low + factor, cell + 1) - torch.maximum(low, cell)).clamp_(min=0) / factor
        taken = picture.index_select(-2, cell.clamp(0, size - 1).to(torch.int64))
        mean.addcmul_(taken, weight.to(torch.float32)[:, None])
    return mean


ROLL = Perturbation(
    name="roll",
    version=1,
    levels=(9.0, 18.0, 27.0, 36.0, 45.0),
    unit="degrees in the picture plane",
    source=(
        "a range chosen here: even steps to 45 degrees, the normal lateral flexion of the neck (American "
        "Academy of Orthopaedic Surgeons 1965, Joint Motion)"
    ),
    apply=roll,
    moves=_move_by(_turn),
)

CAMERA_TILT = Perturbation(
    name="camera_tilt",
    version=1,
    levels=(7.0, 14.0, 21.0, 28.0, 35.0),
    unit="degrees off axis, of a camera of 78 degrees from corner to corner",
    source=(
        "a range chosen here: even steps to a face at the side edge of a webcam's 16:9 picture (Logitech "
        "C920: 78 degrees from corner to corner, so 35 degrees off axis); such faces: Shih et al. 2019, "
        "doi:10.1145/3306346.3322948"
    ),
    apply=tilt_camera,
    moves=_move_by(_tilt),
)

DISTANCE = Perturbation(
    name="distance",
    version=1,
    levels=(1.41, 2.0, 2.83, 4.0, 5.66),
    unit="times as far",
    source=(
        "a range chosen here: powers of the square root of 2, each with half the area of face. People lose "
        "expressions below 20 x 30 pixels of face (Du and Martinez 2011, doi:10.1167/11.13.24); a crop of 48 "
        "pixels has 12 at severity 4"
    ),
    apply=recede,
    destroys_label_from=4,
    random=False,
    moves=_recede_points,
)

OFF_CENTRE = Perturbation(
    name="off_centre",
    version=1,
    levels=(0.05, 0.10, 0.15, 0.20, 0.30),
    unit="% of the frame's width and height",
    shown=percent,
    source=(
        "a range chosen here about the sixth by which the rule of thirds sets a subject off centre; at 0.3 a "
        "crop may lose the mouth, which stands at about three quarters of its height"
    ),
    apply=move_off_centre,
    moves=_shift_points,
    destroys_label_from=5,
)
