"""Every detector behind the one seam, chosen by a model's entry, on real video and photographs.

YuNet, which test_yunet.py holds against OpenCV, and OpenFace's published points are the second sources.
"""

from __future__ import annotations

import csv

import av
import cv2
import numpy as np
import pytest
import torch

from bench.errors import UserError
from bench.predict.align import TEMPLATE, squares
from bench.predict.clip import Clip, Sampling
from bench.predict.decode import decode
from bench.predict.faces import overlap
from bench.predict.front import FaceFinder, Faces
from bench.predict.pipeline import Build
from bench.predict.zoo import Zoo, parse_choice
from tests.predict.faces import crops_of

CPU = torch.device("cpu")
SURE = 0.9
POINTED = ("yunet", "retinaface")
OTHERS = ("retinaface", "ultraface", "ultraface@slim", "haar")
# Of the faces of which YuNet is sure: the share found, at 5 frames a second 1, 1, 1 and .954 (CARD.md).
LEAST_FOUND = {"retinaface": 0.99, "ultraface": 0.99, "ultraface@slim": 0.99, "haar": 0.92}
# Faces found beside those of YuNet, per 100 frames with a face: 0, 0, .9 and .2 there.
MOST_OTHERS = {"retinaface": 1, "ultraface": 1, "ultraface@slim": 3, "haar": 2}
# Mean distance of the corners of the crop from those YuNet's points give, in edges: .052, .077, .075, .078.
MOST_APART = {"retinaface": 0.07, "ultraface": 0.1, "ultraface@slim": 0.1, "haar": 0.1}

MODEL = """
from bench.predict.front import Front
from bench.predict.pipeline import Pipeline

def build(request):
    return Pipeline(lambda clips: [], labels=("happiness", "neutral"), front=Front(detector="{detector}", size=64))
"""


@pytest.fixture(scope="module")
def finder_of(weights, tmp_path_factory):
    """A function from a detector's name to the finder of a private model that names it."""
    zoo = tmp_path_factory.mktemp("zoo")
    finders: dict[object, FaceFinder] = {}

    def find(detector: str, dtype: torch.dtype = torch.float32, device: str = "cpu") -> FaceFinder:
        if (detector, dtype, device) not in finders:
            folder = zoo / f"by-{detector.replace('@', '-')}"
            folder.mkdir(exist_ok=True)
            (folder / "model.py").write_text(MODEL.format(detector=detector))
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
                model = Zoo([zoo]).load(parse_choice(folder.name), Build(torch.device(device), dtype))
            assert f"{parse_choice(detector).entry}/model.py" in model.code_sha256
            assert len(model.weights_sha256) == (0 if detector == "haar" else 1)
            finders[detector, dtype, device] = model.finder
        return finders[detector, dtype, device]

    return find


