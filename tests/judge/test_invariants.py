"""Rules of a whole run: each way to break one is found, and found as that one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench.folder import RunFolder
from bench.judge.audit import audit
from tests.judge.scored import change_estimates, faults, rare_fear, rewrite


def test_predictions_changed_without_their_digest_are_found(run: RunFolder) -> None:
    rewrite(run, "soft", lambda table: table.replace_schema_metadata({"x": "y"}), digest=False)
    found = audit(run.path)
    assert not found.agrees
    assert not found.differences
    assert list(faults(found)) == ["files are as their digests say"]


def test_changed_targets_are_found(run: RunFolder) -> None:
    path = run.targets_path("made")
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.column_names.index("sex"), "sex", [["male"] * len(table)]), path)
    assert "files are as their digests say" in faults(audit(run.path))


def test_a_plan_that_counts_other_targets_is_found(run: RunFolder) -> None:
    plan = json.loads((run.path / "run.json").read_text())
    plan["datasets"][0]["rows"] += 1
    (run.path / "run.json").write_text(json.dumps(plan))
    count = plan["datasets"][0]["rows"]
    (fault,) = faults(audit(run.path))["files are as their digests say"]
    assert fault == f"targets of made: the plan counts {count} of them, not {count - 1}"


def test_a_missing_cell_is_found(run: RunFolder) -> None:
    (run.cell("hard", "made", "clean").path / "cell.json").unlink()
    found = audit(run.path)
    assert "every cell of the plan is there" in faults(found)
    assert "estimates follow from plan and tables" in faults(found)
    assert found.not_audited["rows of cells that cannot be read"] > 0


def test_a_cell_without_readable_predictions_is_found(run: RunFolder) -> None:
    run.cell("hard", "made", "clean").predictions.write_bytes(b"PAR1")
    assert "every target is there once in every cell" in faults(audit(run.path))


@pytest.mark.parametrize("change", ["lost", "twice"])
def test_a_target_lost_or_twice_is_found(run: RunFolder, change: str) -> None:
    order = list(range(599)) if change == "lost" else [*range(600), 5]
    rewrite(run, "hard", lambda table: table.take(order), digest=True)
    assert "every target is there once in every cell" in faults(audit(run.path))


def test_a_plan_without_one_of_its_cells_is_found(run: RunFolder) -> None:
    plan = json.loads((run.path / "run.json").read_text())
    plan["cells"] = plan["cells"][:1]
    (run.path / "run.json").write_text(json.dumps(plan))
    assert faults(audit(run.path))["every cell of the plan is there"] == (
        "hard / made / clean: the plan lacks it",
    )


def test_a_cell_that_the_plan_has_no_model_for_is_found(run: RunFolder) -> None:
    plan = json.loads((run.path / "run.json").read_text())
    plan["models"] = [model for model in plan["models"] if model["name"] == "soft"]
    (run.path / "run.json").write_text(json.dumps(plan))
    assert faults(audit(run.path))["every cell of the plan is there"] == (
        "hard / made / clean: it is in the plan, but not of its models, data sets and conditions",
    )


@pytest.mark.parametrize("how", ["lost", "broken", "subject", "sex"])
def test_targets_that_cannot_be_read_are_found_and_nothing_is_compared(run: RunFolder, how: str) -> None:
    """Not there, no table, or without the column of the persons or of a slice."""
    path = run.targets_path("made")
    table = pq.read_table(path)
    path.unlink()
    if how == "broken":
        path.write_bytes(b"PAR1")
    elif how != "lost":
        pq.write_table(table.drop_columns(how), path)
    found = audit(run.path)
    (fault,) = faults(found)["files are as their digests say"]
    assert fault.startswith(f"{path}: ")
    assert not found.compared
    assert not found.differences
    assert found.not_audited["rows of cells that cannot be read"] > 0


@pytest.mark.parametrize("column", ["target", "status", "predicted"])
def test_predictions_without_one_of_their_columns_cannot_be_read(run: RunFolder, column: str) -> None:
    rewrite(run, "hard", lambda table: table.drop_columns(column), digest=True)
    found = audit(run.path)
    assert faults(found)["every target is there once in every cell"] == (
        "hard / made / clean: there are no readable predictions",
    )
    assert {d.row["kind"] for d in found.differences} == {"rank"}  # the other has no rival left
    assert found.not_audited["rows of cells that cannot be read"] > 0


def test_cells_that_changed_places_are_found(run: RunFolder) -> None:
    one, two = (run.cell(model, "made", "clean").path for model in ("soft", "hard"))
    one.rename(one.with_name("aside"))
    two.rename(one)
    one.with_name("aside").rename(two)
    assert len(faults(audit(run.path))["every cell of the plan is there"]) == 2


@pytest.mark.parametrize("what", ["row", "metric", "value", "again", "strange"])
def test_estimates_that_do_not_follow_are_found(run: RunFolder, what: str) -> None:
    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        last = [r for r in rows if r["kind"] == "value"][-1]
        if what == "row":
            return [r for r in rows if r is not last]
        if what == "again":
            return [*rows, rows[0]]
        if what == "strange":
            return [*rows, {**rows[0], "model": "other"}]
        field, lost = ("metric", "uar") if what == "metric" else ("value", "male")
        return [r for r in rows if r[field] != lost]

    change_estimates(run, alter)
    assert list(faults(audit(run.path))) == ["estimates follow from plan and tables"]


def test_metrics_that_the_tables_do_not_allow_are_found(run: RunFolder) -> None:
    """Nobody named metrics, and neither the targets nor the models have dominance."""

    def invent(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [r for r in rows if (r["kind"], r["metric"]) == ("value", "accuracy")]
        return [*rows, *({**r, "metric": "rmse_dominance"} for r in values)]

    change_estimates(run, invent)
    found = audit(run.path)
    (soft, hard) = faults(found)["estimates follow from plan and tables"]
    for fault in (soft, hard):
        assert fault.endswith("the estimates have rmse_dominance, which the tables do not allow")
    assert {(d.row["metric"], d.audited) for d in found.differences} == {("rmse_dominance", None)}


def test_a_withheld_number_and_a_small_group_shown_are_found(run: RunFolder) -> None:
    def leak(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            if (row["status"], row["kind"], row["value"]) != ("suppressed", "value", "rare"):
                continue
            if row["metric"] == "uar":
                row["n"] = 7
            if row["metric"] == "accuracy":
                row |= {"status": "insufficient", "n": 7}
        return rows

    change_estimates(run, leak)
    found = faults(audit(run.path))
    assert found["withheld rows carry no number"] == tuple(
        f"{model} / made / clean / 0: race rare uar" for model in ("hard", "soft")
    )
    assert found["values of few people are withheld"] == tuple(
        f"{model} / made / clean / 0: race rare accuracy" for model in ("hard", "soft")
    )


NAMED = ("accuracy", "recall", "precision", "false_positive_rate", "selection_rate")


@pytest.mark.parametrize("metric", [f"{name}/fear" for name in NAMED[1:]])
def test_a_small_class_shown_is_found(tmp_path: Path, no_report: None, metric: str) -> None:
    """One person of A has fear; what is withheld of B, of thirty with fear, is not of few."""
    run = rare_fear(tmp_path, NAMED)
    assert not faults(audit(run.path))

    def leak(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for row in rows:
            if (row["kind"], row["slice"], row["metric"]) == ("value", "group", metric):
                assert row["status"] == "suppressed"
                row |= {"status": "insufficient", "n": 3, "estimate": 1 / 3}
        return rows

    change_estimates(run, leak)
    assert faults(audit(run.path))["values of few people are withheld"] == (
        f"m / made / clean / 0: group A {metric}",
    )
