"""The rules of a gate on speed: bounds on latency and throughput, and no slower than a baseline.

Only what ``run --measure-latency`` measured counts. The interval decides, so that noise is never a verdict; a
number of another device than the rule names, or two numbers of different machines, say nothing of the model.
A baseline measured with other software may be compared where the caller allows it; one on other hardware,
over other media or by other settings of the run may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.folder import RunFolder
from bench.gate.ground import Ground, Held, Row, too_many
from bench.gate.pairs import model_of
from bench.judge.gates import Verdict, above, below
from bench.latency import LATENCIES, Measured, Quantity, fewest, quantile, rate, ratio
from bench.report import format as fmt
from bench.report.format import STAGES
from bench.report.results import read_results
from bench.sides import Side

if TYPE_CHECKING:
    from bench.policy import Rule

__all__ = ["Speeds"]

_SOFTWARE = ("torch", "cuda", "precision")
_NOT_MEASURED = "{} was not measured there (run --measure-latency)"


@dataclass(frozen=True)
class Speeds:
    """What was measured of the candidate's speed, beside the baseline's."""

    ground: Ground
    old: Side | None
    allow_environment_change: bool

    def decide(self, number: int, rule: Rule) -> Iterator[Held]:
        """A rule on speed, on each data set that it is of."""
        if rule.no_slower_than is not None and self.old is None:
            raise UserError(
                self.ground.policy.place("rules", number, "no_slower_than"),
                "the rule is held against a baseline, and none is given",
                "A finished run of an earlier model, measured on the same machine", "Name it with --baseline",
            )  # fmt: skip
        if self.ground.results.latency:
            RunFolder(self.ground.results.run).require_sealed()
        for data in self.ground.results.datasets:
            if rule.data in (None, data.name):
                yield self._held(rule, data.name)

    def _held(self, rule: Rule, dataset: str) -> Held:
        mine = _find(self.ground.results.latency, self.ground.model, dataset)
        row = _row(self.ground, rule, dataset, mine)
        if mine is None:
            return Held(row, "inconclusive", _NOT_MEASURED.format("speed"))
        other = None
        if rule.no_slower_than is not None:
            other = self._baseline(dataset)
            if other is None:
                return Held(row, "inconclusive", _NOT_MEASURED.format("the baseline's speed"))
        level = self.ground.results.suite.level
        found = _quantity(rule, mine, level) if other is None else _times(rule, mine, other, level)
        numbers = {"estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n}
        row |= {**numbers, "level": found.level}
        why, verdict = self._undecided(rule, mine, other, found), _verdict(rule, found)
        if why is None and verdict == "inconclusive":
            why = _uneven(rule, level, mine, other)
        return Held(row, "inconclusive" if why else verdict, why)

    def _baseline(self, dataset: str) -> Measured | None:
        """What was measured of the baseline; where each run has one data set its name does not matter."""
        assert self.old is not None
        if self.old.origin is None and self.old.run.latency.is_file():
            self.old.run.require_sealed()
        results = read_results(self.old.run.path)
        alone = len(results.datasets) == len(self.ground.results.datasets) == 1
        name = results.datasets[0].name if alone else dataset
        return _find(results.latency, model_of(self.old), name)

    def _undecided(self, rule: Rule, mine: Measured, other: Measured | None, found: Quantity) -> str | None:
        """Why nothing can be decided, None where the interval decides."""
        limit = self.ground.policy.policy.errors_at_most
        if mine.failed > limit:
            return too_many(mine.failed, limit, "the measured")
        if rule.device is not None and rule.device != mine.hardware.device:
            return f"it was measured on {mine.hardware.device}, and the rule is of {rule.device}"
        if found.n == 0:
            return f"no call went through {STAGES[rule.stage]}" if rule.stage else "no call was answered"
        return None if other is None else self._apart(mine, other, limit)

    def _apart(self, mine: Measured, other: Measured, limit: float) -> str | None:
        """In what two measurements differ, so that their ratio is not that of the models."""
        if other.failed > limit:
            return too_many(other.failed, limit, "the baseline's measured")
        machine = [
            f"{name} ({value} against {getattr(other.hardware, name)})"
            for name, value in mine.hardware
            if value != getattr(other.hardware, name)
        ]
        if machine:
            return f"the two were measured on different hardware: {listed(machine)}"
        if mine.calls.target != other.calls.target or mine.batch != other.batch:
            return "the two were measured on other targets, or with another --batch"
        apart = [
            f"{name} ({one} against {two})"
            for name in _SOFTWARE
            if (one := _software(mine, name)) != (two := _software(other, name))
        ]
        if apart and not self.allow_environment_change:
            return f"the two runs differ in {listed(apart)} (--allow-environment-change)"
        return None


def _find(measured: tuple[Measured, ...], model: str, dataset: str) -> Measured | None:
    return next((one for one in measured if (one.model, one.dataset) == (model, dataset)), None)


def _software(measured: Measured, name: str) -> str:
    return str({**measured.environment, "precision": measured.precision}.get(name) or "none")


def _quantity(rule: Rule, measured: Measured, level: float) -> Quantity:
    if rule.metric in LATENCIES:
        return quantile(measured.times(rule.stage), LATENCIES[rule.metric], level)
    return rate(measured.throughput, level)


def _times(rule: Rule, new: Measured, old: Measured, level: float) -> Quantity:
    """How many times slower the new one is: of latencies new over old, of throughputs old over new."""
    each = (1 + level) / 2  # both intervals hold at once
    found = [_quantity(rule, one, each) for one in (new, old)]
    return ratio(*(found if rule.metric in LATENCIES else reversed(found)))


def _verdict(rule: Rule, found: Quantity) -> Verdict:
    what, bound = rule.requirement
    return above(found.low, found.high, bound) if what == "at_least" else below(found.low, found.high, bound)


def _uneven(rule: Rule, level: float, mine: Measured, other: Measured | None) -> str:
    """Why an interval does not decide, and what would where calls count for less than they are."""
    text, quiet = "the interval does not decide it", "measure it where nothing else runs"
    if rule.metric not in LATENCIES:
        return f"{text}: {quiet}"
    share, parts, remedies = LATENCIES[rule.metric], [], []
    for whose, one in (("", mine), ("the baseline's ", other)):
        if one is None:
            continue
        found = quantile(one.times(rule.stage), share, level)
        counts = "counts" if found.n == 1 else "count"
        worth = f"{whose}{fmt.counted(found.n, 'call')} {counts} as {max(1.0, found.n_eff):.0f}"
        if found.n_eff < min(found.n, one.targets) - 1:
            parts.append(
                f"{worth}, for rounds lie between {found.spread[0]:.3g} and {found.spread[1]:.3g} ms"
            )
            remedies.append(quiet)
        elif one.targets < fewest(share, level):
            parts.append(f"{worth}, for they are of {fmt.counted(one.targets, 'target')}")
            remedies.append("measure it on more targets")
    advice = " and ".join(dict.fromkeys(remedies))
    return "; ".join([text, *parts]) + (f": {advice}" if advice else "")


def _row(ground: Ground, rule: Rule, dataset: str, measured: Measured | None) -> Row:
    """What is said of a speed, by the names of Estimates, still without its numbers."""
    empty = dict.fromkeys(("estimate", "low", "high"), float("nan"))
    baseline = rule.no_slower_than is not None
    unit = "ratio" if baseline else "ms" if rule.metric in LATENCIES else "targets/s"
    return {
        "model": ground.model, "dataset": dataset, "condition": "clean", "severity": 0, "where": None,
        "slice": None, "value": None, "reference": None, "metric": rule.metric, "kind": "speed", **empty,
        "level": ground.results.suite.level, "n": None, "clusters": None, "cluster_unit": None,
        "status": "reportable", "warning": None, "unit": unit, "stage": rule.stage,
        "hardware": None if measured is None else measured.hardware.device,
    }  # fmt: skip
