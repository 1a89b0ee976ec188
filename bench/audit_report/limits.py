"""Sections 10, 13 and 14: security, what a label is, and what threatens the conclusions."""

from __future__ import annotations

from bench.audit_report.case import Case
from bench.audit_report.data import RATERS
from bench.report import notes, provenance
from bench.report.banners import banners
from bench.report.parts import Part, Section

__all__ = ["SECURITY", "construct", "limits", "security"]

SECURITY = (
    "Adversarial examples and evasion: not tested.",
    "Data and model poisoning: not tested.",
    "Confidentiality attacks (membership inference, model inversion): not tested.",
    "Cybersecurity of the deployed system: outside this tool.",
)
_VERIFIED = "Weights were read only after their sha256 was verified, and in formats that run no code."
_CONSTRUCT = (
    "An expression is not a felt emotion: these numbers say how often an output agrees with a label, and "
    "nothing of what a person felt.",
    "Recital 44 of the AI Act names doubts about the scientific basis of inferring emotions: limited "
    "reliability, lack of specificity and limited generalisability. Expressions vary over cultures, "
    "situations and persons.",
    "Posed expressions are commonly clearer than those met in use: numbers on them may be too high. What "
    "others perceive need not be what a person felt, and tells of those others, too.",
)
_ELSEWHERE = (
    "Not shown here: recall of each class by slice, slices under further conditions, and differences of all "
    "pairs. They stand in estimates.parquet."
)


def security(case: Case) -> Section:
    """Section 10: what was not tested, said plainly."""
    verified = any(name == "weights" for name, _ in case.model.digests)
    text = (*SECURITY, *([_VERIFIED] if verified else []))
    return Section("s10", "10 Security", parts=(Part("Attacks", text),))


def construct(case: Case) -> Section:
    """Section 13: construct validity."""
    spaces = "; ".join(
        f"{data.name}: {data.facts.label_space or 'labels of its own'}" for data in case.results.datasets
    )
    sources = "; ".join(f"{data.name}: {notes.label_source(data.facts)}" for data in case.results.datasets)
    asked = {name for data in case.results.datasets for name in case.results.metrics(data.name)}
    agreed = "measured, in section 4" if asked & set(RATERS) else "not tested"
    facts = (
        ("Label spaces", spaces),
        ("Label source", sources),
        ("Agreement of annotators", agreed),
    )
    return Section("s13", "13 Construct validity", facts, (Part("What a label is", _CONSTRUCT),))


def limits(case: Case) -> Section:
    """Section 14: what was asked for and could not be measured, and what weakens what was."""
    warned = provenance.warnings(case.results)
    hidden = any(row["status"] == "suppressed" for row in case.results.rows)
    told = (notes.withheld(case.results),) if hidden else ()
    text = (*banners(case.results), *notes.unavailable(case.results), _ELSEWHERE, *told)
    found = Part("Threats to these conclusions", text, tables=(warned,) if warned.groups else ())
    method = Part("Intervals", notes.intervals(case.results), tables=(provenance.methods(case.results),))
    return Section("s14", "14 Limits and threats", parts=(found, method))
