"""Two finished runs, an old model and a new one, over 60 people whose right answers are planted."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app

LABELS = ("fear", "happiness", "anger")
PEOPLE, ROWS = 60, 12


def right(model: str, person: int, row: int) -> bool:
    """The old model errs in 3 rows of 12 of everybody, give or take one.

    The new one errs in three or four rows more of men, in one more of every other woman, in one less of the others.
    """
    more = 3 + person % 4 // 2 if person % 2 == 0 else 2 - person % 4
    wrong = 2 + person % 3 + (more if model == "new" else 0)
    return (row * 5 + person) % ROWS >= wrong


def write(folder: Path, *, errors: int = 0) -> None:
    """The targets and predictions; ``errors``: rows of the new model that are model errors."""
    names = [(person, row) for person in range(PEOPLE) for row in range(ROWS)]
    lines = [
        f"t{p}_{r},s{p},{LABELS[r % 3]},{'mf'[p % 2]},{'rare' if p < 8 else 'usual'},{'ab'[r % 2]}"
        for p, r in names
    ]
    (folder / "T.csv").write_text("\n".join(["target,subject,label,sex,kind,half", *lines]) + "\n")
    for model in ("old", "new"):
        rows = ["target,status,predicted"]
        for n, (p, r) in enumerate(names):
            said = LABELS[(r + (not right(model, p, r))) % 3]
            rows.append(f"t{p}_{r},model_error," if n < errors and model == "new" else f"t{p}_{r},ok,{said}")
        (folder / f"{model}.csv").write_text("\n".join(rows) + "\n")


def score(folder: Path, model: str) -> None:
    """Judge the predictions of a model into a folder of its name."""
    words = [
        "score", "--targets", folder / "T.csv", "--predictions", f"{model}={folder / model}.csv", "--out",
        folder / model, "--slice", "sex", "--slice", "kind", "--slice", "half", "--metric", "accuracy", "--metric", "uar",
        "--metric", "coverage", "--metric", "precision", "--metric", "macro_f1", "--tracking-uri", "off", "--quiet",
    ]  # fmt: skip
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the finished runs ``old`` and ``new``."""
    folder = tmp_path_factory.mktemp("gated")
    write(folder)
    score(folder, "old")
    score(folder, "new")
    return folder
