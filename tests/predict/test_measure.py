"""Measuring targets with instruments that say planted numbers, and with the real ones on real media."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
import torch

from bench.errors import MediaFault
from bench.predict import measure as module
from bench.predict.faces import Faces
from bench.predict.front import FaceFinder, Front
from bench.predict.measure import COLUMNS, Instruments, load_instruments, measure
from bench.predict.zoo import Zoo
from bench.spec import Facts
from bench.tables import validate_targets
from tests.predict.conftest import Film
from tests.predict.made import write_picture

CPU = torch.device("cpu")
FAR, NEAR = [2.0, 2.0, 8.0, 8.0], [20.0, 10.0, 16.0, 32.0]


class Detects:
    """Says the boxes that a grey level stands for."""

    version = 1

    def __init__(self, boxes_of) -> None:
        self.boxes_of = boxes_of

    def __call__(self, frames: torch.Tensor) -> list[Faces]:
        found = []
        for frame in frames:
            boxes = np.array(self.boxes_of(int(frame[:, 4, 4].float().mean().round())), float).reshape(-1, 4)
            found.append(Faces(boxes, np.full((len(boxes), 5, 2), np.nan), np.ones(len(boxes))))
        return found


class Reads:
    """A pose that is the grey level of the crop: yaw as it is, pitch half of it, roll its negative."""

    size, version = 8, 1

    def squares(self, boxes: np.ndarray) -> np.ndarray:
        corner = boxes[:, 0] + 1j * boxes[:, 1]
        return np.stack([corner, boxes[:, 2].astype(complex)], 1)

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        level = crops.float().mean((1, 2, 3)).round()
        return torch.stack([level, level / 2, -level], 1)


def instruments_of(boxes_of) -> Instruments:
    return Instruments(FaceFinder(Front(), Detects(boxes_of)), (Reads(),), {})


def targets_of(folder, media: Sequence[str], **facts):
    rows = [{"target": f"t{i}", "media": name} for i, name in enumerate(media)]
    return validate_targets(pa.Table.from_pylist(rows), Facts(name="t", **facts), "T.csv", folder)


@pytest.fixture
def every_fifth(film):
    """A video of 30 frames a second, grey levels 20, 28, ...; 5 a second are numbers 0, 6, 12, 18, 24."""
    film("a.mp4", frames=30)
    return [Film().level(number) for number in (0, 6, 12, 18, 24)]


def test_the_median_over_five_frames_a_second(tmp_path, every_fifth):
    table = measure(targets_of(tmp_path, ["a.mp4"]), instruments_of(lambda _: [NEAR]), CPU)
    (row,) = table.to_pylist()
    middle = every_fifth[2]
    assert row["yaw"] == pytest.approx(middle, abs=1)
    assert (row["pitch"], row["roll"]) == (pytest.approx(middle / 2, abs=1), pytest.approx(-middle, abs=1))
    assert row["face_size"] == 32 / 48  # the longer edge of the box over the frame's height
    assert row["brightness"] == pytest.approx(((middle / 255 + 0.055) / 1.055) ** 2.4, rel=0.05)
    assert row["contrast"] == pytest.approx(0, abs=0.01)
    assert row["skin_tone_ita"] is None
    assert row["measured"] == "ok"


def test_frames_without_the_person_count_for_nothing(tmp_path, every_fifth):
    """A small face is there first and stays; the large one is in three frames, of which the middle counts."""
    late = every_fifth[2:]

    def boxes_of(level: int):
        return [FAR, NEAR] if min(abs(level - other) for other in late) < 3 else [FAR]

    targets = targets_of(tmp_path, ["a.mp4"])
    (row,) = measure(targets, instruments_of(boxes_of), CPU).to_pylist()
    assert (row["yaw"], row["face_size"]) == (pytest.approx(every_fifth[3], abs=1), 32 / 48)
    (alone,) = measure(targets, instruments_of(lambda _: [FAR]), CPU).to_pylist()
    assert (alone["yaw"], alone["face_size"]) == (pytest.approx(every_fifth[2], abs=1), 8 / 48)


def test_every_target_has_its_row_in_order(tmp_path, film, every_fifth):
    write_picture(tmp_path / "p.png")
    (tmp_path / "bad.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:900])
    (tmp_path / "empty.png").write_bytes(b"")
    media = ["bad.mp4", "p.png", "a.mp4", "empty.png", "p.png", "bad.mp4"]
    done: list[int] = []
    targets = targets_of(tmp_path, media)
    some = instruments_of(lambda level: [NEAR] if level < 150 else [])
    table = measure(targets, some, CPU, 2, done.append)
    assert table.column_names == ["target", *COLUMNS, "measured"]
    assert table["target"].to_pylist() == [f"t{i}" for i in range(6)]
    said = table["measured"].to_pylist()
    assert [said[i] for i in (0, 2, 3, 5)] == ["decode_error", "ok", "decode_error", "decode_error"]
    assert said[1] == said[4]
    for row in table.to_pylist():
        assert (row["yaw"] is None) == (row["measured"] != "ok")
    assert sum(done) == 6
    none = measure(targets_of(tmp_path, ["a.mp4"]), instruments_of(lambda _: []), CPU).to_pylist()[0]
    assert none == {"target": "t0", **dict.fromkeys(COLUMNS), "measured": "no_face"}


def test_media_that_are_all_faulty_are_rows(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    table = measure(targets_of(tmp_path, ["bad.mp4"] * 2), instruments_of(lambda _: [NEAR]), CPU)
    assert table["measured"].to_pylist() == ["decode_error"] * 2
    assert table["yaw"].null_count == 2


def test_a_medium_that_fails_late_is_not_half_measured(tmp_path, monkeypatch):
    class Fails:
        def __init__(self, *_: object) -> None:
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, _: range):
            frames = torch.full((3, 3, 48, 64), 90, dtype=torch.uint8)
            yield 0, module.Clip("t0", frames, np.arange(3), np.arange(3) / 5)
            yield 0, MediaFault("it ends", "decode_error")
            yield 1, module.Clip("t1", frames, np.arange(3), np.arange(3) / 5)

    monkeypatch.setattr(module, "Reader", Fails)
    late, whole = measure(targets_of(tmp_path, ["a", "b"]), instruments_of(lambda _: [NEAR]), CPU).to_pylist()
    assert late == {"target": "t0", **dict.fromkeys(COLUMNS), "measured": "decode_error"}
    assert (whole["yaw"], whole["measured"]) == (90, "ok")


def test_windows_and_threads_change_nothing(tmp_path, film, every_fifth, monkeypatch):
    from bench.predict import reader

    film("b.mp4", frames=90)
    write_picture(tmp_path / "p.png")
    targets = targets_of(tmp_path, ["b.mp4", "p.png", "a.mp4"])
    before = measure(targets, instruments_of(lambda _: [NEAR, FAR]), CPU, 1)
    monkeypatch.setattr(reader, "WINDOW", 2)
    monkeypatch.setattr(reader, "_CHUNK_WINDOWS", 1)
    assert measure(targets, instruments_of(lambda _: [NEAR, FAR]), CPU, 3).equals(before)


def test_of_aligned_media_the_whole_picture_is_the_face(tmp_path):
    write_picture(tmp_path / "p.png")
    targets = targets_of(tmp_path, ["p.png"], media_kind="aligned")
    rows = [
        measure(targets, instruments_of(lambda _, boxes=boxes: boxes), CPU).to_pylist()[0]
        for boxes in ([], [[1.0, 1.0, 9.0, 9.0]], [[2.0, 2.0, 60.0, 60.0]])
    ]
    import cv2

    pixels = cv2.imread(str(tmp_path / "p.png"))
    assert rows[0]["yaw"] == pytest.approx(pixels.mean(), abs=4)  # of the whole picture
    assert (rows[0]["measured"], rows[0]["face_size"]) == ("ok", None)
    assert rows[0] == rows[1] == rows[2]  # without points a detected box changes nothing


def test_points_of_a_large_face_place_the_crop_of_an_aligned_picture():
    found = Faces(
        np.array([[0.0, 0.0, 10.0, 10.0], [5.0, 5.0, 50.0, 50.0]]),
        np.stack([np.zeros((5, 2)), np.ones((5, 2))]),
        np.array([0.9, 0.8]),
    )
    clip = module.Clip("c", torch.zeros(2, 3, 64, 64, dtype=torch.uint8), np.arange(2), np.arange(2.0))
    nobody = Faces(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))
    seen = module._filling(clip, [found, nobody])
    assert seen.boxes.tolist() == [[0, 0, 64, 64]] * 2
    assert np.array_equal(seen.points[0], np.ones((5, 2)))
    assert np.isnan(seen.points[1]).all()


@pytest.fixture(scope="module")
def real(weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
        return load_instruments(Zoo(), "yunet", CPU)


def test_real_media_and_the_same_again(shared, real):
    folder = shared / "data/pyfeat/tests_data"
    media = ["45-m7-di-ph.jpg", "no_face.mp4", "BWPictureHuman.jpg", "single_face.mp4", "001.csv"]
    table = measure(targets_of(folder, media), real, CPU)
    turned, nobody, grey, frontal, broken = table.to_pylist()
    assert (turned["measured"], nobody["measured"], broken["measured"]) == ("ok", "no_face", "decode_error")
    assert turned["yaw"] < -30
    assert abs(frontal["yaw"]) < 10
    assert 0.4 < frontal["face_size"] < 0.8
    assert 0 < frontal["brightness"] < 1
    assert frontal["sharpness"] > 0
    assert frontal["skin_tone_ita"] is not None
    assert (grey["measured"], grey["skin_tone_ita"]) == ("ok", None)
    assert measure(targets_of(folder, media), real, CPU).equals(table)
    # What a target says depends on no other: batches of the networks differ by a hair.
    alone = measure(targets_of(folder, media[3:4]), real, CPU).to_pylist()[0]
    assert [alone[name] for name in COLUMNS] == pytest.approx([frontal[name] for name in COLUMNS], abs=1e-3)


def test_what_they_were_measured_with_is_described(real, weights):
    detector, *poses = real.described["parts"]
    assert [part["name"] for part in (detector, *poses)] == ["yunet", "fsanet@1x1", "fsanet@var"]
    assert all(len(part["weights"]) == 1 for part in (detector, *poses))
    assert "_parts/onnx_graph.py" in poses[0]["code"]


def test_the_same_face_in_other_light_and_size(shared, real):
    """Pose, size and sharpness go with what is done to a picture; brightness is linear in its light."""
    from bench.predict.clip import Sampling
    from bench.predict.decode import decode
    from bench.predict.perturb.srgb import encode_light, linear, to_bytes

    path = shared / "data/pyfeat/tests_data/0-f15-hao-ph.jpg"
    (clip,) = decode(path, "c", Sampling(), CPU)
    (faces,) = real.finder.detect([clip])
    frame, track = np.zeros(1, np.int64), np.zeros(1, np.int64)

    def read(frames: torch.Tensor) -> dict[str, float]:
        seen = module.Sighting(clip.with_frames(frames), frame, track, faces[0].boxes, faces[0].points)
        return dict(zip(COLUMNS, real.read([seen])[0], strict=True))

    before = read(clip.frames)
    half = read(to_bytes(encode_light(linear(CPU)[clip.frames.int()] / 2)))
    assert half["brightness"] == pytest.approx(before["brightness"] / 2, rel=0.01)
    assert half["skin_tone_ita"] < before["skin_tone_ita"] - 5
    small = torch.nn.functional.interpolate(clip.frames.float(), scale_factor=0.25, mode="area")
    large = torch.nn.functional.interpolate(small, scale_factor=4, mode="bilinear").round().to(torch.uint8)
    assert read(large)["sharpness"] < before["sharpness"] / 4
    assert abs(read(large)["yaw"] - before["yaw"]) < 6


@pytest.mark.parametrize(("face", "size"), [("largest", 32), ("central", 32), ("box", 8)])
def test_the_person_is_the_one_that_a_run_takes(tmp_path, every_fifth, face, size):
    targets = targets_of(tmp_path, ["a.mp4"], target_face="largest")
    table = targets.table.append_column("box", pa.array([[float(one) for one in FAR]]))
    targets = validate_targets(table, Facts(name="t", target_face=face), "T.csv", tmp_path)
    (row,) = measure(targets, instruments_of(lambda _: [FAR, NEAR]), CPU).to_pylist()
    assert (row["face_size"], row["measured"]) == (size / 48, "ok")
    if face == "box":
        (gone,) = measure(targets, instruments_of(lambda _: [NEAR]), CPU).to_pylist()
        assert (gone["face_size"], gone["measured"]) == (None, "no_face")
