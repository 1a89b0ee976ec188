"""mCE and relative mCE by hand and by jackknife, and where the reference model loses nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from bench.judge.score import judge
from tests.judge.conditions import NOISE, PERSONS, Made, one, suite


@pytest.mark.parametrize("severities", [(1, 2), (1, 2, 3), (1, 2, 3, 4, 5)])
def test_a_reference_that_loses_nothing_leaves_the_relative_error_undefined(severities):
    made = Made(1)
    cells = []
    for name, loss in (("reference", None), ("other", 0.1)):
        clean = made.truth if loss is None else made.answers(0)
        harmed = made.truth if loss is None else made.answers(loss)
        cells.append(made.cell(clean, model=name))
        cells += [made.cell(harmed, "low_light", severity, model=name) for severity in severities]
    condition = {"perturb": "low_light", "severities": severities, "where": "crop"}
    table = judge(cells, suite(condition, reference="reference"))
    rows = [row for row in table.to_pylist() if row["kind"] in ("mce", "relative_mce")]
    assert {row["model"] for row in rows} == {"reference", "other"}
    assert all(row["estimate"] is None for row in rows)
    assert all("undefined: the reference model" in row["warning"] for row in rows)


def test_a_reference_that_does_not_degrade_but_errs_still_gives_mce():
    made = Made(2)
    cells = []
    for name, loss in (("reference", 0.0), ("other", 0.1)):
        cells.append(made.cell(made.answers(0), model=name))
        cells += [made.cell(made.answers(loss), "low_light", severity, model=name) for severity in (1, 2, 3)]
    condition = {"perturb": "low_light", "severities": (1, 2, 3), "where": "crop"}
    table = judge(cells, suite(condition, reference="reference"))
    found = {(r["kind"], r["model"]): r["estimate"] for r in table.to_pylist() if r["kind"].endswith("mce")}
    errors = {loss: (made.answers(loss) != made.truth).mean() for loss in (0.0, 0.1)}
    assert found["mce", "other"] == pytest.approx(errors[0.1] / errors[0.0], rel=1e-12)
    assert found["relative_mce", "other"] is None
    assert found["relative_mce", "reference"] is None


def errors(made, losses):
    """Cells of a model by its loss under each condition, and its error rates."""
    places = [("clean", 0), ("low_light", 1), ("low_light", 3), ("sensor_noise", 2)]
    decisions = [made.answers(loss) for loss in losses]
    cells = [(place, d) for place, d in zip(places, decisions, strict=True)]
    return cells, [float((d != made.truth).mean()) for d in decisions]


def test_mean_corruption_error_by_hand_and_by_jackknife():
    made = Made(5)
    both = {"weak": errors(made, (0.1, 0.2, 0.35, 0.2)), "plain": errors(made, (0.0, 0.1, 0.2, 0.05))}
    cells = [made.cell(d, *place, model=name) for name, (of, _) in both.items() for place, d in of]
    table = judge(cells, suite(reference="plain"))
    e, r = both["weak"][1], both["plain"][1]
    dark, noise = (e[1] + e[2]) / (r[1] + r[2]), e[3] / r[3]
    mce = {"model": "weak", "reference": "plain", "severity": None}
    assert one(table, "mce", condition="low_light", **mce)["estimate"] == pytest.approx(dark, rel=1e-12)
    found = one(table, "mce", condition="all", **mce)
    assert found["estimate"] == pytest.approx((dark + noise) / 2, rel=1e-12)
    relative = [(e[1] + e[2] - 2 * e[0]) / (r[1] + r[2] - 2 * r[0]), (e[3] - e[0]) / (r[3] - r[0])]
    rel = one(table, "relative_mce", condition="all", **mce)
    assert rel["estimate"] == pytest.approx(np.mean(relative), rel=1e-12)
    itself = one(table, "mce", condition="all", model="plain")
    assert (itself["estimate"], itself["low"]) == (1.0, None)

    def value(kept):
        rates = {
            (name, place): float((d != made.truth)[kept].mean())
            for name, (of, _) in both.items() for place, d in of
        }  # fmt: skip
        sums = {name: [rates[name, ("low_light", 1)] + rates[name, ("low_light", 3)],
                       rates[name, ("sensor_noise", 2)]] for name in both}  # fmt: skip
        return np.mean(np.divide(sums["weak"], sums["plain"]))

    left = np.array([value(made.subject != person) for person in range(PERSONS)])
    se = math.sqrt((PERSONS - 1) / PERSONS * ((left - left.mean()) ** 2).sum())
    assert (found["high"] - found["low"]) / 2 / stdtrit(59, 0.975) == pytest.approx(se, rel=0.05)


def test_mean_corruption_error_is_refused_in_words():
    made = Made(6)
    cells = [made.cell(made.answers(0)), made.cell(made.answers(0.1), "sensor_noise", 2)]
    absent = one(judge(cells, suite(NOISE, reference="nobody")), "mce", condition="all")
    assert absent["estimate"] is None
    assert absent["warning"] == "undefined: the reference model was not run under every condition here"
    perfect = [made.cell(made.truth, model="p"), made.cell(made.truth, "sensor_noise", 2, model="p")]
    table = judge([*cells, *perfect], suite(NOISE, reference="p"))
    for kind, why in (("mce", "makes no errors"), ("relative_mce", "does not degrade")):
        found = one(table, kind, condition="all", model="m")
        assert (found["estimate"], found["status"]) == (None, "insufficient")
        assert found["warning"] == f"undefined: the reference model {why} under sensor_noise"


def test_a_ratio_to_what_the_reference_may_not_lose_is_called_unstable():
    made = Made(12)
    clean = made.answers(0.0)
    right, wrong = np.flatnonzero(clean == made.truth), np.flatnonzero(clean != made.truth)
    shaken = clean.copy()
    shaken[right[::15][:20]] = 4
    shaken[wrong[::7][:14]] = made.truth[wrong[::7][:14]]
    lost = (clean == made.truth).mean() - (shaken == made.truth).mean()
    assert lost == pytest.approx(6 / 480), "20 answers lost, 14 won: within what chance takes"
    cells = [made.cell(made.answers(0.0), model=name) for name in ("m", "r")]
    cells += [made.cell(made.answers(0.2), "sensor_noise", 2, model="m"),
              made.cell(shaken, "sensor_noise", 2, model="r")]  # fmt: skip
    table = judge(cells, suite(NOISE, reference="r"))
    told = one(table, "relative_mce", condition="all", model="m")["warning"]
    assert told.startswith("unstable: that the reference model errs is not sure under sensor_noise")
    assert one(table, "mce", condition="all", model="m")["warning"] is None
