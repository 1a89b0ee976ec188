"""The run loop: one row per target whatever happens to it, and never an op off the chosen device."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.errors import MachineError, UserError
from bench.folder import RunFolder
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Sampling, Scores, Sound
from bench.predict.datasets.media import digest_media
from bench.predict.faces import Faces
from bench.predict.forward import harm_clip, predict_clips
from bench.predict.front import FaceFinder, Front
from bench.predict.pipeline import Build, Pipeline
from bench.predict.run import Options, predict_cells
from bench.predict.zoo import Model, Zoo, parse_choice
from bench.spec import Facts
from bench.synth.drawn import draw_face, draw_set
from bench.tables import Targets, validate_targets

CPU = torch.device("cpu")
LABELS = ("happiness", "neutral")


def write_video(path: Path, frames: Sequence[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"threads": "1"})
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def write_picture(path: Path, label: str = "happiness") -> None:
    import cv2

    cv2.imwrite(str(path), draw_face(label, "warm", "round", size=64)[..., ::-1])


def model_of(predict: Callable[[Sequence[Clip]], list[Scores]], **fields: object) -> Model:
    pipeline = Pipeline(predict, **{"labels": LABELS, "sampling": Sampling(), **fields})
    return Model("probe", "probe", None, pipeline)


def happy(clips: Sequence[Clip]) -> list[Scores]:
    return [Scores(c.times, {"labels": torch.tensor([[0.75, 0.25]]).repeat(len(c), 1)}) for c in clips]


def targets_of(folder: Path, media: Sequence[str], **facts: object) -> Targets:
    rows = [
        {"target": name, "media": name, "subject": f"s{i}", "label": LABELS[i % 2]}
        for i, name in enumerate(media)
    ]
    table = pa.Table.from_pylist(rows)
    return digest_media(validate_targets(table, Facts(name="t", **facts), "T.csv", folder))


def run_one(folder: Path, model: Model, targets: Targets, harm: Harm = CLEAN, batch: int = 4) -> pa.Table:
    run = RunFolder(folder / "run")
    store = Store(run, Cell(model, "t", targets, harm, 0, "fp32"), batch)
    predict_cells(run, [store], Options(CPU))
    return pq.read_table(store.folder.predictions)


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
    names = [f"{i}.png" for i in range(80)]
    for name in names:
        write_picture(tmp_path / name)
    seen = set()

    def always(clips: Sequence[Clip]) -> list[Scores]:
        seen.update(clip.id for clip in clips)
        raise RuntimeError("never works")

    with pytest.raises(MachineError, match=r"failed on all 40 clips of a batch, first with RuntimeError"):
        run_one(tmp_path, model_of(always), targets_of(tmp_path, names, media_kind="aligned"), batch=40)
    assert len(seen) == 40


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


@pytest.mark.parametrize("harm", [CLEAN, *(Harm(name, 3, "crop") for name in ("low_light", "sensor_noise"))])
def test_no_op_leaves_the_device(weights: Path, monkeypatch: pytest.MonkeyPatch, harm: Harm) -> None:
    """The meta device stands in for a GPU: it has shapes and no data, and mixes with no other device."""
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    meta = torch.device("meta")
    model = Zoo().load(parse_choice("mini-xception"), Build(meta, torch.float32))
    frames = torch.zeros(3, 3, 48, 48, dtype=torch.uint8, device=meta)
    clip = Clip("c", frames, np.arange(3), np.arange(3) / 25)
    with OnlyOn("meta") as watch, torch.inference_mode():
        (scores,) = predict_clips(model, [harm_clip(clip, harm, "crop", 0)])
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
