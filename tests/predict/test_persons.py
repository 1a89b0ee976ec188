"""Whom a target means and what lost it, on planted boxes and points whose persons are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.predict.align import TEMPLATE
from bench.predict.clip import Clip
from bench.predict.faces import Faces
from bench.predict.given import Given
from bench.predict.persons import Persons

HEIGHT, WIDTH = 400, 800  # the middle is at 400, 200


def box(x, y=200.0, size=40.0):
    return [x - size / 2, y - size / 2, size, size]


def faces(boxes, off=0.0):
    """Faces whose five points are where a face has them, but for so many pixels to the right."""
    boxes = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    points = TEMPLATE * boxes[:, None, 2:] + boxes[:, None, :2] + [off, 0.0]
    return Faces(boxes, points, np.ones(len(boxes)))


def window(pictures, first=0):
    """Frames a fifth of a second apart; of each picture uint8 [3, H, W]."""
    index = np.arange(first, first + len(pictures))
    return Clip("c", torch.stack(list(pictures)), index, index / 5)


GREY = torch.full((3, HEIGHT, WIDTH), 128, dtype=torch.uint8)


def meet(frames, given=None, off=0.0):
    """The persons after these frames, a fifth of a second apart, and the person of each face."""
    persons = Persons(given)
    found = [
        persons.meet(window([GREY], place), [faces(boxes, off)])[0] for place, boxes in enumerate(frames)
    ]
    return persons, found


def given(face="largest", oracle=None, at=None, **size):
    place = None if at is None else np.array(box(at, **size))
    return Given(face, place, None if place is None else faces([place]).points[0], oracle)


def test_the_target_is_the_largest_sum_of_areas():
    # Person 1 is larger, but person 0 is seen in more frames: 10 x 40^2 > 2 x 60^2.
    frames = [[box(100), box(400, size=60)]] * 2 + [[box(100)]] * 8
    assert meet(frames)[0].target() == 0
    frames = [[box(100), box(400, size=60)]] * 5 + [[box(100)]] * 5
    assert meet(frames)[0].target() == 1


@pytest.mark.parametrize("face", ["largest", "central", "box"])
@pytest.mark.parametrize(("frames", "target"), [([[], []], None), ([[box(300), box(500)]], 0)])
def test_no_face_is_no_target_and_the_first_of_equals_is(frames, target, face):
    assert meet(frames, given(face, at=400, size=300))[0].target() == target


PASSER_BY = [[box(400), box(740, size=100)]] * 10
"""Someone in the middle, and a passer-by, much larger, at the edge."""


@pytest.mark.parametrize(
    ("face", "at", "target"), [("largest", None, 1), ("central", None, 0), ("box", 402, 0), ("box", 740, 1)]
)
def test_a_passer_by_larger_than_the_target_at_the_edge(face, at, target):
    assert meet(PASSER_BY, given(face, at=at, size=80 if at == 740 else 40))[0].target() == target


def test_the_distance_from_the_middle_is_weighted_by_area():
    # Person 0 is 30 wide at 50 from the middle, then 40 at 20: (30^2 * 50 + 40^2 * 20) / (30^2 + 40^2) = 30.8.
    for other, target in ((33, 0), (29, 1)):
        still = box(400, y=200 + other)
        persons, found = meet([[box(350, size=30), still], [box(380), still]], given("central"))
        assert found == [[0, 1], [0, 1]]
        assert persons.target() == target


def test_who_is_seen_in_one_frame_of_many_is_not_the_central_one():
    frames = [[box(300)]] * 9 + [[box(300), box(400)]]
    assert meet(frames, given("central"))[0].target() == 0
    frames = [[box(300)]] * 2 + [[box(300), box(400)]] * 2
    assert meet(frames, given("central"))[0].target() == 1


def test_who_has_no_area_is_not_the_central_one():
    assert meet([[box(400, size=0.0)]] * 3, given("central"))[0].target() is None
    assert (
        meet([[box(400, size=0.0), box(100)]] + [[box(400, size=0.0)]] * 3, given("central"))[0].target() == 1
    )


def test_nobody_at_the_given_box_is_nobody_to_be_meant():
    persons, _ = meet([[box(100)]] * 3, given("box", at=600))
    assert persons.target() is None
    assert persons.stage(3) == "not_detected"


STAGES = {
    "nothing lost": ([[box(400)]] * 4, given(at=401), 0.0, None),
    "no face": ([[]] * 4, given(at=400), 0.0, "not_detected"),
    "the passer-by instead": (PASSER_BY, given(at=400), 0.0, "wrong_face"),
    "the passer-by, and no box to tell": (PASSER_BY, given(), 0.0, None),
    # Boxes of 40 that lie d apart overlap by (40 - d) / (40 + d), which is half at 13.33.
    "overlapping by just over half": ([[box(413.3)]] * 4, given(at=400), -13.3, None),
    "overlapping by just under half": ([[box(413.4)]] * 4, given(at=400), -13.4, "wrong_face"),
    "half of the frames": ([[box(400)]] * 2 + [[]] * 2, given(at=400), 0.0, None),
    "fewer than half": ([[box(400)]] * 2 + [[]] * 3, given(at=400), 0.0, "lost_track"),
    # The eyes of the template are .35 of 40 = 14 pixels apart, of which a tenth is 1.4.
    "points within a tenth": ([[box(400)]] * 4, given(at=400), 1.39, None),
    "points beyond a tenth": ([[box(400)]] * 4, given(at=400), 1.41, "alignment"),
    "points beyond a tenth, and none to tell": ([[box(400)]] * 4, given(), 1.41, None),
}


@pytest.mark.parametrize("case", STAGES)
def test_the_first_stage_that_lost_the_target_is_named(case):
    frames, known, off, stage = STAGES[case]
    assert meet(frames, known, off)[0].stage(len(frames)) == stage


def test_a_detector_without_points_is_held_against_no_alignment():
    persons, without = Persons(given(at=400)), np.full((1, 5, 2), np.nan)
    persons.meet(window([GREY]), [Faces(np.array([box(400)]), without, np.ones(1))])
    assert persons.stage(1) is None


def test_tracking_that_is_given_keeps_the_person_over_a_jump():
    # The tracker starts a new track at each jump; whoever is at the box is the one person.
    frames = [[box(100), box(400)], [box(600)], [box(399)], [box(700), box(401)]]
    found = meet(frames, given(oracle="track", at=400))
    assert [[n == 0 for n in numbers] for numbers in found[1]] == [
        [False, True],
        [False],
        [True],
        [False, True],
    ]
    assert found[0].target() == 0
    assert found[0].stage(4) is None
    assert meet([[box(100)]] * 4, given(oracle="track", at=400))[0].stage(4) == "not_detected"


def test_after_a_cut_the_place_is_anothers_until_the_camera_is_back():
    draw = np.random.default_rng(3)
    one, other = (torch.from_numpy(draw.integers(0, 256, (3, 8, 16), dtype=np.uint8)) for _ in range(2))
    one, other = (picture.repeat_interleave(50, 1).repeat_interleave(50, 2) for picture in (one, other))
    persons, shown = Persons(), [one] * 3 + [other] * 8 + [one] * 3
    assert shown[0].shape == (3, HEIGHT, WIDTH)
    found = persons.meet(window(shown), [faces([box(300)])] * len(shown))
    assert found == [[0]] * 3 + [[1]] * 8 + [[0]] * 3
    assert persons.target() == 1  # eight frames against six


def test_who_is_found_in_the_dark_is_who_was_there_before():
    # A box given by an oracle in black frames, and a fade that passes through black.
    draw = np.random.default_rng(3)
    light = torch.from_numpy(draw.integers(0, 256, (3, 8, 16), dtype=np.uint8))
    light = light.repeat_interleave(50, 1).repeat_interleave(50, 2)
    dark = torch.zeros_like(light)
    shown = [dark, light, dark, dark, light, dark]
    boxes = [[box(300)], [box(300)], [], [box(300)], [box(300)], [box(300)]]
    found = Persons().meet(window(shown), [faces(one) for one in boxes])
    assert found == [[0], [0], [], [0], [0], [0]]


def test_tracks_wait_in_the_dark():
    draw = np.random.default_rng(3)
    light = torch.from_numpy(draw.integers(0, 256, (3, HEIGHT, WIDTH), dtype=np.uint8))
    shown = (
        [light] * 2 + [torch.zeros_like(light)] * 10 + [light] * 2
    )  # two seconds, of which one would end a track
    found = Persons().meet(window(shown), [faces([box(300)] if one is light else []) for one in shown])
    assert found == [[0]] * 2 + [[]] * 10 + [[0]] * 2
