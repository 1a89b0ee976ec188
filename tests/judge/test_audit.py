"""The audit agrees with honest runs, and with nothing else: each mutation must make it disagree."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.folder import RunFolder, write_json
from bench.judge import kernels, sums
from bench.judge.audit import audit
from tests.judge.made import LABELS
from tests.judge.scored import change_estimates, faults, finished, rewrite

pytestmark = pytest.mark.usefixtures("no_report")

ROOT = Path(__file__).resolve().parents[2]


def test_an_honest_run_is_agreed_with(run: RunFolder) -> None:
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    rows = pq.read_table(run.estimates).to_pylist()
    points = pq.read_table(run.curves).to_pylist()
    suppressed = [r for r in (*rows, *points) if r["status"] == "suppressed"]
    assert found.withheld == len(suppressed) > 0
    counted = sum(found.compared.values()) + found.undefined + found.withheld
    assert counted + sum(found.not_audited.values()) == len(rows) + len(points)
    known = {"accuracy", "uar", "macro_f1", "coverage", "ccc_valence", "pcc_valence_covered", "rmse_valence"}
    assert known | {f"recall/{label}" for label in LABELS} <= set(found.compared)
    assert not known & set(found.not_audited)
    assert found.largest is not None
    assert found.largest.size < 1e-12
    assert len({r["n"] for r in rows}) > 50  # misses, gaps and slices left no two counts alike


def test_ties_misses_and_strange_labels_are_there(run: RunFolder) -> None:
    soft, hard = (
        pq.read_table(run.cell(name, "made", "clean").predictions).to_pylist() for name in ("soft", "hard")
    )
    assert sum(r["status"] == "ok" and r["predicted"] is None for r in soft) > 20
    assert sum(r["predicted"] == "contempt" for r in hard) > 5
    assert {r["status"] for r in soft} == {"ok", "no_face", "abstained", "model_error", "decode_error"}


def test_metrics_asked_for_by_name_and_unavailable_ones(tmp_path: Path) -> None:
    found = audit(finished(tmp_path, metrics=("recall", "ccc_valence", "coverage")).path)
    assert found.agrees, (found.differences[:3], faults(found))
    metrics = {
        "ccc_valence",
        "rmse_valence",
        "bias_valence",
        "label_sd_valence",
        "coverage",
        *(f"recall/{label}" for label in LABELS),
    }
    kinds = {"kind gap", "kind contrast", "kind ratio", "kind spread", "kind confusion"}
    assert set(found.compared) == metrics | kinds


def test_swapped_targets_are_found(run: RunFolder) -> None:
    truth = {r["target"]: r["label"] for r in run.targets("made").table.to_pylist()}

    def swap(table: pa.Table) -> pa.Table:
        rows = table.to_pylist()
        one = next(r for r in rows if r["predicted"] and r["predicted"] == truth[r["target"]])
        two = next(r for r in rows if r["predicted"] not in (None, truth[r["target"]], one["predicted"])
                   and truth[r["target"]] not in (None, one["predicted"]))  # fmt: skip
        one["target"], two["target"] = two["target"], one["target"]
        return pa.Table.from_pylist(rows, table.schema)

    rewrite(run, "hard", swap, digest=True)
    found = audit(run.path)
    assert {d.row["model"] for d in found.differences} == {"hard"}
    assert any(d.row["metric"] == "accuracy" and d.row["slice"] is None for d in found.differences)
    assert not faults(found)


def test_a_first_of_ties_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.tables.predictions.decide", lambda p: np.nan_to_num(p, nan=-1).argmax(axis=1))
    monkeypatch.setattr("bench.tables.predictions._other_label", None)
    found = audit(finished(tmp_path).path)
    assert {d.row["model"] for d in found.differences} == {"soft"}
    assert {"accuracy", "uar", "macro_f1"} <= {d.row["metric"] for d in found.differences}


def test_misses_left_out_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(rows: Any) -> kernels.Counts:
        honest = kernels.confusion(rows)
        return kernels.Counts(np.where(rows.decision < rows.labels, honest.column, -1), honest.shape)

    monkeypatch.setattr(sums, "confusion", lenient)
    found = audit(finished(tmp_path).path)
    assert {("accuracy", "n"), ("accuracy", "estimate")} <= {
        (d.row["metric"], d.field) for d in found.differences
    }


def test_another_constant_for_missing_valence_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = kernels.moments
    monkeypatch.setattr(
        sums, "moments", lambda rows, column, misses, constant: honest(rows, column, misses, 0.0)
    )
    found = audit(finished(tmp_path).path)
    assert {d.row["metric"] for d in found.differences} == {
        "ccc_valence", "pcc_valence", "rmse_valence", "bias_valence",
    }  # fmt: skip


def test_a_decode_error_kept_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.judge.rows.Rows.judged", property(lambda rows: np.ones(len(rows.truth), bool)))
    assert {d.field for d in audit(finished(tmp_path).path).differences} >= {"estimate", "n"}


@pytest.mark.parametrize(
    ("field", "change"),
    [("estimate", 1e-6), ("estimate", -1e-8), ("n", 1), ("clusters", -1), ("estimate", None), ("n", None)],
)
def test_one_changed_number_is_found(brief: RunFolder, field: str, change: float | None) -> None:
    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = next(r for r in rows if (r["model"], r["metric"], r["value"]) == ("soft", "uar", "male"))
        row[field] = None if change is None else row[field] + change
        return rows

    change_estimates(brief, alter)
    found = audit(brief.path)
    assert [(d.field, d.row["metric"], d.row["value"]) for d in found.differences] == [(field, "uar", "male")]
    assert found.differences[0].size == (np.inf if change is None else pytest.approx(abs(change), rel=1e-6))


def test_what_it_does_not_know_is_counted_and_never_agreed(brief: RunFolder) -> None:
    def add(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [r for r in rows if r["kind"] == "value"]
        shown = next(r for r in values if r["status"] != "suppressed")
        unknown = [{**r, "metric": "kudos"} for r in values if r["metric"] == "accuracy"]
        return [*rows, *unknown, {**shown, "kind": "wonder"}]

    before = audit(brief.path)
    change_estimates(brief, add)
    found = audit(brief.path)
    assert found.agrees, faults(found)
    assert found.compared == before.compared
    assert found.not_audited["kudos"] == before.compared["accuracy"]
    assert found.not_audited["kind wonder"] == 1


@pytest.mark.parametrize("lost", ["run.json", "estimates.parquet"])
def test_what_is_no_finished_run_is_refused(run: RunFolder, lost: str) -> None:
    (run.path / lost).unlink()
    with pytest.raises(UserError, match="readable"):
        audit(run.path)


@pytest.mark.parametrize("lost", ["kind", "where", "cells", "suite"])
def test_a_run_of_another_version_is_refused(run: RunFolder, lost: str) -> None:
    if lost in run.plan:
        write_json(run.path / "run.json", {name: part for name, part in run.plan.items() if name != lost})
    table = pq.read_table(run.estimates)
    if lost in table.column_names:
        pq.write_table(table.drop_columns(lost), run.estimates)
    with pytest.raises(UserError, match="is of another version") as caught:
        audit(run.path)
    assert caught.value.where == str(run.path)


def test_it_shares_no_code_with_what_it_audits() -> None:
    parts = sorted(path.stem for path in (ROOT / "bench" / "judge").glob("audit*.py"))
    assert {"audit", "audit_kinds", "audit_values"} <= set(parts)
    names = (*parts, "few", "invariants", "planned")
    # bench.suite reads what was asked, as bench.spec has it: no number is made there.
    allowed = {"bench.errors", "bench.folder", "bench.spec", "bench.suite", "bench.digest", "bench.tables.frame",
               *(f"bench.judge.{name}" for name in names if name != "audit")}  # fmt: skip
    for name in (*(f"judge/{name}.py" for name in names), "tables/frame.py"):
        tree = ast.parse((ROOT / "bench" / name).read_text())
        seen = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "bench.judge":
                seen |= {f"bench.judge.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                seen.add(node.module)
        assert {module for module in seen if module.startswith("bench")} <= allowed, name
