"""Conditions that act on the surface of faces, from the plan to cell.json: one fit for all, and its misses counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bench.errors import UserError
from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Scores
from bench.predict.faces import Faces
from bench.predict.front import FaceFinder, Front
from bench.predict.meshes import MeshFinder, load_mesh_finder, misplaced
from bench.predict.pipeline import Build
from bench.predict.plan import plan_cells
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Zoo, parse_choice
from bench.question import Question
from bench.spec import Condition, DataSource, Suite
from bench.tables import Targets
from tests.predict.faces import BrightFrames, MadeMesh, ellipsoid, faces_in, five, made_finder
from tests.predict.made import CPU, model_of, targets_of, write_video

LIT = Harm("side_light", 4, "frame")
LEVELS = [160, 30, 170, 180, 30, 150]


def brightness(clips: Sequence[Clip]) -> list[Scores]:
    bright = [clip.frames.double().mean((1, 2, 3)) / 255 for clip in clips]
    return [
        Scores(clip.times, {"labels": torch.stack([level, 1 - level], dim=1)})
        for clip, level in zip(clips, bright, strict=True)
    ]


def cell_of(targets: Targets, harm: Harm, finder: MeshFinder) -> Cell:
    return Cell(model_of(brightness), "t", targets, harm, 0, "fp32", meshes=finder if harm.of_face else None)


def levels(store: Store) -> np.ndarray:
    said = pq.read_table(store.folder.frames)["p_happiness"].to_pylist()
    return np.array(said, np.float64) * 255  # NaN without a face


def film_of(folder: Path, name: str) -> None:
    write_video(folder / name, [np.full((64, 64, 3), level, np.uint8) for level in LEVELS])


def facts(store: Store) -> dict[str, object]:
    return json.loads((store.folder.path / "cell.json").read_text())


def test_frames_without_a_fit_stay_and_are_counted(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        film_of(tmp_path, name)
    run, targets, finder = (
        RunFolder(tmp_path / "run"),
        targets_of(tmp_path, ["a.mp4", "b.mp4"]),
        made_finder(),
    )
    harms = [CLEAN, LIT, Harm("side_light", 5, "frame")]
    stores = [Store(run, cell_of(targets, harm, finder), 1) for harm in harms]
    predict_cells(run, stores, Options(CPU, workers=1))
    clean, four, five = (levels(store) for store in stores)
    dark = np.array(LEVELS * 2) < 99
    assert np.abs(clean - LEVELS * 2).max() < 4
    assert np.array_equal(four[dark], clean[dark])
    assert (four[~dark] < clean[~dark] - 5).all()
    assert (five[~dark] < four[~dark] - 1).all()
    # Twelve frames are looked at once, however many severities there are.
    assert finder.finder.detector.asked == 12
    assert [facts(store).get("perturbable") for store in stores] == [None, 12, 12]
    assert [facts(store).get("unperturbed") for store in stores] == [None, 4, 4]
    assert [facts(store).get("meshes") for store in stores] == [None, {"version": 1}, {"version": 1}]


def test_a_resumed_cell_counts_what_was_made_before(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        film_of(tmp_path, name)
    targets = targets_of(tmp_path, ["a.mp4", "b.mp4"])

    def stops(clips: Sequence[Clip]) -> list[Scores]:
        if any(clip.id == "b.mp4" for clip in clips):
            raise UserError("stopped", "here", "nothing", "nothing")
        return brightness(clips)

    ended = []
    for number, predict in enumerate([brightness, stops]):
        run = RunFolder(tmp_path / str(number))
        cell = cell_of(targets, LIT, made_finder())
        if predict is stops:
            with pytest.raises(UserError, match="stopped"):
                predict_cells(run, [Store(run, replace(cell, model=model_of(stops)), 1)], Options(CPU))
        store = Store(run, cell, 1)
        assert [store.lacks(batch) for batch in (0, 1)] == [predict is brightness, True]
        predict_cells(run, [store], Options(CPU))
        ended.append({k: v for k, v in facts(store).items() if k not in ("decoding", "environment")})
    assert ended[0] == ended[1]
    assert ended[1]["unperturbed"] == 4


def test_crops_are_fitted_as_one_face_each(tmp_path: Path) -> None:
    film_of(tmp_path, "a.mp4")
    run, targets = RunFolder(tmp_path / "run"), targets_of(tmp_path, ["a.mp4"])
    front = FaceFinder(Front("bright", size=32), BrightFrames())
    model = replace(model_of(brightness), finder=front)
    harms = (CLEAN, Harm("side_light", 5, "crop"))
    cells = [replace(cell_of(targets, harm, made_finder()), model=model) for harm in harms]
    stores = [Store(run, cell, 1) for cell in cells]
    predict_cells(run, stores, Options(CPU))
    clean, harmed = (levels(store) for store in stores)
    faces = ~np.isnan(clean)
    assert faces.sum() == 4  # no crop is cut of a dark frame
    assert (harmed[faces] < clean[faces] - 5).all()
    assert (facts(stores[1])["perturbable"], facts(stores[1])["unperturbed"]) == (4, 0)


class Blind(BrightFrames):
    """It looks and finds nobody."""

    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        return [Faces(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0)) for _ in super().__call__(frames)]


@pytest.mark.parametrize("blind_first", [True, False])
def test_each_cell_counts_the_crops_of_its_own_model(tmp_path: Path, blind_first: bool) -> None:
    """Two models in one run, one of which finds no face, so that it has no crop to perturb."""
    film_of(tmp_path, "a.mp4")
    run, targets = RunFolder(tmp_path / "run"), targets_of(tmp_path, ["a.mp4"])
    seeing = replace(model_of(brightness), finder=FaceFinder(Front("bright", size=32), BrightFrames()))
    blind = replace(seeing, name="blind", finder=FaceFinder(Front("blind", size=32), Blind()))
    harm = Harm("side_light", 5, "crop")
    models = [blind, seeing] if blind_first else [seeing, blind]
    cells = [replace(cell_of(targets, harm, made_finder()), model=model) for model in models]
    stores = [Store(run, cell, 1) for cell in cells]
    predict_cells(run, stores, Options(CPU))
    counted = {store.cell.model.name: facts(store)["perturbable"] for store in stores}
    assert counted == {"probe": 4, "blind": 0}


def test_bad_fits_are_refused() -> None:
    class Elsewhere(BrightFrames):
        def __call__(self, frames: torch.Tensor) -> list[Faces]:
            found = super().__call__(frames)
            for faces in found:
                faces.points[:, 3, 1] += 8  # a corner of the mouth
            return found

    frames = torch.tensor([150, 120, 170], dtype=torch.uint8)[:, None, None, None].repeat(1, 3, 64, 64)
    clip = Clip("a", frames, np.arange(3), np.arange(3) / 25)
    good = made_finder()
    (faces,) = good.find([clip], aligned=False)
    assert (faces.which.tolist(), faces.unfitted) == ([0, 1, 2], 0)
    wrong = MeshFinder(FaceFinder(Front("bright"), Elsewhere()), MadeMesh(), {})
    assert wrong.find([clip], aligned=False)[0].unfitted == 3

    class Doubting(MadeMesh):
        def __call__(self, crops: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            points, _ = super().__call__(crops)
            return points, torch.tensor([0.49, 0.5, 1.0])

    (faces,) = MeshFinder(good.finder, Doubting(), {}).find([clip], aligned=False)
    assert faces.which.tolist() == [1, 2]
    assert faces.scores.tolist() == [0.5, 1.0]


def test_misplaced_by_hand() -> None:
    meshes = np.stack([ellipsoid(0, 0, 10)] * 3)
    apart = np.linalg.norm(meshes[0, 263] - meshes[0, 33])
    points = np.stack([five(mesh) for mesh in meshes])
    points[1, 3] += (3.0, 4.0)
    points[1, 4] += (1.0, 0.0)
    points[2] = np.nan
    assert misplaced(meshes, points) == pytest.approx([0, 5 / apart, np.nan], nan_ok=True)


def test_what_is_fitted_with_enters_the_key(tmp_path: Path) -> None:
    film_of(tmp_path, "a.mp4")
    targets, finder = targets_of(tmp_path, ["a.mp4"]), made_finder()
    other = MeshFinder(finder.finder, finder.network, {"version": 2})
    assert cell_of(targets, LIT, finder).key != cell_of(targets, LIT, other).key
    assert cell_of(targets, LIT, finder).key == cell_of(targets, LIT, made_finder()).key
    assert cell_of(targets, CLEAN, finder).key == cell_of(targets, CLEAN, other).key
    for harm, meshes in ((LIT, None), (CLEAN, finder)):
        with pytest.raises(ValueError, match="meshes are found for what is done to faces"):
            Cell(model_of(brightness), "t", targets, harm, 0, "fp32", meshes=meshes)


def test_the_plan_finds_what_fits_faces_once_and_only_if_needed(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film_of(tmp_path, "a.mp4")
    source = DataSource(adapter="manifest")
    conditions = (Condition(perturb="gamma", severities=(1,)), Condition(perturb="side_light"))
    cells = []
    for asked, folder in ((conditions, weights), (conditions[:1], tmp_path)):
        monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(folder))
        suite = Suite(suite="s", data=(source,), conditions=asked)
        question = Question(
            suite, {"t": targets_of(tmp_path, ["a.mp4"])}, lambda kind, name: f"{kind} {name}"
        )
        models = [parse_choice(name) for name in ("chance", "majority")]
        cells.append(plan_cells(question, models, Zoo(), CPU, "fp32"))
    whole, without = cells
    finders = {id(cell.meshes) for cell in whole if cell.meshes is not None}
    assert [cell.meshes is not None for cell in whole] == [False, False, *[True] * 5] * 2
    assert len(finders) == 1
    parts = whole[-1].meshes.described["parts"]
    assert [part["name"] for part in parts] == ["yunet", "facemesh"]
    assert all(len(digest) == 64 for part in parts for digest in (*part["weights"], *part["code"].values()))
    assert not any(cell.meshes for cell in without)
    assert [cell.key for cell in without] == [cell.key for cell in whole if cell.meshes is None]


def test_photographs_with_real_instruments(
    tmp_path: Path, shared: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group, a landscape without a face, and a head that is turned by 45 degrees already."""
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    names = ["multi_face.jpg", "free-mountain-vector-01.jpg", "45-m7-di-ph.jpg"]
    targets = targets_of(shared / "data/pyfeat/tests_data", names)
    finder = load_mesh_finder(Zoo(), CPU, "here")
    model = Zoo().load(parse_choice("mini-xception"), Build(CPU, torch.float32))
    run = RunFolder(tmp_path / "run")
    places = [("side_light", "frame"), ("yaw", "frame"), ("yaw", "crop")]
    cells = [cell_of(targets, Harm(name, 5, where), finder) for name, where in places]
    stores = [Store(run, replace(cell, model=model), 2) for cell in cells]
    predict_cells(run, stores, Options(CPU))
    counts = [(facts(store)["perturbable"], facts(store)["unperturbed"]) for store in stores]
    assert counts[:2] == [(3, 1), (3, 2)]
    # Five people in the group and the one that is turned; how many of them are too far turned is not known.
    assert counts[2][0] == 6
    assert 1 <= counts[2][1] <= 3
    statuses = [pq.read_table(store.folder.predictions)["status"].to_pylist() for store in stores]
    assert statuses == [["ok", "no_face", "ok"]] * 3
    scores = [pq.read_table(store.folder.predictions)["p_happiness"].to_pylist() for store in stores]
    assert scores[1][2] != scores[0][2]
    assert scores[1][2] == scores[2][2]  # neither the frame nor the crop of the turned head was changed


def test_a_made_face_fills_its_part() -> None:
    clip = Clip("a", torch.zeros((2, 3, 100, 80), dtype=torch.uint8), np.arange(2), np.arange(2) / 25)
    faces = faces_in(clip, 1, share=0.3)
    assert faces.widths == pytest.approx([60], rel=0.06)
    assert faces.unfitted == 1
