"""Section 11: the system beside its baseline, paired by cluster: what changed, and whether it is no worse."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.audit_report.case import Case
from bench.gate.sentences import asked, sentence
from bench.report import format as fmt
from bench.report.entries import Entry, counted, estimated
from bench.report.parts import Part, Section
from bench.report.results import Row, unique
from bench.report.table import Group, Line, Table

if TYPE_CHECKING:
    from bench.judge.comparison import Compared

__all__ = ["ON_BASELINE", "release"]

ON_BASELINE = ("not_worse_by", "no_slower_than")
"""The requirements of a rule that a baseline decides."""

_NONE = "Release comparison: not tested, no baseline was given (--baseline)."
_PAIRED = (
    "Differences are new minus baseline on the same targets, paired by cluster, with two-sided intervals. "
    "That no difference was seen does not show that there is none: no worse than the baseline is said by a "
    "rule alone."
)
_NO_RULE = (
    "No rule of a policy is on the baseline (not_worse_by): whether the system is no worse is not decided."
)


def release(case: Case) -> Section:
    """Differences from the baseline, and the verdicts of the rules on it."""
    title = "11 Release comparison"
    if case.baseline is None:
        return Section("s11", title, parts=(Part("Baseline", (_NONE,)),))
    tables = tuple(_table(case, dataset) for dataset in unique(c.row["dataset"] for c in case.compared))
    parts = (Part(f"Against {case.baseline}", (_PAIRED,), tables=tables), _verdicts(case))
    return Section("s11", title, parts=parts)


def _verdicts(case: Case) -> Part:
    rules = [] if case.gate is None else list(enumerate(case.gate.policy.policy.rules))
    asking = [(number, rule) for number, rule in rules if rule.requirement[0] in ON_BASELINE]
    if not asking or case.gate is None:
        return Part("Non-inferiority", (_NO_RULE,))
    groups = tuple(
        Group(
            tuple(
                Line(held.verdict, (Entry(sentence(rule, held, fmt.THIN), "sentence"),))
                for held in case.gate.of(number)
            ),
            asked(rule),
        )
        for number, rule in asking
    )
    return Part("Non-inferiority", tables=(Table("Rules on the baseline", ("Verdict", "Numbers"), groups),))


def _table(case: Case, dataset: str) -> Table:
    """On clean media every metric, then every slice; under conditions the metric that comes first."""
    mine = [each for each in case.compared if each.row["dataset"] == dataset and each.given]
    lead = next((each.row["metric"] for each in mine), "")
    clean = [each for each in mine if not each.row["severity"]]
    whole = [(fmt.metric(each.row["metric"]), each) for each in clean if each.row["slice"] is None]
    leading = [each for each in mine if each.row["metric"] == lead]
    cut = [
        (f"{e.row['slice']}: {e.row['value']}", e)
        for e in leading
        if e in clean and e.row["slice"] is not None
    ]
    harmed = [(_under(each), each) for each in leading if each.row["severity"] and each.row["slice"] is None]
    titles = (
        "clean, all rows",
        f"clean, {fmt.metric(lead)} by slice",
        f"{fmt.metric(lead)} under conditions, all rows",
    )
    groups = tuple(
        Group(tuple(_line(head, each) for head, each in found), title)
        for title, found in zip(titles, (whole, cut, harmed), strict=True)
        if found
    )
    columns = ("Of", "Baseline", "New", f"New {fmt.MINUS} baseline", "p", "q", "Clusters")
    return Table(f"Paired differences on {dataset}", columns, groups)


def _under(each: Compared) -> str:
    return fmt.condition(each.row["condition"], each.row["severity"], each.row["where"])


def _line(head: str, each: Compared) -> Line:
    row: Row = {name: _known(value) for name, value in each.row.items()}
    row = {**dict.fromkeys(("low", "high", "p", "p_adjusted", "warning", "clusters", "cluster_unit")), **row}
    withheld = row["status"] == "suppressed"
    old, new = (_number(value, withheld=withheld) for value in (each.old, each.new))
    tests = (Entry(fmt.probability(row[name]), value=row[name]) for name in ("p", "p_adjusted"))
    return Line(head, (old, new, estimated(row), *tests, counted(row, "clusters")))


def _number(value: float, *, withheld: bool) -> Entry:
    if withheld:
        return Entry(fmt.WITHHELD, "suppressed")
    return Entry(fmt.number(value), value=_known(value))


def _known(value: float) -> float | None:
    """A value, None where it is NaN."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
