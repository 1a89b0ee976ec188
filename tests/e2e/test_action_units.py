"""Tables of action units alone, from the command line to report and audit: both scales, and every refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score

from tests.e2e.conftest import Affectbench

UNITS = ("au_01", "au_04", "au_12")
NAMES = ("au_f1", "au_f1/au_12", "au_auroc", "au_icc", "au_icc/au_04")
SUITE = """
suite: faces
data:
  - adapter: manifest
    name: faces
    targets: T.csv
    au_scale: intensity
slices: [sex]
metrics: [au_f1, au_f1/au_12, au_auroc, au_icc, au_icc/au_04]
primary: [gap/au_icc/sex]
draws: 999
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Intensities in T.csv with a suite; a model with all units, and one that lacks au_12 and sees fewer faces."""
    rng = np.random.default_rng(0)
    n = 720
    head = {"target": [f"t{i}" for i in range(n)]}
    truth = {u: np.clip(np.round(rng.normal(1.2, 1.4, n)), 0, 5) for u in UNITS}
    columns = {
        **head,
        "subject": [f"s{i % 60}" for i in range(n)],
        "sex": np.array(["f", "m"])[np.arange(n) % 2],
        **{u: np.where(rng.random(n) < 0.05, -1, v) for u, v in truth.items()},
    }
    csv.write_csv(pa.table(columns), tmp_path / "T.csv")
    said = {u: np.clip(0.7 * v + rng.normal(0.4, 0.8, n), -1, 6) for u, v in truth.items()}
    csv.write_csv(pa.table(head | said), tmp_path / "all.csv")
    status = np.where(rng.random(n) < 0.2, "no_face", "ok")
    csv.write_csv(
        pa.table(head | {"status": status, **{u: said[u] for u in UNITS[:2]}}), tmp_path / "two.csv"
    )
    (tmp_path / "faces.yaml").write_text(SUITE)
    return tmp_path


def test_a_suite_of_intensities_reaches_report_and_audit(affectbench: Affectbench, tables: Path) -> None:
    done = affectbench(
        "score", "--suite", "faces.yaml", "--data", "faces=.", "--predictions", "all=all.csv",
        "--predictions", "two=two.csv", "--out", "run", "--tracking-uri", "off", cwd=tables,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tables / "run" / "estimates.parquet").to_pylist()
    values = {(r["model"], r["metric"]): r for r in rows if r["kind"] == "value" and r["slice"] is None}
    assert {name for _, name in values} == set(NAMES)
    assert all(values["all", name]["low"] < values["all", name]["high"] for name in NAMES)
    truth, said = (csv.read_csv(tables / name).to_pandas() for name in ("T.csv", "all.csv"))
    coded = truth["au_12"] >= 0
    again = f1_score(truth["au_12"][coded] >= 2, said["au_12"][coded] >= 2)
    assert values["all", "au_f1/au_12"]["estimate"] == pytest.approx(again, abs=1e-12)
    assert values["two", "au_f1"]["estimate"] < values["all", "au_f1"]["estimate"]
    assert "no output for au_12: missed in every row" in values["two", "au_f1"]["warning"]
    assert values["two", "au_icc"]["estimate"] is None
    gaps = {(r["model"], r["metric"]): r for r in rows if r["kind"] == "gap"}
    assert gaps["all", "au_icc"]["role"] == "confirmatory"
    assert 0 < gaps["two", "au_icc/au_04"]["p"] <= 1

    page = (tables / "run" / "report.html").read_text()
    for words in (
        "AU F1",
        "AU AUROC",
        "AU ICC(3,1): au_04",
        "Action units (intensity) on faces",
        "at least 2 of 5",
    ):
        assert words in page, words
    done = affectbench("audit", "run", cwd=tables)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert lines[-1] == "agrees"
    assert {"compared       au_f1: 6", "compared       au_icc: 3", "compared       au_icc/au_04: 6"} <= set(
        lines
    )


def test_an_audit_finds_a_miss_that_was_counted_as_absent(affectbench: Affectbench, tables: Path) -> None:
    words = ("--targets", "T.csv", "--metric", "au_f1", "--tracking-uri", "off")
    done = affectbench("score", *words, "--predictions", "two=two.csv", "--out", "run", cwd=tables)
    assert done.returncode == 0, done.stderr
    path = tables / "run" / "estimates.parquet"
    truth, said = (csv.read_csv(tables / name).to_pandas() for name in ("T.csv", "two.csv"))
    ok = said["status"] == "ok"
    lenient = [
        f1_score(truth[u][truth[u] >= 0] >= 2, (said[u].where(ok, 0) >= 2)[truth[u] >= 0]) for u in UNITS[:2]
    ]
    table = pq.read_table(path)
    honest = table["estimate"].to_pylist()
    wrong = [sum(lenient) / 3 if name == "au_f1" else value
             for name, value in zip(table["metric"].to_pylist(), honest, strict=True)]  # fmt: skip
    assert wrong[0] > honest[0] + 0.01
    place = table.column_names.index("estimate")
    pq.write_table(table.set_column(place, "estimate", pa.array(wrong)), path)
    done = affectbench("audit", "run", cwd=tables)
    assert done.returncode == 1
    assert "au_f1 estimate is" in done.stdout


def test_occurrences_are_told_apart_from_intensities(affectbench: Affectbench, tables: Path) -> None:
    table = csv.read_csv(tables / "T.csv").to_pandas()
    for unit in UNITS:
        table[unit] = table[unit].map(lambda v: v if v < 0 else float(v >= 2))
    table.to_csv(tables / "O.csv", index=False)
    words = ("score", "--targets", "O.csv", "--out", "run", "--tracking-uri", "off")
    done = affectbench(*words, "--predictions", "all.csv", cwd=tables)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Predicted occurrence is a score in [0, 1], for the targets are occurrences" in done.stderr
    said = csv.read_csv(tables / "all.csv").to_pandas()
    for unit in UNITS:
        said[unit] = 1 / (1 + np.exp(1.5 - said[unit]))
    said.to_csv(tables / "scores.csv", index=False)
    done = affectbench(*words, "--predictions", "scores.csv", "--metric", "au_icc", cwd=tables)
    assert done.returncode == 2
    assert "metric 'au_icc' is of intensities, and O has occurrences" in done.stderr
    done = affectbench(*words, "--predictions", "scores.csv", cwd=tables)
    assert done.returncode == 0, done.stderr
    assert (
        "O: coverage alone is measured; ask for its action units by name, as --metric au_f1." in done.stdout
    )
    asked = ("--metric", "au_f1", "--metric", "au_auroc/au_01", "--json")
    done = affectbench(*words[:-3], "again", *words[-2:], "--predictions", "scores.csv", *asked, cwd=tables)
    assert done.returncode == 0, done.stderr
    assert '"metric": "au_auroc/au_01"' in done.stdout
    assert affectbench("audit", "again", cwd=tables).returncode == 0
