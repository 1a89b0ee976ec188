"""Conditions that turn the face away from its given points: nobody knows where these then lie."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.predict.batch import given_of
from bench.predict.cell import CLEAN, Cell, Harm
from bench.predict.perturb import (
    FACE_PERTURBATIONS,
    FILM_PERTURBATIONS,
    PERTURBATIONS,
    SOUND_PERTURBATIONS,
)
from bench.predict.plan import _require_still_there
from bench.spec import Facts
from bench.tables import Targets, validate_targets
from tests.predict.faces import made_finder
from tests.predict.made import model_of

QUESTION = SimpleNamespace(place=lambda _kind, _name: "S.yaml:4")


@pytest.fixture
def targets(tmp_path: Path) -> Targets:
    row = {
        "target": "a", "media": "a.png", "subject": "s", "label": "neutral", "box": [0.0, 0.0, 9.0, 9.0],
        "points": [2.0, 3, 7, 3, 5, 5, 3, 8, 7, 8],
    }  # fmt: skip
    return validate_targets(pa.Table.from_pylist([row]), Facts(name="t"), "T.csv", tmp_path)


def test_what_turns_the_face_is_named_by_hand() -> None:
    registries = (PERTURBATIONS, FACE_PERTURBATIONS, FILM_PERTURBATIONS, SOUND_PERTURBATIONS)
    turning = {name for registry in registries for name, one in registry.items() if one.turns_face}
    assert turning == {"yaw", "pitch"}


@pytest.mark.parametrize(
    ("harm", "known"),
    [(CLEAN, True), (Harm("side_light", 3, "frame"), True), (Harm("yaw", 3, "frame"), False),
     (Harm("pitch", 1, "frame"), False), (Harm("yaw", 3, "crop"), True)],
)  # fmt: skip
def test_the_points_of_a_turned_face_are_not_known_and_its_box_is(
    targets: Targets, harm: Harm, known: bool
) -> None:
    meshes = made_finder() if harm.of_face else None
    cell = Cell(model_of(lambda clips: []), "t", targets, harm, 0, "fp32", meshes=meshes)
    (given,) = given_of(cell, range(1), ["a"])
    assert given.box is not None
    assert (given.points is not None) == known


def test_points_of_a_turned_face_cannot_be_given() -> None:
    harms = [CLEAN, Harm("side_light", 2, "frame"), Harm("pitch", 2, "frame")]
    _require_still_there("detect", harms, QUESTION)  # type: ignore[arg-type]
    _require_still_there("align", [*harms[:2], Harm("yaw", 2, "crop")], QUESTION)  # type: ignore[arg-type]
    with pytest.raises(UserError) as refused:
        _require_still_there("align", harms, QUESTION)  # type: ignore[arg-type]
    assert str(refused.value) == (
        "S.yaml:4: pitch turns the face, and --oracle align gives its points as they were. Where the points of a "
        "turned face lie is not known. Leave the condition out, or --oracle align."
    )
