"""Tables of robustness: what each condition takes away, from whom, and of all conditions together.

They show what ``bench.judge.robustness`` paired and tested, and add no test of their own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

from bench.report import format as fmt
from bench.report.entries import Entry, estimated
from bench.report.records import Dataset, Place
from bench.report.results import Results, Row, unique
from bench.report.table import Group, Line, Table

__all__ = [
    "AGAINST", "ROBUSTNESS", "as_much", "conditions_json", "contrast_table", "degradation_table",
    "summary_table", "worst_of",
]  # fmt: skip

ROBUSTNESS = (
    "A degradation is clean minus condition, or the reverse where lower is better, so that more is worse. It "
    "is paired: the same targets of the same clusters on both sides, which makes it better known than either "
    "value. Its interval is its own; q controls the share of false discoveries over all degradations of a "
    "model (Benjamini-Hochberg). The most degraded slice is the largest of several and large by chance, too.",
    "Unchanged is the share of decisions that are as on clean media; flips between severities are the mean "
    "share that changes from one severity to the next. To decide nothing is a decision, too. The area is the "
    "mean height of the curve over severity, clean being 0. The worst condition is the largest of all, and "
    "its interval holds for all of them.",
)
AGAINST = (
    "Errors over those of the reference model, summed over severities, are corruption errors: 1 is the "
    "reference model, less is better. Their mean over conditions is mCE; of what conditions add to errors "
    "alone, it is the relative mCE (Hendrycks, Dietterich 2019)."
)
_COLUMNS = (
    "Condition", "Value", "Degradation", "q", fmt.SEEN, "Most degraded slice", "Its degradation", "Unchanged",
)  # fmt: skip

_PLACE = ("model", "dataset", "condition", "severity", "where")
_CHANGE = ("estimate", "low", "high", "p_adjusted", "status")


def degradation_table(results: Results, data: Dataset, metric: str) -> Table:
    """Each severity: value, what it lost, the slice that lost most; one group a model and condition."""
    groups = []
    for model in results.models:
        rows = _rows(results, data, model.name, "degradation", metric)
        each = [row for row in rows if row["slice"] is None and row["severity"] is not None]
        families = unique((row["condition"], row["where"]) for row in each)
        if len(families) == len(each):
            lines = tuple(_line(results, row, _words(row)) for row in each)
            groups += [Group(lines, model.name)] if lines else []
            continue
        for condition, where in families:
            lines = tuple(
                _line(results, row, f"severity {row['severity']}")
                for row in each
                if (row["condition"], row["where"]) == (condition, where)
            )
            groups.append(Group(lines, f"{model.name}, {_over_all(condition, where)}"))
    caption = f"What each condition takes from {fmt.metric(metric)} on {data.name}"
    return Table(caption, _COLUMNS, tuple(groups))


def summary_table(results: Results, data: Dataset, metric: str) -> Table:
    """Each condition over its severities, and the worst of all; one group a model.

    With errors against those of the suite's reference model where it names one.
    """
    reference = results.suite.reference
    found = ((model.name, _summary_lines(results, data, model.name, metric)) for model in results.models)
    groups = tuple(Group(tuple(lines), name) for name, lines in found if lines)
    columns = ["Condition", "Mean degradation", "Area", "Flips between severities"]
    if reference:
        columns += [f"Error over that of {reference}", f"Lost over that of {reference}"]
    caption = f"Conditions over all severities, {fmt.metric(metric)} on {data.name}"
    return Table(caption, tuple(columns), groups)


def _summary_lines(results: Results, data: Dataset, model: str, metric: str) -> list[Line]:
    means = [row for row in _rows(results, data, model, "degradation", metric)
             if row["slice"] is None and row["severity"] is None]  # fmt: skip
    areas = {_place(r): r for r in _rows(results, data, model, "area", metric) if r["slice"] is None}
    whole = _rows(results, data, model, "worst", metric)
    lines = [
        Line(_words(row), (
            estimated(row), estimated(areas.get(_place(row))), _flips(results, row), *_errors(results, row),
        ))
        for row in means
    ]  # fmt: skip
    if results.suite.reference and means:
        both = _errors(results, {**means[0], "condition": "all", "where": None})
        lines.append(Line("all conditions", (*[Entry(fmt.DASH)] * 3, *both)))
    blank = [Entry(fmt.DASH)] * (4 if results.suite.reference else 2)
    for row in whole:
        if row["estimate"] is None:
            head = "worst of all conditions"
        elif row["estimate"] > 0:
            head = f"worst: {_worst_place(results, row)}"
        else:
            head = "worst: no condition has an estimated loss"
        lines.append(Line(head, (estimated(row), *blank)))
    return lines


def contrast_table(results: Results, data: Dataset, metric: str) -> Table:
    """How much more one group loses than another, averaged over severities; one group a model and slice."""
    groups = []
    for model in results.models:
        rows = _rows(results, data, model.name, "degradation_contrast", metric)
        for name in unique(row["slice"] for row in rows):
            lines = tuple(
                Line(f"{row['value']} against {row['reference']}, {_words(row)}", (
                    estimated(row), Entry(fmt.probability(row["p_adjusted"])), _seen(row),
                ))
                for row in rows
                if row["slice"] == name and row["severity"] is None
            )  # fmt: skip
            if lines:
                groups.append(Group(lines, f"{model.name}, {name}"))
    caption = f"Differences of degradation, {fmt.metric(metric)} on {data.name}, with simultaneous intervals"
    return Table(caption, ("Contrast", "Lost more", "p, adjusted", fmt.SEEN), tuple(groups))


def conditions_json(results: Results, dataset: str) -> list[dict[str, Any]]:
    """Every metric of every model under each condition but the first, over all rows, and what it lost there.

    ``degradation`` is null where clean media were not run or the metric has no better side; ``worst`` says
    that no other condition takes more.
    """
    lost = {
        (row["kind"], row["model"], row["metric"], row["condition"], row["severity"], row["where"]): row
        for row in results.differences
        if row["dataset"] == dataset and row["kind"] in ("degradation", "worst") and row["slice"] is None
    }
    worst = {(row["model"], row["metric"]): row for (kind, *_), row in lost.items() if kind == "worst"}
    found = []
    for model in (model.name for model in results.models):
        for place, metric in product(results.places(dataset)[1:], results.metrics(dataset)):
            row = results.find((model, dataset, place), metric, (None, None))
            if row is None:
                continue
            names = (model, metric, row["condition"], row["severity"], row["where"])
            paired, most = lost.get(("degradation", *names)), worst.get((model, metric))
            shown = {name: row[name] for name in (*_PLACE, "metric", "estimate", "low", "high", "status")}
            change = None if paired is None else {name: paired[name] for name in _CHANGE}
            as_most = most is not None and paired is not None and _equal(most, paired)
            found.append({**shown, "degradation": change, "worst": as_most})
    return found


def worst_of(results: Results, data: Dataset, model: str, metric: str) -> str | None:
    """The worst condition of a model in a sentence, None where none was measured or none takes anything."""
    for row in _rows(results, data, model, "worst", metric):
        if row["estimate"] is not None and row["estimate"] > 0:
            there = Place(row["condition"], row["where"] or "", row["severity"] or 0)
            places = (results.reference(data.name), there)
            found = [results.find((model, data.name, place), metric, (None, None)) for place in places]
            clean, left = (fmt.number(one["estimate"]) if one else fmt.UNDEFINED for one in found)
            state = "" if row["status"] == "reportable" else f"; {row['status']}"
            return (
                f"{model}: {fmt.metric(metric)} on {data.name} is worst by "
                f"{_worst_place(results, row)}: {clean} to {left}, degradation {fmt.estimate(row)}{state}"
            )
    return None


def _worst_place(results: Results, worst: Row) -> str:
    """The worst condition, and those that take as much, if any; an interval is that of the first."""
    rows = results.of_kind("degradation", worst["dataset"], worst["model"], worst["metric"])
    rows = [row for row in rows if row["slice"] is None]
    tied = as_much(
        worst, [row for row in rows if row["severity"] is not None and _place(row) != _place(worst)]
    )
    first, *others = [f"{_words(r)}{_mark(results, r)}" for r in (worst, *tied)]
    return first + (f" (as much by {'; '.join(others)})" if others else "")


def as_much(row: Row, rows: Sequence[Row]) -> list[Row]:
    """Of rows the others that have the same estimate but for rounding: none of equals is the one extreme."""
    return [other for other in rows if other is not row and _equal(other, row)]


def _equal(one: Row, other: Row) -> bool:
    """Whether two estimates are there and the same but for rounding."""
    known = one["estimate"] is not None and other["estimate"] is not None
    return known and math.isclose(one["estimate"], other["estimate"], rel_tol=1e-9, abs_tol=1e-12)


def _rows(results: Results, data: Dataset, model: str, kind: str, metric: str) -> list[Row]:
    return results.of_kind(kind, data.name, model, metric)


def _place(row: Row) -> tuple[str | None, ...]:
    return row["condition"], row["where"], row["severity"]


def _words(row: Row) -> str:
    """A condition in words, with its severity or over all of them."""
    if row["severity"] is None:
        return _over_all(row["condition"], row["where"])
    return fmt.condition(row["condition"], row["severity"], row["where"])


def _over_all(condition: str, where: str | None) -> str:
    return f"{condition.replace('_', ' ')}, on the {where or 'frame'}"


def _line(results: Results, row: Row, head: str) -> Line:
    place = Place(row["condition"], row["where"] or "", row["severity"] or 0)
    of = results.find((row["model"], row["dataset"], place), row["metric"], (None, None))
    same = [r for r in results.beside(row, "stability", "stability") if r["slice"] is None]
    here = results.beside(row, "degradation", row["metric"])
    entries = (
        estimated(of), estimated(row), Entry(fmt.probability(row["p_adjusted"])),
        _seen(row), *_most(here), estimated(same[0] if same else None),
    )  # fmt: skip
    return Line(head + _mark(results, row), entries)


def _mark(results: Results, row: Row) -> str:
    """What is said where people may no longer see the label, empty elsewhere."""
    place = Place(row["condition"], row["where"] or "", row["severity"] or 0)
    return fmt.LOST * results.may_lose_label(place)


def _flips(results: Results, row: Row) -> Entry:
    """How often the decision changes from one severity to the next, a dash where there is one severity."""
    found = [r for r in results.beside(row, "stability", "severity_flips") if r["slice"] is None]
    return estimated(found[0]) if found else Entry(fmt.DASH)


def _most(rows: Sequence[Row]) -> tuple[Entry, Entry]:
    """The slice value that degrades most; withheld and insufficient ones are not among them."""
    known = [row for row in rows if row["slice"] is not None and row["estimate"] is not None]
    if not known:
        return Entry("none is reportable", "text"), Entry(fmt.DASH)
    most = max(known, key=lambda row: float(row["estimate"]))
    if most["estimate"] <= 0:
        return Entry("no estimated loss", "text"), Entry(fmt.DASH)
    tied = [f"{row['slice']} {row['value']}" for row in as_much(most, known)]
    others = f" (as much: {', '.join(tied)})" if tied else ""
    return Entry(f"{most['slice']} {most['value']}{others}", "text"), estimated(most)


def _errors(results: Results, row: Row) -> list[Entry]:
    """Errors over those of the reference model under the condition of a row, plain and lost alone."""
    if not results.suite.reference:
        return []
    names = ("condition", "where")
    both = (results.of_kind(k, row["dataset"], row["model"], "accuracy") for k in ("mce", "relative_mce"))
    found = [[r for r in rows if all(r[n] == row[n] for n in names)] for rows in both]
    return [estimated(rows[0] if rows else None) for rows in found]


def _seen(row: Row) -> Entry:
    return Entry(fmt.DASH if row["sdd80"] is None else fmt.number(row["sdd80"]))
