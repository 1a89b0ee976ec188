"""``affectbench`` with conditions that act on whole videos, from the outside, on real clips."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Affectbench

SUITE = """suite: bad-line
about: A call over a bad line.
conditions:
  - perturb: h264
    severities: [1, 5]
  - perturb: frame_rate
    severities: [4, 5]
    where: frame
draws: 999
"""


def command(folder: Path, shared: Path, out: str) -> list[object]:
    """A run over two clips, in parts of one."""
    (folder / "S.yaml").write_text(SUITE)
    (folder / "T.csv").write_text(
        "target,media,subject,label\n"
        "one,opendbm_av/subj01_timepoint01.mp4,s1,neutral\n"
        "two,intel_samples/milk.mkv,s2,happiness\n"
    )
    return [
        "run", "--model", "mini-xception", "--targets", "T.csv", "--root", shared / "data", "--out", out,
        "--suite", "S.yaml", "--tracking-uri", "off", "--batch", 1,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def finished(affectbench: Affectbench, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    weights = {"AFFECTBENCH_WEIGHTS": str(shared / "weights")}
    done = affectbench(*command(folder, shared, "RUN"), cwd=folder, env=weights)
    assert done.returncode == 0, done.stderr
    return folder / "RUN"


def tables(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for name in ("predictions.parquet", "frames.parquet", "estimates.parquet")
        for path in run.rglob(name)
    }


def test_a_killed_run_ends_in_the_same_bytes(
    affectbench: Affectbench, shared: Path, finished: Path, tmp_path: Path
) -> None:
    words = command(tmp_path, shared, "RUN")
    weights = {"AFFECTBENCH_WEIGHTS": str(shared / "weights")}
    call = [sys.executable, "-c", "from bench.cli import main; main()", *map(str, words)]
    with subprocess.Popen(
        call, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1", **weights}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 120
        while not list(tmp_path.rglob("h264-5-frame/parts/0*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "RUN" / "estimates.parquet").exists()
    assert list(tmp_path.rglob("h264-5-frame/parts/0*.parquet"))
    done = affectbench(*words, cwd=tmp_path, env=weights)
    assert done.returncode == 0, done.stderr
    assert tables(tmp_path / "RUN") == tables(finished)


def test_two_clips_over_a_bad_line(finished: Path) -> None:
    frames = {path.parent.name: pq.read_table(path).to_pylist() for path in finished.rglob("frames.parquet")}
    assert set(frames) == {
        "clean",
        "h264-1-frame",
        "h264-5-frame",
        "frame_rate-4-frame",
        "frame_rate-5-frame",
    }
    times = {name: [(row["target"], row["timestamp"]) for row in rows] for name, rows in frames.items()}
    said = {
        name: np.array([row["p_neutral"] for row in rows if row["target"] == "one"], float)
        for name, rows in frames.items()
    }
    clean = said["clean"]
    assert times["frame_rate-4-frame"] == times["h264-1-frame"] == times["clean"]
    little, much = (np.abs(said[f"h264-{severity}-frame"] - clean).mean() for severity in (1, 5))
    assert 0 < little < much
    # The model looks five times a second: a frame that stands for 200 ms is what it saw before, too.
    assert np.array_equal(said["frame_rate-4-frame"], clean)
    held = said["frame_rate-5-frame"]
    at = [time for target, time in times["clean"] if target == "one"]
    shown = np.floor(np.array(at) / 0.4 + 1e-6)
    assert all(np.ptp(held[shown == span]) < 1e-6 for span in np.unique(shown))
    assert np.abs(held - clean).max() > 1e-3


def test_a_suite_of_films_is_shown(affectbench: Affectbench, tmp_path: Path) -> None:
    (tmp_path / "S.yaml").write_text(SUITE.replace("draws: 999", "  - perturb: gamma\ndraws: 999"))
    done = affectbench("suite", "show", "S.yaml", "--pictures", "P.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (
        "condition  h264 on the media as given (1: 400, 5: 25 kbit/s at 640 x 360 and 30 frames/s, "
        "scaled by pixels)"
    ) in lines
    assert lines[-2:] == [
        "pictures   P.png: 1 condition at severity 0 to 5, of a drawn face",
        "pictures   not drawn, as they act on whole videos: frame_rate on the frame, h264 on the media as given",
    ]


def test_aligned_media_are_refused(affectbench: Affectbench, drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "S.yaml").write_text(SUITE)
    done = affectbench(
        "run", "--model", "chance", "--targets", drawn / "targets.csv", "--root", drawn, "--aligned", "--suite", "S.yaml",
        "--out", "RUN", "--tracking-uri", "off", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "S.yaml:4: h264 acts on whole videos, and the media of targets are aligned faces." in done.stderr
    assert not (tmp_path / "RUN").exists()
