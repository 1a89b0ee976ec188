"""What each severity costs a reference model: which families of harm are hard, and from where on.

The reference is mini-xception as it ships. Of stills already cropped (FER2013Test, 3,573 pictures): accuracy.
Of videos, perturbed before detection: the share of frames in which a face is found, and in which the model
names the emotion that it names at that place of the clean video; no label is needed for that.
Levels were chosen before and are not tuned to any of it. What needs whole videos is of videos alone, and so
is what acts on the surface of faces, which stills of 48 pixels hardly show; sound is left out, for the model
does not listen. That an answer at its place is another says where frames went, not what order is worth: of
`shuffled`, two stretches move frames by half a film, 32 by a third of it, and tear more of them apart.

AFFECTBENCH_WEIGHTS=DIR python -m benchmarks.severities DATA --out docs/severities.md; DATA holds ferplus and
opendbm_av
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bench.predict.perturb import FACE_PERTURBATIONS, FILM_PERTURBATIONS, PERTURBATIONS, Perturbation

MODEL = "mini-xception"
CLIPS = ("opendbm_av/subj01_timepoint01.mp4", "opendbm_av/subj02_timepoint01.mp4")
SEVERITIES = range(1, 6)
Said = dict[str, list[str | None]]
"""Of each target the most probable emotion in every frame, in order of time; None where no face is found."""


def main() -> None:
    """Run both suites and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    of_video: dict[str, Perturbation[Any]] = {**PERTURBATIONS, **FACE_PERTURBATIONS, **FILM_PERTURBATIONS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stills = accuracies(predict(folder, "stills", PERTURBATIONS, fer2013(asked.data)))
        videos = {
            condition: said(path)
            for condition, path in cells(predict(folder, "videos", of_video, clips(folder, asked.data)))
        }
    asked.out.write_text(page(stills, videos), encoding="utf-8")


def fer2013(data: Path) -> list[str]:
    """The words that name the stills."""
    return ["--data", f"fer2013@test={data / 'ferplus'}"]


def clips(folder: Path, data: Path) -> list[str]:
    """The words that name the videos, whose labels nobody asks for."""
    lines = [f"{Path(clip).stem},{clip},{Path(clip).stem},neutral" for clip in CLIPS]
    (folder / "clips.csv").write_text("\n".join(["target,media,subject,label", *lines, ""]), encoding="utf-8")
    return ["--targets", str(folder / "clips.csv"), "--root", str(data)]


def predict(folder: Path, name: str, harms: Mapping[str, Perturbation[Any]], words: Sequence[str]) -> Path:
    """Run every severity of some perturbations, and clean media, into a folder."""
    suite = folder / f"{name}.yaml"
    conditions = [f"  - perturb: {harm}" for harm in sorted(harms)]
    suite.write_text("\n".join([f"suite: {name}", "conditions:", *conditions, "metrics: [accuracy]", ""]))
    run = folder / name
    subprocess.run(
        [
            sys.executable, "-c", "from bench.cli import main; main()", "run", "--model", MODEL,
            "--suite", suite, *words, "--out", run, "--tracking-uri", "off", "--quiet",
        ],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return run


def cells(run: Path) -> Iterator[tuple[tuple[str, int], Path]]:
    """The condition and severity of every cell, and its folder."""
    for path in sorted(run.rglob("cell.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        yield (facts["condition"], facts["severity"]), path.parent


def accuracies(run: Path) -> dict[tuple[str, int], float]:
    """Accuracy over all rows by condition and severity."""
    rows = pq.read_table(run / "estimates.parquet").to_pylist()
    return {
        (row["condition"], row["severity"]): row["estimate"]
        for row in rows
        if row["kind"] == "value" and row["metric"] == "accuracy" and row["slice"] is None
    }


def said(cell: Path) -> Said:
    """What was said of every frame; of a moment with several faces, of the first track."""
    table = pq.read_table(cell / "frames.parquet")
    names = [name for name in table.column_names if name.startswith("p_")]
    found: dict[str, dict[float, str | None]] = {}
    for row in table.to_pylist():
        scores = [row[name] for name in names]
        answer = names[int(np.argmax(scores))] if row["status"] == "ok" else None
        found.setdefault(row["target"], {}).setdefault(row["timestamp"], answer)
    return {target: list(answers.values()) for target, answers in found.items()}


def page(stills: dict[tuple[str, int], float], videos: dict[tuple[str, int], Said]) -> str:
    """The page as Markdown."""
    clean, whole = stills["clean", 0], videos["clean", 0]
    purpose = (__doc__ or "").split("\n\n")[:2]
    head = "| perturbation, unit | " + " | ".join(map(str, SEVERITIES)) + " |\n|" + "---|" * 6
    pictures: list[Perturbation[Any]] = list(PERTURBATIONS.values())
    every = [*pictures, *FACE_PERTURBATIONS.values(), *FILM_PERTURBATIONS.values()]
    of_stills = [line(harm, [percent(stills[harm.name, s]) for s in SEVERITIES]) for harm in pictures]
    of_videos = [line(harm, [kept(whole, videos[harm.name, s]) for s in SEVERITIES]) for harm in every]
    frames = sum(map(len, whole.values()))
    return f"""# What each severity costs

{purpose[0]}

{purpose[1]}

Written by `python -m benchmarks.severities`. In brackets the amount; †: people may no longer see the label,
and such severities stay out of gates.

## Stills: accuracy in percent; of clean ones {percent(clean)}

{head}
{chr(10).join(sorted(of_stills))}

## Videos: frames with a face, and of all frames those with the clean answer, in percent

{frames} frames of {len(CLIPS)} videos, sampled five a second; a face is found in {seen(whole)} % of the clean
ones.

{head}
{chr(10).join(sorted(of_videos))}
"""


def line(harm: Perturbation[Any], texts: Sequence[str]) -> str:
    """One perturbation: each amount and what it costs."""
    lost = harm.destroys_label_from or 6
    marked = [
        f"{text} ({amount}{'†' if severity >= lost else ''})"
        for severity, amount, text in zip(SEVERITIES, harm.amounts, texts, strict=True)
    ]
    return f"| `{harm.name}`, {harm.unit} | " + " | ".join(marked) + " |"


def kept(clean: Said, found: Said) -> str:
    """The share of frames with a face and, of the clean ones, of those with the same answer at that place."""
    same = 0
    for target, answers in clean.items():
        places = np.linspace(0, len(found[target]) - 1, len(answers)).round().astype(int)
        same += sum(found[target][place] == answer for place, answer in zip(places, answers, strict=True))
    return f"{seen(found)} / {percent(same / sum(map(len, clean.values())))}"


def seen(found: Said) -> str:
    """The share of frames with a face, in percent."""
    answers = [answer for target in found.values() for answer in target]
    return percent(sum(answer is not None for answer in answers) / len(answers))


def percent(share: float) -> str:
    """A share in percent to one decimal."""
    return f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
