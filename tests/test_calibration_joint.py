"""The simulation of ranks: its models are as good as they are said to be, and it sees ranges too narrow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.judge.joint import Ranks
from bench.judge.metrics import METRICS
from benchmarks import calibration_draws as draws
from benchmarks import calibration_joint
from benchmarks.calibration_coverage import Design, Share
from benchmarks.calibration_joint import NEAR, Percentile, Ranked, Rivals, confirmed, percentile, ranked
from benchmarks.calibration_tables import misses, percentile_table, rank_table

EQUAL = Rivals("uar", 50, (0.0, 0.0, 0.0))


@pytest.mark.parametrize("rate", [0.7, 0.95])
def test_models_see_the_same_rows_and_differ_as_they_are_said_to(rate):
    one = Rivals("uar", 4_000, NEAR, rate)
    tally = calibration_joint._tally(draws.generator(1), one)
    counts = tally.stats.reshape(6, 4_000, 4, 5)
    assert (counts.sum(axis=-1) == counts[0].sum(axis=-1)).all()
    for metric in ("accuracy", "uar"):
        value = METRICS[metric].finish(tally.total)
        # 4,000 clusters of 15 rows and ICC .1: a difference is known to about .004 at most
        assert value[:1] - value == pytest.approx(np.array(NEAR), abs=0.02)
        assert (np.diff(value[[1, 3, 4, 5]]) < 0).all()


def test_models_of_valence_are_about_the_same_clusters():
    tally = calibration_joint._tally(draws.generator(1), Rivals("ccc_valence", 3_000, (0.0,) * 3))
    assert tally.cluster.tolist() == list(range(3_000)) * 3
    assert METRICS["ccc_valence"].finish(tally.total) == pytest.approx(0.7, abs=0.02)


def test_ranges_that_are_too_narrow_are_a_miss(monkeypatch):
    honest = ranked(EQUAL, 100, 3)
    assert honest.kept.value > 0.88
    assert honest.drawn == Share(100, 100)
    assert not honest.missed()
    assert confirmed(EQUAL, 100, 3) == honest

    def sure(metric, estimate, *_):
        order = 1 + (-estimate).argsort().argsort()
        return Ranks(order, order, order, (False,) * 3, (None,) * 3)

    monkeypatch.setattr(calibration_joint, "rank_drawn", sure)
    spoiled = ranked(EQUAL, 100, 3)
    assert spoiled.kept.count == 0
    assert spoiled.missed()
    assert spoiled.width == pytest.approx(1 / 3)
    assert not replace(spoiled, rivals=replace(EQUAL, clusters=10)).missed()  # insufficient, and said to be
    assert confirmed(EQUAL, 25, 3).kept == Share(0, 25)  # of fewer than 100 nothing is called a miss
    again = confirmed(EQUAL, 100, 3)
    assert again.anew
    assert again.kept == Share(0, 400)


def test_percentile_intervals_are_counted():
    design = Design(50, 0.7, 0.05, "equal")
    found = percentile("accuracy", design, 100, 4)
    assert found.held.of == 100
    assert found.held.value > 0.85
    few = percentile("accuracy", replace(design, clusters=49), 60, 4)
    assert few.held == Share(0, 0)  # the tool has none


def test_the_tables_mark_what_missed():
    bad = Ranked(EQUAL, Share(90, 200), Share(200, 200), 0.9, anew=True)
    good = Ranked(replace(EQUAL, losses=NEAR), Share(196, 200), Share(0, 200), 0.4)
    warned = Ranked(replace(EQUAL, clusters=6), Share(90, 200), Share(200, 200), 0.9)
    text = rank_table([bad, good, warned])
    assert "| `uar`, 0.7 | 50 | 3 | equal truth | **45.0** * | 100.0 | 90 |" in text
    assert "| `uar`, 0.7 | 50 | 6 | near ties | 98.0 | 0.0 | 40 |" in text
    assert "| `uar`, 0.7 | 6 | 3 | equal truth | 45.0 ! | 100.0 | 90 |" in text
    assert misses([bad, good, warned]) == {
        "ranks of `uar` 0.7, 50 clusters, 3 models, equal truth": "45.0 % of 200 data sets"
    }
    low = Percentile("uar", Design(50, 0.7, 0.05, "equal"), Share(50, 200))
    assert "| `uar` | 50 | equal | 0.7, 0.05 | **25.0** |" in percentile_table([low])
