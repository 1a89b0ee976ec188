"""Scales: their slopes, their ends, and that studentised means of unlike clusters are not skewed on them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.judge import scales
from bench.judge.metrics import METRICS

KINDS = ("rate", "correlation", "agreement", "plain", "root", "signed")
VALUES = np.array([0.05, 0.3, 0.62, 0.9])


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_are_those_of_the_scale(kind):
    step = 1e-6
    numeric = (scales.scale(kind, VALUES + step) - scales.scale(kind, VALUES - step)) / (2 * step)
    assert scales.slope(kind, VALUES) == pytest.approx(numeric, rel=1e-6)
    assert (numeric > 0).all()


def test_no_scale_on_the_bound_of_a_range():
    for kind, bound in (
        ("correlation", 1.0),
        ("agreement", 1.0),
        ("agreement", -1.0),
        ("plain", 0.0),
        ("root", 0.0),
    ):
        assert np.isnan(scales.scale(kind, np.array([bound])))[0]
    assert scales.scale("correlation", np.array([-1.0]))[0] == 0.5


@pytest.mark.parametrize(
    ("kind", "forward"),
    [
        ("rate", lambda v: np.log(v / (1 - v))),
        ("correlation", lambda v: 1 / (1 - v)),
        ("agreement", np.arctanh),
        ("signed", np.asarray),
    ],
)
def test_ends_lie_so_many_errors_off_on_the_scale(kind, forward):
    se, step = 0.1 * (1 - VALUES) * VALUES, 1e-6
    low, high = scales.ends(kind, VALUES, se, np.array(2.0))
    off = 2 * se * (forward(VALUES + step) - forward(VALUES - step)) / (2 * step)
    assert forward(VALUES) - forward(low) == pytest.approx(off, rel=1e-6)
    assert forward(high) - forward(VALUES) == pytest.approx(off, rel=1e-6)


@pytest.mark.parametrize(("kind", "power"), [("plain", 1), ("root", 2)])
def test_ends_of_errors_are_those_of_one_over_them(kind, power):
    for half, near in ((1e-3, 1e-8), (1e-2, 1e-5)):
        low, high = scales.ends(kind, VALUES, half * VALUES, np.array(1.0))
        exact = [VALUES * (1 + sign * power * half) ** (-1 / power) for sign in (1, -1)]
        assert low == pytest.approx(exact[0], rel=1e-12)
        assert high == pytest.approx(exact[1], rel=near)  # to second order: what is left is of the third
    # From there on the exponent is linear, and the interval finite however unsure the value.
    ends = [
        np.log(scales.ends(kind, VALUES, half * VALUES, np.array(1.0))[1] / VALUES)
        for half in (0.5, 1, 2, 900)
    ]
    assert ends[0] == pytest.approx(np.full(4, 0.5 + power / 8))
    assert ends[2] - ends[1] == pytest.approx(np.full(4, 1 + power / 2))
    assert ends[3] == pytest.approx(np.full(4, 300.0))


def test_ends_of_proportions_are_wilson_s():
    hits, rows = 17, 60
    p = np.array([hits / rows])
    interval = stats.binomtest(hits, rows).proportion_ci(0.95, "wilson")
    low, high = scales.ends("proportion", p, np.sqrt(p * (1 - p) / rows), stats.norm.ppf([0.975]))
    assert (low[0], high[0]) == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_a_correlation_never_falls_below_its_range():
    low, high = scales.ends("correlation", np.array([0.1]), np.array([0.5]), np.array([9.0]))
    assert low[0] == -1.0
    assert high[0] < 1.0


@pytest.mark.parametrize(("kind", "value"), [("root", np.sqrt), ("correlation", lambda mean: 1 - mean)])
def test_studentised_means_of_unlike_clusters_are_as_t_has_them(kind, value):
    """Squared errors of 24 clusters that differ like exponential numbers, jackknifed: 5 % lie beyond t on 23."""
    squares = np.random.default_rng(4).exponential(0.1, (20_000, 24))
    total = squares.sum(axis=1, keepdims=True)

    def beyond(forward):
        without = forward(value((total - squares) / 23))
        error = np.sqrt(23 / 24 * ((without - without.mean(axis=1, keepdims=True)) ** 2).sum(axis=1))
        off = forward(value(total[:, 0] / 24)) - forward(value(np.array(0.1)))
        return np.mean(abs(off / error) > stats.t.ppf(0.975, 23))

    assert 0.04 < beyond(lambda v: scales.scale(kind, v)) < 0.052
    assert beyond(lambda v: v) > 0.056


def test_every_metric_has_a_scale():
    assert {metric.kind for metric in METRICS.values()} <= {"proportion", *KINDS}
    assert METRICS["rmse_valence"].kind == "root"
    assert METRICS["ccc_valence"].kind == "correlation"
