"""Primary tests that were not made, in words: which, of which models, under which conditions, and why.

Each counts as p = 1 among the primary ones (``bench.judge.fairness.adjust``), so that none may go unnamed.
Nothing is tested here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.report import format as fmt
from bench.report.differences import FEW, over
from bench.report.records import Dataset, Place
from bench.report.results import Results, Row

__all__ = ["untestable"]

_WHY = (FEW, "no gap", "no test")


def untestable(results: Results, data: Dataset) -> tuple[str, ...]:
    """A sentence on the primary tests of a data set that were not made; nothing where all were."""
    places, tested = results.places(data.name), results.primary_gaps
    if not results.suite.primary and not tested:
        return ()
    lost: dict[tuple[str, str, str], list[Place]] = {}
    for place in places:
        for model in (model.name for model in results.models if results.has(model.name, data.name, place)):
            mine = tested.get((model, data.name, place), [])
            for test, why in dict.fromkeys(_unmade(mine, results.suite.primary)):
                lost.setdefault((test, why, model), []).append(place)
    whose: dict[tuple[str, str, str], list[str]] = {}
    for (test, why, model), where in lost.items():
        whose.setdefault((test, _under(where, places), why), []).append(model)
    told = [f"{test}{under} ({', '.join(models)}: {why})" for (test, under, why), models in whose.items()]
    counted = "A primary gap that cannot be tested counts as p = 1."
    return (f"Not testable on {data.name}: {'; '.join(told)}. {counted}",) if told else ()


def _unmade(gaps: Sequence[Row], primary: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The primary tests of one cell that have no p, each with why, as the judge counts them."""
    made = set()
    for row in gaps:
        # A test of recall is one of each recall/fear.
        made |= {f"gap/{name}/{row['slice']}" for name in (row["metric"], row["metric"].partition("/")[0])}
        if row["p"] is None:
            yield f"gap/{row['metric']}/{over(row)}", _reason(row)
    yield from ((test, "unavailable") for test in primary if test not in made)


def _reason(row: Row) -> str:
    """Why a gap has no p."""
    if row["status"] == "suppressed":
        return fmt.WITHHELD
    texts = (row["warning"] or "").split("; ")
    return "; ".join(text.removeprefix(f"{FEW}: ") for text in texts if text.startswith(_WHY)) or "no test"


def _under(lost: Sequence[Place], places: Sequence[Place]) -> str:
    """The conditions under which a test was not made; of a data set that knows but one, nothing."""
    if len(lost) == len(places):
        return " under every condition" if len(places) > 1 else ""
    severities: dict[tuple[str, str], list[str]] = {}
    for place in lost:
        severities.setdefault((place.condition, place.where), []).append(str(place.severity))
    words = [
        fmt.condition(name, 0, None) + (f" on the {where} at severity {', '.join(found)}" if where else "")
        for (name, where), found in severities.items()
    ]
    return f" under {' and '.join(words)}"
