"""A store that cannot be reached costs seconds, and MLflow's settings are put back."""

from __future__ import annotations

import os
import re
import socket
import time

import pytest

from bench.errors import MachineError
from bench.track import TrackError, Unreachable, send
from bench.track.store import short


def test_an_unreachable_server_costs_seconds_and_writes_nothing(make_run, closed_port, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = make_run()
    before = sorted(tmp_path.rglob("*"))
    started = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        send.send(run, f"http://jane:secret@127.0.0.1:{closed_port}")
    assert time.monotonic() - started < 10
    assert sorted(tmp_path.rglob("*")) == before
    text = str(caught.value)
    assert f"affectbench track {run} --tracking-uri http://127.0.0.1:{closed_port}" in text
    assert "jane" not in text
    assert "secret" not in text
    assert re.search(r"cannot be opened \(ConnectionRefusedError: \[Errno \d+\] [\w ]+\)\. It is", text)
    assert isinstance(caught.value, MachineError)


def test_a_long_cause_is_cut_at_a_word():
    text = short(ValueError("a://jane:secret@b " + "refusal " * 40))
    assert text.startswith("ValueError: a://b refusal refusal ")
    assert text.endswith(" refusal …")
    assert 190 <= len(text) <= 200


def test_a_silent_server_costs_seconds(make_run):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        with pytest.raises(Unreachable):
            send.send(make_run(), f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "uri", ["foo://x", "file:///tmp/mlruns-nowhere", "postgresql://a:secret@127.0.0.1/b"]
)
def test_a_store_mlflow_cannot_open_is_unreachable(make_run, uri):
    with pytest.raises(Unreachable) as caught:
        send.send(make_run(), uri)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_unreachable(make_run, tmp_path):
    (tmp_path / "notes.db").write_text("these are notes, " * 100)
    started = time.monotonic()
    with pytest.raises(Unreachable):
        send.send(make_run(), f"sqlite:///{tmp_path}/notes.db")
    assert time.monotonic() - started < 30


def test_a_store_lost_on_the_way_is_an_error_that_names_the_remedy(sqlite, make_run, monkeypatch):
    def lost(*_):
        raise ConnectionResetError("the server went away")

    run = make_run()
    with monkeypatch.context() as patch:
        patch.setattr(send, "_upload", lost)
        with pytest.raises(TrackError, match=r"the server went away.*affectbench track") as caught:
            send.send(run, sqlite)
    assert not isinstance(caught.value, Unreachable)
    assert send.send(run, sqlite).new


def test_the_environment_is_put_back_and_the_users_settings_win(sqlite, make_run, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "ours")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    before, seen, whole = dict(os.environ), [], send._create
    monkeypatch.setattr(send, "_create", lambda *a: (seen.append(dict(os.environ)), whole(*a))[1])
    assert send.send(make_run(), sqlite).experiment == "ours"
    assert seen[0]["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert seen[0]["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert dict(os.environ) == before
