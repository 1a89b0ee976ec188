"""``run --measure-latency``: numbers of speed stand beside a run, and change nothing that it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.folder import RunFolder
from bench.latency import read_latency
from bench.predict import latency
from tests.e2e.test_run import outcome, run_words


def call(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def numbers(run: Path) -> dict[str, bytes]:
    """The predictions and estimates of a run; its report has the speed, too."""
    return {name: held for name, held in outcome(run).items() if name != "report.html"}


def test_a_finished_run_is_measured_and_stays_as_it_was(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "ROUNDS", 5)
    monkeypatch.setattr(latency, "CALLS", (10, 10))
    monkeypatch.setattr(latency, "_STRETCH", 0.01)
    out = tmp_path / "run"
    words = run_words(drawn, out, "--no-cache")
    assert "targets/s" not in call(*words)
    before, keys = numbers(out), [cell.facts["key"] for cell in RunFolder(out).cells() if cell.facts]
    assert read_latency(out / "latency.json") == ()

    said = call(*words, "--measure-latency")
    (one,) = read_latency(out / "latency.json")
    assert (one.model, one.dataset, one.targets, len(one.calls.target)) == ("oracle", "drawn", 42, 50)
    assert one.key in keys
    assert numbers(out) == before
    assert "oracle on drawn: " in said
    assert "ms a target, 95th percentile" in " ".join(said.split())
    assert "Speed: one target at a time, and many at once" in (out / "report.html").read_text()
    RunFolder(out).require_sealed()

    again = json.loads(call(*words, "--measure-latency", "--json"))
    assert read_latency(out / "latency.json") == (one,)
    (speed,) = again["speed"]
    assert speed["latency_ms"]["total"]["latency_p50"]["n"] == 50
    assert speed["latency_ms"]["front_end"]["latency_p50"]["estimate"] is None
    whole = call(*words, "--json")
    assert json.loads(whole)["speed"] == again["speed"]
    policy = tmp_path / "policy.yaml"
    policy.write_text("policy: p\nrules:\n  - {metric: throughput, at_least: 0.001}\n")
    assert call("gate", out, "--policy", policy).rstrip().endswith("Verdict: pass")
