"""Gates at the margin: how often a model that is exactly as bad as the margin forbids would still pass.

Gates are not built yet: their rules are computed here, from the same influence and variances of
``bench.judge``, as they are defined. Non-inferiority of accuracy and UAR to a baseline on the same targets
(one-sided cluster t on the degrees of freedom of the variance, as ``compare`` has it), the gap between groups
(intersection-union over pairs), and the same non-inferiority on rows as if they were independent, which must
be seen to fail. Refuses nothing but a margin above the rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from bench.judge.infer import freedom, leave_one_out, linearised, residuals
from bench.judge.metrics import METRICS
from benchmarks import calibration_draws as draws
from benchmarks.calibration_coverage import Design, Share
from benchmarks.calibration_groups import between
from benchmarks.calibration_pairs import LOSS, Answers, answers, confusion

__all__ = ["GAP", "Gate", "gap_gate", "non_inferiority"]

Array = np.ndarray[Any, Any]
GAP = 0.10
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
    t = _critical(errors)
    yield _gate("accuracy, cluster t", design, difference, t * np.sqrt(variance))
    # A row differs by +1, 0 or -1: the variance of independent rows needs only how many differ.
    n = rows.sum(axis=1)
    differ = (old + new - 2 * both).sum(axis=1) / n
    naive = ndtri(_LEVEL) * np.sqrt((differ - difference**2) / n)
    yield _gate("accuracy, rows as if independent", design, difference, naive)
    found = _answers(rng, design, sets["labels"], np.array(draws.MIX))
    difference, errors = _uar(found)
    half = _critical(errors) * np.sqrt((errors**2).sum(axis=1))
    yield _gate("UAR, jackknife t", design, difference, half)


def gap_gate(kind: str, groups: int, rate: float, sets: int, seed: int) -> Gate:
    """Groups whose largest gap is exactly the margin: the first group is that much worse than the others.

    Passes where every |theta_g - theta_h| + t se < margin, with the degrees of freedom of Welch.
    """
    layout = between(kind, groups)
    rng, shape = draws.generator(seed, "gap", kind, groups, rate), (sets, len(layout.group))
    mean = rate - GAP * (layout.group == 0)
    rows = np.maximum(1, rng.integers(np.rint(layout.rows / 2), np.rint(layout.rows * 1.5) + 1, shape))
    right = rng.binomial(rows, draws.skills(rng, mean, layout.icc, shape))
    tally = draws.flat(np.stack([right, rows - right], axis=-1)[:, :, None, :], layout.group)
    theta, variance = linearised(right.ravel().astype(float), rows.ravel().astype(float), tally)
    theta, variance = theta.reshape(sets, groups), variance.reshape(sets, groups)
    one, other = np.triu_indices(groups, 1)
    freedom = np.bincount(layout.group) - 1
    square = variance[:, one] + variance[:, other]
    # Without variance there are no degrees of freedom, and the gate does not pass.
    with np.errstate(invalid="ignore"):
        welch = square**2 / (variance[:, one] ** 2 / freedom[one] + variance[:, other] ** 2 / freedom[other])
    far = abs(theta[:, one] - theta[:, other]) + stdtrit(welch, _LEVEL) * np.sqrt(square)
    passed = Share(int((far < GAP).all(axis=1).sum()), sets)
    design = Design(int(np.bincount(layout.group).min()), rate, float(layout.icc.max()), kind)
    return Gate(f"gap of {groups} groups", design, passed, Share(0, 0))


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
