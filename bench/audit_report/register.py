"""Section 15: the findings register, a row for everything that somebody has to answer for.

Severity follows a rule that is printed with it and looks at no size of a number. Ids are made of what a
finding is about and not of its numbers, so that they stay when data are added; answers stand in the context.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.audit_report.case import Case
from bench.audit_report.representativeness import untested
from bench.context import Response
from bench.digest import digest_json
from bench.gate.sentences import asked, sentence
from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.parts import Part, Section
from bench.report.results import Row
from bench.report.table import Group, Line, Table

__all__ = ["Registered", "findings", "register", "stray_answers"]

Severity = Literal["high", "medium", "low"]
_ORDER: tuple[Severity, ...] = ("high", "medium", "low")
_RULE = (
    "High: a rule of the policy fails, the declared use would be prohibited, or a number could not be made "
    "again. Medium: a rule is not decided by the data, no posture can be given, or something declared was "
    "not tested. Low: something declared was tested on too little to compare or to show. No size of a "
    "number enters."
)
_TO_FILL = "to be filled by the provider"


@dataclass(frozen=True)
class Registered:
    """One finding: its id, what was found, how grave, and where the evidence lies."""

    id: str
    says: str
    severity: Severity
    evidence: str


@dataclass(frozen=True)
class _Found:
    """A finding before it has an id: ``about`` names it without any number."""

    about: tuple[Any, ...]
    says: str
    severity: Severity
    evidence: str


def findings(case: Case) -> tuple[Registered, ...]:
    """All findings, the gravest first, each with an id that no other has."""
    seen: dict[str, int] = {}
    made = []
    for found in (*_of_posture(case), *_of_rules(case), *_of_declared(case), *_of_audit(case)):
        plain = digest_json(list(found.about))
        again = seen[plain] = seen.get(plain, 0) + 1
        name = f"F-{digest_json([plain, again])[:8]}"
        made.append(Registered(name, found.says, found.severity, found.evidence))
    return tuple(sorted(made, key=lambda one: _ORDER.index(one.severity)))


def register(case: Case) -> Section:
    """The register, with what the context answers to each finding."""
    found = findings(case)
    answers = {} if case.context is None else case.context.context.findings
    lines = tuple(
        Line(
            one.id,
            (
                Entry(one.severity, "text"),
                Entry(one.says, "sentence"),
                Entry(one.evidence, "sentence"),
                *_answer(answers.get(one.id)),
            ),
        )
        for one in found
    )
    unknown = stray_answers(case, found)
    text = [_RULE]
    if not found:
        text.append("No finding. This follows from what was looked for, which sections 1, 4 and 5 state.")
    if unknown:
        text.append(f"Answered in the context, and no finding of this report: {', '.join(unknown)}.")
    columns = ("Id", "Severity", "Finding", "Evidence", "Mitigation", "Owner", "Due")
    tables = (Table("Findings", columns, (Group(lines),)),) if lines else ()
    return Section("s15", "15 Findings register", parts=(Part("Findings", tuple(text), tables=tables),))


def stray_answers(case: Case, found: Sequence[Registered]) -> list[str]:
    """The ids that the context answers and that are no findings of the report, which has ``found``."""
    answers = {} if case.context is None else case.context.context.findings
    return sorted(set(answers) - {one.id for one in found})


def _answer(response: Response | None) -> tuple[Entry, ...]:
    said = (None,) * 3 if response is None else (response.mitigation, response.owner, response.due)
    return tuple(Entry(text or _TO_FILL, "text") for text in said)


def _of_posture(case: Case) -> Iterator[_Found]:
    if case.context is None or case.posture is None:
        return
    found, name = case.posture, case.context.document.path.name
    if found.gravest == "prohibited":
        held = [
            each
            for each in (found.decided_by, *found.beside)
            if each.outcome == "prohibited" and each.certain
        ]
        for each in held:
            says = f"The declared use would be prohibited ({each.article}): {each.says}"
            where = f"{name}, {', '.join(each.rests_on)}; sha256 {case.context.digest[:12]}"
            yield _Found(("posture", each.article), says, "high", where)
    elif found.outcome == "refused":
        says = f"No posture can be given: {found.decided_by.says}"
        yield _Found(
            ("posture", "refused"), says, "medium", f"{name}, {', '.join(found.decided_by.rests_on)}"
        )


def _of_rules(case: Case) -> Iterator[_Found]:
    """Every number that fails a rule or leaves it open."""
    if case.gate is None:
        return
    file = case.gate.policy
    for number, rule in enumerate(file.policy.rules):
        of = f"{file.document.path.name}:{file.line(number)}"
        for held in case.gate.of(number):
            if held.verdict == "pass" or held.exempt is not None:
                continue
            severity: Severity = "high" if held.verdict == "fail" else "medium"
            about = ("rule", asked(rule), *_keys(held.row))
            yield _Found(about, sentence(rule, held, fmt.THIN), severity, f"{of}; {_row_of(held.row)}")


def _of_declared(case: Case) -> Iterator[_Found]:
    assert case.context is not None or not untested(case)
    for one in untested(case):
        assert case.context is not None
        where = f"{case.context.document.path.name}, {one.kind}; sha256 {case.context.digest[:12]}"
        severity: Severity = "medium" if one.state == "not tested" else "low"
        yield _Found(("declared", one.kind, one.name), f"{one.says}.", severity, where)


def _of_audit(case: Case) -> Iterator[_Found]:
    """What the second opinion does not find again; of a withheld number it says nothing."""
    if case.recomputed is None:
        return
    for each in case.recomputed.differences:
        if each.row["model"] == case.model.name:
            says = f"{each.field} of {_named(each.row)} could not be made again: they differ"
            yield _Found(("recomputed", each.field, *_keys(each.row)), says, "high", _row_of(each.row))
    for fault in (one for one in case.recomputed.findings if one.faults):
        says = f"Invariant does not hold: {fault.name} ({fmt.counted(len(fault.faults), 'fault')})"
        yield _Found(("invariant", fault.name), says, "high", "affectbench audit RUN names each")


_ELSEWHERE = {"difference": "paired with the baseline", "speed": "measured speed"}
_KEY = ("dataset", "condition", "severity", "where", "slice", "value", "reference", "metric", "kind")


def _keys(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in _KEY)


def _named(row: Row) -> str:
    of = f" of {row['slice']} {row['value'] or ''}".rstrip() if row.get("slice") else ""
    under = fmt.condition(row["condition"], row["severity"], row["where"])
    return f"{fmt.metric(row['metric'])}{of} on {row['dataset']}, {under}"


def _row_of(row: Row) -> str:
    """Where the number stands in the run; what a baseline or a clock decides is in no estimate."""
    if row.get("kind") in _ELSEWHERE:
        return f"{_ELSEWHERE[row['kind']]}: {_named(row)}"
    kind = row.get("kind", "curve")
    return f"estimates.parquet, kind {kind}: {_named(row)}"
