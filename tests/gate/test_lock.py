"""A gate says whether its policy was locked before the run, and without that no exemption counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from tests.gate.conftest import score_locked

REASON = "eight people"
POLICY = (
    f"policy: p\nexempt: [{{slice: kind, value: rare, reason: {REASON}}}]\n"
    "rules:\n  - {metric: uar, slice: kind, at_least: 0.3}\n"
)
UNLOCKED = "the policy was not locked before the run: exploratory"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def held(run: Path, policy: Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["gate", str(run), "--policy", str(policy), "--json"])
    found: dict[str, Any] = json.loads(done.output)
    assert done.exit_code == {"pass": 0, "inconclusive": 3}[found["verdict"]]
    return found


def test_an_exemption_of_a_locked_policy_counts(runs: Path, tmp_path: Path, path: Path) -> None:
    score_locked(runs, tmp_path, path)
    found = held(tmp_path / "new", path)
    lock = json.loads((tmp_path / "LOCK.json").read_text())
    assert (found["verdict"], found["locked"]) == ("pass", True)
    said = f"the policy was locked before the run (lock {lock['lock'][:12]} of {lock['time']})"
    assert found["notes"][0] == said
    rare, usual = found["rules"][0]["numbers"]
    assert (rare["value"], rare["exempt"], usual["verdict"]) == ("rare", REASON, "pass")
    printed = CliRunner().invoke(app, ["gate", str(tmp_path / "new"), "--policy", str(path)]).output
    assert f"Note: {said}." in printed


def assert_does_not_count(found: dict[str, Any], why: str) -> None:
    assert (found["verdict"], found["locked"]) == ("inconclusive", False)
    assert found["notes"][0] == f"{UNLOCKED} ({why})"
    rare = found["rules"][0]["numbers"][0]
    assert (rare["value"], rare["verdict"], rare["exempt"]) == ("rare", "inconclusive", None)
    assert (
        f"its exemption ({REASON}) does not count, for the policy was not locked before the run"
        in rare["sentence"]
    )


def test_without_a_lock_an_exemption_is_shown_and_does_not_count(runs: Path, path: Path) -> None:
    assert_does_not_count(held(runs / "new", path), "the run was given no lock")


def test_a_policy_that_was_changed_after_its_lock_is_another(runs: Path, tmp_path: Path, path: Path) -> None:
    score_locked(runs, tmp_path, path)
    path.write_text(POLICY.replace("0.3", "0.2"))
    assert_does_not_count(held(tmp_path / "new", path), "the lock of the run names another policy")


def test_a_run_beside_its_lock_has_no_locked_policy(runs: Path, tmp_path: Path, path: Path) -> None:
    score_locked(runs, tmp_path, path, "--metric", "recall")
    why = 'the run did not follow its lock, for metrics of the suite: "recall" is added'
    assert_does_not_count(held(tmp_path / "new", path), why)


def test_a_gate_needs_no_lock_to_decide(runs: Path, path: Path) -> None:
    path.write_text("policy: p\nrules: [{metric: uar, at_least: 0.3}]\n")
    found = held(runs / "new", path)
    assert (found["verdict"], found["locked"]) == ("pass", False)
