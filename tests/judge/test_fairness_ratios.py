"""Ratios of rates, warnings of few errors, and what is confirmatory."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from bench.errors import UserError
from bench.judge.fairness import adjust
from bench.judge.request import check
from bench.judge.score import judge
from tests.judge.made import make_cell, make_suite, make_targets, random_cell, row
from tests.judge.test_fairness import SUITE, of_kind
from tests.judge.test_fairness_rest import judged, people


@pytest.fixture(scope="module")
def cell():
    return random_cell(6, 1500, 60)


@pytest.fixture(scope="module")
def table(cell):
    return judge([cell], make_suite(**SUITE))


def test_ratios_of_rates_by_hand(table):
    found = of_kind(table, "ratio", slice="sex", metric="accuracy")
    assert [r["reference"] for r in found] == ["min/max", "max/geometric mean"]
    values = [row(table, slice="sex", value=v, metric="accuracy") for v in ("female", "male")]
    rates, rows = (np.array([r[name] for r in values]) for name in ("estimate", "n"))
    errors = (np.round((1 - rates) * rows) + 0.5) / (rows + 1)
    assert found[0]["estimate"] == pytest.approx(rates.min() / rates.max(), rel=1e-12)
    assert found[1]["estimate"] == pytest.approx(errors.max() / np.sqrt(errors.prod()), rel=1e-9)
    assert {r["role"] for r in found} == {"exploratory"}
    assert {r["p"] for r in found} == {None}


def test_a_ratio_stands_beside_its_false_alarms():
    # How often two binomial rates of so many effective rows fall below .8, drawn again.
    cell, _, right = people({"x": 7, "y": 7})
    (found, _) = of_kind(judged(cell), "ratio", metric="accuracy")
    effective = [r["n_eff"] for r in of_kind(judged(cell), "value", metric="accuracy", slice="a")]
    rng = np.random.default_rng(2)
    drawn = [rng.binomial(int(n), right.mean(), 100_000) / int(n) for n in effective]
    expected = np.mean(np.minimum(*drawn) < 0.8 * np.maximum(*drawn))
    assert expected > 0.01
    assert found["null_mean"] == pytest.approx(expected, abs=0.012)
    assert "shown only" in found["warning"]


def test_ratios_are_of_rates_with_a_direction(table):
    kinds = {r["metric"] for r in of_kind(table, "ratio")}
    assert "recall/fear" in kinds
    assert not kinds & {"uar", "macro_f1", "ccc_valence", "rmse_valence"}


def test_false_positive_rates_are_errors_and_selection_rates_are_neither(cell):
    suite = make_suite(**SUITE, metrics=("false_positive_rate/fear", "selection_rate/fear"))
    table = judge([cell], suite)
    wrong = of_kind(table, "ratio", slice="sex", metric="false_positive_rate/fear")
    rates = [r["estimate"] for r in of_kind(table, "value", slice="sex", metric="false_positive_rate/fear")]
    assert wrong[1]["estimate"] == pytest.approx(max(rates) / np.sqrt(np.prod(rates)), rel=0.01)
    plain = of_kind(table, "ratio", slice="sex", metric="selection_rate/fear")
    assert [r["reference"] for r in plain] == ["min/max"]


def test_few_expected_errors_are_warned_of():
    cell, _, _ = people({"x": 20, "y": 20})
    (gap,) = of_kind(judged(cell), "gap", metric="accuracy")
    assert "fewer than 10 errors" not in (gap["warning"] or "")
    # A recall has 40 rows in each group: at a rate of .75 or more they hold fewer than ten errors.
    for gap in of_kind(judged(cell), "gap"):
        if gap["metric"].startswith("recall/"):
            rates = [r["estimate"] for r in of_kind(judged(cell), "value", metric=gap["metric"], slice="a")]
            few = 40 * (1 - np.mean(rates)) < 10
            assert ("fewer than 10 errors" in (gap["warning"] or "")) == few


def test_primary_tests_are_held_together_by_holm_and_the_others_apart(cell, table):
    primary = ("gap/uar/sex", "gap/accuracy/light", "gap/recall/sex&light")
    found = judge([cell], make_suite(**SUITE, primary=primary))
    gaps = of_kind(found, "gap")
    marked = [r for r in gaps if r["role"] == "confirmatory"]
    names = {(r["metric"], r["slice"]) for r in marked}
    assert {("uar", "sex"), ("accuracy", "light"), ("recall/fear", "sex&light")} <= names
    assert len(names) == 2 + 4
    tested = sorted((r["p"], r["p_adjusted"]) for r in marked if r["p"] is not None)
    highest = 0.0
    for k, (p, adjusted) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - k) * p))
        assert adjusted == pytest.approx(highest, abs=1e-12)
    assert {r["family"] for r in marked if r["p"] is not None} == {f"{len(tested)} primary gaps of m"}
    others = [r for r in gaps if r["role"] == "exploratory" and r["p"] is not None]
    expected = false_discovery_control([r["p"] for r in others], method="bh")
    assert [r["p_adjusted"] for r in others] == pytest.approx(list(expected), abs=1e-12)
    assert {r["family"] for r in others} == {f"{len(others)} other gaps of m"}
    before = {(r["metric"], r["slice"]): r["p"] for r in of_kind(table, "gap")}
    plain = [r for r in gaps if r["reference"] is None]
    assert {(r["metric"], r["slice"]): r["p"] for r in plain} == before


def test_primary_tests_of_all_data_sets_and_conditions_are_one_family():
    def gap(p, metric="uar", **names):
        return {
            "kind": "gap",
            "model": "m",
            "slice": "sex",
            "metric": metric,
            "p": p,
            "role": "exploratory",
        } | names

    rows = [
        gap(0.01),
        gap(0.02, condition="low_light"),
        gap(0.03, dataset="b"),
        gap(0.04, "accuracy"),
        gap(np.nan),
    ]
    adjust([*rows, gap(0.01, model="n")], ("gap/uar/sex",))
    # By hand, Holm over .01 .02 .03 and 1 for the one that could not be made: 4, 3, 2 and 1 times.
    adjusted = [pytest.approx(v) for v in (0.04, 0.06, 0.06, 0.04)]
    assert [r.get("p_adjusted") for r in rows] == [*adjusted, None]
    assert rows[0]["family"] == rows[4]["family"] == "4 primary gaps of m, 1 of them not testable"
    assert rows[3]["family"] == "1 other gap of m"
    assert rows[4]["role"] == "confirmatory"


def test_a_primary_test_that_could_not_be_made_is_counted_all_the_same():
    """Of race one value is reportable; and no prediction has a valence, so that its test has no gap at all."""
    cell, _, _ = people({"x": 20, "y": 20})
    columns = {name: cell.targets.table[name] for name in ("subject", "label", "a")}
    columns |= {"race": ["one"] * len(cell.targets), "valence": np.linspace(-1, 1, len(cell.targets))}
    cell = make_cell(make_targets(columns), {"predicted": cell.predictions["predicted"]})
    primary = ("gap/uar/a", "gap/accuracy/a", "gap/accuracy/race", "gap/ccc_valence/a")
    suite = make_suite(
        slices=("a", "race"), metrics=("accuracy", "uar", "ccc_valence"), primary=primary,
        slice_rule={"clusters": 5, "n_eff": 1, "successes_and_failures": 1, "rows_in_class": 1},
    )  # fmt: skip
    found = of_kind(judge([cell], suite), "gap", reference=None, role="confirmatory")
    assert [(r["slice"], r["metric"]) for r in found] == [
        ("a", "accuracy"),
        ("a", "uar"),
        ("race", "accuracy"),
    ]
    assert {r["family"] for r in found} == {"4 primary gaps of m, 2 of them not testable"}
    assert (found[2]["p"], found[2]["p_adjusted"], found[2]["status"]) == (None, None, "insufficient")
    low, high = sorted(found[:2], key=lambda r: r["p"])
    first = min(1.0, 4 * low["p"])
    assert (low["p_adjusted"], high["p_adjusted"]) == (first, max(first, min(1.0, 3 * high["p"])))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gap/uarr/sex", "made, primary gap/uarr/sex: metric 'uarr' is not known. Did you mean 'uar'?"),
        ("gap/ccc_arousal/sex", "metric 'ccc_arousal' needs the column 'arousal', which made does not have"),
    ],
)
def test_an_unknown_metric_of_a_primary_test_is_refused(cell, name, words):
    suite = make_suite(**SUITE, primary=(name,))
    with pytest.raises(UserError) as caught:
        check(suite, cell.targets, lambda kind, what: f"made, {kind} {what}")
    assert words in str(caught.value)


def test_rates_of_nought_and_one_have_ratios_too():
    # Everyone is covered: the smallest rate is the largest, and no draw of it is an alarm.
    cell, _, _ = people({"x": 20, "y": 20})
    rule = {"clusters": 5, "n_eff": 1, "successes_and_failures": 0}
    table = judge([cell], make_suite(slices=("a",), metrics=("coverage",), slice_rule=rule))
    least, most = of_kind(table, "ratio", metric="coverage")
    assert (least["estimate"], least["null_mean"], most["estimate"]) == (1.0, 0.0, pytest.approx(1.0))
