"""``report --context`` as a user calls it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli.app import app
from bench.errors import UserError
from bench.report.render import render
from tests.audit_report.conftest import CONTEXT, POLICY, read_audit
from tests.report.fake_run import crema


def report(*words: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, words)])


@pytest.fixture
def run(runs: Path, tmp_path: Path) -> Path:
    shutil.copytree(runs / "new", tmp_path / "new")
    (tmp_path / "C.yaml").write_text(CONTEXT)
    (tmp_path / "P.yaml").write_text(POLICY + "  - metric: accuracy\n    not_worse_by: 0.02\n")
    return tmp_path / "new"


def test_it_writes_three_files_and_says_where(run: Path) -> None:
    done = report(run, "--context", run.parent / "C.yaml", "--date", "2026-11-22")
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        f"audit report: {run / f'audit.{end}'}" for end in ("html", "md", "json")
    ]
    assert read_audit(run).json["date"] == "2026-11-22"


def test_an_answer_to_no_finding_is_a_warning(run: Path) -> None:
    kept = "".join(f"  {name}:\n    mitigation: none\n" for name in ("F-00000000", "F-ffffffff"))
    (run.parent / "C.yaml").write_text(f"{CONTEXT}findings:\n{kept}")
    done = report(run, "--context", run.parent / "C.yaml")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == [
        "warning: the context answers F-00000000, F-ffffffff: no finding of this report has such an id (section 15)"
    ]
    name = read_audit(run).json["sections"][14]["parts"][0]["tables"][0]["groups"][0]["lines"][0]["head"]
    (run.parent / "C.yaml").write_text(f"{CONTEXT}findings:\n  {name}:\n    mitigation: none\n")
    assert report(run, "--context", run.parent / "C.yaml").stderr == ""


def test_json_names_the_files(run: Path) -> None:
    done = report(run, "--audit", "--json")
    assert json.loads(done.output) == {"audit": [str(run / f"audit.{end}") for end in ("html", "md", "json")]}


def test_without_context_it_judges_again_and_writes_no_audit_report(run: Path) -> None:
    before = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    done = report(run, "--quiet")
    assert done.exit_code == 0, done.output
    assert (run / "report.html").read_bytes() == before
    assert not list(run.glob("audit.*"))


def test_an_audit_report_leaves_the_run_as_it_was(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert report(run, "--audit").exit_code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert report(run, "--context", run.parent / "C.yaml").exit_code == 0  # it is still as it was judged
    again = CliRunner().invoke(app, ["audit", str(run)])
    assert again.exit_code == 0, again.output


def test_a_baseline_is_compared_and_decided(run: Path, runs: Path) -> None:
    done = report(
        run, "--context", run.parent / "C.yaml", "--policy", run.parent / "P.yaml", "--baseline", runs / "old"
    )
    assert done.exit_code == 0, done.output
    section = read_audit(run).json["sections"][11]
    assert section["parts"][0]["title"] == "Against old of old"
    by_hand = {"old": 0, "new": 0}
    from tests.gate.conftest import PEOPLE, ROWS, right

    for model in by_hand:
        by_hand[model] = sum(right(model, p, r) for p in range(PEOPLE) for r in range(ROWS))
    line = next(
        line
        for line in section["parts"][0]["tables"][0]["groups"][0]["lines"]
        if line["head"] == "accuracy (WAR)"
    )
    old, new, difference = (entry["value"] for entry in line["entries"][:3])
    assert old == pytest.approx(by_hand["old"] / 720, abs=1e-12)
    assert new == pytest.approx(by_hand["new"] / 720, abs=1e-12)
    assert difference == pytest.approx(new - old, abs=1e-12)
    assert section["parts"][1]["tables"][0]["groups"][0]["lines"][0]["head"] == "fail"


@pytest.mark.parametrize(
    "words", [["--final"], ["--policy", "P"], ["--pdf"], ["--date", "2026-01-01"], ["--model", "x"]]
)
def test_words_of_an_audit_report_need_one(words: list[str], run: Path) -> None:
    done = report(run, *words)
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(f"{words[0]}: it is of the audit report, which is not asked for.")


def test_a_date_that_is_none_is_refused(run: Path) -> None:
    done = report(run, "--audit", "--date", "tomorrow")
    assert isinstance(done.exception, UserError)
    assert "'tomorrow' is no date" in str(done.exception)


def test_a_run_of_several_models_needs_one_named(tmp_path: Path) -> None:
    from bench.folder import RunFolder

    folder = crema(tmp_path / "run")
    render(folder)
    RunFolder(folder).seal()
    done = report(folder, "--audit")
    assert isinstance(done.exception, UserError)
    assert "the run has 3 models, and none is named" in str(done.exception)
    assert "It has: both, face, voice" in str(done.exception).replace("The run has: ", "It has: ")
    assert report(folder, "--audit", "--model", "face").exit_code == 0
    assert json.loads((folder / "audit.json").read_text())["model"] == "face"
    text = (folder / "audit.md").read_text()
    assert "voice" not in text  # another model of the run, of which this report says nothing
