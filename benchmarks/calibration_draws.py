"""Clustered data with known truth, many data sets at once, as the statistics that ``bench.judge`` reads.

A cluster has a skill drawn from a beta distribution, so that whether two of its rows are right correlates by
the stated intra-class correlation (ICC) exactly; valence is normal with an effect of the cluster, and
clusters differ in how far they err. Nothing here is estimated: every truth is a formula of what is stated.
Refuses data sets whose cluster sizes depend on skill: with those a rate over rows is another estimand.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.metrics import METRICS

__all__ = [
    "BIAS", "MIX", "ROWS", "affect", "affect_truth", "confusions", "expected", "flat", "generator", "hits",
    "label_truth", "occasions", "sizes", "skills",
]  # fmt: skip

Array = np.ndarray[Any, Any]

ROWS = 15
"""Rows of a cluster where all are equal, and about their mean where they are not."""
MIX = (0.4, 0.3, 0.2, 0.1)
"""Shares of the four classes among rows."""
BIAS, _SPREAD = 0.05, 0.4
_EASE = np.array((0.5, 0.2, -0.2, -0.5))
"""How much better than the mean a class is recalled, in units of what is left to 0 or 1; the mean is 0."""
_SURE = 1e-6


def generator(seed: int, *words: object) -> np.random.Generator:
    """A generator of its own for every named part, so that no part changes another."""
    return np.random.Generator(
        np.random.Philox(np.random.SeedSequence([seed, zlib.crc32(repr(words).encode())]))
    )


def sizes(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Array:
    """Rows of each cluster: 15 each (equal), or 5 to 40, geometric with mean 14.7 (unequal)."""
    if kind == "equal":
        return np.full(shape, ROWS)
    return 4 + np.minimum(rng.geometric(0.09, shape), 36)


def skills(
    rng: np.random.Generator, rate: float | Array, icc: float | Array, shape: tuple[int, ...]
) -> Array:
    """The probability of each cluster to be right: beta with mean ``rate`` and variance icc rate (1 - rate).

    ICC of the rows of one cluster: cov / var = icc exactly; 0 is no beta, all clusters are alike.
    """
    rate, icc = np.broadcast_to(rate, shape), np.broadcast_to(icc, shape)
    share = 1 / np.where(icc > 0, icc, 0.5) - 1
    return np.asarray(np.where(icc > 0, rng.beta(rate * share, (1 - rate) * share), rate))


def occasions(rng: np.random.Generator, skill: Array, icc: float | Array) -> Array:
    """The probability to be right on each occasion of a cluster: beta around its skill."""
    return skills(rng, np.clip(skill, _SURE, 1 - _SURE), icc, skill.shape)


def hits(rng: np.random.Generator, rows: Array, skill: Array) -> Array:
    """Confusions of one class, (..., 1, 2): right, or no decision."""
    right = rng.binomial(rows, skill)
    return np.stack([right, rows - right], axis=-1)[..., None, :]


def confusions(rng: np.random.Generator, rows: Array, skill: Array, rate: float, mix: Array) -> Array:
    """Confusions (..., 4, 5) of clusters that differ in skill, with classes that differ in difficulty.

    ``mix`` (..., 4) are the class shares. The recall of class k has the mean
    rate + min(rate, 1 - rate) ease_k, so that UAR is ``rate`` whatever the mix.
    """
    of_class = rng.multinomial(rows, np.broadcast_to(mix, (*rows.shape, 4)))
    found = np.empty((*rows.shape, 4, 5), np.int64)
    for k, (mean, wrong) in enumerate(zip(_recalls(rate), _wrong(), strict=True)):
        recall = skill * mean / rate if mean <= rate else 1 - (1 - skill) * (1 - mean) / (1 - rate)
        right = rng.binomial(of_class[..., k], np.clip(recall, 0, 1))
        found[..., k, :] = rng.multinomial(of_class[..., k] - right, wrong)
        found[..., k, k] = right
    return found


def expected(rate: float, mix: Array) -> Array:
    """The confusion of the population, (4, 5), as shares of all rows."""
    recall = _recalls(rate)[:, None]
    rows: Array = np.asarray(mix)[:, None] * (recall * np.eye(4, 5) + (1 - recall) * _wrong())
    return rows


def label_truth(metric: str, rate: float) -> float:
    """The value of a label metric in the population with the class shares ``MIX``."""
    if metric == "accuracy":
        return rate
    return float(METRICS[metric].finish(expected(rate, np.array(MIX))))


def affect(rng: np.random.Generator, rows: Array, ccc: float, icc: float | Array, cluster: Array) -> Array:
    """Moments (S, E, 9), as ``bench.judge.kernels.moments`` sums them, of entries of rows (S, E).

    ``cluster`` (E,) says whose the entries are. Truth and error both have an effect of the cluster with the
    ICC; the variance of the rest of the error is gamma over entries, such that its squares have the ICC too
    (which is so below 1/3).
    """
    total, entries = int(rows.sum()), rows.size
    owner = np.repeat(np.arange(entries), rows.ravel())
    icc = np.broadcast_to(icc, rows.shape)

    def effect(draw: Array) -> Array:
        found: Array = draw[:, cluster]
        return found

    people = (len(rows), int(cluster.max()) + 1)
    spread = 2 * icc / (1 - 3 * icc)
    shape = 1 / np.where(spread > 0, spread, 1.0)
    scale = np.where(spread > 0, rng.gamma(shape) / shape, 1.0)
    shared = np.sqrt(icc)
    x = _SPREAD * (
        (shared * effect(rng.standard_normal(people))).ravel()[owner]
        + np.sqrt(1 - icc).ravel()[owner] * rng.standard_normal(total)
    )
    error = BIAS + _noise(ccc) * (
        (shared * effect(rng.standard_normal(people))).ravel()[owner]
        + np.sqrt((1 - icc) * scale).ravel()[owner] * rng.standard_normal(total)
    )
    y = x + error
    columns = (np.ones(total), x, y, x * x, y * y, x * y, abs(error), np.sign(x) == np.sign(y), error**2)
    sums = [np.bincount(owner, column, entries) for column in columns]
    return np.stack(sums, axis=-1).reshape(*rows.shape, 9)


def affect_truth(metric: str, ccc: float) -> float:
    """The value of a valence metric in the population with that CCC."""
    noise = _noise(ccc)
    return {
        "ccc_valence": ccc,
        "pcc_valence": _SPREAD / float(np.hypot(_SPREAD, noise)),
        "rmse_valence": float(np.hypot(noise, BIAS)),
        "bias_valence": BIAS,
    }[metric]


def flat(stats: Array, group: Array | None = None) -> Tally:
    """Statistics (S, E, ...) as one tally in which every data set, or group of one, is a slice value."""
    sets, entries = stats.shape[:2]
    group = np.zeros(entries, np.int64) if group is None else group
    groups = int(group.max()) + 1
    value = (np.arange(sets)[:, None] * groups + group).ravel()
    everything = stats.reshape(sets * entries, *stats.shape[2:])
    return Tally(everything, value, np.ones(len(value), np.int64), sets * groups)


def _noise(ccc: float) -> float:
    # ccc = 2 s^2 / (2 s^2 + noise^2 + bias^2), with var_x = s^2 and var_y = s^2 + noise^2.
    return float(np.sqrt(2 * _SPREAD**2 * (1 - ccc) / ccc - BIAS**2))


def _recalls(rate: float) -> Array:
    return rate + min(rate, 1 - rate) * _EASE


def _wrong() -> Array:
    """Where wrong rows of each class go, (4, 5): a tenth to *none*, most of the rest to the first class."""
    found = np.full((4, 5), 0.2)
    found[:, 0], found[0, 1:4], found[:, 4] = 0.5, 0.3, 0.1
    found[np.arange(4), np.arange(4)] = 0.0
    return found
