"""The audit agrees with honest differences between values and conditions, and with nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from bench import workflow
from bench.cli.app import app
from bench.folder import RunFolder, write_json
from bench.judge import corruption, degradation, fairness, robustness, score
from bench.judge.audit import audit
from bench.judge.metrics import METRICS
from bench.question import Question
from bench.tables import Targets, validate_predictions
from bench.tables.curves import GRIDS
from tests.judge.conditions import DARK, NOISE
from tests.judge.made import LABELS, make_suite, make_targets
from tests.judge.scored import change_estimates, faults, made_columns, made_predictions

pytestmark = pytest.mark.usefixtures("no_report")

CONDITIONS = (("low_light", 1, 0.1), ("low_light", 3, 0.4), ("sensor_noise", 2, 0.2))
METRICS_ASKED = ("accuracy", "kappa", "mae_valence", "aurc")
KINDS = ("area", "contrast", "degradation", "degradation_contrast", "gap", "mce", "ratio", "relative_mce",
         "stability", "value", "worst")  # fmt: skip


def worse(table: pa.Table, share: float, rng: np.random.Generator, targets: Targets) -> pa.Table:
    """The predictions with some rows turned to another label and valence, some missed, some unread."""
    soft = "p_fear" in table.column_names
    rows = (table.drop_columns("predicted") if soft else table).to_pylist()
    for row in rows:
        if row["status"] != "ok" or rng.random() > share:
            continue
        if soft:
            row.update(
                zip([f"p_{label}" for label in LABELS], np.roll(_shares(row), 1).tolist(), strict=True)
            )
            row["valence"] = rng.uniform(-1, 1)
        else:
            row["predicted"] = rng.choice(LABELS)
        if rng.random() < 0.2:
            row.update(dict.fromkeys(set(row) - {"target"}))
            row["status"] = rng.choice(["no_face", "decode_error"])
    return validate_predictions(pa.Table.from_pylist(rows), targets, "made.parquet")


def _shares(row: dict[str, Any]) -> list[float]:
    return [row[f"p_{label}"] for label in LABELS]


def finished(folder: Path) -> RunFolder:
    """A run of two models on clean media and under two conditions, one of them at two severities."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(3)
    columns, truth = made_columns(rng, 600)
    asked = make_suite(
        metrics=METRICS_ASKED, slices=("race", "light"), conditions=(DARK, NOISE),
        reference="soft", slice_rule={"clusters": 10, "rows_in_class": 5, "n_eff": 10, "successes_and_failures": 2},
    )  # fmt: skip
    targets = make_targets(columns, attributes_public=True)
    question = Question(asked, {"made": targets}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, made_predictions(rng, truth, folder), {}, folder / "run")
    plan = run.plan
    for model in ("soft", "hard"):
        clean = run.cell(model, "made", "clean")
        facts, table = clean.facts, pq.read_table(clean.predictions)
        assert facts is not None
        for condition, severity, share in CONDITIONS:
            name = f"{condition}-{severity}-crop"
            cell, changed = run.cell(model, "made", name), worse(table, share, rng, targets)
            cell.path.mkdir(parents=True)
            pq.write_table(changed, cell.predictions)
            counts = changed["status"].value_counts().to_pylist()
            own = {"condition": condition, "severity": severity, "where": "crop", "key": name}
            cell.finish({**facts, **own, "statuses": {c["values"]: c["counts"] for c in counts}})
            plan["cells"].append([model, "made", name])
    write_json(run.path / "run.json", {**plan, "kind": "run"})
    workflow.finish(run)
    return run


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        return finished(tmp_path_factory.mktemp("conditions")).path


