"""The sides of a comparison: how each sought faces, and targets of which one run knows more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.folder import RunFolder
from bench.sides import Side, _with_attributes_of, compare
from bench.spec import Facts
from bench.suite import planned_suite
from bench.tables import validate_targets
from tests.gate.conftest import PEOPLE, score, write

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


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the old and the new model, each scored plain and with attributes that a table of its own adds."""
    folder = tmp_path_factory.mktemp("apart")
    write(folder)
    for name, of in (("tone", "dl"), ("glasses", "yn")):
        lines = [f"s{person},{of[person % 3 == 0]}" for person in range(PEOPLE)]
        (folder / f"{name}.csv").write_text("\n".join([f"subject,{name}", *lines]) + "\n")
    more = {
        "tone": ("--attributes", folder / "tone.csv"),
        "glasses": ("--attributes", folder / "glasses.csv"),
    }
    for model in ("old", "new"):
        score(folder, model)
        for name, words in more.items():
            score(folder, model, *words, "--slice", name, out=folder / f"{model}-{name}")
    return folder


def compared(new: Path, old: Path, *slices: str) -> list[dict[str, Any]]:
    one = RunFolder(new)
    suite = planned_suite(one).model_copy(update={"slices": slices})
    found = compare(Side("--new", one), Side("--old", RunFolder(old)), suite, 0.02)
    return [{**each.row, "new": each.new, "old": each.old, "verdict": each.non_inferior} for each in found]


@pytest.mark.parametrize("words", [("new-tone", "old"), ("new", "old-tone"), ("new-tone", "old-glasses")])
def test_a_run_with_further_attributes_is_compared(apart: Path, words: tuple[str, str]) -> None:
    """Every number is that of two runs with the same attributes: an attribute is of a target, not of a run."""
    whole = compared(apart / "new-tone", apart / "old-tone", "sex", "tone")
    found = compared(apart / words[0], apart / words[1], "sex", "tone")
    assert {row["value"] for row in found} == {None, "f", "m", "d", "l"}
    for one, two in zip(found, whole, strict=True):
        assert one == pytest.approx(two, nan_ok=True)


@pytest.mark.parametrize(
    ("column", "changed"),
    [
        ("label", ("t0_0,s0,fear", "t0_0,s0,anger")),
        ("sex", ("fear,m,", "fear,x,")),
        ("tone", ("s1,d", "s1,l")),
    ],
)
def test_targets_that_differ_in_more_are_refused(
    apart: Path, tmp_path: Path, column: str, changed: tuple[str, str]
) -> None:
    write(tmp_path)
    (tmp_path / "tone.csv").write_text((apart / "tone.csv").read_text())
    path = tmp_path / ("tone.csv" if column == "tone" else "T.csv")
    path.write_text(path.read_text().replace(*changed, 1))
    score(tmp_path, "old", *(("--attributes", path) if column == "tone" else ()))
    with pytest.raises(
        UserError, match=f"the targets differ: '{column}' is not the same, first of target 't"
    ):
        compared(apart / "new-tone", tmp_path / "old", "sex")


def test_small_groups_are_withheld_where_either_run_withholds_them() -> None:
    facts = Facts(name="d", cluster_unit="person", attributes={"sex": "given"}, attributes_public=True)
    table = pa.table(
        {"target": ["a", "b"], "subject": ["p", "q"], "label": ["fear", "anger"], "sex": ["f", "m"]}
    )
    old = validate_targets(table, facts, "T")
    given = table.append_column("tone", pa.array(["d", "l"]))
    new = validate_targets(given, facts.model_copy(update={"attributes_public": False}), "T")
    for one, two in ((old, new), (new, old)):
        both, same = _with_attributes_of(one, two)
        assert both is same
        assert (both.attributes, both.facts.attributes_public) == (("sex", "tone"), False)
