"""``affectbench`` with conditions on the sound, from the outside: a private model that listens, on real clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Affectbench

SUITE = """suite: heard
about: What is heard.
conditions:
  - {perturb: background_noise, severities: [1, 5], where: sound}
  - {perturb: desynchronisation, severities: [5], where: sound}
  - {perturb: missing_sound, severities: [5], where: sound}
  - {perturb: mismatched_voice, severities: [5], where: sound}
  - {perturb: missing_picture, severities: [5]}
draws: 999
"""

# Says how loud the second around each frame is, and how bright the frame; sees whole frames.
LISTENER = """
import torch

from bench.predict.clip import Sampling, Scores
from bench.predict.pipeline import Pipeline


def answer(clip):
    rate, samples = clip.sound.rate, clip.sound.samples
    near = [samples[max(0, int((t - 0.5) * rate)) : int((t + 0.5) * rate)] for t in clip.times]
    loud = torch.stack([piece.double().square().sum().sqrt() for piece in near])
    bright = clip.frames.double().mean((1, 2, 3)) / 255
    labels = torch.stack([bright, 1 - bright], 1)
    return Scores(clip.times, {"labels": labels, "valence": loud / 10, "arousal": bright})


def build(request):
    return Pipeline(
        lambda clips: [answer(clip) for clip in clips], ("happiness", "neutral"),
        ("labels", "valence", "arousal"), Sampling(rate=5), sound_rate=16000,
    )
"""


@pytest.fixture(scope="module")
def finished(affectbench: Affectbench, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    entry = folder / "zoo" / "listener"
    entry.mkdir(parents=True)
    (entry / "model.py").write_text(LISTENER)
    (entry / "CARD.md").write_text("# listener\n\nListens, for a test.\n")
    (folder / "S.yaml").write_text(SUITE)
    (folder / "T.csv").write_text(
        "target,media,subject,label\n"
        "one,subj01_timepoint01.mp4,s1,neutral\n"
        "two,subj02_timepoint01.mp4,s2,happiness\n"
    )
    done = affectbench(
        "run", "--zoo", "zoo", "--model", "listener", "--model", "chance", "--targets", "T.csv", "--root",
        shared / "data" / "opendbm_av", "--out", "RUN", "--suite", "S.yaml", "--tracking-uri", "off",
        "--batch", 1, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "RUN"


def said(run: Path, column: str) -> dict[str, np.ndarray]:
    """What the listener says of each frame of the first clip, by condition."""
    return {
        path.parent.name: np.array(
            [row[column] for row in pq.read_table(path).to_pylist() if row["target"] == "one"], float
        )
        for path in run.rglob("frames.parquet")
    }


def test_what_is_heard_and_what_is_seen(finished: Path) -> None:
    loud, bright = said(finished, "valence"), said(finished, "arousal")
    assert set(loud) == {
        "clean", "background_noise-1-sound", "background_noise-5-sound", "desynchronisation-5-sound",
        "missing_sound-5-sound", "mismatched_voice-5-sound", "missing_picture-5-frame",
    }  # fmt: skip
    clean = loud["clean"]
    assert len(clean) == 27
    assert (clean > 0).all()
    for name, levels in bright.items():
        assert np.array_equal(levels, bright["clean"]) == (name != "missing_picture-5-frame")
    assert not bright["missing_picture-5-frame"].any()
    assert np.array_equal(loud["missing_picture-5-frame"], clean)
    assert not loud["missing_sound-5-sound"].any()
    # As much power of noise as of the voice, and a hundredth of it.
    for name, factor in (("background_noise-5-sound", 2.0), ("background_noise-1-sound", 1.01)):
        assert np.square(loud[name]).sum() / np.square(clean).sum() == pytest.approx(factor, rel=0.08)
    # What is heard now was heard 1.4 s, seven frames, before; around the last frames the sound ends.
    late = loud["desynchronisation-5-sound"]
    assert np.abs(late[10:-3] - clean[3:-10]).max() < 0.01 * clean.max()
    assert not late[:4].any()
    assert np.corrcoef(loud["mismatched_voice-5-sound"], clean)[0, 1] < 0.9


def test_the_run_is_audited_and_says_where(affectbench: Affectbench, finished: Path) -> None:
    audit = affectbench("audit", finished, cwd=finished.parent)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    rows = pq.read_table(finished / "estimates.parquet").to_pylist()
    places = {(row["condition"], row["where"]) for row in rows if row["severity"]}
    assert places == {
        ("background_noise", "sound"), ("desynchronisation", "sound"), ("missing_sound", "sound"),
        ("mismatched_voice", "sound"), ("missing_picture", "frame"),
    }  # fmt: skip
    done = affectbench("report", finished, cwd=finished.parent)
    assert done.returncode == 0, done.stderr
    page = next(finished.rglob("*.html")).read_text()
    assert "background noise, on the sound" in page
    assert "Conditions on the sound leave the pictures as they are" in page


def test_the_suite_is_shown(affectbench: Affectbench, tmp_path: Path) -> None:
    done = affectbench("suite", "show", "robustness-sound", "--pictures", "P.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (
        "condition  desynchronisation on the sound (1: 125, 2: 185, 3: 350, 4: 700, 5: 1400 ms by which the sound is late)"
    ) in lines
    assert lines[-2] == "pictures   P.png: 1 condition at severity 0 to 5, of a drawn face"
    assert lines[-1].startswith(
        "pictures   not drawn, as they act on the sound: background_noise on the sound, "
    )
    (tmp_path / "S.yaml").write_text("suite: telephone\nconditions: [{perturb: telephone, where: sound}]\n")
    alone = affectbench("suite", "show", "S.yaml", "--pictures", "P.png", cwd=tmp_path)
    assert alone.returncode == 2
    assert "--pictures: no condition of telephone acts on pictures." in alone.stderr


def test_who_does_not_listen_is_refused(affectbench: Affectbench, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "T.csv").write_text("target,media,label\none,subj01_timepoint01.mp4,neutral\n")
    (tmp_path / "S.yaml").write_text(SUITE)
    done = affectbench(
        "run", "--model", "mini-xception", "--targets", "T.csv", "--root", shared / "data" / "opendbm_av",
        "--out", "RUN", "--suite", "S.yaml", "--tracking-uri", "off", cwd=tmp_path,
        env={"AFFECTBENCH_WEIGHTS": str(shared / "weights")},
    )  # fmt: skip
    assert done.returncode == 2
    assert "mismatched_voice takes the voice of another, and there is none for one." in done.stderr
    (tmp_path / "S.yaml").write_text(
        SUITE.replace("  - {perturb: mismatched_voice, severities: [5], where: sound}\n", "")
    )
    done = affectbench(
        "run", "--model", "mini-xception", "--targets", "T.csv", "--root", shared / "data" / "opendbm_av",
        "--out", "RUN", "--suite", "S.yaml", "--tracking-uri", "off", cwd=tmp_path,
        env={"AFFECTBENCH_WEIGHTS": str(shared / "weights")},
    )  # fmt: skip
    assert done.returncode == 2
    assert (
        "S.yaml:4: background_noise acts on the sound, and mini-xception@102-0.66 does not listen."
        in done.stderr
    )
    assert not (tmp_path / "RUN").exists()
