"""Stages: how far targets come on the way from a medium to the right label; the funnel.

Each row is where it was lost: its medium did not decode, no face was found, or another than the given one,
the face in too few frames, its points off the given ones, no output; or it came through, with a wrong output
or the right label. Shares are of the rows that decode, that of these of all; of those with the right label,
of the rows with a label. A row that was lost counts as lost though the model may have an answer, even a right
one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.judge.kernels import Counts
from bench.judge.rows import DECODE_ERROR, UNDECIDED, Rows

__all__ = ["FUNNEL", "reached", "stages"]

FUNNEL = {
    "funnel_decoded": "",
    "funnel_face": "",
    "funnel_right_face": "box",
    "funnel_followed": "",
    "funnel_aligned": "points",
    "funnel_predicted": "",
    "funnel_right": "label",
}
"""The steps in their order, and the column of targets without which nothing is known of a step."""

_STEPS = len(FUNNEL) + 1
_SAYS = (
    "decode", "have a face found", "have the face at the given box, by half of it or more",
    "have the face in half of the frames or more",
    "have its five points within a tenth of the distance between the eyes of the given ones",
    "have an output", "have the right label",
)  # fmt: skip


def stages(rows: Rows) -> Counts:
    """How many steps each row took, 2 x 8: rows without a label, with one."""
    assert rows.lost is not None, "a metric of stages is refused where there are none"
    through = 6 + (rows.correct & (rows.truth >= 0))
    steps = np.where(rows.outcome > UNDECIDED, 5, through)
    steps = np.where(rows.lost > 0, rows.lost, steps)
    steps = np.where(rows.outcome == DECODE_ERROR, 0, steps)
    return Counts((rows.truth >= 0) * _STEPS + steps, (2, _STEPS))


def reached(name: str) -> Callable[[Any], tuple[Any, Any]]:
    """The formula of a step: (rows that took it, rows that could have)."""
    step = list(FUNNEL).index(name) + 1

    def formula(counts: Any) -> tuple[Any, Any]:
        rows = counts[..., 1, :] if FUNNEL[name] == "label" else counts.sum(axis=-2)
        return rows[..., step:].sum(axis=-1), rows[..., min(step - 1, 1) :].sum(axis=-1)

    of = "all rows" if step == 1 else "the rows that decode" + ", of those with a label" * (step == 7)
    formula.__doc__ = f"The rows that {_SAYS[step - 1]} and were lost by no stage before, among {of}."
    return formula
