"""Verdicts on numbers: against scipy, against the judge itself at another level, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.judge.atoms import Tally
from bench.judge.gates import (
    Intervals,
    above,
    below,
    clusters_to_settle,
    differences,
    one_sided,
    worst,
)
from bench.judge.infer import infer
from bench.judge.metrics import METRICS
from benchmarks import calibration_draws as draws
from benchmarks import calibration_gates
from benchmarks.calibration_gates import GAP

NAN = math.nan


@pytest.mark.parametrize(
    ("low", "high", "at_least", "at_most"),
    [
        (0.6, 0.7, "pass", "inconclusive"),
        (0.5, 0.6, "inconclusive", "pass"),
        (0.5, 0.59, "fail", "pass"),
        (0.61, 0.7, "pass", "fail"),
        (NAN, NAN, "inconclusive", "inconclusive"),
    ],
)
def test_bounds_are_held_against_the_whole_interval(
    low: float, high: float, at_least: str, at_most: str
) -> None:
    assert (above(low, high, 0.6), below(low, high, 0.6)) == (at_least, at_most)


def test_fail_outranks_inconclusive_which_outranks_pass() -> None:
    assert worst(["pass", "pass"]) == "pass"
    assert worst(["pass", "inconclusive"]) == "inconclusive"
    assert worst(["inconclusive", "fail", "pass"]) == "fail"


def columns(**given: float) -> Intervals:
    every = {"estimate": NAN, "low": NAN, "high": NAN, "df": NAN, "n_eff": NAN} | given
    return Intervals(**{name: np.array([value]) for name, value in every.items()}, level=0.95)


def test_limits_of_a_proportion_are_those_of_clopper_and_pearson_on_effective_rows() -> None:
    """70 of 100 effective rows, 19 degrees of freedom: scipy's exact test on rows shrunk by (z / t)^2."""
    n = 100 * (stats.norm.ppf(0.95) / stats.t.ppf(0.95, 19)) ** 2
    hits = 0.7 * n
    low, high = one_sided("proportion", columns(estimate=0.7, df=19, n_eff=100), 0.95)
    assert low[0] == pytest.approx(stats.beta.ppf(0.05, hits, n - hits + 1), abs=1e-12)
    assert high[0] == pytest.approx(stats.beta.ppf(0.95, hits + 1, n - hits), abs=1e-12)


def test_certain_proportions_have_the_exact_limit_of_their_clusters() -> None:
    """All of 20 clusters right: the lower limit is .05^(1/20), the upper 1."""
    low, high = one_sided("proportion", columns(estimate=1, df=19, n_eff=20), 0.95)
    assert (low[0], high[0]) == (pytest.approx(0.05 ** (1 / 20), abs=1e-12), 1)


@pytest.mark.parametrize("name", ["uar", "macro_f1", "mcc"])
def test_limits_of_other_metrics_are_the_interval_that_the_judge_gives_at_twice_the_tail(name: str) -> None:
    """A two-sided interval at .90 has the one-sided limits at .95."""
    rng, metric = np.random.default_rng(5), METRICS[name]
    matrices = rng.multinomial(9, rng.dirichlet(np.ones(12), 25)).reshape(25, 3, 4)
    matrices[:, range(3), range(3)] += 3
    tally = draws.flat(matrices[None])
    printed, wider = infer(metric, tally, 0.95), infer(metric, tally, 0.90)
    found = Intervals(printed.estimate, printed.low, printed.high, printed.df, printed.n_eff, 0.95)
    low, high = one_sided(metric.kind, found, 0.95)
    np.testing.assert_allclose([low, high], [wider.low, wider.high], atol=1e-12)


def test_limits_of_differences_by_hand() -> None:
    """MOVER: .8 (.7, .85) minus .6 (.55, .75) is .2, from .2 - sqrt(.1^2 + .15^2) to .2 + sqrt(.05^2 + .05^2)."""
    low, high = differences(np.array([0.8, 0.6]), np.array([0.7, 0.55]), np.array([0.85, 0.75]))
    assert low[0] == pytest.approx(0.2 - math.hypot(0.1, 0.15), abs=1e-15)
    assert high[0] == pytest.approx(0.2 + math.hypot(0.05, 0.05), abs=1e-15)


def test_the_simulated_gate_of_gaps_is_the_one_that_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calibration's own formula and the built one pass the very same simulated data sets."""
    seen: list[tuple[np.ndarray, ...]] = []
    limits = calibration_gates._limits

    def spied(successes: np.ndarray, trials: np.ndarray, tally: Tally) -> tuple[np.ndarray, ...]:
        seen.append(limits(successes, trials, tally))
        return seen[-1]

    monkeypatch.setattr(calibration_gates, "_limits", spied)
    passed = calibration_gates.gap_gate("equal", 4, 0.9, 400, 3).passed
    theta, low, high = (part.reshape(400, 4) for part in seen[0])
    down, up = differences(theta, low, high)
    built = ((up < GAP) & (down > -GAP)).all(axis=1)
    assert 0 < built.sum() == passed.count < 400


def test_people_that_would_settle_a_verdict() -> None:
    assert clusters_to_settle(0.70, 0.58, 0.64, 20) == 80
    assert clusters_to_settle(0.60, 0.72, 0.64, 20) == 180
    assert clusters_to_settle(0.64, 0.58, 0.64, 20) is None
    assert clusters_to_settle(0.64, NAN, 0.5, 20) is None
    assert clusters_to_settle(0.6400001, 0.58, 0.64, 20) is None
