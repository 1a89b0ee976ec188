"""The run loop: one row per target whatever happens to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bench.errors import MachineError
from bench.folder import RunFolder
from bench.predict import batch, forward
from bench.predict.cell import CLEAN, Cell, Harm, Store, left
from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.datasets.media import digest_media
from bench.predict.faces import Faces
from bench.predict.front import FaceFinder, Front
from bench.predict.pipeline import Pipeline
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Model
from bench.spec import Facts
from bench.synth.drawn import draw_face, draw_set
from bench.tables import Targets, validate_targets
from tests.predict.made import LABELS, happy, model_of, run_one, targets_of, write_picture, write_video


@pytest.fixture
def media(tmp_path: Path) -> list[str]:
    write_picture(tmp_path / "good.png")
    (tmp_path / "corrupt.png").write_bytes((tmp_path / "good.png").read_bytes()[:80])
    (tmp_path / "text.jpg").write_text("no picture")
    frames = [draw_face("neutral", "warm", "long", size=64, sway=0.002 * i) for i in range(50)]
    write_video(tmp_path / "video.mp4", frames)
    write_video(tmp_path / "whole.mkv", frames)
    whole = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "truncated.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    write_video(tmp_path / "no_frames.mkv", [])
    (tmp_path / "empty.mp4").write_bytes(b"")
    return ["good.png", "corrupt.png", "text.jpg", "video.mp4", "truncated.mkv", "no_frames.mkv", "empty.mp4"]


def test_a_medium_that_fails_costs_its_row_and_nothing_else(tmp_path: Path, media: list[str]) -> None:
    table = run_one(tmp_path, model_of(happy), targets_of(tmp_path, media, media_kind="aligned"))
    rows = {row["target"]: row for row in table.to_pylist()}
    assert list(rows) == media
    good = {"good.png", "video.mp4"}
    assert {name for name, row in rows.items() if row["status"] == "ok"} == good
    for name in set(media) - good:
        assert rows[name]["status"] == "decode_error"
        assert rows[name]["predicted"] is None
        assert rows[name]["p_happiness"] is None
        found, allowed, remedy = rows[name]["fault"].split(". ", 2)
        assert found
        assert allowed
        assert remedy
        assert str(tmp_path) not in rows[name]["fault"]
    assert rows["good.png"]["fault"] is None


FORMATS = (
    "Allowed: complete files of aac, aiff, apng, asf, avi, bmp, flac, flv, gif, j2k, jpeg, matroska, mov, mp3, mpeg, "
    "mpegts, ogg, pam, pgm, png, ppm, tiff, wav, webm, webp, at most 64 megapixels a frame. Copy or encode the file again."
)
FAULTS = {
    "corrupt.png": f"FFmpeg cannot decode it: Invalid data found when processing input. {FORMATS}",
    "text.jpg": f"FFmpeg cannot decode it: Invalid data found when processing input. {FORMATS}",
    "truncated.mkv": (
        "the video is cut off after N frames. Allowed: a file that ends where its header says. Copy the file again."
    ),
    "no_frames.mkv": f"it ends before its first frame. {FORMATS}",
    "empty.mp4": (
        "the file is empty (0 bytes). Allowed: a complete image, video or sound file. Copy the file again."
    ),
}


def test_the_whole_text_of_every_fault(tmp_path: Path, media: list[str]) -> None:
    table = run_one(tmp_path, model_of(happy), targets_of(tmp_path, media, media_kind="aligned"))
    said = {row["target"]: row["fault"] for row in table.to_pylist() if row["fault"] is not None}
    # How many frames are left of the cut video is the encoder's business.
    assert {
        name: re.sub(r"after \d+ frames", "after N frames", text) for name, text in said.items()
    } == FAULTS


def test_a_model_that_listens_says_when_there_is_no_sound(tmp_path: Path, media: list[str]) -> None:
    model = model_of(happy, sound_rate=16_000)
    targets = targets_of(tmp_path, ["video.mp4"], media_kind="aligned")
    (row,) = run_one(tmp_path, model, targets).to_pylist()
    assert row["status"] == "decode_error"
    assert "sound" in row["fault"]


def test_frames_without_a_face_are_rows(tmp_path: Path) -> None:
    frames = [draw_face("neutral", "warm", "long", size=64)] * 20
    write_video(tmp_path / "v.mp4", frames)

    class FirstHalf:
        version = 1
        seen = 0

        def __call__(self, pixels: torch.Tensor) -> list[Faces]:
            found = []
            for _ in pixels:
                here = self.seen < 10
                self.seen += 1
                boxes = np.array([[8.0, 8.0, 40.0, 40.0]]) if here else np.empty((0, 4))
                points = np.full((len(boxes), 5, 2), np.nan)
                found.append(Faces(boxes, points, np.ones(len(boxes))))
            return found

    front = Front(size=32)
    model = Model(
        "probe", "probe", None, Pipeline(happy, LABELS, front=front, sampling=Sampling()),
        finder=FaceFinder(front, FirstHalf()),
    )  # fmt: skip
    (row,) = run_one(tmp_path, model, targets_of(tmp_path, ["v.mp4"])).to_pylist()
    assert row["status"] == "ok"
    frames_table = pq.read_table(next(tmp_path.rglob("frames.parquet"))).to_pylist()
    assert [r["status"] for r in frames_table] == ["ok"] * 10 + ["no_face"] * 10
    assert [r["track"] for r in frames_table] == [0] * 10 + [None] * 10
    assert [r["timestamp"] for r in frames_table] == pytest.approx([i / 25 for i in range(20)])


def test_the_clip_is_the_mean_of_its_rows(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [draw_face("neutral", "warm", "long", size=64)] * 70)

    def by_time(clips: Sequence[Clip]) -> list[Scores]:
        scores = []
        for clip in clips:
            p = torch.from_numpy(clip.index / 100)
            scores.append(Scores(clip.times, {"labels": torch.stack([p, 1 - p], 1), "valence": p}))
        return scores

    model = model_of(by_time, outputs=("labels", "valence"))
    (row,) = run_one(tmp_path, model, targets_of(tmp_path, ["v.mp4"], media_kind="aligned")).to_pylist()
    assert row["p_happiness"] == pytest.approx(np.arange(70).mean() / 100, abs=1e-12)
    assert row["valence"] == pytest.approx(np.arange(70).mean() / 100, abs=1e-12)
    assert row["predicted"] == "neutral"


@pytest.mark.parametrize("damage", ["plan.json", "000000.parquet", "000001-frames.parquet"])
def test_a_damaged_part_is_made_again(tmp_path: Path, damage: str) -> None:
    names = [f"{i}.png" for i in range(4)]
    for name in names:
        write_picture(tmp_path / name)
    targets = targets_of(tmp_path, names, media_kind="aligned")
    calls = []

    def interrupted(clips: Sequence[Clip]) -> list[Scores]:
        calls.append(len(clips))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return happy(clips)

    with pytest.raises(KeyboardInterrupt):
        run_one(tmp_path / "hurt", model_of(interrupted), targets, batch=1)
    (part,) = (tmp_path / "hurt").rglob(damage)
    part.write_bytes(b"no such thing")
    if damage != "plan.json":  # a part counts as made, so that only joining them finds the damage
        with pytest.raises(MachineError, match="a part cannot be read"):
            run_one(tmp_path / "hurt", model_of(happy), targets, batch=1)
    healed = run_one(tmp_path / "hurt", model_of(happy), targets, batch=1)
    assert healed.equals(run_one(tmp_path / "whole", model_of(happy), targets, batch=1))


def five_pictures(folder: Path) -> Targets:
    """Five aligned pictures as targets."""
    names = [f"{i}.png" for i in range(5)]
    for name in names:
        write_picture(folder / name)
    return targets_of(folder, names, media_kind="aligned")


def interrupted_at(call: int) -> Callable[[Sequence[Clip]], list[Scores]]:
    """A model that is happy until so many calls, at which somebody interrupts."""
    calls: list[int] = []

    def predict(clips: Sequence[Clip]) -> list[Scores]:
        calls.append(len(clips))
        if len(calls) == call:
            raise KeyboardInterrupt
        return happy(clips)

    return predict


def test_progress_counts_no_row_that_was_made_before(tmp_path: Path) -> None:
    targets, interrupted = five_pictures(tmp_path), interrupted_at(2)
    told = list[int]()
    with pytest.raises(KeyboardInterrupt):
        run_one(tmp_path, model_of(interrupted), targets, batch=2)
    run, harms = RunFolder(tmp_path / "run"), (CLEAN, Harm("low_light", 1, "crop"))
    stores = [Store(run, Cell(model_of(happy), "t", targets, harm, 0, "fp32"), 2) for harm in harms]
    assert left(stores) == 3 + 5
    predict_cells(run, stores, Options(torch.device("cpu"), advance=told.append))
    assert sum(told) == 3 + 5
    assert left(stores) == 0


def test_a_cell_says_of_how_many_cells_and_targets_its_time_is(tmp_path: Path) -> None:
    targets, interrupted = five_pictures(tmp_path), interrupted_at(2)

    def run(*harms: Harm) -> list[tuple[int, int]]:
        """Of how many cells and targets the time in each cell.json is."""
        stores = [Store(folder, Cell(model_of(happy), "t", targets, h, 0, "fp32"), 2) for h in harms]
        predict_cells(folder, stores, Options(torch.device("cpu")))
        decodings = [(store.folder.facts or {})["decoding"] for store in stores]
        assert all(one["seconds"] > 0 and one["recalled"] == 0 for one in decodings)
        return [(one["cells"], one["targets"]) for one in decodings]

    folder, dark, darker = RunFolder(tmp_path / "run"), *(Harm("low_light", s, "crop") for s in (1, 2))
    with pytest.raises(KeyboardInterrupt):
        run_one(tmp_path, model_of(interrupted), targets, batch=2)
    assert run(CLEAN) == [(1, 3)]  # the first batch of two was made before
    assert run(CLEAN, dark) == [(1, 3), (1, 5)]  # as it was; and beside it nothing was left but this
    folder = RunFolder(tmp_path / "other")
    assert run(CLEAN, dark, darker) == [(3, 5)] * 3


def test_empty_bytes_are_a_medium_that_does_not_decode(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png")
    table = pa.table({"target": ["x"], "media": ["a.png"], "media_bytes": [b""], "label": ["neutral"]})
    targets = validate_targets(table, Facts(name="t", media_kind="aligned"), "T.csv", tmp_path)
    assert run_one(tmp_path, model_of(happy), targets)["status"].to_pylist() == ["decode_error"]


def test_the_batch_does_not_change_what_is_predicted(tmp_path: Path) -> None:
    draw_set(tmp_path, subjects=2, frames=5)
    targets = digest_media(
        validate_targets(
            pa.csv.read_csv(tmp_path / "targets.csv"),
            Facts(name="t", media_kind="aligned"),
            "T.csv",
            tmp_path,
        )
    )

    def colours(clips: Sequence[Clip]) -> list[Scores]:
        scores = []
        for clip in clips:
            mean = clip.frames.double().mean((2, 3)) / 255
            scores.append(Scores(clip.times, {"labels": (mean[:, :2] * 9).softmax(-1)}))
        return scores

    harm = Harm("sensor_noise", 3, "crop")
    whole = run_one(tmp_path / "a", model_of(colours), targets, harm, batch=14)
    single = run_one(tmp_path / "b", model_of(colours), targets, harm, batch=1)
    assert whole.equals(single)


@pytest.mark.parametrize("where", ["crop", "frame"])
def test_perturbations_have_one_thread_and_models_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: Literal["crop", "frame"]
) -> None:
    """Blurs of many small steps take longer with two threads than with one, convolutions of a model do not."""
    draw_set(tmp_path, subjects=1, frames=1)
    table = pa.csv.read_csv(tmp_path / "targets.csv")
    targets = digest_media(validate_targets(table, Facts(name="t", media_kind="aligned"), "T.csv", tmp_path))
    seen: dict[str, set[int]] = {"harm": set(), "model": set()}

    def harm_clip(clip: Clip, harm: Harm, seed: int) -> Clip:
        seen["harm"].add(torch.get_num_threads())
        return forward.harm_clip(clip, harm, seed)

    def predict(clips: Sequence[Clip]) -> list[Scores]:
        seen["model"].add(torch.get_num_threads())
        return happy(clips)

    monkeypatch.setattr(batch, "harm_clip", harm_clip)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run_one(tmp_path / "a", model_of(predict), targets, Harm("gamma", 3, where))
    finally:
        torch.set_num_threads(before)
    assert seen == {"harm": {1}, "model": {2}}
