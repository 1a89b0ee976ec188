"""Section 12: an extract for the instructions for use (Art 13(3)(b)), and oversight (Art 14).

An extract of what was measured: the provider completes it. What is not there is said to be not declared.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.audit_report.case import Case
from bench.audit_report.identity import NOT_DECLARED
from bench.audit_report.representativeness import untested
from bench.report import format as fmt
from bench.report.entries import Entry, state_of
from bench.report.parts import Part, Section
from bench.report.records import Dataset, Place
from bench.report.results import Row
from bench.report.robustness import as_much
from bench.report.selection import headline_rows, is_error, slicing_metric
from bench.report.table import Group, Line, Table, words

__all__ = ["instructions", "numbered"]

_OVERSIGHT = (
    "Human oversight (Art 14(4)) is designed into the system and its use: outside this tool. Whoever "
    "oversees it needs the limits of sections 13 and 14, and to know that numbers for groups not tested are "
    "unknown."
)


def instructions(case: Case) -> Section:
    """Points (i) to (vii) of Art 13(3)(b), each from this report or said to be missing."""
    lines = tuple(
        Line(point, (Entry(text, "sentence"),)) for point, text in (
            ("(i) intended purpose", _purpose(case)),
            ("(ii) accuracy and metrics", _accuracy(case)),
            ("(ii) robustness", _robustness(case)),
            ("(ii) cybersecurity", "not tested (section 10)"),
            ("(iii) circumstances that create risk", _risks(case)),
            ("(iv) explanation of outputs", f"{NOT_DECLARED}; the harness asks for none"),
            ("(v) performance on persons or groups", _groups(case)),
            ("(vi) input data", _inputs(case)),
            ("(vii) how to interpret outputs", "as agreement with a label, not a felt emotion (section 13)"),
        )
    )  # fmt: skip
    table = Table(
        "Extract for the instructions for use", ("Point", "What this report can say"), (Group(lines),)
    )
    parts = (Part("Art 13(3)(b)", tables=(table,)), Part("Oversight", (_OVERSIGHT,)))
    return Section("s12", "12 Instructions for use and oversight", parts=parts)


def numbered(row: Row) -> str:
    """One estimate in words: metric, value, interval, and on how many it rests."""
    text = f"{fmt.metric(row['metric'])} {fmt.estimate(row)}"
    if row["status"] == "suppressed":
        return text
    of = f"{fmt.clusters(row['clusters'], row['cluster_unit'])}, {fmt.counted(row['n'], 'row')}"
    state = f", {row['status']}" if row["status"] != "reportable" else ""
    return f"{text} ({of}{state})"


def _purpose(case: Case) -> str:
    if case.context is None:
        return NOT_DECLARED
    context = case.context.context
    return f"{', '.join(context.purpose)} in {context.sector}; outputs {', '.join(context.outputs)}"


def _accuracy(case: Case) -> str:
    told = []
    for data in case.results.datasets:
        rows = headline_rows(case.results, data, case.model.name)
        told.append(f"{data.name}: {'; '.join(numbered(row) for _, row in rows)}")
    return ". ".join(told)


def _robustness(case: Case) -> str:
    """What conditions cost, per data set, by the metric that leads; those without an estimate are named."""
    told = []
    for data in case.results.datasets:
        metric = slicing_metric(case.results, data)
        known, unknown = [], []
        for place in case.results.places(data.name):
            if not place.severity or case.results.may_lose_label(place):
                continue
            row = _lost_at(case, data, place, metric)
            if row is not None and row["estimate"] is not None:
                known.append(row)
            else:
                unknown.append(f"{words(place)}: {_why_unknown(row)}")
        parts = [_most_lost(known)] if known else []
        if unknown:
            parts.append(f"no loss is known under {'; '.join(unknown)}")
        if parts:
            told.append(f"{data.name}: {'; '.join(parts)}")
    return ". ".join(told) or "not tested (section 9)"


def _lost_at(case: Case, data: Dataset, place: Place, metric: str | None) -> Row | None:
    """What a condition takes from the metric over all rows, paired with clean media."""
    rows = case.results.differences_at(data.name, place, "degradation")
    mine = (row for row in rows if row["model"] == case.model.name and row["metric"] == metric)
    return next((row for row in mine if row["slice"] is None), None)


def _why_unknown(row: Row | None) -> str:
    """Why a condition has no estimate of what it takes."""
    return "not measured" if row is None else fmt.estimate(row)


def _most_lost(rows: Sequence[Row]) -> str:
    """Of losses that have an estimate: under what the largest is, and how many the data tell from none.

    Told from none is a loss whose own interval lies above 0; one without an interval is not told from it.
    """
    worst = max(rows, key=lambda row: float(row["estimate"]))
    above = sum(row["low"] is not None and row["low"] > 0 for row in rows)
    of = fmt.counted(len(rows), "condition")
    have = f"{above} {'has' if above == 1 else 'have'} a loss whose own interval lies above 0"
    count = f"of {of} with an estimate, {have if above else 'none has a loss that the data tell from none'}"
    if worst["estimate"] <= 0:
        return count
    under, *others = (
        fmt.condition(row["condition"], row["severity"], row["where"])
        for row in (worst, *as_much(worst, rows))
    )
    tied = f" (as much under {'; '.join(others)})" if others else ""
    return f"the largest estimated loss is under {under}{tied}: {numbered(worst)}; {count}"


def _risks(case: Case) -> str:
    if case.context is None:
        return f"{NOT_DECLARED}; no context"
    lacking = "; ".join(one.says for one in untested(case))
    return lacking or "everything declared was tested; foreseeable misuse is not declared"


def _groups(case: Case) -> str:
    told = [text for data in case.results.datasets if (text := _extreme(case, data))]
    return ". ".join(told) or "not tested (section 7)"


def _extreme(case: Case, data: Dataset) -> str:
    """The worst reportable value of any slice and those as bad, which are bad partly by chance."""
    metric = slicing_metric(case.results, data)
    if metric is None:
        return ""
    cell = (case.model.name, data.name, case.results.reference(data.name))
    parts = [(name, value) for name, values in case.results.slices(data.name) for value in values]
    rows = [row for part in parts if (row := case.results.find(cell, metric, part)) is not None]
    known = [row for row in rows if state_of(row) == "reportable"]
    if not known:
        return f"{data.name}: no group has enough data"
    worst = sorted(known, key=lambda row: float(row["estimate"]), reverse=is_error(metric))[0]
    others = [f"{row['slice']} {row['value']}" for row in as_much(worst, known)]
    tied = f" (as badly for {'; '.join(others)})" if others else ""
    told = f"{data.name}: least well for {worst['slice']} {worst['value']}{tied}, {numbered(worst)}"
    if len(known) == 1:
        return f"{told}, the only group with enough data"
    return f"{told}, the extreme of {len(known)} groups and so partly by chance"


def _inputs(case: Case) -> str:
    kinds = {"aligned": "faces already cropped", "frame": "whole frames with a face"}
    told = "; ".join(f"{d.name}: {kinds[d.facts.media_kind]}" for d in case.results.datasets)
    under = {words(p) for d in case.results.datasets for p in case.results.places(d.name)}
    seen = "no media were looked at" if case.results.kind == "score" else told
    return f"{seen}; {fmt.counted(len(under), 'condition')} run"
