"""Runs of models whose right answers are planted, and the site that is made of them.

Sixty people with ten rows each. ``best`` errs in one row of ten of everybody, ``middle`` in three, ``twin`` in
other three rows of the same people, ``worst`` in six, give or take one; whoever errs says the next label. Three
people are of the kind ``rare``, which is withheld. ``feigned`` is a double.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from bench.cli.app import app
from bench.folder import RunFolder, write_json
from bench.leaderboard.assemble import Leaderboard, assemble
from bench.leaderboard.site import write_site
from bench.tables import write_table
from bench.workflow import finish

LABELS = ("fear", "happiness", "anger")
PEOPLE, ROWS = 60, 10
ERRORS = {"best": 1, "middle": 3, "twin": 3, "worst": 6}
EVERY = {"best": 1, "middle": 2, "twin": 2, "worst": 4}
Right = Callable[[int, int], bool]


def right(model: str, person: int, row: int) -> bool:
    """Whether a model is right: one error more in every other person, or pair of persons, or four of them."""
    wrong = ERRORS[model] + (person // EVERY[model]) % 2
    shift = 5 if model == "twin" else 0
    return (row * 3 + person + shift) % ROWS >= wrong


def invoke(*words: object) -> Result:
    """Call the program; what it raises is in ``exception``."""
    return CliRunner().invoke(app, [str(word) for word in words])


def targets(path: Path, people: int = PEOPLE) -> Path:
    """The targets: label, sex, kind and the votes of five raters."""
    names = [(p, r) for p in range(people) for r in range(ROWS)]
    table = pa.table(
        {
            "target": [f"t{p}_{r}" for p, r in names],
            "subject": [f"s{p}" for p, _ in names],
            "label": [LABELS[r % 3] for _, r in names],
            "sex": ["mf"[p % 2] for p, _ in names],
            "kind": ["rare" if p < 3 else "usual" for p, _ in names],
        }
    )
    write_table(table, path)
    return path


def predictions(path: Path, correct: Right, people: int = PEOPLE, missed: Sequence[int] = ()) -> Path:
    """Hard labels; ``missed`` rows are model errors."""
    names = [(p, r) for p in range(people) for r in range(ROWS)]
    said = [LABELS[(r + (not correct(p, r))) % 3] for p, r in names]
    status = ["model_error" if n in missed else "ok" for n in range(len(names))]
    said = [None if n in missed else label for n, label in enumerate(said)]
    write_table(
        pa.table({"target": [f"t{p}_{r}" for p, r in names], "status": status, "predicted": said}), path
    )
    return path


def score(
    folder: Path, out: str, models: Sequence[str], *more: object, targets_file: str = "T.parquet"
) -> Path:
    """Judge the predictions of models in a folder into a run of the folder."""
    files = [word for name in models for word in ("--predictions", f"{name}={folder / name}.parquet")]
    words = [
        "score", "--targets", folder / targets_file, *files, "--out", folder / out, "--slice", "sex", "--slice", "kind",
        "--metric", "accuracy", "--metric", "uar", "--metric", "coverage", "--tracking-uri", "off", "--quiet", *more,
    ]  # fmt: skip
    done = invoke(*words)
    assert done.exit_code == 0, (done.output, done.exception)
    return folder / out


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the targets T, the predictions of each model, and the runs ``one`` and ``two``."""
    folder = tmp_path_factory.mktemp("planted")
    targets(folder / "T.parquet")
    for name in ERRORS:
        predictions(folder / f"{name}.parquet", lambda p, r, name=name: right(name, p, r))
    score(folder, "one", ["worst", "best"])
    score(folder, "two", ["twin", "middle"])
    score(folder, "all", ["worst", "best", "twin", "middle"])
    predictions(folder / "feigned.parquet", lambda p, r: right("best", p, r + 1))
    score(folder, "three", ["feigned"])
    as_double(folder / "three", "feigned")
    return folder


def as_double(run: Path, name: str) -> None:
    """Make a model of a run a double, as if ``run`` had made it one, and judge it again."""
    plan = json.loads((run / "run.json").read_text())
    for model in plan["models"]:
        model["double"] = model["double"] or model["name"] == name
    write_json(run / "run.json", plan)
    finish(RunFolder(run))


@pytest.fixture(scope="session")
def board(planted: Path) -> Leaderboard:
    """The leaderboard of three runs, the double ``feigned`` among them."""
    return assemble([planted / "one", planted / "two", planted / "three"], title="Planted <b>")


@pytest.fixture(scope="session")
def site(board: Leaderboard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of it."""
    out = tmp_path_factory.mktemp("site") / "site"
    write_site(board, out)
    return out
