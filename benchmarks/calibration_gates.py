"""Gates at the margin: how often a model that is exactly as bad as the margin forbids would still pass.

Non-inferiority of accuracy and UAR to a baseline on the same targets is what ``compare --margin`` says
(``bench.judge.margin``); beside it the same on rows as if they were independent, which must be seen to fail.
The rule of ``gate`` on a gap between groups is computed here by a formula of its own, which a test holds
against ``bench.judge.gates``: every pair of groups closer than the margin by the limits of its two values
(intersection-union; MOVER of Zou, Donner 2008, Statistics in Medicine 27, 1693-1702, with Clopper-Pearson on
the effective rows). Refuses nothing but a margin above the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from bench.judge.atoms import Tally
from bench.judge.infer import clopper_pearson, effective, freedom, leave_one_out, linearised, residuals
from bench.judge.margin import at_margin
from bench.judge.metrics import METRICS
from benchmarks import calibration_draws as draws
from benchmarks.calibration_coverage import Design, Share
from benchmarks.calibration_groups import between
from benchmarks.calibration_pairs import LOSS, Answers, answers, confusion

__all__ = ["GAP", "PRINTED", "Gate", "gap_gate", "non_inferiority"]

Array = np.ndarray[Any, Any]
GAP = 0.10
PRINTED = ("accuracy", "UAR")
"""The rules that ``compare --margin`` has."""
_LEVEL = 0.95


@dataclass(frozen=True)
class Gate:
    """How often a gate passed at its margin, where at most 5 % should, and failed there."""

    rule: str
    design: Design
    passed: Share
    failed: Share


def non_inferiority(design: Design, sets: dict[str, int], seed: int) -> Iterator[Gate]:
    """A new model that is worse by exactly the margin; ``sets`` of accuracy and of UAR."""
    rng = draws.generator(seed, "gate", design)
    found = _answers(rng, design, sets["proportion"], np.ones(1))
    old, new, rows, both = (part[..., 0] for part in (found.old, found.new, found.rows, found.both))
    tally = draws.flat(draws.hits(rng, rows, np.zeros(1)))
    gain, trials = (part.ravel().astype(np.float64) for part in (new - old, rows))
    difference, variance = linearised(gain, trials, tally)
    errors = residuals(gain, trials, difference, tally).reshape(rows.shape)
    n = rows.sum(axis=1)
    gained, lost = ((one - both).sum(axis=1) / n for one in (new, old))
    half = _critical(errors) * np.sqrt(variance * at_margin(gained, lost, LOSS))
    yield _gate(PRINTED[0], design, difference, half)
    # A row differs by +1, 0 or -1: the variance of independent rows needs only how many differ.
    naive = ndtri(_LEVEL) * np.sqrt((gained + lost - difference**2) / n)
    yield _gate("accuracy, rows as if independent", design, difference, naive)
    found = _answers(rng, design, sets["labels"], np.array(draws.MIX))
    difference, errors = _uar(found)
    n = found.rows.sum(axis=1)
    with np.errstate(invalid="ignore"):  # a class without rows: of it nothing is known
        shares = [((one - found.both).sum(axis=1) / n).mean(axis=1) for one in (found.new, found.old)]
    ratio = at_margin(shares[0], shares[1], LOSS)
    half = _critical(errors) * np.sqrt((errors**2).sum(axis=1) * ratio)
    yield _gate(PRINTED[1], design, difference, half)


def gap_gate(kind: str, groups: int, rate: float, sets: int, seed: int) -> Gate:
    """Groups whose largest gap is exactly the margin: the first group is that much worse than the others.

    Passes where of every pair both one-sided limits of the difference lie within the margin.
    """
    layout = between(kind, groups)
    rng, shape = draws.generator(seed, "gap", kind, groups, rate), (sets, len(layout.group))
    mean = rate - GAP * (layout.group == 0)
    rows = np.maximum(1, rng.integers(np.rint(layout.rows / 2), np.rint(layout.rows * 1.5) + 1, shape))
    right = rng.binomial(rows, draws.skills(rng, mean, layout.icc, shape))
    tally = draws.flat(np.stack([right, rows - right], axis=-1)[:, :, None, :], layout.group)
    found = _limits(right.ravel().astype(np.float64), rows.ravel().astype(np.float64), tally)
    theta, low, high = (part.reshape(sets, groups) for part in found)
    one, other = np.triu_indices(groups, 1)
    apart = theta[:, one] - theta[:, other]
    above = apart + np.hypot(high[:, one] - theta[:, one], theta[:, other] - low[:, other])
    below = apart - np.hypot(theta[:, one] - low[:, one], high[:, other] - theta[:, other])
    passed = Share(int(((above < GAP) & (below > -GAP)).all(axis=1).sum()), sets)
    design = Design(int(np.bincount(layout.group).min()), rate, float(layout.icc.max()), kind)
    return Gate(f"gap of {groups} groups", design, passed, Share(0, 0))


def _limits(successes: Array, trials: Array, tally: Tally) -> tuple[Array, Array, Array]:
    """Values with their one-sided Clopper-Pearson limits on the effective rows, as ``bench.judge.infer``."""
    theta, variance = linearised(successes, trials, tally)
    clusters = tally.clusters.astype(np.float64)
    errors = residuals(successes, trials, theta, tally)
    df = freedom(tally.sum(errors**2), tally.sum(errors**4), clusters)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = effective(theta, variance, tally.sum(trials), clusters)
    certain = (theta == 0) | (theta == 1)
    n = np.where(certain, n, n * (ndtri(_LEVEL) / stdtrit(df, _LEVEL)) ** 2)
    return theta, *clopper_pearson(theta, n, 2 * _LEVEL - 1)


def _answers(rng: np.random.Generator, design: Design, sets: int, mix: Array) -> Answers:
    rows = rng.multinomial(draws.sizes(rng, design.sizes, (sets, design.clusters)), mix)
    return answers(rng, rows, design.rate, design.icc, LOSS)


def _uar(found: Answers) -> tuple[Array, Array]:
    """The difference of UAR, (S,), and what each cluster adds to its jackknife variance, (S, G), squared."""
    sets, clusters = found.rows.shape[:2]
    values, left_out = [], []
    for hits in (found.old, found.new):
        tally = draws.flat(confusion(hits, found.rows))
        values.append(METRICS["uar"].finish(tally.total))
        left, lost = leave_one_out(METRICS["uar"], tally, tally.total)
        left_out.append(np.where(lost, np.nan, left).reshape(sets, clusters))
    apart = left_out[1] - left_out[0]
    pull = np.sqrt((clusters - 1) / clusters) * (apart.mean(axis=1, keepdims=True) - apart)
    return values[1] - values[0], pull


def _critical(errors: Array) -> Array:
    """The one-sided t, (S,), on the degrees of freedom of a variance that is the sum of squares of (S, G)."""
    squares, fourths = ((errors**k).sum(axis=1) for k in (2, 4))
    return np.asarray(
        stdtrit(freedom(squares, fourths, np.full(len(errors), float(errors.shape[1]))), _LEVEL)
    )


def _gate(rule: str, design: Design, difference: Array, half: Array) -> Gate:
    known = np.isfinite(half)
    of = int(known.sum())
    passed, failed = (difference - half)[known] > -LOSS, (difference + half)[known] < -LOSS
    return Gate(rule, design, Share(int(passed.sum()), of), Share(int(failed.sum()), of))
