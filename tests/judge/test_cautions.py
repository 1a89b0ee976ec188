"""Cautions: said where the data are such, and not where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.judge.atoms import Tally
from bench.judge.cautions import cautioned, differing
from bench.judge.influence import influence
from bench.judge.metrics import METRICS
from tests.judge.made import moment_sums
from tests.judge.tallies import ACCURACY, hit_tally

BOTH = np.ones(2, bool)


def said(metric, tally, included=BOTH):
    return differing(metric, tally, influence(metric, tally), included)


def hits(errors, rows):
    """Two groups of so many persons as there are numbers of errors, each person with so many rows."""
    wrong = np.concatenate(errors)
    group = np.repeat([0, 1], [len(part) for part in errors])
    return hit_tally(rows - wrong, np.full(len(wrong), rows), group)


def test_like_groups_need_no_caution():
    assert said(ACCURACY, hits([[1, 2, 3, 2] * 5, [2, 3, 1, 3] * 5], 8)) == ()


@pytest.mark.parametrize(("errors", "few"), [(9, True), (10, False)])
def test_fewer_than_ten_expected_errors_are_said(errors, few):
    # At equal rates each of the two groups of 20 persons expects half of all errors: 9.5, or 10.
    one, other = (np.arange(20) < count for count in (errors, 10))
    found = said(ACCURACY, hits([one.astype(int), other.astype(int)], 10))
    assert any("fewer than 10 errors" in text for text in found) == few


@pytest.mark.parametrize("flip", [False, True])
def test_few_errors_and_few_right_answers_are_alike(flip):
    errors = np.array([0, 1, 0] * 7)
    tally = hits([errors, errors], 15)
    if flip:
        tally = hit_tally(np.tile(errors, 2), np.full(42, 15), np.repeat([0, 1], 21))
    assert any("fewer than 10 errors or right answers" in text for text in said(ACCURACY, tally))


@pytest.mark.parametrize(("apart", "unequal"), [(1.9, False), (2.1, True)])
def test_standard_errors_that_differ_by_more_than_two_are_said(apart, unequal):
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.1, 40)
    rows = [np.array([0.0]) for _ in range(80)]
    shift = np.concatenate([noise, apart * noise])
    stats_ = np.array([moment_sums(x, x + d) for x, d in zip(rows, shift, strict=True)])
    tally = Tally(stats_, np.repeat([0, 1], 40), np.ones(80, int), 2, np.arange(80))
    found = said(METRICS["bias_valence"], tally)
    assert any("factor of two" in text for text in found) == unequal
    # What is not compared says nothing.
    assert said(METRICS["bias_valence"], tally, np.array([True, False])) == ()


@pytest.mark.parametrize(("far", "few"), [(1.0, False), (4.0, True)])
def test_few_clusters_that_make_most_of_an_error_are_said(far, few):
    rng = np.random.default_rng(2)
    errors = rng.uniform(0.2, 0.3, 60)
    errors[:2] *= far
    stats_ = np.array([moment_sums(np.zeros(10), np.full(10, e)) for e in errors])
    tally = Tally(stats_, np.repeat([0, 1], 30), np.ones(60, int), 2, np.arange(60))
    metric = METRICS["rmse_valence"]
    found = said(metric, tally)
    assert any("few clusters make most" in text for text in found) == few
    excess = stats.kurtosis(influence(metric, tally).pull[:30, 0], bias=False)
    assert (1 / (1 + 29 / 60 * max(excess, 0)) < 0.4) == few


def test_what_has_no_test_gets_no_caution():
    row = {"p": np.nan, "warning": "no test: why"}
    assert cautioned(row, ("careful",)) == row
    assert cautioned({"p": 0.2, "warning": None}, ("careful", "more"))["warning"] == "careful; more"
    assert cautioned({"p": 0.2, "warning": "first"}, ("careful",))["warning"] == "first; careful"
    assert cautioned({"p": 0.2, "warning": None}, ())["warning"] is None
