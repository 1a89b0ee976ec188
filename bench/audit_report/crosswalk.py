"""Section 16: provisions and standards, the evidence each asks for, and how far this report holds it.

A provision is evidenced where all that it rests on is, and partly where some of it is. What nobody can show
by measuring a model is outside this tool, and said to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.act import Confidence
from bench.audit_report import held
from bench.audit_report.case import Case
from bench.report.entries import Entry
from bench.report.parts import Part, Section
from bench.report.table import Group, Line, Table

__all__ = ["CROSSWALK", "Provision", "State", "crosswalk", "state_of"]

State = Literal[held.State, "outside tool"]
_TOLD = (
    "Evidenced: evidence of this kind is in the report. Partial: some of it is. Whether it suffices, and "
    "whether a duty is met, is for whoever assesses. Not evidenced is no finding of a fault.",
    "Standards that begin with prEN are drafts. No harmonised standard under the AI Act was known to be "
    "cited at the date of knowledge of section 2. Basis 'general knowledge': its text was not read for this "
    "tool.",
)


@dataclass(frozen=True)
class Provision:
    """What a provision or standard asks evidence for; ``rests_on`` are ids of evidence, none if outside.

    ``owner`` says whose it is where it is outside this tool.
    """

    source: str
    asks: str
    rests_on: tuple[str, ...]
    owner: str = ""
    basis: Confidence = "read"


def _outside(source: str, asks: str, owner: str) -> Provision:
    return Provision(source, asks, (), owner)


def _act(article: str, asks: str, *rests_on: str, basis: Confidence = "read") -> Provision:
    return Provision(f"AI Act {article}", asks, rests_on, basis=basis)


_GENERAL: Confidence = "general knowledge"
CROSSWALK: tuple[Provision, ...] = (
    _outside("AI Act Art 4a", "log of access to special categories of data", "whoever holds the data"),
    _outside("AI Act Art 9(2), (5)", "risks, misuse, residual risk", "provider"),
    _act("Art 9(6), (8)", "tests against metrics and thresholds laid down before", "E-policy", "E-lock"),
    _act("Art 10(2)(b), (c)", "origin and preparation of data", "E-origin"),
    _act("Art 10(2)(d)", "what the data are meant to measure", "E-labels", "E-outputs", "E-raters"),
    _act("Art 10(2)(f), (g)", "examination of biases", "E-gaps"),
    _act("Art 10(2)(h), (3)", "data gaps; representative of the persons", "E-population", "E-groups"),
    _act("Art 10(4)", "the setting in which it is used", "E-setting"),
    _act("Annex IV 1", "the system, its version", "E-system", "E-card"),
    _act("Annex IV 2(g)", "tests of accuracy, robustness, impacts", "E-accuracy", "E-conditions", "E-gaps"),
    _act("Annex IV 2(g)", "reports dated and signed", "E-signature"),
    _act("Annex IV 3", "accuracy, for specific persons or groups and overall", "E-accuracy", "E-groups"),
    _outside("AI Act Annex IV 4", "why the metrics are appropriate", "provider"),
    _outside("AI Act Arts 12, 19", "automatic logs", "provider"),
    _act("Art 13(3)(b)(ii)", "accuracy, robustness, security", "E-accuracy", "E-conditions", "E-attacks"),
    _act("Art 13(3)(b)(v)", "performance on persons or groups", "E-groups"),
    _act("Art 13(3)(b)(vii)", "what lets outputs be interpreted", "E-calibration"),
    _outside("AI Act Art 14", "human oversight", "provider and deployer"),
    _act("Art 15(1)", "accuracy and robustness, consistent over the lifecycle",
         "E-accuracy", "E-conditions", "E-release"),
    _act("Art 15(3)", "levels of accuracy, with their metrics", "E-accuracy"),
    _act("Art 15(4)", "resilience to errors, faults and inconsistencies", "E-conditions", "E-misses"),
    _act("Art 15(5)", "resilience to attacks", "E-attacks"),
    _act("Art 26(4)", "input data representative in use", "E-population", "E-setting"),
    _outside("AI Act Art 27", "impact on fundamental rights", "deployer"),
    _outside("AI Act Arts 43, 49", "assessment by a body, registration", "provider"),
    _outside("AI Act Art 50(3)", "information of persons exposed", "deployer"),
    _outside("AI Act Art 72", "monitoring on the market", "provider; triggers in section 17"),
    Provision("prEN 18283", "bias: groups, measures, thresholds", ("E-gaps", "E-policy")),
    Provision("prEN 18281", "metrics of computer vision", ("E-accuracy", "E-origin")),
    Provision("prEN 18229-2", "accuracy, robustness", ("E-accuracy", "E-conditions"), basis=_GENERAL),
    Provision("ISO/IEC TR 24027", "measures of bias", ("E-gaps",), basis=_GENERAL),
    Provision(
        "ISO/IEC TS 4213", "controls of an assessment", ("E-accuracy", "E-population", "E-raters"),
        basis=_GENERAL,
    ),
    Provision("ISO/IEC TR 24029-1", "statistical robustness", ("E-conditions",), basis=_GENERAL),
    Provision("ISO/IEC TS 12791", "acceptance criteria at inception; tests", ("E-policy", "E-gaps")),
    Provision("ISO/IEC 19795-10", "differences by group, failures", ("E-gaps", "E-misses")),
    Provision("NIST AI RMF, MEASURE 2", "test sets, metrics, uncertainty", ("E-accuracy",), basis=_GENERAL),
    Provision("NIST AI RMF, MEASURE 2.11", "fairness and bias evaluated", ("E-gaps",), basis=_GENERAL),
    Provision("NYC LL144", "selection rates and impact ratios", ("E-selection",), basis=_GENERAL),
    Provision(
        "Model Cards", "unitary and intersectional results, the model's own card",
        ("E-card", "E-groups", "E-intersections"), basis=_GENERAL,
    ),
)  # fmt: skip


def state_of(provision: Provision, case: Case) -> State:
    """How far a provision is evidenced: partly where some of what it rests on is, else as all of it."""
    if not provision.rests_on:
        return "outside tool"
    states = {held.EVIDENCE[name].rule(case)[0] for name in provision.rests_on}
    return next(iter(states)) if len(states) == 1 else "partial"


def crosswalk(case: Case) -> Section:
    """The evidence that is held, then every provision beside it."""
    items = []
    for name, evidence in held.EVIDENCE.items():
        state, where = evidence.rule(case)
        kinds = ((evidence.what, "sentence"), (state, "text"), (where, "sentence"))
        items.append(Line(name, tuple(Entry(text, kind) for text, kind in kinds)))
    lines = tuple(
        Line(each.source, (
            Entry(each.asks, "sentence"),
            Entry(", ".join(each.rests_on) or f"owner: {each.owner}", "sentence"),
            Entry(state_of(each, case), "text"),
            Entry(each.basis if each.rests_on else "read", "text"),
        ))
        for each in CROSSWALK
    )  # fmt: skip
    tables = (
        Table("Evidence in this report", ("Id", "What", "State", "Where"), (Group(tuple(items)),)),
        Table(
            "Crosswalk", ("Provision or standard", "Asks evidence for", "Evidence", "State", "Basis"),
            (Group(lines),),
        ),
    )  # fmt: skip
    return Section("s16", "16 Crosswalk", parts=(Part("Evidence", _TOLD, tables=tables),))
