"""Equalised odds, equal opportunity and demographic parity, one emotion against the rest: fairlearn's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
)

from bench.errors import UserError
from bench.judge.audit import audit
from bench.judge.metrics import expand
from bench.judge.score import judge
from tests.judge.made import LABELS, frame, judged, make_cell, make_suite, random_cell, row
from tests.judge.scored import change_estimates, faults, finished
from tests.judge.test_fairness import of_kind

CRITERIA = ("equalised_odds", "equal_opportunity", "demographic_parity")
FEW: dict[str, Any] = {"clusters": 8, "n_eff": 5, "successes_and_failures": 3, "rows_in_class": 3}


@pytest.fixture(scope="module")
def cell():
    return random_cell(5, 2000, 60)


@pytest.fixture(scope="module")
def table(cell):
    return judge([cell], make_suite(slices=("sex", "light"), metrics=CRITERIA, slice_rule=FEW))


def test_a_criterion_stands_for_the_metrics_whose_gaps_it_is() -> None:
    names = [metric.name for metric in expand(CRITERIA, LABELS)]
    assert names == [f"{stem}/{label}" for stem in ("recall", "false_positive_rate", "selection_rate")
                     for label in LABELS]  # fmt: skip
    one = [metric.name for metric in expand(("equalised_odds/fear", "uar"), LABELS)]
    assert one == ["recall/fear", "false_positive_rate/fear", "uar"]


@pytest.mark.parametrize("name", ["sex", "light"])
@pytest.mark.parametrize("label", LABELS)
def test_the_gaps_are_those_of_fairlearn(cell: Any, table: Any, name: str, label: str) -> None:
    data = frame(cell)
    # fairlearn compares every group there is: rows without the attribute are no group here.
    kept = judged(data, "label") & np.array([value is not None for value in data[name]])
    truth, said = (data[column][kept] == label for column in ("label", "decision"))
    groups = data[name][kept].astype(str)
    for metric, theirs in (
        (f"equalised_odds/{label}", equalized_odds_difference),
        (f"recall/{label}", equal_opportunity_difference),
        (f"selection_rate/{label}", demographic_parity_difference),
    ):
        (gap,) = of_kind(table, "gap", slice=name, metric=metric, reference=None)
        assert gap["status"] == "reportable"
        assert gap["estimate"] == pytest.approx(theirs(truth, said, sensitive_features=groups), abs=1e-12)


def test_p_is_twice_the_smaller_of_two_and_at_most_one(table: Any) -> None:
    halves = set()
    for found in of_kind(table, "gap"):
        stem, _, label = found["metric"].partition("/")
        if stem != "equalised_odds":
            continue
        parts = [of_kind(table, "gap", slice=found["slice"], metric=f"{m}/{label}", reference=None)[0]["p"]
                 for m in ("recall", "false_positive_rate")]  # fmt: skip
        assert found["p"] == min(1.0, 2 * min(parts))
        assert found["method"] == "bonferroni-of-two"
        assert found["clusters"] is found["null_mean"] is found["null_p95"] is None
        halves.add(2 * min(parts) > 1)
    assert halves == {True, False}


def test_a_criterion_of_one_label_alone_and_none_unasked(cell: Any) -> None:
    suite = make_suite(slices=("sex",), metrics=("equalised_odds/fear", "recall", "false_positive_rate"),
                       slice_rule=FEW)  # fmt: skip
    found = [r["metric"] for r in of_kind(judge([cell], suite), "gap") if "odds" in r["metric"]]
    assert found == ["equalised_odds/fear"]
    unasked = make_suite(slices=("sex",), metrics=("recall", "false_positive_rate"), slice_rule=FEW)
    assert not [r for r in of_kind(judge([cell], unasked), "gap") if "odds" in r["metric"]]


def test_it_is_primary_where_it_is_named_so(cell: Any) -> None:
    suite = make_suite(slices=("sex",), metrics=("equalised_odds/fear",), slice_rule=FEW,
                       primary=("gap/equalised_odds/fear/sex",))  # fmt: skip
    roles = {
        r["metric"]: (r["role"], r["family"]) for r in of_kind(judge([cell], suite), "gap", reference=None)
    }
    assert roles["equalised_odds/fear"] == ("confirmatory", "1 primary gap of m")
    assert roles["recall/fear"][0] == "exploratory"


def test_without_one_of_the_gaps_there_is_none_and_it_says_so(cell: Any) -> None:
    """Of recall a value has too few hits, of the false-positive rate enough of each."""
    rule = {**FEW, "successes_and_failures": 180}
    suite = make_suite(slices=("sex",), metrics=("equalised_odds/fear",), slice_rule=rule)
    table = judge([cell], suite)
    (gap,) = of_kind(table, "gap", metric="equalised_odds/fear")
    assert (gap["estimate"], gap["p"], gap["status"]) == (None, None, "insufficient")
    assert gap["warning"].startswith("no gap: recall/fear")


def test_a_model_without_labels_has_no_row_of_it_and_its_other_gaps_all_the_same(cell: Any) -> None:
    said = {name: cell.predictions[name] for name in ("status", "valence")}
    suite = make_suite(slices=("sex",), metrics=("equalised_odds", "rmse_valence"), slice_rule=FEW)
    table = judge([make_cell(cell.targets, said)], suite)
    assert [r["metric"] for r in of_kind(table, "gap")] == ["rmse_valence"]
    missing = row(table, metric="recall/fear")
    assert (missing["estimate"], missing["status"]) == (None, "insufficient")
    assert missing["warning"].startswith("unavailable: the predictions have no output for recall/fear")


def test_it_says_where_the_two_gaps_are_of_different_values(cell: Any) -> None:
    """Of the false-positive rate three combinations hold enough errors, of recall all four."""
    suite = make_suite(slices=(("sex", "light"),), metrics=("equalised_odds",),
                       slice_rule={**FEW, "successes_and_failures": 20})  # fmt: skip
    table = judge([cell], suite)
    said = {}
    for label in LABELS:
        parts = [
            {v["value"] for v in of_kind(table, "value", metric=f"{m}/{label}", status="reportable")
             if v["value"] and "unmeasured" not in v["value"]}
            for m in ("recall", "false_positive_rate")
        ]  # fmt: skip
        (gap,) = of_kind(table, "gap", metric=f"equalised_odds/{label}")
        if gap["estimate"] is not None:
            said[parts[0] == parts[1]] = "of different values" in (gap["warning"] or "")
    assert said == {True: False, False: True}


def test_unknown_names_are_told_of_the_criteria(cell: Any) -> None:
    with pytest.raises(UserError) as caught:
        judge([cell], make_suite(metrics=("equalized_odds",)))
    assert "Did you mean 'equalised_odds'" in str(caught.value)
    assert "the criteria equalised_odds, equal_opportunity, demographic_parity" in str(caught.value)


@pytest.mark.usefixtures("no_report")
def test_an_audit_agrees_and_finds_another_number(tmp_path: Path) -> None:
    run = finished(tmp_path, metrics=CRITERIA, slice_rule=FEW)
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert not [name for name in found.not_audited if "odds" in name]

    def lower(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**r, "estimate": r["estimate"] / 2} if r["estimate"] and "odds" in r["metric"] else r
                for r in rows]  # fmt: skip

    change_estimates(run, lower)
    assert {d.row["metric"].partition("/")[0] for d in audit(run.path).differences} == {"equalised_odds"}


def test_values_are_there_under_their_own_names(table: Any) -> None:
    assert row(table, slice="sex", value="male", metric="recall/fear")["estimate"] is not None
