"""A reader that goes away, such as ``| head -1``, ends every command silently, as it ends other programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-c", "from bench.cli import main; main()"]


@pytest.mark.parametrize(
    "words",
    [
        ["--help"], ["--version"], ["run", "--help"], ["suite", "list"], ["suite", "show", "demo"], ["data", "list"],
        ["zoo", "list"], ["zoo", "show", "mini-xception"],
    ],
)  # fmt: skip
def test_nobody_reads(words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*PROGRAM, *words], stdout=write, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_nobody_reads_a_refusal() -> None:
    read, write = os.pipe()
    os.close(read)
    words = ["suite", "show", "no-suite"]
    done = subprocess.run([*PROGRAM, *words], stdout=subprocess.PIPE, stderr=write, text=True, timeout=120)
    os.close(write)
    assert (done.returncode, done.stdout) == (141, "")


def test_a_finished_run_is_audited_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "T.csv").write_text("target,label,predicted\na,happy,happy\nb,sad,sad\n")
    words = [
        "score",
        "--targets",
        "T.csv",
        "--predictions",
        "mine=T.csv",
        "--out",
        "RUN",
        "--tracking-uri",
        "off",
    ]
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    for command in ("report", "audit"):
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [*PROGRAM, command, "RUN"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            timeout=120,
        )
        os.close(write)
        assert (done.returncode, done.stderr) == (141, ""), command
