"""Faces are sought once in the same frames, whoever asks: models, conditions on crops and on faces, threads."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Harm, Store
from bench.predict.clip import Clip
from bench.predict.front import FaceFinder, Front
from bench.predict.pipeline import Build
from bench.predict.run import Options, predict_cells
from bench.predict.scene import Scene
from bench.predict.zoo import Zoo
from tests.predict.faces import BrightFrames, made_finder
from tests.predict.made import CPU, targets_of, write_video
from tests.predict.test_run_face import cell_of

FRAMES = 6


@pytest.fixture
def clip() -> Clip:
    pixels = torch.full((FRAMES, 3, 64, 64), 150, dtype=torch.uint8)
    return Clip("x", pixels, np.arange(FRAMES), np.arange(FRAMES) / 25)


def test_one_detector_looks_once(clip: Clip) -> None:
    detector, other = BrightFrames(), BrightFrames()
    scene = Scene([clip], aligned=False)
    finders = [FaceFinder(Front("bright", size=size), detector) for size in (64, 112)]
    assert scene.faces(finders[0]) is scene.faces(finders[1])
    assert detector.asked == FRAMES
    scene.faces(FaceFinder(Front("bright"), other))
    assert other.asked == FRAMES
    scene.faces(FaceFinder(Front("bright", every=2), detector))  # looks at other frames
    assert detector.asked > FRAMES


def test_who_fits_faces_takes_those_that_its_detector_found(clip: Clip) -> None:
    meshes, scene = made_finder(), Scene([clip], aligned=False)
    found = scene.fits(meshes)
    assert scene.fits(meshes) is found
    scene.faces(meshes.finder)
    assert meshes.finder.detector.asked == FRAMES  # type: ignore[attr-defined]
    (again,) = meshes.find([clip], aligned=False)
    assert np.array_equal(again.meshes, found[0].meshes)


def test_threads_wait_for_who_came_first(clip: Clip) -> None:
    detector, scene, found = BrightFrames(), Scene([clip], aligned=False), []
    finder = FaceFinder(Front("bright"), detector)
    threads = [threading.Thread(target=lambda: found.append(scene.faces(finder))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert detector.asked == FRAMES
    assert all(faces is found[0] for faces in found)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_looks_once_for_all_that_see_the_same_frames(tmp_path: Path, workers: int) -> None:
    write_video(tmp_path / "a.mp4", [np.full((64, 64, 3), 150, np.uint8)] * FRAMES)
    targets, meshes = targets_of(tmp_path, ["a.mp4"]), made_finder()
    detector = meshes.finder.detector
    harms = [CLEAN, Harm("gamma", 3, "crop"), Harm("gamma", 5, "crop"), Harm("side_light", 3, "crop")]
    dark = Harm("gamma", 3, "frame")

    def run(name: str, harms: list[Harm]) -> tuple[int, list[bytes]]:
        detector.asked, folder = 0, RunFolder(tmp_path / name)  # type: ignore[attr-defined]
        stores = []
        for harm in harms:
            cell = cell_of(targets, harm, meshes)
            for model in ("one", "two"):
                seeking = replace(cell.model, name=model, finder=FaceFinder(Front("bright"), detector))
                stores.append(Store(folder, replace(cell, model=seeking), 1))
        predict_cells(folder, stores, Options(CPU, workers=workers))
        return detector.asked, [store.folder.predictions.read_bytes() for store in stores]  # type: ignore[attr-defined]

    asked, together = run("together", harms[:3])
    assert asked == FRAMES
    assert run("dark", [*harms[:3], dark])[0] == 2 * FRAMES  # its frames are others
    assert [alone for harm in harms[:3] for alone in run(harm.label, [harm])[1]] == together


def test_the_zoo_builds_a_part_once(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    zoo, request, where = Zoo(), Build(CPU, torch.float32), ("--model", "Choose another")
    one = zoo.load_part("yunet", "detector", request, where)
    assert zoo.load_part("yunet", "detector", request, where) is one
    assert zoo.load_part("yunet", "detector", replace(request, dtype=torch.bfloat16), where) is not one
