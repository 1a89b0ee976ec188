"""``affectbench suite lock`` from the outside: a lock, the run and the score that follow it, and those that do not."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Affectbench

SUITE = (
    "suite: mine\nconditions: [{perturb: low_light, severities: [2]}]\nslices: [tint]\nmetrics: [accuracy]\n"
)
POLICY = "policy: release\nrules: [{metric: accuracy, at_least: 0.2}]\n"


@pytest.fixture(scope="module")
def here(affectbench: Affectbench, drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a suite, a policy, predictions and LOCK.json over the drawn clips."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "S.yaml").write_text(SUITE)
    (folder / "P.yaml").write_text(POLICY)
    with (drawn / "targets.csv").open(newline="") as file:
        names = [row["target"] for row in csv.DictReader(file)]
    (folder / "said.csv").write_text(
        "\n".join(
            ["target,status,predicted", *(f"{n},ok,{('fear', 'anger')[i % 2]}" for i, n in enumerate(names))]
        )
    )
    words = (
        "suite",
        "lock",
        "S.yaml",
        "--policy",
        "P.yaml",
        "--targets",
        drawn / "targets.csv",
        "--out",
        "LOCK.json",
    )
    done = affectbench(*words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "policy     release" in done.stdout
    before = (folder / "LOCK.json").read_bytes()
    again = affectbench(*words, cwd=folder)
    assert again.returncode == 2
    assert "LOCK.json: it is there already" in again.stderr
    assert (folder / "LOCK.json").read_bytes() == before
    return folder


def lock_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text())["lock"]
    return found


def test_a_run_and_a_score_follow_a_lock_and_say_so(
    affectbench: Affectbench, drawn: Path, here: Path
) -> None:
    asked = (
        "--suite",
        "S.yaml",
        "--targets",
        drawn / "targets.csv",
        "--tracking-uri",
        "off",
        "--lock",
        "LOCK.json",
    )
    lock = json.loads((here / "LOCK.json").read_text())
    ran = affectbench("run", "--model", "oracle", *asked, "--out", "RUN", cwd=here)
    scored = affectbench("score", "--predictions", "said.csv", *asked, "--out", "SCORE", cwd=here)
    for done, run in ((ran, "RUN"), (scored, "SCORE")):
        assert done.returncode == 0, done.stderr
        assert f"This run followed the lock {lock['lock'][:12]} of {lock['time']}." in done.stdout
        said = lock_of(here / run)
        assert (said["lock"], said["time"], said["followed"]) == (lock["lock"], lock["time"], True)
    # The digests of a run count its media, those of a score do not.
    digests = [
        json.loads((here / run / "run.json").read_text())["datasets"][0]["digest"] for run in ("RUN", "SCORE")
    ]
    assert digests == [lock["datasets"][0][kind] for kind in ("run", "score")]
    assert digests[0] != digests[1]
    again = affectbench("run", "--model", "oracle", *asked, "--out", "RUN", cwd=here)
    assert again.returncode == 0, again.stderr
    gated = affectbench("gate", "RUN", "--policy", "P.yaml", "--json", cwd=here)
    assert json.loads(gated.stdout)["locked"] is True
    assert affectbench("audit", "RUN", cwd=here).returncode == 0


def test_a_run_beside_its_lock_runs_and_warns(affectbench: Affectbench, drawn: Path, here: Path) -> None:
    asked = ("--suite", "S.yaml", "--targets", drawn / "targets.csv", "--tracking-uri", "off", "--quiet")
    other = ("run", "--model", "oracle", *asked, "--metric", "uar")
    done = affectbench(*other, "--out", "BESIDE", "--lock", "LOCK.json", cwd=here)
    assert done.returncode == 0, done.stderr
    assert 'metrics of the suite: "uar" is added' in done.stderr.splitlines()[0]
    assert lock_of(here / "BESIDE")["followed"] is False
    # Media that were changed since are seen, though the table is the same.
    moved = here / "media"
    shutil.copytree(drawn, moved)
    names = sorted(path for path in (moved / "clips").rglob("*") if path.is_file())
    names[0].write_bytes(names[1].read_bytes())
    words = (
        "run",
        "--model",
        "oracle",
        "--suite",
        "S.yaml",
        "--targets",
        moved / "targets.csv",
        "--tracking-uri",
        "off",
    )
    done = affectbench(*words, "--out", "OTHER", "--lock", "LOCK.json", "--quiet", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "the targets or media of targets are others" in done.stderr.splitlines()[0]


def test_what_no_run_is_held_to(affectbench: Affectbench, drawn: Path, here: Path) -> None:
    asked = ("--suite", "S.yaml", "--targets", drawn / "targets.csv", "--tracking-uri", "off", "--quiet")
    words = ("score", "--predictions", "said.csv", *asked)
    assert affectbench(*words, "--out", "EARLY", cwd=here).returncode == 0
    late = affectbench(*words, "--out", "EARLY", "--lock", "LOCK.json", cwd=here)
    assert late.returncode == 2
    assert "--lock: the run in 'EARLY' began without it." in late.stderr
    text = (here / "LOCK.json").read_text()
    (here / "CHANGED.json").write_text(text.replace('"accuracy"', '"uar"'))
    changed = affectbench(*words, "--out", "NEW", "--lock", "CHANGED.json", cwd=here)
    assert changed.returncode == 2
    assert "CHANGED.json: it was changed: its content is not that of its digest." in changed.stderr
    assert not (here / "NEW").exists()


def test_targets_without_media_are_locked_for_a_score(affectbench: Affectbench, here: Path) -> None:
    (here / "T.csv").write_text("target,label,subject,tint\na,fear,1,warm\nb,anger,2,cool\n")
    (here / "T.said.csv").write_text("target,status,predicted\na,ok,fear\nb,ok,fear\n")
    (here / "bare.yaml").write_text("suite: bare\nmetrics: [accuracy]\n")
    (here / "other.yaml").write_text("policy: p\nrules: [{metric: coverage, at_least: 0.9}]\n")
    asked = ("--targets", "T.csv")
    done = affectbench("suite", "lock", "bare.yaml", *asked, "--out", "L.json", cwd=here)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("warning: the lock is for 'score' alone, not for 'run': ")
    scored = affectbench(
        "score", "--suite", "bare.yaml", *asked, "--predictions", "m=T.said.csv", "--lock", "L.json", "--out", "S",
        "--tracking-uri", "off", cwd=here,
    )  # fmt: skip
    assert scored.returncode == 0, scored.stderr
    assert lock_of(here / "S")["followed"] is True
    for words, said in (
        (("--targets", "T.csv", "--slice", "nothing"), "nothing"), ((), "--targets"), (("--policy", "no.yaml", *asked), "no.yaml"),
        (("--policy", "other.yaml", *asked), "other.yaml:2: metric 'coverage' is none of the suite's"),
    ):  # fmt: skip
        done = affectbench("suite", "lock", "bare.yaml", *words, "--out", "M.json", cwd=here)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert not (here / "M.json").exists()
