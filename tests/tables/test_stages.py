"""A stage is a known word that does not contradict the status."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import validate_predictions, validate_targets
from bench.tables.stages import STAGES

NAMES = ["a", "b"]


def read(stages: list[str | None], statuses: list[str]) -> pa.Table:
    targets = validate_targets(pa.table({"target": NAMES, "label": ["fear", "joy"]}), Facts(name="t"), "T")
    columns = {"target": NAMES, "status": statuses, "predicted": ["fear", "fear"], "stage": stages}
    return validate_predictions(pa.table(columns), targets, "P")


@pytest.mark.parametrize("stage", ["wrong_face", "lost_track", "alignment"])
def test_a_target_may_be_lost_and_have_an_output(stage: str) -> None:
    assert read([stage, None], ["ok", "ok"])["stage"].to_pylist() == [stage, None]
    assert read([stage, ""], ["abstained", "no_face"])["stage"].to_pylist() == [stage, None]


def test_every_stage_stands_beside_its_status() -> None:
    status = {"decode_error": "decode_error", "not_detected": "no_face", "model_error": "model_error"}
    for stage in STAGES:
        assert read([None, stage], ["ok", status.get(stage, "ok")])["stage"].to_pylist() == [None, stage]


def test_what_is_no_stage() -> None:
    with pytest.raises(UserError) as refused:
        read([None, "lost_trak"], ["ok", "ok"])
    assert str(refused.value) == (
        "P target 'b': stage 'lost_trak' is not known. Did you mean 'lost_track'? Allowed: decode_error, "
        "not_detected, wrong_face, lost_track, alignment, model_error, or empty where none lost the target. "
        "Correct the stage; 'stage' is a reserved name, so rename a column of something else."
    )
    with pytest.raises(UserError) as refused:
        read(["not_detected", None], ["ok", "ok"])
    assert str(refused.value) == (
        "P target 'a': stage 'not_detected' stands beside status 'ok'. It stands beside status 'no_face'. Correct "
        "one of the two."
    )
