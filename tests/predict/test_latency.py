"""Latency: every stage gets its own time, every call is waited for, and no prediction depends on any of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.folder import RunFolder
from bench.latency import Measured, read_latency
from bench.predict import device as devices
from bench.predict import latency, reader
from bench.predict.cell import CLEAN, Cell, Harm
from bench.predict.clip import Clip, Scores
from bench.predict.faces import Faces
from bench.predict.front import FaceFinder, Front
from bench.predict.latency import measure_latency
from bench.predict.run import Options
from bench.predict.zoo import Model
from bench.tables import Targets
from tests.predict.made import CPU, happy, model_of, targets_of, write_picture

MS = 0.001


def cell_of(model: Model, targets: Targets) -> Cell:
    return Cell(model, "t", targets, CLEAN, 0, "fp32")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few calls a round, and short stretches."""
    monkeypatch.setattr(latency, "ROUNDS", 5)
    monkeypatch.setattr(latency, "CALLS", (6, 3))
    monkeypatch.setattr(latency, "WARM_UP", 2)
    monkeypatch.setattr(latency, "_STRETCH", 0.01)


@pytest.fixture
def targets(tmp_path: Path) -> Targets:
    names = [f"{i}.png" for i in range(40)]
    write_picture(tmp_path / names[0])
    for name in names[1:]:
        (tmp_path / name).write_bytes((tmp_path / names[0]).read_bytes())
    return targets_of(tmp_path, names, media_kind="aligned")


def measure(folder: Path, *cells: Cell) -> tuple[Measured, ...]:
    run = RunFolder(folder / "run")
    measure_latency(run, cells, Options(CPU, 1), lambda _: 4)
    return read_latency(run.latency)


