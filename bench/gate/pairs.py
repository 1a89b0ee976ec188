"""The rules of a gate that a baseline decides: not worse than an earlier model on the same targets.

Candidate and baseline are paired by cluster (``bench.sides``). Where the two ran on another device, with
another torch or CUDA or in another precision, the difference may be that of the machines: nothing is decided,
unless the caller allows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.gate.ground import Ground, Held
from bench.gate.rules import decide_pair
from bench.judge.gates import Verdict
from bench.policy import Rule
from bench.report.results import read_results
from bench.sides import Side, compare

if TYPE_CHECKING:
    from bench.judge.comparison import Compared
    from bench.report.records import Cell
    from bench.report.results import Results

__all__ = ["Pairs", "model_of"]

_ENVIRONMENT = ("device", "torch", "cuda")


def model_of(side: Side) -> str:
    """The one model that a side is of; UserError where a run of several names none."""
    side.cells()
    return side.model or str(side.run.plan["cells"][0][0])


class Pairs:
    """The candidate beside its baseline: compared once for each margin."""

    def __init__(
        self, new: Side, old: Side | None, ground: Ground, *, allow_environment_change: bool
    ) -> None:
        self._new, self._old, self._ground = new, old, ground
        self._found: dict[float, list[Compared]] = {}
        apart = [] if old is None else _changed(ground.results, read_results(old.run.path), model_of(old))
        self.notes = [f"candidate and baseline differ in {text}" for text in apart]
        self._undecided = [] if allow_environment_change else apart

    def decide(self, number: int, rule: Rule) -> Iterator[Held]:
        """Non-inferiority of the whole, or of every value of the slice, under each condition of a rule."""
        if self._old is None:
            raise UserError(
                self._ground.policy.place("rules", number, "not_worse_by"),
                "the rule is held against a baseline, and none is given",
                "A finished run of an earlier model on the same targets", "Name it with --baseline",
            )  # fmt: skip
        margin = rule.requirement[1]
        if margin not in self._found:
            self._found[margin] = self._compare(margin)
        held = [each for each in self._found[margin] if self._ground.asks(rule, each.row)]
        if not held:
            raise UserError(
                self._ground.policy.place("rules", number), "candidate and baseline share no such number",
                "The same data set and condition in both", "Run the baseline on them, or remove the rule",
            )  # fmt: skip
        yield from (self._held(rule, each) for each in held)

    def _compare(self, margin: float) -> list[Compared]:
        assert self._old is not None
        rules = [rule for rule in self._ground.policy.policy.rules if rule.not_worse_by == margin]
        suite = self._ground.suite_of(rules)
        return compare(self._new, self._old, suite, margin)

    def _held(self, rule: Rule, each: Compared) -> Held:
        held = decide_pair(self._ground, rule, each.row, _VERDICTS[each.non_inferior or "inconclusive"])
        if self._undecided and held.verdict != "inconclusive":
            why = f"the two runs differ in {listed(self._undecided)} (--allow-environment-change)"
            return replace(held, verdict="inconclusive", why=why, settle=None)
        return held


_VERDICTS: dict[str, Verdict] = {"yes": "pass", "no": "fail", "inconclusive": "inconclusive"}


def _changed(new: Results, old: Results, old_model: str) -> list[str]:
    """In what the environments of two runs differ, in words: device, torch, CUDA and precision."""
    first = (_first(new.cells, None), _first(old.cells, old_model))
    mine, other = (dict(cell.environment) if cell else {} for cell in first)
    mine["precision"], other["precision"] = new.precision, old.precision
    return [
        f"{name} ({mine.get(name) or 'none'} against {other.get(name) or 'none'})"
        for name in (*_ENVIRONMENT, "precision")
        if mine.get(name) != other.get(name)
    ]


def _first(cells: Sequence[Cell], model: str | None) -> Cell | None:
    return next((cell for cell in cells if model in (None, cell.model)), None)
