"""The scale of predicted affect: [-1, 1] as that of the targets, a little overshoot of a regression allowed.

One check for predictions read from a table, made by a run, or drawn from a model by ``zoo check``. What lies
beyond was made on another scale and is refused; nothing is rescaled or clipped.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.errors import UserError
from bench.tables.targets import AFFECT

__all__ = ["require_scale"]

_LIMIT = 2


def require_scale(name: str, values: np.ndarray, where: Callable[[int], str]) -> None:
    """Raise UserError for the first value of valence, arousal or dominance (N,) beyond [-2, 2]; NaN passes.

    ``where(row)`` says where a value stands. An output of another name has no scale.
    """
    for row in np.flatnonzero(abs(values) > _LIMIT)[:1] if name in AFFECT else ():
        raise UserError(
            where(int(row)), f"{name} is {values[row]:g}",
            f"{name} lies in [-1, 1], and a regression that overshoots in [-2, 2]",
            "Rescale the column to [-1, 1]",
        )  # fmt: skip
