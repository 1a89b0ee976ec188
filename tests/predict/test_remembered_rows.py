"""Faces as rows and back, to the last bit; and a real detector on real clips, which is asked once."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip
from bench.predict.face_cache import FaceCache
from bench.predict.faces import Faces
from bench.predict.pipeline import Build
from bench.predict.remembered import pack, unpack
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Zoo, parse_choice
from tests.predict.made import CPU, targets_of


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
    table = pack(places, clips, found)
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
    assert pack([0], [clip], [[faces]]) is not None
    single = replace(faces, **{name: getattr(faces, name).astype(np.float32)})
    assert pack([0], [clip], [[single]]) is None


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
