"""Section 18: digests, seed, environment, the second opinion, and the command of this report."""

from __future__ import annotations

from shlex import join
from typing import TYPE_CHECKING

from bench.audit_report.case import Case
from bench.report import format as fmt
from bench.report.entries import Entry
from bench.report.parts import Part, Section
from bench.report.provenance import provenance
from bench.report.table import Group, Line, Table

if TYPE_CHECKING:
    from bench.judge.audit import Audit

__all__ = ["command", "reproducibility"]

_BYTES = (
    "The same run folder, context, policy, baseline and date give the same report, byte for byte: no clock "
    "enters it."
)
_NOT_AGAIN = (
    "The numbers were not recomputed by another way for this report: not tested (--recompute, or the "
    "command audit)."
)


def reproducibility(case: Case) -> Section:
    """Where everything comes from, and how to make it again."""
    again = Part("Made again by", (f"{command(case)}", _BYTES))
    parts = (
        again,
        _second(case.recomputed),
        Part("Digests and environment", tables=provenance(case.results)),
    )
    return Section("s18", "18 Reproducibility", parts=parts)


def command(case: Case) -> str:
    """The command of this report, with the names of files and no paths."""
    words = ["affectbench", "report", "RUN"]
    words += ["--context", case.context.document.path.name] if case.context else ["--audit"]
    words += ["--model", case.model.name]
    words += ["--policy", case.gate.policy.document.path.name] if case.gate else []
    words += ["--baseline", "BASELINE"] if case.baseline else []
    words += ["--baseline-model", case.baseline_model] if case.baseline_model else []
    words += ["--date", case.date] if case.date else []
    words += ["--card", case.card_file] if case.card_file else []
    words += ["--final"] * case.final + ["--recompute"] * (case.recomputed is not None)
    return join(words)


def _second(found: Audit | None) -> Part:
    """What the second opinion says of the numbers."""
    title = "Second opinion"
    if found is None:
        return Part(title, (_NOT_AGAIN,))
    compared, withheld = sum(found.compared.values()), found.withheld
    verdict = "They agree." if found.agrees else "They do not agree: see the findings register."
    text = (
        f"Made again by another way: {fmt.counted(compared, 'number')} of this run, of all its models; not "
        f"compared: {fmt.count(withheld)} withheld. {verdict}"
    )
    lines = tuple(
        Line(
            each.name,
            (Entry(fmt.count(each.checked), value=each.checked), Entry(fmt.count(len(each.faults)))),
        )
        for each in found.findings
    )
    skipped = tuple(
        Line(name, (Entry(fmt.count(count), value=count),)) for name, count in found.not_audited.items()
    )
    tables = [Table("Invariants of the run", ("Invariant", "Checked", "Faults"), (Group(lines),))]
    if skipped:
        tables.append(Table("Not recomputed", ("What", "Rows"), (Group(skipped),)))
    return Part(title, (text,), tables=tuple(tables))
