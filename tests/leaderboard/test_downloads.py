"""Files of a site: the same numbers in each, what is withheld in none, and a model-index that its makers read."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import ModelCardData
from huggingface_hub.repocard_data import model_index_to_eval_results

from bench.leaderboard.assemble import Leaderboard, assemble
from bench.leaderboard.downloads import numbers
from bench.leaderboard.model_index import model_index
from bench.leaderboard.site import write_site
from bench.report.results import read_results
from bench.tables import ESTIMATES, write_table
from tests.leaderboard.conftest import score


def as_csv(site: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((site / "leaderboard.csv").read_text(encoding="utf-8"))))


def as_json(site: Path) -> list[dict[str, object]]:
    content = json.loads((site / "leaderboard.json").read_text(encoding="utf-8"))
    return [dict(zip(content["columns"], row, strict=True)) for row in content["rows"]]


def test_the_three_files_hold_the_same(site: Path) -> None:
    rows = pq.read_table(site / "leaderboard.parquet").to_pylist()
    for row in rows:
        for name in ("targets_sha256", "model_sha256"):
            del row[name]
    assert as_json(site) == rows
    for theirs, row in zip(as_csv(site), rows, strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert float(theirs[name]) == value
            else:
                assert theirs[name] == ("" if value is None else str(value))


def test_every_estimate_of_the_runs_is_there(board: Leaderboard, planted: Path) -> None:
    names = [name for name in ESTIMATES.names if name != "model"]
    found = {tuple(row[name] for name in ("model", *names)) for row in numbers(board).to_pylist()}
    for run in ("one", "two", "three"):
        results = read_results(planted / run)
        for row in (*results.rows, *results.differences):
            if row["kind"] != "rank":
                assert tuple(row[name] for name in ("model", *names)) in found


def test_ranks_pairs_and_baselines_are_there_too(board: Leaderboard) -> None:
    rows = numbers(board).to_pylist()
    kinds = [row["kind"] for row in rows]
    assert kinds.count("leaderboard_rank") == 4
    assert kinds.count("pair") == 6
    assert kinds.count("baseline") == 7  # chance: 3 metrics; majority: 4
    assert "rank" not in kinds
    ranks = {r["model"]: (r["low"], r["high"]) for r in rows if r["kind"] == "leaderboard_rank"}
    assert ranks == {"best": (1, 1), "middle": (2, 3), "twin": (2, 3), "worst": (4, 4)}
    assert {r["estimate"] for r in rows if r["kind"] == "leaderboard_rank"} == {
        None
    }  # no point of an interval
    tie = next(r for r in rows if r["kind"] == "pair" and {r["model"], r["reference"]} == {"middle", "twin"})
    assert (tie["estimate"], tie["low"], tie["p"]) == (0.0, None, None)
    assert "the same" in tie["warning"]


def test_no_cell_of_the_csv_is_a_formula(planted: Path, tmp_path: Path) -> None:
    """Names are untrusted, and people open this file in a spreadsheet; numbers below 0 stay numbers."""
    table = pq.read_table(planted / "T.parquet")
    kinds = [f"={kind}" for kind in table["kind"].to_pylist()]
    write_table(table.drop_columns(["kind"]).append_column("kind", [kinds]), tmp_path / "T.parquet")
    names = {"+1": "middle", "-1": "twin", "@SUM(A1)": "worst"}
    for name, same in names.items():
        (tmp_path / f"{name}.parquet").write_bytes((planted / f"{same}.parquet").read_bytes())
    write_site(assemble([score(tmp_path, "run", list(names))]), tmp_path / "site")
    rows, same = as_csv(tmp_path / "site"), as_json(tmp_path / "site")
    assert {f"'{name}" for name in names} <= {row["model"] for row in rows}
    assert set(names) <= {row["model"] for row in same}
    assert "'=usual" in {row["value"] for row in rows}
    for row, other in zip(rows, same, strict=True):
        for name, text in row.items():
            if isinstance(other[name], str):
                assert text[:1] not in tuple("=+-@\t\r\n"), (name, text)
            elif other[name] is not None:
                assert float(text) == other[name]
    assert any(str(row["low"]).startswith("-") for row in rows)


@pytest.fixture(scope="module")
def leaky(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site made of a run whose file holds numbers in withheld rows, as no honest file does."""
    import shutil

    from bench.folder import RunFolder
    from bench.tables import read_table, write_estimates
    from bench.tables.estimates import estimates_table

    folder = tmp_path_factory.mktemp("leaky")
    shutil.copytree(planted / "one", folder / "run")
    run = RunFolder(folder / "run")
    rows = read_table(run.estimates).to_pylist()
    hidden = [row for row in rows if row["status"] == "suppressed"]
    assert hidden
    for row in hidden:
        row |= {"estimate": 0.7713131, "low": 0.6613131, "high": 0.8813131, "n": 771313, "clusters": 661313,
                "n_eff": 881313.5, "coverage": 0.5513131, "warning": "seven of 771313"}  # fmt: skip
    write_estimates(estimates_table(rows), run.estimates)
    run.seal()
    write_site(assemble([folder / "run"]), folder / "site")
    return folder / "site"


