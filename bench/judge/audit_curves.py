"""The second opinion on curves: every point again from the row tables, and which points may be there.

Rows are joined by name in pandas and counted by comparing confidences with the edges that a point names;
shares no code with what made the points. Says what is wrong instead of raising. It knows the people of a bin
themselves alone: what is withheld because it would give them away is not found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from bench.judge.audit_grids import GRIDS, check_grids, wanted_grids
from bench.judge.audit_probabilities import gives, rows_of
from bench.judge.invariants import Finding
from bench.judge.planned import PlannedCell
from bench.spec import Suite
from bench.tables.frame import grouped, joined

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CurveAudit", "audit_curves"]

_CURVE = {"ece": "reliability", "aurc": "risk_coverage"}
_KEY = len(PlannedCell.KEY)
_COLUMNS = {*PlannedCell.KEY, "slice", "value", "curve", "low", "high", "x", "y", "n", "status"}
_BINS = 15

Row = dict[str, Any]
Part = tuple[Any, ...]


@dataclass
class CurveAudit:
    """What was found: numbers as (row, field, found, audited), points withheld, and faults by invariant."""

    numbers: list[tuple[Row, str, float | None, float | None]] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)
    withheld: int = 0
    points: int = 0
    strange: list[str] = field(default_factory=list)
    leaking: list[str] = field(default_factory=list)
    few: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """The invariants of curves; none where no curve is there and none should be."""
        if not self.points and not self.strange:
            return []
        return [
            Finding("curves follow from plan and tables", self.points, tuple(self.strange)),
            Finding("withheld points carry no number", self.withheld, tuple(self.leaking)),
            Finding("points of few people are withheld", self.points, tuple(self.few)),
        ]


def audit_curves(path: Path, cells: Sequence[PlannedCell], suite: Suite, rows: Sequence[Row]) -> CurveAudit:
    """Recompute the curves of a run; ``rows`` are its estimates, which say whose curves may be there."""
    found = CurveAudit()
    points = _read(path)
    if points is None:
        found.strange.append("curves.parquet cannot be read")
        return found
    curves: dict[Part, list[Row]] = {}
    for point in points:
        curves.setdefault(_part(point, point["curve"]), []).append(point)
    known = {cell.key for cell in cells}
    found.strange += [f"{_words(part)}: it is of no cell" for part in curves if part[:_KEY] not in known]
    for cell in (cell for cell in cells if cell.joins):
        mine = {part: group for part, group in curves.items() if part[:_KEY] == cell.key}
        _audit_grids(found, cell, suite, rows, mine)
        mine = {part: group for part, group in mine.items() if part[-1] not in GRIDS}
        wanted = set(_wanted(cell, rows))
        for words, parts in (("are missing", wanted - set(mine)), ("should not be", set(mine) - wanted)):
            found.strange += sorted(f"{_words(part)}: its points {words}" for part in parts)
        if wanted & set(mine):
            _audit_cell(found, cell, suite, {part: mine[part] for part in mine if part in wanted})
    return found


def _audit_grids(
    found: CurveAudit, cell: PlannedCell, suite: Suite, rows: Sequence[Row], curves: dict[Part, list[Row]]
) -> None:
    """Hold the grids of a cell against those that it should have, and against their counts made again."""
    mine = {part: points for part, points in curves.items() if part[-1] in GRIDS}
    wanted = {(*cell.key, None, None, name) for name in wanted_grids(cell, rows)}
    for words, parts in (("are missing", wanted - set(mine)), ("should not be", set(mine) - wanted)):
        found.strange += sorted(f"{_words(part)}: its points {words}" for part in parts)
    there = {part[-1]: mine[part] for part in sorted(wanted & set(mine), key=str)}
    for name, checked in zip(there, check_grids(cell, suite, there), strict=True):
        words = _words((*cell.key, name))
        found.points += len(there[name])
        found.withheld += checked.withheld
        found.numbers += checked.numbers
        found.compared[f"kind {name}"] = found.compared.get(f"kind {name}", 0) + len(checked.numbers) // 3
        found.strange += [f"{words}: its points are not one per place"] * checked.strange
        found.leaking += [words] * checked.leaking
        found.few += [words] * checked.few


def _wanted(cell: PlannedCell, rows: Sequence[Row]) -> Iterator[Part]:
    """The curves that a cell should have: of the whole where it can be, of values that are reportable."""
    if not gives("ece", *cell.tables):
        return
    for row in rows:
        curve = _CURVE.get(row["metric"]) if row["kind"] == "value" else None
        part = _part(row, curve)
        # Without a row of its own a bin is still a bin; a step is none.
        there = row["estimate"] is not None or curve == "reliability"
        shown = row["slice"] is None or row["status"] == "reportable"
        if curve and part[:_KEY] == cell.key and there and shown:
            yield part


def _audit_cell(found: CurveAudit, cell: PlannedCell, suite: Suite, curves: dict[Part, list[Row]]) -> None:
    frame = rows_of(joined(*cell.tables, cell.facts), "ece")
    names = [name for name in frame.columns if str(name).startswith("said/p_")]
    frame = frame.assign(
        **{
            "said/confidence": frame[names].astype(float).clip(0, 1).max(axis="columns"),
            "said/right": frame["said/truth"] == frame["said/decision"],
        }
    )
    floor = 0 if cell.facts.attributes_public else suite.slice_rule.suppress_below
    groups = {cut.name: grouped(frame, *cut, suite) for cut in suite.slicings}
    for part, points in curves.items():
        slice_, value, curve = part[-3:]
        rows = frame if slice_ is None else frame[groups[slice_] == value]
        found.points += len(points)
        steps = _steps(rows["said/confidence"].to_numpy(), binned=bool(floor and slice_ is not None))
        if not (_is_histogram(points) if curve == "reliability" else _goes_down(points, rows, steps)):
            found.strange.append(f"{_words(part)}: its points are not one per bin")
        if slice_ is not None and any(0 < people < floor for people in _people(points, rows, curve)):
            found.few.append(_words(part))
        for point in points:
            _audit_point(found, part, point, rows)


def _audit_point(found: CurveAudit, part: Part, point: Row, rows: pd.DataFrame) -> None:
    if point["status"] == "suppressed":
        found.withheld += 1
        if any(point[name] is not None for name in ("x", "y", "n")):
            found.leaking.append(_words(part))
        return
    inside = _inside(point, rows)
    kept, curve = rows[inside], part[-1]
    y = kept["said/right"] if curve == "reliability" else ~kept["said/right"]
    x = float(inside.mean()) if curve == "risk_coverage" else kept["said/confidence"].mean()
    again = {"x": x, "y": y.mean() if len(kept) else np.nan, "n": float(len(kept))}
    metric = next(name for name, drawn in _CURVE.items() if drawn == curve)
    row = {**point, "metric": metric, "kind": f"{curve} from {point['low']:.6g}", "reference": None}
    for name, number in again.items():
        found.numbers.append((row, name, point[name], None if np.isnan(number) else float(number)))
    found.compared[f"kind {curve}"] = found.compared.get(f"kind {curve}", 0) + 1


def _inside(point: Row, rows: pd.DataFrame) -> np.ndarray:
    """The rows of a point: of a bin that holds its upper edge, or from a least confidence up."""
    confidence = rows["said/confidence"].to_numpy()
    if point["curve"] == "risk_coverage":
        return np.asarray(confidence >= point["low"])
    return np.asarray((confidence <= point["high"]) & ((confidence > point["low"]) | (point["low"] == 0)))


def _is_histogram(points: Sequence[Row]) -> bool:
    """Whether there is a point for every bin, in order."""
    edges = np.arange(_BINS + 1) / _BINS
    found = [[point["low"], point["high"]] for point in points]
    return len(points) == _BINS and np.allclose(found, np.stack([edges[:-1], edges[1:]], axis=1), 0, 1e-12)


def _steps(confidence: np.ndarray, *, binned: bool) -> np.ndarray:
    """Confidence on the scale on which a step is one wide."""
    from scipy.special import logit

    return confidence * _BINS if binned else np.clip(logit(confidence), -16, 16 - 1 / 8) * 8


def _goes_down(points: Sequence[Row], rows: pd.DataFrame, steps: np.ndarray) -> bool:
    """Whether the points descend to the last row, with no more than a step between two of them."""
    before = np.zeros(len(rows), bool)
    for point in points:
        inside = _inside(point, rows)
        between = steps[inside & ~before]
        if not len(between) or np.ptp(between) > 1 + 1e-6:
            return False
        before = inside
    return bool(before.all())


def _people(points: Sequence[Row], rows: pd.DataFrame, curve: str) -> Iterator[int]:
    """The people that each shown point is of, or is of beyond the shown point before it."""
    before = np.zeros(len(rows), bool)
    for point in points:
        if point["status"] != "suppressed":
            inside = _inside(point, rows)
            yield rows["said/cluster"][inside & ~before].nunique()
            before = inside if curve == "risk_coverage" else before


def _part(row: Row, what: str | None) -> Part:
    return (*(row[name] for name in (*PlannedCell.KEY, "slice", "value")), what)


def _words(part: Part) -> str:
    return " / ".join(str(each) for each in part if each is not None)


def _read(path: Path) -> list[Row] | None:
    """The points; none where no file is, None where it is none of curves."""
    import pyarrow.parquet as pq

    if not path.is_file():
        return []
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException):
        return None
    return table.to_pylist() if set(table.column_names) >= _COLUMNS else None
