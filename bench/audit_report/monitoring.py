"""Section 17: what to watch in use, and which findings of this report would have to be looked at again."""

from __future__ import annotations

from bench.audit_report.case import Case
from bench.audit_report.representativeness import untested
from bench.report.entries import Entry
from bench.report.parts import Part, Section
from bench.report.table import Group, Line, Table

__all__ = ["monitoring"]

_OUTSIDE = (
    "The plan to monitor the system on the market (Art 72), incident reports (Art 73) and logs are the "
    "provider's and deployer's: outside this tool. These are the changes after which numbers of this report "
    "no longer hold."
)


def monitoring(case: Case) -> Section:
    """Triggers, each from something that this report rests on."""
    known = [
        ("Weights, code or front-end change", "sections 6 to 9", "a digest of section 0 differs"),
        ("Population in use changes", "section 4", "declared shares no longer hold"),
        ("Operating conditions change", "sections 4 and 9", "a condition that was not probed is met"),
        ("Purpose, persons or outputs change", "section 2", "a field of the context differs"),
        ("State of the law changes", "section 2", "after the date of knowledge stated there"),
        ("More data on a group arrive", "section 7", "it has as many clusters as the plan asks for"),
    ]
    lines = [
        Line(trigger, (Entry(touched, "text"), Entry(sign, "sentence"))) for trigger, touched, sign in known
    ]
    lines += [
        Line(
            f"It is met in use: {one.name}",
            (Entry("section 4", "text"), Entry(f"{one.state} here", "sentence")),
        )
        for one in untested(case)
    ]
    table = Table("Triggers", ("When", "What is touched", "How it shows"), (Group(tuple(lines)),))
    return Section(
        "s17", "17 Monitoring and triggers", parts=(Part("Triggers", (_OUTSIDE,), tables=(table,)),)
    )
