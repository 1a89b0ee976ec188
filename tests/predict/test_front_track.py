"""Tracking on planted boxes whose persons are known."""

from __future__ import annotations

import numpy as np

from bench.predict.track import Tracker

RATE = 5.0


def box(x, y=50.0, size=40.0):
    return [x - size / 2, y - size / 2, size, size]


def follow(frames, rate=RATE, shots=None):
    """The tracks of each frame's boxes; ``shots``: that of each frame, one for all if not given."""
    tracker, shots = Tracker(), shots or [0] * len(frames)
    return [
        tracker.update(place / rate, np.array(boxes, dtype=np.float64).reshape(-1, 4), shot)
        for place, (boxes, shot) in enumerate(zip(frames, shots, strict=True))
    ]


def test_one_face_that_moves_is_one_track():
    found = follow([[box(50 + 30 * t)] for t in range(20)])
    assert found == [[0]] * 20


def test_two_people_who_cross_keep_their_tracks():
    # They meet in the middle at frame 5, where one hides the other; their order in the list changes too.
    frames = []
    for t in range(11):
        one, other = box(100 + 20 * t), box(300 - 20 * t, y=60)
        frames.append([one] if t == 5 else [one, other] if t % 2 else [other, one])
    found = follow(frames)
    other_first = [[0, 1], [1, 0]]
    assert found == [other_first[t % 2] if t != 5 else [1] for t in range(11)]


def test_a_missed_detection_does_not_end_a_track():
    frames = [[box(100 + 10 * t)] if t not in (4, 5, 6) else [] for t in range(12)]
    found = follow(frames)
    assert [numbers for numbers in found if numbers] == [[0]] * 9


def test_a_second_unseen_ends_a_track():
    found = follow([[box(100)]] * 3 + [[]] * 6 + [[box(100)]] * 3)
    assert found[:3] == [[0]] * 3
    assert found[-3:] == [[1]] * 3


def test_frames_far_apart_still_make_a_track():
    found = follow([[box(100)], [box(110)], [], [box(105)]], rate=0.1)
    assert found == [[0], [0], [], [0]]


def test_a_jump_starts_a_new_track():
    found = follow([[box(100)]] * 4 + [[box(400)]] * 4)
    assert found == [[0]] * 4 + [[1]] * 4


def test_in_another_shot_the_same_place_is_somebody_else():
    found = follow([[box(100)]] * 8, shots=[0] * 4 + [1] * 4)
    assert found == [[0]] * 4 + [[1]] * 4


def test_tracks_wait_while_the_camera_is_elsewhere():
    # Three seconds in which nobody, and then somebody, is where the first two were.
    frames = [[box(100), box(300)]] * 4 + [[]] * 5 + [[box(100)]] * 10 + [[box(300), box(104)]] * 2
    found = follow(frames, shots=[7] * 4 + [8] * 15 + [7] * 2)
    assert found == [[0, 1]] * 4 + [[]] * 5 + [[2]] * 10 + [[1, 0]] * 2


def test_what_had_ended_before_the_camera_left_has_ended():
    # Unseen for a second within the shot; and unseen for .6 before, .6 after the other shot: 1.2 in all.
    ended = [[box(100)]] * 2 + [[]] * 6 + [[box(100)]] * 3 + [[box(100)]]
    assert follow(ended, shots=[0] * 8 + [1] * 3 + [0])[-1] == [2]
    both = [[box(100)]] * 2 + [[]] * 3 + [[box(100)]] * 3 + [[]] * 3 + [[box(100)]]
    assert follow(both, shots=[0] * 5 + [1] * 3 + [0] * 4)[-1] == [2]
    soon = [[box(100)]] * 2 + [[]] * 2 + [[box(100)]] * 9 + [[]] + [[box(100)]]
    assert follow(soon, shots=[0] * 4 + [1] * 9 + [0] * 2)[-1] == [0]


def test_who_walked_goes_on_walking_when_the_camera_is_back():
    # 20 pixels a frame; as if no time had passed between the last frame before and the first after.
    frames = [[box(100 + 20 * t)] for t in range(5)] + [[]] * 10 + [[box(180 + 20 * t)] for t in range(5)]
    found = follow(frames, shots=[0] * 5 + [1] * 10 + [0] * 5)
    assert [numbers for numbers in found if numbers] == [[0]] * 10


def test_another_size_in_the_same_place_is_another_face():
    found = follow([[box(100, size=20)]] * 3 + [[box(100, size=150)]] * 3)
    assert found == [[0]] * 3 + [[1]] * 3


def test_equal_timestamps_do_no_harm():
    tracker = Tracker()
    assert [tracker.update(0.0, np.array([box(100 + t)])) for t in range(3)] == [[0], [0], [0]]


def test_the_same_boxes_give_the_same_tracks_numbered_in_order():
    places = np.random.default_rng(5).uniform([50, 50, 20], [450, 450, 60], (30, 4, 3))
    frames = [[box(*place) for place in frame] for frame in places]
    found, again = follow(frames), follow(frames)
    assert found == again
    firsts = list(dict.fromkeys(number for numbers in found for number in numbers))
    assert firsts == list(range(len(firsts)))
