"""A gate's rules and verdicts in words, a sentence each, for every output that shows them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from bench.report import format as fmt

if TYPE_CHECKING:
    from bench.gate.ground import Held
    from bench.policy import Rule

__all__ = ["asked", "one_line", "sentence"]

_ASKED = {
    "at_least": "at least {0:g}",
    "at_most": "at most {0:g}",
    "gap_at_most": "gap at most {0:g}",
    "loses_at_most": "loses at most {0:g}",
    "not_worse_by": "worse than the baseline by less than {0:g}",
    "no_slower_than": "at most {0:g} times as slow as the baseline",
}
_UNITS = {"ms": " ms", "targets/s": " targets/s", "ratio": " times"}


def asked(rule: Rule) -> str:
    """A rule in words.

    >>> from bench.policy import Rule
    >>> asked(Rule(metric="uar", slice="sex", at_least=0.6))
    'UAR by sex: at least 0.6'
    """
    by = f" by {rule.slice}" if rule.slice else ""
    data = f" on {rule.data}" if rule.data else ""
    if rule.condition is not None:
        severity = "" if rule.severity is None else f", severity {rule.severity}"
        where = f", on the {rule.where}" if rule.where else ""
        data += f" under {fmt.short(rule.condition.replace('_', ' '), 60)}{severity}{where}"
    return one_line(f"{_named(rule.metric, rule.stage)}{by}{data}: {_required(rule)}")


def _required(rule: Rule) -> str:
    """What a rule requires, with the unit of what is measured, and the device that it is meant for."""
    what, bound = rule.requirement
    text = _ASKED[what].format(bound)
    if rule.of_speed and what != "no_slower_than":
        text += " targets/s" if rule.metric == "throughput" else " ms"
    return text + (f" on {fmt.short(rule.device, 60)}" if rule.device else "")


def _named(metric: str, stage: str | None) -> str:
    return fmt.heading(metric) + (f" of {fmt.STAGES[stage]}" if stage else "")


def sentence(rule: Rule, held: Held, separator: str = " ") -> str:
    """One verdict with the numbers that it rests on, and with what would settle it.

    ``separator`` stands in counts between groups of three digits; a page takes one that no line breaks at.
    """
    row, (what, _) = held.row, rule.requirement
    text = f"{_where(row)}: {_value(row, what, separator)}; {_required(rule)}"
    if held.exempt is not None:
        ends = f"exempt, {held.exempt}"
    elif held.verdict != "inconclusive":
        ends = held.verdict
    elif held.why is not None:
        ends = f"inconclusive, {held.why}"
    else:
        ends = f"inconclusive, for the interval does not decide it{_settled(held, separator)}"
    return one_line(f"{text}: {ends}")


def one_line(text: str) -> str:
    """Names from tables and policies as one line of characters that can be seen."""
    return fmt.plain(text.replace("\n", "\N{REPLACEMENT CHARACTER}"))


def _settled(held: Held, separator: str) -> str:
    if held.settle is None:
        return ""
    unit = fmt.clusters(held.settle, held.row["cluster_unit"], separator)
    return f"; about {unit} would settle it, if the value stayed"


def _where(row: dict[str, Any]) -> str:
    """Of what a number is: metric, value or pair of a slice, condition, data set."""
    of = ""
    if row["slice"] is not None:
        of = f" of {row['slice']}" if row["value"] is None else f" of {row['slice']} {row['value']}"
        of += f" against {row['reference']}" if row["kind"] == "contrast" else ""
    condition = fmt.condition(row["condition"], row["severity"], row["where"])
    return f"{_named(row['metric'], row.get('stage'))}{of}, {row['dataset']}, {condition}"


def _value(row: dict[str, Any], what: str, separator: str) -> str:
    if row["status"] == "suppressed":
        return "withheld"
    if row["estimate"] is None or math.isnan(row["estimate"]):
        return "not measured" if row["kind"] == "speed" else "undefined"
    if row["kind"] == "speed":
        return _speed(row)
    sign = fmt.signed if row["kind"] == "difference" else fmt.number
    number = sign(row["estimate"], 3)
    if row["low"] is not None and not math.isnan(row["low"]):
        number += f" [{sign(row['low'], 3)}, {sign(row['high'], 3)}]"
    said = {"loses_at_most": "loses ", "not_worse_by": f"new {fmt.MINUS} old "}.get(what, "")
    of = fmt.clusters(row["clusters"], row["cluster_unit"], separator)
    return f"{said}{number}" if row["clusters"] is None else f"{said}{number} ({of})"


def _speed(row: dict[str, Any]) -> str:
    """A latency, throughput or ratio of them with its interval, and what it was measured on."""
    ends = [fmt.DASH if math.isnan(row[end]) else fmt.measured(row[end]) for end in ("low", "high")]
    number = f"{fmt.measured(row['estimate'])} [{', '.join(ends)}]{_UNITS[row['unit']]}"
    one, more = ("stretch", "stretches") if row["metric"] == "throughput" else ("call", "calls")
    return f"{number} ({row['n']} {one if row['n'] == 1 else more}, {row['hardware']})"
