"""How far raters agree: a published table, single pairs, shares, and what is left out or withheld."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import workflow
from bench.judge import raters as judged
from bench.judge import sums
from bench.judge.audit import audit
from bench.judge.kernels import total
from bench.judge.raters import compared_votes, label_agreement, raters
from bench.judge.rows import read_rows
from bench.judge.score import judge
from bench.question import Question
from tests.judge.made import LABELS, frame, make_cell, make_suite, make_targets, random_cell, row
from tests.judge.made import judged as judged_rows
from tests.judge.scored import faults, made_columns, made_predictions

# Fleiss 1971 as it is taught: ten subjects, fourteen raters, five categories; P-bar is .378.
FLEISS = (
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
)  # fmt: skip
EACH = (1.0, 0.253, 0.308, 0.440, 0.330, 0.462, 0.242, 0.176, 0.286, 0.286)


def cell_of(votes: Any, status: Any = "ok", **columns: Any) -> Any:
    rows = len(votes)
    labels = LABELS if len(next(v for v in votes if v is not None)) == 4 else ("a", "b", "c", "d", "e")
    subjects = [f"s{i}" for i in range(rows)]
    targets = make_targets(
        {"subject": subjects, "label": [labels[0]] * rows, "votes": list(votes), **columns}, labels=labels
    )
    states = [status] * rows if isinstance(status, str) else status
    said = [labels[0] if s == "ok" else None for s in states]
    return make_cell(targets, {"predicted": said, "status": states})


def agreement(votes: Any, status: Any = "ok") -> tuple[float, int]:
    cell = cell_of(votes, status)
    statistics = raters(read_rows(cell.targets, cell.predictions))
    assert (statistics.kept == compared_votes(read_rows(cell.targets, cell.predictions))).all()
    return float(label_agreement(total(statistics))), int(statistics.kept.sum())


def test_it_is_the_p_bar_of_fleiss() -> None:
    cell = cell_of(FLEISS)
    statistics = raters(read_rows(cell.targets, cell.predictions))
    assert statistics.stats[:, 1] == pytest.approx(EACH, abs=6e-4)
    assert agreement(FLEISS) == (pytest.approx(0.378, abs=5e-4), 10)


def test_it_is_the_share_of_pairs_of_single_votes_that_agree() -> None:
    votes = np.random.default_rng(3).multinomial(7, [0.4, 0.3, 0.2, 0.1], 40)
    votes[:5] = 0
    votes[5:9] = np.eye(4, dtype=int)
    by_hand = []
    for one in votes[9:]:
        cast = np.repeat(np.arange(4), one)
        by_hand.append(np.mean([a == b for a, b in combinations(cast, 2)]))
    found, counted = agreement([v.tolist() for v in votes])
    assert counted == 31, "no row without two votes"
    assert found == pytest.approx(np.mean(by_hand), rel=1e-12)


def test_shares_agree_as_very_many_votes_do() -> None:
    shares = np.array([[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.2, 0.3, 0.4, 0.1]])
    found, counted = agreement(shares.tolist())
    assert (found, counted) == (pytest.approx((0.5 + 1 + 0.30) / 3, rel=1e-12), 3)
    assert agreement((2 * shares).tolist())[0] == pytest.approx(found, rel=1e-12)
    many, _ = agreement(np.round(shares * 10**7).tolist())
    assert many == pytest.approx(found, abs=1e-6)
    assert many != pytest.approx(found, abs=1e-9)


def test_nothing_to_compare_is_undefined_and_a_decode_error_leaves() -> None:
    assert np.isnan(agreement([[1, 0, 0, 0], [0, 1, 0, 0]])[0])
    votes = [[2, 0, 0, 0], [1, 1, 0, 0], None]
    assert agreement(votes) == (0.5, 2)
    assert agreement(votes, ["decode_error", "ok", "ok"]) == (0.0, 1)
    assert agreement(votes, ["no_face", "model_error", "ok"]) == (0.5, 2), "no model is in it"


def test_its_gap_stands_beside_that_of_errors_and_says_what_was_left_out() -> None:
    rng = np.random.default_rng(0)
    sex = np.array(["female", "male"])[np.arange(200) % 2]
    clear = np.where(sex == "female", 0.9, 0.5)
    votes = [rng.multinomial(10, [p, *[(1 - p) / 3] * 3]).tolist() for p in clear]
    votes[0], votes[1] = None, [1, 0, 0, 0]
    cell = cell_of(votes, sex=sex)
    table = judge([cell], make_suite(slices=("sex",), metrics=("accuracy", "label_agreement")))
    female, male = (row(table, slice="sex", value=v, metric="label_agreement") for v in ("female", "male"))
    gap = row(table, slice="sex", metric="label_agreement", kind="gap")
    assert gap["estimate"] == pytest.approx(female["estimate"] - male["estimate"], abs=1e-12)
    assert gap["p"] < 0.01
    assert (female["n"], male["n"]) == (99, 99)
    assert female["warning"] == "1 row without two votes left out"


def test_votes_of_a_few_persons_are_withheld() -> None:
    """Ten persons a group have votes, but of one group only four have two of them."""
    sex = np.array(["female", "male"])[np.arange(20) % 2]
    votes = [[2, 1, 0, 0] if s == "female" or i < 8 else [1, 0, 0, 0] for i, s in enumerate(sex)]
    table = judge(
        [cell_of(votes, sex=sex)],
        make_suite(slices=("sex",), metrics=("label_agreement", "crowd_agreement")),
    )
    state = {m: row(table, slice="sex", value="male", metric=m)["status"] for m in
             ("label_agreement", "crowd_agreement")}  # fmt: skip
    assert state["label_agreement"] == "suppressed"
    assert row(table, slice="sex", value="female", metric="label_agreement")["status"] == "suppressed"


def scored(folder: Path, *, shares: bool) -> Path:
    rng = np.random.default_rng(11)
    columns, truth = made_columns(rng, 400)
    votes = rng.multinomial(4, [0.25] * 4, 400) + 2 * np.eye(4)[truth]
    votes[::31] = 0
    votes = votes / 6 if shares else votes
    columns["votes"] = [v.tolist() if rng.random() > 0.05 else None for v in votes]
    asked = make_suite(metrics=("label_agreement", "label_sd_valence", "label_sd_valence_covered"),
                       slices=("sex", ("race", "sex")))  # fmt: skip
    question = Question(asked, {"made": make_targets(columns)}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, made_predictions(rng, truth, folder), {}, folder / "run")
    workflow.finish(run)
    return run.path


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("shares", [False, True])
def test_an_audit_agrees(tmp_path: Path, shares: bool) -> None:
    found = audit(scored(tmp_path, shares=shares))
    assert found.agrees, (found.differences[:3], faults(found))
    assert found.compared["label_agreement"] > 5
    assert found.compared["label_sd_valence"] > 3
    assert found.compared["label_sd_valence_covered"] > 3
    assert found.largest is not None
    assert found.largest.size < 1e-12


@pytest.mark.usefixtures("no_report")
def test_an_audit_finds_pairs_counted_with_themselves(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(judged, "_are_counts", lambda votes: False)
    assert sums.raters is judged.raters
    found = audit(scored(tmp_path, shares=False))
    assert {difference.row["metric"] for difference in found.differences} == {"label_agreement"}


def test_beside_the_ccc_of_slices_stand_rmse_bias_and_the_spread_of_labels() -> None:
    """As values alone, unasked: numpy's standard deviation, and no test that a family would count."""
    cell = random_cell(3, 800, 60)
    table = judge([cell], make_suite(slices=("sex",), metrics=("ccc_valence",)))
    columns = frame(cell)
    for value in (None, "female", "male"):
        kept = judged_rows(columns, "valence") & ((columns["sex"] == value) if value else True)
        truth = columns["valence"][kept].astype(float)
        said = np.array([0.0 if guess is None else guess for guess in columns["guess"][kept]], float)
        part = {"slice": "sex" if value else None, "value": value}
        found = {
            m: row(table, metric=f"{m}_valence", **part)["estimate"] for m in ("rmse", "bias", "label_sd")
        }
        assert found["label_sd"] == pytest.approx(np.std(truth), rel=1e-12)
        assert found["bias"] == pytest.approx(np.mean(said - truth), rel=1e-9)
        assert found["rmse"] == pytest.approx(np.sqrt(np.mean((said - truth) ** 2)), rel=1e-12)
    tested = [r for r in table.to_pylist() if r["kind"] != "value"]
    assert {r["metric"] for r in tested} == {"ccc_valence"}
    (gap,) = [r for r in tested if r["kind"] == "gap"]
    assert gap["family"] == "1 gap of m"
    assert "read RMSE, bias and label SD beside it" in gap["warning"]
    unsliced = judge([cell], make_suite(metrics=("ccc_valence",)))
    assert {r["metric"] for r in unsliced.to_pylist()} == {"ccc_valence"}
    both = judge([cell], make_suite(slices=("sex",), metrics=("ccc_valence", "bias_valence")))
    assert {r["metric"] for r in both.to_pylist() if r["kind"] == "gap"} == {"ccc_valence", "bias_valence"}


def test_labels_that_never_vary_have_no_spread() -> None:
    """Nine times .1 sums to something else than .9, and the spread is 0 all the same."""
    targets = make_targets({"subject": list("abcdefghi"), "valence": [0.1] * 9})
    cell = make_cell(targets, {"valence": np.linspace(-1, 1, 9)})
    found = row(judge([cell], make_suite(metrics=("label_sd_valence",))), metric="label_sd_valence")
    assert (found["estimate"], found["low"]) == (0.0, None)
