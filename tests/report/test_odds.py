"""The table of criteria holds the gaps of the estimates, and controls are read one value at a time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.question import Question
from bench.report import differences, table
from bench.report.format import DASH, number, probability
from bench.report.odds import odds_tables
from bench.report.render import render
from bench.report.results import Results, read_results
from bench.report.selection import folded, gap_rows
from bench.report.terminal import as_json, summarise
from bench.tables import write_table
from bench.workflow import finish, score
from tests.judge.made import LABELS, make_suite, random_cell
from tests.report.reading import read

FEW: dict[str, Any] = {"clusters": 8, "n_eff": 5, "successes_and_failures": 3, "rows_in_class": 3}


def scored(folder: Path, **asked: Any) -> Results:
    cell = random_cell(3, 900, 60)
    write_table(cell.predictions, folder / "m.parquet")
    suite = make_suite(**{"slices": ("sex",), "controls": ("light",), "slice_rule": FEW, **asked})
    question = Question(suite, {"made": cell.targets}, lambda kind, name: f"{kind} {name}")
    run = score(question, {"m": folder / "m.parquet"}, {}, folder / "RUN")
    finish(run)
    return read_results(folder / "RUN")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    metrics = ("accuracy", "equalised_odds", "demographic_parity", "ccc_valence", "coverage")
    return scored(tmp_path_factory.mktemp("odds"), metrics=metrics)


def gap_of(
    results: Results, name: str, metric: str, within: str | None = None, reference: str | None = None
) -> dict[str, Any]:
    wanted = ("gap", name, metric, within, reference)
    columns = ("kind", "slice", "metric", "value", "reference")
    (found,) = [row for row in results.differences if tuple(row[c] for c in columns) == wanted]
    return found


def test_every_emotion_has_its_three_gaps_and_their_larger_one(results: Results) -> None:
    whole, within = odds_tables(results, results.datasets[0])
    (group,) = whole.groups
    assert (group.title, [line.head for line in group.lines]) == ("m", list(LABELS))
    stems = ("recall", "false_positive_rate", "equalised_odds", "selection_rate")
    for line in group.lines:
        gaps = [gap_of(results, "sex", f"{stem}/{line.head}") for stem in stems]
        assert [entry.text for entry in line.entries[::2]] == [number(gap["estimate"]) for gap in gaps]
        for entry, gap in zip(line.entries[1::2], gaps, strict=True):
            assert entry.text == f"{probability(gap['p'])} / {probability(gap['p_adjusted'])}"
    assert len(whole.columns) == len(group.lines[0].entries) + 1
    assert [group.title for group in within.groups] == ["m, within bright", "m, within dark"]
    shown = 0
    for group in within.groups:
        for line in group.lines:
            gap = gap_of(results, "sex|light", f"recall/{line.head}", group.title.removeprefix("m, within "))
            assert line.entries[0].text == (DASH if gap["estimate"] is None else number(gap["estimate"]))
            shown += gap["estimate"] is not None
    assert shown


def test_no_table_where_none_of_it_was_asked_for(tmp_path: Path) -> None:
    headline = scored(tmp_path, controls=())
    assert odds_tables(headline, headline.datasets[0]) == ()


def test_where_nothing_can_be_compared_it_says_so_and_shows_no_dashes(tmp_path: Path) -> None:
    few = scored(tmp_path, metrics=("equal_opportunity",), slice_rule={**FEW, "clusters": 40})
    for shown in odds_tables(few, few.datasets[0]):
        assert shown.groups == ()
        assert shown.notes[-1].startswith("Nothing to compare")
    rows = gap_rows(few, few.datasets[0])
    assert [(r["slice"], r["value"], r["metric"]) for r in folded(rows)] == [
        *(("sex", None, f"recall/{label}") for label in LABELS),
        ("sex|light", "bright", ""), ("sex|light", "dark", ""),
    ]  # fmt: skip
    assert len(rows) == 3 * len(LABELS), "nothing is left out of JSON"


def test_the_page_and_the_terminal_hold_controls_one_value_after_the_other(results: Results) -> None:
    data = results.datasets[0]
    for made in (differences.gap_table, differences.matched_table):
        (group,) = made(results, data, ["accuracy"]).groups
        heads = [line.head for line in group.lines]
        assert heads == ["sex", "sex|light within bright", "sex|light within dark"]
    contrasts = differences.contrast_table(results, data, "accuracy")
    assert [group.title for group in contrasts.groups] == [
        "m, sex", "m, sex|light within bright", "m, sex|light within dark",
    ]  # fmt: skip
    lowest = [
        line.head
        for group in table.extremes(results, {data.name: "accuracy"}, "Lowest").groups
        for line in group.lines
    ]
    assert lowest == ["sex", *(f"sex|light within {v}" for v in ("bright", "dark", "unmeasured"))]
    parts = [(r["slice"], r["value"]) for r in gap_rows(results, data)]
    assert parts == sorted(parts, key=lambda part: (part[0] != "sex", part[1] or ""))
    shown = {(r["slice"], r["value"], r["metric"], r["reference"]) for r in as_json(results.run)["gaps"]}
    assert ("sex|light", "dark", "equalised_odds/fear", None) in shown
    assert ("sex", None, "accuracy", "base-rate-matched") in shown
    assert not [metric for _, _, metric, _ in shown if metric.startswith(("recall/", "false_positive_rate/"))]


def test_the_terminal_says_where_gaps_at_equal_shares_stand(results: Results) -> None:
    out = io.StringIO()
    summarise(results.run, Console(width=150, file=out, color_system=None))
    said = out.getvalue()
    assert "accuracy (WAR)" in said
    assert said.count("base-rate-matched") == 1
    assert "(base-rate-matched) stand in the report and in --json." in " ".join(said.split())


def test_a_gap_of_a_control_stands_beside_its_own_contrast(results: Results) -> None:
    (group,) = differences.gap_table(results, results.datasets[0], ["accuracy"]).groups
    for line, within in zip(group.lines[1:], ("bright", "dark"), strict=True):
        assert {part.rpartition("|")[2] for part in line.entries[6].text.split(" \N{MINUS SIGN} ")} == {
            within
        }
        assert line.entries[0].text == "m"


def test_a_gap_at_equal_shares_stands_beside_the_gap(results: Results) -> None:
    made = differences.matched_table(results, results.datasets[0], ["accuracy"])
    assert made.columns[2:5] == ("Gap as it is", "At equal shares", "Mean by chance")
    (group,) = made.groups
    for line, within in zip(group.lines, (None, "bright", "dark"), strict=True):
        plain, matched = (gap_of(results, "sex" if within is None else "sex|light", "accuracy", within, r)
                          for r in (None, "base-rate-matched"))  # fmt: skip
        shown = [entry.text for entry in line.entries]
        assert shown[:2] == ["m", number(plain["estimate"])]
        known = ("estimate", "null_mean", "null_p95"), ("p", "p_adjusted")
        told = [*(number(matched[n]) for n in known[0]), *(probability(matched[n]) for n in known[1])]
        assert shown[2:] == (["withheld"] * 5 if matched["status"] == "suppressed" else told)
    assert "withheld" in shown, "a class of the last is of few people"
    assert "withheld" not in [entry.text for entry in group.lines[0].entries]


def test_ccc_stands_beside_rmse_bias_and_the_spread_of_labels(results: Results) -> None:
    render(results.run)
    page = read(results.run)[1]
    (found,) = [caption for caption, _ in page.tables if "label SD valence by slice" in caption]
    assert "CCC valence, RMSE valence, bias valence, label SD valence by slice" in found
    assert "Criteria of fairness" in render(results.run).read_text(encoding="utf-8")
    gap = gap_of(results, "sex", "ccc_valence")
    assert "read RMSE, bias and label SD beside it" in gap["warning"]
    metrics = {r["metric"] for r in results.differences}
    assert "label_sd_valence" not in metrics, "no test that nobody asked for"
