"""Paired differences: two sets of answers to the same targets, with a stated difference.

Coverage of the interval of one paired difference (a model against a baseline, a condition against clean), and
false alarms of differences of paired differences between groups (robustness x fairness), through
``bench.judge.paired`` and ``bench.judge.contrasts``. Refuses answers without a word in common: pairs of
independent answers need no pairing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.contrasts import contrast, pairs
from bench.judge.influence import influence
from bench.judge.metrics import METRICS
from bench.judge.paired import paired
from benchmarks import calibration_draws as draws
from benchmarks.calibration_coverage import Design, Share
from benchmarks.calibration_groups import Layout

__all__ = ["LOSS", "Answers", "Pairing", "answers", "confusion", "paired_alarms", "paired_coverage"]

Array = np.ndarray[Any, Any]
LOSS = 0.03
# How many rows the new model decides by the same luck as the old, and how many clusters by the same skill.
_SAME_ROWS, _SAME_SKILL = 0.6, 0.5
_ALPHA = 0.05


@dataclass(frozen=True)
class Answers:
    """Hits of the ``old`` and the ``new`` answers, ``rows``, rows that ``both`` got right: (..., K) each."""

    old: Array
    new: Array
    rows: Array
    both: Array


@dataclass(frozen=True)
class Pairing:
    """How many of the intervals of one paired difference hold it, of data sets that have one."""

    design: Design
    metric: str
    held: Share
    none: Share


def answers(rng: np.random.Generator, rows: Array, rate: float, icc: float | Array, loss: float) -> Answers:
    """Two answers to each of ``rows`` (..., K), the new ones worse by ``loss`` exactly.

    Most rows are decided by the same luck in both; the new skill with a cluster is the old one, scaled, in
    half of the clusters and drawn anew in the others.
    """
    shape = rows.shape[:-1]
    old, other = (draws.skills(rng, rate, icc, shape) for _ in range(2))
    new = np.where(rng.random(shape) < _SAME_SKILL, old, other) * (1 - loss / rate)
    old, new = old[..., None], new[..., None]
    alike = rng.binomial(rows, _SAME_ROWS)
    hits = rng.binomial(alike, old)
    # The same luck: of two skills the better one is right wherever the worse one is.
    kept = rng.binomial(hits, np.minimum(new / np.maximum(old, 1e-300), 1))
    gained = rng.binomial(alike - hits, np.clip((new - old) / np.maximum(1 - old, 1e-300), 0, 1))
    apart = rng.binomial(rows - alike, old)
    again = rng.binomial(apart, new)
    lucky = rng.binomial(rows - alike - apart, new)
    return Answers(hits + apart, kept + gained + again + lucky, rows, kept + again)


def confusion(hits: Array, rows: Array) -> Array:
    """Confusions (..., K, K + 1) in which what is not right is *none*."""
    classes = hits.shape[-1]
    found = np.zeros((*hits.shape, classes + 1), np.int64)
    place = np.arange(classes)
    found[..., place, place], found[..., classes] = hits, rows - hits
    return found


def paired_coverage(design: Design, metric: str, sets: int, count: int, seed: int) -> Pairing:
    """Simulate one cell; ``count`` draws an interval."""
    rng = draws.generator(seed, "paired", metric, design)
    mix = np.ones(1) if metric == "accuracy" else np.array(draws.MIX)
    rows = rng.multinomial(draws.sizes(rng, design.sizes, (sets, design.clusters)), mix)
    found = answers(rng, rows, design.rate, design.icc, LOSS)
    group, cluster = np.zeros(design.clusters, np.int64), np.arange(design.clusters)
    held = printed = 0
    for number, one in enumerate(_differences(metric, found, group, cluster)):
        interval = contrast(one, np.eye(1), 1 - _ALPHA, number, count)
        printed += bool(np.isfinite(interval.low[0]))
        held += bool(interval.low[0] <= -LOSS <= interval.high[0])
    return Pairing(design, metric, Share(held, printed), Share(sets - printed, sets))


def paired_alarms(layout: Layout, rate: float, sets: int, count: int, seed: int) -> Share:
    """How often some pair of groups seems to lose differently where all lose the same; of accuracy."""
    rng, shape = draws.generator(seed, "paired", rate, layout.rows.tobytes()), (sets, len(layout.group))
    rows = rng.integers(np.rint(layout.rows / 2), np.rint(layout.rows * 1.5) + 1, shape)
    found = answers(rng, np.maximum(1, rows)[..., None], rate, layout.icc, LOSS)
    weights, _ = pairs(np.ones(layout.groups, np.bool_))
    alarms = known = 0
    for number, one in enumerate(_differences("accuracy", found, layout.group, layout.cluster)):
        interval = contrast(one, weights, 1 - _ALPHA, number, count)
        known += bool(np.isfinite(interval.low).any())
        alarms += bool(((interval.low > 0) | (interval.high < 0)).any())
    return Share(alarms, known)


def _differences(metric: str, found: Answers, group: Array, cluster: Array) -> Iterator[Any]:
    """The influence of the paired difference of each data set."""
    values, times = int(group.max()) + 1, np.ones(len(group), np.int64)
    for old, new in zip(*(confusion(hits, found.rows) for hits in (found.old, found.new)), strict=True):
        both = [Tally(stats, group, times, values, cluster) for stats in (new, old)]
        yield paired(*(influence(METRICS[metric], one) for one in both))
