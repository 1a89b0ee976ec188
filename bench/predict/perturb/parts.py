"""Parts of a clip: as many frames as a step may hold at once, so that memory is bounded for any window."""

from __future__ import annotations

from collections.abc import Iterator

import torch

__all__ = ["parts"]

# Numbers held at a time, whatever the window and the frame size.
_AT_ONCE = 1 << 22
_AT_ONCE_ELSEWHERE = 1 << 25  # what fills any other device than the host


def parts(frames: torch.Tensor, held: int = 1) -> Iterator[slice]:
    """Cut frames [T, ...] into runs of rows, in order; a frame that is too large alone is a part.

    ``held``: how many numbers each value of a frame takes meanwhile; more of them make smaller parts. What is
    computed of a frame must not depend on the others of its part.
    """
    at_once = _AT_ONCE if frames.device.type == "cpu" else _AT_ONCE_ELSEWHERE
    step = max(1, at_once // (held * frames.shape[1:].numel()))
    for start in range(0, len(frames), step):
        yield slice(start, start + step)
