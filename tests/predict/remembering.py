"""Runs that share a cache of faces, over films of one grey level a frame, and what they cost the detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.face_cache import FaceCache
from bench.predict.front import FaceFinder, Front
from bench.predict.meshes import MeshFinder
from bench.predict.pipeline import Pipeline
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Model
from bench.tables import Targets
from tests.predict.faces import BrightFrames, MadeMesh
from tests.predict.made import CPU, LABELS, targets_of, write_video
from tests.predict.test_run_face import brightness

FRAMES = 6
NAMES = ("a.mp4", "b.mp4", "c.mp4")
ALL = FRAMES * len(NAMES)
LEVELS = [160, 30, 170, 180, 30, 150]
DESCRIBED = {"name": "bright", "weights": ["0" * 64]}


def write_films(folder: Path) -> None:
    for number, name in enumerate(NAMES):
        write_video(folder / name, [np.full((64, 64, 3), level + number, np.uint8) for level in LEVELS])


@dataclass
class Bench:
    """Runs of one model over the same films, each in a folder of its own, with one cache for all."""

    folder: Path
    targets: Targets
    described: dict[str, object] | None = field(default_factory=lambda: dict(DESCRIBED))
    front: Front = field(default_factory=lambda: Front("bright", size=32))
    predict: Callable[[Sequence[Clip]], list[Scores]] = brightness
    sampling: Sampling = field(default_factory=Sampling)
    sound_rate: int | None = None
    oracle: str | None = None
    seed: int = 0
    meshes: dict[str, object] = field(default_factory=lambda: {"version": 1})
    batch: int = 2
    workers: int = 1
    runs: int = 0

    @classmethod
    def of(cls, folder: Path) -> Bench:
        """With the films drawn into a folder."""
        write_films(folder)
        return cls(folder, targets_of(folder, NAMES))

    @property
    def cache(self) -> FaceCache:
        return FaceCache(self.folder / "faces")

    def cell(self, harm: Harm, detector: BrightFrames) -> Cell:
        finder = FaceFinder(self.front, detector, self.described)
        pipeline = Pipeline(self.predict, LABELS, sampling=self.sampling, front=self.front)
        pipeline = replace(pipeline, sound_rate=self.sound_rate)
        meshes = MeshFinder(finder, MadeMesh(), self.meshes) if harm.of_face else None
        model = Model("probe", "probe", None, pipeline, finder=finder)
        return Cell(model, "t", self.targets, harm, self.seed, "fp32", self.oracle, meshes)

    def run(self, *harms: Harm, cached: bool = True) -> tuple[int, list[bytes]]:
        """How many frames the detector saw, and the bytes of all results."""
        self.runs += 1
        detector, run = BrightFrames(), RunFolder(self.folder / f"run{self.runs}")
        stores = [Store(run, self.cell(harm, detector), self.batch) for harm in harms or (CLEAN,)]
        predict_cells(run, stores, Options(CPU, self.workers, cache=self.cache if cached else None))
        files = [file for store in stores for file in (store.folder.predictions, store.folder.frames)]
        self.recalled = [store.folder.facts["decoding"]["recalled"] for store in stores]
        return detector.asked, [file.read_bytes() for file in files]
