"""The program as a user starts it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.synth.drawn import draw_set

Affectbench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def affectbench() -> Affectbench:
    """Run ``affectbench WORDS...`` in a folder; returns what it printed and its exit code."""

    def call(
        *words: object, cwd: Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from bench.cli import main; main()", *map(str, words)],
            cwd=cwd, env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}, text=True, capture_output=True,
            timeout=280,
        )  # fmt: skip

    return call


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn clips: 6 subjects x 7 labels, 6 frames each, with targets.csv."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_set(folder, subjects=6, frames=6)
    return folder
