"""The audit recomputes curves to rounding, and finds each way of spoiling them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import workflow
from bench.folder import RunFolder
from bench.judge.audit import audit
from bench.question import Question
from tests.judge.graded import graded_cell
from tests.judge.made import make_suite
from tests.judge.scored import faults

FOLLOW = "curves follow from plan and tables"
BARE = "withheld points carry no number"
FEW = "points of few people are withheld"
Rows = list[dict[str, Any]]


def finished(folder: Path, *, public: bool, metrics: tuple[str, ...] = ("ece", "aurc")) -> RunFolder:
    """A scored run, without a report, of a model with probabilities and one of hard labels."""
    folder.mkdir(parents=True, exist_ok=True)
    cell = graded_cell(5, 1200, 44, attributes_public=public)
    said = cell.predictions.drop_columns("predicted")
    paths = {name: folder / f"{name}.parquet" for name in ("soft", "hard")}
    pq.write_table(said, paths["soft"])
    hard = pa.table({"target": said["target"], "status": said["status"],
                     "predicted": cell.predictions["predicted"]})  # fmt: skip
    pq.write_table(hard, paths["hard"])
    suite = make_suite(slices=("sex", "light"), metrics=metrics)
    question = Question(suite, {"made": cell.targets}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, paths, {}, folder / "run")
    workflow.finish(run)
    return run


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A run of data whose attributes are public, and one of data whose are not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        folder = tmp_path_factory.mktemp("curves")
        return {public: finished(folder / str(public), public=public).path for public in (True, False)}


@pytest.fixture
def change(both: dict[bool, Path], tmp_path: Path) -> Callable[..., Any]:
    """Audit a copy of a run whose curves were changed."""

    def changed(alter: Callable[[Rows], Rows], *, public: bool = False) -> Any:
        run = RunFolder(Path(shutil.copytree(both[public], tmp_path / "run")))
        table = pq.read_table(run.curves)
        pq.write_table(pa.Table.from_pylist(alter(table.to_pylist()), table.schema), run.curves)
        return audit(run.path)

    return changed


def one(rows: Rows, curve: str, value: str | None = "male", status: str = "reportable") -> dict[str, Any]:
    """A point in the middle of a curve."""
    found = [r for r in rows if (r["curve"], r["value"], r["status"]) == (curve, value, status)]
    return [r for r in found if r["n"] != 0][len(found) // 3]


@pytest.mark.parametrize("public", [True, False])
def test_honest_curves_are_agreed_with_to_rounding(both: dict[bool, Path], public: bool) -> None:
    found = audit(both[public])
    assert found.agrees, (found.differences[:3], faults(found))
    points = pq.read_table(both[public] / "curves.parquet").to_pylist()
    shown = [p["curve"] for p in points if p["status"] != "suppressed"]
    for curve in ("reliability", "risk_coverage"):
        assert found.compared[f"kind {curve}"] == shown.count(curve) > 15
    assert found.largest is not None
    assert found.largest.size < 1e-12
    assert {p["model"] for p in points} == {"soft"}
    checked = {f.name: f.checked for f in found.findings}
    assert checked[FOLLOW] == len(points)
    assert checked[BARE] == len(points) - len(shown)
    assert (checked[BARE] > 0) == (not public)


@pytest.mark.parametrize("curve", ["reliability", "risk_coverage"])
@pytest.mark.parametrize(("field", "by"), [("x", 1e-7), ("y", -1e-7), ("n", 1)])
def test_one_changed_number_is_found(change: Callable[..., Any], curve: str, field: str, by: float) -> None:
    def alter(rows: Rows) -> Rows:
        one(rows, curve)[field] += by
        return rows

    found = change(alter, public=True)
    (difference,) = found.differences
    assert (difference.field, difference.row["curve"], difference.row["value"]) == (field, curve, "male")
    assert difference.size == pytest.approx(abs(by), rel=1e-6)
    assert not faults(found)


def test_numbers_of_a_withheld_point_are_found_as_such_and_not_compared(change: Callable[..., Any]) -> None:
    def alter(rows: Rows) -> Rows:
        next(r for r in rows if r["status"] == "suppressed")["n"] = 3
        return rows

    found = change(alter)
    assert not found.differences
    assert list(faults(found)) == [BARE]


@pytest.mark.parametrize("curve", ["reliability", "risk_coverage"])
def test_a_point_of_few_people_that_is_shown_is_found(change: Callable[..., Any], curve: str) -> None:
    """All points shown, as they are where attributes are public: those of few are found, with true numbers."""

    def alter(rows: Rows) -> Rows:
        cell = graded_cell(5, 1200, 44)
        said = cell.predictions.to_pandas()
        kept = (said["status"] == "ok") & cell.targets.table["label"].to_pandas().notna()
        light = cell.targets.table["light"].to_pandas().fillna("unmeasured")
        right = said["predicted"] == cell.targets.table["label"].to_pandas()
        confidence = said[[n for n in said if n.startswith("p_")]].max(axis=1)
        for r in rows:
            if (r["curve"], r["slice"], r["status"]) != (curve, "light", "suppressed"):
                continue
            part = kept & (light == r["value"])
            inside = part & (confidence >= r["low"])
            x, y = inside.sum() / part.sum(), (~right[inside]).mean()
            if curve == "reliability":
                inside = part & (confidence > r["low"]) & (confidence <= r["high"])
                x, y = confidence[inside].mean(), right[inside].mean()
            r |= {"x": float(x), "y": float(y), "n": int(inside.sum()), "status": "reportable"}
        return rows

    found = change(alter)
    assert not found.differences
    assert list(faults(found)) == [FEW]
    assert all(fault.endswith(curve) for fault in faults(found)[FEW])


def moved(rows: Rows) -> Rows:
    one(rows, "reliability")["high"] += 1e-6
    return rows


def lost(curve: str) -> Callable[[Rows], Rows]:
    def alter(rows: Rows) -> Rows:
        gone = one(rows, curve, None)
        return [r for r in rows if r is not gone]

    return alter


def without_value(rows: Rows) -> Rows:
    return [r for r in rows if r["value"] != "male"]


def of_another(rows: Rows) -> Rows:
    return [*rows, {**rows[0], "model": "other"}]


def of_hard_labels(rows: Rows) -> Rows:
    return [*rows, *({**r, "model": "hard"} for r in rows if r["value"] is None)]


@pytest.mark.parametrize("alter", [
    moved, lost("reliability"), lost("risk_coverage"), without_value, of_another, of_hard_labels,
    lambda rows: [], lambda rows: [*rows, one(rows, "risk_coverage")],
])  # fmt: skip
def test_points_lost_moved_or_too_many_are_found(
    change: Callable[..., Any], alter: Callable[[Rows], Rows]
) -> None:
    found = change(alter, public=True)
    assert not found.agrees
    assert FOLLOW in faults(found)


@pytest.mark.parametrize("content", [b"PAR1", b""])
def test_a_file_that_cannot_be_read_is_found(both: dict[bool, Path], tmp_path: Path, content: bytes) -> None:
    run = RunFolder(Path(shutil.copytree(both[True], tmp_path / "run")))
    run.curves.write_bytes(content)
    assert faults(audit(run.path))[FOLLOW] == ("curves.parquet cannot be read",)
    pq.write_table(pa.table({"x": np.arange(3)}), run.curves)
    assert faults(audit(run.path))[FOLLOW] == ("curves.parquet cannot be read",)


def test_a_run_without_curves_is_not_asked_for_any(tmp_path: Path, no_report: None) -> None:
    run = finished(tmp_path, public=True, metrics=("coverage",))
    assert not run.curves.exists()
    found = audit(run.path)
    assert found.agrees
    assert FOLLOW not in {finding.name for finding in found.findings}