@pytest.mark.parametrize("name", ["mini-xception", "oracle", "ultrafase"])
def test_what_is_no_detector_is_refused(name, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.py").write_text(MODEL.format(detector=name))
    with pytest.raises(UserError) as caught:
        Zoo([tmp_path]).load(parse_choice("mine"), Build(CPU, torch.float32))
    meant = " Did you mean 'ultraface'?" if name == "ultrafase" else ""
    assert str(caught.value) == (
        f"front.detector: {name!r} is no face detector.{meant} It may be: haar, retinaface, ultraface, yunet. Name "
        "one of them in the model's Front."
    )


def photograph(path):
    return torch.from_numpy(cv2.imread(str(path))[..., ::-1].copy()).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def media(shared):
    """Frames of real media by name: one a second of videos, and photographs."""
    data = shared / "data"
    videos = [*(data / "opendbm_av").glob("*.mp4"), *(data / "intel_samples").glob("*.mkv")]
    videos += [*(data / "pyfeat/tests_data").glob("*.mp4"), *(data / "pyfeat/tests_data").glob("*.mov")]
    pictures = [*(data / "pyfeat/tests_data").glob("*.jpg"), *(data / "fairface_samples").rglob("*.jpg")]
    frames = {
        path.name: torch.cat([clip.frames for clip in decode(path, "c", Sampling(rate=1), CPU, window=32)])
        for path in sorted(videos)
    }
    return frames | {path.name: photograph(path) for path in sorted(pictures)}


@pytest.fixture(scope="module")
def found(finder_of, media):
    """A function from a detector's name to what it finds in each frame of all media."""
    known: dict[str, list[Faces]] = {}

    def find(detector: str) -> list[Faces]:
        if detector not in known:
            detect = finder_of(detector).detector
            known[detector] = [faces for frames in media.values() for faces in detect(frames)]
        return known[detector]

    return find


def twins(found, detector):
    """Each face of which YuNet is sure, and the detector's that overlaps it most (IoU, NaN without any)."""
    for expected, faces in zip(found("yunet"), found(detector), strict=True):
        for face in np.flatnonzero(expected.scores > SURE):
            shared = overlap(expected.boxes[face : face + 1], faces.boxes)[0]
            best = int(shared.argmax()) if len(faces) else -1
            yield expected, face, faces, best, float(shared[best]) if len(faces) else 0.0


@pytest.mark.parametrize("detector", OTHERS)
def test_it_finds_the_faces_that_yunet_is_sure_of(detector, found):
    shares = [share for *_, share in twins(found, detector)]
    assert len(shares) > 80
    assert np.mean(np.array(shares) >= 0.5) >= LEAST_FOUND[detector]


@pytest.mark.parametrize("detector", OTHERS)
def test_it_finds_few_others(detector, found):
    pairs = [(y, f) for y, f in zip(found("yunet"), found(detector), strict=True) if len(y)]
    others = sum(int((overlap(f.boxes, y.boxes).max(1) < 0.3).sum()) for y, f in pairs if len(f))
    assert others <= MOST_OTHERS[detector] * len(pairs) / 100


@pytest.mark.parametrize("detector", OTHERS)
@pytest.mark.parametrize("name", ["no_face.mp4", "free-mountain-vector-01.jpg"])
def test_no_face_is_no_face(name, detector, finder_of, media):
    assert [len(faces) for faces in finder_of(detector).detector(media[name])] == [0] * len(media[name])


@pytest.mark.parametrize("detector", OTHERS)
def test_what_it_says_has_the_shape_of_the_seam(detector, found):
    for faces in found(detector):
        assert faces.boxes.shape == (len(faces), 4)
        assert faces.points.shape == (len(faces), 5, 2)
        assert (faces.boxes[:, 2:] > 0).all()
        assert ((faces.scores >= 0) & (faces.scores <= 1)).all()
        assert (np.diff(faces.scores) <= 0).all()
        assert np.isnan(faces.points).all() if detector not in POINTED else np.isfinite(faces.points).all()


@pytest.mark.parametrize("detector", OTHERS)
def test_its_crops_lie_where_yunets_points_put_them(detector, found):
    """Where a detector gives no points the box alone aligns: as large and as high, but not turned upright."""
    apart = []
    for expected, face, faces, best, share in twins(found, detector):
        if share >= 0.5:
            ((corner, edge),) = squares(expected.boxes[[face]], expected.points[[face]], 0.0)
            ((own_corner, own_edge),) = squares(faces.boxes[[best]], faces.points[[best]], 0.0)
            places = np.array([0, 1, 1j, 1 + 1j])
            apart.append(np.abs(own_corner - corner + (own_edge - edge) * places).mean() / abs(edge))
    assert np.mean(apart) < MOST_APART[detector]


def test_retinafaces_points_are_near_yunets(found):
    apart = []
    for expected, face, faces, best, _ in twins(found, "retinaface"):
        between = np.linalg.norm(expected.points[face, 0] - expected.points[face, 1])
        apart.append(np.linalg.norm(faces.points[best] - expected.points[face], axis=1) / between)
    # At 5 frames a second: .070, .061, .107, .101, .083 of the distance between the eyes.
    assert np.mean(apart, 0).max() < 0.13
    assert np.quantile(np.mean(apart, 1), 0.95) < 0.18


def by_openface(folder):
    """Five points of each frame of a clip from OpenFace's 68, float [T, 5, 2]."""
    with (folder / f"{folder.name}_openface" / f"{folder.name}.csv").open() as file:
        rows = [{name.strip(): value for name, value in row.items()} for row in csv.DictReader(file)]
    points = np.array([[[float(row[f"{axis}_{i}"]) for axis in "xy"] for i in range(68)] for row in rows])
    eyes = [points[:, 36:42].mean(1), points[:, 42:48].mean(1)]
    return np.stack([*eyes, points[:, 30], points[:, 48], points[:, 54]], 1)


@pytest.mark.parametrize("clip", ["subj01_timepoint01", "subj02_timepoint01"])
@pytest.mark.parametrize("detector", POINTED)
def test_points_are_near_openfaces(detector, clip, finder_of, shared):
    folder = shared / "data/opendbm_av" / clip
    with av.open(f"{folder}.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::15]
    expected = by_openface(folder)[::15]
    found = finder_of(detector).detector(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2))
    assert [len(faces) for faces in found] == [1] * len(expected)
    between = np.linalg.norm(expected[:, 0] - expected[:, 1], axis=1)[:, None]
    apart = np.linalg.norm([faces.points[0] for faces in found] - expected, axis=2) / between
    assert apart.mean(0).max() < 0.2
    assert apart.mean() < 0.12


@pytest.mark.parametrize("detector", OTHERS)
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (3, 2000), (33, 31), (720, 1281)])
def test_any_size_gets_an_answer(size, detector, finder_of):
    draw = np.random.default_rng(0).integers(0, 256, (2, 3, *size), dtype=np.uint8)
    found = finder_of(detector).detector(torch.from_numpy(draw))
    assert len(found) == 2
    for faces in found:
        shapes = faces.boxes.shape, faces.points.shape, faces.scores.shape
        assert shapes == ((len(faces), 4), (len(faces), 5, 2), (len(faces),))


