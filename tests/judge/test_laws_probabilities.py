"""Laws of metrics of probabilities and votes, and for each some metric that it must not hold for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, logit

from bench.judge.kernels import total
from bench.judge.metrics import METRICS, of_label
from bench.judge.rows import Rows
from bench.judge.sums import Sums
from bench.judge.temporal import TEMPORAL
from tests.judge.made import LABELS
from tests.judge.test_laws import make_rows, take

K = len(LABELS)
ON_PROBABILITIES = (
    "ece", "brier", "nll", "aurc", "auroc", "cross_entropy", "soft_brier", "js", "crowd_agreement",
)  # fmt: skip


def value(name, rows, label=0):
    metric = METRICS[name]
    if metric.per_label:
        metric = of_label(metric, LABELS[label], label)
    found = metric.finish(total(Sums(rows, None, 0.0).statistics(metric.key)))
    return np.asarray(found)


def renamed(rows, order):
    """The same rows with label ``order[k]`` where k was: truth, decisions, probabilities and votes."""
    code, place = np.append(np.argsort(order), [K, -1]), list(order)
    votes = pa.array(list(rows.ballots[:, place]), mask=~rows.ballots.any(axis=1))
    return replace(
        rows,
        truth=code[rows.truth],
        decision=code[rows.decision],
        probabilities=tuple(rows.probabilities[k] for k in place),
        votes=pa.chunked_array([votes]),
    )


@pytest.mark.parametrize(
    "name", [name for name, m in METRICS.items() if m.key.kernel not in ("moments", *TEMPORAL)]
)
def test_the_order_of_labels_does_not_matter_but_to_metrics_of_one_label(name):
    rows, order = make_rows(), (2, 0, 3, 1)
    one, other = value(name, rows), value(name, renamed(rows, order))
    if METRICS[name].per_label:
        assert not np.allclose(one, other)
        own, moved = value(name, rows, order[1]), value(name, renamed(rows, order), 1)
        assert moved == pytest.approx(own, rel=1e-12)
    else:
        assert other == pytest.approx(one, rel=1e-12)


@pytest.mark.parametrize("name", ON_PROBABILITIES)
def test_rows_twice_are_rows_once(name):
    rows = make_rows()
    twice = take(rows, np.tile(np.arange(len(rows.truth)), 2))
    if name == "aurc":
        # Of n rows the first is kept alone, of 2 n two: the curve has a finer end, and only its limit stays.
        assert value(name, twice) != pytest.approx(value(name, rows), rel=1e-12)
        assert value(name, twice) == pytest.approx(value(name, rows), rel=1e-2)
    else:
        assert value(name, twice) == pytest.approx(value(name, rows), rel=1e-12)


def two_labels(p, truth):
    columns = tuple(pa.chunked_array([c]) for c in (p, 1 - p))
    return Rows(2, truth, np.where(p > 0.5, 0, 1), np.zeros(len(p), int), {}, probabilities=columns)


def test_auroc_sees_the_order_of_probabilities_alone_and_calibration_what_they_are():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 500)
    p = expit(rng.normal(0, 1.5, 500) + 0.5 - truth + 1e-4)
    rows, moved = two_labels(p, truth), two_labels(expit(logit(p) + 2), truth)
    assert value("auroc", moved) == pytest.approx(value("auroc", rows), rel=1e-12)
    for name in ("ece", "brier", "nll"):
        assert value(name, moved) > value(name, rows) + 0.05, name


def test_turning_a_score_round_turns_auroc_round():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 300)
    p = expit(rng.normal(0, 1, 300) + truth)
    rows = two_labels(p, truth)
    swapped = replace(rows, probabilities=rows.probabilities[::-1])
    assert value("auroc", rows) + value("auroc", swapped) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", ["brier", "nll", "cross_entropy", "soft_brier", "js"])
def test_proper_scores_are_best_at_the_truth(name):
    """Of all forecasts that are the same for each row, the shares themselves score best; ECE is no such score."""
    shares, n = np.array([0.5, 0.3, 0.2]), 100
    truth = np.repeat(np.arange(3), (shares * n).astype(int))
    votes = pa.chunked_array([pa.array([(shares * n).tolist()] * n)])

    def score(p):
        columns = tuple(pa.chunked_array([np.full(n, float(x))]) for x in p)
        decision = np.full(n, int(np.argmax(p)))
        return value(name, Rows(3, truth, decision, np.zeros(n, int), {}, probabilities=columns, votes=votes))

    best, rng = score(shares), np.random.default_rng(3)
    for _ in range(30):
        assert score(rng.dirichlet([2, 2, 2])) > best


def test_the_most_confident_class_alone_is_calibrated_without_being_right():
    """ECE is no proper score: certainty about the base rate has none, and knows nothing."""
    truth = np.repeat([0, 1], [60, 40])
    constant = two_labels(np.full(100, 0.6), truth)
    sharp = two_labels(np.where(truth == 0, 0.9, 0.1), truth)
    assert value("ece", constant) == pytest.approx(0, abs=1e-12)
    assert value("ece", sharp) == pytest.approx(0.1, abs=1e-12)
    assert value("brier", sharp) < value("brier", constant)


def test_only_sized_metrics_move_with_the_number_of_rows_and_say_so():
    """Under perfect calibration ECE is .16 at n = 50 and .04 at n = 1,000; Brier and AUROC stay (STATISTICS)."""
    rng = np.random.default_rng(4)

    def mean(name, n):
        found = []
        for _ in range(300):
            p = rng.dirichlet([1, 1, 1, 1, 1], n)
            truth = (rng.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1).clip(max=4)
            columns = tuple(pa.chunked_array([c]) for c in p.T)
            rows = Rows(5, truth, p.argmax(axis=1), np.zeros(n, int), {}, probabilities=columns)
            found.append(value(name, rows))
        return np.nanmean(found)

    assert mean("ece", 50) > 3 * mean("ece", 1000) > 0.06
    for name in ("brier", "nll", "auroc", "aurc"):
        assert mean(name, 50) == pytest.approx(mean(name, 1000), rel=0.05), name
    biased = {name for name, metric in METRICS.items() if metric.biased}
    assert biased == {"macro_f1", "weighted_f1", "precision", "mcc", "ece", "au_f1"}


@pytest.mark.parametrize("name", ON_PROBABILITIES)
def test_asked_for_by_name_alone(name):
    assert not METRICS[name].headline
