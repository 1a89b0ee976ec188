"""Gaps of simulated groups: false alarms are as rare as promised, and planted gaps are found."""

from __future__ import annotations

import numpy as np
import pytest

from bench.judge.gaps import gap
from tests.judge.tallies import ACCURACY, hit_tally


def beta_hits(rng, rate, icc, trials):
    """Hits of clusters whose rates are beta with the intra-class correlation."""
    share = 1 / icc - 1
    return rng.binomial(trials, rng.beta(rate * share, (1 - rate) * share, len(trials)))


def between(rng, rates):
    """Groups that differ in size, cluster size and intra-class correlation."""
    group = np.repeat([0, 1, 2], (12, 20, 40))
    trials = np.repeat([40, 10, 20], (12, 20, 40))
    iccs = (0.3, 0.05, 0.15)
    hits = [
        beta_hits(rng, rate, icc, trials[group == g])
        for g, (rate, icc) in enumerate(zip(rates, iccs, strict=True))
    ]
    return hit_tally(np.concatenate(hits), trials, group)


def within(rng, rates):
    """Twenty persons seen under three lights, with rows of unequal number."""
    skill = rng.normal(0, 0.1, 20)
    trials = np.stack([np.full(20, 8), np.full(20, 25), rng.integers(5, 40, 20)])
    hits = rng.binomial(trials, np.clip(np.array(rates)[:, None] + skill, 0.01, 0.99))
    return hit_tally(hits.ravel(), trials.ravel(), np.repeat([0, 1, 2], 20), np.tile(np.arange(20), 3))


def alarms(design, rates, trials):
    rng = np.random.default_rng(11)
    found = [gap(ACCURACY, design(rng, rates), np.ones(3, bool), seed, 199) for seed in range(trials)]
    assert all(each.reason is None for each in found)
    return np.mean([each.p <= 0.05 for each in found])


@pytest.mark.parametrize("design", [between, within])
def test_false_alarms_are_rare(design):
    assert 0.01 <= alarms(design, (0.7, 0.7, 0.7), 400) <= 0.09


@pytest.mark.parametrize("design", [between, within])
def test_a_planted_gap_is_found(design):
    assert alarms(design, (0.75, 0.75, 0.5), 60) > 0.8
