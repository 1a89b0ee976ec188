"""Rules on conditions: what a condition costs, and severities at which people may no longer see the label."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import UserError
from bench.synth.drawn import draw_set
from tests.gate.test_gate import hold, policy, row

SUITE = "suite: blurred\nconditions: [{perturb: defocus, severities: [1, 2, 4]}]\nmetrics: [accuracy]\n"


@pytest.fixture(scope="module")
def blurred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the double ``chance`` over drawn clips under defocus, which may hide the label from severity 3."""
    folder = tmp_path_factory.mktemp("blurred")
    draw_set(folder / "drawn", subjects=20, frames=2)
    (folder / "S.yaml").write_text(SUITE)
    words = [
        "run", "--model", "chance", "--suite", folder / "S.yaml", "--targets", folder / "drawn" / "targets.csv",
        "--root", folder / "drawn", "--out", folder / "new", "--tracking-uri", "off", "--quiet",
    ]  # fmt: skip
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return folder


def test_every_severity_that_was_run_is_held_but_those_that_may_hide_the_label(
    blurred: Path, tmp_path: Path
) -> None:
    lost = row(blurred, "new", kind="degradation", metric="accuracy", slice=None, severity=4)
    assert lost["estimate"] == 0
    for rule in (
        "metric: accuracy, loses_at_most: 0.5",
        "metric: accuracy, condition: defocus, at_least: 0.01",
    ):
        found = hold(blurred, policy(tmp_path, rule))
        assert [held.row["severity"] for held in found.of(0)] == [1, 2]
    clean = hold(blurred, policy(tmp_path, "metric: accuracy, at_least: 0.01"))
    assert [(held.row["condition"], held.verdict) for held in clean.of(0)] == [("clean", "pass")]


def test_a_loss_that_never_varies_decides_nothing(blurred: Path, tmp_path: Path) -> None:
    """``chance`` answers by its seed alone, so that blur changes no answer, and there is no interval."""
    found = hold(blurred, policy(tmp_path, "metric: accuracy, loses_at_most: 0.5"))
    assert found.verdict == "inconclusive"
    assert "the value is the same without any one cluster" in (found.of(0)[0].why or "")


@pytest.mark.parametrize("requirement", ["at_least: 0.1", "loses_at_most: 0.1", "not_worse_by: 0.1"])
def test_a_severity_that_may_hide_the_label_is_refused_by_name(
    blurred: Path, tmp_path: Path, requirement: str
) -> None:
    path = policy(tmp_path, f"metric: accuracy, condition: defocus, severity: 4, {requirement}")
    with pytest.raises(UserError, match="people may no longer see the label there"):
        hold(blurred, path)
