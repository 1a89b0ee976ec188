"""Conditions that act on whole videos, from the plan to the rows: a decoding of their own, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from bench.errors import UserError
from bench.folder import RunFolder
from bench.predict import decode as decoding
from bench.predict import reader
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.film import Film
from bench.predict.perturb import FILM_PERTURBATIONS
from bench.predict.plan import plan_cells
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Zoo, parse_choice
from bench.question import Question
from bench.spec import Condition, DataSource, Suite
from bench.tables import Targets
from tests.predict.made import CPU, model_of, targets_of, write_picture

HELD = Harm("frame_rate", 3, "frame")


def by_level(clips: Sequence[Clip]) -> list[Scores]:
    """Probabilities that say how bright each frame is."""
    bright = [clip.frames.double().mean((1, 2, 3)) / 255 for clip in clips]
    outputs = [torch.stack([level, 1 - level], dim=1) for level in bright]
    return [Scores(clip.times, {"labels": out}) for clip, out in zip(clips, outputs, strict=True)]


def levels(store: Store) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in pq.read_table(store.folder.frames).to_pylist():
        found.setdefault(row["target"], []).append(row["p_happiness"] * 255)
    return found


def stores_of(folder: Path, targets: Targets, harms: Sequence[Harm], batch: int = 1) -> list[Store]:
    run, model = RunFolder(folder / "run"), model_of(by_level)
    return [Store(run, Cell(model, "t", targets, harm, 0, "fp32"), batch) for harm in harms]


def test_cells_of_a_film_have_a_decoding_of_their_own(
    tmp_path: Path, film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a.mp4", "b.mp4"]
    for name in names:
        film(name, frames=24)
    decoded = []

    def counted(medium, target, sampling, window, alter=None):
        decoded.append((target, alter is None))
        return decoding.windows(medium, target, sampling, window, alter)

    monkeypatch.setattr(reader, "windows", counted)
    harms = [HELD, CLEAN, Harm("gamma", 2, "frame"), Harm("h264", 1, "frame")]
    stores = stores_of(tmp_path, targets_of(tmp_path, names), harms)
    predict_cells(RunFolder(tmp_path / "run"), stores, Options(CPU, workers=1))
    assert sorted(decoded) == [(name, plain) for name in names for plain in (False, False, True)]
    held, clean, gamma, h264 = (levels(store) for store in stores)
    as_drawn = 20 + 8 * np.arange(24)
    planned = FILM_PERTURBATIONS["frame_rate"](
        Film("a.mp4", np.arange(24) / 30, np.arange(24), iter(())), 3, 0
    )
    assert planned.source.tolist() == [0] * 4 + [4] * 4 + [8] * 4 + [12] * 4 + [16] * 4 + [20] * 4
    for name in names:
        assert np.abs(np.array(clean[name]) - as_drawn).max() < 4
        assert np.abs(np.array(held[name]) - as_drawn[planned.source]).max() < 4
        assert np.array(gamma[name]).mean() < np.array(clean[name]).mean() - 5
        assert 0 < np.abs(np.array(h264[name]) - np.array(clean[name])).max() < 12


def test_the_same_cells_end_in_the_same_bytes(tmp_path: Path, film: Callable[..., Path]) -> None:
    film("a.mp4", frames=24)
    film("b.mp4", frames=12)
    tables = []
    for number, (workers, batch) in enumerate([(1, 1), (2, 2)]):
        folder = tmp_path / str(number)
        harms = [Harm("packet_loss", 5, "frame"), Harm("shuffled", 5, "frame")]
        stores = stores_of(folder, targets_of(tmp_path, ["a.mp4", "b.mp4"]), harms, batch)
        predict_cells(RunFolder(folder / "run"), stores, Options(CPU, workers=workers))
        tables.append([(store.key, levels(store)) for store in stores])
    assert tables[0] == tables[1]


def test_a_still_among_videos_ends_the_run_and_keeps_what_is_done(
    tmp_path: Path, film: Callable[..., Path]
) -> None:
    film("a.mp4", frames=6)
    write_picture(tmp_path / "b.png")
    clean, held = stores_of(tmp_path, targets_of(tmp_path, ["a.mp4", "b.png"]), [CLEAN, HELD])
    with pytest.raises(UserError) as refused:
        predict_cells(RunFolder(tmp_path / "run"), [held, clean], Options(CPU))
    assert str(refused.value) == (
        "b.png: this is a still image, and a condition acts on whole videos before they are sampled. A still image has no "
        "stream and no time. Leave the condition out, or the target."
    )
    assert clean.done
    assert not held.done


def test_a_video_that_does_not_decode_costs_its_row(tmp_path: Path, film: Callable[..., Path]) -> None:
    film("a.mp4", frames=12)
    whole = film("whole.mkv", frames=50).read_bytes()
    (tmp_path / "b.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    harms = [Harm(name, 3, "frame") for name in ("h264", "shuffled", "packet_loss")]
    stores = stores_of(tmp_path, targets_of(tmp_path, ["a.mp4", "b.mkv"]), harms)
    predict_cells(RunFolder(tmp_path / "run"), stores, Options(CPU))
    for store in stores:
        table = pq.read_table(store.folder.predictions)
        assert table["status"].to_pylist() == ["ok", "decode_error"]
        assert set(levels(store)) == {"a.mp4"}


def test_what_enters_the_key() -> None:
    assert CLEAN.describe() == {"name": "clean"}
    assert Harm("low_light", 3, "frame").describe() == {
        "name": "low_light", "version": 1, "amount": 3.0, "where": "frame"
    }  # fmt: skip
    assert HELD.describe() == {
        "name": "frame_rate", "version": 1, "amount": 1000 / 7.5, "where": "frame"
    }  # fmt: skip
    assert [harm.of_film for harm in (CLEAN, HELD, Harm("low_light", 3, "frame"))] == [False, True, False]
    assert not any((HELD.of_picture, HELD.of_face, HELD.of_sound))


def plan(targets: Targets, where: str | None) -> list[tuple[str, str | None]]:
    condition = Condition(perturb="frame_rate", severities=(1,), where=where)  # type: ignore[arg-type]
    suite = Suite(suite="s", data=(DataSource(adapter="manifest"),), conditions=(condition,))
    question = Question(suite, {"made": targets}, lambda kind, name: f"{kind} {name}")
    cells = plan_cells(question, [parse_choice("chance")], Zoo([]), torch.device("cpu"), "fp32")
    return [(cell.harm.name, cell.harm.where) for cell in cells]


@pytest.mark.parametrize("where", ["frame", None])
def test_videos_are_planned(tmp_path: Path, film: Callable[..., Path], where: str | None) -> None:
    film("a.mp4", frames=2)
    assert plan(targets_of(tmp_path, ["a.mp4"]), where) == [("clean", None), ("frame_rate", "frame")]


def test_a_medium_that_does_not_open_is_no_still(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    assert plan(targets_of(tmp_path, ["a.mp4"]), "frame")[1] == ("frame_rate", "frame")


@pytest.mark.parametrize(
    ("where", "kind", "medium", "text"),
    [
        (
            "crop", "frame", "a.mp4",
            "frame_rate acts on whole videos, before a crop is cut from them. Allowed: 'where: frame'. Write 'where: frame'.",
        ),
        (
            "frame", "aligned", "a.mp4",
            "frame_rate acts on whole videos, and the media of t are aligned faces. Videos, before faces are cut from "
            "them; a still image has no stream and no time. Leave the condition out.",
        ),
        (
            None, "frame", "b.png",
            "frame_rate acts on whole videos, and the media of t are still images. Videos, before faces are cut from "
            "them; a still image has no stream and no time. Leave the condition out.",
        ),
    ],
)  # fmt: skip
def test_what_means_nothing_is_refused(
    tmp_path: Path, film: Callable[..., Path], where: str | None, kind: str, medium: str, text: str
) -> None:
    film("a.mp4", frames=2)
    write_picture(tmp_path / "b.png")
    with pytest.raises(UserError) as refused:
        plan(targets_of(tmp_path, [medium], media_kind=kind), where)
    assert str(refused.value) == f"perturbation frame_rate: {text}"


@pytest.mark.parametrize("name", ["h264", "speed", "reversed"])
def test_the_sound_is_the_originals(film: Callable[..., Path], name: str) -> None:
    path = film("a.mp4", frames=30, tone=440.0)
    alter = partial(FILM_PERTURBATIONS[name], severity=5, seed=0)
    plain, other = (
        next(reader.read_medium(reader.Medium("x", path, Sampling(), 8000, alter=each), CPU))
        for each in (None, alter)
    )
    assert plain.sound is not None
    assert other.sound is not None
    assert torch.equal(plain.sound.samples, other.sound.samples)
    assert not torch.equal(plain.frames, other.frames) or name == "speed"
