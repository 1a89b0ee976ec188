"""Rules that pass on nothing: equal by construction, one side of two, a bound that no number misses, other targets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from scipy import stats

from bench.errors import UserError
from bench.gate.ground import Ground
from bench.judge.gates import clusters_unseen, unseen
from bench.policy import read_policy
from bench.report.results import read_results
from tests.gate.conftest import PEOPLE, invoke, score, write
from tests.gate.test_gate import hold, policy


def test_what_stays_unseen_is_the_limit_of_clopper_and_pearson() -> None:
    for clusters in (5, 20, 60, 1000):
        for level in (0.9, 0.95):
            limit = stats.binomtest(0, clusters).proportion_ci(2 * level - 1, "exact").high
            assert unseen(clusters, level) == pytest.approx(limit)
            assert (1 - unseen(clusters, level)) ** clusters == pytest.approx(1 - level)
    for margin in (0.001, 0.02, 0.05, 0.5):
        needed = clusters_unseen(margin, 0.95)
        assert unseen(needed, 0.95) < margin <= unseen(needed - 1, 0.95)


def test_full_coverage_of_both_passes_as_far_as_so_many_people_show_it(runs: Path, tmp_path: Path) -> None:
    """60 people without a difference leave 4.9 % unseen: that is within 5 %, and not within 4 %."""
    for margin, verdict, settle in ((0.05, "pass", None), (0.04, "inconclusive", 74)):
        rule = f"metric: coverage, not_worse_by: {margin}"
        (held,) = hold(runs, policy(tmp_path, rule), baseline="old").of(0)
        assert (held.verdict, held.why, held.settle) == (verdict, None, settle)
        assert held.row["estimate"] == 0
        assert held.row["low"] == -held.row["high"] == pytest.approx(0.05 ** (1 / PEOPLE) - 1)
    few = hold(runs, policy(tmp_path, "metric: coverage, slice: kind, not_worse_by: 0.9"), baseline="old")
    assert {h.row["value"]: h.verdict for h in few.of(0)} == {"rare": "inconclusive", "usual": "pass"}
    said = invoke(
        "gate", runs / "new", "--baseline", runs / "old", "--policy",
        policy(tmp_path, "metric: coverage, not_worse_by: 0.04"),
    )  # fmt: skip
    assert said.exit_code == 3
    told = " ".join(said.output.split()).replace("\N{MINUS SIGN}", "-")
    assert "new - old 0.000 [-0.049, +0.049] (60 persons)" in told
    assert "about 74 persons would settle it" in told


def test_other_targets_are_refused_though_no_rule_needs_the_baseline(runs: Path, tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "T.csv").read_text()
    (tmp_path / "T.csv").write_text(text.replace("t3_1,s3,happiness", "t3_1,s3,anger"))
    score(tmp_path, "old")
    shutil.copytree(runs / "new", tmp_path / "new")
    with pytest.raises(UserError, match="the targets differ"):
        hold(tmp_path, policy(tmp_path, "metric: uar, at_least: 0.1"), baseline="old")


def test_the_candidate_itself_is_refused_in_the_words_of_the_command(runs: Path, tmp_path: Path) -> None:
    path = policy(tmp_path, "metric: uar, at_least: 0.1")
    done = invoke("gate", runs / "new", "--baseline", runs / "new", "--policy", path)
    assert isinstance(done.exception, UserError)
    text = str(done.exception)
    assert text.startswith("--baseline-model: it has one model, which is the new model, too.")
    assert "--model or --baseline-model, or another run" in text
    assert "--old" not in text


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("metric: coverage, at_least: 0", "no coverage is below 0, so that nothing can fail it"),
        ("metric: uar, at_most: 1", "no uar is above 1, so that nothing can fail it"),
        ("metric: accuracy, slice: sex, gap_at_most: 1", "no two values of accuracy lie more than 1 apart"),
        ("metric: coverage, not_worse_by: 1", "no two values of coverage lie more than 1 apart"),
    ],
)
def test_a_rule_that_nothing_can_fail_is_refused(runs: Path, tmp_path: Path, rule: str, text: str) -> None:
    path = policy(tmp_path, "metric: precision/fear, at_least: 0.1", "metric: coverage, at_least: 0.9", rule)
    with pytest.raises(UserError) as caught:
        hold(runs, path, baseline="old")
    assert (caught.value.where, caught.value.found) == (f"{path}:5", text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("metric: uar, at_least: 50", "no uar is above 1, so that nothing can pass 'at_least: 50'"),
        (
            "metric: accuracy, at_most: -0.1",
            "no accuracy is below 0, so that nothing can pass 'at_most: -0.1'",
        ),
        (
            "metric: accuracy, loses_at_most: -2",
            "no two values of accuracy lie more than 1 apart, so none can pass it",
        ),
    ],
)
def test_a_rule_that_nothing_can_pass_is_refused(runs: Path, tmp_path: Path, rule: str, text: str) -> None:
    """Percent where shares are meant, above all."""
    path = policy(tmp_path, "metric: uar, at_least: 0.1", rule)
    with pytest.raises(UserError) as caught:
        hold(runs, path)
    assert (caught.value.where, caught.value.found) == (f"{path}:4", text)


def test_what_a_run_does_not_have_is_not_said_to_be_there(runs: Path, tmp_path: Path) -> None:
    shutil.copy(runs / "T.csv", tmp_path / "T.csv")
    shutil.copy(runs / "new.csv", tmp_path / "new.csv")
    words = ("--targets", tmp_path / "T.csv", "--predictions", f"new={tmp_path / 'new.csv'}")
    about = ("--out", tmp_path / "new", "--metric", "accuracy", "--tracking-uri", "off", "--quiet")
    assert invoke("score", *words, *about).exit_code == 0
    for rule, has, remedy in (
        ("metric: acuracy, at_least: 0.1", "The run has: accuracy", "Run with it as --metric"),
        ("metric: accuracy, slice: sex, at_least: 0.1", "The run has none", "Run with it as --slice"),
    ):
        with pytest.raises(UserError) as caught:
            hold(tmp_path, policy(tmp_path, rule))
        assert (caught.value.allowed, caught.value.remedy) == (has, remedy)


def test_coverage_of_at_least_nothing_guards_nothing(runs: Path, tmp_path: Path) -> None:
    path = policy(tmp_path, "metric: precision/fear, at_least: 0.1", "metric: coverage, at_least: 0")
    with pytest.raises(UserError, match="nothing can fail it"):
        hold(runs, path)


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """Valences that 30 people are said to have, all 0.4 too low."""
    rows = [(person, row) for person in range(30) for row in range(6)]
    truth = {at: ((at[0] * 7 + at[1] * 5) % 11 - 5) / 10 for at in rows}
    lines = [f"t{p}_{r},s{p},{truth[p, r]}" for p, r in rows]
    (tmp_path / "T.csv").write_text("\n".join(["target,subject,valence", *lines]) + "\n")
    said = [f"t{p}_{r},ok,{truth[p, r] - 0.4 + (p % 3) / 50}" for p, r in rows]
    (tmp_path / "new.csv").write_text("\n".join(["target,status,valence", *said]) + "\n")
    words = ("--targets", tmp_path / "T.csv", "--predictions", f"new={tmp_path / 'new.csv'}")
    about = ("--out", tmp_path / "new", "--metric", "bias_valence", "--tracking-uri", "off", "--quiet")
    done = invoke("score", *words, *about)
    assert done.exit_code == 0, (done.output, done.exception)
    return tmp_path


def test_a_bound_on_one_side_of_a_bias_is_no_bound(signed: Path) -> None:
    """A bias of -.38 is at most .1, and far from 0."""
    path = policy(signed, "metric: bias_valence, at_most: 0.1")
    with pytest.raises(UserError) as caught:
        hold(signed, path)
    assert "errs both ways, and nothing bounds it from below" in caught.value.found
    assert caught.value.remedy == "Add a rule with 'at_least: -0.1'"
    both = policy(signed, "metric: bias_valence, at_most: 0.1", "metric: bias_valence, at_least: -0.1")
    found = hold(signed, both)
    assert [found.verdict_of(number) for number in (0, 1)] == ["pass", "fail"]
    assert found.of(1)[0].row["estimate"] == pytest.approx(-0.38)
    apart = policy(
        signed, "metric: bias_valence, at_most: 0.1", "metric: bias_valence, slice: sex, at_least: -0.1"
    )
    with pytest.raises(UserError, match="nothing bounds it from below"):
        hold(signed, apart)


def test_withheld_values_may_share_people_with_others(runs: Path, tmp_path: Path) -> None:
    """Values of different people are told from shared ones by their counts, and a withheld count is no 0."""
    results = read_results(runs / "new")
    path = policy(tmp_path, "metric: accuracy, slice: sex, gap_at_most: 0.9")
    ground = Ground(read_policy(path), results, "new")
    rows = ground.chosen(ground.policy.policy.rules[0], "value")
    assert not ground.shares_clusters(rows)
    assert ground.shares_clusters([rows[0], {**rows[1], "clusters": None}])
    table = pq.read_table(runs / "new" / "estimates.parquet").to_pylist()
    halves = [r for r in table if r["slice"] == "half" and r["kind"] == "value" and r["metric"] == "accuracy"]
    assert ground.shares_clusters(halves)
