"""Models that fail, break their word or write into what they are given: the run loop keeps the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bench.errors import MachineError, UserError
from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Store
from bench.predict.clip import Clip, Scores
from bench.predict.run import Options, predict_cells
from tests.predict.made import CPU, happy, model_of, run_one, targets_of, write_picture


def test_a_model_error_is_a_row_and_a_broken_model_ends_the_run(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(6)]
    for i, name in enumerate(names):
        write_picture(tmp_path / name, ["happiness", "anger"][i == 2])

    def dislikes_one(clips: Sequence[Clip]) -> list[Scores]:
        if any(clip.id == "2.png" for clip in clips):
            raise RuntimeError("not this one")
        return happy(clips)

    table = run_one(tmp_path, model_of(dislikes_one), targets_of(tmp_path, names, media_kind="aligned"))
    assert table["status"].to_pylist() == ["ok", "ok", "model_error", "ok", "ok", "ok"]
    assert table["fault"].to_pylist()[2] == "RuntimeError in the model"

    def always(clips: Sequence[Clip]) -> list[Scores]:
        raise RuntimeError("never works")

    targets = targets_of(tmp_path, names, media_kind="aligned")
    for attempt in range(2):  # a second run must not take the errors of the first for a measurement
        with pytest.raises(MachineError, match=r"the model failed on every clip, first with: RuntimeError"):
            run_one(tmp_path / "other", model_of(always), targets, batch=1 + attempt)
    assert "never works" in (tmp_path / "other" / "run" / "affectbench.log").read_text()
    assert not list((tmp_path / "other").rglob("cell.json"))


def test_a_hopeless_model_is_stopped_early(tmp_path: Path) -> None:
    """Before the first batch is written the model has begun on what is under way behind it, and no more."""
    names = [f"{i}.png" for i in range(400)]
    for name in names:
        write_picture(tmp_path / name)
    seen = set()

    def always(clips: Sequence[Clip]) -> list[Scores]:
        seen.update(clip.id for clip in clips)
        raise RuntimeError("never works")

    with pytest.raises(MachineError, match=r"failed on all 40 clips of a batch, first with RuntimeError"):
        run_one(tmp_path, model_of(always), targets_of(tmp_path, names, media_kind="aligned"), batch=40)
    assert 40 <= len(seen) <= 120


def test_a_model_that_abstains_beside_its_failures_is_not_hopeless(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(80)]
    for name in names:
        write_picture(tmp_path / name)

    def abstains_or_fails(clips: Sequence[Clip]) -> list[Scores]:
        if any(int(clip.id.partition(".")[0]) < 40 for clip in clips):
            raise RuntimeError("not these")
        return [
            Scores(np.empty(0), {"labels": torch.empty((0, len(happy(clips)[0].outputs["labels"][0])))})
            for _ in clips
        ]

    targets = targets_of(tmp_path, names, media_kind="aligned")
    table = run_one(tmp_path, model_of(abstains_or_fails), targets, batch=80)
    assert table["status"].to_pylist() == ["model_error"] * 40 + ["abstained"] * 40


def test_a_failing_clip_costs_its_row_in_any_batch(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(5)]
    for name in names:
        write_picture(tmp_path / name)

    def dislikes_the_last(clips: Sequence[Clip]) -> list[Scores]:
        if any(clip.id == "4.png" for clip in clips):
            raise RuntimeError("not this one")
        return happy(clips)

    targets = targets_of(tmp_path, names, media_kind="aligned")
    tables = [
        run_one(tmp_path / str(b), model_of(dislikes_the_last), targets, batch=b) for b in (1, 2, 4, 64)
    ]
    assert tables[0]["status"].to_pylist() == ["ok"] * 4 + ["model_error"]
    assert all(table.equals(tables[0]) for table in tables)


def test_a_model_that_writes_into_its_input_changes_no_other(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")

    def blackens(clips: Sequence[Clip]) -> list[Scores]:
        for clip in clips:
            clip.frames.zero_()
        return happy(clips)

    def brightness(clips: Sequence[Clip]) -> list[Scores]:
        mean = torch.stack([clip.frames.double().mean() / 255 for clip in clips])
        return [
            Scores(c.times, {"labels": torch.stack([m, 1 - m])[None]})
            for c, m in zip(clips, mean, strict=True)
        ]

    targets = targets_of(tmp_path, ["a.png"], media_kind="aligned")
    alone = run_one(tmp_path / "alone", model_of(brightness), targets)
    run = RunFolder(tmp_path / "run")
    models = [replace(model_of(blackens), name="a"), replace(model_of(brightness), name="b")]
    stores = [Store(run, Cell(model, "t", targets, CLEAN, 0, "fp32"), 4) for model in models]
    predict_cells(run, stores, Options(CPU))
    assert pq.read_table(stores[1].folder.predictions).equals(alone)


def test_values_that_are_not_finite_are_model_errors(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png")

    def half_nan(clips: Sequence[Clip]) -> list[Scores]:
        return [
            Scores(c.times, {"labels": torch.full((1, 2), float("nan") if c.id == "a.png" else 0.5)})
            for c in clips
        ]

    targets = targets_of(tmp_path, ["a.png", "b.png"], media_kind="aligned")
    a, b = run_one(tmp_path, model_of(half_nan), targets).to_pylist()
    assert (a["status"], a["fault"]) == ("model_error", "the model returned a value that is not finite")
    assert (b["status"], b["predicted"]) == ("ok", None)  # a tie decides nothing


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"labels": torch.full((1, 2), 0.5), "valence": torch.zeros(1)}, "it declares labels"),
        ({"labels": torch.full((1, 3), 1 / 3)}, r"labels has shape \(1, 3\)"),
        ({"labels": torch.tensor([[2.0, 1.0]])}, "a row of labels sums to 3"),
    ],
)
def test_a_model_that_breaks_its_declaration_ends_the_run(
    tmp_path: Path, outputs: dict[str, torch.Tensor], message: str
) -> None:
    write_picture(tmp_path / "a.png")
    model = model_of(lambda clips: [Scores(c.times, outputs) for c in clips])
    with pytest.raises(UserError, match=message):
        run_one(tmp_path, model, targets_of(tmp_path, ["a.png"], media_kind="aligned"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_outputs_of_any_precision_are_taken(tmp_path: Path, dtype: torch.dtype) -> None:
    write_picture(tmp_path / "a.png")
    model = model_of(
        lambda clips: [Scores(c.times, {"labels": torch.tensor([[0.75, 0.25]], dtype=dtype)}) for c in clips]
    )
    (row,) = run_one(tmp_path, model, targets_of(tmp_path, ["a.png"], media_kind="aligned")).to_pylist()
    assert (row["p_happiness"], row["p_neutral"]) == (0.75, 0.25)


def test_an_infinite_probability_costs_its_clip(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_picture(tmp_path / name)

    def infinite(clips: Sequence[Clip]) -> list[Scores]:
        rows = {"a.png": [[np.inf, 0.5]], "b.png": [[0.75, 0.25]]}
        return [Scores(c.times, {"labels": torch.tensor(rows[c.id])}) for c in clips]

    table = run_one(
        tmp_path, model_of(infinite), targets_of(tmp_path, ["a.png", "b.png"], media_kind="aligned")
    )
    assert table["status"].to_pylist() == ["model_error", "ok"]
