"""A batch through a model: memory that runs out, and never an op off the chosen device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.errors import MachineError
from bench.folder import RunFolder
from bench.predict.cell import Cell, Harm, Store
from bench.predict.clip import Clip, Scores, Sound
from bench.predict.datasets.media import digest_media
from bench.predict.forward import harm_clip, predict_clips
from bench.predict.pipeline import Build
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Zoo, parse_choice
from bench.spec import Facts
from bench.synth.drawn import draw_set
from bench.tables import validate_targets
from tests.predict.made import happy, model_of


def test_out_of_memory_halves_the_batch() -> None:
    sizes = []

    def small_memory(clips: Sequence[Clip]) -> list[Scores]:
        sizes.append(len(clips))
        if len(clips) > 2:
            raise torch.OutOfMemoryError("too much")
        return happy(clips)

    clips = [
        Clip(str(i), torch.zeros(1, 3, 4, 4, dtype=torch.uint8), np.arange(1), np.zeros(1)) for i in range(7)
    ]
    assert len(predict_clips(model_of(small_memory), clips)) == 7
    assert sizes == [7, 3, 1, 2, 4, 2, 2]

    def no_memory(clips: Sequence[Clip]) -> list[Scores]:
        raise MemoryError

    with pytest.raises(MachineError, match="out of memory on one clip"):
        predict_clips(model_of(no_memory), clips)


def test_memory_that_a_cpu_lacks_is_no_model_error() -> None:
    """Torch says it in a RuntimeError; other RuntimeErrors are the model's."""

    def greedy(clips: Sequence[Clip]) -> list[Scores]:
        if len(clips) > 1:
            torch.empty(1 << 60, dtype=torch.uint8)
        return happy(clips)

    clips = [Clip(str(i), torch.zeros(1, 3, 4, 4, dtype=torch.uint8), np.zeros(1), np.zeros(1)) for i in "ab"]
    assert all(isinstance(result, Scores) for result in predict_clips(model_of(greedy), clips))

    def hopeless(clips: Sequence[Clip]) -> list[Scores]:
        torch.empty(1 << 60, dtype=torch.uint8)
        return happy(clips)

    with pytest.raises(MachineError, match="out of memory on one clip"):
        predict_clips(model_of(hopeless), clips)


def test_a_model_that_writes_into_sound_and_times_changes_no_other() -> None:
    def vandal(clips: Sequence[Clip]) -> list[Scores]:
        scores = happy(clips)
        for clip in clips:
            assert clip.sound is not None
            clip.sound.samples.zero_()
            clip.times[:] = clip.index[:] = 9
        return [replace(score, times=np.zeros(len(score.times))) for score in scores]

    sound = Sound(torch.ones(8), 8000)
    clips = [
        Clip(name, torch.zeros(1, 3, 4, 4, dtype=torch.uint8), np.zeros(1), np.zeros(1), sound=sound)
        for name in "ab"
    ]
    predict_clips(model_of(vandal), clips)
    assert sound.samples.min() == 1
    assert all(clip.times[0] == clip.index[0] == 0 for clip in clips)


class OnlyOn(TorchDispatchMode):
    """Fails on the first op that makes a tensor elsewhere than on the given device."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device, self.ops = device, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        self.ops += 1
        for value in torch.utils._pytree.tree_leaves(result):
            if isinstance(value, torch.Tensor):
                assert value.device.type == self.device, f"{func} made a tensor on {value.device}"
        return result


@pytest.mark.parametrize("harm", [None, *(Harm(name, 3, "crop") for name in ("low_light", "sensor_noise"))])
def test_no_op_leaves_the_device(weights: Path, monkeypatch: pytest.MonkeyPatch, harm: Harm | None) -> None:
    """The meta device stands in for a GPU: it has shapes and no data, and mixes with no other device."""
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    meta = torch.device("meta")
    model = Zoo().load(parse_choice("mini-xception"), Build(meta, torch.float32))
    frames = torch.zeros(3, 3, 48, 48, dtype=torch.uint8, device=meta)
    clip = Clip("c", frames, np.arange(3), np.arange(3) / 25)
    with OnlyOn("meta") as watch, torch.inference_mode():
        (scores,) = predict_clips(model, [clip if harm is None else harm_clip(clip, harm, 0)])
    assert isinstance(scores, Scores)
    assert scores.outputs["labels"].device == meta
    assert watch.ops > 20


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    draw_set(tmp_path, subjects=2, frames=5)
    table = pa.csv.read_csv(tmp_path / "targets.csv")
    targets = digest_media(validate_targets(table, Facts(name="t", media_kind="aligned"), "T.csv", tmp_path))
    tables = {}
    for name in ("cpu", "cuda:0"):
        device = torch.device(name)
        model = Zoo().load(parse_choice("mini-xception"), Build(device, torch.float32))
        run = RunFolder(tmp_path / name.replace(":", ""))
        store = Store(run, Cell(model, "t", targets, Harm("low_light", 3, "crop"), 0, "fp32"), 8)
        predict_cells(run, [store], Options(device))
        tables[name] = pq.read_table(store.folder.predictions)
    for column in (n for n in tables["cpu"].column_names if n.startswith("p_")):
        cpu, cuda = (tables[name][column].to_numpy() for name in ("cpu", "cuda:0"))
        assert np.abs(cpu - cuda).max() < 1e-3
