"""What a gate must not be fooled by: errors of a baseline, cells it lacks, names that are markup, empty rules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import UserError
from bench.gate.ground import Ground
from bench.policy import read_policy
from bench.report.results import read_results
from tests.gate.conftest import score, write
from tests.gate.test_gate import hold, policy


def test_errors_of_the_baseline_decide_nothing(tmp_path: Path) -> None:
    """The new model failed on 15 rows, so that the old one looks better beside it."""
    write(tmp_path, errors=15)
    score(tmp_path, "new")
    score(tmp_path, "old")
    found = hold(tmp_path, policy(tmp_path, "metric: accuracy, not_worse_by: 0.3"), baseline="new", new="old")
    assert found.verdict == "inconclusive"
    assert found.of(0)[0].why == "2.1% of the baseline's rows are decode or model errors, and 1.0% may be"


def test_pairs_are_withheld_over_all_slices_of_the_run_whatever_the_rules(runs: Path, tmp_path: Path) -> None:
    rules = ("metric: accuracy, slice: sex, not_worse_by: 0.1", "metric: accuracy, not_worse_by: 0.2")
    results = read_results(runs / "new")
    ground = Ground(read_policy(policy(tmp_path, *rules)), results, "new")
    assert ground.suite_of_pairs.slices == results.suite.slices
    assert ground.suite_of_pairs.metrics == ("accuracy",)


def test_what_the_baseline_was_not_run_on_is_inconclusive(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench.gate import pairs

    whole = pairs.compare

    def without_women(*given: object) -> list[object]:
        return [each for each in whole(*given) if each.row["value"] != "f"]  # type: ignore[arg-type]

    monkeypatch.setattr(pairs, "compare", without_women)
    found = hold(runs, policy(tmp_path, "metric: accuracy, slice: sex, not_worse_by: 0.9"), baseline="old")
    assert [(h.row["value"], h.verdict, h.why) for h in found.of(0)] == [
        ("f", "inconclusive", "the baseline was not run there"), ("m", "pass", None),
    ]  # fmt: skip


def test_a_bound_on_coverage_elsewhere_does_not_stand_beside_a_rule(runs: Path, tmp_path: Path) -> None:
    rule = "metric: precision/fear, at_least: 0.1"
    for beside in ("metric: coverage, at_most: 1", "metric: coverage, slice: sex, at_least: 0.9"):
        with pytest.raises(UserError, match="leaves out rows without an answer"):
            hold(runs, policy(tmp_path, rule, beside))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A run whose values of a slice are markup, a command and control characters, and one of a single value."""
    write(tmp_path)
    text = (
        (tmp_path / "T.csv").read_text().replace(",m,", ",[/m]::warning::x,").replace(",f,", ",[red]<b>|f,")
    )
    head, *lines = text.splitlines()
    lines = [f'{line},"a\x0bb\nc"' for line in lines]
    (tmp_path / "T.csv").write_text("\n".join([f"{head},one", *lines]) + "\n")
    score(tmp_path, "new", "--slice", "one")
    return tmp_path


def test_names_out_of_tables_are_no_markup(hostile: Path) -> None:
    path = policy(
        hostile, "metric: accuracy, slice: sex, at_least: 0.99", "metric: uar, slice: one, at_least: 0.1"
    )
    junit, summary = hostile / "j.xml", hostile / "s.md"
    done = CliRunner().invoke(
        app, ["gate", str(hostile / "new"), "--policy", str(path), "--junit", str(junit), "--summary",
              str(summary)],
    )  # fmt: skip
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, "Verdict: fail"), done.output
    printed = done.output.replace("\n", "")
    assert "[/m]" in printed
    assert "[red]<b>|f" in printed
    assert "\x0b" not in done.output
    assert len(ET.fromstring(junit.read_text()).findall(".//testcase")) == 3  # noqa: S314 (our own file)
    rows = [line for line in summary.read_text().splitlines() if line.startswith("| ")]
    assert len(rows) == 3
    assert "<b>" not in summary.read_text()


def test_names_are_no_commands_of_a_runner(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a job of GitHub without the action, wherever a line of the table is broken."""
    text = (hostile / "T.csv").read_text().replace("[/m]::warning::x", "##[add-mask]x ::add-mask::y")
    (hostile / "T.csv").write_text(text)
    shutil.rmtree(hostile / "new")
    score(hostile, "new")
    path = policy(hostile, "metric: accuracy, slice: sex, at_least: 0.99")
    words = ["gate", str(hostile / "new"), "--policy", str(path)]
    assert "::add-mask::" in CliRunner().invoke(app, words).output.replace("\n", "")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    for more in ([], ["--json"]):
        done = CliRunner().invoke(app, [*words, *more])
        lines = [line.strip() for line in done.stdout.splitlines()]
        assert not any(line.startswith("::") or "##[" in line for line in lines)
        assert "##[" not in done.stderr
    assert "##[add-mask]x" in done.stdout.replace("##\\u005b", "##[")
    found = json.loads(done.stdout)
    assert any("##[add-mask]x" in number["value"] for number in found["rules"][0]["numbers"])


def test_a_gap_of_one_value_says_why_it_is_inconclusive(hostile: Path) -> None:
    path = policy(hostile, "metric: accuracy, slice: one, gap_at_most: 0.1")
    found = hold(hostile, path)
    assert (found.verdict, found.of(0)[0].why) == ("inconclusive", "no two values can be compared")


def test_a_place_that_cannot_be_written_is_the_users(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = policy(tmp_path, "metric: accuracy, at_least: 0.1")
    done = CliRunner().invoke(
        app, ["gate", str(runs / "new"), "--policy", str(path), "--junit", str(tmp_path / "file" / "j.xml")]
    )
    assert isinstance(done.exception, UserError)
