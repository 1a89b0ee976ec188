"""Detection in one frame of k with faces moved in straight lines between: what it gains and what it loses.

Beside detection in every frame of the same videos, at the videos' own rate: milliseconds a frame of detection
alone, decoding apart; the mean and the least overlap (intersection over union) of the boxes of faces that are
in both; faces that are in one alone; and the mean distance of the five points over that of the eyes. Last,
what a run over all of them costs whose faces an earlier run found, as a share of that one: what is left is
decoding, tracking and the cutting of crops, since the model does nothing.

    AFFECTBENCH_WEIGHTS=DIR python benchmarks/detection.py [--detector yunet] VIDEO ...
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Store
from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.datasets.media import digest_media
from bench.predict.decode import decode
from bench.predict.face_cache import FaceCache
from bench.predict.faces import Faces, overlap
from bench.predict.front import FaceFinder, Front
from bench.predict.given import SAME_FACE
from bench.predict.pipeline import Build, Pipeline
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Model, Zoo
from bench.spec import Facts
from bench.tables import validate_targets

CPU = torch.device("cpu")
EVERY = (1, 2, 3, 5, 10)
MOST = 5  # windows of a video


def main() -> None:
    """Print a table for each video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--detector", default="yunet")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    request = Build(CPU, torch.float32)
    part = Zoo().load_part(asked.detector, "detector", request, ("--detector", "Name one of them"))
    detector = part.built
    for path in asked.videos:
        windows = [
            clip for clip, _ in zip(decode(path, path.name, Sampling(), CPU), range(MOST), strict=False)
        ]
        print(f"\n{path.name}: {sum(map(len, windows))} frames")
        print(" every   ms a frame   overlap: mean   least   lost   made up   points")
        found = {every: timed(FaceFinder(Front(every=every), detector), windows) for every in EVERY}
        for every, (milliseconds, faces) in found.items():
            print(f"{every:6}   {milliseconds:10.1f}   {compare(found[1][1], faces)}")
    first, second = twice(FaceFinder(Front(asked.detector), detector, part.describe(request)), asked.videos)
    print(f"\nfaces known: {second:.1f} of {first:.1f} s, {second / first:.2f} of the run before")


def timed(finder: FaceFinder, windows: Sequence[Clip]) -> tuple[float, list[Faces]]:
    """Milliseconds a frame, and the faces of every frame."""
    started = time.perf_counter()
    found = [faces for window in windows for faces in finder.detect([window])[0]]
    return 1000 * (time.perf_counter() - started) / len(found), found


def twice(finder: FaceFinder, videos: Sequence[Path]) -> list[float]:
    """Seconds of a run over all the videos, and of the same run again."""

    def silent(clips: Sequence[Clip]) -> list[Scores]:
        return [Scores(clip.times, {"valence": torch.zeros(len(clip))}) for clip in clips]

    model = Model("none", "none", None, Pipeline(silent, (), ("valence",), front=finder.front), finder=finder)
    rows = [{"target": str(n), "media": str(p.resolve())[1:], "valence": 0.0} for n, p in enumerate(videos)]
    root = Path(Path.cwd().anchor)
    targets = digest_media(validate_targets(pa.Table.from_pylist(rows), Facts(name="videos"), "", root))
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first", "second"):
            run, cell = RunFolder(Path(folder) / name), Cell(model, "videos", targets, CLEAN, 0, "fp32")
            began = time.perf_counter()
            predict_cells(run, [Store(run, cell, 8)], Options(CPU, cache=FaceCache(Path(folder) / "faces")))
            seconds.append(time.perf_counter() - began)
    return seconds


def compare(whole: Sequence[Faces], sparse: Sequence[Faces]) -> str:
    """One row of the table."""
    shared: list[float] = []
    errors: list[float] = []
    lost = made = 0
    for one, other in zip(whole, sparse, strict=True):
        both = np.nan_to_num(overlap(one.boxes, other.boxes))
        lost += len(one) - int((both.max(axis=1, initial=0) >= SAME_FACE).sum())
        made += len(other) - int((both.max(axis=0, initial=0) >= SAME_FACE).sum())
        for place in np.flatnonzero(both.max(axis=1, initial=0) >= SAME_FACE):
            partner = both[place].argmax()
            shared.append(float(both[place, partner]))
            apart = np.hypot(*(other.points[partner] - one.points[place]).T).mean()
            errors.append(float(apart / np.hypot(*(one.points[place, 1] - one.points[place, 0]))))
    mean, least = (np.mean(shared), min(shared)) if shared else (np.nan, np.nan)
    return f"{mean:13.3f}   {least:5.3f}   {lost:4}   {made:7}   {np.mean(errors) if errors else np.nan:6.3f}"


if __name__ == "__main__":
    main()
