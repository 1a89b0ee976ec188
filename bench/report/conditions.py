"""Conditions: what their severities stand for, and a metric and the misses under each of them, as tables.

Where every condition has one severity they stand below one another, else each has its own group.
Severities at which people may no longer see the label are marked: a loss there says nothing of a model alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import listed
from bench.report import format as fmt
from bench.report.entries import Entry, counted_over, coverage, estimated, shown
from bench.report.records import Place
from bench.report.results import Results, unique
from bench.report.table import Group, Line, Table, words

__all__ = [
    "MOVEMENT", "condition_table", "families", "movement_table", "one_severity_each", "unperturbed",
]  # fmt: skip

MOVEMENT = (
    "How outputs go from frame to frame under each condition, and what that is worse by than on clean media. "
    "Frames that stand still make outputs calmer, and a condition that changes how many frames are shown "
    "changes what a step is: less is not always better here."
)

_MILDER = (
    "Where frames stay as they are a loss is smaller than it would be, for some slices more than for others."
)


def condition_table(results: Results, dataset: str, metric: str) -> Table:
    """Each condition and severity: its amount, one metric over all rows, with coverage, per model."""
    places = results.places(dataset)
    flat = one_severity_each(places)
    groups = []
    for title in [""] if flat else unique(_family(place) for place in places):
        lines = [
            _line(results, (dataset, metric), place, words(place) if flat else _severity(place))
            for place in places
            if flat or _family(place) == title
        ]
        groups.append(Group(tuple(lines), title))
    pairs = [text for model in results.models for text in (model.name, "Coverage")]
    level = fmt.percent(results.suite.level)
    caption = f"{fmt.metric(metric)} on {dataset} under each condition, estimate and {level} interval"
    amounts = ["Amount"] if results.perturbations else []
    return Table(caption, ("Condition", *amounts, "n", "Clusters", *pairs), tuple(groups))


def movement_table(results: Results, dataset: str, metrics: Sequence[str]) -> Table:
    """Metrics that follow frames by condition, each with its degradation; one group a model."""
    places = results.places(dataset)
    worse = {
        (row["model"], place, row["metric"]): row
        for place in places
        for row in results.differences_at(dataset, place, "degradation")
        if row["kind"] == "degradation" and row["slice"] is None
    }
    groups = []
    for model in results.models:
        lines = []
        for place in places:
            rows = [results.find((model.name, dataset, place), name, (None, None)) for name in metrics]
            lost = [worse.get((model.name, place, name)) for name in metrics]
            entries = [e for pair in zip(map(shown, rows), map(estimated, lost), strict=True) for e in pair]
            lines.append(Line(words(place), (counted_over(rows, "n"), *entries)))
        groups.append(Group(tuple(lines), model.name))
    columns = [text for name in metrics for text in (fmt.heading(name), "Worse by")]
    caption = f"{', '.join(map(fmt.metric, metrics))} on {dataset} under each condition"
    return Table(caption, ("Condition", "n", *columns), tuple(groups))


def one_severity_each(places: Sequence[Place]) -> bool:
    """Whether every condition has one severity, so that there is no curve to draw."""
    perturbed = [(place.condition, place.where) for place in places if place.severity]
    return len(perturbed) == len(set(perturbed))


def families(places: Sequence[Place]) -> list[tuple[str, str]]:
    """Every perturbation with where it acts, whatever the severity, in order."""
    return unique((place.condition, place.where) for place in places if place.severity)


def unperturbed(results: Results, dataset: str) -> tuple[str, ...]:
    """How many frames stayed as they were under conditions that act on faces, for want of one.

    Of models alone: doubles look at no picture.
    """
    looking = [model.name for model in results.models if not model.double]
    counted: dict[tuple[str, int, int], list[str]] = {}
    for cell in results.cells:
        if cell.dataset == dataset and cell.model in looking and cell.perturbable is not None:
            counts = (_family(cell.place), cell.unperturbed, cell.perturbable)
            counted.setdefault(counts, []).append(cell.model)
    told = []
    for (family, left, all_frames), models in counted.items():
        share = f" ({fmt.percent(left / all_frames)})" if all_frames else ""
        every = fmt.counted(all_frames, "frame")
        whose = "" if set(models) == set(looking) else f" for {listed(unique(models), 6)}"
        told.append(
            f"{family[:1].upper()}{family[1:]}: {fmt.count(left)} of {every}{share} "
            f"have no face that could be worked on and stay as they are{whose}."
        )
    return (*told, _MILDER) if any(left for _, left, _ in counted) else tuple(told)


def _line(results: Results, of: tuple[str, str], place: Place, head: str) -> Line:
    dataset, metric = of
    rows = [results.find((m.name, dataset, place), metric, (None, None)) for m in results.models]
    counts = (counted_over(rows, "n"), counted_over(rows, "clusters"))
    entries = [entry for row in rows for entry in (shown(row), coverage(row))]
    amounts = [Entry(results.amount(place) or fmt.DASH, "text")] if results.perturbations else []
    return Line(head + fmt.LOST * results.may_lose_label(place), (*amounts, *counts, *entries))


def _severity(place: Place) -> str:
    return f"severity {place.severity}" if place.severity else "no perturbation"


def _family(place: Place) -> str:
    named = place.condition.replace("_", " ")
    return f"{named}, on the {place.where}" if place.where else named
