"""Rules that no number could decide, that every or none passes, or that a model passes by keeping silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.judge.metrics import METRICS, Metric

if TYPE_CHECKING:
    from bench.policy import PolicyFile, Rule

__all__ = ["metric_of", "require_decidable"]

_SAME = ("slice", "data", "condition", "severity", "where")


def metric_of(name: str) -> Metric:
    """The metric of a name such as ``recall/fear``."""
    return METRICS[name.partition("/")[0]]


def require_decidable(policy: PolicyFile, number: int) -> None:
    """UserError for a rule on what models say that is none, by the line of what is wrong with it."""
    rule = policy.policy.rules[number]
    what, _ = rule.requirement
    refusal = _undecidable(rule) or _vacuous(rule) or _hopeless(rule)
    if refusal:
        raise UserError(
            policy.place("rules", number, what), refusal, "A rule that a number of the run can decide",
            "Correct the rule",
        )  # fmt: skip
    _require_both_sides(policy, number)
    _require_coverage(policy, number)


def _undecidable(rule: Rule) -> str | None:
    """Why no number decides a rule, None where one does."""
    metric, (what, _) = metric_of(rule.metric), rule.requirement
    if what == "gap_at_most" and metric.biased:
        return f"{rule.metric} grows or shrinks with the rows of a group, so that its gaps are no evidence"
    if what == "not_worse_by" and "|" in (rule.slice or ""):
        return f"a baseline is not compared within a control ({rule.slice})"
    if what in ("not_worse_by", "loses_at_most") and metric.direction not in ("higher", "lower"):
        return f"neither more nor less of {rule.metric} is better"
    return None


def _vacuous(rule: Rule) -> str | None:
    """Why every number passes a rule, None where one may fail."""
    low, high = metric_of(rule.metric).range
    what, bound = rule.requirement
    if what == "at_least":
        return f"no {rule.metric} is below {low:g}, so that nothing can fail it" if bound <= low else None
    if what == "at_most":
        return f"no {rule.metric} is above {high:g}, so that nothing can fail it" if bound >= high else None
    apart = high - low
    return f"no two values of {rule.metric} lie more than {apart:g} apart" if bound >= apart else None


def _hopeless(rule: Rule) -> str | None:
    """Why no number passes a rule, None where one may: of percent where shares are meant, above all."""
    low, high = metric_of(rule.metric).range
    what, bound = rule.requirement
    if what == "at_least" and bound > high:
        return f"no {rule.metric} is above {high:g}, so that nothing can pass 'at_least: {bound:g}'"
    if what == "at_most" and bound < low:
        return f"no {rule.metric} is below {low:g}, so that nothing can pass 'at_most: {bound:g}'"
    if what == "loses_at_most" and bound < low - high:
        return f"no two values of {rule.metric} lie more than {high - low:g} apart, so none can pass it"
    return None


def _require_both_sides(policy: PolicyFile, number: int) -> None:
    """UserError for a bound on one side of a metric that errs on both, unless the other is bounded too."""
    rule, (what, bound) = policy.policy.rules[number], policy.policy.rules[number].requirement
    opposite = {"at_most": "at_least", "at_least": "at_most"}.get(what)
    metric = metric_of(rule.metric)
    if opposite is None or metric.direction != "zero" or metric.range[0] >= 0:
        return
    beside = (r for r in policy.policy.rules if r.metric == rule.metric and _alike(r, rule))
    if not any(r.requirement[0] == opposite for r in beside):
        side = "below" if what == "at_most" else "above"
        raise UserError(
            policy.place("rules", number, what),
            f"{rule.metric} is best at 0 and errs both ways, and nothing bounds it from {side}",
            f"Two rules on it, of the same slice, data and condition: '{what}' and '{opposite}'",
            f"Add a rule with '{opposite}: {-bound:g}'",
        )  # fmt: skip


def _require_coverage(policy: PolicyFile, number: int) -> None:
    """UserError for a metric that leaves out rows without an answer, unless coverage is bounded beside it."""
    rule = policy.policy.rules[number]
    metric = metric_of(rule.metric)
    if metric.misses != "left out" and metric.name != "precision":  # a miss is nothing that was said
        return
    beside = (r for r in policy.policy.rules if r.metric == "coverage" and _alike(r, rule))
    if not any(r.requirement[0] in ("at_least", "not_worse_by") for r in beside):
        of = f" by {rule.slice}" if rule.slice else ""
        raise UserError(
            policy.place("rules", number, "metric"),
            f"{rule.metric} leaves out rows without an answer, and nothing bounds these",
            f"Beside it the policy bounds coverage{of}, of the same data and condition, from below",
            "Add such a rule, as 'at_least: 0.98'",
        )  # fmt: skip


def _alike(one: Rule, other: Rule) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _SAME)
