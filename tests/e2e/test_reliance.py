"""What planted models rely on, from the clips to the report: the order of frames, the mean, sound, pictures."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import ttest_1samp

from bench.predict.film import Film
from bench.predict.perturb import FILM_PERTURBATIONS
from tests.e2e.conftest import Affectbench
from tests.predict.made import write_video
from tests.report.reading import Reader

PERSONS, EACH, FRAMES, RATE = 24, 3, 16, 8000
SUITE = """suite: planted
about: What planted models rely on.
conditions:
  - {perturb: shuffled, severities: [2, 5], where: frame}
  - {perturb: reversed, severities: [5], where: frame}
  - {perturb: missing_picture, severities: [5], where: frame}
  - {perturb: missing_sound, severities: [5], where: sound}
slices: [sex]
metrics: [uar, accuracy, flip_rate]
slice_rule: {n_eff: 30, clusters: 10}
draws: 999
"""

# Each answers by one thing alone, for every frame of the clip.
MODEL = """
import torch

from bench.predict.clip import Scores
from bench.predict.pipeline import Pipeline


def answer(clip):
    bright = clip.frames.double().mean((1, 2, 3)) / 255
    loud = clip.sound.samples.double().square().mean().sqrt()
    happy = ANSWER
    return Scores(clip.times, {"labels": torch.stack([happy, 1 - happy], 1)})


def build(request):
    return Pipeline(lambda clips: [answer(clip) for clip in clips], ("happiness", "neutral"), sound_rate=RATE)
