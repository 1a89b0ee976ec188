"""Baselines in closed form, against scikit-learn, simulation, and every rater counted one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from bench.leaderboard.baselines import Baseline, baselines
from bench.spec import Facts
from bench.tables import Targets, validate_targets

LABELS = ("fear", "happiness", "anger", "neutral")


def targets(labels: list[str | None], votes: list[list[float] | None] | None = None) -> Targets:
    columns = {"target": [f"t{n}" for n in range(len(labels))], "label": pa.array(labels, pa.string())}
    if votes is not None:
        columns["votes"] = pa.array(votes, pa.list_(pa.float64()))
    return validate_targets(pa.table(columns), Facts(name="d", labels=LABELS, label_space="own"), "d")


def by_name(found: Targets) -> dict[str, Baseline]:
    return {each.name.removeprefix("baseline: "): each for each in baselines(found)}


SKEWED = ["fear"] * 7 + ["happiness"] * 12 + ["anger"] * 3


def test_majority_is_that_of_scikit_learn() -> None:
    found = by_name(targets([*SKEWED, None]))["majority"]
    truth, nothing = np.array(SKEWED), np.zeros((len(SKEWED), 1))
    said = DummyClassifier(strategy="most_frequent").fit(nothing, truth).predict(nothing)
    assert found.rows == len(SKEWED)  # the row without a label is in no denominator
    assert found.values["accuracy"] == pytest.approx(accuracy_score(truth, said), abs=1e-12)
    assert found.values["uar"] == pytest.approx(balanced_accuracy_score(truth, said), abs=1e-12)
    f1 = f1_score(truth, said, average="macro", labels=sorted(set(SKEWED)), zero_division=0)
    assert found.values["macro_f1"] == pytest.approx(f1, abs=1e-12)


def test_chance_is_the_mean_of_many_draws() -> None:
    found = by_name(targets(SKEWED))["chance"]
    rng, truth = np.random.default_rng(0), np.array(SKEWED)
    drawn = [rng.choice(LABELS, len(truth)) for _ in range(4000)]
    accuracy = [(said == truth).mean() for said in drawn]
    uar = [np.mean([(said[truth == k] == k).mean() for k in set(SKEWED)]) for said in drawn]
    assert found.values["accuracy"] == pytest.approx(np.mean(accuracy), abs=4 * np.std(accuracy) / 4000**0.5)
    assert found.values["uar"] == pytest.approx(np.mean(uar), abs=4 * np.std(uar) / 4000**0.5)
    assert "macro_f1" not in found.values  # no closed form, so none is given


def one_by_one(votes: list[list[int]]) -> tuple[float, float, float]:
    """Every rater of every row against the majority of the others: accuracy, UAR, share left out."""
    weight: dict[int, float] = {}
    agreed: dict[int, float] = {}
    for row in votes:
        raters = [k for k, n in enumerate(row) for _ in range(n)]
        for i, vote in enumerate(raters):
            others = raters[:i] + raters[i + 1 :]
            counts = sorted(((others.count(k), k) for k in set(others)), reverse=True)
            if not counts or (len(counts) > 1 and counts[0][0] == counts[1][0]):
                continue
            winner = counts[0][1]
            weight[winner] = weight.get(winner, 0.0) + 1 / len(raters)
            agreed[winner] = agreed.get(winner, 0.0) + (vote == winner) / len(raters)
    held = sum(weight.values())
    return (
        sum(agreed.values()) / held,
        float(np.mean([agreed[k] / weight[k] for k in weight])),
        1 - held / len(votes),
    )


def test_one_rater_against_the_others_counted_one_by_one() -> None:
    rng = np.random.default_rng(1)
    votes = [
        [int(n) for n in rng.multinomial(rng.integers(1, 8), rng.dirichlet(np.ones(4)))] for _ in range(300)
    ]
    votes = [row for row in votes if sorted(row)[-1] > sorted(row)[-2]]
    labels = [LABELS[int(np.argmax(row))] for row in votes]
    found = by_name(targets(labels, [list(map(float, row)) for row in votes]))["one rater"]
    accuracy, uar, left_out = one_by_one(votes)
    assert found.values["accuracy"] == pytest.approx(accuracy, abs=1e-12)
    assert found.values["uar"] == pytest.approx(uar, abs=1e-12)
    assert f"{left_out:.1%}" in found.about
    assert "leave-one-out" in found.about


def test_a_case_by_hand() -> None:
    # [2, 1, 0, 0]: a fear rater is held against a tie (1, 1), so left out; the other against fear, and is wrong.
    # [3, 0, 0, 0]: every rater agrees with the two others.
    found = by_name(targets(["fear", "fear"], [[2, 1, 0, 0], [3, 0, 0, 0]]))["one rater"]
    assert found.values["accuracy"] == pytest.approx((0 + 1) / (1 / 3 + 1))
    assert "33.3%" in found.about


def test_labels_that_are_not_of_the_votes_are_what_raters_are_held_against() -> None:
    found = by_name(targets(["fear", "anger"], [[3, 1, 0, 0], [2, 0, 1, 1]]))["one rater"]
    assert found.values["accuracy"] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert found.values["uar"] == pytest.approx((3 / 4 + 1 / 4) / 2)
    assert "held against the row's label" in found.about


@pytest.mark.parametrize("votes", [None, [[0.5, 0.5, 0, 0]], [None], [[0, 0, 0, 0]]])
def test_without_votes_in_whole_numbers_there_is_no_rater(votes: list[list[float] | None] | None) -> None:
    assert "one rater" not in by_name(targets(["fear"], votes))


def test_nothing_labelled_has_no_baseline() -> None:
    assert baselines(targets([None, None])) == ()


def test_raters_of_crema_d(shared: Path) -> None:
    import csv

    letters = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
    acted = {"ANG": "A", "DIS": "D", "FEA": "F", "HAP": "H", "NEU": "N", "SAD": "S"}
    labels = tuple(letters.values())
    with (shared / "data" / "crema_d_tables" / "processedResults" / "tabulatedVotes.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row[""].startswith("3")]
    votes = [[float(row[letter]) for letter in letters] for row in rows]
    meant = [acted[row["fileName"].split("_")[2]] for row in rows]
    table = pa.table({
        "target": [row["fileName"] for row in rows], "label": [letters[letter] for letter in meant],
        "votes": pa.array(votes, pa.list_(pa.float64())),
    })  # fmt: skip
    held = validate_targets(table, Facts(name="d", labels=labels, label_space="own"), "d")
    found = by_name(held)["one rater"]
    each = [float(row[letter]) / sum(v) for row, letter, v in zip(rows, meant, votes, strict=True)]
    assert found.rows == 7442
    assert found.values["accuracy"] == pytest.approx(np.mean(each), abs=1e-12)
    # Pooled over votes it is .631 (published: 63.6 % of single votes); by clip, clips weigh alike.
    pooled = sum(float(row[letter]) for row, letter in zip(rows, meant, strict=True)) / sum(map(sum, votes))
    assert round(pooled, 3) == 0.631
    assert abs(found.values["accuracy"] - pooled) < 0.005
