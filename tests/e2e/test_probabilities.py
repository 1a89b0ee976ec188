"""Metrics of probabilities and votes asked for on the command line: scored, reported, audited, refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.e2e.conftest import Affectbench

LABELS = ("fear", "happiness", "anger")
WANTED = ("ece", "brier", "nll", "aurc", "auroc/fear", "js", "crowd_agreement")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Targets with votes in T.parquet, without in bare.parquet; a model with probabilities, one without."""
    rng = np.random.default_rng(0)
    n, names = 360, np.array(LABELS)
    truth = rng.integers(0, 3, n)
    columns = {
        "target": [f"t{i}" for i in range(n)],
        "subject": [f"s{i % 60}" for i in range(n)],
        "label": names[truth],
        "sex": np.array(["f", "m"])[np.arange(n) % 2],
    }
    votes = [v.astype(float).tolist() for v in rng.multinomial(5, [1 / 3] * 3, n) + 5 * np.eye(3)[truth]]
    # Votes stand in the order of the labels that --labels names.
    pq.write_table(pa.table(columns), tmp_path / "bare.parquet")
    pq.write_table(pa.table({**columns, "votes": votes}), tmp_path / "T.parquet")
    logits = rng.normal(0, 1, (n, 3)) + 2 * np.eye(3)[truth]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    head = {"target": columns["target"]}
    soft = pa.table(head | {f"p_{name}": p[:, k] for k, name in enumerate(LABELS)})
    pq.write_table(soft, tmp_path / "soft.parquet")
    pq.write_table(pa.table(head | {"predicted": names[p.argmax(axis=1)]}), tmp_path / "hard.parquet")
    return tmp_path


def test_asked_for_by_name_they_reach_report_and_audit(affectbench: Affectbench, tables: Path) -> None:
    asked = [word for name in WANTED for word in ("--metric", name)]
    done = affectbench(
        "score", "--targets", "T.parquet", "--labels", ",".join(LABELS), "--out", "run",
        "--predictions", "soft=soft.parquet", "--predictions", "hard=hard.parquet", "--slice", "sex", *asked,
        "--tracking-uri", "off", cwd=tables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tables / "run" / "estimates.parquet").to_pylist()
    values = {(r["model"], r["metric"]): r for r in rows if r["kind"] == "value" and r["slice"] is None}
    assert {name for model, name in values if model == "soft"} == set(WANTED)
    assert all(values["soft", name]["low"] < values["soft", name]["high"] for name in WANTED)
    assert values["hard", "ece"]["estimate"] is None
    assert "have no output for ece" in values["hard", "ece"]["warning"]
    assert values["hard", "crowd_agreement"]["estimate"] == values["soft", "crowd_agreement"]["estimate"]
    contrasts = {r["metric"] for r in rows if r["kind"] == "contrast"}
    assert "brier" in contrasts
    assert "ece" not in contrasts
    assert {r["metric"] for r in rows if r["kind"] == "gap" and r["model"] == "soft"} == set(WANTED)

    page = (tables / "run" / "report.html").read_text()
    for name in WANTED:
        assert name.partition("/")[0].replace("_", " ") in page.lower(), name
    assert "unavailable" in page
    done = affectbench("audit", "run", cwd=tables)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert lines[-1] == "agrees"
    assert {f"compared       {name}: 3" for name in WANTED[:-1]} <= set(lines)
    assert "compared       crowd_agreement: 6" in lines


@pytest.mark.parametrize("metric", ["js", "cross_entropy", "soft_brier", "crowd_agreement"])
def test_without_votes_what_needs_them_is_refused(
    affectbench: Affectbench, tables: Path, metric: str
) -> None:
    done = affectbench(
        "score", "--targets", "bare.parquet", "--predictions", "soft=soft.parquet", "--out", "run",
        "--metric", metric, cwd=tables,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert f"metric '{metric}' needs the column 'votes', which bare does not have" in done.stderr
    assert "Take the metric out or add 'votes' to the targets" in done.stderr
    assert not (tables / "run").exists()
