"""A folder is sent once however often it is sent, and what was left half sent is replaced."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from mlflow.entities import ViewType
from mlflow.tracking import MlflowClient

from bench.digest import digest_file
from bench.track import send
from tests.track.reading import CHILDREN, active, fetched, files_of


def test_sending_twice_sends_once(store, make_run):
    run = make_run(suite="twice")
    first = send.send(run, store)
    before = {found.info.run_id for found in active(store, first.experiment_id)}
    second = send.send(run, store)
    assert first.new
    assert not second.new
    assert second.runs == first.runs
    assert {found.info.run_id for found in active(store, first.experiment_id)} == before
    history = MlflowClient(store).get_metric_history(first.runs[0].parent, "uar")
    assert len(history) == 1
    memory = json.loads((run / "track.json").read_text())
    (entry,) = memory["sent"]
    assert entry["uri"] == store
    assert entry["estimates"] == digest_file(run / "estimates.parquet")
    assert entry["runs"][0]["parent"] == first.runs[0].parent


def test_a_new_report_is_uploaded_into_the_same_run_and_late_uploads_too(sqlite, make_run, tmp_path):
    run = make_run()
    first = send.send(run, sqlite, upload=False)
    client = MlflowClient(sqlite)
    client.set_tag(first.runs[0].parent, "mlflow.runName", "renamed by a person")
    second = send.send(run, sqlite)
    assert second.new
    assert second.runs == first.runs
    (run / "report.html").write_text("<html>better</html>")
    third = send.send(run, sqlite)
    assert third.runs == first.runs
    assert fetched(client, first.runs[0].parent, "report.html", tmp_path / "got") == b"<html>better</html>"
    assert len(active(sqlite, first.experiment_id)) == 4


def test_new_estimates_replace_the_old_run(sqlite, make_run, rows):
    run = make_run()
    first = send.send(run, sqlite)
    make_run(rows=[(*rows[0][:9], 0.9, None, None, "reportable")])
    second = send.send(run, sqlite)
    assert second.runs[0].parent != first.runs[0].parent
    runs = active(sqlite, first.experiment_id)
    assert {found.info.run_id for found in runs} == {
        second.runs[0].parent, *second.runs[0].children.values(),
    }  # fmt: skip
    assert MlflowClient(sqlite).get_run(second.runs[0].parent).data.metrics["uar"] == 0.9
    assert len(json.loads((run / "track.json").read_text())["sent"]) == 1


@pytest.mark.parametrize("step", ["_start", "log", "_upload"])
@pytest.mark.parametrize("call", [1, 2, 4])
def test_an_interrupted_send_is_replaced_without_duplicates(sqlite, make_run, monkeypatch, step, call):
    run = make_run()
    whole, calls = getattr(send, step), []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == call:
            raise KeyboardInterrupt
        return whole(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(send, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            send.send(run, sqlite)
    assert len(calls) == call
    sent = send.send(run, sqlite)
    runs = active(sqlite, sent.experiment_id)
    assert {found.info.run_id for found in runs} == {sent.runs[0].parent, *sent.runs[0].children.values()}
    assert set(sent.runs[0].children) == CHILDREN
    assert {found.info.status for found in runs} == {"FINISHED"}
    client = MlflowClient(sqlite)
    assert "report.html" in files_of(client, sent.runs[0].parent)
    assert len(client.get_metric_history(sent.runs[0].parent, "uar")) == 1


def test_a_killed_send_is_replaced_without_duplicates(server, make_run):
    run = make_run(suite="killed")
    program = (
        "import os, signal, sys, pathlib\n"
        "from bench.track import send\n"
        "send._upload = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "send.send(pathlib.Path(sys.argv[1]), sys.argv[2])\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(run), server], capture_output=True)
    assert killed.returncode == -9
    experiment = MlflowClient(server).get_experiment_by_name("affectbench/killed").experiment_id
    assert len(active(server, experiment)) == 4, "the kill came when the runs were there"
    sent = send.send(run, server)
    assert {found.info.run_id for found in active(server, experiment)} == {
        sent.runs[0].parent, *sent.runs[0].children.values(),
    }  # fmt: skip


def test_runs_that_somebody_deleted_are_sent_again(sqlite, make_run):
    run = make_run()
    first = send.send(run, sqlite)
    MlflowClient(sqlite).delete_run(first.runs[0].children["faces clean"])
    second = send.send(run, sqlite)
    assert second.new
    assert len(active(sqlite, first.experiment_id)) == 4
    deleted = MlflowClient(sqlite).search_runs([first.experiment_id], run_view_type=ViewType.DELETED_ONLY)
    assert first.runs[0].parent in {found.info.run_id for found in deleted}


def test_two_folders_are_two_runs_and_two_stores_two_places(sqlite, server, make_run):
    one, two = make_run("one", suite="places"), make_run("two", suite="places")
    first, second = send.send(one, sqlite), send.send(two, sqlite)
    assert first.runs != second.runs
    assert len(active(sqlite, first.experiment_id)) == 8
    send.send(one, server)
    assert [entry["uri"] for entry in json.loads((one / "track.json").read_text())["sent"]] == [
        sqlite,
        server,
    ]
