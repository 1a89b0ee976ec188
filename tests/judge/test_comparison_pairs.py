"""Comparisons of several pairs of cells, of targets whose facts differ, and of a model without an output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_rel

from bench.errors import UserError
from bench.judge.comparison import compare
from tests.judge.made import make_cell, make_suite, random_cell
from tests.judge.test_comparison import answers, only, people_of


def test_each_data_set_and_condition_is_compared_by_itself_and_all_are_tested_together():
    rng = np.random.default_rng(3)
    targets = {"made": people_of(30, 8), "other": people_of(24, 8)}
    sides = {}
    for dataset, place, share in (
        ("made", "clean", 0.8),
        ("other", "clean", 0.7),
        ("made", "low_light", 0.6),
    ):
        severity, where = (0, None) if place == "clean" else (1, "crop")
        named = {"dataset": dataset, "condition": place, "severity": severity, "where": where}
        right = rng.random((2, len(targets[dataset]))) < [[share], [share - 0.1]]
        pair = [
            replace(answers(targets[dataset], each, m), **named) for each, m in zip(right, "no", strict=True)
        ]
        sides[dataset, place] = right, pair
    asked = make_suite(metrics=("accuracy",))
    rows = [each.row for each in compare([pair for _, pair in sides.values()], asked)]
    assert [(row["dataset"], row["condition"]) for row in rows] == list(sides)
    assert [(row["severity"], row["where"]) for row in rows] == [(0, None), (0, None), (1, "crop")]
    for (right, pair), row in zip(sides.values(), rows, strict=True):
        by_person = right.reshape(2, -1, 8).mean(axis=2)
        assert row["estimate"] == pytest.approx((by_person[0] - by_person[1]).mean(), abs=1e-15)
        assert row["p"] == pytest.approx(ttest_rel(*by_person).pvalue, rel=1e-9)
        alone = only(compare([pair], asked)).row
        together = {"p_adjusted": None, "family": None}
        assert alone | together == row | together
    adjusted = false_discovery_control([row["p"] for row in rows])
    assert [row["p_adjusted"] for row in rows] == pytest.approx(adjusted)
    assert {row["family"] for row in rows} == {"3 differences"}


def test_the_same_rows_under_other_facts_are_other_targets():
    targets = people_of(30, 8)
    others = replace(targets, facts=targets.facts.model_copy(update={"attributes_public": True}))
    right = np.ones(240, bool)
    with pytest.raises(UserError) as refused:
        compare([(answers(targets, right, "n"), answers(others, right, "o"))], make_suite())
    assert str(refused.value).startswith(
        "made: the targets differ: their facts are not the same: attributes_public."
    )


@pytest.mark.parametrize(("lacks", "words"), [("new", "m"), ("old", "before"), ("both", "m and before")])
def test_a_metric_that_is_asked_for_and_not_given_is_said_to_lack_an_output(lacks, words):
    new = random_cell(1, 400, 30)
    old = replace(random_cell(1, 400, 30), model="before")
    said = {name: new.predictions[name] for name in ("status", "predicted")}
    labels = {name: make_cell(new.targets, said, model=name) for name in ("m", "before")}
    new = new if lacks == "old" else labels["m"]
    old = old if lacks == "new" else labels["before"]
    found = compare([(new, old)], make_suite(metrics=("accuracy", "rmse_valence")), margin=0.1)
    missing, known = only(found, "rmse_valence"), only(found, "accuracy")
    assert missing.row["warning"].startswith(f"unavailable: no output for it of {words}")
    assert missing.row["status"] == "insufficient"
    assert not missing.given
    assert (missing.non_inferior, missing.equivalent) == (None, None)
    assert np.isnan([missing.new, missing.old, missing.row["estimate"], missing.row["p_adjusted"]]).all()
    assert known.given
    # The same words on both sides: no difference.
    assert known.row["estimate"] == 0
    unasked = {each.row["metric"] for each in compare([(new, old)], make_suite())}
    assert "accuracy" in unasked
    assert not [name for name in unasked if "valence" in name]
