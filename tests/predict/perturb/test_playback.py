"""Which frame is shown when, against arithmetic done again and films whose frames say which they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from bench.predict.clip import Sampling
from bench.predict.decode import windows
from bench.predict.film import Film
from bench.predict.perturb import FILM_PERTURBATIONS
from bench.predict.perturb.stream import Stream

EVERY = Sampling()
LENGTH = 27  # frames whose grey levels all differ


def of(times: np.ndarray, target: str = "x") -> Film:
    return Film(target, times, np.arange(len(times)), iter(()))


def applied(name: str, times: np.ndarray, amount: float, seed: int = 0) -> Film:
    perturbation = FILM_PERTURBATIONS[name]
    return perturbation.apply(of(times), amount, Stream.of(seed, "x", name, perturbation.version))


def even(frames: int = 300, rate: float = 30.0) -> np.ndarray:
    return np.arange(frames) / rate


def seen(
    path: Path, name: str, severity: int, sampling: Sampling = EVERY
) -> tuple[list[int], list[int], np.ndarray]:
    """The frames that are seen, by their grey level, the places they are seen at, and when."""
    alter = partial(FILM_PERTURBATIONS[name], severity=severity, seed=0)
    parts = list(windows(path, "x", sampling, 5, alter))
    levels = np.concatenate([pixels.float().mean((1, 2, 3)).numpy() for pixels, _, _ in parts])
    index, times = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    return np.rint((levels - 20) / 8).astype(int).tolist(), index.tolist(), times


@pytest.mark.parametrize(
    "name", ["dropped_frames", "frame_rate", "frozen", "jitter", "reversed", "shuffled", "speed"]
)
@pytest.mark.parametrize("severity", range(1, 6))
def test_what_is_planned_is_seen(film: Callable[..., Path], name: str, severity: int) -> None:
    path = film("a.mp4", frames=LENGTH)
    frames, index, times = seen(path, name, severity)
    planned = FILM_PERTURBATIONS[name](of(even(LENGTH)), severity, 0)
    assert frames == planned.source.tolist()
    assert index == list(range(LENGTH))
    assert np.abs(times - planned.times).max() < 1e-9
    count = Sampling(count=5)
    some, index, _ = seen(path, name, severity, count)
    assert index == [0, 6, 13, 20, 26]  # 6.5 and 19.5 go to the even number
    assert some == planned.source[index].tolist()


def test_a_lower_frame_rate_shows_the_last_frame_kept() -> None:
    assert applied("frame_rate", even(12), 1000 / 10).source.tolist() == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9]
    assert applied("frame_rate", even(8), 1000 / 15).source.tolist() == [0, 0, 2, 2, 4, 4, 6, 6]
    # 25 frames a second at 15: 0, .04 | .08, .12 | .16 | .2, .24 | .28, .32 | .36
    assert applied("frame_rate", even(10, 25), 1000 / 15).source.tolist() == [0, 0, 2, 2, 4, 5, 5, 7, 7, 9]
    assert applied("frame_rate", even(9, 12.5), 1000 / 15).source.tolist() == list(range(9))
    uneven = np.array([0, 0.05, 0.19, 0.21, 0.39, 0.4, 1.7])
    assert applied("frame_rate", uneven, 200).source.tolist() == [0, 0, 0, 3, 3, 5, 6]


def test_frames_are_dropped_by_chance() -> None:
    for share in (0.05, 0.4, 0.7):
        source = applied("dropped_frames", even(20_000), share).source
        kept = source == np.arange(20_000)
        assert stats.binomtest(int((~kept[1:]).sum()), 19_999, share).pvalue > 1e-3
        last = 0
        for place, (is_kept, shown) in enumerate(zip(kept, source, strict=True)):
            last = place if is_kept else last
            assert shown == last
        # Whether one is dropped says nothing of the next.
        pairs = np.histogram2d(kept[1:-1], kept[2:], bins=2)[0]
        assert stats.chi2_contingency(pairs).pvalue > 1e-3
    some, more = (applied("dropped_frames", even(500), share).source for share in (0.1, 0.4))
    assert set(more) < set(some)


def test_one_freeze_in_every_four_seconds() -> None:
    for seed in range(5):
        source = applied("frozen", even(480), 0.25, seed).source
        shown, times = np.unique(source, return_counts=True)
        held = shown[times > 1]
        assert len(held) == 4
        assert [int(frame // 120) for frame in held] == [0, 1, 2, 3]
        assert (np.abs(times[times > 1] - 30) <= 1).all()  # a second, whatever frames it begins between
        assert (np.diff(source) >= 0).all()
    short = applied("frozen", even(30), 0.5).source
    assert 13 <= np.unique(short, return_counts=True)[1].max() <= 17
    assert len({tuple(applied("frozen", even(480), 0.25, seed).source) for seed in range(5)}) == 5


def test_times_are_moved_by_normal_numbers_and_stay_in_order() -> None:
    apart = np.arange(5000.0)  # too far apart to change places
    film = applied("jitter", apart, 50)
    moved = film.times - apart
    assert film.source.tolist() == list(range(5000))
    assert film.times[0] == 0
    assert abs(moved.std() / 0.05 - 1) < 0.03
    assert stats.kstest((moved - moved.mean()) / moved.std(), "norm").pvalue > 1e-3
    close = applied("jitter", even(300), 200)
    assert (np.diff(close.times) >= 0).all()
    assert np.abs(np.diff(close.times) - 1 / 30).max() > 0.02


def test_speed_divides_times() -> None:
    film = applied("speed", even(90), 1.5)
    assert np.allclose(film.times, np.arange(90) / 45)
    assert film.source.tolist() == list(range(90))


def test_stretches_are_played_backwards() -> None:
    assert applied("reversed", even(8), 1.0).source.tolist() == [7, 6, 5, 4, 3, 2, 1, 0]
    assert applied("reversed", even(8), 0.25).source.tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    assert applied("reversed", even(3), 1 / 16).source.tolist() == [0, 1, 2]  # stretches of one frame


@pytest.mark.parametrize("count", [2, 4, 8, 16, 32])
def test_no_stretch_stays_in_its_place(count: int) -> None:
    for seed in range(20):
        source = applied("shuffled", even(320), count, seed).source
        assert sorted(source) == list(range(320))
        blocks = source.reshape(count, -1)
        assert (np.diff(blocks, axis=1) == 1).all()  # each stretch is whole
        assert (blocks[:, 0] != np.arange(320).reshape(count, -1)[:, 0]).all()


@pytest.mark.parametrize("severity", range(1, 6))
def test_more_stretches_move_frames_less_far_and_tear_more_of_them_apart(severity: int) -> None:
    """Where one of n stretches goes is each of the n - 1 other places by the same chance: (n + 1) / 3 away.

    Of the (n - 1)! cycles, (n - 2) (n - 3)! send a stretch and the next one to places that follow one another,
    so that of n - 1 neighbours one is left in the mean; two stretches have but one cycle.
    """
    films = [FILM_PERTURBATIONS["shuffled"](of(even(320)), severity, seed) for seed in range(100)]
    count = 2**severity
    moved = [np.abs(film.source - np.arange(320)).mean() / 320 for film in films]
    torn = [(np.diff(film.source) != 1).sum() for film in films]
    for found, expected in ((moved, (count + 1) / (3 * count)), (torn, max(1, count - 2))):
        assert abs(np.mean(found) - expected) <= 4 * np.std(found) / 10 + 1e-12


@pytest.mark.parametrize("samples", [16, 32, 64, 160])
def test_what_severity_5_leaves_together_of_the_sampled_frames(samples: int) -> None:
    """Of 320 frames in 32 stretches of 10: of 64 samples each stretch has 2, of 160 it has 5."""
    step = 320 // samples
    within = 32 * (samples // 32 - 1) if samples > 32 else 0
    by_chance = []
    for seed in range(100):
        shown = FILM_PERTURBATIONS["shuffled"](of(even(320)), 5, seed).source[::step]
        assert (shown != np.arange(320)[::step]).all()
        by_chance.append((np.diff(shown) == step).sum() - within)
    assert min(by_chance) >= 0
    assert np.mean(by_chance) < 1.5  # of 31 at the most


def test_all_cycles_are_equally_likely() -> None:
    """Four stretches have six cycles (Sattolo); the count of each over many seeds is as by chance."""
    orders = [tuple(applied("shuffled", even(4), 4, seed).source) for seed in range(600)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 1e-3


def test_few_frames_are_shuffled_one_by_one() -> None:
    assert sorted(applied("shuffled", even(5), 32).source) == [0, 1, 2, 3, 4]
    assert applied("shuffled", even(1), 32).source.tolist() == [0]
    assert applied("shuffled", even(2), 32).source.tolist() == [1, 0]


def test_a_frame_that_does_not_decode_is_shown_as_the_next_or_last() -> None:
    from bench.predict.film import shown

    pictures = iter([(0, "a"), (2, "c"), (3, "d")])
    film = Film("x", even(6), np.array([0, 1, 1, 4, 3, 2]), pictures)  # type: ignore[arg-type]
    assert list(shown(film, np.arange(6))) == [(0, "a"), (1, "c"), (2, "c"), (5, "c"), (4, "d"), (3, "d")]


@pytest.mark.parametrize(
    "name", ["dropped_frames", "frame_rate", "frozen", "jitter", "reversed", "shuffled", "speed"]
)
def test_harm_grows_with_severity(name: str) -> None:
    """How far each moment's picture is from the one it was; of stretches, how often one ends."""
    times, perturbation = even(600), FILM_PERTURBATIONS[name]

    def harm(severity: int, seed: int) -> float:
        film = perturbation(of(times), severity, seed)
        ends = (np.diff(film.source) != 1).sum()
        return float(ends if name == "shuffled" else np.abs(times[film.source] - film.times).mean())

    harms = [np.mean([harm(severity, seed) for seed in range(10)]) for severity in range(6)]
    assert harms[0] == 0
    assert all(less < more for less, more in pairwise(harms)), harms
