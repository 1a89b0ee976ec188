"""Section 3: the system under test, as far as the run knows it; its card is the provider's."""

from __future__ import annotations

from bench.audit_report.case import Case
from bench.audit_report.identity import NOT_DECLARED
from bench.report.parts import Part, Section
from bench.report.provenance import sights

__all__ = ["system"]

_CARD = (
    "Owners, licence, training data, intended users and known limits are the provider's to state (model "
    "card). The run records what was executed, and nothing of how it was developed."
)
_ELSEWHERE = "Predictions were made elsewhere: neither weights nor code were seen by this tool."


def system(case: Case) -> Section:
    """What was executed, and on which data it is known to have been trained."""
    model, results = case.model, case.results
    trained = [d.name for d in results.datasets if {model.name, model.entry} & set(d.facts.trained_on_by)]
    outputs = sorted({name.partition("/")[0] for d in results.datasets for name in results.metrics(d.name)})
    ran = ", ".join(value for value in (results.device, results.precision) if value)
    facts = (
        ("Name", model.name),
        ("Origin of the weights", model.origin or ("none" if model.double else NOT_DECLARED)),
        ("Device and precision", ran or "not run here"),
        ("Trained on data of this report", ", ".join(trained) or "not declared (this is not a no)"),
        ("Judged by", ", ".join(outputs)),
        ("Model card", NOT_DECLARED),
    )  # fmt: skip
    text = (_CARD, *([_ELSEWHERE] if results.kind == "score" else []))
    seen = sights(results)
    parts = (Part("What is known of it", text, tables=(seen,) if seen.groups else ()),)
    return Section("s3", "3 System under test", facts, parts)
