"""False alarms: how often each test of difference finds one between groups that do not differ.

The test of the gap (clusters dealt anew, or signs within clusters) and the simultaneous contrasts of all
pairs and of each group against the rest are run as ``affectbench`` runs them, one data set after another:
over all groups, and over those alone that the suite's default rule calls reportable, which is what a report
prints. With a planted loss the same gives bias, coverage and power. Refuses to count a data set for which
there is no test: their number stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.cautions import differing
from bench.judge.contrasts import Contrasts, against_rest, contrast, pairs
from bench.judge.gaps import gap
from bench.judge.infer import infer
from bench.judge.influence import influence
from bench.judge.metrics import METRICS, Metric
from bench.judge.status import reportable
from bench.spec import SliceRule
from benchmarks import calibration_draws as draws
from benchmarks.calibration_coverage import Share
from benchmarks.calibration_groups import Layout, simulate

__all__ = ["ALPHA", "Alarm", "Found", "Trial", "alarms", "planted"]

ALPHA = 0.05
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Trial:
    """One cell: which metric at which rate, over which layout; ``draws`` a test; whether drawn ``anew``."""

    design: str
    kind: str
    metric: str
    rate: float
    layout: Layout
    sets: int
    draws: int
    anew: bool = False


@dataclass(frozen=True)
class Alarm:
    """How often one test alarmed: over ``every`` group, and over ``ruled``, the reportable ones alone.

    ``unwarned`` of those of these data sets beside whose tests the tool prints no caution. ``compared``
    is the mean number of groups that the default rule leaves to compare.
    """

    trial: Trial
    test: str
    every: Share
    ruled: Share
    unwarned: Share
    compared: float


@dataclass(frozen=True)
class Found:
    """What was found of a planted loss in one group.

    ``bias`` of the contrast group - rest in units of the rate and its Monte Carlo ``error``; ``held`` the
    contrasts of all pairs that hold the truth together; ``power`` of the gap test, ``named`` how often the
    group - rest interval of that group lies below 0.
    """

    trial: Trial
    loss: float
    bias: float
    error: float
    held: Share
    power: Share
    named: Share


def alarms(trial: Trial, seed: int) -> Iterator[Alarm]:
    """Run every test over every data set of a trial."""
    stats, enough = _drawn(trial, seed)
    everything = np.ones(trial.layout.groups, np.bool_)
    verdicts: dict[str, list[tuple[bool | None, bool | None, bool | None]]] = {}
    for number, (one, included) in enumerate(zip(stats, enough, strict=True)):
        tally = _tally(one, trial.layout)
        first = dict(_tests(trial, tally, everything, number))
        second = first if included.all() else dict(_tests(trial, tally, included, number))
        warned = included.sum() > 1 and bool(differing(METRICS[trial.metric], tally, included))
        for test, verdict in second.items():
            quiet = None if warned else verdict
            verdicts.setdefault(test, []).append((first[test], verdict, quiet))
    compared = float(enough.sum(axis=1).mean())
    for test, found in verdicts.items():
        every, ruled, unwarned = (_share(each) for each in zip(*found, strict=True))
        yield Alarm(trial, test, every, ruled, unwarned, compared)


def planted(trial: Trial, loss: float, seed: int) -> Found:
    """Plant a loss in the first group and see what is found of it."""
    layout = trial.layout.plant(loss)
    stats, _ = _drawn(Trial(**{**vars(trial), "layout": layout}), seed)
    metric, everything = METRICS[trial.metric], np.ones(layout.groups, np.bool_)
    truth = trial.rate - np.where(np.arange(layout.groups) == 0, loss, 0.0)
    weights, _ = pairs(everything)
    differences, held, power, named = [], [], [], []
    for number, one in enumerate(stats):
        tally = _tally(one, layout)
        found = contrast(influence(metric, tally), weights, 1 - ALPHA, number, trial.draws)
        held.append(bool(((found.low <= weights @ truth) & (weights @ truth <= found.high)).all()))
        rest = _against_rest(metric, tally, everything, number, trial.draws)
        differences.append(rest.estimate[0])
        named.append(bool(rest.high[0] < 0))
        power.append(gap(metric, tally, everything, number, trial.draws).p <= ALPHA)
    off = np.array(differences) + loss
    error = float(off.std(ddof=1) / np.sqrt(len(off)))
    return Found(trial, loss, float(off.mean()), error, _share(held), _share(power), _share(named))


def _drawn(trial: Trial, seed: int) -> tuple[Array, Array]:
    """Statistics (S, E, ...) and which groups of each data set the default rule leaves to compare, (S, K)."""
    rng = draws.generator(seed, trial.design, trial.kind, trial.metric, trial.rate, trial.layout.groups)
    stats = simulate(rng, trial.metric, trial.layout, trial.rate, trial.sets)
    tally, metric = draws.flat(stats, trial.layout.group), METRICS[trial.metric]
    classes = np.asarray(metric.present(tally.total).any(axis=0))
    found = infer(metric, tally, 1 - ALPHA)
    enough = reportable(metric, found, tally.total, SliceRule(), classes)
    return stats, enough.reshape(trial.sets, trial.layout.groups)


def _tally(stats: Array, layout: Layout) -> Tally:
    times = np.ones(len(stats), np.int64)
    return Tally(stats, layout.group, times, layout.groups, layout.cluster)


def _tests(trial: Trial, tally: Tally, included: Array, seed: int) -> Iterator[tuple[str, bool | None]]:
    """The verdict of each test: an alarm, none, or no test."""
    metric = METRICS[trial.metric]
    names = ("gap", "all pairs") if included.size == 2 else ("gap", "all pairs", "group - rest")
    if included.sum() < 2:
        yield from ((name, None) for name in names)
        return
    p = gap(metric, tally, included, seed, trial.draws).p
    yield "gap", None if np.isnan(p) else bool(p <= ALPHA)
    weights, _ = pairs(included)
    yield "all pairs", _alarm(contrast(influence(metric, tally), weights, 1 - ALPHA, seed, trial.draws))
    if included.size > 2:
        yield "group - rest", _alarm(_against_rest(metric, tally, included, seed, trial.draws))


def _against_rest(metric: Metric, tally: Tally, included: Array, seed: int, count: int) -> Contrasts:
    found, weights = against_rest(metric, tally, np.ones(tally.values, np.bool_))
    return contrast(found, weights[included], 1 - ALPHA, seed, count)


def _alarm(found: Contrasts) -> bool | None:
    """Whether some interval leaves out 0; None where no contrast has one."""
    if np.isnan(found.low).all():
        return None
    return bool(((found.low > 0) | (found.high < 0)).any())


def _share(verdicts: Sequence[bool | None]) -> Share:
    known = [verdict for verdict in verdicts if verdict is not None]
    return Share(sum(known), len(known))
