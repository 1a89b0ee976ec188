"""Tallies of a few clusters for tests of differences, and the raw rows that they sum."""

from __future__ import annotations

import math

import numpy as np

from bench.judge import gaps
from bench.judge.atoms import Tally
from bench.judge.metrics import METRICS
from tests.judge.made import moment_sums

ACCURACY, UAR, CCC, RMSE = (METRICS[name] for name in ("accuracy", "uar", "ccc_valence", "rmse_valence"))


def hit_tally(hits, trials, group, cluster=None):
    """Proportions: a 1 x 2 confusion an entry, hit or miss."""
    hits, trials, group = (np.asarray(part) for part in (hits, trials, group))
    confusion = np.stack([hits, trials - hits], axis=-1)[:, None, :]
    clusters = np.arange(len(hits)) if cluster is None else np.asarray(cluster)
    return Tally(confusion, group, np.ones(len(hits), int), int(group.max()) + 1, clusters)


def label_rows(rng, clusters, rows=12, labels=3):
    """(truth, prediction) of each cluster; persons differ in how often they are read right."""
    skill = rng.uniform(0.3, 0.9, clusters)
    found = []
    for each in skill:
        truth = np.arange(rows + rng.integers(0, 6)) % labels
        guess = np.where(rng.random(len(truth)) < each, truth, rng.integers(0, labels + 1, len(truth)))
        found.append((truth, guess))
    return found


def confusion_tally(rows, group, cluster=None, labels=3):
    found = np.zeros((len(rows), labels, labels + 1), int)
    for entry, (truth, guess) in enumerate(rows):
        np.add.at(found[entry], (truth, guess), 1)
    clusters = np.arange(len(rows)) if cluster is None else np.asarray(cluster)
    return Tally(found, np.asarray(group), np.ones(len(rows), int), int(max(group)) + 1, clusters)


def affect_rows(rng, clusters):
    found = []
    for rows in rng.integers(5, 12, clusters):
        x = rng.normal(size=rows)
        found.append((x, rng.uniform(0.3, 1.2) * x + rng.normal(0, 0.6, rows)))
    return found


def moment_tally(rows, group):
    moments = [moment_sums(x, y) for x, y in rows]
    clusters = np.arange(len(rows))
    return Tally(np.array(moments), np.asarray(group), np.ones(len(rows), int), int(max(group)) + 1, clusters)


def shared_rows(seed=3, persons=9):
    """Nine persons, seven of whom are seen under both lights."""
    rows = label_rows(np.random.default_rng(seed), 2 * persons - 2)
    cluster = np.r_[np.arange(persons), np.arange(persons - 2)]
    return rows, np.repeat([0, 1], [persons, persons - 2]), cluster


def alone(counts):
    """Rows that are their own clusters: counts (V, K, K + 1) of each outcome, collapsed."""
    value, *cell = np.nonzero(counts)
    size = counts[0].size
    kinds = np.eye(size, dtype=int)[np.ravel_multi_index(cell, counts.shape[1:])]
    return Tally(kinds.reshape(-1, *counts.shape[1:]), value, counts[(value, *cell)], len(counts))


def observed(metric, tally):
    with np.errstate(divide="ignore", invalid="ignore"):
        return gaps._permute(metric, tally, np.random.default_rng(0), 0).observed


def monte_carlo_error(p, draws):
    return 4 * math.sqrt(p * (1 - p) / draws) + 2 / draws
