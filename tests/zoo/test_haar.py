"""The Haar cascade: its file, its threads, and that OpenCV alone would find the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch

from bench.errors import UserError
from bench.predict.faces import overlap
from bench.predict.pipeline import Build

REQUEST = Build(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def module(load_entry):
    return load_entry("haar")


def photographs(shared):
    paths = [shared / "data/pyfeat/tests_data" / name for name in ("multi_face.jpg", "single_face.jpg")]
    return [
        torch.from_numpy(cv2.imread(str(path))[..., ::-1].copy()).permute(2, 0, 1)[None] for path in paths
    ]


def test_boxes_are_opencvs(module, shared):
    detector = module.build(REQUEST)
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    for frames in photographs(shared):
        (faces,) = detector(frames)
        image = cv2.cvtColor(frames[0].permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY)
        factor = 480 / max(image.shape)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        expected = np.array(cascade.detectMultiScale(small, 1.2, 5)) / factor
        assert len(faces) == len(expected) > 0
        assert overlap(faces.boxes, expected).max(1).min() > 0.8


def test_more_windows_are_a_higher_score(module, shared):
    (faces,) = module.build(REQUEST)(photographs(shared)[0])
    assert len(faces) > 1
    counts = 1 / (1 - faces.scores)
    np.testing.assert_allclose(counts, counts.round())
    assert counts.min() > module.NEIGHBOURS
    assert (np.diff(counts) <= 0).all()


def test_six_windows_are_enough_and_five_are_not(module, shared, monkeypatch):
    """Small portraits, on which few windows agree; with four neighbours OpenCV tells how many."""
    assert len(cv2.groupRectangles([[10, 10, 30, 30]] * 5, module.NEIGHBOURS, 0.2)[0]) == 0
    assert cv2.groupRectangles([[10, 10, 30, 30]] * 6, module.NEIGHBOURS, 0.2)[1].tolist() == [6]
    detector, agreeing = module.build(REQUEST), []
    for name in ("single_face.jpg", "0-f1-su-ph.jpg"):
        picture = cv2.imread(str(shared / "data/pyfeat/tests_data" / name))[..., ::-1]
        for edge in range(40, 72, 2):
            small = cv2.resize(picture, (edge, edge), interpolation=cv2.INTER_AREA)
            frames = torch.from_numpy(small).permute(2, 0, 1)[None]
            (faces,) = detector(frames)
            with monkeypatch.context() as patch:
                patch.setattr(module, "NEIGHBOURS", 4)
                (more,) = detector(frames)
            counts = 1 / (1 - more.scores)
            assert faces.scores.tolist() == more.scores[counts.round() > 5].tolist()
            agreeing += counts.round().tolist()
    assert {5, 6} <= set(agreeing)


def test_threads_do_not_disturb_each_other(module, shared):
    detector, frames = module.build(REQUEST), photographs(shared)
    alone = [detector(one)[0].boxes for one in frames]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda place: detector(frames[place % 2])[0].boxes, range(16)))
    for place, boxes in enumerate(together):
        np.testing.assert_array_equal(boxes, alone[place % 2])


def test_another_cascade_is_refused(module, monkeypatch, tmp_path):
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(UserError, match=r"sha256 none: there is no such file"):
        module.build(REQUEST)
    (tmp_path / module.FILE).write_text("<opencv_storage/>")
    with pytest.raises(UserError, match="The cascade of OpenCV"):
        module.build(REQUEST)
