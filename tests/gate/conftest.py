"""Two finished runs, an old model and a new one, over 60 people whose right answers are planted; locks before a run.

``runs`` (tests/conftest.py) has them in a folder, ``tracked`` in a SQLite store as well.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

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


ASKED = (
    "--slice", "sex", "--slice", "kind", "--slice", "half", "--metric", "accuracy", "--metric", "uar", "--metric", "coverage",
    "--metric", "precision", "--metric", "macro_f1",
)  # fmt: skip


def score(folder: Path, model: str, *more: object, out: Path | None = None) -> None:
    """Judge the predictions of a model into a folder of its name, or into ``out``."""
    words = [
        "score", "--targets", folder / "T.csv", "--predictions", f"{model}={folder / model}.csv", "--out",
        out or folder / model, *ASKED, "--tracking-uri", "off", "--quiet", *more,
    ]  # fmt: skip
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output


def score_locked(runs: Path, folder: Path, policy: Path, *more: str) -> None:
    """Lock a policy with the plan of ``runs``, and judge the new model after it into ``folder / "new"``.

    ``more``: flags of the run that the lock does not have.
    """
    suite, lock = folder / "gated.yaml", folder / "LOCK.json"
    suite.write_text("suite: gated\n")
    words = ["suite", "lock", suite, "--policy", policy, "--targets", runs / "T.csv", *ASKED, "--out", lock]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    score(runs, "new", "--suite", suite, "--lock", lock, *more, out=folder / "new")


@dataclass(frozen=True)
class Tracked:
    """The folder of the runs ``old`` and ``new``, their store, and their MLflow runs; ``child`` is of old."""

    folder: Path
    uri: str
    old: str
    child: str
    new: str


def invoke(*words: object) -> Result:
    """Call the program; what it raises is in ``exception``."""
    return CliRunner().invoke(app, [str(word) for word in words])


def track(folder: Path, uri: str, *words: str) -> dict[str, Any]:
    """Send a run folder; where its first model went."""
    done = invoke("track", folder, "--tracking-uri", uri, *words)
    assert done.exit_code == 0, (done.output, done.exception)
    sent: dict[str, Any] = json.loads((folder / "track.json").read_text())["sent"][-1]["runs"][0]
    return sent


def register(uri: str, name: str, run_id: str | None = None, tags: dict[str, str] | None = None) -> str:
    """The next version of a registered model, made in a run; the version's URI."""
    from bench.track.store import session

    with session(uri, "") as client:
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)
        version = client.create_model_version(name, "/nowhere", run_id, tags=tags)
    return f"models:/{name}/{version.version}"


@pytest.fixture
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def tracked(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracked]:
    """Both runs, sent to a SQLite store."""
    folder = tmp_path_factory.mktemp("tracked")
    shutil.copytree(runs, folder, dirs_exist_ok=True)
    uri = f"sqlite:///{folder}/mlflow.db"
    old, new = track(folder / "old", uri), track(folder / "new", uri)
    yield Tracked(folder, uri, old["parent"], old["children"]["T clean"], new["parent"])
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for engine in SqlAlchemyStore._engine_map.values():
        engine.dispose()
