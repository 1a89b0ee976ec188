"""Cautions: said where the data are such, and not where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge.atoms import Tally
from bench.judge.cautions import cautioned, differing
from bench.judge.metrics import METRICS
from tests.judge.made import moment_sums
from tests.judge.tallies import ACCURACY, hit_tally

BOTH = np.ones(2, bool)


def said(metric, tally, included=BOTH):
    return differing(metric, tally, included)


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


@pytest.mark.parametrize(
    ("clusters", "rows", "unequal"),
    [
        ((30, 61), (10, 21), True),
        ((61, 30), (10, 21), True),
        ((30, 60), (10, 21), False),
        ((30, 61), (10, 20), False),
    ],
)
def test_values_unlike_in_clusters_and_in_rows_of_one_are_said(clusters, rows, unequal):
    size = np.repeat(rows, clusters)
    tally = hit_tally(size // 2, size, np.repeat([0, 1], clusters))
    assert any("factor of two in clusters" in text for text in said(ACCURACY, tally)) == unequal
    # What is not compared is not unequal.
    assert not any("factor of two" in text for text in said(ACCURACY, tally, np.array([True, False])))


@pytest.mark.parametrize("name", ["rmse_valence", "mae_valence", "ccc_valence"])
@pytest.mark.parametrize("shared", [True, False])
def test_errors_of_different_clusters_are_said(name, shared):
    stats_ = np.array([moment_sums(np.zeros(10), np.full(10, e)) for e in np.linspace(0.1, 0.3, 60)])
    cluster = np.tile(np.arange(30), 2) if shared else np.arange(60)
    tally = Tally(stats_, np.repeat([0, 1], 30), np.ones(60, int), 2, cluster)
    found = said(METRICS[name], tally)
    assert any("how unlike their clusters are" in text for text in found) == (
        not shared and name != "ccc_valence"
    )


def test_clusters_without_a_measured_row_are_not_counted():
    rows = np.concatenate([np.full(30, 20), np.full(31, 8), np.zeros(30, int)])
    tally = hit_tally(rows // 2, rows, np.repeat([0, 1], [30, 61]))
    assert said(ACCURACY, tally) == ()
    assert len(said(ACCURACY, hit_tally(rows // 2, np.maximum(rows, 1), np.repeat([0, 1], [30, 61])))) == 1


@pytest.mark.parametrize(("clusters", "chosen"), [(24, True), (25, True), (23, False)])
def test_values_left_out_for_other_things_than_clusters_are_said(clusters, chosen):
    size = np.full(2 * 24 + clusters, 20)
    tally = hit_tally(size // 2, size, np.repeat([0, 1, 2], [24, 24, clusters]))
    found = said(ACCURACY, tally, np.array([True, True, False]))
    assert [text.split(" are left out")[0] for text in found] == (
        ["values with as many clusters as compared ones"] if chosen else []
    )
    assert said(ACCURACY, tally, np.ones(3, bool)) == ()


def test_what_has_no_test_gets_no_caution():
    row = {"p": np.nan, "warning": "no test: why"}
    assert cautioned(row, ("careful",)) == row
    assert cautioned({"p": 0.2, "warning": None}, ("careful", "more"))["warning"] == "careful; more"
    assert cautioned({"p": 0.2, "warning": "first"}, ("careful",))["warning"] == "first; careful"
    assert cautioned({"p": 0.2, "warning": None}, ())["warning"] is None
