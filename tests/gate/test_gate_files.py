"""A gate's verdicts for machines: JSON, JUnit XML, Markdown and annotations say what the terminal says."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from bench.cli.app import app

POLICY = """\
policy: release
exempt:
  - {slice: kind, value: rare, reason: "eight people | <b>"}
rules:
  - metric: accuracy
    at_least: 0.5
  - metric: uar
    at_least: 0.99
  - metric: uar
    slice: kind
    at_least: 0.57
"""


def call(runs: Path, folder: Path, *words: str) -> str:
    path = folder / "release.yaml"
    path.write_text(POLICY)
    done = CliRunner().invoke(app, ["gate", str(runs / "new"), "--policy", str(path), *words])
    assert done.exit_code == 1, done.output
    return done.output


def test_json_has_every_number_and_the_sentence_that_is_printed(runs: Path, tmp_path: Path) -> None:
    found = json.loads(call(runs, tmp_path, "--json"))
    assert (found["verdict"], found["model"], found["policy"]) == ("fail", "new", "release")
    assert [(r["line"], r["verdict"]) for r in found["rules"]] == [
        (5, "pass"),
        (7, "fail"),
        (9, "inconclusive"),
    ]
    rare, usual = found["rules"][2]["numbers"]
    assert (rare["exempt"], usual["verdict"]) == ("eight people | <b>", "inconclusive")
    assert usual["settle"] > usual["clusters"]
    assert f"about {usual['settle']} persons would settle it" in usual["sentence"]
    printed = " ".join(call(runs, tmp_path).split())
    for rule in found["rules"]:
        for number in rule["numbers"]:
            assert " ".join(number["sentence"].split()) in printed


def test_junit(runs: Path, tmp_path: Path) -> None:
    junit = tmp_path / "out" / "gate.xml"
    call(runs, tmp_path, "--junit", str(junit))
    suite = ET.fromstring(junit.read_text()).find("testsuite")  # noqa: S314 (our own file)
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "1"]
    cases = suite.findall("testcase")
    assert [case.get("line") for case in cases] == ["5", "7", "9", "9"]
    assert [[child.tag for child in case] for case in cases] == [[], ["failure"], ["skipped"], ["error"]]
    skipped = cases[2].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "eight people | <b>"


def test_markdown_is_added_and_holds_no_markup_of_others(runs: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    call(runs, tmp_path, "--summary", str(summary))
    text = summary.read_text()
    assert text.startswith("before\n## release: **fail**\n")
    assert "<b>" not in text
    assert r"eight people \| &lt;b&gt;" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [line.count(" | ") for line in rows] == [3] * 4


def test_a_job_of_github_gets_its_summary_and_marks_in_the_policy(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = tmp_path / "step.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    path = tmp_path / "release.yaml"
    path.write_text(POLICY)
    done = CliRunner().invoke(app, ["gate", str(runs / "new"), "--policy", str(path)])
    marks = [line for line in done.stderr.splitlines() if line.startswith("::")]
    assert [mark.split(" ", 1)[0] for mark in marks] == ["::error", "::warning"]
    assert f"file={path},line=7,title=UAR%3A at least 0.99::" in marks[0]
    assert step.read_text().startswith("## release: **fail**")
