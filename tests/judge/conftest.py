"""A scored run without a report, made once and copied where a test spoils it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.folder import RunFolder
from tests.judge import scored


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finishing a run draws no report."""
    monkeypatch.setattr("bench.report.render.render", lambda path: path)


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        return scored.finished(tmp_path_factory.mktemp("honest")).path


@pytest.fixture
def run(honest: Path, tmp_path: Path) -> RunFolder:
    """A copy that a test may spoil."""
    return RunFolder(Path(shutil.copytree(honest, tmp_path / "run")))


@pytest.fixture(scope="session")
def _brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        return scored.finished(tmp_path_factory.mktemp("brief"), slices=("sex",)).path


@pytest.fixture
def brief(_brief: Path, tmp_path: Path) -> RunFolder:
    """A copy of a run with one slice, for tests that audit it again for each number they spoil."""
    return RunFolder(Path(shutil.copytree(_brief, tmp_path / "run")))
