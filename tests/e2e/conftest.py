"""The program as a user starts it, in a process of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest

from bench.synth.drawn import draw_set

Affectbench = Callable[..., subprocess.CompletedProcess[str]]

TIMEOUT = 280
WARM = (Path(__file__).parent / "warm.py").read_text(encoding="utf-8")


class Warm:
    """A process that forks one program a call (``warm.py``); it starts with the first call.

    Half to nine tenths of a short command is the import of numpy, pandas, matplotlib and torch.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> subprocess.Popen[str]:
        """The process, with nothing said while it imported: a child could not repeat a warning."""
        if self.process is None:
            self.folder.mkdir(exist_ok=True)
            with (self.folder / "said").open("w") as said:
                self.process = subprocess.Popen(
                    [sys.executable, "-c", WARM], cwd=self.folder, env={**os.environ, "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, bufsize=1,
                    start_new_session=True,
                )  # fmt: skip
            answer = self.answer(self.process)
            assert (answer, (self.folder / "said").read_text()) == ("ready\n", "")
        return self.process

    def call(self, words: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
        process = self.start()
        assert process.stdin is not None
        paths = {name: self.folder / name for name in ("out", "err")}
        order = {"words": words, "cwd": str(cwd), "env": env} | {n: str(p) for n, p in paths.items()}
        print(json.dumps(order), file=process.stdin, flush=True)
        answer = self.answer(process)
        out, err = (path.read_text() for path in paths.values())
        assert answer, f"the warm process ended: {(self.folder / 'said').read_text()}{err}"
        return subprocess.CompletedProcess(words, int(answer), out, err)

    def answer(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], TIMEOUT)[0]:
            self.stop()
            raise subprocess.TimeoutExpired(process.args, TIMEOUT)
        return process.stdout.readline()

    def stop(self) -> None:
        """End it and what it forked."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
            self.process = None


@pytest.fixture(scope="session")
def affectbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Affectbench]:
    """Run ``affectbench WORDS...`` in a folder; returns what it printed and its exit code.

    Two warm processes take turns, so that a call and the next one hash words differently, as any two do for
    users; imports that were forgotten are left to the wheel's tests, which fork nothing. A call whose environment
    differs from theirs in more than where weights and caches lie starts anew.
    """
    folder = tmp_path_factory.mktemp("warm")
    known = {name: word for name, word in os.environ.items() if not _is_own(name)}
    warm = [Warm(folder / str(number)) for number in range(2)] if sys.platform == "linux" else []
    turns = cycle(warm)

    def call(
        *words: object, cwd: Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        said, settings = [*map(str, words)], {**os.environ, **(env or {})}
        same = {name: word for name, word in settings.items() if not _is_own(name)} == known
        settings["OMP_NUM_THREADS"] = "1"
        if warm and same:
            return next(turns).call(said, cwd, settings)
        return subprocess.run(
            [sys.executable, "-c", "from bench.cli import main; main()", *said],
            cwd=cwd, env=settings, text=True, capture_output=True, timeout=TIMEOUT,
        )  # fmt: skip

    yield call
    for one in warm:
        one.stop()


def _is_own(name: str) -> bool:
    """Whether ``bench`` alone reads the variable, or pytest writes it."""
    return name.startswith(("AFFECTBENCH_", "PYTEST_"))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of drawn clips: 6 subjects x 7 labels, 6 frames each, with targets.csv."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_set(folder, subjects=6, frames=6)
    return folder