def test_an_honest_run_is_agreed_with(judged: Path) -> None:
    found = audit(judged)
    assert found.agrees, (found.differences[:3], faults(found))
    assert {f"kind {kind}" for kind in KINDS} - {"kind value"} <= set(found.compared)
    assert set(found.not_audited) == {"kind rank, not ranked"}
    assert found.largest is not None
    assert found.largest.size < 1e-12
    rows = pq.read_table(judged / "estimates.parquet").num_rows
    points = {f"kind {name}" for name in ("reliability", "risk_coverage", *GRIDS)}
    judged_rows = [number for kind, number in found.compared.items() if kind not in points]
    counted = sum(judged_rows) + found.undefined + found.withheld
    assert counted + sum(found.not_audited.values()) == rows


def test_the_run_has_what_is_easily_got_wrong(judged: Path) -> None:
    rows = pq.read_table(judged / "estimates.parquet").to_pylist()
    pairs = {(r["kind"], r["reference"]) for r in rows}
    assert {("contrast", "rest"), ("contrast", "C")} <= pairs
    assert {r["severity"] for r in rows if r["kind"] == "degradation"} == {1, 2, 3, None}
    assert {r["metric"] for r in rows if r["kind"] == "degradation"} >= {"accuracy", "mae_valence", "aurc"}
    assert any(r["value"] and "unmeasured" in r["value"] and r["status"] == "reportable" for r in rows)
    assert {r["condition"] for r in rows if r["kind"] == "mce"} == {"low_light", "sensor_noise", "all"}


@pytest.fixture
def copied(judged: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(judged, tmp_path / "run")))


def test_one_changed_number_of_each_kind_is_found(copied: RunFolder) -> None:
    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        known = [
            row for row in rows if row["estimate"] is not None and row["metric"] in ("accuracy", "stability")
        ]
        for kind in KINDS:
            [row for row in known if row["kind"] == kind][-1]["estimate"] += 1e-6
        return rows

    change_estimates(copied, alter)
    assert CliRunner().invoke(app, ["audit", str(copied.path)]).exit_code == 1
    found = audit(copied.path).differences
    assert sorted(d.row["kind"] for d in found) == sorted(KINDS)
    assert {d.field for d in found} == {"estimate"}
    assert [d.size for d in found] == pytest.approx([1e-6] * len(KINDS), rel=1e-6)


def test_one_changed_count_is_found(copied: RunFolder) -> None:
    kinds, fields = ("area", "degradation", "stability"), ("clusters", "n")

    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for kind in kinds:
            one, other = [row for row in rows if row["kind"] == kind][:2]
            one["clusters"] += 1
            other["n"] -= 1
        return rows

    change_estimates(copied, alter)
    found = {(d.row["kind"], d.field) for d in audit(copied.path).differences}
    assert found == {(kind, field) for kind in kinds for field in fields}


def none_is_no_decision(patch: pytest.MonkeyPatch) -> None:
    def observe(*parts: Any) -> degradation.Observed:
        found = degradation.observe(*parts)
        return replace(found, decision=np.where(found.decision == len(LABELS), -1, found.decision))

    patch.setattr(score, "observe", observe)


def turned(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(METRICS, "mae_valence", replace(METRICS["mae_valence"], direction="higher"))


def area_without_clean(patch: pytest.MonkeyPatch) -> None:
    honest = robustness.areas
    patch.setattr(robustness, "areas", lambda key, _, cells, suite: honest(key, cells[0], cells, suite))


def least(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(corruption, "max", min, raising=False)


def errors_of_right_answers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(corruption, "_cost", lambda kind, cost: cost.accuracy)


def unmeasured_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fairness, "_measured", lambda one: np.ones(len(one.values), np.bool_))


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        (none_is_no_decision, {"stability"}),
        (turned, {"degradation", "degradation_contrast", "worst"}),
        (area_without_clean, {"area"}),
        (least, {"worst"}),
        (errors_of_right_answers, {"mce", "relative_mce"}),
        (unmeasured_compared, {"gap", "contrast", "ratio", "spread"}),
    ],
)
def test_each_mistake_is_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[pytest.MonkeyPatch], None],
    kinds: set[str],
) -> None:
    spoil(monkeypatch)
    found = audit(finished(tmp_path).path)
    assert not found.agrees
    assert {d.row["kind"] for d in found.differences} == kinds