"""
INPUTS = (
    ("order of frames", "shuffled"),
    ("direction of time", "reversed"),
    ("sight", "missing_picture"),
    ("sound", "missing_sound"),
)
ANSWERS = {
    "first": "(bright[:1] > 0.88).double().expand(len(clip)) * 0.8 + 0.1",  # how the clip begins
    "mean": "bright",  # each frame on its own; the harness takes the mean
    "ear": "(loud > 0.1).double().expand(len(clip)) * 0.8 + 0.1",
}


def levels(happy: bool, person: int) -> np.ndarray:
    """The grey of each frame: happy clips begin bright and are bright on the whole; of odd persons they end so."""
    if not happy:
        return np.repeat([20, 60, 160], [1, 7, 8])
    return np.repeat([250, 200, 90, 250 if person % 2 else 90], [1, 7, 7, 1])


class Clips:
    """Three clips a person, one or two of them happy; one in seven is labelled as what it is not."""

    def __init__(self) -> None:
        self.person = np.repeat(np.arange(PERSONS), EACH)
        number = np.arange(PERSONS * EACH)
        self.happy = number % EACH <= self.person // 12
        self.truth = self.happy ^ (number % 7 == 0)
        self.names = [f"c{i:02d}" for i in number]
        self.frames = np.array([levels(h, p) for h, p in zip(self.happy, self.person, strict=True)])

    def write(self, folder: Path) -> None:
        lines = ["target,media,audio,subject,sex,label"]
        for name, happy, true, person, grey in zip(
            self.names, self.happy, self.truth, self.person, self.frames, strict=True
        ):
            write_video(folder / f"{name}.mp4", [np.full((64, 64, 3), g, np.uint8) for g in grey])
            with wave.open(str(folder / f"{name}.wav"), "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", ""))
                tone = np.sin(2 * np.pi * 440 * np.arange(RATE // 2) / RATE) * (0.5 if happy else 0.05)
                file.writeframes((32767 * tone).astype("<i2").tobytes())
            label = "happiness" if true else "neutral"
            lines.append(f"{name},{name}.mp4,{name}.wav,s{person:02d},{'fm'[person % 2]},{label}")
        (folder / "T.csv").write_text("\n".join(lines) + "\n")

    def shown(self, condition: str, severity: int) -> np.ndarray:
        """The grey of each frame under a condition on time, or black."""
        if condition == "missing_picture":
            return np.zeros_like(self.frames)
        times = np.arange(FRAMES) / 25
        films = [Film(name, times, np.arange(FRAMES), iter(())) for name in self.names]
        order = [FILM_PERTURBATIONS[condition](film, severity, 0).source for film in films]
        return np.take_along_axis(self.frames, np.array(order), axis=1)

    def decisions(self, model: str, condition: str = "clean", severity: int = 0) -> np.ndarray:
        """Which clips a model takes for happy, worked out without any pixel."""
        if model == "ear":
            return self.happy & (condition != "missing_sound")
        moved = condition not in ("clean", "missing_sound")
        frames = self.shown(condition, severity) if moved else self.frames
        return frames[:, 0] > 0.88 * 255 if model == "first" else frames.mean(axis=1) > 127.5


@pytest.fixture(scope="module")
def clips() -> Clips:
    return Clips()


@pytest.fixture(scope="module")
def finished(affectbench: Affectbench, clips: Clips, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    clips.write(folder)
    for name, answer in ANSWERS.items():
        entry = folder / "zoo" / name
        entry.mkdir(parents=True)
        (entry / "model.py").write_text(MODEL.replace("ANSWER", answer).replace("RATE", str(RATE)))
        (entry / "CARD.md").write_text(f"# {name}\n\nMade for a test.\n")
    (folder / "S.yaml").write_text(SUITE)
    done = affectbench(
        "run", "--zoo", "zoo", *(word for name in ANSWERS for word in ("--model", name)), "--targets",
        "T.csv", "--root", ".", "--out", "RUN", "--suite", "S.yaml", "--tracking-uri", "off",
        "--batch", 72, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder / "RUN"


@pytest.fixture(scope="module")
def told(affectbench: Affectbench, finished: Path) -> list[dict[str, object]]:
    """The reliance of all models as programs read it."""
    done = affectbench("report", finished, "--json", cwd=finished.parent)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)["reliance"]
    return found


@pytest.mark.parametrize("model", ANSWERS)
@pytest.mark.parametrize(("name", "condition"), INPUTS)
def test_the_loss_is_what_the_plan_takes(
    told: list[dict[str, object]], clips: Clips, model: str, name: str, condition: str
) -> None:
    right = clips.decisions(model) == clips.truth
    left = clips.decisions(model, condition, 5) == clips.truth
    of_person = (right.astype(float) - left).reshape(PERSONS, EACH).mean(axis=1)
    (found,) = [
        row for row in told
        if (row["model"], row["input"], row["metric"], row["slice"]) == (model, name, "accuracy", None)
    ]  # fmt: skip
    assert (found["condition"], found["severity"]) == (condition, 5)
    assert found["reliance"] == ("temporal" if condition in ("shuffled", "reversed") else "modality")
    assert found["clean"] == pytest.approx(right.mean(), abs=1e-12)
    assert found["without"] == pytest.approx(left.mean(), abs=1e-12)
    assert found["estimate"] == pytest.approx(of_person.mean(), abs=1e-12)
    if not of_person.any():
        assert found["estimate"] == 0
        assert found["low"] is None
        return
    interval = ttest_1samp(of_person, 0).confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx(tuple(interval), rel=1e-9)


def test_who_uses_what(told: list[dict[str, object]]) -> None:
    """Planted: the beginning needs order, direction and pictures; the mean pictures; the ear sound. No more."""
    whole = [row for row in told if (row["metric"], row["slice"]) == ("uar", None)]
    used = {(row["model"], row["input"]) for row in whole if row["low"] is not None and row["low"] > 0}
    assert used == {
        ("first", "order of frames"), ("first", "direction of time"), ("first", "sight"), ("mean", "sight"),
        ("ear", "sound"),
    }  # fmt: skip
    assert {row["estimate"] for row in whole if (row["model"], row["input"]) not in used} == {0.0}
    assert {row["metric"] for row in told} == {"accuracy", "uar"}, "flips are not what a model relies on"


def test_it_is_the_degradation_and_audited(
    affectbench: Affectbench, finished: Path, told: list[dict[str, object]]
) -> None:
    rows = pq.read_table(finished / "estimates.parquet").to_pylist()
    names = ("model", "condition", "severity", "where", "metric", "slice", "value")
    lost = {tuple(row[n] for n in names): row for row in rows if row["kind"] == "degradation"}
    assert any(row["slice"] == "sex" for row in told)
    for row in told:
        same = lost[tuple(row[name] for name in names)]
        assert all(row[name] == same[name] for name in ("estimate", "low", "high", "p_adjusted", "status"))
    audit = affectbench("audit", finished, cwd=finished.parent)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert "agrees" in audit.stdout


def test_the_page_says_so_in_plain_words(finished: Path) -> None:
    text = (finished / "report.html").read_text()
    assert '<a href="#reliance">What the models rely on</a>' in text
    page = Reader(text)
    rows = page.table("What each model relies on, UAR on T")
    said = {}
    for row in rows[1:]:
        if len(row) == 1:
            (model,) = row
        else:
            said[model, row[0]] = row[-1]
    assert len(said) == len(ANSWERS) * len(INPUTS)
    assert said["first", "order of frames"].startswith(
        "Relies on the order of frames: UAR is worse with frames in another order, by 0."
    )
    assert said["mean", "order of frames"].startswith(
        "No use of the order of frames is seen: UAR is the same with frames in another order. Unchanged "
        "decisions: 1.000 [0."
    )
    assert said["ear", "sight"].startswith("No use of sight is seen: UAR is the same with black frames.")
    assert page.table("How each input was taken away")[1] == [
        "order of frames", "shuffled, severity 5, on the frame, label may be lost", "32 stretches in another order"
    ]  # fmt: skip
    assert [
        row[0] for row in page.table("Loss without each input on T, by other metrics") if len(row) == 1
    ] == ["Accuracy (WAR)"]
    assert page.table("Loss without each input on T, UAR by slice")
    assert "Metrics that follow frames are left out" in text


def test_the_terminal_has_a_line_for_each_reliance(finished: Path) -> None:
    printed = " ".join((finished.parent / "printed.txt").read_text().split())
    assert printed.count("emporal reliance") == printed.count("odality reliance") == 1
    assert "Temporal reliance on T, what is lost of UAR without the order of frames: first 0." in printed
    assert "without sound: first 0.000 (no interval), mean 0.000 (no interval), ear 0." in printed


@pytest.mark.parametrize(("condition", "severity"), [("clean", 0), ("shuffled", 2), ("shuffled", 5)])
def test_flips_stand_under_each_condition(
    finished: Path, clips: Clips, condition: str, severity: int
) -> None:
    """Of the one that sees each frame on its own: another order makes it flip, though it costs it nothing."""
    grey = clips.shown(condition, severity) if severity else clips.frames
    flips = (np.diff(grey > 127.5, axis=1) != 0).mean()
    before = (np.diff(clips.frames > 127.5, axis=1) != 0).mean()
    rows = Reader((finished / "report.html").read_text()).table("flip rate on T under each condition")
    start = rows.index(["mean"])
    name = f"{condition}, severity {severity}, on the frame" if severity else "clean"
    found = next(row for row in rows[start:] if row[0] == name)
    assert found[2].split()[0] == f"{flips:.3f}"
    assert found[3].split()[0] == (f"{flips - before:.3f}" if severity else "\u2013")
