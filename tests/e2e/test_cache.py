"""The cache of faces from the command line: where it lies, that it is left alone if so told, that it may fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.app import app

Ran = tuple[list[bytes], int, list[str]]


@pytest.fixture
def run(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Run a model over a real clip: the tables, how many frames were recalled, and what was said of faces."""
    (tmp_path / "T.csv").write_text("target,media,subject,label\na,again.mkv,s,neutral\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(shared / "weights"))

    def call(out: str, cache: str, *more: str) -> Ran:
        monkeypatch.setenv("AFFECTBENCH_CACHE", str(tmp_path / cache))
        root = str(shared / "data" / "intel_samples")
        words = ["run", "--model", "mini-xception", "--targets", "T.csv", "--root", root, "--out", out]
        app([*words, "--tracking-uri", "off", "--quiet", *more], standalone_mode=False)
        (facts,) = (tmp_path / out).rglob("cell.json")
        tables = [facts.with_name(f"{table}.parquet").read_bytes() for table in ("predictions", "frames")]
        said = [line for line in capsys.readouterr().err.splitlines() if "faces" in line]
        return tables, json.loads(facts.read_text())["decoding"]["recalled"], said

    return call


def test_faces_are_kept_unless_told_not_to(run: Callable[..., Ran], tmp_path: Path) -> None:
    tables, known, said = run("ALONE", "cache", "--no-cache")
    assert (known, said) == (0, [])
    assert not (tmp_path / "cache").exists()
    assert run("FIRST", "cache") == (tables, 0, [])
    assert len(list((tmp_path / "cache" / "faces").rglob("*.faces"))) == 1
    again, known, said = run("SECOND", "cache")
    assert (again, known > 0, said) == (tables, True, [])
    (tmp_path / "file").write_text("no folder")
    warning = f"warning: faces are not kept for later runs, in {tmp_path}/file/faces: File exists"
    assert run("THIRD", "file") == (tables, 0, [warning])
