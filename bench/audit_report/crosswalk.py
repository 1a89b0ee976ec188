"""Section 16: provisions and standards beside the evidence of this report, by a rule on what the run holds.

"Evidenced" says that evidence of the kind asked for is there, never that it is enough or that a duty is met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.audit_report.case import Case
from bench.audit_report.representativeness import covered
from bench.report.entries import Entry, state_of
from bench.report.parts import Part, Section
from bench.report.results import Row
from bench.report.table import Group, Line, Table

__all__ = ["CROSSWALK", "Provision", "State", "crosswalk"]

State = Literal["evidenced", "partial", "not evidenced", "outside tool"]
_TOLD = (
    "Evidenced: evidence of this kind is in the report. Partial: some of it is. Whether it suffices, and "
    "whether a duty is met, is for whoever assesses. No harmonised standard was known to be cited at the "
    "date of section 2."
)
_Rule = Callable[[Case], tuple[State, str]]


@dataclass(frozen=True)
class Provision:
    """What a provision or standard asks evidence for, in short, and the rule that looks for it."""

    source: str
    asks: str
    rule: _Rule


def _outside(why: str) -> _Rule:
    return lambda _: ("outside tool", why)


def _rows(case: Case, *, sliced: bool = False, kind: str = "value") -> list[Row]:
    """Estimates of a kind that can be read, over all rows or by slice."""
    found = case.results.rows if kind == "value" else case.results.differences
    return [
        row
        for row in found
        if row["kind"] == kind
        and (row["slice"] is not None) == sliced
        and state_of(row) in ("reportable", "insufficient")
    ]


def _accuracy(case: Case) -> tuple[State, str]:
    known = [row for row in _rows(case) if not row["severity"]]
    if not known:
        return "not evidenced", "no estimate over all rows"
    whole = [row for row in known if row["low"] is not None]
    return ("evidenced", "section 6") if whole else ("partial", "section 6, without intervals")


def _groups(case: Case) -> tuple[State, str]:
    rows = _rows(case, sliced=True)
    enough = [row for row in rows if row["status"] == "reportable"]
    if not rows:
        return "not evidenced", "no slice"
    lacking = len({(r["slice"], r["value"]) for r in rows} - {(r["slice"], r["value"]) for r in enough})
    if not enough or lacking:
        return "partial", f"section 7; {lacking} values have too few"
    return "evidenced", "section 7"


def _intersections(case: Case) -> tuple[State, str]:
    both = any("&" in row["slice"] for row in _rows(case, sliced=True))
    state, where = _groups(case)
    if state == "not evidenced":
        return state, where
    return (state, where) if both else ("partial", "section 7; no intersection")


def _bias(case: Case) -> tuple[State, str]:
    tested = [row for row in _rows(case, sliced=True, kind="gap") if row["p"] is not None]
    if tested:
        return "evidenced", f"section 8; {len(tested)} gaps tested"
    return ("partial", "section 7 alone") if _rows(case, sliced=True) else ("not evidenced", "no slice")


def _conditions(case: Case) -> tuple[State, str]:
    harmed = [row for row in _rows(case) if row["severity"]]
    lost = _rows(case, kind="degradation")
    if not harmed:
        return "not evidenced", "clean media alone"
    return ("evidenced", "section 9") if lost else ("partial", "section 9, without degradation")


def _thresholds(case: Case) -> tuple[State, str]:
    if case.gate is None:
        return "not evidenced", "no policy"
    return ("evidenced", "section 5") if case.gate.locked else ("partial", "section 5; not locked before")


def _of(kind: str) -> _Rule:
    return lambda case: _represents(case, kind)


def _represents(case: Case, kind: str) -> tuple[State, str]:
    found = [one.state for one in covered(case) if one.kind == kind]
    if "tested" not in found:
        return "not evidenced", f"no declared {kind} was tested enough"
    good = found.count("tested")
    state: State = "evidenced" if good == len(found) else "partial"
    return state, f"section 4; {good} of {len(found)} declared {kind}s"


def _lock(case: Case) -> tuple[State, str]:
    lock = case.results.lock
    if lock is None:
        return "not evidenced", "no lock"
    return ("evidenced", "section 5") if lock.followed else ("partial", "section 5; not followed")


def _signatures(case: Case) -> tuple[State, str]:
    return ("evidenced", "section 0") if case.final else ("partial", "a draft, unsigned")


def _instructions(case: Case) -> tuple[State, str]:
    state, _ = _accuracy(case)
    return (
        (state, "section 12")
        if state == "not evidenced"
        else ("partial", "section 12; cybersecurity not tested")
    )


def _provenance(case: Case) -> tuple[State, str]:
    known = [d for d in case.results.datasets if d.facts.licence != "unknown"]
    if not known:
        return "not evidenced", "no licence is recorded"
    return "partial", "section 4; licence and origin of attributes alone"


def _calibration(case: Case) -> tuple[State, str]:
    asked = {row["metric"].partition("/")[0] for row in _rows(case)} & {"ece", "brier", "nll", "aurc"}
    return ("evidenced", "section 6") if asked else ("not evidenced", "no such metric")


def _release(case: Case) -> tuple[State, str]:
    if case.baseline is None:
        return "not evidenced", "no baseline"
    decided = case.gate is not None and any(r.not_worse_by is not None for r in case.gate.policy.policy.rules)
    return ("evidenced", "section 11") if decided else ("partial", "section 11; no margin")


def _selection(case: Case) -> tuple[State, str]:
    rows = [row for row in _rows(case, sliced=True) if row["metric"].startswith("selection_rate")]
    return (
        ("partial", "section 7; rates by label, and no law's pass mark")
        if rows
        else ("not evidenced", "no selection rate")
    )


def _attacks(_: Case) -> tuple[State, str]:
    return "not evidenced", "section 10; not tested"


def _recomputed(case: Case) -> tuple[State, str]:
    if case.recomputed is None:
        return "not evidenced", "not recomputed"
    return ("evidenced", "section 18") if case.recomputed.agrees else ("partial", "section 18; disagreements")


CROSSWALK: tuple[Provision, ...] = (
    Provision("AI Act Art 4a", "log of access to special categories", _outside("whoever holds the data")),
    Provision(
        "AI Act Art 9(2), (5)", "risks, misuse, residual risk", _outside("the provider's risk management")
    ),
    Provision("AI Act Art 9(6), (8)", "tests against metrics and thresholds set in advance", _thresholds),
    Provision("AI Act Art 10(2)(b)-(e)", "origin and preparation of data", _provenance),
    Provision("AI Act Art 10(2)(f), (g)", "examination of biases", _bias),
    Provision(
        "AI Act Art 10(2)(h), (3)", "data gaps, representative of persons", lambda c: _represents(c, "group")
    ),
    Provision("AI Act Art 10(4)", "conditions of the setting of use", _of("condition")),
    Provision("AI Act Annex IV 2(g)", "dated and signed test reports", _signatures),
    Provision("AI Act Annex IV 3", "accuracy for specific persons or groups", _groups),
    Provision("AI Act Annex IV 4", "why the metrics are appropriate", _outside("the provider's argument")),
    Provision("AI Act Art 12, 19", "automatic logs", _outside("the deployed system")),
    Provision("AI Act Art 13(3)(b)", "accuracy, groups and limits in the instructions", _instructions),
    Provision("AI Act Art 14", "human oversight", _outside("design and use")),
    Provision("AI Act Art 15(1), (3)", "levels of accuracy, with their metrics", _accuracy),
    Provision("AI Act Art 15(1)", "consistent over releases", _release),
    Provision("AI Act Art 15(4)", "robustness to errors and conditions", _conditions),
    Provision(
        "AI Act Art 15(5)", "adversarial examples, poisoning", lambda _: ("not evidenced", "not tested")
    ),
    Provision("AI Act Art 26(4)", "input data representative in use", _of("condition")),
    Provision("AI Act Art 27", "impact on fundamental rights", _outside("the deployer's assessment")),
    Provision("AI Act Art 43, 49", "assessment by a body, registration", _outside("provider and authority")),
    Provision("AI Act Art 50(3)", "information of those exposed", _outside("the deployer")),
    Provision("AI Act Art 72", "monitoring on the market", _outside("the provider; triggers in section 17")),
    Provision("ISO/IEC TR 24027", "metrics of bias on confusion matrices", _bias),
    Provision("ISO/IEC TS 4213", "accuracy with controls of the assessment", _accuracy),
    Provision("ISO/IEC TR 24029-1", "statistical robustness", _conditions),
    Provision("ISO/IEC TS 12791", "acceptance criteria at inception", _lock),
    Provision("ISO/IEC 19795-10", "differences by group with uncertainty", _bias),
    Provision("NIST AI RMF, MEASURE 2", "documented tests with uncertainty", _accuracy),
    Provision("NIST AI RMF, MEASURE 2.11", "fairness evaluated", _bias),
    Provision("NYC LL144", "selection rates and impact ratios", _selection),
    Provision("Model Cards", "unitary and intersectional results", _intersections),
    Provision("Calibration of probabilities", "confidence that means what it says", _calibration),
    Provision("Second opinion", "numbers made again by another way", _recomputed),
)


def crosswalk(case: Case) -> Section:
    """Every provision with what this report holds for it."""
    lines = []
    for number, each in enumerate(CROSSWALK, 1):
        state, where = each.rule(case)
        entries = (each.asks, "sentence"), (f"E-{number:02}", "text"), (where, "sentence"), (state, "text")
        lines.append(Line(each.source, tuple(Entry(text, kind) for text, kind in entries)))
    columns = ("Provision or standard", "What it asks evidence for", "Evidence", "Where", "State")
    table = Table("Crosswalk", columns, (Group(tuple(lines)),))
    return Section("s16", "16 Crosswalk", parts=(Part("Evidence", (_TOLD,), tables=(table,)),))