@pytest.mark.parametrize("detector", OTHERS)
def test_grey_and_large_frames_keep_their_face(detector, finder_of, shared):
    """The place of the face does not depend on colour, nor on the pixels beyond the limit of the edge."""
    frame = photograph(shared / "data/pyfeat/tests_data/single_face.jpg")
    grey = frame.float().mean(1, keepdim=True).round().to(torch.uint8).expand(-1, 3, -1, -1)
    large = torch.nn.functional.interpolate(frame.float(), scale_factor=3, mode="bilinear").round()
    detect = finder_of(detector).detector
    boxes = [faces.boxes for faces in detect(frame) + detect(grey) + detect(large.to(torch.uint8))]
    assert [len(found) for found in boxes] == [1, 1, 1]
    assert overlap(boxes[0], boxes[1]).item() > 0.85
    assert overlap(boxes[0], boxes[2] / 3).item() > 0.85


@pytest.mark.parametrize("detector", OTHERS)
def test_a_batch_is_its_frames_one_by_one(detector, finder_of, media):
    frames = media["bird.mkv"]
    detect = finder_of(detector).detector
    for place, faces in enumerate(detect(frames)):
        (alone,) = detect(frames[place : place + 1])
        np.testing.assert_allclose(faces.boxes, alone.boxes, atol=1e-4)
        np.testing.assert_allclose(faces.points, alone.points, atol=1e-4)
        np.testing.assert_allclose(faces.scores, alone.scores, atol=1e-4)


@pytest.mark.parametrize("detector", ["retinaface", "ultraface", "ultraface@slim"])
def test_rows_of_a_batch_are_those_of_its_frames(detector, finder_of, media):
    """The CPU takes frames one by one; the networks that other devices feed in batches keep the law too."""
    frames, detect = media["bird.mkv"], finder_of(detector).detector
    with torch.inference_mode():
        together, _ = detect.rows(frames)
        for place in range(len(frames)):
            alone, _ = detect.rows(frames[place : place + 1])
            torch.testing.assert_close(together[place, :, 0], alone[0, :, 0], atol=1e-4, rtol=0)
            # In pixels; 640 of them are one unit of what the networks say.
            torch.testing.assert_close(together[place, :, 1:] / 640, alone[0, :, 1:] / 640, atol=1e-4, rtol=0)


@pytest.mark.parametrize("detector", ["retinaface", "ultraface", "ultraface@slim"])
@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 0.95), (torch.bfloat16, 0.9)])
def test_lower_precision_finds_the_same_faces(dtype, least, detector, finder_of, media):
    frames = media["multi_face.jpg"]
    (full,), (lower,) = (finder_of(detector, kind).detector(frames) for kind in (torch.float32, dtype))
    assert len(lower) == len(full) == 5
    assert overlap(full.boxes, lower.boxes).max(1).min() > least


@pytest.mark.parametrize(
    ("detector", "cells"),
    [
        ("retinaface", 2 * (80 * 64 + 40 * 32 + 20 * 16)),
        ("ultraface", 3 * 40 * 30 + 2 * 20 * 15 + 2 * 10 * 8 + 3 * 5 * 4),
        ("ultraface@slim", 3 * 40 * 30 + 2 * 20 * 15 + 2 * 10 * 8 + 3 * 5 * 4),
    ],
)
def test_no_pixel_leaves_the_device_before_the_choice(detector, cells, finder_of):
    # Mixing devices raises: rows on meta mean that every step ran there. Choosing needs real numbers.
    detect = finder_of(detector, device="meta").detector
    rows, _ = detect.rows(torch.empty(2, 3, 900, 700, dtype=torch.uint8, device="meta"))
    assert rows.device.type == "meta"
    assert rows.shape == (2, cells, 15 if detector in POINTED else 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("detector", OTHERS)
def test_a_gpu_finds_the_same_faces(detector, finder_of, media):
    for name in ("multi_face.jpg", "bird.mkv"):
        here = finder_of(detector).detector(media[name])
        there = finder_of(detector, device="cuda:0").detector(media[name].cuda())
        for one, other in zip(here, there, strict=True):
            assert len(one) == len(other)
            np.testing.assert_allclose(one.boxes, other.boxes, atol=0.5)


@pytest.mark.parametrize("detector", OTHERS)
def test_one_person_is_one_track_of_crops(detector, finder_of, media):
    finder, frames = finder_of(detector), media["subj01_timepoint01.mp4"]
    tracker, clip = finder.start(), Clip("c", frames, np.arange(len(frames)), np.arange(len(frames)) / 1.0)
    (persons,) = crops_of(finder, [(tracker, clip)])
    assert [person.track for person in persons] == [0]
    assert tracker.target() == 0
    assert persons[0].frames.shape == (len(frames), 3, 64, 64)


def test_faces_without_points_are_cut_by_their_box(finder_of, media):
    finder = finder_of("ultraface")
    frames = media["single_face.jpg"]
    (faces,) = finder.detector(frames)
    ((corner, edge),) = squares(faces.boxes, faces.points, 0.0)
    assert edge.imag == 0
    assert edge.real == faces.boxes[0, 2:].max()
    (pointed,) = finder_of("retinaface").detector(frames)
    inside = (pointed.points[0] - [corner.real, corner.imag]) / edge.real
    assert np.abs(inside - TEMPLATE).max() < 0.12
