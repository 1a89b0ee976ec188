"""Shots on planted pictures whose camera is known, and on a real clip with a cut."""

from __future__ import annotations

import av
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from bench.predict.shots import NO_SHOT, Shots, thumbnails

HEIGHT, WIDTH = 90, 160


def scene(seed, width=WIDTH):
    """A picture of soft areas, float64 [H, W], 0 to 255."""
    areas = gaussian_filter(np.random.default_rng(seed).normal(size=(HEIGHT, width)), 4)
    return (areas - areas.min()) / np.ptp(areas) * 255


def follow(pictures):
    """The shot of each picture, float [H, W]."""
    bytes_ = np.clip(np.stack(pictures), 0, 255).round().astype(np.uint8)
    shots = Shots()
    return [shots.follow(one) for one in thumbnails(torch.from_numpy(bytes_)[:, None].expand(-1, 3, -1, -1))]


def test_a_thumbnail_is_the_mean_over_cells_of_each_channel():
    frames = torch.randint(
        0, 256, (2, 3, 64, 96), generator=torch.Generator().manual_seed(1), dtype=torch.uint8
    )
    by_hand = frames.numpy().astype(float).mean(1).reshape(2, 32, 2, 32, 3).mean((2, 4))
    np.testing.assert_allclose(thumbnails(frames), by_hand, atol=1e-4)


def test_every_other_row_of_a_large_frame_is_looked_at():
    frames = torch.zeros((1, 3, 128, 64), dtype=torch.uint8)
    frames[:, :, ::2] = 200
    assert thumbnails(frames).min() == 200


@pytest.mark.parametrize("size", [(8, 8), (1, 1), (31, 200), (2160, 3840)])
def test_any_size_has_a_thumbnail(size):
    assert thumbnails(torch.full((1, 3, *size), 7, dtype=torch.uint8)).shape == (1, 32, 32)


def test_neither_light_nor_noise_nor_a_pan_is_a_cut():
    draw = np.random.default_rng(0)
    room = scene(1, width=400)
    light = [room[:, :WIDTH] * gain for gain in np.linspace(1, 0.2, 5)]
    noise = [room[:, :WIDTH] + draw.normal(0, 60, (HEIGHT, WIDTH)) for _ in range(5)]
    pan = [room[:, x : x + WIDTH] for x in range(0, 240, WIDTH // 8)]
    assert follow([*light, *noise, *pan]) == [0] * (10 + len(pan))


def test_a_cut_begins_a_shot_and_the_camera_comes_back():
    one, two, three = scene(1), scene(2), scene(3)
    assert follow([one, one, two, three, three, one, two, two]) == [0, 0, 1, 2, 2, 0, 1, 1]


def test_a_shot_comes_back_as_it_was_last_seen():
    # The room is panned over, away from what its first frame showed; the same again after a cut.
    room = scene(1, width=400)
    pan = [room[:, x : x + WIDTH] for x in range(0, 240, WIDTH // 8)]
    assert follow([*pan, scene(2), pan[-1]])[-2:] == [1, 0]
    assert follow([*pan, scene(2), pan[0]])[-2:] == [1, 2]


def test_what_shows_nothing_is_of_no_shot_and_no_cut():
    black, none = np.zeros((HEIGHT, WIDTH)), NO_SHOT
    shown = [black, black, scene(1), black, black + 255, scene(1), black, scene(2)]
    assert follow(shown) == [0, 0, 0, none, none, 0, none, 1]


def test_what_shows_something_at_its_edge_alone_is_like_nothing_else():
    # A station's logo on black: the middle is of one colour, which correlates with nothing.
    logo = np.zeros((HEIGHT, WIDTH))
    logo[2:8, 4:20] = 255
    one, two = scene(1), scene(2)
    assert follow([one, logo, one]) == [0, 1, 0]
    assert follow([one, logo, logo, two, one, logo]) == [0, 1, 1, 2, 0, 1]


def test_what_a_shot_of_long_ago_looked_like_is_forgotten():
    scenes = [scene(seed) for seed in range(70)]
    assert follow([*scenes, scenes[69], scenes[10], scenes[0]]) == [*range(70), 69, 10, 70]


def test_the_cut_of_a_real_clip_is_told(shared):
    with av.open(str(shared / "data/pyfeat/tests_data/face_noface.mov")) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    shots = Shots()
    told = [shots.follow(one) for one in thumbnails(torch.from_numpy(np.stack(frames)).movedim(-1, 1))]
    # 72 frames of a person, a black one, 96 of the room without.
    assert told == [0] * 72 + [NO_SHOT] + [1] * 96
