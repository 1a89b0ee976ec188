"""The tables of differences say what was tested, and say where nothing was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.question import Question
from bench.report.differences import contrast_table, gap_table, ratio_table
from bench.report.format import DASH, MINUS, probability
from bench.report.render import render
from bench.report.results import Results, read_results
from bench.spec import Facts
from bench.tables import ESTIMATES, write_table
from bench.workflow import finish, score
from tests.judge.made import make_suite, random_cell
from tests.report import fake_run
from tests.report.reading import read


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
        r
        for r in results.differences
        if (r["kind"], r["slice"], r["metric"], r["reference"]) == ("gap", "sex", "accuracy", None)
    ]
    shown = [entry.text for entry in group.lines[0].entries]
    assert shown[:4] == ["m", *(f"{gap[name]:.3f}" for name in ("estimate", "null_mean", "null_p95"))]
    assert shown[4] == probability(gap["p"])
    assert shown[6] == "male \N{MINUS SIGN} female"
    assert shown[7].startswith(f"{gap['estimate']:.3f} [\N{MINUS SIGN}"), "as large as the gap, with its sign"
    assert table.columns[6] == "q"
    (family,) = {r["family"] for r in results.differences if r["kind"] == "gap"}
    assert table.notes == (f"q is taken over {family}, of all data sets, conditions, slices and metrics.",)


def test_two_values_have_one_contrast(results: Results) -> None:
    table = contrast_table(results, results.datasets[0], "accuracy")
    heads = {group.title: [line.head for line in group.lines] for group in table.groups}
    assert heads["m, sex"] == ["male against female"], "the larger one first"


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


@pytest.fixture
def planted(tmp_path: Path) -> Results:
    """Gaps of two models by hand: of sex a pair, a biased metric and a primary one; of race nothing."""
    names = ("zeta", "alpha")
    facts = Facts(name="d", labels=("neutral", "fear"), attributes={"sex": "given", "race": "given"})
    models = [fake_run.model(name) for name in names]
    run = fake_run.FakeRun(facts, models, rows=9, slices=("sex", "race"), metrics=("uar", "macro_f1"))
    blank = {"level": None, "side": None, "method": None, "coverage": None, "n_eff": None}

    def plant(who: str, metric: str, name: str, value: float | None, **fields: Any) -> None:
        run.estimate(
            who, metric, value, part=(name, fields.pop("of", None)), **{"half": None} | blank | fields
        )

    for who in sorted(names):
        for metric in ("uar", "macro_f1"):
            run.estimate(who, metric, 0.5)
            for part in (("sex", "F"), ("sex", "M"), ("race", "A")):
                run.estimate(who, metric, 0.5, part=part)
            family = {"p": 0.01, "p_adjusted": 0.02, "family": f"2 gaps of {who}"}
            primary = {"role": "confirmatory", "family": f"1 primary gap of {who}"}
            tested = family | (primary if metric == "uar" else {})
            plant(who, metric, "sex", 0.1, kind="gap", null_mean=0.02, null_p95=0.05, **tested)
            few = "nothing to compare: fewer than two values hold enough"
            plant(who, metric, "race", None, kind="gap", status="insufficient", warning=few)
        pair = {"kind": "contrast", "of": "F", "reference": "M", "family": "1 pairs of sex", "sdd80": 0.07}
        plant(who, "uar", "sex", -0.1, half=0.04, p_adjusted=0.03, **pair)
    return read_results(run.write(tmp_path / "run"))


def test_gaps_are_in_the_order_of_the_run_larger_first_and_primary_ones_marked(planted: Results) -> None:
    table = gap_table(planted, planted.datasets[0], ["uar"])
    (group,) = table.groups
    assert [(line.head, *(e.text for e in line.entries)) for line in group.lines] == [
        ("sex", who, "0.100", "0.020", "0.050", ".010", ".020 (primary)", f"M {MINUS} F",
         "0.100 [0.060, 0.140]", "0.070") for who in ("zeta", "alpha")
    ]  # fmt: skip
    assert table.columns[6] == "q / adjusted p"
    over = "1 primary gap of zeta; 1 primary gap of alpha"
    assert table.notes == (
        f"q / adjusted p (of primary gaps, by Holm) is taken over {over}, of all data sets, conditions, slices and metrics.",
        "Nothing to compare (fewer than two values hold enough): race (zeta, alpha: UAR).",
    )
    contrasts = contrast_table(planted, planted.datasets[0], "uar")
    assert [group.title for group in contrasts.groups] == ["zeta, sex", "alpha, sex"]
    (line,) = contrasts.groups[0].lines
    assert (line.head, line.entries[0].text) == ("M against F", "0.100 [0.060, 0.140]")
    assert contrasts.notes == (
        "An adjusted p and its interval hold, for each model, at once for 1 pair of sex.",
    )


def test_a_biased_metric_says_why_it_has_no_interval(planted: Results) -> None:
    table = gap_table(planted, planted.datasets[0], ["macro_f1"])
    shown = [entry.text for entry in table.groups[0].lines[0].entries]
    assert shown[5:] == [".020", "compared with chance only: it carries sample-size bias", DASH, DASH]
    assert table.columns[6] == "q"


def test_what_holds_nothing_is_one_line_naming_the_metrics(planted: Results) -> None:
    table = gap_table(planted, planted.datasets[0], ["uar", "macro_f1"])
    assert table.notes[-1].endswith(": race (zeta, alpha: UAR, macro F1).")
    assert len(table.notes) == 2
    assert {line.head for group in table.groups for line in group.lines} == {"sex"}


def test_the_gaps_of_the_leading_metric_stand_once(planted: Results) -> None:
    text, page = read(planted.run)
    titles = [[r[0] for r in rows if len(r) == 1] for c, rows in page.tables if c.startswith("Largest minus")]
    assert titles == [["d, UAR"], ["d, macro F1"]]
    assert "The gaps of UAR stand with the gaps against chance" in text
    assert "Smallest difference found in 4 of 5 studies" in text
