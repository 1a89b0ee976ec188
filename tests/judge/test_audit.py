"""The audit agrees with honest runs, and with nothing else: each mutation must make it disagree."""

from __future__ import annotations

import ast
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import workflow
from bench.digest import digest_file
from bench.errors import UserError
from bench.folder import RunFolder
from bench.judge import kernels, sums
from bench.judge.audit import Audit, audit
from bench.labels import CREMA_6, canonical
from bench.question import Question
from bench.report.results import read_results
from bench.spec import Facts
from bench.tables import validate_targets
from tests.judge.made import LABELS, make_suite, make_targets

ROOT = Path(__file__).resolve().parents[2]
SLICES = ("sex", "race", "light", "age", ("race", "sex"), ("age", "light"))


def made_columns(rng: np.random.Generator, rows: int) -> tuple[dict[str, Any], np.ndarray]:
    """Targets of 60 persons, of whom three are of one race, with gaps in every column."""
    subject, truth = rng.integers(0, 60, rows), rng.integers(0, 4, rows)
    gaps = lambda values, share: [v if rng.random() > share else None for v in values]  # noqa: E731
    return {
        "subject": [f"s{i:02d}" for i in subject],
        "label": gaps([LABELS[k] for k in truth], 0.03),
        "valence": gaps(rng.uniform(-1, 1, rows).tolist(), 0.03),
        "arousal": rng.uniform(-1, 1, rows).tolist(),
        "sex": np.array(["female", "male"])[subject % 2],
        "race": np.where(subject < 3, "rare", np.array(["A", "B", "C"])[subject % 3]),
        "light": gaps(rng.choice(["dark", "bright"], rows).tolist(), 0.1),
        "age": gaps((18.5 + subject).tolist(), 0.05),
    }, truth


def made_predictions(rng: np.random.Generator, truth: np.ndarray, folder: Path) -> dict[str, Path]:
    """Probabilities with ties, and hard labels with empty and strange ones; rows in another order."""
    rows = len(truth)
    faults = rng.random(rows) < 0.05
    files = {}
    for name in ("soft", "hard"):
        status = rng.choice(["ok", "no_face", "abstained", "model_error"], rows, p=[0.85, 0.05, 0.05, 0.05])
        status = np.where(faults, "decode_error", status)
        ok = status == "ok"
        # Whole tenths tie often; the right answer leads more often than not.
        parts = rng.integers(0, 4, (rows, 4)) + 3 * (np.arange(4) == truth[:, None]) * (
            rng.random((rows, 1)) < 0.6
        )
        parts = np.where(parts.sum(axis=1, keepdims=True) > 0, parts, 1)
        table: dict[str, Any] = {"target": [f"t{i:06d}" for i in range(rows)], "status": status}
        if name == "soft":
            shares = parts / parts.sum(axis=1, keepdims=True)
            table |= {f"p_{word}": np.where(ok, shares[:, k], np.nan) for k, word in enumerate(LABELS)}
            table["valence"] = [float(v) if good and rng.random() > 0.1 else None
                                for v, good in zip(rng.uniform(-1, 1, rows), ok, strict=True)]  # fmt: skip
        else:
            words = np.array([*LABELS, "contempt"])[
                np.where(rng.random(rows) < 0.05, 4, parts.argmax(axis=1))
            ]
            table["predicted"] = [str(w) if good and rng.random() > 0.05 else None
                                  for w, good in zip(words, ok, strict=True)]  # fmt: skip
        files[name] = folder / f"{name}.parquet"
        pq.write_table(pa.table(table).take(rng.permutation(rows)), files[name])
    return files


