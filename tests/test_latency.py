"""Quantiles of latencies have intervals that hold: against scipy, by hand, and over planted noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from bench.errors import UserError
from bench.latency import (
    Calls,
    Hardware,
    Measured,
    Stretch,
    fewest,
    quantile,
    rank_interval,
    rate,
    ratio,
    read_latency,
    write_latency,
)

HARDWARE = Hardware(device="A", cpu="A", cores=2, threads=1, workers=2)


def measured(times: list[int | None], rounds: int = 2, **other: object) -> Measured:
    """Calls of so many nanoseconds in some rounds, None for one that failed, on targets of their own."""
    n = len(times)
    calls = Calls(
        target=tuple(f"t{i}" for i in range(n)), round=tuple(rounds * i // n for i in range(n)),
        failed=tuple(time is None for time in times), total=tuple(times), decode=tuple(times),
        front_end=(None,) * n, model=tuple(times),
    )  # fmt: skip
    about = {
        "model": "m", "dataset": "d", "key": "k", "hardware": HARDWARE, "environment": {"torch": "1"},
        "precision": "fp32", "warm_up": 1, "batch": 8, "throughput": (Stretch(round=0, targets=9, seconds=3.0),),
    }  # fmt: skip
    return Measured.model_validate({**about, "calls": calls, **other})


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("n", [6, 10, 60, 72, 100, 300, 301])
def test_ranks_are_those_of_scipy(n: int, share: float) -> None:
    ranks = rank_interval(n, share, 0.95)
    theirs = stats.quantile_test(np.arange(1.0, n + 1), q=0, p=share).confidence_interval(0.95)
    for mine, other in zip(ranks, theirs, strict=True):
        assert mine == other or (np.isnan(other) and mine in (0, n + 1))
    assert (ranks[0] >= 1 and ranks[1] <= n) == (n >= fewest(share, 0.95))


def test_a_quantile_is_an_order_statistic_and_so_are_its_ends() -> None:
    values = np.random.default_rng(1).lognormal(size=100)
    rounds = np.zeros(100, np.int64)
    for share in (0.5, 0.95):
        found = quantile((values, rounds, 100), share)
        assert found.estimate == np.quantile(values, share, method="inverted_cdf")
        theirs = stats.quantile_test(values, q=0, p=share).confidence_interval(0.95)
        assert (found.low, found.high) == (theirs.low, theirs.high)
        assert found.n_eff == 100


def test_calls_on_the_same_targets_count_once() -> None:
    """Ten targets that take the same time whenever they come know no more than ten calls."""
    once = np.arange(1.0, 11)
    again, rounds = np.tile(once, 5), np.repeat(np.arange(5), 10)
    alone, many = quantile((once, np.zeros(10, np.int64), 10), 0.5), quantile((again, rounds, 10), 0.5)
    assert (many.estimate, many.low, many.high) == (alone.estimate, alone.low, alone.high) == (5, 2, 9)
    assert many.n_eff == 10


def test_rounds_that_differ_count_for_less() -> None:
    """By hand: 10 and 30 of 40 lie below the median of 80; V = 2/1 (10^2 + 10^2)/80^2, DEFF = V/(1/4/80) = 20."""
    slow, quick = np.r_[np.full(10, 1.0), np.full(30, 9.0)], np.r_[np.full(30, 1.0), np.full(10, 9.0)]
    found = quantile((np.r_[slow, quick], np.repeat([0, 1], 40), 80), 0.5)
    t = stats.t.ppf(0.975, 1)
    assert found.n_eff == pytest.approx(80 / 20 * (stats.norm.ppf(0.975) / t) ** 2)
    assert np.isnan(found.low)
    assert np.isnan(found.high)
    assert found.spread == (1, 9)


def test_intervals_hold_where_rounds_move_together() -> None:
    """Planted: times vary by 30 %, rounds by 10 %. As if calls were independent 65 % of intervals hold."""
    rng, held, naive = np.random.default_rng(2), 0, 0
    rounds, times = np.repeat(np.arange(5), 60), 400
    for _ in range(times):
        values = np.exp(0.3 * rng.standard_normal(300) + 0.1 * rng.standard_normal(5)[rounds])
        found = quantile((values, rounds, 300), 0.5)
        held += not (found.low > 1 or found.high < 1)
        low, high = np.sort(values)[np.array(rank_interval(300, 0.5, 0.95)) - 1]
        naive += low <= 1 <= high
    assert held / times > 0.93
    assert naive / times < 0.75


@pytest.mark.parametrize("shape", [(5, 60), (10, 30)])
def test_tails_hold_where_slow_calls_come_in_bursts(shape: tuple[int, int]) -> None:
    """Planted: in some rounds no call is slow, in some 2 %, in some 10 %, three times as slow."""
    rng, (many, each) = np.random.default_rng(4), shape

    def draw(rounds: int, calls: int) -> np.ndarray:
        slow = rng.random((rounds, calls)) < rng.choice([0, 0.02, 0.1], (rounds, 1))
        return (np.exp(0.1 * rng.standard_normal((rounds, calls))) * np.where(slow, 3, 1)).ravel()

    truth, held, times = float(np.quantile(draw(4000, 250), 0.95)), 0, 400
    for _ in range(times):
        found = quantile((draw(many, each), np.repeat(np.arange(many), each), many * each), 0.95)
        held += not (found.low > truth or found.high < truth)
    assert held / times > 0.9


def test_tails_hold_without_an_assumption_on_how_times_are_distributed() -> None:
    rng, held, times = np.random.default_rng(3), 0, 400
    truth = float(np.exp(ndtri(0.95)))
    for _ in range(times):
        found = quantile((rng.lognormal(size=300), np.repeat(np.arange(5), 60), 300), 0.95)
        held += not (found.low > truth or found.high < truth)  # an end that is not there excludes nothing
    assert held / times > 0.94


def test_a_rate_is_the_geometric_mean_with_the_t_of_its_stretches() -> None:
    stretches = tuple(Stretch(round=i, targets=100, seconds=s) for i, s in enumerate((1.0, 2.0, 4.0)))
    found, logs = rate(stretches), np.log([100, 50, 25])
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))
    assert (found.estimate, found.low, found.high) == pytest.approx((50, np.exp(low), np.exp(high)))
    assert (found.n, found.spread) == (3, (25, 100))
    assert np.isnan(rate(stretches[:1]).low)
    assert np.isnan(rate(()).estimate)


def test_a_ratio_reaches_from_the_best_to_the_worst_case() -> None:
    rounds = np.zeros(10, np.int64)
    new, old = (quantile((np.arange(1.0, 11) * k, rounds, 10), 0.5, 0.95) for k in (3, 1))
    found = ratio(new, old)
    assert (found.estimate, found.low, found.high) == (3, 3 * 2 / 9, 3 * 9 / 2)
    assert found.level == pytest.approx(0.9)


def test_what_failed_has_no_time_and_is_counted() -> None:
    one = measured([1_000_000, None, 3_000_000, 2_000_000])
    values, rounds, targets = one.times()
    assert (values.tolist(), rounds.tolist(), targets) == ([1, 3, 2], [0, 1, 1], 3)
    assert (one.failed, one.targets, one.rounds) == (0.25, 3, 2)
    nothing = quantile(one.times("front_end"), 0.5)
    assert (nothing.n, np.isnan(nothing.estimate)) == (0, True)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path, held = tmp_path / "latency.json", (measured([5, 6]), measured([7, None], model="n"))
    assert read_latency(path) == ()
    write_latency(path, held)
    assert read_latency(path) == held
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize(
    "change",
    [
        ('{"measured"', "[" * 100_000 + '"measured"'),
        ("[5,", "[-5,"),
        ("[5,", "["),
        ('"measured"', '"other"'),
        ("]}\n", ""),
        ("false", "true"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "latency.json"
    write_latency(path, (measured([5, 6]),))
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(UserError, match="the file is damaged"):
        read_latency(path)
