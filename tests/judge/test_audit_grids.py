"""The audit counts grids again to rounding, and finds each way of spoiling them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import workflow
from bench.folder import RunFolder
from bench.judge.audit import audit
from bench.question import Question
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, random_cell
from tests.judge.scored import faults
from tests.judge.test_audit_curves import BARE, FEW, FOLLOW
from tests.judge.test_grids import plane_cell

GRIDS = {"confusion", "affect_labels", "affect_outputs", "quadrant_labels", "quadrant_outputs"}
Rows = list[dict[str, Any]]


def finished(folder: Path, cell: Any, metrics: tuple[str, ...]) -> Path:
    path = folder / "said.parquet"
    pq.write_table(cell.predictions, path)
    question = Question(
        make_suite(metrics=metrics), {"made": cell.targets}, lambda kind, name: f"{kind} {name}"
    )
    run = workflow.score(question, {"m": path}, {}, folder / "run")
    workflow.finish(run)
    return run.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of labels and one of valence and arousal, from which something is withheld, without a report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        folders = {name: tmp_path_factory.mktemp(name) for name in ("labels", "plane")}
        return {
            "labels": finished(folders["labels"], random_cell(0, 420, 40), ("accuracy", "uar")),
            "plane": finished(folders["plane"], plane_cell(3, 500, 50), ("ccc_valence", "rmse_arousal")),
        }


@pytest.fixture
def change(runs: dict[str, Path], tmp_path: Path) -> Callable[..., Any]:
    """Audit a copy of a run whose grids were changed."""

    def changed(name: str, alter: Callable[[Rows], Rows]) -> Any:
        run = RunFolder(Path(shutil.copytree(runs[name], tmp_path / "run")))
        table = pq.read_table(run.curves)
        pq.write_table(pa.Table.from_pylist(alter(table.to_pylist()), table.schema), run.curves)
        return audit(run.path)

    return changed


def test_honest_grids_are_agreed_with(runs: dict[str, Path]) -> None:
    compared: set[str] = set()
    for path in runs.values():
        found = audit(path)
        assert found.agrees, (found.differences[:3], faults(found))
        assert found.withheld > 0
        compared |= {name.removeprefix("kind ") for name in found.compared}
    assert compared >= GRIDS


@pytest.mark.parametrize(
    ("name", "curve", "field"),
    [("labels", "confusion", "n"), ("labels", "confusion", "x"), ("plane", "affect_outputs", "n"),
     ("plane", "quadrant_outputs", "x"), ("plane", "quadrant_labels", "y")],
)  # fmt: skip
def test_a_number_that_is_off_is_found(change: Any, name: str, curve: str, field: str) -> None:
    def alter(rows: Rows) -> Rows:
        mine = [row for row in rows if row["curve"] == curve and row["n"]]
        mine[len(mine) // 2][field] += 1
        return rows

    (found,) = change(name, alter).differences
    assert (found.row["metric"], found.field) == (curve, field)
    assert found.size == pytest.approx(1)


def test_a_missing_and_an_uncalled_for_grid_are_found(change: Any) -> None:
    def rename(rows: Rows) -> Rows:
        return [row | {"curve": "affect_labels"} for row in rows]

    told = faults(change("labels", rename))[FOLLOW]
    assert [text.rpartition(": ")[2] for text in told] == [
        "its points are missing",
        "its points should not be",
    ]


def test_a_place_that_is_missing_is_found(change: Any) -> None:
    (text,) = faults(change("labels", lambda rows: rows[1:]))[FOLLOW]
    assert text.endswith("its points are not one per place")


def test_a_withheld_count_that_is_there_is_found(change: Any) -> None:
    def leak(rows: Rows) -> Rows:
        next(row for row in rows if row["status"] == "suppressed")["n"] = 3
        return rows

    (text,) = faults(change("labels", leak))[BARE]
    assert text.endswith("confusion")


def test_a_count_of_a_few_that_is_shown_is_found(change: Any) -> None:
    def show(rows: Rows) -> Rows:
        gone = [row for row in rows if row["status"] == "suppressed"]
        for row in gone:
            row |= {"status": "reportable", "n": 1, "x": 0.1}
        return rows

    (text,) = faults(change("labels", show))[FEW]
    assert text.endswith("confusion")


def test_a_place_alone_withheld_in_a_row_is_found(change: Any) -> None:
    def fill(rows: Rows) -> Rows:
        gone = [row for row in rows if row["status"] == "suppressed"]
        for row in gone[1:]:
            if row["low"] == gone[0]["low"]:
                row |= {"status": "reportable", "n": 30, "x": 0.1}
        return rows

    assert any(text.endswith("confusion") for text in faults(change("labels", fill))[FEW])


def test_a_place_that_accuracy_gives_away_covers_nothing(tmp_path: Path) -> None:
    # All labels are the same: three of thirty people are right, and accuracy says so.
    targets = make_targets({"subject": [f"s{k}" for k in range(30)], "label": [LABELS[0]] * 30})
    cell = make_cell(targets, {"predicted": [*LABELS[:1] * 3, *LABELS[1:2] * 27]})
    path = finished(tmp_path, cell, ("accuracy",))
    gone = [(row["low"], row["high"]) for row in pq.read_table(RunFolder(path).curves).to_pylist()
            if row["status"] == "suppressed"]  # fmt: skip
    assert gone == [(0, 0)]
    found = audit(path)
    assert found.agrees, faults(found)
