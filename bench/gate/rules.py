"""The rules of a gate that a run's own Estimates decide: bounds, gaps and what conditions cost.

Each number that a rule is about becomes one ``Held``. Values withheld, without an interval or with too little
data are inconclusive, and count for nothing where the policy exempts them with a reason; a severity at which
people may no longer see the label is left out. A bound on a share of rows needs as many clusters as a slice
that is reportable, but not as many successes and failures: its interval is exact there, and a coverage of 1
could pass no gate else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import UserError, listed, nearest
from bench.judge.gates import Intervals, Verdict, above, below, clusters_to_settle, differences, one_sided
from bench.judge.metrics import METRICS, Metric
from bench.policy import PolicyFile, Rule
from bench.report.records import Place
from bench.spec import Suite

if TYPE_CHECKING:
    from bench.report.results import Results

__all__ = ["Ground", "Held", "decide", "decide_pair"]

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
        return [row for row in found if not self.results.may_lose_label(_place(row))]

    def require(self, number: int, rule: Rule) -> None:
        """UserError unless the run has what a rule is about, and a number could decide it."""
        names = {row["metric"] for row in self.rows}
        self._known(number, "metric", rule.metric, names, "Run with it as --metric")
        slices = {row["slice"] for row in self.rows} - {None}
        self._known(number, "slice", rule.slice, slices, "Run with it as --slice")
        self._known(number, "data", rule.data, {d.name for d in self.results.datasets}, "Name one of them")
        conditions = {row["condition"] for row in self.rows}
        self._known(number, "condition", rule.condition, conditions, "Run a suite that has it")
        self._require_decidable(number, rule)
        if rule.not_worse_by is None and not self.chosen(rule, _kind(rule)):
            lost = [row for row in self.rows if row["kind"] == _kind(rule) and self.asks(rule, row)]
            raise UserError(
                self.policy.place("rules", number),
                "people may no longer see the label there" if lost else "the run has no such number",
                "A gate is held against numbers of the run, where the label can be seen",
                "Correct the rule, or run what it asks for",
            )  # fmt: skip

    def _known(self, number: int, name: str, value: str | None, known: Iterable[str], remedy: str) -> None:
        if value is None or value in known:
            return
        raise UserError(
            self.policy.place("rules", number, name),
            f"{name} {value!r} is not in the run.{nearest(value, known)}",
            f"The run has: {listed(sorted(known), 20)}", remedy,
        )  # fmt: skip

    def _require_decidable(self, number: int, rule: Rule) -> None:
        metric, (what, _) = _metric(rule.metric), rule.requirement
        refusal = None
        if what == "gap_at_most" and metric.biased:
            refusal = (
                f"{rule.metric} grows or shrinks with the rows of a group, so that its gaps are no evidence"
            )
        if what in ("not_worse_by", "loses_at_most") and metric.direction not in ("higher", "lower"):
            refusal = f"neither more nor less of {rule.metric} is better"
        if refusal:
            raise UserError(
                self.policy.place("rules", number, what), refusal, "Another metric, or a bound on this one",
                "Correct the rule",
            )  # fmt: skip
        if metric.misses != "left out" and metric.name != "precision":  # a miss is nothing that was said
            return
        beside = [r for r in self.policy.policy.rules if r.metric == "coverage" and r.slice == rule.slice]
        if not beside:
            of = f" by {rule.slice}" if rule.slice else ""
            raise UserError(
                self.policy.place("rules", number, "metric"),
                f"{rule.metric} leaves out rows without an answer, and nothing bounds these",
                f"Beside it the policy has a rule on coverage{of}", "Add one, as 'at_least: 0.98'",
            )  # fmt: skip

    def suite_of(self, rules: Sequence[Rule]) -> Suite:
        """The run's suite, with the metrics and slices of some rules alone."""
        slices = dict.fromkeys(tuple(rule.slice.split("&")) for rule in rules if rule.slice)
        plain = tuple(names[0] if len(names) == 1 else names for names in slices)
        attributes = {name for names in slices for name in names}
        suite = self.results.suite
        return suite.model_copy(
            update={
                "metrics": tuple(dict.fromkeys(rule.metric for rule in rules)),
                "slices": plain, "controls": (), "primary": (),
                "bins": {name: edges for name, edges in suite.bins.items() if name in attributes},
            }
        )  # fmt: skip

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
        errors = self._errors(row)
        limit = self.policy.policy.errors_at_most
        if errors > limit:
            return f"{errors:.1%} of the rows are decode or model errors, and {limit:.1%} may be"
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

    def _errors(self, row: Row) -> float:
        """The share of decode and model errors in the cell of a row."""
        cell = self.results.cell(self.model, row["dataset"], _place(row))
        if cell is None or not (rows := sum(cell.statuses.values())):
            return 0.0
        return sum(cell.statuses.get(status, 0) for status in ("decode_error", "model_error")) / rows


