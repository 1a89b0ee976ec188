"""Gaps of calibration and of coverage: against chance alone, in estimates, report and terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.judge.score import judge
from bench.question import Question
from bench.report.differences import gap_table
from bench.report.results import read_results
from bench.report.selection import gap_rows
from bench.tables import write_table
from bench.workflow import finish, score
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, row
from tests.judge.test_fairness import of_kind


def overconfident(*, planted: bool) -> object:
    """Forty persons of each sex, 20 rows each; of men the probabilities say more than is so, and rows miss."""
    rng = np.random.default_rng(2)
    subject = np.repeat(np.arange(80), 20)
    male, truth = subject % 2 == 1, rng.integers(0, 4, 1600)
    right = rng.random(1600) < 0.7
    said = np.where(right, truth, (truth + rng.integers(1, 4, 1600)) % 4)
    sure = np.where(male & planted, 0.95, 0.7)
    p = np.where(np.arange(4) == said[:, None], sure[:, None], ((1 - sure) / 3)[:, None])
    missed = rng.random(1600) < np.where(male & planted, 0.2, 0.02)
    targets = make_targets({
        "subject": [f"s{i:02d}" for i in subject], "label": [LABELS[k] for k in truth],
        "sex": np.where(male, "male", "female"),
    })  # fmt: skip
    status = np.where(missed, "no_face", "ok")
    columns = {f"p_{label}": np.where(missed, np.nan, p[:, k]) for k, label in enumerate(LABELS)}
    return make_cell(targets, {"status": status, **columns})


SUITE = make_suite(slices=("sex",), metrics=("ece", "coverage"))


@pytest.mark.parametrize("metric", ["ece", "coverage"])
def test_a_planted_gap_is_found_and_none_is_not(metric: str) -> None:
    planted, fair = (judge([overconfident(planted=p)], SUITE) for p in (True, False))
    values = [row(planted, slice="sex", value=v, metric=metric)["estimate"] for v in ("female", "male")]
    (gap,) = of_kind(planted, "gap", metric=metric)
    assert gap["estimate"] == pytest.approx(abs(values[1] - values[0]), abs=1e-12)
    assert gap["estimate"] > gap["null_p95"] > gap["null_mean"] > 0
    assert gap["p"] < 0.01
    (none,) = of_kind(fair, "gap", metric=metric)
    assert none["p"] > 0.05
    # ECE grows as rows get fewer: it is held against chance alone.
    assert bool(of_kind(planted, "contrast", metric=metric)) == (metric == "coverage")


def test_report_and_terminal_hold_both(tmp_path: Path) -> None:
    cell = overconfident(planted=True)
    write_table(cell.predictions, tmp_path / "m.parquet")
    question = Question(SUITE, {"made": cell.targets}, lambda kind, name: f"{kind} {name}")
    run = score(question, {"m": tmp_path / "m.parquet"}, {}, tmp_path / "RUN")
    page = finish(run).read_text(encoding="utf-8")
    results = read_results(tmp_path / "RUN")
    data = results.datasets[0]
    assert [(r["metric"], r["p"] < 0.01) for r in gap_rows(results, data)] == [
        ("coverage", True),
        ("ece", True),
    ]
    found = gap_table(results, data, ["ece", "coverage"])
    assert [group.title for group in found.groups] == ["made, ECE", "made, coverage"]
    assert found.caption in page
