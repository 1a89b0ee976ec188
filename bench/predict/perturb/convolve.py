"""Convolution of linear light with one kernel of whole numbers, the same bytes on every device.

Sums of integers have no order, so that no batch, window, thread or device moves a pixel. The cost is a
shifted addition for each tap, or for each place where a row of the kernel changes, whichever are fewer: a
disk of radius r costs its outline, not its area.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.lookup import look_up
from bench.predict.perturb.srgb import WHITE, encoded, linear

__all__ = ["LARGEST_SUM", "convolve_light"]

_LIGHT = 16383  # 14 bits tell all 256 bytes apart in linear light, and leave 17 for the kernel

# Kernels that sum to at most this are added in 32 bits, larger ones in 64.
LARGEST_SUM = (2**31 - 1) // _LIGHT

# Pixels added at a time: what stays in a processor's cache, and what fills any other device.
_AT_ONCE = 1 << 18
_AT_ONCE_ELSEWHERE = 1 << 25

Taps = dict[int, list[tuple[int, int]]]  # by row: column and weight of each addition


def convolve_light(clip: Clip, kernel: np.ndarray) -> Clip:
    """Convolve all frames with ``kernel``, int64 [2a + 1, 2b + 1] of at least 0, divided by its sum.

    A point of light becomes the kernel itself, its first row on top. Beyond its edges the frame is mirrored,
    as often as the kernel needs.
    """
    frames = clip.frames
    device, (height, width) = frames.device, frames.shape[-2:]
    up, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    # The column more on the left is what a running sum has seen before its first difference.
    rows = _mirrored(height, up, up, device)
    before, after = _mirrored(width, left + 1, left, device).tensor_split([left + 1, left + 1 + width])[::2]
    taps, running = _taps(kernel[::-1, ::-1])  # each pixel gathers what the kernel spreads
    total = int(kernel.sum())
    whole = torch.int32 if total <= LARGEST_SUM else torch.int64
    light = (linear(device) * _LIGHT).round().to(torch.int32)
    planes = frames.reshape(-1, height, width)
    blurred = torch.empty_like(planes, memory_format=torch.contiguous_format)
    at_once = _AT_ONCE if device.type == "cpu" else _AT_ONCE_ELSEWHERE
    for part, band in _bands(len(planes), height, width, at_once):
        seen = planes[part].index_select(1, rows[band.start : band.stop + 2 * up])
        seen = torch.cat([seen.index_select(2, before), seen, seen.index_select(2, after)], 2)
        values = look_up(light, seen).to(whole)
        if running:
            values = values.cumsum(-1, dtype=whole)  # may wrap: the differences come out right all the same
        counts = (_gathered(values, taps, up, width) * (WHITE / (_LIGHT * total))).round_().to(torch.uint16)
        blurred[part, band] = look_up(encoded(device), counts.view(torch.int16))
    return clip.with_frames(blurred.view(frames.shape))


def _gathered(values: torch.Tensor, taps: Taps, up: int, width: int) -> torch.Tensor:
    """Sum of the weighted values around each pixel; rows alike above and below are added up first."""
    rows = values.shape[1] - 2 * up
    sums = torch.zeros_like(values[:, :rows, :width], memory_format=torch.contiguous_format)
    for y, places in taps.items():
        alike = y != up and taps.get(2 * up - y) == places
        if alike and y > up:
            continue
        line = values[:, y : y + rows]
        if alike:
            line = line + values[:, 2 * up - y : 2 * up - y + rows]
        for x, weight in places:
            sums.add_(line[..., x : x + width], alpha=weight)
    return sums


def _bands(count: int, height: int, width: int, at_once: int) -> Iterator[tuple[slice, slice]]:
    """Cut ``count`` planes into parts of ``at_once`` pixels: some planes, or some rows of one."""
    planes, rows = max(1, at_once // (height * width)), min(height, max(1, at_once // width))
    for first in range(0, count, planes):
        for top in range(0, height, rows):
            yield slice(first, first + planes), slice(top, min(top + rows, height))


def _mirrored(size: int, before: int, after: int, device: torch.device) -> torch.Tensor:
    """Places within ``size`` for those from -``before`` to ``size`` + ``after``, edges repeated, int64."""
    places = torch.arange(-before, size + after, device=device).remainder_(2 * size)
    return torch.minimum(places, 2 * size - 1 - places)


def _taps(kernel: np.ndarray) -> tuple[Taps, bool]:
    """Columns and weights of each row's additions, and whether they are of running sums along the rows."""
    steps = -np.diff(kernel, axis=1, prepend=0, append=0)
    running = bool(np.count_nonzero(steps) < np.count_nonzero(kernel))
    # Value x stands at x + 1 of the frame with its column more, the sum of all before it at x.
    weights, first = (steps, 0) if running else (kernel, 1)
    taps: Taps = {}
    for y, x in np.argwhere(weights).tolist():
        taps.setdefault(y, []).append((x + first, int(weights[y, x])))
    return taps, running
