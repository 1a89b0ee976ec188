"""The first screen and section 1: what was declared and not tested, what fails, what is unknown, what holds.

With a policy a rule holds or fails by the verdict of its gate. Without one nothing holds and nothing fails:
estimates are shown with their intervals, and what they are worth is left to the reader.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from bench.audit_report.case import Case
from bench.audit_report.instructions import numbered
from bench.audit_report.limits import SECURITY
from bench.audit_report.purpose import posture_card
from bench.audit_report.representativeness import untested
from bench.gate.sentences import asked, sentence
from bench.judge.gates import Verdict
from bench.report import format as fmt
from bench.report.entries import Entry, state_of
from bench.report.parts import Card, Part, Section
from bench.report.selection import gap_metrics, headline_rows, slicing_metric
from bench.report.table import Group, Line, Table

__all__ = ["cards", "summary"]

_MOST = 6
_NO_POLICY = "No policy was given: nothing was to be kept, so nothing {} by it."
_ANSWERS: dict[Verdict, str] = {"pass": "holds", "fail": "fails", "inconclusive": "unknown"}
_ALL_DECIDED = "Every rule of the policy is decided by the data."


def cards(case: Case) -> tuple[Card, ...]:
    """The first screen: what was not tested and the use, then what fails, is unknown and holds.

    A use that would be prohibited comes before all, for no test cures it.
    """
    lacking = [f"{one.says}." for one in untested(case)]
    if case.context is None:
        lacking = ["No context is declared: whom and where the system is used is unknown."]
    elif not any(case.context.context.population.values()):
        lacking.insert(0, "No share of any group of persons is declared: whom the data stand for is unknown.")
    title = "Declared, but not tested or not enough"
    shown = [Card("unknown", title, _few(lacking, "1", 10), "s1", wide=True)] if lacking else []
    use = posture_card(case)
    first = (use, *shown) if use.answer == "fails" else (*shown, use)
    return (
        *first,
        _decided(case, "fail", "fails"),
        Card("unknown", "What is unknown", _few(_unknown(case), "1"), "s1"),
        _decided(case, "pass", "holds"),
        *_measured(case),
    )


def summary(case: Case) -> Section:
    """Section 1: scope, every verdict, everything not tested."""
    results = case.results
    facts = (
        ("Scope", "; ".join(f"{d.name}, {fmt.counted(d.rows, 'row')}" for d in results.datasets)),
        ("Policy", case.gate.policy.policy.policy if case.gate else "none"),
        ("Verdict of the policy", case.gate.verdict if case.gate else "none: no policy"),
        ("Baseline", case.baseline or "none"),
    )
    table = _verdicts(case)
    parts = [
        Part("Findings by rule", () if case.gate else (_NO_POLICY.format("holds or fails"),), tables=table),
        Part("Not tested", (*(f"{one.says}." for one in untested(case)), *_small(case), *_not_tested(case))),
    ]
    return Section("s1", "1 Summary", facts, tuple(parts))


def _verdicts(case: Case) -> tuple[Table, ...]:
    """Every number of every rule with its answer."""
    if case.gate is None:
        return ()
    groups = tuple(
        Group(
            tuple(
                Line(
                    "exempt" if held.exempt else _ANSWERS[held.verdict],
                    (Entry(held.verdict, "text"), Entry(sentence(rule, held, fmt.THIN), "sentence")),
                )
                for held in case.gate.of(number)
            ),
            asked(rule),
        )
        for number, rule in enumerate(case.gate.policy.policy.rules)
    )
    return (Table("Rules and their numbers", ("Answer", "Verdict", "Number and rule"), groups),)


def _few(texts: Sequence[str], section: str, most: int = _MOST) -> tuple[str, ...]:
    """The first of many sentences, and where the others stand."""
    if len(texts) <= most:
        return tuple(texts)
    return (*texts[: most - 1], f"And {len(texts) - most + 1} more, in section {section}.")


def _decided(case: Case, verdict: Verdict, answer: Literal["holds", "fails"]) -> Card:
    """What ends in a verdict; where nothing does the card has no such colour and mark."""
    said = [] if case.gate is None else _sentences(case, verdict)
    if said:
        return Card(answer, f"What {answer}", _few(said, "1"), "s1")
    none = f"Nothing that the policy asks for {answer} for certain."
    return Card("told", f"What {answer}", (_NO_POLICY.format(answer) if case.gate is None else none,), "s1")


def _sentences(case: Case, verdict: Verdict) -> list[str]:
    """What ends in a verdict, rule by rule, within each what lies furthest beyond its bound first."""
    assert case.gate is not None
    told = []
    for number, rule in enumerate(case.gate.policy.policy.rules):
        mine = [held for held in case.gate.of(number) if held.verdict == verdict and held.exempt is None]
        bound = rule.requirement[1]
        mine.sort(key=lambda held: -_beyond(held.row["estimate"], bound))
        told += [f"{sentence(rule, held, fmt.THIN)}." for held in mine]
    return told


def _beyond(estimate: float | None, bound: float) -> float:
    """How far a number lies from a bound; 0 where it is undefined or withheld."""
    return 0.0 if estimate is None or math.isnan(estimate) else abs(estimate - bound)


def _unknown(case: Case) -> list[str]:
    """Undecided rules, then groups without enough data, then what is never tested here."""
    undecided = [] if case.gate is None else _sentences(case, "inconclusive")
    if case.gate is not None and not undecided:
        undecided = [_ALL_DECIDED]
    return [*undecided, *_small(case), *_not_tested(case)]


def _small(case: Case) -> list[str]:
    """How many values of slices are too small, per data set."""
    told = []
    for data in case.results.datasets:
        metric = slicing_metric(case.results, data)
        cell = (case.model.name, data.name, case.results.reference(data.name))
        parts = [(name, value) for name, values in case.results.slices(data.name) for value in values]
        states = [state_of(case.results.find(cell, metric, part)) for part in parts] if metric else []
        if few := sum(state != "reportable" for state in states):
            why = "too little data to compare" + ", or withheld" * ("suppressed" in states)
            told.append(f"{data.name}: {why}: {few} of {fmt.counted(len(states), 'value')} of slices.")
    return told


def _not_tested(case: Case) -> tuple[str, ...]:
    """What no run of this tool, or not this one, has tested."""
    results = case.results
    places = {place for data in results.datasets for place in results.places(data.name)}
    found = (
        []
        if any(results.slices(data.name) for data in results.datasets)
        else ["Groups of persons: not tested."]
    )
    found += [] if any(place.severity for place in places) else ["Robustness to conditions: not tested."]
    found += ["Other data sets than this one: not tested."] if len(results.datasets) == 1 else []
    return (*found, *SECURITY)


def _measured(case: Case) -> tuple[Card, ...]:
    """Without a policy: the headline with its intervals, and gaps beyond what chance makes."""
    if case.gate is not None:
        return ()
    told = [
        f"{data.name}: {numbered(row)}."
        for data in case.results.datasets
        for _, row in headline_rows(case.results, data, case.model.name)[:3]
    ]
    return (Card("told", "What was measured, held against nothing", (*told, *_gaps(case)), "s6", wide=True),)


def _gaps(case: Case) -> list[str]:
    """Gaps of the metric that leads whose adjusted p is small, with what chance makes of them."""
    told = []
    for data in case.results.datasets:
        rows = case.results.differences_at(data.name, case.results.reference(data.name))
        leading = gap_metrics(case.results, data)
        gaps = (r for r in rows if r["kind"] == "gap" and r["metric"] in leading and not r["reference"])
        for row in gaps:
            p = row["p_adjusted"]
            if p is not None and p <= 1 - case.results.suite.level:
                told.append(
                    f"{data.name}: {fmt.metric(row['metric'])} differs by {row['slice']} by "
                    f"{fmt.number(row['estimate'])}, more than chance makes (mean "
                    f"{fmt.number(row['null_mean'])}; adjusted p {fmt.probability(p)}, {row['role']})."
                )
    return told[:_MOST]
