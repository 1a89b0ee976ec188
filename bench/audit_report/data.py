"""Section 4: the evaluation data: what they hold, where it comes from, and whom they stand for."""

from __future__ import annotations

from bench.audit_report.case import Case
from bench.audit_report.identity import NOT_DECLARED
from bench.audit_report.representativeness import representativeness_tables, untested
from bench.audit_report.system import seen_data
from bench.report import format as fmt
from bench.report import notes
from bench.report.banners import independence
from bench.report.entries import Entry, counted, shown
from bench.report.parts import Part, Section
from bench.report.records import Dataset
from bench.report.results import Row
from bench.report.table import Group, Line, Table, misses

__all__ = ["RATERS", "data"]

RATERS = ("label_agreement",)
_NO_RATERS = (
    "Agreement of annotators: not tested, no votes of people were asked for as a metric (label_agreement)."
)
_DECLARED = (
    "Shares in use are the provider's declaration. Tested counts are of rows that could be judged, by the "
    "metric named; they are withheld where groups are small. Names are compared as they are written, "
    "without regard to case."
)
_NOT_CHECKED = "Whether persons or media here were also in training data was not checked: not tested."
_LOG = (
    "Access to special categories of data (Art 4a) is logged by whoever holds the data: outside this tool. "
    "It writes no row and no attribute of a person into this report."
)


def data(case: Case) -> Section:
    """A data sheet per data set, then declared against tested."""
    parts = [part for one in case.results.datasets for part in _sheet(case, one)]
    lacking = untested(case)
    text: tuple[str, ...] = (
        _DECLARED,
        f"Not tested, or not enough (section 1): {fmt.counted(len(lacking), 'declared thing')}.",
    )
    if case.context is None:
        text = ("No context is declared: the population in use is unknown, so is whom the data stand for.",)
    parts.append(
        Part("Representativeness: declared against tested", text, tables=representativeness_tables(case))
    )
    parts.append(Part("Leakage", (_leakage(case), _NOT_CHECKED)))
    parts.append(
        Part("Consent, access and special categories", (_LOG, f"Consent of subjects: {NOT_DECLARED}."))
    )
    return Section("s4", "4 Evaluation data", parts=tuple(parts))


def _leakage(case: Case) -> str:
    """Whether a data set is declared to have trained the system."""
    trained = seen_data(case)
    if trained:
        same = "as far as it is the same part, " if "by its card" in trained else ""
        return f"The system was trained on {trained}: {same}its numbers there do not measure new data."
    return "No data set of this run is declared to have trained the system. This is not a no."


def _sheet(case: Case, one: Dataset) -> list[Part]:
    results, place = case.results, case.results.reference(one.name)
    facts = notes.of_dataset(results, one)
    lines = tuple(Line(term, (Entry(text, "sentence"),)) for term, text in (*facts, ("Digest", one.digest)))
    about = Table(f"Data sheet of {one.name}", ("What", "As recorded"), (Group(lines),))
    counts = _counts(case, one)
    tables = [about, *([counts] if counts.groups else []), misses(results, one.name, [place])]
    text = [independence(results)] if one.facts.cluster_unit == "clip" else []
    agreed = _raters(case, one)
    if agreed.groups:
        tables.append(agreed)
    else:
        text.append(_NO_RATERS)
    return [Part(f"Data set {one.name}", tuple(text), tables=tuple(t for t in tables if t.groups))]


def _counts(case: Case, one: Dataset) -> Table:
    """Rows, clips, frames and clusters, of the metric that has most."""
    cell = (case.model.name, one.name, case.results.reference(one.name))
    rows = [row for row in case.results.at(*cell) if row["slice"] is None and row["n"] is not None]
    if not rows:
        return Table("Counts", (), ())
    most = max(rows, key=lambda row: int(row["n"]))
    names = [("Rows judged", "n"), ("Clips", "clips"), ("Frames", "frames"), ("Clusters", "clusters")]
    lines = tuple(Line(head, (counted(most, name),)) for head, name in names)
    caption = f"Counts of {one.name}, {fmt.metric(most['metric'])} over all rows"
    return Table(caption, ("What", "Count"), (Group(lines),))


def _raters(case: Case, one: Dataset) -> Table:
    """The agreement of people's votes, overall and by slice, where it was asked for."""
    cell = (case.model.name, one.name, case.results.reference(one.name))
    found: dict[str, dict[str, Row]] = {}
    for row in case.results.at(*cell):
        if row["metric"] in RATERS:
            head = "all rows" if row["slice"] is None else f"{row['slice']}: {row['value']}"
            found.setdefault(head, {})[row["metric"]] = row
    names = [name for name in RATERS if any(name in rows for rows in found.values())]
    lines = tuple(Line(head, tuple(shown(rows.get(n)) for n in names)) for head, rows in found.items())
    columns = ("Of", *(fmt.heading(name) for name in names))
    return Table(f"Agreement of annotators on {one.name}", columns, (Group(lines),) if lines else ())
