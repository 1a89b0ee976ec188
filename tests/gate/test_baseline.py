"""Baselines out of a real store and registry: the verdicts that the folder gives, or a refusal that says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from typer.testing import Result

from bench.errors import UserError
from bench.folder import RunFolder
from bench.synth.drawn import draw_set
from bench.track import Unreachable, baseline
from bench.track.baseline import fetch_baseline
from bench.track.store import session
from tests.gate.conftest import Tracked, invoke, register, track
from tests.gate.test_speed import plant

pytestmark = pytest.mark.usefixtures("_no_settings")
RULES = """policy: p
rules:
  - {metric: accuracy, slice: sex, not_worse_by: 0.05}
  - {metric: uar, not_worse_by: 0.3}
  - {metric: coverage, at_least: 0.9}
"""
METRICS = ("--metric", "accuracy", "--metric", "uar", "--metric", "coverage")


def gate(tracked: Tracked, reference: object, *words: object, run: Path | None = None) -> Result:
    path = tracked.folder / "policy.yaml"
    path.write_text(RULES)
    return invoke("gate", run or tracked.folder / "new", "--policy", path, "--baseline", reference, "--json",
                  "--tracking-uri", tracked.uri, *words)  # fmt: skip


def refusal(tracked: Tracked, reference: object, *words: object, run: Path | None = None) -> str:
    done = gate(tracked, reference, *words, run=run)
    assert isinstance(done.exception, UserError), (done.output, done.exception)
    assert done.output == ""
    return str(done.exception)


def score(folder: Path, out: Path, targets: str = "T.csv", *words: object) -> None:
    """Judge the old model's predictions again, or what else the words say."""
    done = invoke("score", "--targets", folder / targets, "--predictions", f"old={folder / 'old.csv'}", "--out", out,
                  "--slice", "sex", "--tracking-uri", "off", "--quiet", *words)  # fmt: skip
    assert done.exit_code == 0, (done.output, done.exception)


def artifact(tracked: Tracked, run_id: str, name: str) -> Path:
    return tracked.folder / "mlartifacts" / run_id / "artifacts" / name


@pytest.fixture
def resent(tracked: Tracked, tmp_path: Path) -> tuple[str, str]:
    """The old run sent from another folder, to be damaged: the ids of its parent and its one child."""
    shutil.copytree(tracked.folder / "old", tmp_path / "old")
    (tmp_path / "old" / "track.json").unlink()
    sent = track(tmp_path / "old", tracked.uri)
    return sent["parent"], sent["children"]["T clean"]


def test_folder_run_child_alias_and_version_give_the_same_verdicts(tracked: Tracked) -> None:
    version = register(tracked.uri, "same", None, {"affectbench.run": tracked.old})
    with session(tracked.uri, "") as client:
        client.set_registered_model_alias("same", "released", "1")
    by_folder = json.loads(gate(tracked, tracked.folder / "old").output)
    assert by_folder.pop("baseline") == f"old of {tracked.folder / 'old'}"
    assert [rule["verdict"] for rule in by_folder["rules"]] == ["fail", "pass", "pass"]
    names = {
        tracked.old: f"run {tracked.old}",
        tracked.child: f"run {tracked.old}",
        "models:/same@released": f"models:/same@released (version 1, run {tracked.old})",
        version: f"models:/same/1 (version 1, run {tracked.old})",
    }
    for reference, name in names.items():
        done = gate(tracked, reference)
        assert done.exit_code == 1, (done.output, done.exception)
        found = json.loads(done.output)
        assert found.pop("baseline") == f"old of {name}"
        assert found == by_folder


def test_a_version_made_in_a_run_of_affectbench_needs_no_tag(tracked: Tracked) -> None:
    assert gate(tracked, register(tracked.uri, "made", tracked.old)).exit_code == 1


