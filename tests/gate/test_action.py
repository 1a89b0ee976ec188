"""The action of GitHub: its step run as a job would run it, with the same shell and the same variables."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / ".github" / "actions" / "gate"
ACTION: dict[str, Any] = yaml.safe_load((FOLDER / "action.yml").read_text(encoding="utf-8"))
RULES = {"pass": "at_least: 0.1", "fail": "at_least: 0.99", "inconclusive": "at_least: 0.62"}


def run_step(folder: Path, given: dict[str, str]) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the step with inputs as a job has them; returns the process and the outputs of the step."""
    inputs = {name: given.get(name, about.get("default")) for name, about in ACTION["inputs"].items()}
    assert None not in inputs.values()
    (step,) = ACTION["runs"]["steps"]
    variables = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], text)
        for name, text in step["env"].items()
    }
    program = folder / "bin" / "affectbench"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!{sys.executable}\nfrom bench.cli import main\nmain()\n")
    program.chmod(0o755)
    script = folder / "step.sh"
    script.write_text(step["run"])
    output = folder / "output.txt"
    output.write_text("")
    env = {
        **os.environ, **variables, "PATH": f"{program.parent}:{os.environ['PATH']}", "GITHUB_ACTIONS": "true",
        "PYTHONPATH": str(FOLDER.parents[2]), "RUNNER_TEMP": str(folder), "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }  # fmt: skip
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    done = subprocess.run(shell, cwd=folder, env=env, text=True, capture_output=True, timeout=120)
    pairs = (line.partition("=")[::2] for line in output.read_text().splitlines())
    return done, dict(pairs)


@pytest.mark.parametrize(("verdict", "code"), [("pass", 0), ("fail", 1), ("inconclusive", 3)])
def test_the_step_ends_as_the_gate_does_and_says_why(
    runs: Path, tmp_path: Path, verdict: str, code: int
) -> None:
    (tmp_path / "release policy.yaml").write_text(
        f"policy: p\nrules:\n  - metric: accuracy\n    {RULES[verdict]}\n"
    )
    done, outputs = run_step(tmp_path, {"run": str(runs / "new"), "policy": "release policy.yaml"})
    assert (done.returncode, outputs) == (code, {"verdict": verdict}), done.stderr
    stopped, *printed, going_on = done.stdout.splitlines()
    assert stopped.startswith("::stop-commands::")
    assert going_on == f"::{stopped.rpartition('::')[2]}::"
    assert printed[-1] == f"Verdict: {verdict}"
    assert (tmp_path / "gate.xml").is_file()
    assert "## p: " in (tmp_path / "summary.md").read_text()
    assert ("::" in done.stderr) == (verdict != "pass")


def test_every_input_reaches_the_gate(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(f"policy: p\nrules:\n  - metric: uar\n    not_worse_by: 0.3\n"
                                     f"  - metric: accuracy\n    {RULES['inconclusive']}\n")  # fmt: skip
    given = {
        "run": str(runs / "new"), "policy": "p.yaml", "baseline": str(runs / "old"), "model": "new",
        "baseline-model": "old", "inconclusive": "pass", "allow-environment-change": "true", "junit": "j.xml",
    }  # fmt: skip
    assert set(given) == set(ACTION["inputs"])
    done, outputs = run_step(tmp_path, given)
    assert (done.returncode, outputs) == (0, {"verdict": "inconclusive"}), done.stderr
    assert "against old of" in done.stdout
    assert (tmp_path / "j.xml").is_file()


def test_an_input_is_never_a_command(runs: Path, tmp_path: Path) -> None:
    done, outputs = run_step(tmp_path, {"run": str(runs / "new"), "policy": "$(touch made); touch made #"})
    assert (done.returncode, outputs) == (2, {"verdict": ""})
    assert not (tmp_path / "made").exists()
    assert all("${{" not in step["run"] for step in ACTION["runs"]["steps"])


def test_the_example_gives_the_action_what_it_knows() -> None:
    example = yaml.safe_load((FOLDER / "example.yml").read_text(encoding="utf-8"))
    (step,) = [s for s in example["jobs"]["gate"]["steps"] if "actions/gate" in s.get("uses", "")]
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert {name for name, about in ACTION["inputs"].items() if about.get("required")} <= set(step["with"])
