"""Cells whose models give probabilities and whose targets carry votes, and their rows by another way."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.judge.score import Cell
from tests.judge.made import LABELS, make_cell, make_targets

K = len(LABELS)
ON_LABELS = ("ece", "brier", "nll", "aurc", "auroc")
ON_VOTES = ("cross_entropy", "soft_brier", "js", "crowd_agreement")


def graded_cell(seed: int, rows: int, clusters: int, columns: tuple[str, ...] = LABELS, **facts: Any) -> Cell:
    """Probabilities of ``columns`` with ties and misses; votes, some of them empty; sex and light."""
    rng = np.random.default_rng(seed)
    subject, truth = rng.integers(0, clusters, rows), rng.integers(0, K, rows)
    skill = rng.uniform(0, 4, clusters)[subject]
    logits = rng.normal(0, 1.5, (rows, len(columns)))
    place = np.array([columns.index(label) if label in columns else 0 for label in LABELS])
    logits[np.arange(rows), place[truth]] += skill
    logits[::17, 0] = logits[::17, 1] = 9.0  # tied at the top
    parts = np.exp(logits)
    parts[5::23] = np.eye(len(columns))[truth[5::23] % len(columns)]  # certain
    shares = parts / parts.sum(axis=1, keepdims=True)
    status = rng.choice(["ok", "no_face", "abstained", "model_error", "decode_error"], rows,
                        p=[0.8, 0.05, 0.05, 0.05, 0.05])  # fmt: skip
    votes = rng.multinomial(5, [0.4, 0.3, 0.2, 0.1], rows) * rng.integers(1, 4, (rows, 1))
    votes[np.arange(rows), truth] += 6
    votes[3::29] = 0
    targets = make_targets(
        {
            "subject": [f"s{i:04d}" for i in subject],
            "label": [LABELS[k] if rng.random() > 0.03 else None for k in truth],
            "votes": [v.astype(float).tolist() if rng.random() > 0.04 else None for v in votes],
            "sex": np.array(["female", "male"])[subject % 2],
            "light": [str(v) if rng.random() > 0.1 else None for v in rng.choice(["dark", "bright"], rows)],
        },
        **facts,
    )
    ok = status == "ok"
    return make_cell(
        targets,
        {"status": status}
        | {f"p_{name}": np.where(ok, shares[:, k], np.nan) for k, name in enumerate(columns)},
    )


def read_again(cell: Cell) -> dict[str, Any]:
    """Arrays by plain loops: truth code or -1, p (N, labels + others) or NaN, shares q and votes, decision."""
    table, said = cell.targets.table.to_pylist(), cell.predictions.to_pylist()
    others = [n[2:] for n in cell.predictions.column_names if n[:2] == "p_" and n[2:] not in LABELS]
    names = [*LABELS, *others]
    ok = np.array([r["status"] == "ok" for r in said])
    p = np.array([[r.get(f"p_{n}", 0.0) if r["status"] == "ok" else np.nan for n in names] for r in said])
    votes = np.array([r["votes"] or [0.0] * K for r in table])
    q = np.concatenate([votes, np.zeros((len(p), len(others)))], axis=1)
    with np.errstate(invalid="ignore"):
        q = q / q.sum(axis=1, keepdims=True)
    return {
        "truth": np.array([LABELS.index(r["label"]) if r["label"] else -1 for r in table]),
        "p": p, "q": q, "votes": votes, "ok": ok,
        "decision": np.array([names.index(r["predicted"]) if r["predicted"] else -1 for r in said]),
        "judged": np.array([r["status"] != "decode_error" for r in said]),
        "sex": np.array([r["sex"] for r in table]),
        "light": np.array([r["light"] or "unmeasured" for r in table]),
    }  # fmt: skip


def members(rows: dict[str, Any], slice_: str | None, value: str | None) -> np.ndarray:
    """The rows of a slice value."""
    keep = np.ones(len(rows["truth"]), bool)
    for name, wanted in zip((slice_ or "").split("&"), (value or "").split("&"), strict=True):
        if name:
            keep &= rows[name] == wanted
    return keep


def expected_aurc(confidence: np.ndarray, wrong: np.ndarray) -> float:
    """AURC on sorted rows; errors of rows of equal confidence are spread evenly, the mean over their orders."""
    order = np.argsort(-confidence, kind="stable")
    spread = wrong[order].astype(float)
    level = confidence[order]
    for one in np.unique(level):
        spread[level == one] = spread[level == one].mean()
    return float((np.cumsum(spread) / np.arange(1, len(spread) + 1)).mean())
