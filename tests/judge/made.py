"""Small tables for tests of judge, and rows of estimates by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from bench.judge.score import Cell, judge
from bench.spec import Facts, Suite
from bench.tables import Targets, validate_predictions, validate_targets

LABELS = ("neutral", "happiness", "sadness", "fear")
FLOOR = 5  # values of fewer subjects are withheld unless a suite says otherwise


LABEL_METRICS = (
    "accuracy", "uar", "macro_f1", "kappa", "recall", "precision", "selection_rate", "false_positive_rate",
)  # fmt: skip


def make_targets(columns: dict[str, Any], **facts: Any) -> Targets:
    rows = len(next(iter(columns.values())))
    table = pa.table({"target": [f"t{i:06d}" for i in range(rows)], **columns})
    known = {"name": "made", "labels": LABELS, "label_space": "made-4", **facts}
    return validate_targets(table, Facts(**known), "made.csv")


def make_cell(targets: Targets, columns: dict[str, Any], **fields: Any) -> Cell:
    table = pa.table({"target": targets.table["target"], **columns})
    predictions = validate_predictions(table, targets, "predictions.csv")
    key = {"model": "m", "dataset": "made", "condition": "clean", "severity": 0, "where": None, **fields}
    return Cell(targets=targets, predictions=predictions, **key)


def make_suite(**fields: Any) -> Suite:
    """A suite of few draws, since most tests do not look at what is drawn."""
    return Suite(**{"suite": "made", "data": ({"adapter": "manifest"},), "draws": 999, **fields})


def random_cell(seed: int, rows: int, clusters: int, **facts: Any) -> Cell:
    """Labels, misses, valence and two attributes: sex of a person, light of a row."""
    rng = np.random.default_rng(seed)
    subject = rng.integers(0, clusters, rows)
    truth = rng.integers(0, 4, rows)
    right = rng.random(rows) < 0.5 + 0.3 * rng.random(clusters)[subject]
    predicted = np.where(right, truth, rng.integers(0, 4, rows))
    status = rng.choice(
        ["ok", "no_face", "abstained", "model_error", "decode_error"], rows, p=[0.8] + [0.05] * 4
    )
    valence = rng.uniform(-1, 1, rows)
    guess = 0.6 * valence + 0.3 * rng.normal(size=clusters)[subject] + rng.normal(0, 0.2, rows)
    light = rng.choice(["dark", "bright"], rows)
    targets = make_targets(
        {
            "subject": [f"s{i:04d}" for i in subject],
            "label": [LABELS[k] if rng.random() > 0.02 else None for k in truth],
            "valence": [float(v) if rng.random() > 0.02 else None for v in valence],
            "sex": np.array(["female", "male"])[subject % 2],
            "light": [str(v) if rng.random() > 0.1 else None for v in light],
        },
        **facts,
    )
    ok = status == "ok"
    columns = {
        "status": status,
        "predicted": [
            LABELS[k] if good and rng.random() > 0.05 else None for k, good in zip(predicted, ok, strict=True)
        ],
        "valence": [
            float(v) if good and rng.random() > 0.05 else None for v, good in zip(guess, ok, strict=True)
        ],
    }
    return make_cell(targets, columns)


def frame(cell: Cell) -> dict[str, np.ndarray]:
    """Targets and predictions side by side as object and float arrays."""
    targets, predictions = cell.targets.table, cell.predictions
    columns = {name: targets[name] for name in targets.column_names}
    columns |= {"status": predictions["status"], "decision": predictions["predicted"]}
    if "valence" in predictions.column_names:
        columns["guess"] = predictions["valence"]
    return {name: np.array(column.to_pylist(), object) for name, column in columns.items()}


def row(table: pa.Table, **names: Any) -> dict[str, Any]:
    """The one row with these values; the value over all rows where no slice and kind are named."""
    names = {"slice": None, "value": None, "kind": "value", **names}
    found = [r for r in table.to_pylist() if all(r[name] == value for name, value in names.items())]
    assert len(found) == 1, (names, len(found))
    return found[0]


def values(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of kind "value"."""
    return [r for r in table.to_pylist() if r["kind"] == "value"]


def moment_sums(x: np.ndarray, y: np.ndarray) -> list[float]:
    """The sums that ``kernels.moments`` makes of truth x and prediction y, written down again."""
    agree = (np.sign(x) == np.sign(y)).sum()
    raw = [len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y]
    return [float(v) for v in (*raw, abs(x - y).sum(), agree, ((x - y) ** 2).sum())]


def known(column: np.ndarray) -> np.ndarray:
    """Where a column of objects holds a value."""
    return np.array([value is not None for value in column], bool)


def judged(rows: dict[str, np.ndarray], truth: str) -> np.ndarray:
    """The rows of ``frame`` that have this truth and are not the data's fault."""
    return (rows["status"] != "decode_error") & known(rows[truth])


def people(sizes, **facts):
    """Persons per value of an attribute, or of several ("x&y"): a, b, c; each with a clip of every label."""
    columns = {name: [] for name in ("subject", "label", "a", "b", "c")}
    for value, count in sizes.items():
        parts = [*value.split("&"), "one", "one"]
        for person in range(count):
            for label in LABELS:
                entry = (f"{value}-{person}", label, *parts[:3])
                for column, text in zip(columns.values(), entry, strict=True):
                    column.append(text)
    targets = make_targets(columns, **facts)
    return make_cell(targets, {"predicted": ["fear"] * len(targets)})


def without(cell, drop, column="label"):
    """The cell with the column null in the rows where ``drop(row)``."""
    table = cell.targets.table
    columns = {name: table[name].to_pylist() for name in table.column_names if name != "target"}
    columns[column] = [None if drop(row) else row[column] for row in table.to_pylist()]
    targets = make_targets(columns)
    return make_cell(targets, {"predicted": ["fear"] * len(targets)})


def statuses(cell, slices=("a",), metrics=("accuracy",)):
    table = judge([cell], make_suite(slices=slices, metrics=metrics))
    found = {}
    for row in values(table):
        if row["slice"]:
            found.setdefault((row["slice"], row["value"]), set()).add(row["status"] == "suppressed")
    assert all(len(hidden) == 1 for hidden in found.values()), "one mask for all metrics"
    return {key: hidden.pop() for key, hidden in found.items()}


def withheld(cell, slices=("a",), metrics=("accuracy",)):
    return {value for (_, value), hidden in statuses(cell, slices, metrics).items() if hidden}
