"""Rows of robustness against direct computation from the raw answers, planted truth, and what is withheld."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit

from bench.judge.score import judge
from bench.track.names import metric_name
from tests.judge.conditions import CLIPS, NOISE, Made, one, rows, suite
from tests.judge.made import LABELS, make_cell, make_suite
from tests.judge.student import paired_t


@pytest.fixture(scope="module")
def made():
    """A model that loses .1 and .2 in the dark, .05 in noise, and its raw hits."""
    made = Made(1)
    decisions = {
        ("clean", 0): made.answers(0.0), ("low_light", 1): made.answers(0.1),
        ("low_light", 3): made.answers(0.2), ("sensor_noise", 2): made.answers(0.05),
    }  # fmt: skip
    cells = [made.cell(d, *place) for place, d in decisions.items()]
    hits = {place: d == made.truth for place, d in decisions.items()}
    return made, cells, hits, judge(cells, suite())


def per_person(made, mask, *weighted):
    """The t-interval of a mean over persons who all have as many clips; the difference of their shares."""
    shares = [np.bincount(made.subject[mask], (w * h[mask]))[np.unique(made.subject[mask])] / CLIPS
              for w, h in weighted]  # fmt: skip
    return paired_t(np.sum(shares, axis=0))[:3]


@pytest.mark.parametrize("value", [None, "female", "male"])
def test_degradation_is_the_paired_t_test_over_persons(made, value):
    made, _, hits, table = made
    mask = np.ones(len(made.truth), bool) if value is None else made.female == (value == "female")
    names = {"slice": "sex" if value else None, "value": value}
    found = one(table, "degradation", condition="low_light", severity=3, **names)
    expected = per_person(made, mask, (1, hits["clean", 0]), (-1, hits["low_light", 3]))
    assert [found[n] for n in ("estimate", "low", "high")] == pytest.approx(expected, rel=1e-10)
    shares = [np.bincount(made.subject[mask], hits[place][mask])[np.unique(made.subject[mask])]
              for place in (("clean", 0), ("low_light", 3))]  # fmt: skip
    expected = paired_t((shares[0] - shares[1]) / 8)
    assert [found[n] for n in ("p", "df")] == pytest.approx(expected[3:], rel=1e-8)
    persons = 60 if value is None else 30
    assert (found["clusters"], found["n"]) == (persons, 8 * persons)
    assert found["df"] <= persons - 1
    assert (found["reference"], found["status"], found["where"]) == ("clean", "reportable", "crop")


def test_degradation_is_the_difference_of_the_values_beside_it(made):
    *_, table = made
    at = {"slice": "sex", "value": "male", "metric": "accuracy"}
    clean = one(table, "value", condition="clean", **at)["estimate"]
    dark = one(table, "value", condition="low_light", severity=1, **at)["estimate"]
    found = one(table, "degradation", condition="low_light", severity=1, **at)
    assert found["estimate"] == pytest.approx(clean - dark, abs=1e-15)


def test_mean_over_severities_and_area_under_the_curve(made):
    made, _, hits, table = made
    every = np.ones(len(made.truth), bool)
    clean, first, third = hits["clean", 0], hits["low_light", 1], hits["low_light", 3]
    found = one(table, "degradation", condition="low_light", severity=None)
    expected = per_person(made, every, (1, clean), (-0.5, first), (-0.5, third))
    assert [found[n] for n in ("estimate", "low", "high")] == pytest.approx(expected, rel=1e-10)
    # Trapezoids over severity 0, 1, 3: widths 1 and 2 of 3.
    area = one(table, "area", condition="low_light")
    expected = per_person(made, every, (1 / 6, clean), (1 / 2, first), (1 / 3, third))
    assert [area[n] for n in ("estimate", "low", "high")] == pytest.approx(expected, rel=1e-10)
    heights = [h.mean() for h in (clean, first, third)]
    assert area["estimate"] == pytest.approx(np.trapezoid(heights, [0, 1, 3]) / 3)
    assert area["p"] is None
    assert area["severity"] is None
    # One severity: the mean is that severity.
    single = one(table, "degradation", condition="sensor_noise", severity=None)
    assert single["estimate"] == one(table, "degradation", condition="sensor_noise", severity=2)["estimate"]


def test_worst_condition_holds_for_all_of_them(made):
    *_, table = made
    found, chosen = one(table, "worst"), one(table, "degradation", condition="low_light", severity=3)
    assert (found["condition"], found["severity"]) == ("low_light", 3)
    assert found["estimate"] == chosen["estimate"]
    ratio = (found["high"] - found["estimate"]) / (chosen["high"] - chosen["estimate"])
    df = chosen["df"]
    assert ratio == pytest.approx(stdtrit(df, 1 - 0.025 / 3) / stdtrit(df, 0.975), rel=1e-12)
    assert found["p_adjusted"] == pytest.approx(min(1, 3 * chosen["p"]))


def test_more_is_worse_where_lower_is_better():
    made = Made(2)
    clean = made.targets.table["valence"].to_numpy() * 0.8
    worse = clean + made.rng.normal(0, 0.3, len(clean))
    said = made.answers(0)
    cells = [made.cell(said, valence=clean),
             made.cell(said, "sensor_noise", 2, valence=np.clip(worse, -1, 1))]  # fmt: skip
    table = judge(cells, suite(NOISE, metrics=("rmse_valence", "ccc_valence")))
    for metric in ("rmse_valence", "ccc_valence"):
        assert one(table, "degradation", metric=metric, severity=2)["low"] > 0


def test_contrast_of_degradations_is_the_difference_of_those_of_the_groups(made):
    *_, table = made
    at = {"condition": "low_light", "severity": 3, "metric": "accuracy", "slice": "sex"}
    (found,) = rows(table, "degradation_contrast", **at)
    female, male = (one(table, "degradation", **at, value=value) for value in ("female", "male"))
    assert (found["value"], found["reference"]) == ("female", "male")
    assert found["estimate"] == pytest.approx(female["estimate"] - male["estimate"], abs=1e-14)
    halves = [(row["high"] - row["low"]) / 2 / stdtrit(row["df"], 0.975) for row in (female, male)]
    # Women and men are different persons: Welch's t, and fewer degrees where few persons make the error.
    se, df = math.hypot(*halves), found["df"]
    assert 20 < df <= se**4 / sum(half**4 / 29 for half in halves) + 1e-9
    assert found["high"] - found["estimate"] == pytest.approx(stdtrit(df, 0.975) * se, rel=1e-9)
    assert found["family"] == "1 pairs of sex"


def test_stability_is_the_share_of_unchanged_decisions_a_miss_being_one():
    made = Made(3)
    clean, noisy = made.answers(0), made.answers(0.05)
    clean[:50] = 4
    noisy[25:70] = 4
    table = judge([made.cell(clean), made.cell(noisy, "sensor_noise", 2)], suite(NOISE))
    same = clean == noisy
    found = one(table, "stability", metric="stability")
    assert found["estimate"] == pytest.approx(same.mean(), abs=1e-15)
    assert found["method"] == "wilson-clustered"
    assert (found["n"], found["reference"]) == (480, "clean")
    male = one(table, "stability", metric="stability", slice="sex", value="male")
    assert male["estimate"] == pytest.approx(same[~made.female].mean(), abs=1e-15)


def test_decode_errors_leave_stability_and_are_told():
    made = Made(4)
    said = made.answers(0)
    status = np.full(len(said), "ok", object)
    status[:7] = "decode_error"
    words = [None if s != "ok" else LABELS[k] for k, s in zip(said, status, strict=True)]
    fields = {"condition": "sensor_noise", "severity": 2, "where": "crop"}
    cell = make_cell(made.targets, {"predicted": words, "status": status}, **fields)
    table = judge([made.cell(said), cell], suite(NOISE))
    found = one(table, "stability", metric="stability")
    assert (found["n"], found["estimate"]) == (473, 1.0)
    told = one(table, "degradation", condition="sensor_noise", severity=2)["warning"]
    assert "not quite paired: 7 rows are decode errors on one side alone" in told


def test_what_is_undefined_under_every_condition_has_no_worst():
    made = Made(13)
    cells = [made.cell(made.answers(0)), made.cell(made.answers(0.1), "sensor_noise", 2)]
    table = judge(cells, suite(NOISE, metrics=("ccc_valence",)))
    for kind in ("worst", "degradation"):
        found = rows(table, kind, slice=None)
        assert found
        assert all(row["estimate"] is None and row["low"] is None for row in found)
        assert all("undefined" in row["warning"] for row in found)


@pytest.mark.parametrize("place", [("blur", 2), ("sensor_noise", 3)])
def test_a_condition_that_the_suite_does_not_have_is_refused(place):
    made = Made(14)
    cells = [made.cell(made.answers(0)), made.cell(made.answers(0.1), *place)]
    with pytest.raises(ValueError, match="the suite has no"):
        judge(cells, suite(NOISE))


def test_the_order_of_cells_changes_nothing(made):
    _, cells, _, table = made
    assert judge(cells[::-1], suite()).equals(table)


def test_every_row_of_several_data_sets_has_a_name_of_its_own(made):
    """As MLflow wants it: one number a name, data set, condition and step, none of them null."""
    _, cells, _, _ = made
    both = [*cells, *(replace(cell, dataset="other") for cell in cells)]
    found = judge(both, suite(reference="m")).to_pylist()
    assert all(row["dataset"] and row["condition"] for row in found)
    place = ("model", "dataset", "condition", "where")
    names = [(*(row[n] for n in place), row["severity"] or 0, metric_name(row)) for row in found]
    assert len(set(names)) == len(names)


def test_without_clean_media_nothing_is_paired(made):
    _, cells, _, _ = made
    table = judge(cells[1:], suite(clean=False))
    assert {row["kind"] for row in table.to_pylist()}.isdisjoint({"degradation", "stability", "area"})


def test_only_leading_metrics_degrade_where_none_is_named(made):
    _, cells, _, _ = made
    table = judge(cells, suite(metrics=()))
    assert {row["metric"] for row in rows(table, "degradation")} == {"accuracy", "uar", "ccc_valence"}


def test_rows_that_are_their_own_clusters_are_paired_row_by_row():
    made = Made(9, cluster_unit="clip")
    clean, noisy = made.answers(0), made.answers(0.1)
    table = judge([made.cell(clean), made.cell(noisy, "sensor_noise", 2)], suite(NOISE))
    hits = [(d == made.truth).astype(float) for d in (clean, noisy)]
    found, expected = one(table, "degradation", severity=2), paired_t(hits[0] - hits[1])
    names = ("estimate", "low", "high", "p", "df")
    assert [found[name] for name in names] == pytest.approx(expected, rel=1e-8)
    assert "independence of clips is assumed" in found["warning"]
    (difference,) = rows(table, "degradation_contrast", severity=2)
    assert difference["p"] > 0


def test_few_or_unchanged_clusters_give_no_interval():
    made = Made(10, persons=4)
    same = made.answers(0.1)
    table = judge([made.cell(same), made.cell(same, "sensor_noise", 2)], suite(NOISE))
    assert "fewer than 5 clusters" in one(table, "degradation", severity=2)["warning"]
    made = Made(10)
    same = made.answers(0.1)
    table = judge([made.cell(same), made.cell(same, "sensor_noise", 2)], suite(NOISE))
    found = one(table, "degradation", severity=2)
    assert (found["estimate"], found["low"], found["p"]) == (0.0, None, None)
    assert "the same without any one cluster" in found["warning"]
    assert one(table, "stability", metric="stability")["estimate"] == 1.0


def test_q_is_over_all_degradations_of_a_model(made):
    *_, table = made
    tests = [row for row in rows(table, "degradation") if row["p"] is not None]
    ranked = sorted(tests, key=lambda row: row["p"])
    assert {row["family"] for row in tests} == {f"{len(tests)} degradations of m"}
    expected = min(len(tests) * row["p"] / (i + 1) for i, row in enumerate(ranked))
    assert ranked[0]["p_adjusted"] == pytest.approx(expected)


def simulated(seed, lost_by_women, lost_by_men):
    """The contrast of degradations where women and men lose known amounts, answers drawn anew each time."""
    made = Made(seed)
    loss = np.where(made.female, lost_by_women, lost_by_men)
    clean = made.answers(0)
    # Half of the luck is drawn anew under the condition, so that some answers get better.
    fresh = made.rng.random(len(loss)) < 0.5
    made.luck = np.where(fresh, made.rng.random(len(loss)), made.luck)
    cells = [made.cell(clean), made.cell(made.answers(loss), "sensor_noise", 2)]
    return rows(judge(cells, suite(NOISE)), "degradation_contrast", severity=2)[0]


def test_a_planted_loss_of_one_group_is_found():
    """Women lose .25 and men .05 under one condition: found, and the interval holds the difference."""
    found = [simulated(seed, 0.25, 0.05) for seed in range(20)]
    assert np.mean([row["low"] <= 0.2 <= row["high"] for row in found]) >= 0.85
    assert np.mean([row["p"] < 0.05 for row in found]) >= 0.9
    assert np.mean([row["estimate"] for row in found]) == pytest.approx(0.2, abs=0.03)


def test_equal_losses_alarm_no_more_often_than_they_may():
    """Both lose .15: at 5 %, 60 seeds alarm at most 7 times (P(8 or more) = .01)."""
    alarms = sum(simulated(seed, 0.15, 0.15)["p"] < 0.05 for seed in range(100, 160))
    assert alarms <= 7


def test_a_suite_names_a_reference_only_beside_conditions():
    with pytest.raises(ValueError, match="nothing is held against it"):
        make_suite(reference="plain")
    assert suite(reference="plain").reference == "plain"
