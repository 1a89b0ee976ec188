"""Contrasts of many groups, of very many clusters and of values that never differ: what would be seen."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge import contrasts as module
from bench.judge.atoms import Tally
from bench.judge.contrasts import against_rest, contrast, pairs
from bench.judge.influence import influence
from bench.judge.spread import sdd80
from tests.judge.test_contrasts import ACCURACY, accuracy_tally, means
from tests.judge.test_influence import random_tally


@pytest.mark.parametrize("groups", [2, 6, 20])
def test_the_smallest_difference_that_would_be_seen_is_seen_by_four_studies_in_five(groups):
    # Groups of 30 persons; the planted difference is what a study with the true se prints on average.
    rng, size, trials = np.random.default_rng(15), 30, 200
    se = np.sqrt(2 / size)
    weights = pairs(np.ones(groups, bool))[0]

    def study(seed, planted):
        found = np.full((groups * size, groups), np.nan)
        for g in range(groups):
            found[g * size : (g + 1) * size, g] = rng.normal(planted * (g == 0), 1, size)
        return contrast(means(found, None), weights, 0.95, seed, draws=499)

    printed = []
    for seed in range(10):
        result = study(seed, 0.0)
        printed.append(sdd80(result.se, result.df, result.critical)[0] / result.se[0])
    planted = np.mean(printed) * se
    power = np.mean([study(seed, planted).low[0] > 0 for seed in range(trials)])
    assert power == pytest.approx(0.8, abs=0.09)


def crowd(rng, sizes, shared=0):
    """Groups of very many rows alone; ``shared`` clusters lie in the last two."""
    table = np.full((sum(sizes), len(sizes)), np.nan)
    start = np.cumsum([0, *sizes])
    for g in range(len(sizes)):
        table[start[g] : start[g + 1], g] = rng.exponential(1 + g % 2, sizes[g])
    table[start[-1] - shared :, -2] = table[start[-1] - shared :, -1] + rng.normal(0, 0.3, shared)
    return means(table, np.arange(len(table)))


def test_normal_numbers_are_the_same_for_any_block_size(monkeypatch):
    found = crowd(np.random.default_rng(18), [25, 1600, 1800])
    weights = pairs(np.ones(3, bool))[0]
    whole = contrast(found, weights, 0.95, 1, draws=700)
    for elements in (1, 4_321):
        monkeypatch.setattr(module, "_ELEMENTS", elements)
        again = contrast(found, weights, 0.95, 1, draws=700)
        assert again.critical.tobytes() == whole.critical.tobytes()
        assert again.p_adjusted.tobytes() == whole.p_adjusted.tobytes()


def test_the_rest_holds_no_row_of_a_value_that_is_not_among_them():
    tally = random_tally(16, "accuracy", clusters=18, values=3, shared=True)
    found, weights = against_rest(ACCURACY, tally, np.array([True, True, False]))
    pair = influence(ACCURACY, tally)
    assert weights[0] @ found.estimate == pytest.approx(pair.estimate[0] - pair.estimate[1], rel=1e-12)
    assert found.variance(weights[[0]]) == pytest.approx(pair.variance(np.array([[1.0, -1, 0]])), rel=1e-9)


def test_the_rest_of_collapsed_rows_keeps_their_multiplicity():
    stats_ = np.array([[[1, 0]], [[0, 1]]] * 3)
    tally = Tally(stats_, np.repeat([0, 1, 2], 2), np.array([30, 20, 10, 15, 40, 9]), 3)
    found, weights = against_rest(ACCURACY, tally, np.ones(3, bool))
    assert found.cluster is None
    p, q = 30 / 50, 50 / 74
    assert weights[0] @ found.estimate == pytest.approx(p - q)
    expected = p * (1 - p) / 49 + q * (1 - q) / 73
    assert found.variance(weights[[0]])[0] == pytest.approx(expected, rel=1e-12)
    result = contrast(found, weights, 0.95, seed=1, draws=999)
    assert result.reason == (None, None, None)


def test_values_that_are_alike_in_every_person_have_a_difference_of_0_without_an_interval():
    """Eight persons answer alike by day and by night, and worse in the rain."""
    dry, rain, persons = [5, 3, 4, 6, 2, 5, 6, 4], [2, 3, 1, 4, 2, 3, 5, 1], np.arange(8)
    tally = accuracy_tally([*dry, *dry, *rain], [6] * 24, np.repeat([0, 1, 2], 8), 3, np.tile(persons, 3))
    weights, both = pairs(np.ones(3, bool))
    assert both == [(0, 1), (0, 2), (1, 2)]
    found = contrast(influence(ACCURACY, tally), weights, 0.95, seed=1, draws=999)
    same = "no interval: the difference is the same without any one cluster"
    assert found.reason == (same, None, None)
    assert (found.estimate[0], found.se[0]) == (0, 0)
    for name in ("df", "low", "high", "p", "p_adjusted", "critical"):
        assert np.isnan(getattr(found, name)[0])
    # The other two are one and the same pairing, person by person.
    apart = (np.array(dry) - rain) / 6
    assert found.estimate[1:] == pytest.approx([apart.mean()] * 2, abs=1e-15)
    assert found.se[1:] == pytest.approx([apart.std(ddof=1) / np.sqrt(8)] * 2, rel=1e-12)
    assert found.df[1:].tolist() == [found.df[1]] * 2
    assert 1 < found.df[1] <= 7
