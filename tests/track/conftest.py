"""Finished run folders in miniature, a SQLite store, and a real MLflow server on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench.tables import write_estimates, write_table
from bench.tables.estimates import estimates_table

with warnings.catch_warnings():  # mlflow and what it imports warn about one another
    warnings.simplefilter("ignore")
    import mlflow.store.tracking.sqlalchemy_store
    from mlflow.tracking import MlflowClient

MODEL = "mini-xception@102-0.66"
DIGEST = "4f" * 32

# The fields of a row are named by _FIELDS below.
ROWS: list[tuple[Any, ...]] = [
    ("faces", "clean", None, None, None, None, "uar", "value", None, 0.6552, 0.64, 0.67, "reportable"),
    ("faces", "clean", None, None, "sex", "Female", "uar", "value", None, 0.7, 0.65, 0.75, "reportable"),
    ("faces", "clean", None, None, "race&sex", "Asian&Male", "uar", "value", None, 0.5, None, None,
     "insufficient"),
    ("faces", "clean", None, None, "race", "Other", "uar", "value", None, 0.123, 0.1, 0.2, "suppressed"),
    ("faces", "clean", None, None, "race", "None", "uar", "value", None, None, None, None, "reportable"),
    ("faces", "clean", None, None, "sex", None, "uar", "gap", None, 0.08, None, None, "reportable"),
    ("faces", "clean", None, None, "sex", "Female", "uar", "contrast", "rest", -0.0, -0.1, 0.1, "reportable"),
    ("faces", "clean", None, None, None, None, "ccc_valence", "value", None, 0.0, None, None, "reportable"),
    ("faces", "low_light", 1, "frame", None, None, "uar", "value", None, 0.61, 0.6, 0.62, "reportable"),
    ("faces", "low_light", 3, "frame", None, None, "uar", "value", None, 0.44, 0.4, 0.48, "reportable"),
    ("faces", "low_light", 3, "crop", None, None, "uar", "value", None, 0.41, 0.4, 0.42, "reportable"),
]  # fmt: skip
_FIELDS = (
    "dataset", "condition", "severity", "where", "slice", "value", "metric", "kind", "reference",
    "estimate", "low", "high", "status",
)  # fmt: skip
_CONDITIONS = [
    ("clean", None, None),
    ("low_light", 1, "frame"),
    ("low_light", 3, "frame"),
    ("low_light", 3, "crop"),
]


def build_run(
    run: Path, suite: str = "spine", models: tuple[str, ...] = (MODEL,), rows: list[Any] | None = None
) -> Path:
    """Write a finished run folder as ``affectbench run`` does; the same arguments give the same bytes."""
    facts = {"name": "faces", "labels": ["fear", "joy"], "licence": "CC0", "cluster_unit": "person",
             "media_kind": "aligned", "attributes": {"sex": "given"}}  # fmt: skip
    record = {
        "affectbench": "0.1.0", "kind": "run", "suite_digest": "ab" * 32, "device": "cpu",
        "precision": "fp32",
        "suite": {"suite": suite, "seed": 0,
                  "data": [{"adapter": "manifest", "targets": "/home/jane/T.csv"}]},
        "models": [
            {"name": name, "entry": name.split("@")[0], "checkpoint": name.split("@")[-1],
             "weights_sha256": ["cd" * 32], "double": name == "oracle"}
            for name in models
        ],
        "datasets": [
            {"name": "faces", "digest": DIGEST, "rows": 3, "facts": facts, "root": "/home/jane/faces"}
        ],
    }  # fmt: skip
    run.mkdir(parents=True, exist_ok=True)
    (run / "run.json").write_text(json.dumps(record))
    named = [dict(zip(_FIELDS, row, strict=True)) for row in (ROWS if rows is None else rows)]
    write_estimates(estimates_table([{"model": m, **row} for m in models for row in named]),
                    run / "estimates.parquet")  # fmt: skip
    write_table(pa.table({"target": ["a", "b", "c"], "subject": ["jane doe"] * 3}),
                run / "targets" / "faces.parquet")  # fmt: skip
    (run / "report.html").write_text("<html>report</html>")
    for model in models:
        for condition, severity, where in _CONDITIONS:
            name = condition if severity is None else f"{condition}-{severity}-{where}"
            cell = run / "cells" / model / "faces" / name
            write_table(pa.table({"target": ["a", "b", "c"], "p_joy": [0.1, 0.2, len(name) / 99]}),
                        cell / "predictions.parquet")  # fmt: skip
            about = {"model": model, "dataset": "faces", "condition": condition, "severity": severity,
                     "where": where, "environment": {"torch": "2.13.0"},
                     "decoding": {"cells": 2, "targets": 3, "seconds": 1.5, "recalled": 0}}  # fmt: skip
            (cell / "cell.json").write_text(json.dumps(about))
    return run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Build a run folder under the test's own folder."""
    return lambda name="run", **what: build_run(tmp_path / name, **what)


@pytest.fixture
def rows() -> list[tuple[Any, ...]]:
    """The estimates that a run folder holds unless a test says otherwise."""
    return list(ROWS)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An initialised SQLite file to copy: creating its tables takes seconds."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        MlflowClient(f"sqlite:///{path}").search_experiments()
    yield path
    for engine in mlflow.store.tracking.sqlalchemy_store.SqlAlchemyStore._engine_map.values():
        engine.dispose()


@pytest.fixture
def sqlite(empty_store: Path, tmp_path: Path) -> str:
    """The URI of a fresh SQLite store."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture(scope="session")
def server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of an ``mlflow server`` on loopback that lives as long as the tests."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "mlflow.db")
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"), "--workers", "1",
    ]  # fmt: skip
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **settings}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    uri = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{uri}/health", process, folder / "log.txt")
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers; fail with its log where it does not."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
                answer.read()
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"mlflow server did not start: {log.read_text()[-2000:]}")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def closed_port() -> int:
    """A port where a server is not."""
    return free_port()


@pytest.fixture(params=["sqlite", "server"])
def store(request: pytest.FixtureRequest) -> str:
    """Each kind of store in turn."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
