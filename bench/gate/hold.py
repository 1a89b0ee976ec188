"""A gate: a policy held against one model of a finished run, rule by rule, each value with its verdict.

Numbers are those of the run's Estimates, and paired differences from a baseline. Nothing is decided where
there is not enough data, where too many rows are errors, or where candidate and baseline ran in different
environments. Refused before anything is judged: rules on what the run does not have, and rules that no
number could decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.folder import RunFolder
from bench.gate.ground import Ground, Held
from bench.gate.pairs import Pairs, model_of
from bench.gate.rules import decide
from bench.gate.speed import Speeds
from bench.judge.gates import Verdict, worst
from bench.policy import PolicyFile, Rule
from bench.report.results import read_results
from bench.sides import Side

if TYPE_CHECKING:
    from bench.report.results import Results

__all__ = ["Finding", "Gate", "gate"]


@dataclass(frozen=True)
class Finding:
    """What became of one rule at one number: the number of the rule from 0, and what was held against it."""

    rule: int
    held: Held


@dataclass(frozen=True)
class Gate:
    """A policy's verdicts on one model; ``notes`` are what must be known before any of them.

    ``locked``: whether the policy was locked before the run, without which no exemption counts.
    """

    policy: PolicyFile
    run: RunFolder
    model: str
    baseline: str | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    locked: bool

    def of(self, rule: int) -> tuple[Held, ...]:
        """All that was held against a rule."""
        return tuple(finding.held for finding in self.findings if finding.rule == rule)

    def verdict_of(self, rule: int) -> Verdict:
        """Fail outranks inconclusive, which outranks pass; what is exempt counts for nothing."""
        return worst(held.verdict for held in self.of(rule) if not held.exempt)

    @property
    def verdict(self) -> Verdict:
        """Of all rules together."""
        return worst(self.verdict_of(rule) for rule in range(len(self.policy.policy.rules)))


def gate(
    policy: PolicyFile,
    candidate: Side,
    baseline: Side | None = None,
    *,
    allow_environment_change: bool = False,
) -> Gate:
    """Hold a model against a policy; UserError where a rule cannot be held against this run."""
    results, model = read_results(candidate.run.path), model_of(candidate)
    ground = Ground(policy, results, model)
    for number, rule in enumerate(policy.policy.rules):
        ground.require(number, rule)
    pairs = Pairs(candidate, baseline, ground, allow_environment_change=allow_environment_change)
    speeds = Speeds(ground, baseline, allow_environment_change)

    def held(number: int, rule: Rule) -> Iterator[Held]:
        if rule.of_speed:
            return speeds.decide(number, rule)
        return pairs.decide(number, rule) if rule.not_worse_by is not None else decide(ground, rule)

    rules = list(enumerate(policy.policy.rules))
    findings = [Finding(number, each) for number, rule in rules for each in held(number, rule)]
    named = None if baseline is None else f"{model_of(baseline)} of {baseline.place}"
    untested = [text for number, rule in rules for text in ground.untested(number, rule)]
    notes = [_locked(ground), *_notes(results, model), *pairs.notes, *untested]
    return Gate(policy, candidate.run, model, named, tuple(findings), tuple(notes), locked=ground.locked)


def _locked(ground: Ground) -> str:
    """Whether the policy was locked before the run, and if not, why."""
    lock = ground.results.lock
    if ground.locked and lock is not None:
        return f"the policy was locked before the run (lock {lock.lock[:12]} of {lock.time})"
    if lock is None:
        why = "the run was given no lock"
    elif not lock.followed:
        why = f"the run did not follow its lock, for {lock.differs}"
    else:
        why = "the lock of the run names another policy" if lock.policy else "the lock of the run names none"
    return f"the policy was not locked before the run: exploratory ({why})"


def _notes(results: Results, model: str) -> Iterator[str]:
    found = next(each for each in results.models if each.name == model)
    if found.double:
        yield f"{model} is a double of known quality, not a model"
    for data in results.datasets:
        if found.entry in data.facts.trained_on_by:
            yield f"{model} was trained on {data.name}"
        if data.facts.cluster_unit == "clip":
            yield f"{data.name}: with clips as clusters independence is assumed"
