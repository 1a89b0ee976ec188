"""Frames made elsewhere: what is read, in which order it comes back, and what is refused in which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import validate_targets
from bench.tables.frames import read_frames, validate_frames

TARGETS = validate_targets(
    pa.table({"target": ["b", "a"], "label": ["happiness", "sadness"], "subject": ["p", "q"]}),
    Facts(name="made", labels=("happiness", "sadness"), label_space="made-2"),
    "T.csv",
)
ROWS: dict[str, list[Any]] = {
    "target": ["a", "a", "b", "a"],
    "timestamp": [0.5, 0.0, 0.0, 0.5],
    "track": [1, 0, 0, 0],
    "predicted": ["happiness", "sadness", "happiness", "sadness"],
}


def valid(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return validate_frames(pa.table(columns), TARGETS, "F").to_pylist()  # type: ignore[no-any-return]


def test_frames_come_in_the_order_of_targets_times_and_tracks() -> None:
    found = [(r["target"], r["timestamp"], r["track"], r["predicted"]) for r in valid(ROWS)]
    assert found == [
        ("b", 0.0, 0, "happiness"), ("a", 0.0, 0, "sadness"), ("a", 0.5, 0, "sadness"), ("a", 0.5, 1, "happiness"),
    ]  # fmt: skip


def test_text_is_read_as_numbers_and_columns_of_other_names_are_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "F.csv"
    path.write_text("target,timestamp,p_happy,p_sad,box\na,0.04,0.25,0.75,xy\na,0,0.5,0.5,\nb,1e1,1,0,z\n")
    found = read_frames(path, TARGETS)
    assert found.column_names == ["target", "timestamp", "track", "status", "p_happiness", "p_sadness"]
    assert found["timestamp"].to_pylist() == [10.0, 0.0, 0.04]
    assert found["track"].to_pylist() == [0, 0, 0]
    assert found["p_sadness"].to_pylist() == [0.0, 0.5, 0.75]


def test_where_there_are_probabilities_they_decide() -> None:
    columns = {name: ROWS[name][:1] for name in ROWS} | {"p_happy": [0.2], "p_sad": [0.8]}
    assert "predicted" not in valid(columns)[0]


def test_a_frame_without_a_face_needs_neither_track_nor_output_and_may_stand_beside_others() -> None:
    status = ["ok", "no_face", "ok", "no_face"]
    found = valid({**ROWS, "track": [1, None, 0, None], "status": status, "timestamp": [0.5, 0.0, 0.0, 0.0]})
    assert [(r["timestamp"], r["track"], r["status"]) for r in found if r["target"] == "a"] == [
        (0.0, None, "no_face"), (0.0, None, "no_face"), (0.5, 1, "ok"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"timestamp": [0.5, None, 0.0, 0.5]},
         "F row 2: the timestamp is empty or no finite number. Every frame has its time in seconds. Fill it; "
         "frame numbers will do where times are not known."),
        ({"target": ["a", "a", "c", "a"]},
         "F row 3: target 'c' is none of the targets. Every frame is of a target. Correct it, or remove the "
         "frames of other clips."),
        ({"target": ["a", "a", None, "a"]}, "F row 3: target None is none of the targets."),
        ({"track": [1, None, 0, 0]},
         "F row 2: the track is empty and the status is ok. A frame with an output says of which face it is. "
         "Fill it, or leave the column out where every clip has one face."),
        ({"track": [0, 0, 0, 0]},
         "F row 4: target 'a' has face 0 twice at 0.5 s. A face has one row at a time. Remove one of them, or "
         "number the faces in 'track'."),
        ({"track": [0.5, 0, 0, 0]}, "F row 1: column 'track' holds '0.5'."),
        ({"status": ["ok", "seen", "ok", "ok"]}, "F target 'a': status 'seen' is not known."),
        ({"predicted": ["hapiness", "sadness", "sadness", "sadness"]},
         "F row 1: predicted label 'hapiness' is not in the label space made-2."),
        ({"p_happiness": [0.5, 0.5, 0.5, 0.5], "p_sadness": [0.5, 0.5, 0.6, 0.5]},
         "F target 'b': the least probability is 0.5 and they sum to 1.1."),
        ({"valence": [0.1, 3.0, 0.2, 0.1]}, "F target 'a': valence is 3."),
    ],
)  # fmt: skip
def test_what_no_sequence_could_rest_on_is_refused(changed: dict[str, list[Any]], message: str) -> None:
    with pytest.raises(UserError) as error:
        valid({**ROWS, **changed})
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("missing", ["target", "timestamp"])
def test_a_frame_is_of_a_target_at_a_time(missing: str) -> None:
    with pytest.raises(UserError, match=f"F: column '{missing}' is missing"):
        valid({name: column for name, column in ROWS.items() if name != missing})


def test_without_an_output_there_is_nothing_to_follow() -> None:
    with pytest.raises(UserError) as error:
        valid({name: column for name, column in ROWS.items() if name != "predicted"})
    assert str(error.value) == (
        "F: no output column among target, timestamp, track. Frames hold 'p_<label>' columns, 'predicted', valence, "
        "arousal or dominance. Name the columns so."
    )
