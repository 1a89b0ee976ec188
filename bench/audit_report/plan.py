"""Section 5: what was planned before the data were looked at, by which rules, and what departed from it."""

from __future__ import annotations

from bench.audit_report.case import Case
from bench.gate.sentences import asked
from bench.judge.metrics import METRICS
from bench.report import format as fmt
from bench.report.banners import locked
from bench.report.entries import Entry
from bench.report.parts import Part, Section
from bench.report.results import unique
from bench.report.table import Group, Line, Table

__all__ = ["plan"]

_WHY = (
    "Why these metrics are fit for the declared purpose is the provider's to argue (Annex IV(4)): not "
    "declared."
)
_EXPLORATORY = "Without a lock that was made before the run and followed, every test is exploratory."


def plan(case: Case) -> Section:
    """Suite, metrics, slices, tests and level; the policy's rules; the lock and deviations from it."""
    results, suite = case.results, case.results.suite
    slices = [cut.name for cut in suite.slicings]
    rule = suite.slice_rule
    facts = (
        ("Suite", f"{suite.suite}, sha256 {results.suite_digest}"),
        ("Slices", ", ".join(slices) or "none: no group was looked at"),
        ("Primary tests", ", ".join(suite.primary) or "none: all tests are exploratory"),
        ("Level of intervals", fmt.percent(suite.level)),
        ("Multiplicity", "Holm over primary gaps; Benjamini-Hochberg over the others"),
        ("Sufficient", f"{fmt.counted(rule.clusters, 'cluster')}; withheld below {rule.suppress_below}"),
        ("Seed and draws", f"{suite.seed}; {suite.draws}"),
        ("Lock", locked(results)),
    )
    text = [_WHY]
    if results.lock is None or not results.lock.followed:
        text.append(_EXPLORATORY)
    parts = (Part("Metrics", tuple(text), tables=(_metrics(case),)), _policy(case))
    return Section("s5", "5 Plan laid down before", facts, parts)


def _metrics(case: Case) -> Table:
    stems = unique(
        name.partition("/")[0] for data in case.results.datasets for name in case.results.metrics(data.name)
    )
    lines = []
    for metric in (METRICS[stem] for stem in stems if stem in METRICS):
        texts = (metric.about.split("\n")[0], metric.direction, metric.misses)
        lines.append(Line(fmt.metric(metric.name), tuple(Entry(text, "sentence") for text in texts)))
    columns = ("Metric", "What it is", "Better", "Misses")
    return Table("Metrics of this report", columns, (Group(tuple(lines)),) if lines else ())


def _policy(case: Case) -> Part:
    if case.gate is None:
        return Part(
            "Thresholds", ("No policy was given: nothing was to be kept, so nothing passes or fails.",)
        )
    gate = case.gate
    file = gate.policy
    lines = tuple(
        Line(f"{file.document.path.name}:{file.line(number)}", (Entry(asked(rule), "sentence"),))
        for number, rule in enumerate(file.policy.rules)
    )
    table = Table(f"Rules of policy {file.policy.policy}", ("Line", "Rule"), (Group(lines),))
    notes = (
        *(f"{_begun(note, case)}." for note in gate.notes),
        f"Digest of the policy: sha256 {file.digest}.",
    )
    return Part("Thresholds", notes, tables=(table,))


def _begun(note: str, case: Case) -> str:
    """A note as a sentence begins; the name of a model or a data set stays as it is."""
    names = (case.model.name, *(data.name for data in case.results.datasets))
    return note if note.startswith(names) else f"{note[:1].upper()}{note[1:]}"
