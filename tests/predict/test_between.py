"""Faces between detections: straight lines are met exactly, and nothing is lost or made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.predict.align import TEMPLATE
from bench.predict.between import fill, key_frames
from bench.predict.clip import Clip, Sampling
from bench.predict.decode import decode
from bench.predict.faces import Faces, overlap
from bench.predict.front import FaceFinder, Front
from bench.predict.pipeline import Build
from bench.predict.shots import NO_SHOT
from bench.predict.zoo import Zoo

TIMES = np.arange(10) / 25
ONE_SHOT = [0] * len(TIMES)


def faces(*boxes):
    found = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return Faces(found, TEMPLATE * found[:, None, 2:] + found[:, None, :2], np.full(len(found), 0.9))


def moving(time):
    """Two people who cross at constant speed, one coming closer."""
    return faces([100 + 200 * time, 50, 40 + 20 * time, 60], [200 - 200 * time, 150, 40, 60])


@pytest.mark.parametrize("every", [1, 2, 3, 4])
def test_what_moves_in_straight_lines_is_met_exactly(every):
    keys = key_frames(len(TIMES), every)
    assert (keys[0], keys[-1]) == (0, len(TIMES) - 1)
    assert (np.diff(keys) <= every).all()
    found = fill([moving(TIMES[key]) for key in keys], keys, TIMES, ONE_SHOT)
    for time, seen in zip(TIMES, found, strict=True):
        assert seen.boxes == pytest.approx(moving(time).boxes, abs=1e-9)
        assert seen.points == pytest.approx(moving(time).points, abs=1e-9)
        assert seen.scores == pytest.approx([0.9, 0.9])


def test_the_order_of_detections_does_not_exchange_people():
    one, other = moving(TIMES[0]), moving(TIMES[4])
    turned = Faces(other.boxes[::-1], other.points[::-1], other.scores)
    found = fill([one, turned], np.array([0, 4]), TIMES[:5], ONE_SHOT)
    middle = found[2].boxes[np.argsort(found[2].boxes[:, 1])]
    assert middle == pytest.approx(moving(TIMES[2]).boxes, abs=1e-9)


def test_who_comes_or_goes_stays_for_the_nearer_half():
    here, there = faces([100, 50, 40, 40]), faces([100, 50, 40, 40], [300, 50, 40, 40])
    for first, last, counts in ((here, there, [1, 1, 2, 2, 2]), (there, here, [2, 2, 1, 1, 1])):
        found = fill([first, last], np.array([0, 4]), TIMES[:5], ONE_SHOT)
        assert [len(seen) for seen in found] == counts
    found = fill([faces(), here, faces()], np.array([0, 3, 6]), TIMES[:7], ONE_SHOT)
    assert [len(seen) for seen in found] == [0, 0, 1, 1, 1, 0, 0]


def test_who_moves_too_far_between_two_frames_is_two_people_one_after_the_other():
    found = fill([faces([100, 50, 40, 40]), faces([200, 50, 40, 40])], np.array([0, 4]), TIMES[:5], ONE_SHOT)
    assert [seen.boxes[:, 0].tolist() for seen in found] == [[100], [100], [200], [200], [200]]


def test_points_that_are_not_known_stay_unknown():
    without = Faces(np.array([[10.0, 10, 20, 20]]), np.full((1, 5, 2), np.nan), np.ones(1))
    found = fill([without, without], np.array([0, 3]), TIMES[:4], ONE_SHOT)
    assert all(np.isnan(seen.points).all() for seen in found)


def test_nobody_moves_across_a_cut():
    # The cut lies behind the second frame; the fourth shows nothing.
    here, there = faces([100, 50, 40, 40]), faces([110, 50, 40, 40])
    found = fill([here, there], np.array([0, 4]), TIMES[:5], [3, 3, 4, NO_SHOT, 4])
    assert [seen.boxes[:, 0].tolist() for seen in found] == [[100], [100], [110], [], [110]]


@pytest.mark.parametrize("other", [4, NO_SHOT])
def test_in_what_is_cut_in_between_two_detections_nobody_is_known(other):
    here, there = faces([100, 50, 40, 40]), faces([110, 50, 40, 40])
    found = fill([here, there], np.array([0, 5]), TIMES[:6], [3, 3, other, other, 3, 3])
    assert [seen.boxes[:, 0].tolist() for seen in found] == [[100], [102], [], [], [108], [110]]


def test_frames_at_one_time_do_no_harm():
    found = fill([moving(0), moving(0.1)], np.array([0, 3]), np.zeros(4), ONE_SHOT)
    assert [seen.boxes[0, 0] for seen in found] == [100, 100, 100, 120]


class Counting:
    """Says that a face is where the frame's first pixel says, and counts the frames it saw."""

    version = 1

    def __init__(self):
        self.frames = 0

    def __call__(self, frames):
        self.frames += len(frames)
        return [faces([float(frame[0, 0, 0]), 20, 40, 40]) for frame in frames]


def test_the_detector_sees_one_frame_of_so_many():
    frames = torch.zeros((10, 3, 100, 300), dtype=torch.uint8)
    frames[:, :, 0, 0] = torch.arange(10, dtype=torch.uint8)[:, None] * 4
    clips = [Clip("c", frames, np.arange(10), TIMES), Clip("d", frames[:1], np.arange(1), TIMES[:1])]
    for every, looked in ((1, 11), (3, 5), (20, 3)):
        detector = Counting()
        video, still = FaceFinder(Front(every=every), detector).detect(clips)
        assert detector.frames == looked
        assert [seen.boxes[0, 0] for seen in video] == pytest.approx([4 * i for i in range(10)])
        assert len(still) == 1


def test_it_enters_the_key_where_frames_are_passed_over():
    assert "every" not in Front().describe()
    assert Front(every=3).describe() == {**Front().describe(), "every": 3}


@pytest.mark.parametrize("name", ["subj01_timepoint01.mp4", "subj02_timepoint01.mp4"])
def test_on_a_person_who_talks_it_is_nearly_what_is_detected(
    shared: Path, weights: Path, name: str, monkeypatch
):
    monkeypatch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
    detector = (
        Zoo().load_part("yunet", "detector", Build(torch.device("cpu"), torch.float32), ("x", "y")).built
    )
    path = shared / "data" / "opendbm_av" / name
    clip = next(iter(decode(path, name, Sampling(), torch.device("cpu"), window=32)))
    every, third = (FaceFinder(Front(every=k), detector).detect([clip])[0] for k in (1, 3))
    shared_area = [overlap(one.boxes, other.boxes) for one, other in zip(every, third, strict=True)]
    assert [found.shape for found in shared_area] == [(1, 1)] * len(clip)
    assert np.mean(shared_area) > 0.97
