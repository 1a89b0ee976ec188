"""What must be known of how the sides of a comparison sought faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.folder import RunFolder
from bench.sides import Side

MODELS = [
    {"name": "net", "double": False, "front": {"detector": "yunet", "every": 3}},
    {"name": "whole", "double": False, "front": None},
    {"name": "chance", "double": True, "front": None},
]
GIVEN = "the old model was given what a stage would find (--oracle detect)"
PASSED = "the old model had faces sought in one frame of 3"


def side(folder: Path, model: str | None, models: list[dict[str, Any]]) -> Side:
    return Side("--old", RunFolder(folder).claim({"oracle": "detect", "models": models}), model)


@pytest.mark.parametrize(("model", "told"), [("net", [GIVEN, PASSED]), ("whole", [GIVEN]), ("chance", [])])
def test_each_model_has_its_own_and_a_double_none(tmp_path: Path, model: str, told: list[str]) -> None:
    assert side(tmp_path, model, MODELS).given("old") == told


@pytest.mark.parametrize(("alone", "told"), [(0, [GIVEN, PASSED]), (2, [])])
def test_the_only_model_of_a_run_needs_no_name(tmp_path: Path, alone: int, told: list[str]) -> None:
    assert side(tmp_path, None, [MODELS[alone]]).given("old") == told
