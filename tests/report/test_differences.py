"""The tables of differences say what was tested, and say where nothing was."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.question import Question
from bench.report.differences import contrast_table, gap_table, ratio_table
from bench.report.format import probability
from bench.report.render import render
from bench.report.results import Results, read_results
from bench.tables import ESTIMATES, write_table
from bench.workflow import finish, score
from tests.judge.made import make_suite, random_cell


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder: Path = tmp_path_factory.mktemp("differences")
    cell = random_cell(3, 900, 60)
    write_table(cell.predictions, folder / "m.parquet")
    suite = make_suite(slices=("sex", "light"), metrics=("accuracy", "ccc_valence"))
    question = Question(suite, {"made": cell.targets}, lambda kind, name: f"{kind} {name}")
    run = score(question, {"m": folder / "m.parquet"}, {}, folder / "RUN")
    finish(run)
    return read_results(folder / "RUN")


def test_a_gap_stands_beside_what_chance_makes_of_it(results: Results) -> None:
    table = gap_table(results, results.datasets[0], ["accuracy"])
    (group,) = table.groups
    assert [line.head for line in group.lines] == ["sex", "light"]
    assert all(len(line.entries) == len(table.columns) - 1 for line in group.lines)
    (gap,) = [
        r for r in results.differences if (r["kind"], r["slice"], r["metric"]) == ("gap", "sex", "accuracy")
    ]
    shown = [entry.text for entry in group.lines[0].entries]
    assert shown[:4] == ["m", *(f"{gap[name]:.3f}" for name in ("estimate", "null_mean", "null_p95"))]
    assert shown[4] == probability(gap["p"])
    assert "female" in shown[6]


def test_two_values_have_one_contrast(results: Results) -> None:
    table = contrast_table(results, results.datasets[0], "accuracy")
    heads = {group.title: [line.head for line in group.lines] for group in table.groups}
    assert heads["m, sex"] == ["female against male"]


def test_the_page_shows_gaps_and_no_number_of_a_value_that_is_not_compared(results: Results) -> None:
    page = render(results.run).read_text(encoding="utf-8")
    assert "Differences between values" in page
    assert {r["kind"] for r in results.differences} == {"gap", "contrast", "spread", "ratio"}
    assert set(results.differences[0]) == set(ESTIMATES.names)


def test_ratios_stand_beside_their_false_alarms(results: Results) -> None:
    table = ratio_table(results, results.datasets[0], ["accuracy", "ccc_valence"])
    (group,) = table.groups
    assert [line.head for line in group.lines] == ["sex", "light"]
    least, most = (r for r in results.differences if (r["kind"], r["slice"]) == ("ratio", "sex"))
    shown = [entry.text for entry in group.lines[0].entries]
    assert shown == ["m", *(f"{v:.3f}" for v in (least["estimate"], least["null_mean"], most["estimate"]))]
    assert "Ratios of rates, which decide nothing" in render(results.run).read_text(encoding="utf-8")
