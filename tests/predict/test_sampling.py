"""Which frames of a medium are sampled, against a search over all of them."""

from __future__ import annotations

import numpy as np
import pytest

from bench.predict.clip import Sampling
from bench.predict.film import sample


def test_sampling_takes_the_earlier_of_two_equally_near() -> None:
    # 25 frames a second at 10 Hz: 0.1 s lies midway between frames 2 and 3, whatever floats make of it
    assert sample(np.arange(26) / 25, Sampling(rate=10)).tolist() == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25]


@pytest.mark.parametrize("rate", [0.5, 1.0, 7.3, 25.0, 60.0])
def test_sampling_by_rate_against_a_search(rate: float) -> None:
    times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.2, 80))
    times -= times[0]
    wanted = np.arange(0, times[-1] + 1e-6, 1 / rate)
    expected = sorted({int(np.abs(times - moment).argmin()) for moment in wanted})
    assert sample(times, Sampling(rate=rate)).tolist() == expected


def test_sampling_is_the_frame_nearest_to_each_multiple() -> None:
    draw = np.random.default_rng(0)
    for _ in range(300):
        times = np.concatenate([[0.0], np.cumsum(draw.uniform(0.001, 0.3, draw.integers(0, 40)))])
        rate = float(draw.choice([1, 3, 5, 7.5, 25, 60]))
        wanted = np.arange(int(times[-1] * rate + 1e-6) + 1) / rate
        nearest = {int(abs(times - time).argmin()) for time in wanted}
        assert sample(times, Sampling(rate=rate)).tolist() == sorted(nearest)


def test_work_is_bounded_by_frames_not_by_the_duration_a_file_claims() -> None:
    # 3e9 s at 5 frames a second would be 112 GiB of sampling points, one by one.
    assert sample(np.array([0.0, 0.04, 3e9]), Sampling(rate=5)).tolist() == [0, 1, 2]
