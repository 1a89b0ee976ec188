"""The front-end as a whole: a planted detector, then YuNet on real clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.errors import MachineError
from bench.predict.align import TEMPLATE
from bench.predict.clip import Clip, Sampling
from bench.predict.decode import decode
from bench.predict.front import FaceFinder, Faces, Front
from bench.predict.pipeline import Build
from bench.predict.zoo import Zoo, parse_choice
from tests.predict.faces import crops_of


class Planted:
    """Says the faces it was given, in the order of calls, and notes how many frames came at once."""

    version = 1

    def __init__(self, faces):
        self.faces, self.calls = list(faces), []

    def __call__(self, frames):
        self.calls.append(tuple(frames.shape))
        return [self.faces.pop(0) for _ in range(len(frames))]


def faces_at(*places, size=40.0):
    boxes = np.array([[x, y, size, size] for x, y in places], dtype=np.float64).reshape(-1, 4)
    points = TEMPLATE * size + boxes[:, None, :2]
    return Faces(boxes, points, np.linspace(0.95, 0.9, len(boxes)))


def clip_of(count, height=200, width=300, first=0):
    index = np.arange(first, first + count)
    # One scene, with noise of every frame's own, or each frame would be a shot of its own.
    scene = np.random.default_rng(height).integers(0, 206, (3, height, width))
    noise = np.random.default_rng(first + height).integers(0, 50, (count, 3, height, width))
    frames = (scene + noise).astype(np.uint8)
    return Clip("c", torch.from_numpy(frames), index * 6, index / 5)


def test_one_clip_per_person_with_its_own_frames():
    planted = Planted(
        [faces_at((10, 20), (200, 20)), faces_at((10, 20)), faces_at(), faces_at((202, 20), (12, 20))]
    )
    finder = FaceFinder(Front(size=40, margin=0.0), planted)
    state, clip = finder.start(), clip_of(4)
    (persons,) = crops_of(finder, [(state, clip)])
    assert [(p.track, p.index.tolist(), p.times.tolist()) for p in persons] == [
        (0, [0, 6, 18], [0.0, 0.2, 0.6]),
        (1, [0, 18], [0.0, 0.6]),
    ]
    assert torch.equal(persons[0].frames[1], clip.frames[1, :, 20:60, 10:50])
    assert torch.equal(persons[1].frames[1], clip.frames[3, :, 20:60, 202:242])
    assert state.target() == 0


def test_tracks_go_on_in_the_next_window():
    planted = Planted([faces_at((10, 20)), faces_at((12, 20)), faces_at((200, 90), (14, 20))])
    finder = FaceFinder(Front(size=32), planted)
    state = finder.start()
    crops_of(finder, [(state, clip_of(2))])
    (persons,) = crops_of(finder, [(state, clip_of(1, first=2))])
    assert [(person.track, person.index.tolist()) for person in persons] == [(0, [12]), (1, [12])]


class Small(Planted):
    """Has memory for so many frames at once."""

    def __init__(self, faces, room):
        super().__init__(faces)
        self.room = room

    def __call__(self, frames):
        assert torch.is_inference_mode_enabled()
        if len(frames) > self.room:
            raise torch.OutOfMemoryError("too much")
        return super().__call__(frames)


def test_a_detector_out_of_memory_gets_fewer_frames():
    planted = [faces_at((10 * i, 20)) for i in range(5)]
    small = Small(planted, room=2)
    (found,) = FaceFinder(Front(), small).detect([clip_of(5)])
    assert [shape[0] for shape in small.calls] == [2, 1, 2]
    assert [face.boxes[0, 0] for face in found] == [0, 10, 20, 30, 40]


def test_one_frame_too_large_for_memory_ends_the_run():
    with pytest.raises(
        MachineError, match=r"yunet: out of memory on one frame of 300x200 pixels \(too much\)"
    ):
        FaceFinder(Front(), Small([], room=0)).detect([clip_of(3)])


def test_another_error_of_a_detector_is_not_tried_again():
    def broken(frames):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        FaceFinder(Front(), broken).detect([clip_of(3)])


def test_windows_of_equal_size_are_detected_together():
    # Three windows, two frame sizes: the first and the third go to the detector in one call.
    planted = Planted([faces_at((10, 20))] * 3 + [faces_at()] + [faces_at((50, 60))] * 2)
    finder = FaceFinder(Front(size=32), planted)
    windows = [(finder.start(), clip) for clip in (clip_of(2), clip_of(2, 100, 100), clip_of(2))]
    found = crops_of(finder, windows)
    assert planted.calls == [(4, 3, 200, 300), (2, 3, 100, 100)]
    assert [[len(person) for person in persons] for persons in found] == [[2], [2], [1]]
    assert all(state.target() == 0 for state, _ in windows)


def test_without_faces_no_clip_and_no_target():
    finder = FaceFinder(Front(), Planted([faces_at()] * 3))
    state = finder.start()
    assert crops_of(finder, [(state, clip_of(3))]) == [[]]
    assert state.target() is None


def test_everything_that_changes_crops_is_described():
    assert Front("other", 64, 0.5).describe() == {
        "version": 2,
        "detector": "other",
        "size": 64,
        "margin": 0.5,
    }


@pytest.fixture(scope="module")
def finder(weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFFECTBENCH_WEIGHTS", str(weights))
        model = Zoo().load(parse_choice("mini-xception"), Build(torch.device("cpu"), torch.float32))
    return model.finder


def find(finder, medium: Path, window=8):
    """Crops of each track over the whole medium at five frames a second, times looked at, and the target."""
    state, persons, times = finder.start(), {}, []
    for clip in decode(medium, "c", Sampling(rate=5), torch.device("cpu"), window=window):
        times += clip.times.tolist()
        for person in crops_of(finder, [(state, clip)])[0]:
            persons.setdefault(person.track, []).append(person)
    return persons, times, state.target()


def seen(persons, track):
    return [time for person in persons[track] for time in person.times]


SIGNERS = [
    f"intel_samples/{name}.mkv" for name in ("again", "bird", "book", "eat", "hungry", "learn", "sister")
]


@pytest.mark.parametrize(
    "name", ["opendbm_av/subj01_timepoint01.mp4", "opendbm_av/subj02_timepoint01.mp4", *SIGNERS]
)
def test_one_person_is_one_track_over_nearly_all_frames(name, finder, shared):
    persons, times, target = find(finder, shared / "data" / name)
    assert list(persons) == [0]
    assert target == 0
    assert len(seen(persons, 0)) >= 0.95 * len(times)
    crops = torch.cat([person.frames for person in persons[0]])
    # What was aligned is upright and in place: the detector finds the points again, on the template.
    wide = torch.nn.functional.interpolate(crops[::3].float(), size=128, mode="bilinear").round()
    frames = torch.nn.functional.pad(wide, (64, 64, 64, 64)).to(torch.uint8)
    again = [faces.points[0] for faces in finder.detector(frames) if len(faces)]
    assert len(again) >= 0.8 * len(frames)
    assert np.abs((np.mean(again, 0) - 64) / 128 - TEMPLATE).max() < 0.06


def test_several_people_are_several_tracks(finder, shared):
    persons, _, target = find(finder, shared / "data/pyfeat/tests_data/multi_face.jpg")
    assert sorted(persons) == [0, 1, 2, 3, 4]
    assert target in persons


def test_a_face_that_goes_is_seen_in_the_first_part_only(finder, shared):
    persons, times, target = find(finder, shared / "data/pyfeat/tests_data/face_noface.mov")
    assert list(persons) == [0]
    assert target == 0
    assert seen(persons, 0) == times[: len(seen(persons, 0))]
    # The pyfeat notes: a face in 7 of 16 frames sampled evenly.
    assert 6 / 16 <= len(seen(persons, 0)) / len(times) <= 8 / 16


def test_no_face_is_no_track(finder, shared):
    persons, times, target = find(finder, shared / "data/pyfeat/tests_data/no_face.mp4")
    assert (persons, target) == ({}, None)
    assert len(times) > 10


def test_a_person_survives_a_cutaway_to_somebody_else(finder, shared):
    def windows(name):
        return list(decode(shared / "data" / name, "c", Sampling(rate=5), torch.device("cpu"), window=4))

    one, other = windows("opendbm_av/subj01_timepoint01.mp4"), windows("pyfeat/tests_data/single_face.mp4")
    film = [*one[:2], *other[:3], *one[2:4]]  # the cutaway is longer than the second a track lives unseen
    state, tracks = finder.start(), []
    for place, clip in enumerate(film):
        window = replace(clip, times=(4 * place + np.arange(len(clip))) / 5)
        tracks += [sorted({person.track for person in crops_of(finder, [(state, window)])[0]})]
    assert tracks == [[0]] * 2 + [[1]] * 3 + [[0]] * 2
    assert state.target() == 0


def test_window_size_does_not_change_the_crops(finder, shared):
    medium = shared / "data/intel_samples/bird.mkv"
    one, other = find(finder, medium, window=3)[0], find(finder, medium, window=32)[0]
    assert list(one) == list(other)
    for track, persons in one.items():
        together = torch.cat([person.frames for person in other[track]])
        assert torch.equal(torch.cat([person.frames for person in persons]), together)
