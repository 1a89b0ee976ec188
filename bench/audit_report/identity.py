"""Section 0: which system was looked at, by whom, how independent, when, and who signs."""

from __future__ import annotations

from bench.audit_report.case import Case
from bench.report.entries import Entry
from bench.report.parts import Part, Section
from bench.report.table import Group, Line, Table

__all__ = ["NOT_DECLARED", "identity", "signed"]

NOT_DECLARED = "not declared"
_DRAFT = "This is a draft: nobody has signed it, and its findings may still change."
_FINAL = (
    "The signatory answers for this report; the tool that made it vouches for no statement of the context."
)


def signed(case: Case, name: str) -> str:
    """What the context says of an auditor, the independence or a signatory."""
    said = "" if case.context is None else str(getattr(case.context.context, name))
    return said.strip() or NOT_DECLARED


def identity(case: Case) -> Section:
    """The system by its digests, and the persons."""
    model, results = case.model, case.results
    checkpoint = f", checkpoint {model.checkpoint}" if model.checkpoint else ""
    facts = (
        ("System under test", f"{model.name}{' (a double, no model)' if model.double else ''}"),
        ("Entry", f"{model.entry}{checkpoint}" if model.entry else "predictions made elsewhere"),
        ("affectbench", results.version),
        ("Auditor", signed(case, "auditor")),
        ("Independence", signed(case, "independence")),
        ("Signatory", signed(case, "signatory")),
        ("Date of this report", case.date or "not dated"),
        ("State", "final" if case.final else "draft"),
    )
    told = _FINAL if case.final else _DRAFT
    lines = tuple(Line(name, (Entry(digest, "digest"),)) for name, digest in model.digests)
    rests = Table("What the system under test rests on", ("What", "sha256"), (Group(lines),))
    parts = (Part("Responsibility", (told,)), Part("Digests", tables=(rests,) if lines else ()))
    return Section("s0", "0 Identity and signatures", facts, parts if lines else parts[:1])
