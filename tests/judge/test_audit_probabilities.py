"""The audit agrees with honest numbers of probabilities and votes, and finds each way of getting them wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench import workflow
from bench.folder import RunFolder
from bench.judge import kernels, sums
from bench.judge.audit import audit
from bench.judge.rows import Rows
from bench.question import Question
from tests.judge.graded import ON_LABELS, ON_VOTES
from tests.judge.made import LABELS, make_suite, make_targets
from tests.judge.scored import change_estimates, faults, made_columns, made_predictions

pytestmark = pytest.mark.usefixtures("no_report")

EXACT = {"ece", "brier", "nll", *ON_VOTES}
BINNED = {"aurc", *(f"auroc/{label}" for label in LABELS)}


def finished(folder: Path, slices: Any = ("sex", ("race", "sex"))) -> RunFolder:
    """A run of a model with probabilities and one without, on targets with votes, some of them empty."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    columns, truth = made_columns(rng, 600)
    votes = rng.multinomial(4, [0.25] * 4, 600) + 4 * np.eye(4)[truth]
    votes[::31] = 0
    columns["votes"] = [v.tolist() if rng.random() > 0.05 else None for v in votes]
    asked = make_suite(metrics=(*ON_LABELS, *ON_VOTES), slices=slices)
    question = Question(asked, {"made": make_targets(columns)}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, made_predictions(rng, truth, folder), {}, folder / "run")
    workflow.finish(run)
    return run


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        return finished(tmp_path_factory.mktemp("graded")).path


def test_an_honest_run_is_agreed_with_to_rounding(scored: Path) -> None:
    found = audit(scored)
    assert found.agrees, (found.differences[:3], faults(found))
    assert {name for name in found.compared if not name.startswith("kind ")} == EXACT | BINNED
    assert not [name for name in found.not_audited if not name.startswith("kind ")]
    assert found.largest is not None
    assert found.largest.size < 1e-12


def test_a_model_of_hard_labels_is_said_to_have_none_but_agrees_with_the_crowd(scored: Path) -> None:
    rows = [r for r in pq.read_table(scored / "estimates.parquet").to_pylist() if r["model"] == "hard"]
    for r in (r for r in rows if r["kind"] == "value" and r["status"] != "suppressed"):
        if r["metric"] == "crowd_agreement":
            assert 0.3 < r["estimate"] < 0.8
        else:
            assert r["estimate"] is None
            assert r["warning"].startswith(f"unavailable: the predictions have no output for {r['metric']}")


def wrong_bins(honest: Any) -> Any:
    return lambda rows: (m := honest(rows))._replace(bin=np.minimum(m.bin, 7))


def ties_hit(rows: Rows) -> kernels.Moments:
    decided = np.where(rows.decision == rows.labels, rows.truth, rows.decision)
    return kernels.calibration(replace(rows, decision=decided))


def misses_wrong(rows: Rows) -> kernels.Counts:
    honest = kernels.selective(rows)
    missed = rows.judged & ~rows.graded & (rows.truth >= 0)
    return honest._replace(column=np.where(missed, 0, honest.column))


def turned(rows: Rows, label: int) -> kernels.Counts:
    honest, size = kernels.ranking(rows, label), kernels.LOGIT_BINS
    return honest._replace(column=np.where(honest.column >= 0, (honest.column + size) % (2 * size), -1))


def without_others(rows: Rows) -> kernels.Moments:
    return kernels.scores(replace(rows, probabilities=(*rows.probabilities[:3], None)))


def misses_agree(rows: Rows) -> kernels.Moments:
    honest = kernels.agreement(rows)
    return honest._replace(kept=honest.kept & (rows.decision < rows.labels))


@pytest.mark.parametrize(
    ("kernel", "wrong", "metrics"),
    [
        ("calibration", wrong_bins(kernels.calibration), {"ece"}),
        ("calibration", ties_hit, {"ece"}),
        ("selective", misses_wrong, {"aurc"}),
        ("ranking", turned, BINNED - {"aurc"}),
        ("scores", without_others, {"brier", "nll"}),
        ("agreement", misses_agree, {"crowd_agreement"}),
        ("soft_scores", lambda rows: kernels.soft_scores(replace(rows, probabilities=rows.probabilities[::-1])),
         {"cross_entropy", "soft_brier", "js"}),
    ],
)  # fmt: skip
def test_each_mistake_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str, wrong: Any, metrics: set[str]
) -> None:
    monkeypatch.setattr(sums, kernel, wrong)
    found = audit(finished(tmp_path, slices=()).path)
    assert not found.agrees
    assert {d.row["metric"] for d in found.differences} == metrics


@pytest.mark.parametrize(("metric", "change"), [("ece", 1e-7), ("auroc/fear", 0.2), ("js", -1e-8)])
def test_one_changed_number_is_found(scored: Path, tmp_path: Path, metric: str, change: float) -> None:
    import shutil

    run = RunFolder(Path(shutil.copytree(scored, tmp_path / "run")))

    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = next(r for r in rows if (r["model"], r["metric"], r["value"]) == ("soft", metric, "male"))
        row["estimate"] += change
        return rows

    change_estimates(run, alter)
    (difference,) = audit(run.path).differences
    assert (difference.field, difference.row["metric"], difference.row["value"]) == (
        "estimate",
        metric,
        "male",
    )
    assert (difference.bound > 0) == (metric in BINNED)
    moved = abs(difference.found - difference.audited)
    assert difference.size == pytest.approx(moved - difference.bound, abs=1e-12)