def test_what_is_withheld_is_nowhere(leaky: Path) -> None:
    for path in sorted(leaky.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            assert not re.search(rb"1313|0\.771|0\.661|0\.881|771\xe2\x80\xaf313", data), path
    rows = [row for row in as_json(leaky) if row["status"] == "suppressed"]
    assert rows
    for row in rows:
        assert all(
            row[name] is None for name in ("estimate", "low", "high", "n", "clusters", "n_eff", "coverage")
        )
    table = pq.read_table(leaky / "leaderboard.parquet").to_pylist()
    assert not [row for row in table if row["estimate"] == 0.7713131]


def test_a_withheld_value_is_said_to_be(leaky: Path) -> None:
    page = next((leaky / "models").glob("best-*.html")).read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if 'data-key="rare"' in line)
    assert row.count("withheld") >= 3
    assert not re.search(r"\d\.\d", re.sub(r'data-key="0\.0"', "", row))


def test_a_model_index_is_read_by_its_makers(board: Leaderboard) -> None:
    best = next(s for s in board.submissions if s.name == "best")
    text = model_index(board, best)
    data = ModelCardData(**yaml.safe_load(text))
    assert data.model_name == "best"
    results = {each.metric_type: each for each in data.eval_results or []}
    member = next(m for m in board.tables[0].board.members if m.name == "best")
    for name in ("accuracy", "uar"):
        row = member.overall(board.tables[0].board.reference, name)
        assert row is not None
        assert results[name].metric_value == row["estimate"]
        assert results[name].metric_args["low"] == row["low"]
        assert results[name].verified is None
        assert results[name].dataset_name == "T"
        assert results[name].dataset_args["targets_sha256"] == board.tables[0].board.dataset.digest
    named, again = model_index_to_eval_results(yaml.safe_load(text)["model-index"])
    assert named == "best"
    assert len(again) == len(results)
    assert "verified" not in text


def test_a_model_index_has_reportable_values_alone(board: Leaderboard) -> None:
    best = next(s for s in board.submissions if s.name == "best")
    text = model_index(board, best)
    member = next(m for m in board.tables[0].board.members if m.name == "best")
    row = member.overall(board.tables[0].board.reference, "coverage")
    assert row is not None
    assert row["status"] == "insufficient"  # nobody was missed
    assert "coverage" not in text


def test_a_double_has_none(board: Leaderboard, site: Path) -> None:
    double = next(s for s in board.submissions if s.model.double)
    with pytest.raises(ValueError, match="a double is no model"):
        model_index(board, double)
    assert not list((site / "huggingface").glob("feigned*"))
    assert len(list((site / "huggingface").iterdir())) == 4


def test_undefined_is_null(board: Leaderboard) -> None:
    for row in numbers(board).to_pylist():
        assert not any(isinstance(value, float) and math.isnan(value) for value in row.values())
