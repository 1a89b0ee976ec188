"""Near misses of reserved columns are refused, honest names pass, and one that is there is never missed."""

from __future__ import annotations

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import validate_targets
from bench.tables.targets import RESERVED

SLIPS = {
    "media": ("meida", "Media", "medai", "medias", "media "),
    "subject": ("subjct", "subjet", "Subject", "SUBJECT", "subjects", "subject_id", "subejct", "sbject"),
    "label": ("label_id", "lable", "labels", "Label", "lbel", "labell"),
    "valence": ("valance", "valense", "valenc", "Valence"),
    "arousal": ("arousel", "arrousal", "arousl"),
    "dominance": ("dominence", "domniance", "dominanc"),
    "audio": ("aduio", "audoi", "Audio"),
    "weight": ("weigth", "wieght", "weights", "wight"),
    "votes": ("vote", "vtoes", "Votes"),
    "clip": ("cilp", "clips", "Clip", "clip_id"),
    "frame": ("fraem", "farme", "Frame"),
    "split": ("spilt", "slpit", "splits"),
    "fold": ("flod", "folds"),
    "sha256": ("sha_256", "SHA256"),
    "audio_sha256": ("audio_sha265",),
    "media_bytes": ("media_byte", "mediabytes"),
    "box": ("bbox", "Box", "bxo"),
    "points": ("point", "Points", "ponits"),
}
HONEST = (
    "lab", "level", "boxing", "position", "pose_points", "labeler", "labelled", "label_by", "mediator", "medium", "median", "media_type", "media_size", "height",
    "weather", "language", "object", "participant", "subjective", "subject_age", "sub", "subgroup", "sex", "gender", "age", "race",
    "glasses", "pose", "light", "intensity", "actor", "sentence", "session", "source", "folder", "frames", "frame_rate",
    "notes", "voters", "radio", "audit", "audience", "old", "gold", "face", "flip", "view", "valid", "variance",
    "dominant", "dominant_hand", "domain", "valence_sd", "arousal_sd", "spirit", "site", "predicted", "date", "tint",
)  # fmt: skip


def test_every_reserved_column_but_the_one_that_must_be_there_is_tried() -> None:
    assert set(SLIPS) == {*RESERVED} - {"target"}


@pytest.mark.parametrize(("meant", "misspelt"), [(m, name) for m, names in SLIPS.items() for name in names])
def test_a_misspelt_column_is_no_attribute(meant: str, misspelt: str) -> None:
    columns = {"target": ["a", "b"], misspelt: ["x", "x"]} | (
        {} if meant == "label" else {"label": ["fear"] * 2}
    )
    with pytest.raises(UserError) as caught:
        validate_targets(pa.table(columns), Facts(name="t"), "T.csv")
    assert str(caught.value) == (
        f"T.csv: there is no column {meant!r}, and {misspelt!r} would be an attribute. Columns that are no "
        f"attributes: {', '.join(RESERVED)}, au_NN. Rename {misspelt!r}: {meant!r} if that is what it is, else a "
        "name less like it."
    )


@pytest.mark.parametrize("honest", HONEST)
def test_an_honest_name_is_taken(honest: str) -> None:
    table = pa.table({"target": ["a", "b"], "label": ["fear", "fear"], honest: ["x", "y"]})
    assert validate_targets(table, Facts(name="t"), "T.csv").attributes == (honest,)


def test_beside_the_column_itself_any_name_is_taken() -> None:
    table = pa.table(
        {"target": ["a"], "subject": ["s"], "subjects": ["3"], "label": ["fear"], "labels": ["x"]}
    )
    assert validate_targets(table, Facts(name="t"), "T.csv").attributes == ("subjects", "labels")


def test_a_misspelt_target_is_the_missing_one() -> None:
    with pytest.raises(UserError, match=r"T\.csv: column 'target' is missing\. Did you mean 'tagret'\?"):
        validate_targets(pa.table({"tagret": ["a"]}), Facts(name="t"), "T.csv")
