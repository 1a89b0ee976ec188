"""What a model relies on: what it loses where the order of frames, or what is seen or heard, is taken away.

Each is the degradation (``bench.judge.degradation``) under the one condition that takes it away, at the
strongest severity that was run: the same estimate, interval and q, named by what it tells. More than 0 means
that it is used, whichever side of a metric is better. Refuses metrics that follow frames, which another order
moves whatever a model does, and coverage, which is no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.judge.metrics import FUNNEL
from bench.report import format as fmt
from bench.report.records import Dataset, Place
from bench.report.results import Results, Row
from bench.report.selection import follows_frames, slicing_metric

__all__ = ["CLEAN", "INPUTS", "WHOLE", "Input", "Part", "Taken", "answers", "lines", "reliance_json", "taken"]

Part = tuple[str | None, str | None]
CLEAN, WHOLE = Place("clean"), (None, None)


@dataclass(frozen=True)
class Input:
    """What may be taken away: which reliance it shows, the condition that does, what media are without it."""

    name: str
    kind: str
    condition: str
    without: str

    @property
    def phrase(self) -> str:
        """The name within a sentence."""
        return f"the {self.name}" if self.kind == "temporal" else self.name


INPUTS = (
    Input("order of frames", "temporal", "shuffled", "with frames in another order"),
    Input("direction of time", "temporal", "reversed", "with frames played backwards"),
    Input("sight", "modality", "missing_picture", "with black frames"),
    Input("sound", "modality", "missing_sound", "with silence"),
)
_LOSS = ("estimate", "low", "high", "level", "p", "p_adjusted", "n", "clusters", "warning")
_MOST = 3  # models in a line of the terminal


@dataclass(frozen=True)
class Taken:
    """One input, the condition that took it away, None where none was run, and the degradations there."""

    input: Input
    place: Place | None
    rows: dict[tuple[str, str, Part], Row]

    def loss(self, model: str, metric: str, part: Part = WHOLE) -> Row | None:
        """The degradation of a model, None where nothing was compared."""
        return self.rows.get((model, metric, part))


def taken(results: Results, data: Dataset) -> list[Taken]:
    """All inputs, each under the strongest severity of its condition, of whole frames rather than crops.

    Empty where none was taken away; without clean media there are no losses.
    """
    places = results.places(data.name)
    found = []
    for each in INPUTS:
        here = [place for place in places if place.condition == each.condition]
        place = max(here, key=lambda place: (place.severity, place.where != "crop"), default=None)
        rows = results.differences_at(data.name, place, "degradation") if place else []
        losses = {(row["model"], row["metric"], (row["slice"], row["value"])): row for row in rows}
        found.append(Taken(each, place, losses))
    return found if any(one.place for one in found) else []


def answers(results: Results, data: Dataset, found: Sequence[Taken]) -> list[str]:
    """The metrics of answers that were compared, the one that leads first."""
    compared = {metric for one in found for _, metric, _ in one.rows}
    names = [name for name in results.metrics(data.name) if name in compared and _is_answer(name)]
    leading = slicing_metric(results, data)
    return sorted(names, key=lambda name: name != leading)


def lines(results: Results, data: Dataset) -> Iterator[str]:
    """At most two: temporal reliance and modality reliance, by the metric that leads, over all rows."""
    found = taken(results, data)
    for metric, kind in product(answers(results, data, found)[:1], ("temporal", "modality")):
        parts = []
        for one in (one for one in found if one.input.kind == kind):
            losses = ((model.name, one.loss(model.name, metric)) for model in results.models)
            known = [f"{name} {_estimate(row)}" for name, row in losses if row is not None]
            more = [f"{len(known) - _MOST} more in the report"] if len(known) > _MOST else []
            parts += [f"{one.input.phrase}: {', '.join([*known[:_MOST], *more])}"] if known else []
        if parts:
            lost = f"{kind.capitalize()} reliance on {data.name}, what is lost of {fmt.metric(metric)}"
            yield f"{lost} without {'; without '.join(parts)}"


def reliance_json(results: Results, data: Dataset) -> list[dict[str, Any]]:
    """The loss of every model by metric, input and slice value, and the values that it lies between.

    Null with the status "not run" where no condition took the input away, with "not compared" where there is
    no loss to be had; empty where no input was taken away.
    """
    found = taken(results, data)
    made = []
    for model, metric, one in product(results.models, answers(results, data, found), found):
        parts = [part for name, of, part in one.rows if (name, of) == (model.name, metric)]
        for part in parts or [WHOLE]:
            loss = one.loss(model.name, metric, part)
            clean, left = (
                results.find((model.name, data.name, place), metric, part) if place else None
                for place in (CLEAN, one.place)
            )
            made.append({
                "model": model.name, "dataset": data.name, "reliance": one.input.kind,
                "input": one.input.name, "condition": one.input.condition,
                "severity": one.place.severity if one.place else None,
                "where": (one.place.where or None) if one.place else None,
                "metric": metric, "slice": part[0], "value": part[1],
                "clean": clean["estimate"] if clean else None,
                "without": left["estimate"] if left else None,
                **{name: loss[name] if loss else None for name in _LOSS},
                "status": loss["status"] if loss else "not compared" if one.place else "not run",
            })  # fmt: skip
    return made


def _estimate(row: Row) -> str:
    """A loss with its interval, and that it is insufficient."""
    insufficient = row["status"] == "insufficient"
    return f"{fmt.estimate(row)} insufficient" if insufficient else fmt.estimate(row)


def _is_answer(name: str) -> bool:
    return name != "coverage" and name not in FUNNEL and not follows_frames(name)
