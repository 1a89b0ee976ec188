"""Laws that hold for every metric of METRICS, by table; and one that must not hold for all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bench.judge.action_units import of_units
from bench.judge.atoms import combine, gather, stratify
from bench.judge.infer import infer
from bench.judge.kernels import total
from bench.judge.metrics import METRICS, expand
from bench.judge.request import asked
from bench.judge.rows import OUTCOMES, UNDECIDED, Rows
from bench.judge.sums import Sums
from bench.judge.temporal import TEMPORAL
from tests.judge.coded import coded_rows, perfect_units, take_units, with_units
from tests.judge.followed import take_sequences, with_sequences
from tests.judge.made import LABELS, make_suite, make_targets

ALL = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
# Answers are changed row by row; what that does to sequences is in test_temporal.
ROW_BY_ROW = pytest.mark.parametrize(
    "metric", [m for m in METRICS.values() if m.key.kernel not in TEMPORAL], ids=lambda m: m.name
)
RNG = np.random.default_rng(2)
N, CLUSTERS, K = 600, 30, len(LABELS)
CLUSTER = RNG.integers(0, CLUSTERS, N)
GROUP, LIGHT = CLUSTER % 3, RNG.integers(0, 2, N)


def make_rows(seed=4, count=N):
    rng = np.random.default_rng(seed)
    outcome = rng.choice(OUTCOMES, count, p=[0.7, 0.06, 0.06, 0.06, 0.06, 0.06])
    truth = rng.integers(-1, K, count)
    decision = np.where(
        outcome == 0, np.where(rng.random(count) < 0.6, truth % K, rng.integers(0, K, count)), K
    )
    x = rng.uniform(-1, 1, count)
    x[::40] = 0.0
    y = np.where(outcome == 0, 0.5 * x + 0.1 + rng.normal(0, 0.3, count), np.nan)
    affect = dict.fromkeys(("valence", "arousal", "dominance"), (x, y))
    favour = 1.5 * np.eye(K + 1)[decision][:, :K]
    votes = rng.multinomial(10, [0.4, 0.3, 0.2, 0.1], count) + 5 * np.eye(K, dtype=int)[truth]
    rows = Rows(
        K, truth, decision, outcome, affect,
        probabilities=shares(np.exp(favour + rng.normal(0, 1, (count, K))), outcome),
        votes=pa.chunked_array([pa.array(list(votes.astype(float)), mask=rng.random(count) < 0.05)]),
        lost=rng.choice(5, count, p=[0.8, 0.05, 0.05, 0.05, 0.05]),
    )  # fmt: skip
    return with_units(with_sequences(rows))


def shares(parts, outcome):
    """Probabilities as columns, null where there is no output."""
    parts = parts / parts.sum(axis=1, keepdims=True)
    return tuple(pa.chunked_array([pa.array(column, mask=outcome > UNDECIDED)]) for column in parts.T)


def take(rows, index):
    return replace(
        rows,
        truth=rows.truth[index],
        decision=rows.decision[index],
        outcome=rows.outcome[index],
        affect={name: (x[index], y[index]) for name, (x, y) in rows.affect.items()},
        probabilities=tuple(column.take(pa.array(index)) for column in rows.probabilities),
        votes=rows.votes.take(pa.array(index)),
        sequences=take_sequences(rows, index),
        action_units=take_units(rows, index),
        lost=rows.lost[index],
    )


def statistics(metric, rows):
    return Sums(rows, None, 0.0).statistics(metric.key)


def tally(metric, rows, cluster, *attributes, by=()):
    """The tally of a slice by some attributes, over atoms of all attributes."""
    strata = stratify(cluster, attributes)
    of_stratum, first = combine([b[strata.first] for b in by] or [np.zeros(len(strata), int)])
    return gather(statistics(metric, rows), strata).tally(of_stratum, len(first))


@ALL
def test_kernels_add(metric):
    rows = make_rows()
    parts = [total(statistics(metric, take(rows, part))) for part in np.array_split(np.arange(N), 3)]
    assert sum(parts) == pytest.approx(total(statistics(metric, rows)), rel=1e-12)


@ALL
def test_atoms_and_slices_sum_to_the_whole(metric):
    rows = make_rows()
    whole = total(statistics(metric, rows))
    for by in ((), (GROUP,), (LIGHT,), (GROUP, LIGHT)):
        for cluster in (CLUSTER, np.arange(N)):
            sums = tally(metric, rows, cluster, GROUP, LIGHT, by=by).total
            assert sums.sum(axis=0) == pytest.approx(whole, rel=1e-12)
            assert sums.dtype == whole.dtype


@ALL
def test_row_order_does_not_matter(metric):
    rows, order = make_rows(), np.random.default_rng(9).permutation(N)
    one, other = total(statistics(metric, rows)), total(statistics(metric, take(rows, order)))
    assert metric.finish(other) == pytest.approx(metric.finish(one), rel=1e-12, nan_ok=True)


@ALL
def test_weights_are_repetition_of_clusters(metric):
    rows, weight = make_rows(), np.random.default_rng(8).integers(0, 4, CLUSTERS)
    once = tally(metric, rows, CLUSTER)
    assert len(once.stats) == CLUSTERS
    weighted = np.tensordot(weight, once.stats, axes=1)
    repeated = total(statistics(metric, take(rows, np.repeat(np.arange(N), weight[CLUSTER]))))
    assert weighted == pytest.approx(repeated, rel=1e-12)


@ALL
def test_multiplicity_is_repetition_of_equal_clusters(metric):
    """Intervals too: an entry that stands for three clusters weighs as three entries."""
    metrics = expand([metric.name], LABELS)
    once = tally(metric, make_rows(), CLUSTER, by=(GROUP,))
    times = np.random.default_rng(1).integers(1, 4, len(once.value))
    heavy = type(once)(once.stats, once.value, times, once.values)
    index = np.repeat(np.arange(len(once.value)), times)
    long = type(once)(once.stats[index], once.value[index], np.ones(len(index), int), once.values)
    for each in metrics:
        a, b = infer(each, heavy, 0.95), infer(each, long, 0.95)
        for name in ("estimate", "low", "high", "df", "n_eff", "n", "clusters"):
            assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-9, nan_ok=True)
        assert np.isfinite(a.low).all()


@ALL
def test_range_and_interval_hold_the_value(metric):
    low, high = metric.range
    for seed in range(5):
        for each in expand([metric.name], LABELS):
            found = infer(each, tally(metric, make_rows(seed), CLUSTER, by=(GROUP,)), 0.95)
            assert ((found.estimate >= low) & (found.estimate <= high)).all()
            assert ((found.low < found.estimate) & (found.estimate < found.high)).all()
            assert ((found.low >= low) & (found.high <= high)).all()


@ALL
def test_empty_is_nan_and_leading_axes_broadcast(metric):
    whole = total(statistics(metric, make_rows()))
    empty = np.zeros_like(whole)
    assert np.isnan(metric.finish(empty)).all()
    both = metric.finish(np.stack([[whole, empty], [empty, whole]]))
    assert both[0, 0] == pytest.approx(metric.finish(whole), rel=1e-12)
    assert both[1, 1] == pytest.approx(metric.finish(whole), rel=1e-12)
    assert np.isnan(both[0, 1]).all()


@ROW_BY_ROW
def test_the_better_prediction_scores_better(metric):
    rows = make_rows()
    clean = np.where((rows.outcome == 0) & (rows.truth >= 0), rows.truth, rows.decision)
    sure = rows.ballots + 1e-3 if metric.key.column == "votes" else np.eye(K + 1)[clean][:, :K] + 1e-3
    perfect = replace(
        rows,
        decision=clean,
        affect={n: (x, np.where(np.isnan(y), y, x)) for n, (x, y) in rows.affect.items()},
        probabilities=shares(sure, rows.outcome),
        action_units=perfect_units(rows),
    )
    if metric.name == "coverage":
        perfect = replace(rows, decision=clean, outcome=np.where(rows.outcome == 5, 5, 0))
    if metric.key.kernel == "stages":
        perfect = replace(rows, decision=clean, outcome=np.zeros(N, int), lost=np.zeros(N, int))
    before, after = (metric.finish(total(statistics(metric, r))) for r in (rows, perfect))
    if metric.of_labels:
        assert (after == before).all()
    elif metric.direction == "neither":
        # As many rows are decided as before: what one class gains, another loses.
        assert (after > before).any()
        assert (after < before).any()
        assert after.sum() == pytest.approx(before.sum(), rel=1e-12)
    elif metric.direction == "zero":
        assert abs(after) < abs(before)
    else:
        assert (after > before if metric.direction == "higher" else after < before).all()


MISSES_LOWER = {
    "accuracy", "uar", "macro_f1", "weighted_f1", "recall", "selection_rate", "kappa", "mcc", "coverage",
    "crowd_agreement", "au_f1", "funnel_predicted", "funnel_right",
}  # fmt: skip
# Steps before an output: that there is none changes nothing of them.
BEFORE_OUTPUT = {
    "funnel_decoded", "funnel_face", "funnel_right_face", "funnel_followed", "funnel_aligned",
}  # fmt: skip


@ROW_BY_ROW
def test_a_miss_never_helps_label_metrics_but_covered_metrics_ignore_it(metric):
    """The law, and its negation for the metrics outside it, so that the table cannot rot."""
    rows = make_rows()
    hit = np.flatnonzero((rows.outcome == 0) & (rows.decision == rows.truth))[::7]
    missed = np.isin(np.arange(N), hit)
    failing = replace(
        rows,
        decision=np.where(missed, K, rows.decision),
        outcome=np.where(missed, 3, rows.outcome),
        affect={name: (x, np.where(missed, np.nan, y)) for name, (x, y) in rows.affect.items()},
    )
    before, after = (total(statistics(metric, r)) for r in (rows, failing))
    if metric.name in MISSES_LOWER:
        assert (metric.finish(after) < metric.finish(before)).all()
        assert metric.count(after) == pytest.approx(metric.count(before))
    elif metric.name == "precision":
        assert (metric.finish(after) < metric.finish(before)).all()
        assert (metric.count(before) - metric.count(after)).sum() == len(hit)
    elif metric.name == "false_positive_rate" or metric.name in BEFORE_OUTPUT:
        assert metric.finish(after) == pytest.approx(metric.finish(before), abs=0)
    elif of_units(metric.key):
        hits, misses = take(rows, hit), take(failing, hit)
        assert (coded_rows(misses), coded_rows(misses, covered=True)) == (coded_rows(hits), 0)
        assert metric.count(before) - metric.count(after) == coded_rows(hits, covered=True)
    elif metric.misses == "left out":
        with_truth = rows.ballots.any(axis=1)[hit] if metric.key.column == "votes" else hit >= 0
        assert metric.count(after) == metric.count(before) - np.count_nonzero(with_truth)
    else:
        assert metric.count(after) == metric.count(before)
        moved = metric.finish(after) != pytest.approx(metric.finish(before), abs=1e-9)
        assert moved == (not metric.of_labels)


# What a miss in place of a wrong answer does; only the first are safe to read without coverage beside them.
UNMOVED = {"accuracy", "uar", "recall", "label_agreement", "funnel_right", *BEFORE_OUTPUT}
RAISED = {"macro_f1", "weighted_f1", "precision", "kappa", "mcc", "auroc", "ece", "au_auroc", "au_icc"}
LOWERED = {
    "false_positive_rate", "selection_rate", "coverage", "brier", "nll", "aurc", "cross_entropy",
    "soft_brier", "js", "crowd_agreement", "au_f1", "funnel_predicted",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [name for name, m in METRICS.items() if m.key.kernel not in ("moments", *TEMPORAL)]
)
def test_a_miss_in_place_of_a_wrong_answer_is_no_gain_for_some_and_a_gain_for_others(name):
    metric, rows = METRICS[name], make_rows()
    wrong = (rows.truth >= 0) & (rows.outcome == 0) & (rows.decision != rows.truth)
    shy = replace(rows, decision=np.where(wrong, K, rows.decision), outcome=np.where(wrong, 3, rows.outcome))
    before, after = (metric.finish(total(statistics(metric, r))) for r in (rows, shy))
    verdict = {"unmoved": after == before, "raised": after > before, "lowered": after < before}
    expected = {"unmoved": name in UNMOVED, "raised": name in RAISED, "lowered": name in LOWERED}
    assert {word: bool(np.all(found)) for word, found in verdict.items()} == expected


def test_swapping_truth_and_prediction_swaps_recall_with_precision_and_the_sign_of_bias():
    rows = make_rows()
    kept = take(rows, np.flatnonzero((rows.outcome == 0) & (rows.truth >= 0)))
    affect = {name: (y, x) for name, (x, y) in kept.affect.items()}
    swapped = Rows(K, kept.decision, kept.truth, kept.outcome, affect)

    def value(name, of):
        return METRICS[name].finish(total(statistics(METRICS[name], of)))

    assert value("precision", kept) == pytest.approx(value("recall", swapped), rel=1e-12)
    assert value("bias_valence", kept) == pytest.approx(-value("bias_valence", swapped), rel=1e-12)


def test_swapping_truth_and_decision_leaves_accuracy_and_ccc_but_not_uar():
    rows = make_rows()
    kept = take(rows, np.flatnonzero((rows.outcome == 0) & (rows.truth >= 0)))
    swapped = Rows(
        K, kept.decision, kept.truth, kept.outcome, {n: (y, x) for n, (x, y) in kept.affect.items()}
    )
    for name, symmetric in (
        ("accuracy", True),
        ("macro_f1", True),
        ("kappa", True),
        ("mcc", True),
        ("ccc_valence", True),
        ("mae_valence", True),
        ("sagr_valence", True),
        ("uar", False),
        ("weighted_f1", False),
        ("recall", False),
        ("precision", False),
        ("false_positive_rate", False),
        ("selection_rate", False),
        ("bias_valence", False),
    ):
        one, other = (METRICS[name].finish(total(statistics(METRICS[name], r))) for r in (kept, swapped))
        assert np.allclose(one, other, rtol=1e-12) == symmetric, name


def test_a_suite_without_metrics_gets_the_headline_ones_alone():
    affect = [f"{m}_{of}{end}" for of in ("valence", "arousal", "dominance") for end in ("", "_covered")
              for m in ("ccc", "pcc", "rmse")]  # fmt: skip
    headline = [name for name, metric in METRICS.items() if metric.headline]
    assert headline == ["accuracy", "uar", "macro_f1", "recall", "coverage", *affect]
    columns = {"subject": list("ab"), "label": ["fear", "sadness"], "arousal": [0.1, 0.2]}
    names = [metric.name for metric in asked(make_suite(), make_targets(columns))]
    recalls = [f"recall/{label}" for label in LABELS]
    arousal = [name for name in affect if "arousal" in name]
    assert names == ["accuracy", "uar", "macro_f1", *recalls, "coverage", *arousal]
    named = asked(make_suite(metrics=("precision", "selection_rate/fear", "kappa")), make_targets(columns))
    precisions = [f"precision/{label}" for label in LABELS]
    assert [metric.name for metric in named] == [*precisions, "selection_rate/fear", "kappa"]


@ALL
def test_every_metric_says_its_formula(metric):
    assert metric.about.strip()
    assert metric.name.islower()


def test_dense_and_sorted_combinations_agree():
    rng = np.random.default_rng(0)
    small, wide = rng.integers(0, 5, 200), rng.integers(0, 7, 200)
    dense, sorted_ = combine([small, wide]), combine([small, wide * 10**6])
    for one, other in zip(dense, sorted_, strict=True):
        assert np.array_equal(one, other)
    huge = combine([small * 2**40, wide * 2**40])
    assert np.array_equal(huge[0], dense[0])