def test_one_model_of_several_is_rebuilt_alone_byte_for_byte(tracked: Tracked, tmp_path: Path) -> None:
    score(tracked.folder, tmp_path / "both", "T.csv", "--predictions", f"new={tracked.folder / 'new.csv'}")
    sent = track(tmp_path / "both", tracked.uri)
    assert sent["name"] == "old T"
    candidate = RunFolder(tracked.folder / "new")
    found = fetch_baseline(sent["parent"], tracked.uri, candidate, tmp_path / "rebuilt").run
    plan, old = RunFolder(tmp_path / "both").plan, RunFolder(tracked.folder / "old").plan
    assert found.plan == {**plan, "models": old["models"], "cells": [["old", "T", "clean"]]}
    made = {str(path.relative_to(found.path)) for path in found.path.rglob("*") if path.is_file()}
    cell = {f"cells/old/T/clean/{name}" for name in ("predictions.parquet", "cell.json")}
    assert made == {"run.json", "estimates.parquet", "targets/T.parquet", *cell}
    for name in made - {"run.json"}:
        assert (found.path / name).read_bytes() == (tmp_path / "both" / name).read_bytes()


def test_frames_travel_with_their_cell(tracked: Tracked, tmp_path: Path) -> None:
    lines = ["target,timestamp,p_fear,p_happiness,p_anger"]
    names = [line.split(",")[0] for line in (tracked.folder / "T.csv").read_text().splitlines()[1:]]
    lines += [f"{name},{t / 10},0.5,{t / 10},{0.5 - t / 10}" for name in names for t in range(3)]
    (tmp_path / "F.csv").write_text("\n".join(lines) + "\n")
    score(tracked.folder, tmp_path / "run", "T.csv", "--frames", f"old={tmp_path / 'F.csv'}")
    sent = track(tmp_path / "run", tracked.uri)
    candidate = RunFolder(tracked.folder / "new")
    found = fetch_baseline(sent["parent"], tracked.uri, candidate, tmp_path / "rebuilt").run
    (cell,), (own,) = found.cells(), RunFolder(tmp_path / "run").cells()
    assert cell.frames.read_bytes() == own.frames.read_bytes()
    assert len(pq.read_table(cell.frames)) == 3 * len(names)
    artifact(tracked, sent["children"]["T clean"], "clean/frames.parquet").unlink()
    with pytest.raises(UserError, match="its cell of T under clean has other files than it was sent with"):
        fetch_baseline(sent["parent"], tracked.uri, candidate, tmp_path / "again")


def test_conditions_of_a_run_come_back_from_their_children(tracked: Tracked, tmp_path: Path) -> None:
    """A suite calls its data otherwise than the table does, and a child has all severities of a condition."""
    draw_set(tmp_path, subjects=5, frames=1)
    (tmp_path / "suite.yaml").write_text(
        "suite: two\ndata: [{adapter: manifest, targets: targets.csv}]\nmetrics: [accuracy]\n"
        "conditions: [{perturb: low_light, severities: [1, 3], where: frame}]\ndraws: 999\n"
    )
    for model in ("chance", "majority"):
        done = invoke("run", "--suite", tmp_path / "suite.yaml", "--data", f"manifest={tmp_path}", "--model", model,
                      "--out", tmp_path / model, "--tracking-uri", tracked.uri, "--quiet")  # fmt: skip
        assert done.exit_code == 0, (done.output, done.exception)
    old, new = (RunFolder(tmp_path / name) for name in ("chance", "majority"))
    run_id = json.loads((old.path / "track.json").read_text())["sent"][-1]["runs"][0]["parent"]
    found = fetch_baseline(run_id, tracked.uri, new, tmp_path / "rebuilt").run
    names = [cell.path.name for cell in found.cells()]
    assert sorted(names) == ["clean", "low_light-1-frame", "low_light-3-frame"]
    for mine, own in zip(found.cells(), old.cells(), strict=True):
        assert mine.facts == own.facts
        assert mine.predictions.read_bytes() == own.predictions.read_bytes()
    targets = found.targets("manifest")
    assert targets.digest == old.targets("manifest").digest
    assert targets.facts.name != "manifest"