def decide(ground: Ground, rule: Rule) -> Iterator[Held]:
    """What a rule is held against, and the verdict of each number."""
    if rule.gap_at_most is not None:
        yield from _gaps(ground, rule)
        return
    what, bound = rule.requirement
    for row in ground.chosen(rule, _kind(rule)):
        low, high = _number(row["low"]), _number(row["high"])
        verdict = above(low, high, bound) if what == "at_least" else below(low, high, bound)
        exact = row["kind"] == "value" and _metric(rule.metric).kind == "proportion"
        held = ground.held(row, verdict, exact=exact)
        if held.verdict == "inconclusive" and held.why is None:
            held = replace(held, settle=_settle(row, bound))
        yield held


def _settle(row: Row, bound: float) -> int | None:
    """How many clusters would bring the end of an interval that reaches over a bound back to it."""
    end = row["low"] if row["estimate"] > bound else row["high"]
    return clusters_to_settle(row["estimate"], end, bound, row["clusters"])


def decide_pair(ground: Ground, rule: Rule, row: Row, verdict: Verdict) -> Held:
    """The verdict on a difference from a baseline, new - old."""
    held = ground.held(row, verdict)
    if held.verdict == "inconclusive" and held.why is None:
        margin = rule.requirement[1]
        bound = -margin if _metric(rule.metric).direction == "higher" else margin
        held = replace(held, settle=_settle(row, bound))
    return held


def _gaps(ground: Ground, rule: Rule) -> Iterator[Held]:
    """Under each condition, every pair of values of a slice against the largest gap; what decides is held."""
    rows = ground.chosen(rule, "value")
    for place in dict.fromkeys((row["dataset"], _place(row)) for row in rows):
        here = [row for row in rows if (row["dataset"], _place(row)) == place]
        held = [ground.held(row, "pass") for row in here]
        yield from (each for each in held if each.why is not None)
        known = [each.row for each in held if each.why is None]
        if len(known) > 1:
            contrasts = [
                row for row in ground.chosen(rule, "contrast") if (row["dataset"], _place(row)) == place
            ]
            yield _widest(ground, rule, known, contrasts)


def _widest(ground: Ground, rule: Rule, rows: Sequence[Row], contrasts: Sequence[Row]) -> Held:
    """The pair whose limits reach furthest, with the verdict of all pairs."""
    limit, level = rule.requirement[1], ground.results.suite.level
    columns = {name: np.array([_number(row[name]) for row in rows]) for name in _COLUMNS}
    found = Intervals(**columns, level=rows[0]["level"])
    low, high = differences(found.estimate, *one_sided(_metric(rule.metric).kind, found, level))
    furthest = int(np.maximum(high, -low).argmax())
    one, other = (int(index[furthest]) for index in np.triu_indices(len(rows), 1))
    names = {row["value"] for row in rows}
    apart = [row for row in contrasts if {row["value"], row["reference"]} <= names and _beyond(row, limit)]
    verdict: Verdict = "fail" if apart else "pass" if _within(low, high, limit) else "inconclusive"
    shown = max(apart, key=lambda row: abs(row["estimate"]), default=None) or {
        **rows[one],
        "kind": "contrast", "reference": rows[other]["value"], "level": 2 * level - 1,
        "estimate": rows[one]["estimate"] - rows[other]["estimate"],
        "low": float(low[furthest]), "high": float(high[furthest]),
        "n": None, "clusters": None, "n_eff": None,
    }  # fmt: skip
    settle = None
    if verdict == "inconclusive":
        size, half = abs(shown["estimate"]), (shown["high"] - shown["low"]) / 2
        reach = max(shown["high"], -shown["low"]) if size < limit else size - half
        settle = clusters_to_settle(size, reach, limit, rows[one]["clusters"] + rows[other]["clusters"])
    return Held(shown, verdict, settle=settle)


_COLUMNS = ("estimate", "low", "high", "df", "n_eff")


def _within(low: np.ndarray, high: np.ndarray, limit: float) -> bool:
    return bool(((high < limit) & (low > -limit)).all())


def _beyond(row: Row, limit: float) -> bool:
    """Whether a simultaneous interval of a pair lies beyond the limit, on either side."""
    return row["status"] == "reportable" and (_number(row["low"]) > limit or _number(row["high"]) < -limit)


def _kind(rule: Rule) -> str:
    return _KINDS.get(rule.requirement[0], "value")


def _metric(name: str) -> Metric:
    return METRICS[name.partition("/")[0]]


def _place(row: Row) -> Place:
    severity = row["severity"] or 0
    return Place(row["condition"], (row["where"] or "") if severity else "", severity)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
