"""Section 3: the system under test, as far as the run knows it, and its card, which is the provider's."""

from __future__ import annotations

from bench.audit_report.case import Case
from bench.audit_report.identity import NOT_DECLARED
from bench.report.model_card import trained_on
from bench.report.parts import Part, Section
from bench.report.provenance import sights

__all__ = ["seen_data", "system"]

_CARD = (
    "Owners, licence, training data, intended users and known limits are the provider's to state (model "
    "card). The run records what was executed, and nothing of how it was developed."
)
_ELSEWHERE = "Predictions were made elsewhere: neither weights nor code were seen by this tool."


def system(case: Case) -> Section:
    """What was executed, on which data it is known to have been trained, and the words of its authors."""
    model, results, card = case.model, case.results, case.card
    outputs = sorted({name.partition("/")[0] for d in results.datasets for name in results.metrics(d.name)})
    ran = ", ".join(value for value in (results.device, results.precision) if value)
    facts = (
        ("Name", model.name),
        ("Origin of the weights", model.origin or ("none" if model.double else NOT_DECLARED)),
        ("Device and precision", ran or "not run here"),
        ("Trained on data of this report", seen_data(case) or "not declared (this is not a no)"),
        ("Judged by", ", ".join(outputs)),
        ("Model card", NOT_DECLARED if card is None else card.origin),
    )  # fmt: skip
    text = (_CARD, *([_ELSEWHERE] if results.kind == "score" else []))
    seen = sights(results)
    parts = [Part("What is known of it", text, tables=(seen,) if seen.groups else ())]
    if card is not None:
        parts.append(Part("Model card", (card.quoted,), quote=card.text))
    return Section("s3", "3 System under test", facts, tuple(parts))


def seen_data(case: Case) -> str:
    """The data sets of the report on which the system is declared to have been trained; empty if of none."""
    how = {"declared": "", "card": " (by its card, which may say which part)"}
    found = [(d.name, trained_on(case.model, d.facts, case.card)[0]) for d in case.results.datasets]
    return ", ".join(name + how[flag] for name, flag in found if flag in how)