def test_targets_that_changed_are_refused_and_a_new_name_is_no_change(
    tracked: Tracked, tmp_path: Path
) -> None:
    text = (tracked.folder / "T.csv").read_text()
    for name, words in (("Other.csv", text.replace("t0_0,s0,fear", "t0_0,s0,anger")), ("Renamed.csv", text)):
        (tmp_path / name).write_text(words)
        (tmp_path / "old.csv").write_text((tracked.folder / "old.csv").read_text())
        score(tmp_path, tmp_path / name[:-4], name, *METRICS)
    other, renamed = (RunFolder(tmp_path / name) for name in ("Other", "Renamed"))
    mine, theirs = (run.plan["datasets"][0]["digest"] for run in (other, RunFolder(tracked.folder / "old")))
    assert refusal(tracked, tracked.old, run=other.path) == (
        f"run {tracked.old}: its targets of T ({theirs[:12]}) are not the candidate's ({mine[:12]}). Candidate and "
        "baseline are paired on the same targets, which no tracking server holds. Run the baseline again on these "
        "targets, or name its run folder."
    )
    by_id, by_folder = (
        json.loads(gate(tracked, reference, run=renamed.path).output)
        for reference in (tracked.old, tracked.folder / "old")
    )
    assert by_id["rules"] == by_folder["rules"]


def test_runs_that_affectbench_did_not_send_are_refused(tracked: Tracked) -> None:
    with session(tracked.uri, "") as client:
        training = client.create_run("0").info.run_id
    assert f"run {training} is none of affectbench" in refusal(tracked, training)
    for tags in ({}, {"affectbench.run": training}):
        text = refusal(tracked, register(tracked.uri, "trained", training, tags))
        assert f"run {training} is none of affectbench" in text
        assert "set_model_version_tag('trained', '" in text
        assert "'affectbench.run', RUN_ID)" in text
    text = refusal(tracked, register(tracked.uri, "trained"))
    assert "has no tag 'affectbench.run', and no run of its own" in text


def test_what_is_not_there_is_named(tracked: Tracked, resent: tuple[str, str], tmp_path: Path) -> None:
    assert "the tracking store has no such run" in refusal(tracked, "0" * 32)
    assert "the registry does not have it" in refusal(tracked, "models:/nobody@released")
    assert "this is not a registry URI" in refusal(tracked, "models:/same@released/x")
    with session(tracked.uri, "") as client:
        client.delete_run(resent[0])
    assert "the run was deleted" in refusal(tracked, resent[0])
    assert "the run was deleted" in refusal(tracked, resent[1])
    empty = f"sqlite:///{tmp_path}/none.db"
    assert "there is no such tracking store" in refusal(tracked, tracked.old, "--tracking-uri", empty)
    assert not (tmp_path / "none.db").exists()
    assert "'off' is no place" in refusal(tracked, tracked.old, "--tracking-uri", "off")
    done = gate(tracked, tracked.old, "--tracking-uri", "http://127.0.0.1:9")
    assert isinstance(done.exception, Unreachable)
    assert "name the folder of the baseline's run" in str(done.exception)


def test_a_model_is_not_its_own_baseline(tracked: Tracked) -> None:
    assert f"run {tracked.new} is the candidate itself" in refusal(tracked, tracked.new)


def test_runs_without_files_are_refused(tracked: Tracked, tmp_path: Path) -> None:
    shutil.copytree(tracked.folder / "old", tmp_path / "old")
    (tmp_path / "old" / "track.json").unlink()
    sent = track(tmp_path / "old", tracked.uri, "--no-upload")
    assert "was sent without its files" in refusal(tracked, sent["parent"])


@pytest.mark.parametrize(
    ("whose", "name", "text"),
    [
        (0, "run.json", "it has no readable run.json"),
        (0, "estimates.parquet", "it has no estimates.parquet"),
        (1, "clean/predictions.parquet", "its cell of T under clean lacks predictions.parquet"),
        (1, "clean/cell.json", "its cell of T under clean lacks cell.json"),
    ],
)
def test_files_that_are_gone_are_named(
    tracked: Tracked, resent: tuple[str, str], whose: int, name: str, text: str
) -> None:
    artifact(tracked, resent[whose], name).unlink()
    assert text in refusal(tracked, resent[0])


