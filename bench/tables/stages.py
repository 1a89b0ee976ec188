"""Stages: which one lost a target on the way from its medium to a prediction.

The first that did is named, in the order of the pipeline; a target that none lost has null, right or wrong. A
target may be lost and have an output all the same: that of another person's face, say. Unknown words are
refused, and those that contradict the status.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from bench.errors import UserError, nearest

__all__ = ["STAGES", "require_stages"]

STAGES = {
    "decode_error": "the medium does not decode",
    "not_detected": "no face was found, or none that could be the target's",
    "wrong_face": "the face is at another place than the given box: they overlap by less than half",
    "lost_track": "the face was found in fewer than half of the frames",
    "alignment": "the five points are off the given ones by over a tenth of the distance between the eyes",
    "model_error": "the model failed on this input",
}
_STATUS_OF = {"decode_error": "decode_error", "not_detected": "no_face", "model_error": "model_error"}


def require_stages(table: pa.Table, where: str) -> None:
    """UserError for a stage that is unknown, or that stands beside another status than its own."""
    if "stage" not in table.column_names:
        return
    stages, statuses = table["stage"], table["status"]
    unknown = pc.and_(pc.is_valid(stages), pc.invert(pc.is_in(stages, pa.array(STAGES))))
    if (target := _first(table, unknown)) is not None:
        stage = target["stage"]
        raise UserError(
            f"{where} target {target['target']!r}", f"stage {stage!r} is not known.{nearest(stage, STAGES)}",
            f"Allowed: {', '.join(STAGES)}, or empty where none lost the target",
            "Correct the stage; 'stage' is a reserved name, so rename a column of something else",
        )  # fmt: skip
    for stage, status in _STATUS_OF.items():
        beside = pc.and_(pc.equal(stages, stage), pc.not_equal(statuses, status))
        if (target := _first(table, beside)) is not None:
            raise UserError(
                f"{where} target {target['target']!r}",
                f"stage {stage!r} stands beside status {target['status']!r}",
                f"It stands beside status {status!r}", "Correct one of the two",
            )  # fmt: skip


def _first(table: pa.Table, wrong: pa.ChunkedArray) -> dict[str, str] | None:
    """The first row of which this is true."""
    row = pc.index(wrong, pa.scalar(value=True)).as_py()
    return None if row < 0 else table.select(["target", "stage", "status"]).slice(row, 1).to_pylist()[0]
