"""The tables of ranks show what was ranked and for whom not, in the page, the terminal and as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.report.ranks import condition_table, rank_table, text
from bench.report.results import Results, read_results
from bench.report.terminal import as_json, summarise
from bench.spec import Condition, Facts
from tests.report import fake_run
from tests.report.reading import read

DARK: fake_run.Place = ("low_light", 2, "frame")
WHY = "not ranked: the value is undefined"


def plant(
    run: fake_run.FakeRun, model: str, metric: str, rank: tuple[int, int, int] | None, **fields: Any
) -> None:
    """One row of a rank; without numbers where there is none."""
    numbers = dict(zip(("value", "low", "high"), rank or (None,) * 3, strict=True))
    words = {"kind": "rank", "family": "3 models" if rank else None, "warning": None if rank else WHY}
    place = fields.pop("place", fake_run.CLEAN)
    run.estimate(model, metric, numbers.pop("value"), place=place, half=None, **numbers, **words, **fields)


def write(path: Path, *, ranked: bool = True) -> Path:
    """Three models and a double under two conditions, by two metrics of which one model lacks one."""
    names = ("a", "b & <c>", "d")
    run = fake_run.FakeRun(
        Facts(name="faces"), [*map(fake_run.model, names), {**fake_run.model("oracle"), "double": True}], rows=1000,
        metrics=("uar", "ccc_valence"), conditions=(Condition(perturb="low_light", severities=(2,)),),
    )  # fmt: skip
    for place in (fake_run.CLEAN, DARK):
        for k, name in enumerate((*names, "oracle")):
            run.cell(name, {"ok": 1000}, place)
            for metric in ("uar", "ccc_valence"):
                run.estimate(name, metric, 0.9 - k / 10, place=place)
    if ranked:
        for name, rank in zip(names, ((1, 1, 2), (2, 1, 2), (3, 3, 3)), strict=True):
            plant(run, name, "uar", rank)
            plant(run, name, "uar", (rank[0], 1, 3), place=DARK)
        plant(run, "a", "ccc_valence", (1, 1, 1), status="insufficient")
        plant(run, "d", "ccc_valence", None, status="insufficient")
    return run.write(path)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return read_results(write(tmp_path_factory.mktemp("ranks")))


def test_a_line_a_model_and_a_column_a_metric(results):
    table = rank_table(results, results.datasets[0])
    assert table.columns == ("Model", "UAR", "CCC valence")
    found = {line.head: [entry.text for entry in line.entries] for line in table.groups[0].lines}
    assert found == {
        "a": ["1\u20132 of 3", "\u2020 1 of 3"],
        "b & <c>": ["1\u20132 of 3", "\u2013"],
        "d": ["3 of 3", "not ranked"],
    }
    assert table.footnotes == [WHY]


def test_conditions_stand_under_one_another(results):
    table = condition_table(results, results.datasets[0], "uar")
    assert table.columns == ("Condition", "a", "b & <c>", "d")
    found = {line.head: [entry.text for entry in line.entries] for line in table.groups[0].lines}
    assert found == {
        "clean": ["1\u20132 of 3", "1\u20132 of 3", "3 of 3"],
        "low light, severity 2, on the frame": ["1\u20133 of 3", "1\u20133 of 3", "1\u20133 of 3"],
    }
    assert not condition_table(results, results.datasets[0], "accuracy").groups


def test_a_rank_in_words():
    row = {"estimate": 2.0, "low": None, "high": None, "family": "2 models"}
    assert text(row) == "not known"
    assert text({**row, "estimate": None}) == "not ranked"
    assert text(None) == "\u2013"


def test_the_page_has_them_first_in_a_section_of_data(results):
    _, page = read(results.run)
    captions = [caption for caption, _ in page.tables]
    ranks = next(i for i, caption in enumerate(captions) if caption.startswith("Ranks on faces, clean"))
    assert ranks < next(i for i, caption in enumerate(captions) if caption.startswith("Categories on faces"))
    assert page.tables[ranks][1][1] == ["a", "1\u20132 of 3", "\u2020 1 of 3"]
    assert any("Doubles of known quality are not ranked." in words for words in page.texts)
    assert any("With 95 % confidence the true ranks of all models" in words for words in page.texts)


def test_the_terminal_and_json_have_them(results):
    out = io.StringIO()
    summarise(results.run, Console(file=out, width=140))
    told = out.getvalue()
    assert " Rank " in told
    line = next(line for line in told.splitlines() if "b & <c>" in line)
    assert "1\u20132 of 3" in line
    assert f"{WHY} (d: rank by CCC valence)" in told
    found = json.loads(json.dumps(as_json(results.run)))["ranks"]
    assert {(r["model"], r["metric"]): (r["rank"], r["low"], r["high"]) for r in found} == {
        ("a", "uar"): (1, 1, 2), ("b & <c>", "uar"): (2, 1, 2), ("d", "uar"): (3, 3, 3),
        ("a", "ccc_valence"): (1, 1, 1), ("d", "ccc_valence"): (None, None, None),
    }  # fmt: skip
    assert found[-1]["warning"] == WHY


def test_where_nothing_is_ranked_nothing_is_said(tmp_path):
    run = write(tmp_path, ranked=False)
    _, page = read(run)
    assert not [caption for caption, _ in page.tables if "Rank" in caption]
    assert not [words for words in page.texts if "not ranked" in words]
    out = io.StringIO()
    summarise(run, Console(file=out, width=140))
    assert "Rank" not in out.getvalue()
    assert as_json(run)["ranks"] == []
