"""Runs to report on, written once per session and copied where a test writes into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.spec import Facts
from tests.report import fake_run


@pytest.fixture(scope="session")
def crema_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, five slices, rendered."""
    return fake_run.crema(tmp_path_factory.mktemp("runs") / "crema")


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with hostile names, every state of a slice, a perturbation at five severities."""
    return fake_run.hostile(tmp_path_factory.mktemp("runs") / "hostile")


@pytest.fixture
def small_run() -> fake_run.FakeRun:
    """Two models, one of them trained on the data; a test plants the estimates."""
    facts = Facts(name="d", attributes={"a": "given", "b": "given"}, trained_on_by=("m",))
    return fake_run.FakeRun(facts, [fake_run.model("m@2"), fake_run.model("other")], rows=10, slices=("a",))