@pytest.mark.usefixtures("quick")
def test_planted_waits_are_found_in_their_stages(
    tmp_path: Path, targets: Targets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 ms to read, 10 ms to find a face, 30 ms to predict: each where it is, all of it in the total."""
    whole = reader.read_medium

    def slow_reading(*given: object) -> object:
        time.sleep(20 * MS)
        yield from whole(*given)  # type: ignore[arg-type]

    def detect(frames: torch.Tensor) -> list[Faces]:
        time.sleep(10 * MS)
        points = np.array([[[20.0, 25], [44, 25], [32, 35], [22, 45], [42, 45]]])
        return [Faces(np.array([[10.0, 10, 44, 44]]), points, np.ones(1))] * len(frames)

    def predict(clips: Sequence[Clip]) -> list[Scores]:
        time.sleep(30 * MS)
        return happy(clips)

    monkeypatch.setattr(latency, "read_medium", slow_reading)
    framed = replace(targets, facts=targets.facts.model_copy(update={"media_kind": "frame"}))
    front = Front()
    model = replace(model_of(predict, front=front), finder=FaceFinder(front, detect))
    (one,) = measure(tmp_path, cell_of(model, framed))
    planted = {None: 60, "decode": 20, "front_end": 10, "model": 30}
    for stage, milliseconds in planted.items():
        quickest = one.times(stage)[0].min()  # type: ignore[arg-type]  # what a busy machine adds is more
        parts = 1 if stage else len(latency.STAGES)
        assert milliseconds <= quickest < milliseconds + 9 * parts, stage
    for total, *parts in zip(*(one.times(s)[0] for s in (None, *latency.STAGES)), strict=True):
        assert total == pytest.approx(sum(parts))
    assert (one.rounds, len(one.calls.target), one.targets, one.failed) == (5, 30, 30, 0)
    assert [stretch.round for stretch in one.throughput] == list(range(5))


@pytest.mark.usefixtures("quick")
def test_targets_are_a_seeded_draw_and_come_again_only_when_all_came(
    tmp_path: Path, targets: Targets
) -> None:
    first = measure(tmp_path / "a", cell_of(model_of(happy), targets))[0].calls
    again = measure(tmp_path / "b", cell_of(model_of(happy), targets))[0].calls
    other = measure(tmp_path / "c", replace(cell_of(model_of(happy), targets), seed=1))[0].calls
    assert first.target == again.target != other.target
    assert len(set(first.target)) == 30
    few = replace(targets, table=targets.table.slice(0, 7))
    drawn = measure(tmp_path / "d", cell_of(model_of(happy), few))[0]
    assert drawn.targets == 7
    assert all(sorted(drawn.calls.target[i : i + 7]) == sorted(drawn.calls.target[:7]) for i in (7, 14, 21))


@pytest.mark.usefixtures("quick")
def test_the_device_is_waited_for_after_every_stage(
    tmp_path: Path, targets: Targets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a device still has to do after a call belongs to the call: planted are 15 ms of it."""
    monkeypatch.setattr(latency, "synchronize", lambda _: time.sleep(5 * MS))
    (one,) = measure(tmp_path, cell_of(model_of(happy), targets))
    assert one.times("model")[0].min() >= 5
    assert one.times()[0].min() >= 15  # decoding is waited for at its window and at its end


def test_only_a_gpu_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    devices.synchronize(CPU)
    assert not waited
    devices.synchronize(torch.device("cuda:0"))
    assert waited == [torch.device("cuda:0")]


@pytest.mark.usefixtures("quick")
def test_what_fails_has_no_time(tmp_path: Path, targets: Targets) -> None:
    """The model fails on every other call of one clip, and a medium is no picture."""
    (tmp_path / "3.png").write_bytes(b"no picture")
    turn = iter(range(10_000))

    def fail(clips: Sequence[Clip]) -> list[Scores]:
        if next(turn) % 4 == 0 and len(clips) == 1:
            raise RuntimeError("now and then")
        return happy(clips)

    (one,) = measure(tmp_path, cell_of(model_of(fail), targets))
    assert 0 < one.failed < 0.5
    assert len(one.times()[0]) == round(30 * (1 - one.failed))
    lost = {target for target, failed in zip(one.calls.target, one.calls.failed, strict=True) if failed}
    assert "3.png" in lost or "3.png" not in one.calls.target


@pytest.mark.usefixtures("quick")
def test_models_take_turns_and_what_was_measured_stays(tmp_path: Path, targets: Targets) -> None:
    """Two models of one key, as weights may stand under two names, are two; a third is measured later."""
    seen: list[str] = []

    def named(name: str) -> Model:
        def predict(clips: Sequence[Clip]) -> list[Scores]:
            seen.append(name)
            return happy(clips)

        return replace(model_of(predict), name=name)

    dark = replace(cell_of(named("a"), targets), harm=Harm("low_light", 3, "crop"))
    cells = cell_of(named("a"), targets), dark, cell_of(named("b"), targets)
    first = measure(tmp_path, *cells)
    assert [one.model for one in first] == ["a", "b"]
    order = [name for i, name in enumerate(seen) if i == 0 or seen[i - 1] != name]
    assert order[:10] == ["a", "b"] * 5
    seen.clear()
    both = measure(tmp_path, *cells, cell_of(named("c"), targets))
    assert both[:2] == first
    assert set(seen) == {"c"}


def test_slow_models_are_called_less_often(
    tmp_path: Path, targets: Targets, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(latency, "_SLOW", 0.0)
    (one,) = measure(tmp_path, cell_of(model_of(happy), targets))
    assert len(one.calls.target) == 15


def test_the_cpu_is_named_as_its_maker_does(tmp_path: Path) -> None:
    listing = tmp_path / "cpuinfo"
    listing.write_text("processor\t: 0\nmodel name\t: A CPU @ 2 GHz \nflags: x\n\nmodel name\t: B\n")
    assert devices.cpu_name(listing) == "A CPU @ 2 GHz"
    assert devices.cpu_name(tmp_path / "none")
    found = devices.describe_hardware(CPU, 3)
    assert (found.device, found.workers, found.threads) == (found.cpu, 3, torch.get_num_threads())
