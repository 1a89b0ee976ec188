"""Head pose: three angles of a face in the picture, and the one place that says their signs.

All in degrees, about the axes of the head seen in the picture, as the viewer sees it:

- **yaw** above 0: the face turns to the picture's right (the person's left, unless the picture is mirrored);
- **pitch** above 0: the face turns up;
- **roll** above 0: the head tilts clockwise, its top towards the picture's right.

A mirrored picture changes the sign of yaw and roll. 0 is a face that looks along the camera's axis where it
stands; nothing here knows the camera. It refuses nothing: what is no face gets angles too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from bench.predict.align import cut

__all__ = ["Pose", "mean_angles"]


_AT_ONCE = 64  # crops: of more, a network's memory grows and its speed does not


class Pose(Protocol):
    """A head pose network, what ``build`` of a zoo entry of kind "pose" returns.

    ``size``: edge of the square crop it sees, in pixels. ``version`` goes up whenever angles change for the
    same weights.
    """

    @property
    def size(self) -> int:
        """Edge of the crop, in pixels."""
        ...

    @property
    def version(self) -> int:
        """The version of all that is done to a crop."""
        ...

    def squares(self, boxes: np.ndarray) -> np.ndarray:
        """The upright square to cut for each box [N, 4], complex128 [N, 2] as ``align.cut`` takes it."""
        ...

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        """Yaw, pitch and roll, float32 [N, 3] in degrees, of crops uint8 [N, 3, size, size] RGB."""
        ...


def mean_angles(
    networks: Sequence[Pose], scenes: Sequence[tuple[torch.Tensor, np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Yaw, pitch and roll of every face, float64 [N, 3] in degrees: the mean over the networks.

    ``scenes``: frames uint8 [T, 3, H, W]; the frame of each face int64 [n]; its box [n, 4], or the square to
    see [n, 2], complex, where that is known. N is the sum of n.
    """
    angles = []
    for network in networks:
        crops = [
            cut(frames, which, place if np.iscomplexobj(place) else network.squares(place), network.size)
            for frames, which, place in scenes
        ]
        parts = torch.split(torch.cat(crops), _AT_ONCE)
        angles.append(np.concatenate([network(part).double().cpu().numpy() for part in parts]))
    mean: np.ndarray = np.mean(angles, 0)
    return mean
