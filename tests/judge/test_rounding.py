"""Rounding: what is but rounding is nothing, in a variance, on a scale, in any unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import workflow
from bench.judge.atoms import Tally
from bench.judge.audit import audit
from bench.judge.gaps import gap
from bench.judge.infer import effective, linearised
from bench.judge.influence import influence
from bench.judge.metrics import METRICS
from bench.judge.spread import spread
from bench.question import Question
from tests.judge.made import LABELS, make_suite, make_targets, moment_sums
from tests.judge.tallies import ACCURACY, hit_tally


def run_of(folder, suite, targets, table):
    pq.write_table(pa.table(table), folder / "m.parquet")
    question = Question(suite, {"made": targets}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, {"m": folder / "m.parquet"}, {}, folder / "run")
    workflow.finish(run)
    return run


def test_one_cluster_has_no_variance_whatever_rounding_leaves():
    for trials in range(1, 60):
        for hits in range(trials + 1):
            tally = hit_tally(np.array([hits]), np.array([trials]), np.zeros(1, int))
            with np.errstate(divide="ignore", invalid="ignore"):
                theta, variance = linearised(np.array([hits]), np.array([trials]), tally)
            assert np.isnan(variance[0])
            if 0 < hits < trials:
                assert np.isnan(effective(theta, variance, np.array([trials]), np.array([1.0]))[0])


def test_the_audit_agrees_on_a_value_of_one_person(tmp_path: Path):
    """Of one person 15 of 22 are right, whose residual is rounding and not 0."""
    rows = [
        (f"s{p:02d}", "A" if p == 0 else "BC"[p % 2], k)
        for p in range(31)
        for k in range(22 if p == 0 else 10)
    ]
    columns = {"subject": [s for s, _, _ in rows], "group": [g for _, g, _ in rows]}
    columns["label"] = [LABELS[k % 4] for _, _, k in rows]
    targets = make_targets(columns, attributes_public=True)
    said = [LABELS[(k + (k > 14 if g == "A" else (k + int(s[1:])) % 3 == 0)) % 4] for s, g, k in rows]
    suite = make_suite(slices=("group",), metrics=("accuracy",))
    run = run_of(tmp_path, suite, targets, {"target": targets.table["target"], "predicted": said})
    (row,) = [
        row
        for row in pq.read_table(run.estimates).to_pylist()
        if (row["kind"], row["value"]) == ("value", "A")
    ]
    assert (row["estimate"], row["n_eff"], row["clusters"]) == (pytest.approx(15 / 22), None, 1)
    assert audit(run.path).agrees


def test_a_divergence_of_rounding_has_no_interval_and_the_audit_agrees(tmp_path: Path):
    """Probabilities equal to the votes: the Jensen-Shannon divergence is rounding, and its interval would be."""
    person = np.repeat(np.arange(30), 8)
    votes = np.random.default_rng(0).multinomial(7, [0.4, 0.3, 0.2, 0.1], len(person))
    columns = {
        "subject": [f"s{i:02d}" for i in person],
        "label": [LABELS[k] for k in votes.argmax(axis=1)],
        "votes": votes.astype(float).tolist(),
    }
    targets = make_targets(columns, attributes_public=True)
    shares = votes / votes.sum(axis=1, keepdims=True)
    table = {
        "target": targets.table["target"],
        **{f"p_{label}": shares[:, k] for k, label in enumerate(LABELS)},
    }
    run = run_of(tmp_path, make_suite(metrics=("js",)), targets, table)
    (row,) = [row for row in pq.read_table(run.estimates).to_pylist() if row["metric"] == "js"]
    assert abs(row["estimate"]) < 1e-12
    assert (row["low"], row["method"]) == (None, None)
    assert "bound of its range" in row["warning"]
    assert audit(run.path).agrees


def test_groups_whose_clusters_agree_keep_their_value_in_the_spread():
    rng, hits = np.random.default_rng(1), np.full((3, 25), 15)
    hits[1:] = np.clip(rng.normal(15, 6, (2, 25)).round(), 0, 22)
    tally = hit_tally(hits.ravel(), np.full(75, 22), np.repeat(np.arange(3), 25))
    found = influence(ACCURACY, tally)
    assert found.covariance[0, 0] == 0
    shrunk = spread(found.estimate, found.covariance)
    assert shrunk.shrunken[0] == found.estimate[0]


@pytest.mark.parametrize("name", ["rmse_valence", "mae_valence"])
def test_a_gap_of_errors_has_the_same_p_in_every_unit(name):
    p = []
    for unit in (1.0, 1e7, 1e-4):
        rng = np.random.default_rng(0)
        x = rng.normal(0, 1, (60, 10))
        y = x + rng.normal(0, 1, x.shape) * np.repeat([0.3, 0.33], 30)[:, None]
        stats = np.array([moment_sums(a * unit, b * unit) for a, b in zip(x, y, strict=True)])
        tally = Tally(stats, np.repeat([0, 1], 30), np.ones(60, int), 2, np.arange(60))
        p.append(gap(METRICS[name], tally, np.ones(2, bool), 1, 499).p)
    assert 0.01 < p[0] < 0.9
    assert p[1] == p[2] == p[0]
