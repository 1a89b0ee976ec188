"""Gaps: what the draws may not depend on, and what cannot be tested and why."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bench.judge import deals, gaps
from bench.judge.atoms import Tally
from bench.judge.deals import Pool
from bench.judge.gaps import gap
from bench.judge.metrics import METRICS
from tests.judge.tallies import (
    ACCURACY,
    CCC,
    UAR,
    affect_rows,
    alone,
    confusion_tally,
    hit_tally,
    label_rows,
    moment_tally,
    monte_carlo_error,
    observed,
    shared_rows,
)


def test_kinds_a_group_lacks_take_nothing_from_it(monkeypatch):
    # The first group never predicts its two rows of class 1: less a row of kind (1, 1) its F1 would be 0 / 0.
    counts = np.array([[[90, 0, 3], [2, 0, 0]], [[80, 5, 3], [4, 30, 2]]])
    tally, macro_f1 = alone(counts), METRICS["macro_f1"]
    monkeypatch.setattr(Pool, "single", False)
    counted = observed(macro_f1, tally)
    monkeypatch.setattr(Pool, "single", True)
    assert math.isfinite(counted)
    assert counted == pytest.approx(observed(macro_f1, tally), rel=1e-9)


@pytest.mark.parametrize("metric", [ACCURACY, UAR], ids=["accuracy", "uar"])
def test_counted_deals_are_those_of_rows_dealt_one_by_one(metric, monkeypatch):
    counts = np.random.default_rng(2).integers(5, 30, (3, 2, 3)) + 30 * np.eye(2, 3, dtype=int)
    tally = alone(counts)
    monkeypatch.setattr(Pool, "single", False)
    counted = gap(metric, tally, np.ones(3, bool), 0)
    monkeypatch.setattr(Pool, "single", True)
    one_by_one = gap(metric, tally, np.ones(3, bool), 1)
    assert counted.clusters == one_by_one.clusters == counts.sum()
    assert counted.estimate == one_by_one.estimate
    assert 0.02 < counted.p < 0.98
    assert counted.p == pytest.approx(one_by_one.p, abs=math.sqrt(2) * monte_carlo_error(counted.p, 9_999))
    # The spread of a gap is below its mean; 3 % is four errors of a difference of two means of 9,999 draws.
    assert counted.null_mean == pytest.approx(one_by_one.null_mean, rel=0.03)
    assert counted.null_p95 == pytest.approx(one_by_one.null_p95, rel=0.05)
    assert counted.null_mean != one_by_one.null_mean


def examples():
    rng = np.random.default_rng(8)
    rows, lights, cluster = shared_rows(persons=80)
    group = rng.permutation(np.repeat([0, 1, 2], (5, 9, 12)))
    yield ACCURACY, confusion_tally(label_rows(rng, 26), group)
    yield UAR, confusion_tally(label_rows(rng, 26), group)
    yield CCC, moment_tally(affect_rows(rng, 26), group)
    yield UAR, alone(rng.integers(20, 60, (3, 2, 3)))
    yield UAR, confusion_tally(rows, lights, cluster)


@pytest.mark.parametrize(("metric", "tally"), list(examples()))
def test_same_bytes_on_rerun_and_for_every_block(metric, tally, monkeypatch):
    included = np.ones(tally.values, bool)
    first = gap(metric, tally, included, 7, 499)
    assert first == gap(metric, tally, included, 7, 499)
    assert first != gap(metric, tally, included, 8, 499)
    for block in (1, 20_011, 1 << 24):
        monkeypatch.setattr(deals, "BLOCK", block)
        monkeypatch.setattr(gaps, "BLOCK", block)
        assert gap(metric, tally, included, 7, 499) == first


@pytest.mark.parametrize(("metric", "tally"), list(examples()))
def test_neither_order_of_entries_nor_names_of_values_matter(metric, tally):
    included = np.ones(tally.values, bool)
    first = gap(metric, tally, included, 7, 499)
    order = np.random.default_rng(1).permutation(len(tally.value))
    cluster = None if tally.cluster is None else tally.cluster[order]
    stats_, value, times = tally.stats[order], tally.value[order], tally.multiplicity[order]
    shuffled = Tally(stats_, value, times, tally.values, cluster)
    renamed = Tally(stats_, tally.values - 1 - value, times, tally.values, cluster)
    for other in (shuffled, renamed):
        found = gap(metric, other, included, 7, 499)
        assert found.p == first.p
        assert found.null_mean == pytest.approx(first.null_mean, rel=1e-10)
        assert found.estimate == pytest.approx(first.estimate, rel=1e-10)


def test_clusters_of_other_values_leave():
    metric, tally = next(examples())
    pair = tally.where(tally.value != 1)
    alone_ = gap(metric, replace(pair, value=pair.value // 2, values=2), np.ones(2, bool), 7, 499)
    assert gap(metric, tally, np.array([True, False, True]), 7, 499) == alone_
    assert alone_.clusters == 17


def test_perfect_groups_do_not_differ():
    found = gap(ACCURACY, hit_tally([5] * 12, [5] * 12, np.repeat([0, 1], 6)), np.ones(2, bool), 0, 199)
    assert (found.estimate, found.null_mean, found.null_p95, found.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("metric", [ACCURACY, UAR], ids=["accuracy", "uar"])
def test_rounding_is_no_variance(metric):
    for trials in (7, 10, 49):
        hits = [trials - 1] * 6 + [2] * 7
        assert observed(metric, hit_tally(hits, [trials] * 13, np.repeat([0, 1], (6, 7)))) == np.inf


def test_what_cannot_be_tested_says_why():
    rows = label_rows(np.random.default_rng(4), 12)
    tally = confusion_tally(rows, np.repeat([0, 1, 2], (1, 5, 6)))
    one = gap(UAR, tally, np.array([False, True, False]), 0)
    assert math.isnan(one.estimate)
    assert one.reason == "no gap: fewer than two values to compare"
    few = gap(UAR, tally, np.array([True, True, False]), 0)
    assert few.estimate > 0
    assert math.isnan(few.p)
    assert few.reason == "no test: a value rests on fewer than two clusters"
    tally.stats[tally.value == 0] = 0
    empty = gap(UAR, tally, np.array([True, True, False]), 0)
    assert math.isnan(empty.estimate)
    assert empty.reason == "no gap: a value is undefined, no rows"
    assert {one.method, few.method, empty.method} == {None}


@pytest.mark.parametrize("shared", [False, True])
def test_a_class_that_can_be_lost_leaves_no_test(shared):
    rows = label_rows(np.random.default_rng(4), 12)
    cluster = np.tile(np.arange(6), 2) if shared else np.arange(12)
    tally = confusion_tally(rows, np.repeat([0, 1], 6), cluster)
    tally.stats[:5, 2] = 0
    found = gap(UAR, tally, np.ones(2, bool), 0, 199)
    assert found.estimate > 0
    assert math.isnan(found.p)
    assert found.reason == (
        "no test: a value is undefined, loses a class or lies on the bound of its range, as it is or without some "
        "cluster"
    )


def test_a_class_held_by_few_clusters_is_lost_in_too_many_draws():
    # Two clusters of each group hold the third class: a draw often leaves one group with none or one.
    rows = label_rows(np.random.default_rng(4), 12)
    tally = confusion_tally(rows, np.repeat([0, 1], 6))
    tally.stats[[0, 1, 2, 3, 6, 7, 8, 9], 2] = 0
    found = gap(UAR, tally, np.ones(2, bool), 0)
    # Defined only where each group is dealt two of the four: C(4, 2) C(8, 4) / C(12, 6) = 5 / 11.
    share = float(found.reason.removeprefix("no test: ").split("%")[0]) / 100
    assert share == pytest.approx(6 / 11, abs=0.02)
    assert math.isnan(found.p)
    assert math.isnan(found.null_mean)


def test_few_undefined_draws_are_not_counted():
    drawn = np.r_[np.full(40, 2.0), np.zeros(950), np.full(10, np.nan)]
    nothing = gaps.Gap(0.1, np.nan, np.nan, np.nan, 9, None, None)
    found = gaps._compare(nothing, gaps._Null("m", 2.0 + 1e-15, drawn, drawn))
    assert found.p == 41 / 991
    assert found.null_mean == pytest.approx(80 / 990, abs=1e-15)
    more = gaps._compare(nothing, gaps._Null("m", 2.0, drawn[1:], drawn[1:]))
    assert more.reason == "no test: 1.0% of the draws leave a value undefined"
    assert math.isnan(more.p)
