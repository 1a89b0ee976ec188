"""Ranks and pairs across runs: against planted order, the ranks of a run, and paired t-tests of scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import ttest_rel

from bench.judge.metrics import METRICS
from bench.leaderboard.assemble import Leaderboard, assemble
from bench.leaderboard.judged import targets_of
from bench.leaderboard.standing import Standing, _test_drawn, stand
from bench.leaderboard.words import pair_sentence
from bench.report.results import read_results
from bench.tables import write_table
from tests.leaderboard.conftest import PEOPLE, ROWS, invoke, predictions, right, score, targets


def standing(found: Leaderboard) -> Standing:
    held = found.tables[0].standing
    assert held is not None
    return held


def test_planted_order_across_runs(board: Leaderboard) -> None:
    ranks = {name: (r.low, r.high) for name, r in standing(board).ranks.items()}
    # The twins err equally often in everybody: an exact tie shares both ranks.
    assert ranks == {"best": (1, 1), "middle": (2, 3), "twin": (2, 3), "worst": (4, 4)}


def test_ranks_are_those_that_one_run_of_the_same_models_has(board: Leaderboard, planted: Path) -> None:
    alone = read_results(planted / "all")
    theirs = {
        r["model"]: (r["low"], r["high"])
        for r in alone.differences
        if r["kind"] == "rank" and r["metric"] == "accuracy"
    }
    mine = {name: (r.low, r.high) for name, r in standing(board).ranks.items()}
    assert mine == theirs


def test_differences_are_those_of_shares_and_p_that_of_scipy(board: Leaderboard) -> None:
    def means(model: str) -> np.ndarray:
        return np.array([np.mean([right(model, p, r) for r in range(ROWS)]) for p in range(PEOPLE)])

    pairs = {(pair.first, pair.second): pair for pair in standing(board).pairs}
    assert len(pairs) == 6
    for (first, second), pair in pairs.items():
        apart = means(first) - means(second)
        assert pair.estimate == pytest.approx(apart.mean(), abs=1e-12)
        if {first, second} == {"middle", "twin"}:  # the same in everybody
            assert (pair.estimate, pair.verdict) == (0.0, "not decided")
            assert np.isnan(pair.p)
        else:
            assert (pair.p < 0.01) == (ttest_rel(means(first), means(second)).pvalue < 0.01)


def test_p_of_one_pair_is_close_to_the_paired_t_test(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    hits = {name: rng.random((PEOPLE, ROWS)) < share for name, share in (("a", 0.62), ("b", 0.55))}
    targets(tmp_path / "T.parquet")
    for name, each in hits.items():
        predictions(tmp_path / f"{name}.parquet", lambda p, r, each=each: bool(each[p, r]))
    found = standing(assemble([score(tmp_path, "run", ["a", "b"])]))
    (pair,) = found.pairs
    test = ttest_rel(hits["a"].mean(axis=1), hits["b"].mean(axis=1))
    assert 0.001 < test.pvalue < 0.5  # where 2,000 draws can be compared with it
    assert pair.p == pytest.approx(test.pvalue, abs=0.02)
    assert pair.p_adjusted == pytest.approx(pair.p)
    low, high = test.confidence_interval(0.95)
    assert (pair.low, pair.high) == pytest.approx((low, high), abs=0.006)


@pytest.mark.parametrize("seed", range(12))
def test_adjusted_p_verdict_interval_and_rank_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    models, draws = 6, 1999
    estimate = rng.normal(0.5, 0.02, models)
    replicates = estimate + rng.normal(0, 0.02, (draws, models)) + rng.normal(0, 0.05, (draws, 1))
    clusters = np.full(models * (models - 1) // 2, 40.0)
    found = _test_drawn(METRICS["accuracy"], estimate, replicates, clusters, 0.95)
    apart = (found.low > 0) | (found.high < 0)
    assert (apart == (found.p_adjusted <= 0.05)).all()
    assert (found.p <= found.p_adjusted + 1e-12).all()


def test_a_hand_made_case_of_p_values() -> None:
    # One pair; deviations of its replicates are -3 .. 3 in units of 1, the difference is 2 of these.
    replicates = np.array([[k + 2.0, 0.0] for k in range(-3, 4)])
    found = _test_drawn(METRICS["accuracy"], np.array([2.0, 0.0]), replicates, np.array([1e9]), 0.95)
    # Of seven replicates -3, -2, 2 and 3 lie as far as 2: (1 + 4) / (1 + 7).
    assert found.p == pytest.approx([5 / 8])
    assert found.p_adjusted == pytest.approx([5 / 8])


def test_the_order_of_runs_changes_no_rank(planted: Path) -> None:
    one, two = assemble([planted / "one", planted / "two"]), assemble([planted / "two", planted / "one"])
    assert standing(one).ranks == standing(two).ranks


def test_verdicts_make_the_ranks(board: Leaderboard) -> None:
    found = standing(board)
    ahead = dict.fromkeys(found.ranks, 0)
    behind = dict.fromkeys(found.ranks, 0)
    for pair in found.pairs:
        winner = {"better": pair.first, "worse": pair.second}.get(pair.verdict)
        if winner is not None:
            loser = pair.second if winner == pair.first else pair.first
            ahead[loser] += 1
            behind[winner] += 1
    models = len(found.ranks)
    assert {n: (1 + ahead[n], models - behind[n]) for n in ahead} == {
        n: (r.low, r.high) for n, r in found.ranks.items()
    }


def test_where_rows_are_clusters_contrasts_rank(tmp_path: Path) -> None:
    targets(tmp_path / "T.parquet")
    write_table(pq.read_table(tmp_path / "T.parquet").drop_columns(["subject"]), tmp_path / "T.parquet")
    for name in ("best", "worst"):
        predictions(tmp_path / f"{name}.parquet", lambda p, r, name=name: right(name, p, r))
    run = score(tmp_path, "run", ["best", "worst"])
    found = standing(assemble([run]))
    assert found.method == "max-T, t on effective df"
    theirs = {
        r["model"]: r["low"]
        for r in read_results(run).differences
        if r["kind"] == "rank" and r["metric"] == "accuracy"
    }
    assert {name: r.low for name, r in found.ranks.items()} == theirs == {"best": 1, "worst": 2}


def test_too_few_people_decide_nothing(tmp_path: Path) -> None:
    targets(tmp_path / "T.parquet", people=8)
    for name in ("best", "worst"):
        predictions(tmp_path / f"{name}.parquet", lambda p, r, name=name: right(name, p, r), people=8)
    found = standing(assemble([score(tmp_path, "run", ["best", "worst"])]))
    assert not found.enough
    assert {pair.verdict for pair in found.pairs} == {"not decided"}
    assert "too little data" in (found.pairs[0].reason or "")
    # Ranks say no more than their pairs.
    assert {(rank.low, rank.high) for rank in found.ranks.values()} == {(1, 2)}


def test_doubles_are_not_ranked(board: Leaderboard) -> None:
    assert standing(board).left_out == {"feigned": "a double of known quality, no model"}
    assert "feigned" not in standing(board).ranks


def test_fewer_than_two_models_are_no_ranking(planted: Path) -> None:
    table = assemble([planted / "three"]).tables[0]
    again = stand(table.board, "accuracy", targets_of(table.board))
    assert again.refused == "fewer than two models have a value"
    assert (again.ranks, again.pairs) == ({}, ())


def test_of_errors_less_is_better(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    names = [(p, r) for p in range(30) for r in range(6)]
    truth = rng.uniform(-0.6, 0.6, len(names))
    ids = {"target": [f"t{p}_{r}" for p, r in names]}
    write_table(
        pa.table({**ids, "subject": [f"s{p}" for p, _ in names], "valence": truth}), tmp_path / "T.parquet"
    )
    for name, spread in (("far", 0.3), ("near", 0.1)):
        said = np.clip(truth + rng.normal(0, spread, len(names)), -1, 1)
        write_table(pa.table({**ids, "valence": said}), tmp_path / f"{name}.parquet")
    words = ["score", "--targets", tmp_path / "T.parquet", "--predictions", tmp_path / "far.parquet", "--predictions",
             tmp_path / "near.parquet", "--out", tmp_path / "run", "--tracking-uri", "off", "--quiet"]  # fmt: skip
    assert invoke(*words).exit_code == 0
    found = standing(assemble([tmp_path / "run"], metric="rmse_valence"))
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.verdict) == ("far", "near", "worse")
    assert pair.estimate > 0
    assert {name: (rank.low, rank.high) for name, rank in found.ranks.items()} == {
        "far": (2, 2),
        "near": (1, 1),
    }
    assert "far is worse than near: +0.2" in pair_sentence(pair, "rmse_valence")


def test_models_judged_on_other_rows_are_not_ranked(planted: Path, tmp_path: Path) -> None:
    """A medium that one run alone could not decode: in one run that is refused, across runs nothing is ranked."""
    table = pq.read_table(planted / "middle.parquet")
    status = ["decode_error", *table["status"].to_pylist()[1:]]
    said = [None, *table["predicted"].to_pylist()[1:]]
    write_table(
        pa.table({"target": table["target"], "status": status, "predicted": said}), tmp_path / "blind.parquet"
    )
    (tmp_path / "T.parquet").write_bytes((planted / "T.parquet").read_bytes())
    found = standing(assemble([planted / "one", score(tmp_path, "run", ["blind"])]))
    assert found.refused == "models are judged on different rows, as by decode errors of one alone"
    assert (found.ranks, found.pairs) == ({}, ())


def test_misses_count_as_wrong_and_are_ranked(planted: Path, tmp_path: Path) -> None:
    (tmp_path / "T.parquet").write_bytes((planted / "T.parquet").read_bytes())
    predictions(tmp_path / "shy.parquet", lambda p, r: right("best", p, r), missed=range(0, PEOPLE * ROWS, 2))
    found = standing(assemble([planted / "one", score(tmp_path, "run", ["shy"])]))
    ranks = {name: (rank.low, rank.high) for name, rank in found.ranks.items()}
    # That it misses takes the same from everybody, of which no spread can be told: only "worst" is apart.
    assert ranks == {"best": (1, 2), "shy": (1, 2), "worst": (3, 3)}
