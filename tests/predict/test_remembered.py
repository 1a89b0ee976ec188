"""Faces found by one run are not sought by the next, and no byte of any result tells the two apart."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bench.folder import RunFolder
from bench.predict import remembered
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.face_cache import FaceCache
from bench.predict.faces import Faces
from bench.predict.front import FaceFinder, Front
from bench.predict.meshes import MeshFinder
from bench.predict.pipeline import Build, Pipeline
from bench.predict.remembered import pack, unpack
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Model, Zoo, parse_choice
from bench.tables import Targets
from tests.predict.faces import BrightFrames, MadeMesh
from tests.predict.made import CPU, LABELS, targets_of, write_video
from tests.predict.test_run_face import brightness

FRAMES = 6
NAMES = ("a.mp4", "b.mp4", "c.mp4")
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
        self.recalled = [store.folder.facts["recalled"] for store in stores]
        return detector.asked, [file.read_bytes() for file in files]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    write_films(tmp_path)
    return Bench(tmp_path, targets_of(tmp_path, NAMES))


ALL = FRAMES * len(NAMES)
HARMS = {
    "clean": [CLEAN],
    "crops": [CLEAN, Harm("gamma", 3, "crop"), Harm("side_light", 3, "crop")],
    "frames": [Harm("gamma", 3, "frame"), Harm("gamma", 4, "frame")],
    "faces": [Harm("side_light", 3, "frame")],
    "films": [Harm("frame_rate", 3, "frame")],
}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", HARMS)
def test_a_second_run_seeks_nothing_and_ends_in_the_same_bytes(bench: Bench, kind: str, workers: int) -> None:
    bench.workers, harms = workers, HARMS[kind]
    asked, without = bench.run(*harms, cached=False)
    assert not list(bench.folder.rglob("*.faces"))
    assert bench.run(*harms) == (asked, without)
    assert bench.recalled == [0] * len(harms)
    assert bench.run(*harms) == (0 if kind != "crops" else asked - ALL, without)
    assert asked >= ALL
    assert len(set(without)) > len(harms)  # the conditions differ


def test_conditions_on_crops_share_what_clean_media_show(bench: Bench) -> None:
    assert bench.run(CLEAN)[0] == ALL
    assert bench.run(Harm("gamma", 3, "crop"))[0] == 0
    assert bench.recalled == [ALL]
    assert bench.run(Harm("gamma", 3, "crop"), CLEAN, Harm("gamma", 5, "crop"))[0] == 0


def test_conditions_on_frames_have_their_own(bench: Bench) -> None:
    gamma = [Harm("gamma", severity, "frame") for severity in (3, 4)]
    assert bench.run(CLEAN, gamma[0])[0] == 2 * ALL
    assert bench.run(CLEAN, *gamma)[0] == ALL
    assert bench.run(*gamma, CLEAN)[0] == 0
    assert bench.run(Harm("contrast", 3, "frame"))[0] == ALL
    bench.seed = 1
    assert bench.run(gamma[0])[0] == ALL
    assert bench.run(CLEAN)[0] == 0  # nothing is drawn for clean media


def test_conditions_on_faces_also_go_by_what_fits_them(bench: Bench) -> None:
    lit = Harm("side_light", 3, "frame")
    assert bench.run(lit)[0] == 2 * ALL  # to fit the surface, then in the lit frames
    assert bench.run(lit)[0] == 0
    bench.meshes = {"version": 2}
    assert bench.run(lit)[0] == ALL


def change_time(bench: Bench) -> None:
    os.utime(bench.folder / NAMES[0], ns=(0, 0))


def change_size(bench: Bench) -> None:
    with (bench.folder / NAMES[0]).open("ab") as file:
        file.write(b"\0")


def change_target(bench: Bench) -> None:
    names = pa.array(["x", *NAMES[1:]])
    table = bench.targets.table.set_column(0, "target", names)
    bench.targets = replace(bench.targets, table=table)


def change_every(bench: Bench) -> None:
    bench.front = replace(bench.front, every=2)


def change_sampling(bench: Bench) -> None:
    bench.sampling = Sampling(count=FRAMES)


def change_checkpoint(bench: Bench) -> None:
    bench.described = {**DESCRIBED, "weights": ["1" * 64]}


FIRST_BATCH = 2 * FRAMES
CHANGES = {
    change_time: FIRST_BATCH,
    change_size: FIRST_BATCH,
    change_target: FIRST_BATCH,
    change_checkpoint: ALL,
    change_sampling: ALL,
    change_every: 4 * len(NAMES),  # frames 0, 2, 4 and the last
}


@pytest.mark.parametrize(("change", "missed"), CHANGES.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_what_changes_what_is_found_is_a_miss(
    bench: Bench, change: Callable[[Bench], None], missed: int
) -> None:
    assert bench.run()[0] == ALL
    change(bench)
    _, fresh = bench.run(cached=False)
    assert bench.run() == (missed, fresh)
    assert bench.run() == (0, fresh)


def test_other_bytes_of_the_same_size_and_time_are_a_miss(bench: Bench) -> None:
    path, seen = bench.folder / NAMES[0], []
    whole = path.read_bytes()
    for end in (b"\0", b"\1"):  # behind the film, which stays as it is
        path.write_bytes(whole + end)
        os.utime(path, ns=(0, 0))
        bench.targets = targets_of(bench.folder, NAMES)
        seen.append(bench.run()[0])
    assert seen == [ALL, FIRST_BATCH]


@pytest.mark.parametrize("name", ["DECODE_VERSION", "VERSION", "_software"])
def test_another_version_is_a_miss(bench: Bench, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run()
    other = (lambda: {"torch": "1"}) if name == "_software" else -1
    monkeypatch.setattr(remembered, name, other)
    assert bench.run()[0] == ALL


def test_the_place_in_the_run_the_folder_and_the_crop_do_not_matter(bench: Bench, tmp_path: Path) -> None:
    bench.batch = 1
    assert bench.run()[0] == ALL
    bench.targets = targets_of(bench.folder, NAMES[::-1])
    assert bench.run()[0] == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in NAMES:
        shutil.copy2(bench.folder / name, elsewhere)
    bench.targets, bench.front = targets_of(elsewhere, NAMES), replace(bench.front, size=48, margin=0.5)
    assert bench.run()[0] == 0
    bench.batch = 3  # other targets together
    assert bench.run()[0] == ALL


def test_without_digests_the_same_path_is_the_same_medium(bench: Bench, tmp_path: Path) -> None:
    bench.targets = replace(bench.targets, table=bench.targets.table.drop_columns(["sha256"]))
    assert [bench.run()[0] for _ in range(2)] == [ALL, 0]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in NAMES:
        shutil.copy2(bench.folder / name, elsewhere)
    bench.targets = replace(bench.targets, root=elsewhere)
    assert bench.run()[0] == ALL


@pytest.mark.parametrize("digest", [True, False])
def test_media_in_bytes_are_known_by_them(bench: Bench, digest: bool) -> None:
    def held(order: Sequence[str]) -> Targets:
        data = pa.array([(bench.folder / name).read_bytes() for name in order], pa.binary())
        table = plain.table.append_column("media_bytes", data)
        return replace(plain, table=table if digest else table.drop_columns(["sha256"]), root=None)

    plain = bench.targets
    bench.targets = held(NAMES)
    assert [bench.run()[0] for _ in range(2)] == [ALL, 0]
    if not digest:  # as digest_media would find it out
        bench.targets = held((NAMES[0], NAMES[2], NAMES[1]))
        assert bench.run()[0] == ALL


def test_an_oracle_comes_after_what_was_found(bench: Bench) -> None:
    boxes = pa.array([[8.0, 8.0, 48.0, 48.0]] * len(NAMES))
    bench.targets = replace(bench.targets, table=bench.targets.table.append_column("box", boxes))
    found = bench.run()
    bench.oracle = "detect"
    given = bench.run()
    assert (found[0], given[0]) == (ALL, 0)
    assert given[1] != found[1]
    assert given[1] == bench.run(cached=False)[1]
    bench.oracle = None
    assert bench.run() == (0, found[1])


def test_conditions_on_the_sound_share_what_clean_media_show(bench: Bench, film: Callable[..., Path]) -> None:
    for number, name in enumerate(NAMES):
        film(name, frames=30, tone=300.0 * (number + 1))
    looked = 30 * len(NAMES)
    bench.targets, bench.sound_rate = targets_of(bench.folder, NAMES), 16_000
    noise, voice = Harm("background_noise", 3, "sound"), Harm("mismatched_voice", 5, "sound")
    _, without = bench.run(CLEAN, noise, voice, cached=False)
    assert bench.run(CLEAN, noise, voice) == (looked, without)  # though each has a decoding of its own
    assert sorted(bench.recalled) == [0, looked, looked]
    bench.sound_rate = None  # without sound other windows may be detected together
    assert bench.run()[0] == looked


def test_batches_written_before_an_interrupt_are_known(bench: Bench) -> None:
    def stops(clips: Sequence[Clip]) -> list[Scores]:
        if any(clip.id == NAMES[-1] for clip in clips):
            raise KeyboardInterrupt
        return brightness(clips)

    bench.batch, bench.predict = 1, stops
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    bench.predict = brightness
    asked, results = bench.run()
    assert asked == FRAMES
    assert results == bench.run(cached=False)[1]


def test_a_damaged_file_is_sought_and_written_again(bench: Bench) -> None:
    _, results = bench.run()
    files = sorted(bench.folder.rglob("*.faces"))
    before = [file.read_bytes() for file in files]
    files[0].write_bytes(before[0][:-40])
    asked, mended = bench.run()
    assert 0 < asked < ALL
    assert mended == results
    assert [file.read_bytes() for file in files] == before
    assert bench.run() == (0, results)


def test_a_file_that_is_whole_and_speaks_of_other_frames_is_not_believed(bench: Bench) -> None:
    bench.batch = 3
    _, results = bench.run()
    (file,) = bench.folder.rglob("*.faces")
    table = bench.cache.read(file.stem)
    frames = pa.array(table["frame"].to_numpy() + 1)
    bench.cache.write(file.stem, table.set_column(table.column_names.index("frame"), "frame", frames))
    assert bench.run() == (ALL, results)
    assert bench.run() == (0, results)


def test_a_detector_that_nobody_described_is_asked_every_time(bench: Bench) -> None:
    bench.described = None
    assert [bench.run()[0] for _ in range(2)] == [ALL, ALL]
    assert not list(bench.folder.rglob("*.faces"))


def test_a_cache_that_cannot_be_written_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    cache = FaceCache(bench.folder / NAMES[0] / "faces", said.append)
    monkeypatch.setattr(Bench, "cache", property(lambda _: cache))
    plain = bench.run(cached=False)
    assert bench.run() == plain
    assert len(said) == 1


def test_media_that_do_not_decode_have_no_faces_to_remember(bench: Bench) -> None:
    for name in NAMES[:2]:
        (bench.folder / name).write_bytes(b"no film")
    bench.targets = targets_of(bench.folder, NAMES)
    results = bench.run(cached=False)
    assert bench.run() == results
    assert bench.run() == (0, results[1])


def test_nothing_but_numbers_is_kept(bench: Bench) -> None:
    bench.run()
    for file in bench.folder.rglob("*.faces"):
        table = bench.cache.read(file.stem)
        assert table.column_names == ["chunk", "place", "frame", "face", "box", "score", "points"]
        assert not any(name.encode() in file.read_bytes() for name in NAMES)
        assert not any(name in str(file.relative_to(bench.folder)) for name in NAMES)


def drawn_faces(draw: np.random.Generator, count: int) -> Faces:
    points = draw.normal(size=(count, 5, 2))
    points[draw.random(count) < 0.3] = np.nan
    return Faces(draw.normal(size=(count, 4)), points, draw.random(count))


@pytest.mark.parametrize("seed", range(20))
def test_rows_hold_faces_to_the_last_bit(seed: int, tmp_path: Path) -> None:
    draw = np.random.default_rng(seed)
    sizes = draw.integers(1, 5, size=draw.integers(2, 6))
    clips = [
        Clip("x", torch.zeros(size, 3, 1, 1), draw.choice(99, size, replace=False), np.zeros(size))
        for size in sizes
    ]
    places = draw.integers(0, 4, size=len(clips)).tolist()
    found = [[drawn_faces(draw, count) for count in draw.integers(0, 4, size=size)] for size in sizes]
    table = pack(seed, places, clips, found)
    pq.write_table(table, tmp_path / "t.parquet")
    again = unpack(pq.read_table(tmp_path / "t.parquet"), places, clips)
    assert [len(seen) for seen in again] == [len(seen) for seen in found]
    for one, other in zip(chain(*found), chain(*again), strict=True):
        for name in ("boxes", "points", "scores"):
            held, known = getattr(one, name), getattr(other, name)
            assert (held.shape, held.dtype, held.tobytes()) == (known.shape, known.dtype, known.tobytes())
            assert known.flags.writeable
    assert unpack(table, [place + 1 for place in places], clips) is None
    assert unpack(table, places[:-1], clips[:-1]) is None
    assert unpack(table, [*places, 0], [*clips, clips[0]]) is None
    shifted = [replace(clips[0], index=clips[0].index + 1), *clips[1:]]
    assert unpack(table, places, shifted) is None


@pytest.mark.parametrize("name", ["boxes", "points", "scores"])
def test_what_is_no_float64_is_not_kept(name: str) -> None:
    clip = Clip("x", torch.zeros(1, 3, 1, 1), np.zeros(1, np.int64), np.zeros(1))
    faces = drawn_faces(np.random.default_rng(0), 2)
    assert pack(0, [0], [clip], [[faces]]) is not None
    single = replace(faces, **{name: getattr(faces, name).astype(np.float32)})
    assert pack(0, [0], [clip], [[single]]) is None


class NeverAsked:
    version = 1

    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        raise AssertionError("faces were sought")


def test_yunet_on_real_clips(
    weights: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    names = ["again.mkv", "bird.mkv", "yes.mkv"]
    targets = targets_of(shared / "data" / "intel_samples", names)
    model = Zoo().load(parse_choice("mini-xception"), Build(CPU, torch.float32))
    harms = [CLEAN, Harm("gamma", 4, "frame"), Harm("gamma", 4, "crop")]
    cache, ended = FaceCache(tmp_path / "faces"), []
    assert model.finder is not None
    blind = replace(model, finder=replace(model.finder, detector=NeverAsked()))
    for number, (seeing, kept) in enumerate([(model, None), (model, cache), (blind, cache)]):
        run = RunFolder(tmp_path / str(number))
        stores = [Store(run, Cell(seeing, "t", targets, harm, 0, "fp32"), 2) for harm in harms]
        predict_cells(run, stores, Options(CPU, cache=kept))
        files = [file for store in stores for file in (store.folder.predictions, store.folder.frames)]
        ended.append([file.read_bytes() for file in files])
    assert ended[0] == ended[1] == ended[2]
    assert {status for store in stores for status in store.folder.facts["statuses"]} == {"ok"}
    assert len(list((tmp_path / "faces").rglob("*.faces"))) == 4  # two batches, clean and in the frame
    other = Zoo().load(parse_choice("mini-xception"), Build(CPU, torch.bfloat16))
    run = RunFolder(tmp_path / "bf16")
    blind = replace(other, finder=replace(other.finder, detector=NeverAsked()))
    with pytest.raises(AssertionError, match="sought"):
        predict_cells(
            run, [Store(run, Cell(blind, "t", targets, CLEAN, 0, "bf16"), 2)], Options(CPU, cache=cache)
        )


def test_a_detector_is_told_by_all_it_was_built_from(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    zoo, request, where = Zoo(), Build(CPU, torch.float32), ("--detector", "Name one")

    def told(name: str, **other: object) -> dict[str, object]:
        asked = replace(request, **other)
        return zoo.load_part(name, "detector", asked, where).describe(asked)

    one = told("yunet")
    assert told("yunet") == one
    assert one["weights"]
    assert {"yunet/model.py", "_parts/detection.py"} <= set(one["code"])
    differing = [told("yunet@s"), told("yunet", dtype=torch.bfloat16), told("yunet", seed=1), told("haar")]
    changed = [{name for name in one if one[name] != other[name]} for other in differing]
    assert changed[0] == {"name", "weights"}
    assert changed[1:3] == [{"precision"}, {"seed"}]
    assert {"weights", "code"} <= changed[3]
