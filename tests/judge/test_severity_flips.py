"""Flips along severities: how often a decision changes from one severity of a condition to the next."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import zero_one_loss

from bench.judge.score import judge
from tests.judge.conditions import Made, one, rows, suite
from tests.judge.made import LABELS, make_cell, make_suite, make_targets

STEEP = {"perturb": "low_light", "severities": (1, 3, 5), "where": "crop"}


def judged(decisions, made=None, conditions=(STEEP,), **fields):
    made = made or Made(5)
    cells = [made.cell(made.answers(0.0))]
    cells += [made.cell(found, "low_light", severity) for severity, found in decisions.items()]
    return judge(cells, suite(*conditions, **fields)), made


def flips(table, **names):
    return one(table, "stability", **{"metric": "severity_flips", **names})


def test_each_step_and_their_mean_are_shares_of_changed_decisions():
    made = Made(5)
    said = {severity: made.answers(loss) for severity, loss in ((1, 0.05), (3, 0.2), (5, 0.6))}
    said[3][::17] = 4  # none is a decision
    table, _ = judged(said, made)
    shares = [zero_one_loss(said[low], said[high]) for low, high in ((1, 3), (3, 5))]
    for (low, high), share in zip(((1, 3), (3, 5)), shares, strict=True):
        step = flips(table, severity=high)
        assert step["reference"] == f"severity {low}"
        assert step["estimate"] == pytest.approx(share, abs=1e-13)
        assert step["low"] < step["estimate"] < step["high"]
        assert (step["n"], step["clusters"]) == (len(made.truth), 60)
    mean = flips(table, severity=None)
    assert mean["reference"] == "the severity before"
    assert mean["estimate"] == pytest.approx(np.mean(shares), abs=1e-13)
    assert mean["low"] < mean["estimate"] < mean["high"]
    assert len(rows(table, "stability", metric="severity_flips", slice=None)) == 3
    women = flips(table, severity=5, slice="sex", value="female")
    assert women["estimate"] == pytest.approx(
        zero_one_loss(said[3][made.female], said[5][made.female]), abs=1e-13
    )


def test_the_interval_is_that_of_the_same_share_as_accuracy_of_other_truth():
    """Flips of 0/1 answers are the error rate of one severity held against the other as its truth."""
    table, made = judged({s: Made(5).answers(loss) for s, loss in ((1, 0.1), (3, 0.3), (5, 0.5))})
    low, high = made.answers(0.1), made.answers(0.3)
    columns = made.targets.table
    targets = make_targets(
        {"subject": columns["subject"], "label": [LABELS[k] for k in low], "sex": columns["sex"]}
    )
    cell = make_cell(targets, {"predicted": [LABELS[k] for k in high]})
    (value,) = [
        r for r in judge([cell], make_suite(metrics=("accuracy",))).to_pylist() if r["kind"] == "value"
    ]
    step = flips(table, severity=3)
    assert [step["low"], step["high"]] == pytest.approx([1 - value["high"], 1 - value["low"]], abs=1e-12)
    assert step["n_eff"] == pytest.approx(value["n_eff"], rel=1e-9)


def test_one_severity_has_no_step_and_the_order_of_cells_does_not_matter():
    made = Made(6)
    dark = {"perturb": "low_light", "severities": (2,), "where": "crop"}
    table, _ = judged({2: made.answers(0.3)}, made, (dark,))
    assert rows(table, "stability", metric="severity_flips") == []
    said = {severity: made.answers(severity / 10) for severity in (5, 1, 3)}
    turned, ordered = judged(said, made)[0], judged(dict(sorted(said.items())), made)[0]
    assert turned.equals(ordered)


def test_a_model_of_no_decisions_has_none():
    made = Made(7)
    table, _ = judged({s: made.answers(0.1) for s in (1, 3, 5)}, made, metrics=("ccc_valence",))
    assert rows(table, "stability") == []


def test_rows_that_one_severity_could_not_decode_are_in_no_step_of_it():
    made = Made(8)
    answers = made.answers(0.2)
    cells = [made.cell(answers)]
    for severity in (1, 3, 5):
        cell = made.cell(made.answers(severity / 10), "low_light", severity)
        if severity == 3:
            table = cell.predictions
            status = ["decode_error" if i % 9 == 0 else "ok" for i in range(len(answers))]
            words = [None if i % 9 == 0 else w for i, w in enumerate(table["predicted"].to_pylist())]
            table = table.set_column(1, "status", pa.array(status)).set_column(
                2, "predicted", pa.array(words)
            )
            cell = type(cell)(**{**vars(cell), "predictions": table})
        cells.append(cell)
    table = judge(cells, suite(STEEP))
    kept = np.arange(len(answers)) % 9 != 0
    steps = [made.answers(s / 10)[kept] for s in (1, 3, 5)]
    shares = [zero_one_loss(a, b) for a, b in pairwise(steps)]
    assert flips(table, severity=3)["n"] == kept.sum()
    assert flips(table, severity=None)["estimate"] == pytest.approx(np.mean(shares), abs=1e-13)
    assert "decode errors on one side alone" in flips(table, severity=3)["warning"]


def test_a_withheld_value_has_no_flips():
    made = Made(9, persons=12, clips=8)
    table, _ = judged({s: made.answers(s / 10) for s in (1, 3, 5)}, made, slice_rule={"suppress_below": 7})
    found = rows(table, "stability", metric="severity_flips", slice="sex")
    assert len(found) == 6
    assert {(r["status"], r["estimate"], r["n"]) for r in found} == {("suppressed", None, None)}


def test_planted_flips_are_covered():
    """At a true share of .2 a step, intervals cover it as often as they say."""
    covered, trials = 0, 60
    for seed in range(trials):
        made = Made(seed, persons=40)
        rng = np.random.default_rng(1000 + seed)
        low = made.answers(0.0)
        flip = rng.random(len(low)) < 0.2
        high = np.where(flip, (low + 1) % 4, low)
        table, _ = judged({1: low, 3: high, 5: high}, made)
        step = flips(table, severity=3)
        covered += step["low"] <= 0.2 <= step["high"]
        assert flips(table, severity=5)["estimate"] == 0.0
    assert covered >= 52  # 95 % of 60 is 57; below 52 in one of 300
