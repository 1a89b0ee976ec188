"""The records that travel through a pipeline: clips in, scores out.

Pixels are uint8 RGB on the chosen device; times, frame numbers and tracks are numpy on the host, since they
steer the loop and are never computed on.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

__all__ = ["Clip", "Sampling", "Scores", "Sound"]


@dataclass(frozen=True)
class Sampling:
    """Which frames of a medium a model looks at; it belongs to the model and enters the key.

    ``rate``: frames per second, the frame nearest to each multiple of 1/rate (None: every frame).
    ``count``: that many frames spread evenly over the whole medium, instead of a rate.
    A still image is one frame under any sampling.
    """

    rate: float | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.count is not None:
            raise ValueError("a sampling has a rate or a count, not both")


@dataclass(frozen=True)
class Sound:
    """Mono sound: ``samples`` float32 [S] in [-1, 1] on the device, ``rate`` in Hz."""

    samples: torch.Tensor
    rate: int


@dataclass(frozen=True)
class Clip:
    """Frames of one medium, all or a window of them, full or cropped to one face.

    ``id``: the target it belongs to, which seeds perturbations. ``frames``: uint8 [T, 3, H, W] RGB.
    ``index``: int64 [T], number of each frame in the medium. ``times``: float64 [T], seconds from its start.
    ``track``: the person, when cropped to one. ``sound``: the whole medium's, where the model asks for it.
    """

    id: str
    frames: torch.Tensor
    index: np.ndarray
    times: np.ndarray
    track: int = 0
    sound: Sound | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return int(self.frames.shape[-2]), int(self.frames.shape[-1])

    def with_frames(self, frames: torch.Tensor) -> Clip:
        """The same clip with other pixels."""
        return replace(self, frames=frames)

    def __len__(self) -> int:
        return int(self.frames.shape[0])


@dataclass(frozen=True)
class Scores:
    """What a model says about one clip: R rows (frames, or windows of frames) of each declared output.

    ``times``: float64 [R], seconds. ``outputs``: "labels" float [R, K], probabilities in the model's label
    order; "valence", "arousal", "dominance", "au_NN" float [R].
    """

    times: np.ndarray
    outputs: dict[str, torch.Tensor] = field(default_factory=dict[str, Any])
