"""A policy held against runs: verdicts, exit codes, what decides nothing, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from bench.cli import main
from bench.cli.app import app
from bench.errors import UserError
from bench.folder import RunFolder
from bench.gate.hold import Gate, gate
from bench.policy import read_policy
from bench.report.results import Results, read_results
from bench.sides import Side
from tests.gate.conftest import score, write


def policy(folder: Path, *rules: str, more: str = "") -> Path:
    path = folder / "policy.yaml"
    path.write_text("policy: p\n" + more + "rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules))
    return path


def hold(runs: Path, path: Path, *, baseline: str | None = None, new: str = "new") -> Gate:
    old = None if baseline is None else Side("--baseline-model", RunFolder(runs / baseline))
    return gate(read_policy(path), Side("--model", RunFolder(runs / new)), old)


def call(runs: Path, path: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["gate", str(runs / "new"), "--policy", str(path), *words])


def row(runs: Path, name: str, **wanted: Any) -> dict[str, Any]:
    table = pq.read_table(runs / name / "estimates.parquet").to_pylist()
    (found,) = [each for each in table if all(each[k] == v for k, v in wanted.items())]
    return found


def test_a_bound_is_decided_by_the_printed_interval(runs: Path, tmp_path: Path) -> None:
    printed = row(runs, "new", kind="value", metric="uar", slice=None)
    low, high = printed["low"], printed["high"]
    bounds = {low - 1e-6: "pass", low + 1e-6: "inconclusive", high: "inconclusive", high + 1e-6: "fail"}
    for bound, verdict in bounds.items():
        found = hold(runs, policy(tmp_path, f"metric: uar, at_least: {bound!r}"))
        assert found.verdict == verdict, bound
        assert found.of(0)[0].row["estimate"] == printed["estimate"]


def test_every_value_of_a_slice_is_tested_and_the_worst_counts(runs: Path, tmp_path: Path) -> None:
    men, women = (row(runs, "new", kind="value", metric="accuracy", slice="sex", value=v) for v in "mf")
    assert men["high"] < women["estimate"]
    between = (men["high"] + women["low"]) / 2
    found = hold(runs, policy(tmp_path, f"metric: accuracy, slice: sex, at_least: {between!r}"))
    assert [(held.row["value"], held.verdict) for held in found.of(0)] == [("f", "pass"), ("m", "fail")]
    assert found.verdict == "fail"


def test_a_gap_passes_only_when_every_pair_is_known_to_lie_within(runs: Path, tmp_path: Path) -> None:
    men, women = (row(runs, "new", kind="value", metric="accuracy", slice="sex", value=v) for v in "mf")
    gap = women["estimate"] - men["estimate"]
    contrast = row(runs, "new", kind="contrast", metric="accuracy", slice="sex", value="f", reference="m")
    assert contrast["estimate"] == pytest.approx(gap)
    verdicts = {}
    for limit in (contrast["low"] * 0.99, gap, gap + 0.2):
        found = hold(runs, policy(tmp_path, f"metric: accuracy, slice: sex, gap_at_most: {limit!r}"))
        (held,) = found.of(0)
        verdicts[limit] = held.verdict
        assert abs(held.row["estimate"]) == pytest.approx(gap)
    assert list(verdicts.values()) == ["fail", "inconclusive", "pass"]


def test_no_difference_seen_is_no_pass(runs: Path, tmp_path: Path) -> None:
    """The old model is as good for men as for women, and 30 people each do not show it within a hair."""
    test = row(runs, "old", kind="gap", metric="accuracy", slice="sex")
    assert test["p"] > 0.5
    path = policy(tmp_path, "metric: accuracy, slice: sex, gap_at_most: 0.002")
    found = hold(runs, path, new="old")
    assert found.verdict == "inconclusive"
    assert found.of(0)[0].settle is not None


def test_non_inferiority_is_what_compare_says(runs: Path, tmp_path: Path) -> None:
    for margin in (0.005, 0.04, 0.1):
        done = CliRunner().invoke(
            app, ["compare", str(runs / "new"), str(runs / "old"), "--margin", str(margin), "--metric", "uar",
                  "--json"],
        )  # fmt: skip
        (whole,) = [
            d for d in json.loads(done.output)["differences"] if d["slice"] is None and d["metric"] == "uar"
        ]
        words = {"yes": "pass", "no": "fail", "inconclusive": "inconclusive"}
        path = policy(tmp_path, f"metric: uar, not_worse_by: {margin}")
        assert hold(runs, path, baseline="old").verdict == words[whole["non_inferior"]]
    by_sex = hold(runs, policy(tmp_path, "metric: accuracy, slice: sex, not_worse_by: 0.05"), baseline="old")
    assert [(h.row["value"], h.verdict) for h in by_sex.of(0)] == [("f", "pass"), ("m", "fail")]


def test_too_little_data_decides_nothing_unless_it_is_exempt(runs: Path, tmp_path: Path) -> None:
    """Eight people are of the rare kind, and twenty are asked for."""
    rule = "metric: macro_f1, slice: kind, at_least: 0.3"
    found = hold(runs, policy(tmp_path, rule))
    assert {held.row["value"]: held.verdict for held in found.of(0)} == {
        "rare": "inconclusive", "usual": "pass",
    }  # fmt: skip
    assert (found.verdict, found.of(0)[0].why) == (
        "inconclusive",
        "too little data for the thresholds of the suite",
    )
    exempt = "exempt: [{slice: kind, value: rare, reason: eight people}]\n"
    assert hold(runs, policy(tmp_path, rule, more=exempt)).verdict == "pass"
    gap = "metric: accuracy, slice: kind, gap_at_most: 0.9"
    assert hold(runs, policy(tmp_path, gap)).verdict == "inconclusive"


def test_an_exemption_covers_a_lack_of_data_and_no_failure(runs: Path, tmp_path: Path) -> None:
    exempt = "exempt: [{slice: sex, value: m, reason: none at all}]\n"
    found = hold(runs, policy(tmp_path, "metric: accuracy, slice: sex, at_least: 0.99", more=exempt))
    assert found.verdict == "fail"
    assert all(held.exempt is None for held in found.of(0))


def test_perfect_coverage_of_enough_people_passes(runs: Path, tmp_path: Path) -> None:
    """It has no failure to count, so that it is insufficient as a slice, and its exact interval is [.94, 1]."""
    found = hold(runs, policy(tmp_path, "metric: coverage, at_least: 0.93"))
    assert (found.verdict, found.of(0)[0].row["status"]) == ("pass", "insufficient")
    assert (
        hold(runs, policy(tmp_path, "metric: coverage, slice: kind, at_least: 0.1")).verdict == "inconclusive"
    )


def test_many_errors_decide_nothing(tmp_path: Path) -> None:
    write(tmp_path, errors=15)
    score(tmp_path, "new")
    rule = "metric: accuracy, at_least: 0.1"
    found = hold(tmp_path, policy(tmp_path, rule))
    assert found.verdict == "inconclusive"
    assert found.of(0)[0].why == "2.1% of the rows are decode or model errors, and 1.0% may be"
    assert hold(tmp_path, policy(tmp_path, rule, more="errors_at_most: 0.03\n")).verdict == "pass"


def test_another_environment_decides_no_pair(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path) -> Results:
        found = read_results(path)
        return replace(found, precision="bf16" if path.name == "old" else "fp32")

    monkeypatch.setattr("bench.gate.pairs.read_results", read)
    monkeypatch.setattr("bench.gate.hold.read_results", read)
    path = policy(tmp_path, "metric: accuracy, not_worse_by: 0.3", "metric: accuracy, at_least: 0.1")
    found = hold(runs, path, baseline="old")
    assert [found.verdict_of(number) for number in (0, 1)] == ["inconclusive", "pass"]
    assert (
        found.of(0)[0].why
        == "the two runs differ in precision (fp32 against bf16) (--allow-environment-change)"
    )
    sides = (Side("--model", RunFolder(runs / name)) for name in ("new", "old"))
    allowed = gate(read_policy(path), *sides, allow_environment_change=True)
    assert allowed.verdict == "pass"
    assert allowed.notes == ("candidate and baseline differ in precision (fp32 against bf16)",)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("metric: acuracy, at_least: 0.1", "metric 'acuracy' is not in the run. Did you mean 'accuracy'?"),
        ("metric: uar, slice: race, at_least: 0.1", "slice 'race' is not in the run."),
        ("metric: uar, data: B, at_least: 0.1", "data 'B' is not in the run."),
        ("metric: uar, condition: gamma, at_least: 0.1", "condition 'gamma' is not in the run."),
        ("metric: uar, loses_at_most: 0.1", "the run has no such number."),
        ("metric: uar, not_worse_by: 0.1", "the rule is held against a baseline, and none is given."),
        ("metric: macro_f1, slice: sex, gap_at_most: 0.1", "macro_f1 grows or shrinks with the rows of a group"),
        ("metric: precision/fear, at_least: 0.1", "precision/fear leaves out rows without an answer"),
    ],
)  # fmt: skip
def test_a_rule_that_no_number_could_decide_is_refused_by_its_line(
    runs: Path, tmp_path: Path, rule: str, text: str
) -> None:
    path = policy(tmp_path, "metric: uar, at_least: 0.1", rule)
    with pytest.raises(UserError) as caught:
        hold(runs, path)
    assert caught.value.where == f"{path}:4"
    assert text in str(caught.value)


def test_what_leaves_rows_out_passes_beside_a_rule_on_coverage(runs: Path, tmp_path: Path) -> None:
    rules = ("metric: precision/fear, at_least: 0.1", "metric: coverage, at_least: 0.9")
    assert hold(runs, policy(tmp_path, *rules)).verdict == "pass"


@pytest.mark.parametrize(
    ("bound", "words", "code"),
    [
        (0.1, (), 0), (0.99, (), 1), (0.62, (), 3), (0.62, ("--inconclusive", "pass"), 0),
        (0.62, ("--inconclusive", "fail"), 1), (0.99, ("--inconclusive", "pass"), 1),
    ],
)  # fmt: skip
def test_exit_codes(runs: Path, tmp_path: Path, bound: float, words: tuple[str, ...], code: int) -> None:
    path = policy(tmp_path, f"metric: accuracy, at_least: {bound}")
    done = call(runs, path, *words)
    assert done.exit_code == code
    verdict = {0.1: "pass", 0.62: "inconclusive", 0.99: "fail"}[bound]
    assert done.output.splitlines()[-1] == f"Verdict: {verdict}"


def test_a_wrong_policy_touches_nothing(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = policy(tmp_path, "metric: nothing, at_least: 0.1")
    junit = tmp_path / "out" / "junit.xml"
    monkeypatch.setattr("sys.argv", ["affectbench", "gate", str(runs / "new"), "--policy", str(path),
                                     "--junit", str(junit)])  # fmt: skip
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert not junit.parent.exists()


def test_values_that_share_people_are_held_against_the_interval_that_knows_of_it(
    runs: Path, tmp_path: Path
) -> None:
    """Everybody has rows of both halves, so that a pair's limits are not those of independent values."""
    contrast = row(runs, "new", kind="contrast", metric="accuracy", slice="half")
    for limit, verdict in ((contrast["high"] - 1e-6, "inconclusive"), (contrast["high"] + 1e-6, "pass")):
        assert contrast["high"] > -contrast["low"] > 0
        found = hold(runs, policy(tmp_path, f"metric: accuracy, slice: half, gap_at_most: {limit!r}"))
        (held,) = found.of(0)
        assert (held.verdict, held.row["method"]) == (verdict, contrast["method"])
    apart = hold(runs, policy(tmp_path, "metric: accuracy, slice: sex, gap_at_most: 0.9")).of(0)[0]
    assert apart.row["method"] == "MOVER"
