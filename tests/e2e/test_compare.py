"""``affectbench compare`` from the outside: what it prints, JSON, and what it refuses."""

from __future__ import annotations

import io
import json
import math
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from bench.cli.compare import print_comparison
from bench.judge.comparison import Compared
from tests.e2e.conftest import Affectbench

LABELS = ("fear", "happiness", "anger")


def write_tables(folder: Path) -> None:
    lines = [f"t{i},s{i // 6},{LABELS[i % 3]},{'mf'[i // 6 % 2]}" for i in range(300)]
    (folder / "T.csv").write_text("\n".join(["target,subject,label,sex", *lines]) + "\n")
    for name, wrong in {"old": 3, "new": 7}.items():
        said = [f"t{i},{LABELS[(i + (i % wrong == 0)) % 3]}" for i in range(300)]
        (folder / f"{name}.csv").write_text("\n".join(["target,predicted", *said]) + "\n")


def score(
    affectbench: Affectbench,
    folder: Path,
    out: str,
    *names: str,
    targets: str = "T.csv",
    metric: str = "accuracy",
) -> None:
    words = [word for name in names for word in ("--predictions", f"{name}={name}.csv")]
    done = affectbench(
        "score", "--targets", targets, *words, "--out", out, "--slice", "sex", "--metric", metric,
        "--tracking-uri", "off", "--quiet", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def scored(affectbench: Affectbench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    write_tables(folder)
    score(affectbench, folder, "both", "old", "new")
    score(affectbench, folder, "later", "new")
    score(affectbench, folder, "before", "old")
    return folder


@pytest.fixture
def runs(scored: Path, tmp_path: Path) -> Path:
    """Tables and runs of its own for every test, which may change them."""
    return Path(shutil.copytree(scored, tmp_path, dirs_exist_ok=True))


def test_two_models_of_a_run_and_two_runs_say_the_same(affectbench: Affectbench, runs: Path) -> None:
    inside = affectbench("compare", "both", "--new", "new", "--old", "old", "--margin", "0.1", cwd=runs)
    across = affectbench("compare", "later", "before", "--margin", "0.1", cwd=runs)
    assert (inside.returncode, inside.stderr) == (across.returncode, across.stderr) == (0, "")
    assert inside.stdout == across.stdout
    lines = [line.split() for line in inside.stdout.splitlines()]
    assert ["new", "(new)", "against", "old", "(old)", "on", "T,", "clean"] in lines
    (whole,) = [line for line in lines if line[:2] == ["accuracy", "(WAR)"] and "by" not in line]
    assert whole[2:5] == ["0.6667", "0.8567", "+0.1900"]
    assert whole[-3:] == ["yes", "no", "reportable"]
    assert "that none was seen shows nothing" in " ".join(inside.stdout.split())


def test_the_same_table_under_another_name_is_the_same(affectbench: Affectbench, runs: Path) -> None:
    (runs / "elsewhere.csv").write_bytes((runs / "T.csv").read_bytes())
    score(affectbench, runs, "renamed", "old", targets="elsewhere.csv")
    named, renamed = (affectbench("compare", "later", old, cwd=runs) for old in ("before", "renamed"))
    assert (renamed.returncode, renamed.stdout, renamed.stderr) == (0, named.stdout, named.stderr)


def test_two_runs_of_one_model_are_told_apart_by_their_folders(affectbench: Affectbench, runs: Path) -> None:
    (runs / "new.csv").write_bytes((runs / "old.csv").read_bytes())
    score(affectbench, runs, "again", "new")
    done = affectbench("compare", "later", "again", cwd=runs)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].rstrip() == "new of later (new) against new of again (old) on T, clean"


def test_json_has_every_difference(affectbench: Affectbench, runs: Path) -> None:
    done = affectbench("compare", "later", "before", "--json", cwd=runs)
    content = json.loads(done.stdout)
    assert content["margin"] is None
    assert [(d["slice"], d["value"]) for d in content["differences"]] == [
        (None, None),
        ("sex", "f"),
        ("sex", "m"),
    ]
    first = content["differences"][0]
    assert (first["old"], first["new"]) == (200 / 300, 257 / 300)
    assert first["low"] < first["estimate"] < first["high"]
    assert first["non_inferior"] is None
    assert {d["role"] for d in content["differences"]} == {"exploratory"}


def test_without_persons_independence_is_said_to_be_assumed(affectbench: Affectbench, runs: Path) -> None:
    lines = [line.split(",") for line in (runs / "T.csv").read_text().splitlines()]
    (runs / "T2.csv").write_text("\n".join(",".join((line[0], *line[2:])) for line in lines) + "\n")
    score(affectbench, runs, "alone", "old", "new", targets="T2.csv")
    words = ("--new", "new", "--old", "old")
    alone, known = (affectbench("compare", run, *words, cwd=runs).stdout for run in ("alone", "both"))
    assert "With clips as clusters independence is assumed" in alone
    assert "the same targets, the same clips." in " ".join(alone.split())
    assert "independence" not in known
    assert "the same targets, the same people." in " ".join(known.split())


def test_what_is_to_be_said_of_a_value_is_said(affectbench: Affectbench, runs: Path) -> None:
    # Both models say the same of the six people of a third group.
    names = ("T", "old", "new")
    targets, old, new = ((runs / f"{name}.csv").read_text().splitlines() for name in names)
    targets[1:37] = [f"{line.rpartition(',')[0]},x" for line in targets[1:37]]
    new[1:37] = old[1:37]
    for name, lines in zip(names, (targets, old, new), strict=True):
        (runs / f"{name}.csv").write_text("\n".join(lines) + "\n")
    score(affectbench, runs, "third", "old", "new")
    said = affectbench("compare", "third", "--new", "new", "--old", "old", cwd=runs).stdout
    (line,) = [line.split() for line in said.splitlines() if line.split()[:2] == ["sex", "x"]]
    assert line[2] == line[3]
    assert line[4:7] == ["0.0000", "(no", "interval)"]
    assert "Note on sex x: no interval: the value is the same without any one cluster." in " ".join(
        said.split()
    )


def test_a_metric_that_a_model_does_not_give_has_a_row_that_says_so(
    affectbench: Affectbench, runs: Path
) -> None:
    done = affectbench("compare", "later", "before", "--metric", "brier", cwd=runs)
    (line,) = [line.split() for line in done.stdout.splitlines() if line.startswith(" Brier")]
    assert (line[-1], "undefined" in line) == ("insufficient", True)
    said = " ".join(done.stdout.split())
    assert "Note on Brier score: unavailable: no output for it of new and old." in said
    assert "Accuracy (WAR) by slice" in said


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        (
            "cells/new/T/clean/predictions.parquet", "predicted",
            "error: both/cells/new/T/clean: 1 of 2 cells is unfinished or changed, this first. Every cell of the "
            "plan, as it was written. Run the command of this folder again.",
        ),
        (
            "targets/T.parquet", "label",
            "error: both/targets/T.parquet: it is not the table that the run was made with. The targets as they "
            "were written. Run the command of this folder again.",
        ),
    ],
)  # fmt: skip
def test_tables_that_were_changed_after_the_run_are_refused(
    affectbench: Affectbench, runs: Path, table: str, column: str, message: str
) -> None:
    path = runs / "both" / table
    before = pq.read_table(path)
    words = ["anger", *before[column].to_pylist()[1:]]
    assert words != before[column].to_pylist()
    place = before.schema.get_field_index(column)
    pq.write_table(before.set_column(place, before.schema.field(column), [words]), path)
    done = affectbench("compare", "both", "--new", "new", "--old", "old", cwd=runs)
    assert (done.returncode, done.stdout) == (2, "")
    assert " ".join(done.stderr.split()) == message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("both",),
            "error: --new: it names no model of both. It has: new, old. Name one of them with --new.",
        ),
        (
            ("both", "--new", "new"),
            "error: --old: it names no model of both. It has: new, old. Name one of them with --old.",
        ),
        (
            ("both", "--new", "neu", "--old", "old"),
            "error: --new: 'neu' is no model of both. It has: new, old. Name one of them with --new.",
        ),
        (
            ("both", "--new", "new", "--old", "new"),
            "error: --old: 'new' is the new model, too. Two models of one run, or two runs. Name another model with "
            "--new or --old, or another run.",
        ),
        (
            ("later", "before", "--margin", "-1"),
            "error: --margin: -1 is no margin. A number above 0, in units of the metric: .02 of accuracy. "
            "Give such a number or leave it out.",
        ),
        (
            ("later", "before", "--margin", "2"),
            "error: --margin: 2 forbids nothing: no two values of accuracy lie more than 1 apart. A number below "
            "that, in units of every metric compared: .02 of accuracy. Give such a number, or name with --metric "
            "what the margin is of.",
        ),
        (
            ("later", "nowhere"),
            "error: nowhere: there is no readable run.json. A folder that 'run' or 'score' wrote. Correct the path.",
        ),
        (
            ("graded", "graded", "--new", "new", "--old", "old"),
            "error: graded: both models give none of the metrics asked for. A metric that both give. Name one with "
            "--metric.",
        ),
        (
            ("later", "other"),
            "error: T: the targets differ: 300 rows in the new run, 294 in the old. A comparison is of the same "
            "targets, row by row. Run or score both models on the same table.",
        ),
    ],
)
def test_refusals(affectbench: Affectbench, runs: Path, words: tuple[str, ...], message: str) -> None:
    if "graded" in words:
        score(affectbench, runs, "graded", "old", "new", metric="brier")
    if "other" in words:
        (runs / "less").mkdir()
        for name in ("T", "old"):
            lines = (runs / f"{name}.csv").read_text().splitlines()[:295]
            (runs / "less" / f"{name}.csv").write_text("\n".join(lines) + "\n")
        score(affectbench, runs / "less", "../other", "old")
    done = affectbench("compare", *words, cwd=runs)
    assert done.returncode == 2
    assert " ".join(done.stderr.split()) == message
    assert done.stdout == ""


