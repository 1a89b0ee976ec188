"""Verdicts in a real store and registry: tags on run and version, and an alias that moves on a pass alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import Result

from bench.digest import digest_file
from bench.errors import MachineError, UserError
from bench.folder import write_json
from bench.track import TrackError
from bench.track.store import session
from bench.track.verdict import Release
from tests.gate.conftest import Tracked, invoke, register, track

pytestmark = pytest.mark.usefixtures("_no_settings")
BOUNDS = {"pass": 0.1, "inconclusive": 0.62, "fail": 0.99}
CODES = {"pass": 0, "inconclusive": 3, "fail": 1}
CLOSED = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Recorder:
    """The new run in a folder of its own, sent to the store, and a version of it with an alias elsewhere."""

    run: Path
    uri: str
    run_id: str
    version: str
    baseline: Path

    def gate(self, verdict: str, *words: object, uri: str | None = None) -> Result:
        """Gate the run by a policy with that verdict, and record it."""
        path = self.run.parent / f"{verdict}.yaml"
        path.write_text(f"policy: p\nrules:\n  - {{metric: accuracy, at_least: {BOUNDS[verdict]}}}\n")
        return invoke(
            "gate", self.run, "--policy", path, "--record", "--tracking-uri", uri or self.uri, *words
        )

    def tags(self) -> tuple[dict[str, str], dict[str, str]]:
        """What affectbench says of a gate on the run, and of anything on the version."""
        with session(self.uri, "") as client:
            run = client.get_run(self.run_id).data.tags
            version = client.get_model_version("fer", self.version.rpartition("/")[2]).tags
        return {name: text for name, text in run.items() if name.startswith("affectbench.gate")}, dict(
            version
        )

    def released(self) -> str:
        """The version that the alias leads to."""
        with session(self.uri, "") as client:
            return str(client.get_model_version_by_alias("fer", "released").version)


@pytest.fixture
def recorder(tracked: Tracked, tmp_path: Path) -> Iterator[Recorder]:
    shutil.copytree(tracked.folder / "new", tmp_path / "new")
    (tmp_path / "new" / "track.json").unlink()
    sent = track(tmp_path / "new", tracked.uri)
    first, version = register(tracked.uri, "fer"), register(tracked.uri, "fer")
    with session(tracked.uri, "") as client:
        client.set_registered_model_alias("fer", "released", first.rpartition("/")[2])
    yield Recorder(tmp_path / "new", tracked.uri, sent["parent"], version, tracked.folder / "old")
    with session(tracked.uri, "") as client:
        client.delete_registered_model("fer")


def elsewhere(recorder: Recorder) -> None:
    """Let the run have been sent to a server that does not answer."""
    path = recorder.run / "track.json"
    memory = json.loads(path.read_text())
    memory["sent"][-1]["uri"] = CLOSED
    write_json(path, memory)


def refusal(done: Result) -> str:
    assert isinstance(done.exception, UserError), (done.output, done.exception)
    assert done.output == ""
    return str(done.exception)


@pytest.mark.parametrize("verdict", BOUNDS)
def test_the_verdict_is_on_run_and_version(recorder: Recorder, verdict: str) -> None:
    done = recorder.gate(verdict, "--version", recorder.version, "--baseline", recorder.baseline)
    assert done.exit_code == CODES[verdict], (done.output, done.exception)
    *_, told, last = done.output.splitlines()
    assert told == f"MLflow: recorded on run {recorder.run_id} and {recorder.version}"
    assert last == f"Verdict: {verdict}"
    policy = digest_file(recorder.run.parent / f"{verdict}.yaml")[:12]
    wanted = {
        "affectbench.gate": verdict, "affectbench.gate.policy": f"p {policy}",
        "affectbench.gate.baseline": "old of old",  # the folder's name, and no path
    }  # fmt: skip
    assert recorder.tags() == (wanted, {**wanted, "affectbench.run": recorder.run_id})


def test_without_version_and_baseline_the_run_alone_is_tagged(recorder: Recorder) -> None:
    done = recorder.gate("pass", "--json")
    recorded = {
        "run": recorder.run_id,
        "version": None,
        "alias": None,
        "shown": None,
        "moved": None,
        "problem": None,
    }
    assert json.loads(done.output)["recorded"] == recorded
    on_run, on_version = recorder.tags()
    assert (on_run["affectbench.gate.baseline"], on_version) == ("none", {})


@pytest.mark.parametrize("verdict", BOUNDS)
@pytest.mark.parametrize("mapped", ["", "pass"])
def test_the_alias_moves_on_a_pass_alone(recorder: Recorder, verdict: str, mapped: str) -> None:
    before = recorder.released()
    words = ("--inconclusive", mapped) if mapped else ()
    done = recorder.gate(verdict, "--version", recorder.version, "--alias", "released", *words)
    assert done.exit_code == (0 if mapped and verdict == "inconclusive" else CODES[verdict])
    number = recorder.version.rpartition("/")[2]
    assert recorder.released() == (number if verdict == "pass" else before) != ""
    said = f"moved to version {number}" if verdict == "pass" else f"not moved, for the verdict is {verdict}"
    assert f"; alias released {said}" in " ".join(done.output.split())  # lines end where the width does
    assert recorder.tags()[1]["affectbench.gate"] == verdict


def test_a_released_version_is_the_next_ones_baseline(recorder: Recorder, tracked: Tracked) -> None:
    assert recorder.gate("pass", "--version", recorder.version, "--alias", "released").exit_code == 0
    done = invoke("gate", tracked.folder / "old", "--policy", recorder.run.parent / "pass.yaml", "--json",
                  "--tracking-uri", tracked.uri, "--baseline", "models:/fer@released")  # fmt: skip
    assert recorder.run_id in json.loads(done.output)["baseline"]


@pytest.mark.parametrize("verdict", BOUNDS)
def test_a_server_that_does_not_answer_costs_a_warning(recorder: Recorder, verdict: str) -> None:
    elsewhere(recorder)
    junit = recorder.run.parent / "junit.xml"
    done = recorder.gate(verdict, "--junit", junit, uri=CLOSED)
    assert done.exit_code == CODES[verdict], done.exception
    assert done.stdout.splitlines()[-1] == f"Verdict: {verdict}"
    assert f"MLflow: could not be recorded on run {recorder.run_id}" in done.stdout
    (warning,) = done.stderr.splitlines()
    assert warning.startswith(f"warning: {CLOSED}: the tracking store cannot be opened (")
    assert junit.is_file()


def test_a_release_that_was_not_made_is_an_error_on_a_pass(recorder: Recorder) -> None:
    elsewhere(recorder)
    words = ("--version", recorder.version, "--alias", "released")
    done = recorder.gate("pass", *words, uri=CLOSED)
    assert isinstance(done.exception, MachineError)
    assert done.exception.exit_code == 4
    assert f"{recorder.version}: the gate is passed, and the alias released was not moved" in str(
        done.exception
    )
    assert "; alias released not moved\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "Verdict: pass"
    assert recorder.gate("fail", *words, uri=CLOSED).exit_code == 1


def test_an_alias_that_the_registry_refuses_to_move_is_no_release(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    def refuse(*_: object) -> None:
        raise MlflowException("not yours")

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", refuse)
    before = recorder.released()
    done = recorder.gate("pass", "--version", recorder.version, "--alias", "released")
    assert isinstance(done.exception, MachineError)
    assert not isinstance(done.exception, TrackError)
    assert "not yours" in str(done.exception)
    assert recorder.released() == before
    assert recorder.tags()[1]["affectbench.gate"] == "pass"  # the verdict is there, the release is not


def test_a_run_is_recorded_where_it_was_sent_as_it_is(recorder: Recorder, tmp_path: Path) -> None:
    assert "the run was not sent there, but to sqlite" in refusal(recorder.gate("pass", uri=CLOSED))
    with (recorder.run / "estimates.parquet").open("ab") as file:
        file.write(b" ")
    assert "the run was not sent there as it is now" in refusal(recorder.gate("pass"))
    (recorder.run / "track.json").write_text("[]")
    assert "the file is damaged" in refusal(recorder.gate("pass"))
    (recorder.run / "track.json").unlink()
    text = refusal(recorder.gate("pass"))
    assert "the run was not sent anywhere" in text
    assert f"affectbench track {recorder.run}" in text


def test_a_store_is_known_however_its_file_is_written(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(recorder.uri.removeprefix("sqlite:///")).parent)
    assert recorder.gate("pass", uri="sqlite:///mlflow.db").exit_code == 0
    assert recorder.tags()[0]["affectbench.gate"] == "pass"


def test_a_run_that_was_deleted_there_is_no_place(recorder: Recorder) -> None:
    with session(recorder.uri, "") as client:
        client.delete_run(recorder.run_id)
    text = refusal(recorder.gate("pass"))
    assert "the run was deleted" in text
    assert f"affectbench track {recorder.run}" in text


def test_words_that_do_not_go_together(recorder: Recorder) -> None:
    version = recorder.version
    cases = {
        ("--alias", "released"): "no version is named that it would move to",
        ("--version", "models:/fer@released"): "an alias may lead elsewhere tomorrow",
        ("--version", "fer"): "this is not a registry URI",
        ("--version", "models:/fer/99"): "the registry does not have it",
        ("--version", version, "--alias", "v7"): "'v7' is no alias",
        ("--version", version, "--alias", "a b"): "'a b' is no alias",
    }
    for words, text in cases.items():
        assert text in refusal(recorder.gate("pass", *words))
    path = recorder.run.parent / "pass.yaml"
    done = invoke("gate", recorder.run, "--policy", path, "--version", version)
    assert "nothing is recorded without --record" in refusal(done)
    assert recorder.tags() == ({}, {})


def test_another_version_than_the_one_that_was_run_is_refused(recorder: Recorder) -> None:
    path = recorder.run / "run.json"
    plan = json.loads(path.read_text())
    for origin in ("models:/fer@candidate, version 99", "models:/other/99, version 99"):
        plan["models"][0]["origin"] = origin
        path.write_text(json.dumps(plan))
        text = refusal(recorder.gate("pass", "--version", recorder.version))
        assert f"the run is of models:/{origin[8:].split('@')[0].split('/')[0]}/99" in text
    number = recorder.version.rpartition("/")[2]
    plan["models"][0]["origin"] = f"models:/fer@candidate, version {number}"
    path.write_text(json.dumps(plan))
    done = recorder.gate("pass", "--version", recorder.version)
    assert done.exit_code == 0
    assert "nothing but --version says" not in " ".join(done.output.split())


def test_a_version_that_the_run_did_not_fetch_is_said_to_be_named_alone(recorder: Recorder) -> None:
    said = " ".join(recorder.gate("pass", "--version", recorder.version).output.split())
    assert f"nothing but --version says that the run is of {recorder.version}" in said
    found = json.loads(recorder.gate("pass", "--version", recorder.version, "--json").output)["recorded"]
    assert found["shown"] is False
    assert json.loads(recorder.gate("pass", "--json").output)["recorded"]["shown"] is None


def test_a_run_without_estimates_is_refused_and_no_error_of_the_program(recorder: Recorder) -> None:
    (recorder.run / "estimates.parquet").unlink()
    assert "not sent there as it is now" in refusal(recorder.gate("pass"))


def test_a_release_is_read_from_its_uri() -> None:
    assert Release.read("models:/fer/12", "prod-1") == Release("fer", "12", "prod-1")
    assert Release("fer", "12").uri == "models:/fer/12"
