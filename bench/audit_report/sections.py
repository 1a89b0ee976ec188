"""The audit report as one tree: the first screen, then sections 0 to 18 in their order."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.audit_report.case import Case
from bench.audit_report.crosswalk import CROSSWALK, crosswalk, state_of
from bench.audit_report.data import data
from bench.audit_report.held import EVIDENCE
from bench.audit_report.identity import identity, signed
from bench.audit_report.instructions import instructions
from bench.audit_report.limits import construct, limits, security
from bench.audit_report.monitoring import monitoring
from bench.audit_report.performance import disparity, groups, overall, robustness
from bench.audit_report.plan import plan
from bench.audit_report.purpose import purpose
from bench.audit_report.register import findings, register
from bench.audit_report.release import release
from bench.audit_report.reproducibility import reproducibility
from bench.audit_report.summary import cards, summary
from bench.audit_report.system import system
from bench.posture import Posture
from bench.report.banners import banners
from bench.report.parts import Page

__all__ = ["about", "audit_page"]

_SECTIONS = (
    identity, summary, purpose, system, data, plan, overall, groups, disparity, robustness, security, release,
    instructions, construct, limits, register, crosswalk, monitoring, reproducibility,
)  # fmt: skip
_DRAFT = "DRAFT. Not signed; its findings may still change."


def about(case: Case) -> dict[str, Any]:
    """What a program asks first: system, date, posture, verdict, and every finding."""
    return {
        "model": case.model.name,
        "date": case.date,
        "posture": None if case.posture is None else _posture(case.posture),
        "verdict": case.gate.verdict if case.gate else None,
        "findings": [asdict(one) for one in findings(case)],
        "crosswalk": [
            {"source": each.source, "asks": each.asks, "state": state_of(each, case)} for each in CROSSWALK
        ],
        "evidence": {name: evidence.rule(case)[0] for name, evidence in EVIDENCE.items()},
    }


def _posture(found: Posture) -> dict[str, Any]:
    names = ("sentence", "outcome", "gravest", "possible", "unknown")
    return {name: getattr(found, name) for name in names}


def audit_page(case: Case) -> Page:
    """The whole report; equal cases give equal pages."""
    state = "" if case.final else "DRAFT: "
    digests = dict(case.results.digests)
    if case.context is not None:
        digests[case.context.document.path.name] = case.context.digest
    if case.gate is not None:
        digests[case.gate.policy.document.path.name] = case.gate.policy.digest
    by = f"Auditor: {signed(case, 'auditor')}. Signatory: {signed(case, 'signatory')}."
    return Page(
        title=f"{state}Audit report: {case.model.name}",
        about=f"{by} {case.date or 'Not dated'}. It measures and describes; it approves of nothing.",
        banners=(*([] if case.final else [_DRAFT]), *banners(case.results)),
        facts=(),
        summary=(),
        sections=tuple(section(case) for section in _SECTIONS),
        digests=tuple(sorted(digests.items())),
        cards=cards(case),
        draft=not case.final,
    )
