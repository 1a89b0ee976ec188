"""The plan of a run: conditions that mean nothing for the media or the model are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from bench.errors import UserError
from bench.predict.front import FaceFinder, Front
from bench.predict.given import Oracle
from bench.predict.pipeline import Pipeline
from bench.predict.plan import Seeking, plan_cells
from bench.predict.zoo import Model, Zoo, parse_choice
from bench.question import Question
from bench.spec import Condition, DataSource, Suite
from bench.tables import validate_targets
from tests.predict.made import targets_of, write_picture

WHOLE = """
from bench.predict.pipeline import Pipeline

def build(request):
    return Pipeline(predict=lambda clips: [], labels=("happiness", "fear"))
"""

SEEING = """
from bench.predict.front import Front
from bench.predict.pipeline import Pipeline

def build(request):
    return Pipeline(predict=lambda clips: [], labels=("happiness", "fear"), front=Front("haar"))
"""


def plan(
    folder: Path,
    where: str | None,
    models: str,
    oracle: Oracle | None = None,
    every: int | None = None,
    **facts: object,
) -> list[tuple[str, str]]:
    """The conditions and places of the cells of one picture under low light."""
    for name, code in (("whole", WHOLE), ("seeing", SEEING)):
        entry = folder / "zoo" / name
        entry.mkdir(parents=True)
        (entry / "model.py").write_text(code)
        (entry / "CARD.md").write_text(f"# {name}\n\nSees {name}.\n")
    write_picture(folder / "a.png")
    suite = Suite(
        suite="s",
        data=(DataSource(adapter="manifest"),),
        conditions=(Condition(perturb="low_light", severities=(1,), where=where),),  # type: ignore[arg-type]
    )
    targets = targets_of(folder, ["a.png"], **facts)
    if oracle is not None:
        boxes = targets.table.append_column("box", pa.array([[1.0, 2.0, 30.0, 40.0]]))
        targets = validate_targets(boxes, targets.facts, "T.csv", folder)
    question = Question(suite, {"made": targets}, lambda kind, name: f"{kind} {name}")
    zoo, device = Zoo([folder / "zoo"]), torch.device("cpu")
    choices = [parse_choice(model) for model in models.split()]
    cells = plan_cells(question, choices, zoo, device, "fp32", Seeking(oracle, every))
    return [(cell.harm.name, cell.harm.where) for cell in cells]


def test_a_model_without_a_front_end_cuts_no_crop(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        plan(tmp_path, "crop", "whole")
    assert str(refused.value) == (
        "perturbation low_light: low_light acts on the crop, and whole has no front-end that would cut one. A model "
        "without a front-end sees the whole frame. Write 'where: frame', or leave the model out."
    )


@pytest.mark.parametrize(
    ("where", "model", "kind"),
    [("frame", "whole", "frame"), ("crop", "whole", "aligned"), ("crop", "chance", "frame")],
)
def test_what_means_something_is_planned(tmp_path: Path, where: str, model: str, kind: str) -> None:
    assert plan(tmp_path, where, model, media_kind=kind)[1] == ("low_light", where)


@pytest.mark.parametrize(("kind", "where"), [("frame", "frame"), ("aligned", "crop")])
def test_what_says_no_place_acts_on_the_media_as_given(tmp_path: Path, kind: str, where: str) -> None:
    assert plan(tmp_path, None, "chance", media_kind=kind)[1] == ("low_light", where)


def test_aligned_media_have_no_frame_around_them(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        plan(tmp_path, "frame", "whole", media_kind="aligned")
    assert str(refused.value) == (
        "perturbation low_light: low_light acts on the frame, and the media of made are aligned faces. Aligned media "
        "skip the front-end, so only 'where: crop' means something there. Write 'where: crop', or leave it out."
    )


def test_an_oracle_needs_a_front_end_to_stand_in_for(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        plan(tmp_path, "frame", "whole", "detect")
    assert str(refused.value) == (
        "--oracle: whole has no front-end that would detect faces. A model without a front-end sees the whole frame. "
        "Leave the model out, or --oracle."
    )


def test_doubles_beside_a_model_look_at_nothing_so_that_an_oracle_changes_nothing(tmp_path: Path) -> None:
    assert (
        plan(tmp_path, "frame", "chance seeing", "track", 3) == [("clean", None), ("low_light", "frame")] * 2
    )


ALIGNED = "the media of made are aligned faces. Aligned media skip"
NOBODY = "faces. Doubles look at nothing. Add a model that seeks faces, or leave"
IGNORED: dict[str, tuple[str, Oracle | None, int | None, str, str]] = {
    "whole frames": (
        "whole", None, 3, "frame",
        "--detect-every: whole has no front-end that would detect faces. A model without a front-end sees the "
        "whole frame. Leave the model out, or --detect-every.",
    ),
    "aligned": (
        "seeing", None, 3, "aligned", f"--detect-every: {ALIGNED} the detector. Leave --detect-every out.",
    ),
    "aligned, an oracle": (
        "seeing", "track", None, "aligned",
        f"--oracle: {ALIGNED} the stages that can be given. Leave --oracle out.",
    ),
    "doubles": (
        "chance", None, 3, "frame", f"--detect-every: no model would detect {NOBODY} --detect-every out.",
    ),
    "doubles, an oracle": (
        "chance majority", "track", None, "frame",
        f"--oracle: no model would track {NOBODY} --oracle out.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IGNORED)
def test_what_would_be_ignored_is_refused(tmp_path: Path, case: str) -> None:
    models, oracle, every, kind, text = IGNORED[case]
    with pytest.raises(UserError) as refused:
        plan(tmp_path, None, models, oracle, every, media_kind=kind)
    assert str(refused.value) == text


def test_a_detector_looks_at_as_many_frames_as_it_is_asked_to() -> None:
    front = Front(size=32)
    seeing = Model("m", "m", None, Pipeline(lambda clips: [], ("fear",), front=front))
    seeing = replace(seeing, finder=FaceFinder(front, lambda frames: []))
    asked = Seeking(every=3).of(seeing)
    assert asked.finder is not None
    assert (asked.finder.front.every, asked.pipeline.front) == (3, asked.finder.front)
    assert asked.describe() != seeing.describe()
    assert Seeking(every=1).of(seeing).describe() == seeing.describe()
    blind = replace(seeing, finder=None)
    assert Seeking(every=3).of(blind) is blind
    assert Seeking().of(seeing) is seeing
