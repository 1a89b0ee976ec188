"""``affectbench audit`` from the outside: what it prints, and its exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import UserError
from bench.folder import RunFolder
from bench.judge.audit import audit
from bench.judge.audit_values import measured
from bench.report.results import read_results
from bench.workflow import finish
from tests.e2e.conftest import Affectbench


@pytest.fixture
def scored(affectbench: Affectbench, tmp_path: Path) -> Path:
    labels = ["fear", "joy", "anger"]
    lines = [f"t{i},s{i // 6},{labels[i % 3]},{'mf'[i % 2]}" for i in range(72)]
    (tmp_path / "T.csv").write_text("\n".join(["target,subject,label,sex", *lines]) + "\n")
    said = [f"t{i},{'no_face,' if i % 11 == 0 else f'ok,{labels[i % 3 if i % 5 else 0]}'}" for i in range(72)]
    (tmp_path / "P.csv").write_text("\n".join(["target,status,predicted", *reversed(said)]) + "\n")
    done = affectbench(
        "score", "--targets", "T.csv", "--predictions", "mine=P.csv", "--out", "run", "--slice", "sex",
        "--tracking-uri", "off", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def test_exit_codes_and_words(affectbench: Affectbench, scored: Path) -> None:
    done = affectbench("audit", scored, cwd=scored.parent)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "agrees"
    assert "compared       accuracy: 3" in lines
    assert "invariant      every target is there once in every cell (1 checked): yes" in lines

    table = pq.read_table(scored / "estimates.parquet")
    rows = table.to_pylist()
    changed = [
        {**r, "estimate": r["estimate"] + 1e-6} if (r["metric"], r["kind"]) == ("uar", "value") else r
        for r in rows
    ]
    pq.write_table(pa.Table.from_pylist(changed, table.schema), scored / "estimates.parquet")
    done = affectbench("audit", scored, cwd=scored.parent)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert sum(line.startswith("mine / ") for line in lines[:3]) == 3
    assert lines[-1] == "DISAGREES: 3 numbers beyond the tolerance"

    done = affectbench("audit", scored, "--json", cwd=scored.parent)
    found = json.loads(done.stdout)
    assert (done.returncode, found["agrees"], found["differences"], len(found["shown"])) == (1, False, 3, 3)
    assert {row["metric"] for row in found["shown"]} == {"uar"}


def test_the_last_line_names_the_invariant_that_is_broken(affectbench: Affectbench, scored: Path) -> None:
    predictions = scored / "cells" / "mine" / "T" / "clean" / "predictions.parquet"
    pq.write_table(pq.read_table(predictions), predictions, compression="none")  # the same rows, other bytes
    done = affectbench("audit", scored, cwd=scored.parent)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "DISAGREES: broken is 'files are as their digests say'"


def test_at_most_twenty_rows_are_shown(affectbench: Affectbench, scored: Path) -> None:
    table = pq.read_table(scored / "estimates.parquet")
    changed = [
        {**r, "n": r["n"] + 1, "clusters": r["clusters"] + 1} if r["kind"] == "value" else r
        for r in table.to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(changed, table.schema), scored / "estimates.parquet")
    done = affectbench("audit", scored, cwd=scored.parent)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[20].startswith("... and ")
    assert int(lines[20].split()[2]) + 20 == int(lines[-1].split()[1])


def test_a_folder_that_is_no_run_is_refused(affectbench: Affectbench, tmp_path: Path) -> None:
    done = affectbench("audit", tmp_path, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no readable run.json" in done.stderr


@pytest.mark.parametrize("read", [audit, read_results, finish], ids=lambda read: read.__name__)
def test_a_run_of_a_suite_that_this_version_refuses(scored: Path, read: Callable[..., object]) -> None:
    """Planted: an older version took a slice by an attribute with a bar in its name."""
    plan = json.loads((scored / "run.json").read_text())
    plan["suite"]["slices"] = ["s|x"]
    (scored / "run.json").write_text(json.dumps(plan))
    table = pq.read_table(scored / "estimates.parquet")
    rows = [{**row, "slice": row["slice"] and "s|x"} for row in table.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), scored / "estimates.parquet")
    before = {path: path.read_bytes() for path in scored.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as refused:
        read(RunFolder(scored) if read is finish else scored)
    assert str(refused.value) == (
        f"{scored / 'run.json'}: slice 's|x' has an '|', which stands before a control. Rename it. Run it again, with "
        "a suite of this version, or use the version that wrote it."
    )
    assert {path: path.read_bytes() for path in scored.rglob("*") if path.is_file()} == before


def test_a_value_of_any_slice_is_told_apart() -> None:
    """A bar divides a value from its control once; whatever else has one breaks nothing."""
    assert measured("f", "s|x")
    assert measured("f|a|b", "sex|age")
    assert not measured("unmeasured|a|b", "sex|age")
    assert not measured("f|unmeasured", "sex|age")
