"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AFFECTBENCH_SHARED", CHECKOUT.parent / "shared"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cache of whoever runs the tests is neither read nor written."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and weights; absent on users' machines."""
    if not SHARED.is_dir():
        pytest.skip(f"real data and weights are not at {SHARED} (set AFFECTBENCH_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def weights(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of real weights, where the zoo also looks for them by sha256."""
    return shared / "weights"
