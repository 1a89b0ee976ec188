"""Runs to report on, written once per session and copied where a test writes into them."""

from __future__ import annotations

from pathlib import Path

import fake_run
import pytest


@pytest.fixture(scope="session")
def crema_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, five slices, rendered."""
    return fake_run.crema(tmp_path_factory.mktemp("runs") / "crema")


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with hostile names, every state of a slice, a perturbation at five severities."""
    return fake_run.hostile(tmp_path_factory.mktemp("runs") / "hostile")
