"""What a gate stands on: one model of a run, the policy, and which rows of Estimates a rule is about.

Each number that a rule is about becomes one ``Held``. Values withheld, without an interval or with too little
data are inconclusive, and count for nothing where the policy exempts them with a reason; a severity at which
people may no longer see the label is left out. Refuses rules on what the run does not have, and rules that no
number could decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench.errors import UserError, listed, nearest
from bench.gate.decidable import require_decidable
from bench.judge.gates import Verdict
from bench.policy import SPEEDS, PolicyFile, Rule
from bench.report.records import Place
from bench.spec import Suite

if TYPE_CHECKING:
    from bench.report.results import Results

__all__ = [
    "Ground", "Held", "Row", "error_share", "kind_of", "number", "place_of", "too_many",
]  # fmt: skip

Row = dict[str, Any]
_CLEAN = "clean"
_KINDS = {"loses_at_most": "degradation"}


@dataclass(frozen=True)
class Held:
    """One number held against a rule: its row of Estimates, or of the pair that decides, and the verdict.

    ``why`` it is inconclusive where the interval is not the reason. ``settle``: how many clusters would
    decide it, if the value stayed as it is. ``exempt``: why its lack of data counts for nothing.
    """

    row: Row
    verdict: Verdict
    why: str | None = None
    settle: int | None = None
    exempt: str | None = None


class Ground:
    """One model of a run and the policy that it is held against; ``locked``: before the run.

    An exemption of a policy that was not locked counts for nothing: it may have been written for the numbers.
    """

    def __init__(self, policy: PolicyFile, results: Results, model: str) -> None:
        self.policy, self.results, self.model = policy, results, model
        self._exempt = {(e.slice, e.value): e.reason for e in policy.policy.exempt}
        self.locked = results.lock is not None and results.lock.covers(policy.digest)

    @cached_property
    def rows(self) -> list[Row]:
        """The model's rows of Estimates, of every kind."""
        found = (*self.results.rows, *self.results.differences)
        return [row for row in found if row["model"] == self.model]

    def asks(self, rule: Rule, row: Row) -> bool:
        """Whether a row is one that a rule is about: metric, data set, slice and condition."""
        if (
            row["metric"] != rule.metric
            or row["slice"] != rule.slice
            or rule.data not in (None, row["dataset"])
        ):
            return False
        if rule.loses_at_most is not None and rule.condition is None:
            return bool(row["severity"])
        if rule.condition in (None, _CLEAN):
            return not row["severity"] and row["condition"] == _CLEAN
        wanted = rule.severity in (None, row["severity"]) and rule.where in (None, row["where"])
        return row["condition"] == rule.condition and bool(row["severity"]) and wanted

    def chosen(self, rule: Rule, kind: str) -> list[Row]:
        """The rows of a kind that a rule is about, without severities that may destroy the label."""
        found = [row for row in self.rows if row["kind"] == kind and self.asks(rule, row)]
        return [row for row in found if not self.results.may_lose_label(place_of(row))]

    def shares_clusters(self, rows: Sequence[Row]) -> bool:
        """Whether some clusters have rows in several of these values of a slice, as far as is known.

        Nobody may know how many clusters a withheld value has, so that they may be those of others.
        """
        first = rows[0]
        same = ("dataset", "condition", "severity", "where", "metric", "kind")
        whole = next(
            row for row in self.rows if row["slice"] is None and all(row[c] == first[c] for c in same)
        )
        if any(row["clusters"] is None for row in (whole, *rows)):
            return True
        return sum(int(row["clusters"]) for row in rows) > int(whole["clusters"])

    def untested(self, number: int, rule: Rule) -> list[str]:
        """The data sets that a rule is of, by its words, and that have no such number: a note each."""
        if rule.of_speed:  # which says so itself
            return []
        mine = {row["dataset"] for row in self.chosen(rule, kind_of(rule))}
        named = [d.name for d in self.results.datasets if rule.data in (None, d.name)]
        return [
            f"the rule in line {self.policy.line(number)} says nothing of {name}, which has no such number"
            for name in named
            if name not in mine
        ]

    def require(self, number: int, rule: Rule) -> None:
        """UserError unless the run has what a rule is about, and a number could decide it."""
        self._known(number, "data", rule.data, {d.name for d in self.results.datasets}, "Name one of them")
        if rule.of_speed:
            return
        names = {row["metric"] for row in self.rows}
        names |= set(SPEEDS if self.results.latency else ())
        self._known(number, "metric", rule.metric, names, "Run with it as --metric")
        slices = {row["slice"] for row in self.rows} - {None}
        self._known(number, "slice", rule.slice, slices, "Run with it as --slice")
        conditions = {row["condition"] for row in self.rows}
        self._known(number, "condition", rule.condition, conditions, "Run a suite that has it")
        require_decidable(self.policy, number)
        if not self.chosen(rule, kind_of(rule)):
            lost = [row for row in self.rows if row["kind"] == kind_of(rule) and self.asks(rule, row)]
            raise UserError(
                self.policy.place("rules", number),
                "people may no longer see the label there" if lost else "the run has no such number",
                "A gate is held against numbers of the run, where the label can be seen",
                "Correct the rule, or run what it asks for",
            )  # fmt: skip

    def _known(self, number: int, name: str, value: str | None, known: Set[str], remedy: str) -> None:
        if value is None or value in known:
            return
        meant = {*known, *SPEEDS} if name == "metric" else known
        raise UserError(
            self.policy.place("rules", number, name),
            f"{name} {value!r} is not in the run.{nearest(value, meant)}",
            f"The run has: {listed(sorted(known), 20)}" if known else "The run has none", remedy,
        )  # fmt: skip

    @property
    def suite_of_pairs(self) -> Suite:
        """The run's suite with the metrics that are held against a baseline.

        With every slice of the run, so that what one slice withholds no other reveals, whatever the rule.
        """
        rules = [rule for rule in self.policy.policy.rules if rule.not_worse_by is not None]
        metrics = tuple(dict.fromkeys(rule.metric for rule in rules))
        return self.results.suite.model_copy(update={"metrics": metrics, "primary": ()})

    def held(self, row: Row, verdict: Verdict, *, exact: bool = False) -> Held:
        """A verdict on one row, unless there is not enough to decide it by.

        ``exact``: its interval holds however few successes or failures there are.
        """
        why = self._undecided(row, exact=exact)
        if why is None:
            return Held(row, verdict)
        exempt = self._exempt.get((row["slice"], row["value"]))
        if exempt is not None and not self.locked:
            why += f"; its exemption ({exempt}) does not count, for the policy was not locked before the run"
            exempt = None
        return Held(row, "inconclusive", why, None, exempt)

    def _undecided(self, row: Row, *, exact: bool) -> str | None:
        """Why nothing can be decided by a row, None where its interval decides."""
        limit, here = self.policy.policy.errors_at_most, (self.model, row["dataset"])
        places = [place_of(row)] + ([Place(_CLEAN)] if row["kind"] == "degradation" else [])
        errors = max(error_share(self.results, (*here, place)) for place in places)
        if errors > limit:
            return too_many(errors, limit, "the")
        if row["status"] == "suppressed":
            return "the value is withheld: too few people"
        if row["estimate"] is None or math.isnan(row["estimate"]):
            return "the value is undefined"
        enough = exact and row["clusters"] >= self.results.suite.slice_rule.clusters
        if row["status"] != "reportable" and not enough:
            return "too little data for the thresholds of the suite"
        if row["low"] is None or math.isnan(row["low"]):
            return row["warning"] or "the value has no interval"
        return None


def error_share(results: Results, cell: tuple[str, str, Place]) -> float:
    """The share of decode and model errors in the cell of a model, data set and condition."""
    found = results.cell(*cell)
    if found is None or not (rows := sum(found.statuses.values())):
        return 0.0
    return sum(found.statuses.get(status, 0) for status in ("decode_error", "model_error")) / rows


def too_many(share: float, limit: float, whose: str) -> str:
    """That too many rows are errors for anything to be decided."""
    return f"{share:.1%} of {whose} rows are decode or model errors, and {limit:.1%} may be"


def kind_of(rule: Rule) -> str:
    """The kind of the rows of Estimates that a rule without a baseline is about."""
    return _KINDS.get(rule.requirement[0], "value")


def place_of(row: Row) -> Place:
    """The condition of a row."""
    severity = row["severity"] or 0
    return Place(row["condition"], (row["where"] or "") if severity else "", severity)


def number(value: float | None) -> float:
    """A number of a row, NaN where it has none."""
    return math.nan if value is None else value
