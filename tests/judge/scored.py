"""A scored run of made people on disk, ways to spoil it, and what the audit says of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import workflow
from bench.digest import digest_file
from bench.folder import RunFolder, write_json
from bench.judge.audit import Audit
from bench.judge.score import Cell
from bench.question import Question
from bench.spec import Suite
from tests.judge.made import LABELS, make_suite, make_targets

SLICES = ("sex", "race", "light", "age", ("race", "sex"), ("age", "light"))


def made_columns(rng: np.random.Generator, rows: int) -> tuple[dict[str, Any], np.ndarray]:
    """Targets of 60 persons, of whom three are of one race, with gaps in every column."""
    subject, truth = rng.integers(0, 60, rows), rng.integers(0, 4, rows)

    def gaps(values: Sequence[Any], share: float) -> list[Any]:
        return [v if rng.random() > share else None for v in values]

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


def finished(folder: Path, *, slices: tuple[str, ...] = SLICES, **suite: Any) -> RunFolder:
    """A scored run of two models, judged but without a report."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    columns, truth = made_columns(rng, 600)
    bins = {"age": (30, 45.5, 60)} if "age" in slices else {}
    asked = make_suite(slices=slices, bins=bins, missing_constant=0.1, **suite)
    question = Question(asked, {"made": make_targets(columns)}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, made_predictions(rng, truth, folder), {}, folder / "run")
    workflow.finish(run)
    return run


def of_cells(folder: Path, cells: Sequence[Cell], asked: Suite) -> RunFolder:
    """A judged run, without a report, of cells of one data set: those of clean media are scored."""
    folder.mkdir(parents=True, exist_ok=True)
    clean = [cell for cell in cells if cell.condition == "clean"]
    files = {cell.model: folder / f"{cell.model}.parquet" for cell in clean}
    for cell in clean:
        pq.write_table(cell.predictions, files[cell.model])
    question = Question(asked, {"made": clean[0].targets}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, files, {}, folder / "run")
    plan = run.plan
    for cell in cells:
        if cell.condition == "clean":
            continue
        name = f"{cell.condition}-{cell.severity}-{cell.where}"
        under, facts = run.cell(cell.model, "made", name), run.cell(cell.model, "made", "clean").facts
        assert facts is not None
        under.path.mkdir(parents=True)
        pq.write_table(cell.predictions, under.predictions)
        own = {"condition": cell.condition, "severity": cell.severity, "where": cell.where, "key": name}
        counts = cell.predictions["status"].value_counts().to_pylist()
        under.finish({**facts, **own, "statuses": {c["values"]: c["counts"] for c in counts}})
        plan["cells"].append([cell.model, "made", name])
    if len(cells) > len(clean):
        write_json(run.path / "run.json", {**plan, "kind": "run"})
    workflow.finish(run)
    return run


def rare_fear(folder: Path, metrics: tuple[str, ...]) -> RunFolder:
    """A scored run, without a report, of thirty persons of A and thirty of B, one of A with fear."""
    rng = np.random.default_rng(0)
    columns: dict[str, list[str]] = {name: [] for name in ("subject", "group", "label")}
    for person in range(60):
        for label in ("happiness", "sadness", "fear"):
            if label == "fear" and person % 2 == 0 and person:
                continue
            for column, text in zip(columns.values(), (f"s{person}", "AB"[person % 2], label), strict=True):
                column.extend([text] * 3)
    targets = make_targets(columns, labels=("happiness", "sadness", "fear"))
    said = [label if rng.random() < 0.6 else "sadness" for label in columns["label"]]
    names = targets.table["target"].to_pylist()
    lines = ["target,predicted", *(f"{name},{word}" for name, word in zip(names, said, strict=True))]
    (folder / "m.csv").write_text("\n".join(lines))
    asked = make_suite(slices=("group",), metrics=metrics)
    question = Question(asked, {"made": targets}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, {"m": folder / "m.csv"}, {}, folder / "run")
    workflow.finish(run)
    return run


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