def test_files_that_were_changed_are_refused(tracked: Tracked, resent: tuple[str, str]) -> None:
    with artifact(tracked, resent[1], "clean/predictions.parquet").open("ab") as file:
        file.write(b"more")
    assert "has other files than it was sent with" in refusal(tracked, resent[0])


def test_large_files_are_refused_before_they_are_fetched(
    tracked: Tracked, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = artifact(tracked, tracked.child, "clean/predictions.parquet").stat().st_size
    monkeypatch.setattr(baseline, "_LARGEST", size - 1)
    fetched = []
    monkeypatch.setattr(baseline, "download", lambda *words: fetched.append(words[1]))
    files = baseline._Files("it", artifact(tracked, tracked.child, ".").as_uri(), tracked.uri)
    with pytest.raises(UserError, match=rf"it: clean/predictions.parquet has {size:,} bytes"):
        files.fetch(("predictions.parquet",), "clean", tracked.folder / "x")
    info = SimpleNamespace(is_dir=False, file_size=None)
    monkeypatch.setattr(baseline._Files, "within", lambda *_: {"predictions.parquet": info})
    with pytest.raises(UserError, match="has an unknown number of bytes"):
        files.fetch(("predictions.parquet",), "clean", tracked.folder / "x")
    assert fetched == []


def test_latencies_travel_with_their_run(tracked: Tracked, tmp_path: Path) -> None:
    """A baseline in MLflow is held by its speed, too."""
    for name, slower in (("old", 1.0), ("new", 1.2)):
        shutil.copytree(tracked.folder / name, tmp_path / name)
        plant(tmp_path / name, name, slower)
    (tmp_path / "old" / "track.json").unlink()
    sent = track(tmp_path / "old", tracked.uri)
    path = tmp_path / "policy.yaml"
    path.write_text("policy: p\nrules:\n  - {metric: latency_p50, no_slower_than: 1.6}\n")
    words = (
        "gate",
        tmp_path / "new",
        "--policy",
        path,
        "--json",
        "--tracking-uri",
        tracked.uri,
        "--baseline",
    )
    by_run, by_folder = (json.loads(invoke(*words, one).output) for one in (sent["parent"], tmp_path / "old"))
    assert by_run["verdict"] == by_folder["verdict"] == "pass"
    assert by_run["rules"] == by_folder["rules"]


@pytest.mark.parametrize("word", ["../../../out", "/out", "..", ""])
def test_no_name_of_the_server_leads_out_of_the_folder(
    tracked: Tracked, resent: tuple[str, str], tmp_path: Path, word: str
) -> None:
    path = artifact(tracked, resent[0], "run.json")
    plan = json.loads(path.read_text())
    plan["cells"] = [["old", word, word]]
    plan["datasets"].append({**plan["datasets"][0], "name": word})
    path.write_text(json.dumps(plan))
    folder = tmp_path / "a" / "b" / "rebuilt"
    before = {path for path in tmp_path.rglob("*") if folder not in path.parents}
    with pytest.raises(UserError, match="its cell of"):
        fetch_baseline(resent[0], tracked.uri, RunFolder(tracked.folder / "new"), folder)
    after = {path for path in tmp_path.rglob("*") if folder not in path.parents}
    assert after - before <= {folder, *folder.parents}


@pytest.mark.parametrize(
    "change",
    [{"cells": [["old", 1, "clean"]]}, {"cells": [["old", "T"]]}, {"models": []}, {"datasets": [{}]}],
)
def test_plans_that_are_none_are_refused(
    tracked: Tracked, resent: tuple[str, str], change: dict[str, object]
) -> None:
    path = artifact(tracked, resent[0], "run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert "run.json" in refusal(tracked, resent[0])
