"""Five people in one photograph, each a target of their own, through the command line with real networks.

The given boxes are those that RetinaFace finds there, rounded; YuNet, which mini-xception uses, is another
network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Affectbench

BOXES = (
    [688, 292, 101, 124],
    [313, 232, 99, 131],
    [531, 308, 100, 127],
    [218, 64, 92, 111],
    [437, 218, 81, 98],
)
SUITE = """suite: {face}
data: [{{adapter: manifest, labels: ekman-7, target_face: {face}}}]
conditions: [{{perturb: off_centre, severities: [3], where: frame}}]
metrics: [accuracy]
"""
MOVED = "off_centre-3-frame"


@pytest.fixture
def photograph(shared: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table of the five people and a suite for each way of saying who is meant."""
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    media = shared / "data" / "pyfeat" / "tests_data" / "multi_face.jpg"
    (tmp_path / "five.jpg").write_bytes(media.read_bytes())
    rows = [f'p{i},five.jpg,s{i},happy,"{box}"' for i, box in enumerate(BOXES)]
    (tmp_path / "T.csv").write_text("\n".join(["target,media,subject,label,box", *rows]) + "\n")
    for face in ("largest", "central", "box"):
        (tmp_path / f"{face}.yaml").write_text(SUITE.format(face=face))
    return tmp_path


def run(affectbench: Affectbench, folder: Path, face: str, *words: str, out: str = "") -> dict[str, Any]:
    """Run mini-xception; what is printed as JSON."""
    done = affectbench(
        "run", "--model", "mini-xception", "--suite", f"{face}.yaml", "--targets", "T.csv", "--out", out or face,
        "--tracking-uri", "off", "--json", *words, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def predictions(folder: Path, condition: str = "clean") -> list[dict[str, Any]]:
    (path,) = folder.glob(f"cells/*/*/{condition}/predictions.parquet")
    return list(pq.read_table(path).to_pylist())


def test_each_target_has_the_face_that_its_box_means(affectbench: Affectbench, photograph: Path) -> None:
    clean, moved = run(affectbench, photograph, "box")["funnel"]
    for found in (clean, moved):  # off centre the boxes move with the picture
        assert [found[step] for step in ("targets", "decoded", "face", "right_face", "followed")] == [5] * 5
        assert found["aligned"] is None
    own = predictions(photograph / "box")
    assert [row["stage"] for row in own] == [None] * 5
    assert len({row["p_happiness"] for row in own}) == 5

    clean, moved = run(affectbench, photograph, "largest")["funnel"]
    assert (clean["face"], clean["right_face"], moved["right_face"]) == (5, 1, 1)
    rows = predictions(photograph / "largest")
    assert [row["stage"] for row in rows] == [None] + ["wrong_face"] * 4
    assert {row["p_happiness"] for row in rows} == {own[0]["p_happiness"]}  # the first is the largest

    run(affectbench, photograph, "central")
    assert {row["p_happiness"] for row in predictions(photograph / "central")} == {own[4]["p_happiness"]}

    keys = {json.loads(p.read_text())["key"] for p in photograph.glob("*/cells/*/*/clean/cell.json")}
    assert len(keys) == 3


def test_the_loss_due_to_a_stage_is_the_difference_of_two_runs(
    affectbench: Affectbench, photograph: Path
) -> None:
    run(affectbench, photograph, "largest", out="plain")
    given = run(affectbench, photograph, "largest", "--oracle", "track", out="given")
    assert given["notes"][0] == (
        "Who is found at the box of the target is the person (--oracle track): not the system as it is."
    )
    assert json.loads((photograph / "given" / "run.json").read_text())["oracle"] == "track"
    words = ["compare", "given", "plain", "--metric", "funnel_right_face", "--json"]
    done = affectbench(*words, cwd=photograph)
    assert done.returncode == 0, done.stderr
    rows = [
        row for row in json.loads(done.stdout)["differences"]
        if row["metric"] == "funnel_right_face" and row["condition"] == "clean"
    ]  # fmt: skip
    assert [(row["new"], row["old"]) for row in rows] == [(1.0, 0.2)]
    assert "the new model was given what a stage would find (--oracle track)" in rows[0]["warning"]
    assert affectbench("audit", "given", cwd=photograph).returncode == 0

    done = affectbench(
        "run", "--model", "mini-xception", "--suite", "largest.yaml", "--targets", "T.csv", "--out", "given",
        "--tracking-uri", "off", cwd=photograph,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the folder holds another run; these differ: oracle" in done.stderr
