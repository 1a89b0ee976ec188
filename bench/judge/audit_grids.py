"""The second opinion on grids: every count again from the row tables, by scikit-learn and numpy.

Shares no code with what made them. Says what is wrong instead of raising. Of what is withheld because it
would give other places away it knows one case: a place alone withheld in a sum that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.judge.audit_metrics import affect, label_functions
from bench.judge.planned import PlannedCell
from bench.spec import Suite
from bench.tables.frame import joined, labelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GRIDS", "Checked", "check_grids", "wanted_grids"]

_AFFECT = ("affect_labels", "affect_outputs", "quadrant_labels", "quadrant_outputs")
GRIDS = ("confusion", *_AFFECT)

Row = dict[str, Any]
Place = tuple[float, float]
Again = dict[Place, dict[str, float]]


class Checked:
    """What was found of one grid: numbers as (row, field, found, audited), places withheld, and faults."""

    def __init__(self) -> None:
        self.numbers: list[tuple[Row, str, float | None, float | None]] = []
        self.withheld = 0
        self.strange, self.leaking, self.few = False, False, False


def wanted_grids(cell: PlannedCell, rows: Sequence[Row]) -> set[str]:
    """The grids that a clean cell should have, by the metrics of its estimates ``rows``; none of another."""
    shown = [
        row["metric"] for row in rows
        if row["kind"] == "value" and row["slice"] is None
        and not (row["warning"] or "").startswith("unavailable")
        and tuple(row[name] for name in PlannedCell.KEY) == cell.key
    ]  # fmt: skip
    if cell.record.get("condition") != "clean":
        return set()
    of_labels = label_functions(cell.facts.labels)
    columns = {found[0] for metric in shown if (found := affect(metric))}
    grids = {"confusion"} if any(metric in of_labels for metric in shown) else set[str]()
    return grids | (set(_AFFECT) if {"valence", "arousal"} <= columns else set())


def check_grids(cell: PlannedCell, suite: Suite, grids: dict[str, list[Row]]) -> Iterator[Checked]:
    """Count each of the grids again and hold its points against that."""
    frame = joined(*cell.tables, cell.facts)
    floor = 0 if cell.facts.attributes_public else suite.slice_rule.suppress_below
    for name, points in grids.items():
        again = _confusion(frame, cell) if name == "confusion" else _plane(frame, name)
        yield _check(name, points, again, floor)


def _check(name: str, points: Sequence[Row], again: Again, floor: int) -> Checked:
    found = Checked()
    places = [(point["low"], point["high"]) for point in points]
    found.strange = sorted(places) != sorted(again)
    for point, place in zip(points, places, strict=True):
        numbers = again.get(place)
        if numbers is None:
            continue
        if point["status"] == "suppressed":
            found.withheld += 1
            found.leaking |= any(point[field] is not None for field in ("x", "y", "n"))
            continue
        found.few |= 0 < numbers["people"] < floor
        row = {**point, "metric": name, "kind": f"at {place[0]:g}, {place[1]:g}", "reference": None}
        for field in ("x", "y", "n"):
            number = numbers.get(field, np.nan)
            found.numbers.append((row, field, point[field], None if np.isnan(number) else float(number)))
    found.few |= _alone(name, points, again)
    return found


def _alone(name: str, points: Sequence[Row], again: Again) -> bool:
    """Whether one place alone is withheld in a row, column or whole plane: its sum gives it away.

    Not one that accuracy gives away already, since all labels are the same.
    """
    gone = [(point["low"], point["high"]) for point in points if point["status"] == "suppressed"]
    if name != "confusion":
        return len(gone) == 1
    labels = {truth for (truth, _), numbers in again.items() if numbers["n"]}
    told = {(label, label) for label in labels if len(labels) == 1}
    lines = [(axis, place[axis]) for place in gone for axis in (0, 1)]
    return any(lines.count((axis, place[axis])) == 1 for place in {*gone} - told for axis in (0, 1))


def _confusion(frame: pd.DataFrame, cell: PlannedCell) -> Again:
    from sklearn.metrics import confusion_matrix

    labels = len(cell.facts.labels)
    rows = labelled(frame)
    truth, said = rows["said/truth"], rows["said/decision"].replace(-1, labels)
    counts = confusion_matrix(truth, said, labels=range(labels + 1)) if len(rows) else _zeros(labels + 1)
    people = rows.assign(truth=truth, said=said).groupby(["truth", "said"])["said/cluster"].nunique()
    sums = counts.sum(axis=1)
    return {
        (float(t), float(s)): {
            "n": float(counts[t, s]),
            "x": float(counts[t, s] / sums[t]) if sums[t] else np.nan,
            "people": float(people.get((t, s), 0)),
        }
        for t in range(labels)
        for s in range(labels + 1)
    }


def _zeros(side: int) -> np.ndarray:
    return np.zeros((side, side), np.int64)


def _plane(frame: pd.DataFrame, name: str) -> Again:
    axes = ("valence", "arousal")
    both = frame[[*axes, *(f"said/{axis}" for axis in axes)]].astype(float).notna().all(axis="columns")
    rows = frame[frame["said/judged"] & both]
    truth, said = (rows[[f"{of}{axis}" for axis in axes]].astype(float).to_numpy() for of in ("", "said/"))
    side = 8 if name.startswith("affect") else 2
    by = said if name == "affect_outputs" else truth
    edges = np.linspace(-1, 1, side + 1)
    place = np.clip(np.digitize(by, edges), 1, side) - 1
    values, who = said if name == "quadrant_outputs" else truth, rows["said/cluster"].to_numpy()
    found: Again = {}
    for x, low in enumerate(edges[:-1]):
        for y, high in enumerate(edges[:-1]):
            inside = (place == (x, y)).all(axis=1)
            found[float(low), float(high)] = {"n": float(inside.sum()), "people": len(set(who[inside]))}
            if side == 2 and inside.any():
                means = values[inside].mean(axis=0)
                found[float(low), float(high)] |= {"x": float(means[0]), "y": float(means[1])}
    return found
