"""What is said beside the numbers: labels that cannot win, independence, work already done, scales."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.labels import EKMAN_7
from tests.e2e.conftest import Affectbench

LABELS = ("fear", "anger", "sadness")
UNSAYABLE = "voice: on T no probability for fear: can never be predicted."
ALONE = "T: with clips as clusters independence is assumed; if persons recur, intervals are too narrow."
VALENCE = """
import torch
from bench.predict.clip import Scores
from bench.predict.pipeline import Pipeline

def build(request):
    def predict(clips):
        return [Scores(c.times, {"valence": torch.full((len(c),), 3.0)}) for c in clips]
    return Pipeline(predict, outputs=("valence",))
"""


def write_table(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    """Targets without persons, and probabilities that leave one of their labels out."""
    write_table(tmp_path / "T.csv", "target,label", [f"t{i},{LABELS[i % 3]}" for i in range(60)])
    write_table(
        tmp_path / "P.csv", "target,p_anger,p_sadness", [f"t{i},.{i % 9 + 1},.{9 - i % 9}" for i in range(60)]
    )
    return tmp_path


SCORE = (
    "score",
    "--targets",
    "T.csv",
    "--predictions",
    "voice=P.csv",
    "--out",
    "RUN",
    "--tracking-uri",
    "off",
)


def test_a_label_that_cannot_win_is_named_everywhere(affectbench: Affectbench, voices: Path) -> None:
    done = affectbench(*SCORE, cwd=voices)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[:2] == [ALONE, UNSAYABLE]
    assert UNSAYABLE in (voices / "RUN" / "report.html").read_text(encoding="utf-8")
    found = json.loads(affectbench("report", "RUN", "--json", cwd=voices).stdout)
    assert found["notes"] == [ALONE, UNSAYABLE]


def test_units_that_cannot_be_said_and_a_scale_that_is_another_are_named_everywhere(
    affectbench: Affectbench, voices: Path
) -> None:
    write_table(
        voices / "T.csv", "target,subject,au_04,au_25", [f"t{i},s{i},{i % 6},{i % 5}" for i in range(60)]
    )
    write_table(voices / "P.csv", "target,au_04", [f"t{i},.{i % 9}" for i in range(60)])
    said = [
        "voice: on T no output for au_25: missed in every row.",
        "voice: on T no score of any action unit reaches 2 of 5, from which a unit counts as present: are the "
        "predictions on the occurrence scale?",
    ]
    done = affectbench(*SCORE, "--metric", "au_f1", cwd=voices)
    assert (done.returncode, done.stderr) == (0, "")
    assert " ".join(done.stdout.split()).startswith(" ".join(said)), "lines are folded"
    page = (voices / "RUN" / "report.html").read_text(encoding="utf-8")
    assert all(text in page for text in said)
    assert json.loads(affectbench("report", "RUN", "--json", cwd=voices).stdout)["notes"] == said


def test_clips_without_frames_are_counted_everywhere(affectbench: Affectbench, voices: Path) -> None:
    write_table(voices / "T.csv", "target,subject,label", [f"t{i},s{i},{LABELS[i % 3]}" for i in range(60)])
    write_table(voices / "P.csv", "target,predicted", [f"t{i},fear" for i in range(60)])
    frames = [f"t{i},{time},{LABELS[time % 2]}" for i in range(30) for time in range(3)]
    write_table(voices / "F.csv", "target,timestamp,predicted", frames)
    said = "voice: on T 30 of 60 rows with an answer have no frames: temporal metrics leave them out."
    done = affectbench(*SCORE, "--frames", "voice=F.csv", "--metric", "flip_rate", cwd=voices)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == said
    assert said in (voices / "RUN" / "report.html").read_text(encoding="utf-8")
    assert json.loads(affectbench("report", "RUN", "--json", cwd=voices).stdout)["notes"] == [said]


def test_targets_without_truth_are_a_warning_everywhere(affectbench: Affectbench, voices: Path) -> None:
    write_table(voices / "T.csv", "target,subject,sex", [f"t{i},s{i},{'fm'[i % 2]}" for i in range(60)])
    said = (
        "no truth in T: coverage alone is measured, since no label, valence, arousal or dominance is there."
    )
    done = affectbench(*SCORE, cwd=voices)
    assert (done.returncode, done.stderr, done.stdout.splitlines()[0]) == (0, "", said)
    assert said in (voices / "RUN" / "report.html").read_text(encoding="utf-8")
    found = json.loads(affectbench("report", "RUN", "--json", cwd=voices).stdout)
    assert found["notes"] == [said]
    assert affectbench(*SCORE, "--quiet", cwd=voices).stderr == f"warning: {said}\n"
    asked = affectbench(*SCORE[:-3], "ASKED", "--metric", "coverage", "--tracking-uri", "off", cwd=voices)
    assert asked.returncode == 0, asked.stderr
    assert "no truth" not in asked.stdout, "coverage was asked for alone"


def test_quiet_keeps_what_must_be_known_on_stderr(affectbench: Affectbench, voices: Path) -> None:
    done = affectbench(*SCORE, "--quiet", cwd=voices)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"warning: {ALONE}\nwarning: {UNSAYABLE}\n"


def test_probabilities_of_no_label_of_the_targets_are_refused(affectbench: Affectbench, voices: Path) -> None:
    write_table(voices / "P.csv", "target,p_happiness,p_disgust", [f"t{i},.5,.5" for i in range(60)])
    before = sorted(voices.iterdir())
    done = affectbench(*SCORE, "--labels", "fear,anger,sadness", cwd=voices)
    assert done.returncode == 2
    assert done.stderr == (
        "error: P.csv: its probabilities are of disgust, happiness. The targets have anger, fear, sadness: no "
        "label is common. Map its columns with --column p_LABEL=YOURS, or judge predictions of the same label "
        "space.\n"
    )
    assert sorted(voices.iterdir()) == before


@pytest.mark.parametrize(
    ("truth", "said", "message"),
    [
        ("label,valence", "au_12,au_04", "its outputs are au_04, au_12. T has label, valence, by which none"),
        ("valence", "predicted", "its outputs are predicted. T has valence, by which none"),
        ("au_04", "au_12,arousal", "its outputs are arousal, au_12. T has au_04, by which none"),
    ],
)
def test_predictions_of_what_the_targets_have_no_truth_of_are_refused(
    affectbench: Affectbench, voices: Path, truth: str, said: str, message: str
) -> None:
    words = {"label": "fear", "predicted": "fear"}

    def write(name: str, columns: str) -> None:
        values = ",".join(words.get(column, "1") for column in columns.split(","))
        write_table(voices / name, f"target,{columns}", [f"t{i},{values}" for i in range(60)])

    write("T.csv", truth)
    write("P.csv", said)
    before = sorted(voices.iterdir())
    done = affectbench(*SCORE, cwd=voices)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: P.csv: {message} of these can be judged. Give predictions of what T has, or add the truth of "
        "these outputs to it.\n"
    )
    assert sorted(voices.iterdir()) == before


@pytest.mark.parametrize(("said", "asked"), [("au_04", ["--metric", "coverage"]), ("au_04,valence", [])])
def test_predictions_of_which_something_can_be_judged_are_not_refused(
    affectbench: Affectbench, voices: Path, said: str, asked: list[str]
) -> None:
    write_table(voices / "T.csv", "target,label,valence", [f"t{i},fear,.{i % 9}" for i in range(60)])
    write_table(voices / "P.csv", f"target,{said}", [f"t{i}{',1' * len(said.split(','))}" for i in range(60)])
    done = affectbench(*SCORE, *asked, cwd=voices)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no truth in T" not in done.stdout


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (["recall/fear"], ["recall: fear"]),
        (["recall"], [f"recall: {label}" for label in EKMAN_7.labels]),
        (["accuracy", "kappa"], ["accuracy (WAR)", "Cohen's kappa"]),
    ],
)
def test_a_metric_that_is_asked_for_is_shown(
    affectbench: Affectbench, voices: Path, asked: list[str], shown: list[str]
) -> None:
    metrics = [word for name in asked for word in ("--metric", name)]
    done = affectbench(*SCORE, *metrics, cwd=voices)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    first = lines.index("T, all rows (clean)") + 4  # a blank line, the head of the table, a rule
    table = lines[first : lines.index("", first)]
    assert [line.removeprefix("voice").strip().split("  ")[0] for line in table] == shown


def test_a_run_says_what_was_made_before(affectbench: Affectbench, drawn: Path, tmp_path: Path) -> None:
    words = [
        "run", "--model", "oracle", "--suite", "demo", "--data", f"drawn={drawn}", "--out", "RUN",
        "--tracking-uri", "off",
    ]  # fmt: skip
    first = affectbench(*words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[0] == "to predict: 7 cells, 294 rows, 7.0 times those of clean media"
    assert "already made" not in first.stdout
    again = affectbench(*words, cwd=tmp_path)
    assert again.stdout.splitlines()[0] == "7 of 7 cells were already made; nothing is left to predict"
    shutil.rmtree(tmp_path / "RUN" / "cells" / "oracle" / "drawn" / "clean")
    resumed = affectbench(*words, cwd=tmp_path)
    assert resumed.stdout.splitlines()[0] == "6 of 7 cells were already made"
    predictions = tmp_path / "RUN" / "cells" / "oracle" / "drawn" / "clean" / "predictions.parquet"
    before = predictions.read_bytes()
    pq.write_table(pq.read_table(predictions).slice(1), predictions)
    refused = affectbench("report", "RUN", cwd=tmp_path)
    assert refused.returncode == 2
    assert "1 of 7 cells is unfinished or changed, this first" in refused.stderr
    again = affectbench(*words, cwd=tmp_path)
    assert again.stdout.splitlines()[:2] == [
        "6 of 7 cells were already made",
        "changed since they were made, and made again: oracle / drawn / clean",
    ]
    assert predictions.read_bytes() == before
    quiet = affectbench(*words, "--quiet", cwd=tmp_path)
    assert (quiet.returncode, quiet.stdout) == (0, "")
    assert quiet.stderr == "warning: These are doubles of known quality, not models.\n"


@pytest.mark.parametrize("words", [("score", "--predictions", "T.csv"), ("run", "--model", "oracle")])
def test_targets_on_another_scale_are_refused_by_both(
    affectbench: Affectbench, tmp_path: Path, words: tuple[str, ...]
) -> None:
    write_table(tmp_path / "T.csv", "target,media,valence", ["a,a.png,.5", "b,b.png,4"])
    done = affectbench(*words, "--targets", "T.csv", "--out", "RUN", "--tracking-uri", "off", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: T.csv row 2: valence is 4. valence lies in [-1, 1] or is empty. Rescale the column.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["T.csv"]


def test_predictions_on_another_scale_are_refused_whoever_made_them(
    affectbench: Affectbench, drawn: Path, tmp_path: Path
) -> None:
    (tmp_path / "zoo" / "wide").mkdir(parents=True)
    (tmp_path / "zoo" / "wide" / "model.py").write_text(VALENCE)
    told = (
        "valence is 3. valence lies in [-1, 1], and a regression that overshoots in [-2, 2]. Rescale the column to "
        "[-1, 1].\n"
    )
    targets = drawn / "targets.csv"
    names = [line.split(",")[0].strip('"') for line in targets.read_text().splitlines()[1:]]
    write_table(tmp_path / "P.csv", "target,valence", [f"{name},3" for name in names])
    words = ["--targets", targets, "--out", "RUN", "--tracking-uri", "off"]
    scored = affectbench("score", "--predictions", "P.csv", *words, cwd=tmp_path)
    assert (scored.returncode, scored.stderr) == (2, f"error: P.csv target {names[0]!r}: {told}")
    ran = affectbench("run", "--model", "wide", "--zoo", "zoo", *words, cwd=tmp_path)
    assert (ran.returncode, ran.stderr) == (2, f"error: wide target {names[0]!r}: {told}")
    checked = affectbench("zoo", "check", "wide", "--zoo", "zoo", cwd=tmp_path)
    assert checked.returncode == 1
    assert "BROKEN  declared outputs: valence is 3; valence lies in [-1, 1]" in checked.stdout