def finished(folder: Path, **suite: Any) -> RunFolder:
    """A scored run of two models, judged but without a report."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    columns, truth = made_columns(rng, 600)
    asked = make_suite(slices=SLICES, bins={"age": (30, 45.5, 60)}, missing_constant=0.1, **suite)
    question = Question(asked, {"made": make_targets(columns)}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, made_predictions(rng, truth, folder), {}, folder / "run")
    workflow.finish(run)
    return run


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.report.render.render", lambda path: path)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.render.render", lambda path: path)
        return finished(tmp_path_factory.mktemp("honest")).path


@pytest.fixture
def run(honest: Path, tmp_path: Path) -> RunFolder:
    """A copy that a test may spoil."""
    return RunFolder(Path(shutil.copytree(honest, tmp_path / "run")))


def faults(found: Audit) -> dict[str, tuple[str, ...]]:
    return {finding.name: finding.faults for finding in found.findings if finding.faults}


def rewrite(run: RunFolder, model: str, change: Any, *, digest: bool) -> None:
    cell = run.cell(model, "made", "clean")
    pq.write_table(change(pq.read_table(cell.predictions)), cell.predictions)
    if digest:
        facts = json.loads((cell.path / "cell.json").read_text())
        facts["predictions_sha256"] = digest_file(cell.predictions)
        (cell.path / "cell.json").write_text(json.dumps(facts))


def change_estimates(run: RunFolder, change: Any) -> None:
    rows = pq.read_table(run.estimates)
    pq.write_table(pa.Table.from_pylist(change(rows.to_pylist()), rows.schema), run.estimates)


def test_an_honest_run_is_agreed_with(run: RunFolder) -> None:
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    rows = pq.read_table(run.estimates).to_pylist()
    suppressed = [r for r in rows if r["status"] == "suppressed" and r["kind"] == "value"]
    assert found.withheld == len(suppressed) > 0
    counted = sum(found.compared.values()) + found.undefined + found.withheld
    assert counted + sum(found.not_audited.values()) == len(rows)
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
    assert set(found.compared) == {"ccc_valence", "coverage", *(f"recall/{label}" for label in LABELS)}


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
    assert {d.row["metric"] for d in found.differences} == {"ccc_valence", "pcc_valence", "rmse_valence"}


def test_a_decode_error_kept_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.judge.rows.Rows.judged", property(lambda rows: np.ones(len(rows.truth), bool)))
    assert {d.field for d in audit(finished(tmp_path).path).differences} >= {"estimate", "n"}


@pytest.mark.parametrize(
    ("field", "change"),
    [("estimate", 1e-6), ("estimate", -1e-8), ("n", 1), ("clusters", -1), ("estimate", None), ("n", None)],
)
def test_one_changed_number_is_found(run: RunFolder, field: str, change: float | None) -> None:
    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = next(r for r in rows if (r["model"], r["metric"], r["value"]) == ("soft", "uar", "male"))
        row[field] = None if change is None else row[field] + change
        return rows

    change_estimates(run, alter)
    found = audit(run.path)
    assert [(d.field, d.row["metric"], d.row["value"]) for d in found.differences] == [(field, "uar", "male")]
    assert found.differences[0].size == (np.inf if change is None else pytest.approx(abs(change), rel=1e-6))


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


def test_what_it_does_not_know_is_counted_and_never_agreed(run: RunFolder) -> None:
    def add(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        values = [r for r in rows if r["kind"] == "value"]
        shown = next(r for r in values if r["status"] != "suppressed")
        unknown = [{**r, "metric": "kudos"} for r in values if r["metric"] == "accuracy"]
        return [*rows, *unknown, {**shown, "kind": "gap"}, {**shown, "kind": "contrast"}]

    before = audit(run.path)
    change_estimates(run, add)
    found = audit(run.path)
    assert found.agrees, faults(found)
    assert found.compared == before.compared
    assert found.not_audited["kudos"] == before.compared["accuracy"]
    for kind in ("kind gap", "kind contrast"):
        assert found.not_audited[kind] == before.not_audited.get(kind, 0) + 1


@pytest.mark.parametrize("lost", ["run.json", "estimates.parquet"])
def test_what_is_no_finished_run_is_refused(run: RunFolder, lost: str) -> None:
    (run.path / lost).unlink()
    with pytest.raises(UserError, match="readable"):
        audit(run.path)


def test_it_shares_no_code_with_what_it_audits() -> None:
    allowed = {"bench.errors", "bench.folder", "bench.spec", "bench.digest", "bench.tables.frame",
               "bench.judge.invariants"}  # fmt: skip
    for name in ("judge/audit.py", "judge/invariants.py", "tables/frame.py"):
        tree = ast.parse((ROOT / "bench" / name).read_text())
        seen = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
        assert {module for module in seen if module.startswith("bench")} <= allowed, name


def test_results_hand_out_a_metric_frame_without_what_is_withheld(run: RunFolder) -> None:
    results = read_results(run.path)
    rows = {(r["model"], r["slice"], r["value"], r["metric"]): r for r in results.rows}
    for name, attribute in (("soft", "sex"), ("hard", "race"), ("soft", "age&light")):
        frame = results.metric_frame(attribute, model=name)
        of_slice = [(v, m, r) for (model, s, v, m), r in rows.items() if (model, s) == (name, attribute)]
        hidden = {v for v, _, r in of_slice if r["status"] == "suppressed"}
        shown = {v for v, _, _ in of_slice} - hidden
        assert set(frame.by_group.index) == shown | ({"withheld"} if hidden else set())
        for metric in ("accuracy", "uar", "macro_f1", "recall/fear"):
            assert frame.overall[metric] == pytest.approx(
                rows[name, None, None, metric]["estimate"], abs=1e-12
            )
            for value in shown:
                expected = rows[name, attribute, value, metric]["estimate"]
                assert frame.by_group[metric][value] == pytest.approx(expected, abs=1e-12)
    assert any(r["status"] == "suppressed" for r in results.rows if r["slice"] == "race")
    with pytest.raises(UserError, match=r"model: none is named\. It has: hard, soft"):
        results.metric_frame("sex")
    with pytest.raises(UserError, match="slice 'clan': the run does not have it"):
        results.metric_frame("clan", model="soft")


def test_the_votes_of_crema_d(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "crema_d_tables"
    with (folder / "VideoDemographics.csv").open() as file:
        actors = {r["ActorID"]: r for r in csv.DictReader(file)}
    with (folder / "processedResults" / "tabulatedVotes.csv").open() as file:
        votes = list(csv.DictReader(file))
    clips = sorted({r["fileName"] for r in votes})
    people = [actors[clip[:4]] for clip in clips]
    table = pa.table(
        {
            "target": clips, "subject": [clip[:4] for clip in clips],
            "label": [canonical(clip.split("_")[2]) for clip in clips],
            **{name.lower(): [p[name] for p in people] for name in ("Age", "Sex", "Race", "Ethnicity")},
        }
    )  # fmt: skip
    facts = Facts(name="crema-d", labels=CREMA_6.labels, label_space=CREMA_6.name, attributes_public=True)
    words = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
    files = {}
    for code, model in {"1": "voice", "2": "face", "3": "both"}.items():
        said = {r["fileName"]: words.get(r["emoVote"]) for r in votes if r[""][0] == code}
        files[model] = tmp_path / f"{model}.parquet"
        predicted = pa.array([said[clip] for clip in clips], pa.string())
        pq.write_table(pa.table({"target": clips, "predicted": predicted}), files[model])
    suite = make_suite(
        slices=("sex", "race", "ethnicity", "age", ("race", "sex")), bins={"age": (30, 40, 50)}
    )
    targets = validate_targets(table, facts, "crema-d")
    run = workflow.score(Question(suite, {"crema-d": targets}, str.join), files, {}, tmp_path / "run")
    workflow.finish(run)
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert found.withheld == 0
    assert found.compared["accuracy"] == 3 * (1 + 2 + 4 + 2 + 4 + 7)
    assert found.largest is not None
    assert found.largest.size < 1e-12
