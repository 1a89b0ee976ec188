"""A wheel built from the tree, in an environment of its own, from an empty folder: as good as a checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def call(*words: object, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        text=True,
        capture_output=True,
        timeout=900,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an empty environment into which the wheel was installed, with all that it asks for."""
    folder = tmp_path_factory.mktemp("wheel")
    built = call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, cwd=ROOT)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    assert call(sys.executable, "-m", "venv", folder / "venv", cwd=folder).returncode == 0
    pip = [
        folder / "venv" / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-compile",  # half the time: what is imported is compiled then
        "-c",
        ROOT / "constraints.txt",
    ]
    # torch first and by its exact version: an open range may take a GPU build of several gigabytes.
    for what in ("torch==2.13.0", wheel):
        done = call(*pip, what, cwd=folder)
        if done.returncode and not os.environ.get("CI"):
            pytest.skip(f"the package registry does not answer: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stderr
    yield folder / "venv" / "bin"
    shutil.rmtree(folder)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_wheel_is_what_is_imported(installed: Path, empty: Path) -> None:
    done = call(installed / "python", "-c", "import bench; print(bench.__file__)", cwd=empty)
    assert str(installed.parent) in done.stdout


def test_the_demo_runs_from_an_empty_folder(installed: Path, empty: Path) -> None:
    done = call(installed / "affectbench", "demo", "--out", "demo", cwd=empty)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    assert lines[0].startswith("This demo draws simple faces and runs doubles")
    assert lines[-1] == "report: demo/run/report.html"
    (shown,) = [b for b in README.split("```") if b.startswith("text\nThis demo draws")]
    assert set(shown.splitlines()[1:]) - {"..."} <= {line.rstrip() for line in done.stdout.splitlines()}
    assert (empty / "demo" / "run" / "report.html").stat().st_size > 10_000
    assert (empty / "mlflow.db").is_file()


def readme_model() -> str:
    """The private model as the README prints it."""
    (code,) = re.findall(r"<!-- private model -->\n+```python\n(.*?)```", README, re.S)
    return code


def test_a_private_model_from_the_readme_runs(installed: Path, empty: Path) -> None:
    code = readme_model()
    assert len(code.splitlines()) < 60
    (empty / "zoo" / "brightness").mkdir(parents=True)
    (empty / "zoo" / "brightness" / "model.py").write_text(code)
    drawn = call(
        installed / "python", "-c",
        "from pathlib import Path; from bench.synth.drawn import draw_set; draw_set(Path('drawn'), 6, 4)", cwd=empty,
    )  # fmt: skip
    assert drawn.returncode == 0, drawn.stderr
    checked = call(installed / "affectbench", "zoo", "check", "brightness", "--zoo", "zoo", cwd=empty)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = call(
        installed / "affectbench", "run", "--model", "brightness", "--zoo", "zoo", "--suite", "demo",
        "--data", "drawn=drawn", "--out", "out", "--tracking-uri", "off", cwd=empty,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(list((empty / "out").glob("cells/brightness/drawn/*/cell.json"))) == 7
