"""YuNet against OpenCV's own FaceDetectorYN on real photographs and video, and where no face is."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest
import torch

from bench.predict.faces import overlap

DEFAULT = "yunet/yunet_n_dynamic.onnx"
PHOTOGRAPHS = {
    "0-f1-su-ph.jpg": 1,
    "0-f15-hao-ph.jpg": 1,
    "15-f13-anc-ph.jpg": 1,
    "45-m7-di-ph.jpg": 1,
    "multi_face.jpg": 5,
    "single_face.jpg": 1,
    "free-mountain-vector-01.jpg": 0,
}


@pytest.fixture(scope="module")
def detector(build_entry):
    return build_entry("yunet", DEFAULT)


def photograph(path):
    return torch.from_numpy(cv2.imread(str(path))[..., ::-1].copy()).permute(2, 0, 1)[None]


def every(path, step):
    """Every step-th frame of a video, uint8 [T, 3, H, W] RGB."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::step]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)


def by_opencv(frame, weights, score=0.7):
    """OpenCV's detections [N, 15] of one frame [3, H, W], made as large as the detector makes it."""
    image = np.ascontiguousarray(frame.permute(1, 2, 0).numpy()[..., ::-1])
    shrink = min(1.0, 640 / max(image.shape))
    if shrink < 1:
        size = (round(image.shape[1] * shrink), round(image.shape[0] * shrink))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    file = str(weights / "yunet/yunet_n_640_640.onnx")
    net = cv2.FaceDetectorYN.create(file, "", image.shape[1::-1], score, 0.3, 5000)
    found = net.detect(image)[1]
    rows = np.zeros((0, 15)) if found is None else found.astype(np.float64)
    rows[:, :14] /= shrink
    return rows


def assert_same_faces(frames, detector, weights):
    for frame, faces in zip(frames, detector(frames), strict=True):
        expected = by_opencv(frame, weights)
        assert len(faces) == len(expected)
        assert np.all(np.diff(faces.scores) <= 0)
        if len(faces):
            shared = overlap(faces.boxes, expected[:, :4])
            twin = shared.argmax(1)
            assert len(set(twin)) == len(faces)
            assert shared.max(1).min() > 0.9
            np.testing.assert_allclose(faces.scores, expected[twin, 14], atol=0.02)
            edge = faces.boxes[:, 2:].max(1)[:, None, None]
            apart = (faces.points - expected[twin, 4:14].reshape(-1, 5, 2)) / edge
            assert np.abs(apart).max() < 0.03


@pytest.mark.parametrize(("name", "count"), PHOTOGRAPHS.items())
def test_photographs_as_opencv(name, count, detector, shared, weights):
    frames = photograph(shared / "data/pyfeat/tests_data" / name)
    assert len(detector(frames)[0]) == count
    assert_same_faces(frames, detector, weights)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("opendbm_av/subj01_timepoint01.mp4", 30),
        ("opendbm_av/subj02_timepoint01.mp4", 30),
        ("pyfeat/tests_data/single_face.mp4", 15),
        ("intel_samples/bird.mkv", 12),
    ],
)
def test_videos_as_opencv(name, step, detector, shared, weights):
    frames = every(shared / "data" / name, step)
    assert [len(faces) for faces in detector(frames)] == [1] * len(frames)
    assert_same_faces(frames, detector, weights)


def test_no_face_is_no_face(detector, shared):
    frames = every(shared / "data/pyfeat/tests_data/no_face.mp4", 12)
    assert [len(faces) for faces in detector(frames)] == [0] * len(frames)


def test_the_points_are_in_their_order(detector, shared):
    (faces,) = detector(photograph(shared / "data/pyfeat/tests_data/single_face.jpg"))
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.points[0]
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_the_small_checkpoint_takes_batches_too(build_entry, shared):
    small = build_entry("yunet", "yunet/yunet_s_640_640.onnx")
    frames = photograph(shared / "data/pyfeat/tests_data/multi_face.jpg").repeat(2, 1, 1, 1)
    one, other = small(frames)
    assert len(one) == len(other) == 5
    np.testing.assert_allclose(one.boxes, other.boxes)


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (3, 2000), (33, 31), (720, 1281)])
def test_any_size_gets_an_answer(size, detector):
    draw = np.random.default_rng(0).integers(0, 256, (2, 3, *size), dtype=np.uint8)
    found = detector(torch.from_numpy(draw))
    assert len(found) == 2
    for faces in found:
        shapes = faces.boxes.shape, faces.points.shape, faces.scores.shape
        assert shapes == ((len(faces), 4), (len(faces), 5, 2), (len(faces),))


def test_a_batch_is_its_frames_one_by_one(detector, load_entry, shared):
    frames = every(shared / "data/pyfeat/tests_data/single_face.mp4", 15)
    pixels = torch.nn.functional.pad(frames.flip(1).float(), (0, 0, 0, 24))
    with torch.inference_mode():
        together = detector.graph(pixels)
        for place in range(len(frames)):
            for name, values in detector.graph(pixels[place : place + 1]).items():
                torch.testing.assert_close(together[name][place], values[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("dtype", "least"), [(torch.float16, 0.97), (torch.bfloat16, 0.9)])
def test_lower_precision_finds_the_same_faces(dtype, least, detector, build_entry, shared):
    frames = photograph(shared / "data/pyfeat/tests_data/multi_face.jpg")
    (full,), (lower,) = detector(frames), build_entry("yunet", DEFAULT, dtype)(frames)
    assert len(lower) == len(full)
    assert overlap(full.boxes, lower.boxes).max(1).min() > least


def test_no_pixel_leaves_the_device_before_the_choice(build_entry):
    # Mixing devices raises: rows on meta mean that every step ran there. Choosing needs real numbers.
    detector = build_entry("yunet", DEFAULT, device="meta")
    rows, scale = detector.rows(torch.empty(2, 3, 900, 700, dtype=torch.uint8, device="meta"))
    assert scale.tolist() == [700 / 498, 900 / 640]
    assert rows.device.type == "meta"
    assert rows.shape == (2, 80 * 64 + 40 * 32 + 20 * 16, 15)
