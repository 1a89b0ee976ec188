"""Metrics that follow frames, asked for on the command line: frames given, frames predicted, frames labelled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Affectbench

STEPS = ("flip_rate", "jitter")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Sixty clips of thirty persons in T.csv, predictions of two models, and frames of one of them."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 60)
    words = np.array(["fear", "happiness"])
    names = [f"t{i}" for i in range(60)]
    lines = [
        f"{n},s{i % 30},{words[k]},{'fm'[i % 2]}" for i, (n, k) in enumerate(zip(names, truth, strict=True))
    ]
    (tmp_path / "T.csv").write_text("\n".join(["target,subject,label,sex", *lines]))
    # The clips of women flicker, those of men do not.
    p = np.clip(0.5 + np.where(np.arange(60)[:, None] % 2, 0.1, 0.5) * rng.normal(0, 1, (60, 10)) + 0.2, 0, 1)
    times = np.tile(np.arange(10) / 25, 60)
    frames = {
        "target": np.repeat(names, 10),
        "timestamp": times,
        "p_fear": p.ravel(),
        "p_happiness": 1 - p.ravel(),
    }
    pq.write_table(pa.table(frames), tmp_path / "F.parquet")
    mean = p.mean(axis=1)
    said = {"target": names, "p_fear": mean, "p_happiness": 1 - mean}
    pq.write_table(pa.table(said), tmp_path / "P.parquet")
    return tmp_path


def score(affectbench: Affectbench, folder: Path, *words: str, metrics: tuple[str, ...] = STEPS):  # type: ignore[no-untyped-def]
    asked = [word for name in metrics for word in ("--metric", name)]
    return affectbench(
        "score", "--targets", "T.csv", "--predictions", "new=P.parquet", "--predictions", "old=P.parquet",
        "--out", "run", "--slice", "sex", *asked, "--tracking-uri", "off", *words, cwd=folder,
    )  # fmt: skip


def test_frames_given_beside_predictions_are_followed_reported_and_audited(
    affectbench: Affectbench, clips: Path
) -> None:
    done = score(affectbench, clips, "--frames", "new=F.parquet", "--json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    rows = pq.read_table(clips / "run" / "estimates.parquet").to_pylist()
    values = {(r["model"], r["metric"], r["value"]): r for r in rows if r["kind"] == "value"}
    p = pq.read_table(clips / "F.parquet")["p_fear"].to_numpy().reshape(60, 10)
    flips = np.diff(p > 0.5, axis=1) != 0
    assert values["new", "flip_rate", None]["estimate"] == pytest.approx(flips.mean(), abs=1e-12)
    women = values["new", "flip_rate", "f"]
    assert women["estimate"] == pytest.approx(flips[::2].mean(), abs=1e-12)
    assert women["low"] > values["new", "flip_rate", "m"]["high"]
    assert values["new", "jitter", None]["estimate"] == pytest.approx(
        abs(np.diff(p, axis=1)).mean(), abs=1e-12
    )
    assert values["new", "flip_rate", None]["n"] == 540
    assert "there are no frames to follow" in values["old", "flip_rate", None]["warning"]
    page = (clips / "run" / "report.html").read_text()
    assert "Flip rate" in page
    assert "n counts steps from frame to frame, as densely as they were sampled" in page
    done = affectbench("audit", "run", cwd=clips)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "compared       flip_rate: 3" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("F.parquet", "--frames: 'F.parquet' has another shape. --frames NAME=FILE. Write it like this."),
        ("nwe=F.parquet", "--frames: 'nwe' is none of the predictions. Did you mean 'new'? --predictions NAME=FILE "
         "gives the names: new, old. Correct the name."),
        ("new=G.parquet", "G.parquet: there is no such file."),
        ("new=P.parquet", "P.parquet: column 'timestamp' is missing."),
    ],
)  # fmt: skip
def test_frames_that_cannot_be_followed_are_refused_with_nothing_written(
    affectbench: Affectbench, clips: Path, flag: str, message: str
) -> None:
    done = score(affectbench, clips, "--frames", flag)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert not (clips / "run").exists()


def test_frames_of_targets_that_are_frames_are_refused_with_nothing_written(
    affectbench: Affectbench, clips: Path
) -> None:
    head, *lines = (clips / "T.csv").read_text().splitlines()
    rows = [f"{line},c{i // 6},{i % 6}" for i, line in enumerate(lines)]
    (clips / "T.csv").write_text("\n".join([f"{head},clip,frame", *rows]))
    done = score(affectbench, clips, "--frames", "new=F.parquet")
    assert done.returncode == 2
    assert (
        "--frames new: the targets are frames already: their rows have a clip and a frame. Outputs per frame are "
        "given beside targets that are clips. Leave --frames out."
    ) in " ".join(done.stderr.split())
    assert not (clips / "run").exists()


def test_what_needs_a_label_of_each_frame_is_refused_for_clips(affectbench: Affectbench, clips: Path) -> None:
    done = score(affectbench, clips, metrics=("onset_lag",))
    assert done.returncode == 2
    assert "metric 'onset_lag' needs the column 'clip', which T does not have" in " ".join(
        done.stderr.split()
    )


def test_a_run_over_videos_follows_the_frames_it_predicts(
    affectbench: Affectbench, drawn: Path, shared: Path, tmp_path: Path
) -> None:
    """A double sees no frames; a network does, and flips as often as its table of frames says."""
    done = affectbench(
        "run", "--targets", drawn / "targets.csv", "--aligned", "--model", "mini-xception", "--model", "oracle",
        "--metric", "flip_rate", "--metric", "jitter", "--out", "run", "--tracking-uri", "off", cwd=tmp_path,
        env={"AFFECTBENCH_WEIGHTS": str(shared / "weights")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tmp_path / "run" / "estimates.parquet").to_pylist()
    values = {(r["model"], r["metric"]): r for r in rows if r["kind"] == "value"}
    (path,) = (tmp_path / "run").rglob("frames.parquet")
    (model,) = {name for name, _ in values} - {"oracle"}
    frames = pq.read_table(path).to_pandas()
    p = frames[[name for name in frames if name.startswith("p_")]].to_numpy().reshape(42, -1, 7)
    assert values[model, "flip_rate"]["n"] == len(frames) - 42 >= 42
    flips = p.argmax(axis=2)[:, 1:] != p.argmax(axis=2)[:, :-1]
    assert values[model, "flip_rate"]["estimate"] == pytest.approx(flips.mean(), abs=1e-12)
    jitter = np.abs(np.diff(p, axis=1)).sum(axis=2).mean() / 2
    assert values[model, "jitter"]["estimate"] == pytest.approx(jitter, abs=1e-12)
    assert "there are no frames to follow" in values["oracle", "flip_rate"]["warning"]
    found = affectbench("audit", "run", cwd=tmp_path)
    assert found.returncode == 0, found.stdout
    assert "compared       flip_rate: 1" in found.stdout.splitlines()
