"""Throughput of a run as a ratio to its slowest stage alone, on the same media, in one process.

The goal is 0.9. Videos pass it, for the run detects faces in threads while the stage alone is one call after
another; two clips alone are too few to fill the pipeline. Small stills do not pass it on two cores that share
their speed: a run keeps both busy, and a stage that is timed alone has the whole of it. So the slowest stage
is also timed beside a process that does nothing but count, in no memory to speak of: what a second busy core
costs by itself, and the ratio to that.

Stages: decode (every medium read to its sampled frames), detect (faces of the decoded frames), model (the
crops). Each is timed alone with the machine to itself, then the whole run, ``--rounds`` times in turn; the
fastest of each counts. Where the stages share the same two cores, a run cannot be faster than the processor
work of all of them together; that bound is printed too.

    AFFECTBENCH_WEIGHTS=DIR python benchmarks/throughput.py [--media FOLDER]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch loads

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import torch

from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Store
from bench.predict.clip import Clip
from bench.predict.forward import predict_clips
from bench.predict.front import FaceFinder
from bench.predict.pipeline import Build
from bench.predict.reader import Medium, Reader, chunks
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Model, Zoo, parse_choice
from bench.spec import Facts
from bench.synth.drawn import draw_face
from bench.tables import Targets, validate_targets
from bench.workflow import BATCH

CPU = torch.device("cpu")
Taken = tuple[float, float]
"""Seconds, and processor seconds."""
SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".png", ".jpg")


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--media", type=Path, help="a folder of videos and pictures; default: drawn clips")
    parser.add_argument("--aligned", action="store_true", help="the media are faces already cropped")
    parser.add_argument("--limit", type=int, default=4096, help="at most that many media")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of torch; 1 leaves each other stage a core of its own")
    parser.add_argument("--model", default="mini-xception")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads or torch.get_num_threads())
    with tempfile.TemporaryDirectory() as folder:
        root = asked.media or draw_clips(Path(folder) / "media")
        media = find_media(root, asked.limit, "aligned" if asked.aligned else "frame")
        stages, taxed, whole, frames = measure(media, Path(folder), asked.model, asked.rounds)
    slowest = max(stages, key=lambda name: stages[name][0])
    about = f"{frames} frames of {len(media)} media in {root.name}, torch threads: {torch.get_num_threads()}"
    print(f"| {about} | seconds | processor s | frames/s |")
    print("|---|---|---|---|")
    beside = f"{slowest}, beside a process that counts"
    for name, (seconds, busy) in {**stages, beside: taxed, "whole run": whole}.items():
        rate = f"{frames / seconds:.0f}" if seconds > 0.005 else "none to do"
        print(f"| {name} | {seconds:.2f} | {busy:.2f} | {rate} |")
    print(f"| ratio to the slowest stage ({slowest}) | {stages[slowest][0] / whole[0]:.2f} | | |")
    print(f"| ratio to that stage beside a process that counts | {taxed[0] / whole[0]:.2f} | | |")
    bound = sum(busy for _, busy in stages.values()) / len(os.sched_getaffinity(0))
    print(f"| processor work of all stages over all cores: no run can be faster | {bound:.2f} | | |")


def draw_clips(folder: Path, clips: int = 24, frames: int = 75) -> Path:
    """Videos of 640x480 with a drawn face in motion, 3 s each."""
    folder.mkdir(parents=True)
    for number in range(clips):
        with av.open(str(folder / f"{number:02d}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"preset": "fast"})
            stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
            for i in range(frames):
                face = draw_face("happiness", "warm", "round", size=320, sway=0.05 * np.sin(i / 8))
                frame = np.full((480, 640, 3), 90, np.uint8)
                frame[80:400, 160:480] = face
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
    return folder


def find_media(root: Path, limit: int, kind: str) -> Targets:
    """Every video and picture under a folder as a target."""
    paths = sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES)[:limit]
    names = [str(path.relative_to(root)) for path in paths]
    table = pa.table({"target": names, "media": names, "label": ["neutral"] * len(names)})
    return validate_targets(table, Facts(name=root.name, media_kind=kind), "media", root)


@dataclass
class Stages:
    """The stages of one model over some media; each leaves what the next one needs."""

    targets: Targets
    scratch: Path
    model: Model
    decoded: list[list[tuple[int, Clip]]] = field(default_factory=list)
    crops: list[list[Clip]] = field(default_factory=list)
    runs: int = 0

    @property
    def finder(self) -> FaceFinder | None:
        """What finds faces; aligned media need none."""
        return None if self.targets.facts.media_kind == "aligned" else self.model.finder

    def decode(self) -> None:
        """Read every medium to its sampled frames."""
        assert self.targets.root is not None
        names, sampling = self.targets.table["media"].to_pylist(), self.model.pipeline.sampling
        media = [Medium(name, self.targets.root / name, sampling) for name in names]
        with Reader(len(media), media.__getitem__, CPU, 2) as reader:
            self.decoded = [windows for windows, _ in chunks(reader.read(range(len(media))))]

    def detect(self) -> None:
        """Find, track and cut the faces of the decoded frames."""
        finder = self.finder
        if finder is None:
            self.crops = [[clip for _, clip in windows] for windows in self.decoded]
            return
        states = [finder.start() for _ in range(len(self.targets))]
        self.crops = []
        for windows in self.decoded:
            found = zip(windows, finder.detect([clip for _, clip in windows]), strict=True)
            self.crops.append(
                [crop for (p, clip), faces in found for crop in finder.cut(states[p], clip, faces)]
            )

    def predict(self) -> None:
        """Classify the crops."""
        for clips in self.crops:
            predict_clips(self.model, clips)

    def run(self) -> None:
        """The whole run, into a new folder."""
        self.runs += 1
        folder = RunFolder(self.scratch / f"run{self.runs}")
        cell = Cell(self.model, "media", self.targets, CLEAN, 0, "fp32")
        predict_cells(folder, [Store(folder, cell, BATCH[self.targets.facts.media_kind])], Options(CPU))


def measure(
    targets: Targets, scratch: Path, name: str, rounds: int
) -> tuple[dict[str, Taken], Taken, Taken, int]:
    """Fastest time of each stage alone, of the slowest of them beside a busy core, of the run; the frames."""
    model = Zoo().load(parse_choice(name), Build(CPU, torch.float32))
    stages = Stages(targets, scratch, model)
    calls = {"decode": stages.decode, "detect": stages.detect, "model": stages.predict}
    taken: dict[str, list[Taken]] = {stage: [] for stage in (*calls, "run")}
    beside: dict[str, list[Taken]] = {stage: [] for stage in calls}
    with torch.inference_mode():
        for _ in range(rounds):
            for stage, call in calls.items():
                taken[stage].append(timed(call))
            slowest = max(calls, key=lambda stage: min(taken[stage]))
            with counting():
                beside[slowest].append(timed(calls[slowest]))
            taken["run"].append(timed(stages.run))
    best = {stage: min(times) for stage, times in taken.items()}
    frames = sum(len(clip) for windows in stages.decoded for _, clip in windows)
    return {stage: best[stage] for stage in calls}, min(beside[slowest]), best["run"], frames


@contextmanager
def counting() -> Iterator[None]:
    """A process beside this one that counts and does nothing else."""
    process = subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def timed(function: Callable[[], None]) -> Taken:
    """Wall-clock and processor seconds of one call."""
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    function()
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
