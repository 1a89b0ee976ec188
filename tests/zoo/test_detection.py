"""What detectors share: prior squares, frames made small, one box for each face."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch

from bench.predict.faces import overlap


@pytest.fixture(scope="module")
def detection(load_entry):
    load_entry("retinaface")
    return importlib.import_module("_parts.detection")


def greedy(rows, least, most_overlap):
    """Non-maximum suppression of one frame as it is told in words: best first, drop what overlaps."""
    left = sorted((-row[0], place) for place, row in enumerate(rows) if row[0] >= least)
    kept = []
    for _, place in left:
        shared = [overlap(rows[[place], 1:5], rows[[other], 1:5]).item() for other in kept]
        if all(share <= most_overlap for share in shared):
            kept.append(place)
    return rows[kept]


def made(frames, cells, seed):
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 20, (frames, cells, 1)) / 20  # with equal ones
    rest = draw.uniform(0, 30, (frames, cells, 4))
    return np.concatenate([scores, draw.uniform(0, 60, (frames, cells, 2)), 5 + rest], 2).astype(np.float32)


@pytest.mark.parametrize(("least", "most_overlap"), [(0.48, 0.3), (0.03, 0.5), (0.87, 0.1)])
def test_suppression_is_greedy_in_every_frame(least, most_overlap, detection):
    rows = made(6, 80, 1)
    rows[2, :, 0] = 0  # a frame without a face between others
    frame, kept = detection.suppress(torch.from_numpy(rows), least, most_overlap)
    for number in range(len(rows)):
        expected = greedy(rows[number].astype(np.float64), least, most_overlap)
        np.testing.assert_allclose(kept[frame == number].double().numpy(), expected, rtol=1e-6)
    assert frame.tolist() == sorted(frame.tolist())


def test_no_face_at_all_is_no_row(detection):
    frame, kept = detection.suppress(torch.zeros(3, 50, 15), 0.5, 0.3)
    assert (tuple(frame.shape), tuple(kept.shape)) == ((0,), (0, 15))
    faces = detection.find_faces(torch.zeros(3, 50, 15), np.ones(2), 0.5, 0.3)
    assert [face.points.shape for face in faces] == [(0, 5, 2)] * 3


def test_of_too_many_rows_the_best_are_looked_at(detection, monkeypatch):
    monkeypatch.setattr(detection, "MOST", 3)
    rows = torch.zeros(1, 10, 5)
    rows[0, :, 0] = torch.linspace(0.1, 1, 10)
    rows[0, :, 1] = torch.arange(10) * 100
    rows[0, :, 3:] = 10
    _, kept = detection.suppress(rows, 0.05, 0.3)
    assert kept[:, 1].tolist() == [900, 800, 700]


def test_rows_are_told_in_pixels_of_the_frame(detection):
    rows = torch.zeros(1, 2, 15)
    rows[0, 1] = torch.arange(15).float()
    rows[0, 1, 0] = 0.75
    (pointed,) = detection.find_faces(rows, np.array([2.0, 10.0]), 0.5, 0.3)
    assert pointed.boxes.tolist() == [[2, 20, 6, 40]]
    assert pointed.points[0].tolist() == [[10, 60], [14, 80], [18, 100], [22, 120], [26, 140]]
    assert pointed.scores.tolist() == [0.75]
    (bare,) = detection.find_faces(rows[..., :5], np.array([2.0, 10.0]), 0.5, 0.3)
    assert bare.boxes.tolist() == pointed.boxes.tolist()
    assert np.isnan(bare.points).all()


def test_priors_stand_at_the_centres_of_cells(detection):
    expected = []
    for rows, columns, edges in [(12, 20, (16, 32)), (3, 5, (64,))]:
        for row in range(rows):
            for column in range(columns):
                centre = [(column + 0.5) * 160 / columns, (row + 0.5) * 90 / rows]
                expected += [[*centre, edge] for edge in edges]
    found = detection.priors(90, 160, {8: (16, 32), 32: (64,)}, torch.device("cpu"))
    torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize(
    ("device", "shape", "sizes"),
    [
        ("cpu", (3, 3, 480, 640), [1, 1, 1]),
        ("meta", (70, 3, 480, 640), [32, 32, 6]),
        ("meta", (10, 3, 2160, 3840), [8, 2]),
        ("meta", (2, 3, 10000, 10000), [1, 1]),
    ],
)
def test_a_device_takes_what_its_memory_bears(device, shape, sizes, detection):
    frames = torch.empty(shape, dtype=torch.uint8, device=device)
    assert [len(part) for part in detection.portions(frames)] == sizes
    # A file that is fixed to one frame gets one, whatever the device.
    assert [len(part) for part in detection.portions(frames, 1)] == [1] * len(frames)


def test_frames_are_made_no_larger_than_asked(detection):
    pixels = torch.rand(2, 3, 90, 400)
    small, scale = detection.shrink(pixels, 100, 100)
    assert small.shape == (2, 3, 22, 100)
    assert scale.tolist() == [4, 90 / 22]
    assert torch.equal(detection.shrink(pixels, 90, 400)[0], pixels)
    # A scaled mean stays the mean.
    assert small.mean().item() == pytest.approx(pixels.mean().item(), abs=0.01)