def test_what_was_not_tested_is_one_dash(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = dict.fromkeys(("estimate", "low", "high", "p", "p_adjusted"), math.nan)
    place = {"dataset": "d", "condition": "clean", "severity": 0, "where": None, "slice": None, "value": None}
    names = {"model": "n", "reference": "o", "metric": "selection_rate/fear", "cluster_unit": "person"}
    row = {**nothing, **place, **names, "status": "reportable", "warning": None}
    print_comparison([Compared(row, 0.25, 0.5)], 0.1, (Path("new"), Path("old")))
    (line,) = (text for text in capsys.readouterr().out.splitlines() if "reportable" in text)
    assert line.split()[-5:-1] == ["\N{EN DASH}"] * 4  # p, q and both verdicts


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int, margin: float | None) -> str:
    """What is printed of two differences on a terminal of a width."""
    place = {"dataset": "d", "condition": "clean", "severity": 0, "where": None, "slice": None, "value": None}
    names = {
        "model": "n",
        "reference": "o",
        "cluster_unit": "person",
        "warning": None,
        "status": "insufficient",
    }
    numbers = {"estimate": -0.1605, "low": -0.198, "high": -0.124, "p": 0.0001, "p_adjusted": 0.0123}
    rows = ({**place, **names, **numbers, "metric": name} for name in ("precision/happiness", "accuracy"))
    found = [Compared(row, 0.6087, 0.7692, "no", "inconclusive") for row in rows]
    out = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr("bench.cli.compare.standard_output", lambda: out)
    print_comparison(found, margin, (Path("new"), Path("old")))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.mark.parametrize("margin", [None, 0.1])
def test_nothing_is_cut_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, margin: float | None) -> None:
    narrow, wide = (on_terminal(monkeypatch, width, margin) for width in (80, 200))
    said, wanted = (sorted(word for word in text.split() if "\u2500" not in word) for text in (narrow, wide))
    assert said == wanted
    assert max(map(len, narrow.splitlines())) <= 80
    assert "accuracy (WAR)" in wide
    for number in ("0.7692", "0.6087", "\u22120.1605", "[\u22120.198, \u22120.124]", "< .001", ".012"):
        assert narrow.count(number) == wide.count(number) == 2
