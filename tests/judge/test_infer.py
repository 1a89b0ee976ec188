"""Intervals against hand computations, brute force over rows, and simulated truth."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from bench.judge.atoms import Tally
from bench.judge.infer import (
    clopper_pearson,
    design_effect,
    effective,
    freedom,
    infer,
    linearised,
    wilson,
)
from bench.judge.metrics import METRICS
from bench.judge.score import judge
from tests.judge.made import (
    LABELS,
    frame,
    judged,
    known,
    make_cell,
    make_suite,
    make_targets,
    random_cell,
    row,
)

Z = NormalDist().inv_cdf(0.975)


def accuracy_tally(hits, trials):
    """One slice value, one cluster an entry, as a 1 x 2 confusion: hit or miss."""
    hits, trials = np.asarray(hits), np.asarray(trials)
    stats_ = np.stack([hits, trials - hits], axis=-1)[:, None, :]
    return Tally(stats_, np.zeros(len(hits), int), np.ones(len(hits), int), 1)


def test_wilson_by_hand():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81/263 gives .2553, .3662; 15/148 gives .0624, .1605.
    for hits, n, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        assert wilson(np.array([hits / n]), np.array([n]), 0.95) == (
            pytest.approx(low, abs=5e-5),
            pytest.approx(high, abs=5e-5),
        )


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (1, 29), (15, 148), (148, 148)])
def test_clopper_pearson_equals_scipy(hits, n):
    expected = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
    low, high = clopper_pearson(np.array([hits / n]), np.array([n]), 0.95)
    assert (low[0], high[0]) == (
        pytest.approx(expected.low, abs=1e-12),
        pytest.approx(expected.high, abs=1e-12),
    )


def test_ratio_variance_by_hand():
    # theta = 6/10; e = 3-2.4, 1-1.8, 2-1.8 = .6, -.8, .2; V = 3/2 * 1.04 / 100
    tally = accuracy_tally([3, 1, 2], [4, 3, 3])
    theta, variance = linearised(np.array([3.0, 1, 2]), np.array([4.0, 3, 3]), tally)
    assert theta[0] == pytest.approx(0.6, abs=1e-15)
    assert variance[0] == pytest.approx(0.0156, abs=1e-15)
    assert design_effect(theta, variance, np.array([10.0]))[0] == pytest.approx(0.0156 / 0.024, abs=1e-12)
    assert effective(theta, variance, np.array([10.0]), np.array([3.0]))[0] == 10.0


def test_design_effect_of_identical_rows_is_the_cluster_size():
    hits = np.array([7.0] * 12 + [0.0] * 8)
    p, variance = linearised(hits, np.full(20, 7.0), accuracy_tally(hits, np.full(20, 7)))
    assert design_effect(p, variance, np.array([140.0]))[0] == pytest.approx(7 * 20 / 19, abs=1e-12)
    assert effective(p, variance, np.array([140.0]), np.array([20.0]))[0] == pytest.approx(19, abs=1e-12)


@pytest.mark.parametrize("hits", [[8, 9, 3, 7, 6, 9, 2, 8], [1, 0, 0, 1, 0, 0, 0, 1]])
def test_proportion_interval_by_hand(hits):
    sizes = [10, 11, 9, 10, 10, 12, 8, 10]
    found = infer(METRICS["accuracy"], accuracy_tally(hits, sizes), 0.95)
    n, groups = sum(sizes), len(sizes)
    p = sum(hits) / n
    variance = groups / (groups - 1) * sum((a - p * b) ** 2 for a, b in zip(hits, sizes, strict=True)) / n**2
    n_eff = min(n, p * (1 - p) / variance)
    shrunk = n_eff * (Z / stats.t.ppf(0.975, groups - 1)) ** 2
    if p >= 0.1:
        middle, half = p + Z**2 / (2 * shrunk), Z * math.sqrt(p * (1 - p) / shrunk + Z**2 / (4 * shrunk**2))
        low, high, name = (
            (middle - half) / (1 + Z**2 / shrunk),
            (middle + half) / (1 + Z**2 / shrunk),
            "wilson",
        )
    else:
        low = stats.beta.ppf(0.025, p * shrunk, shrunk - p * shrunk + 1)
        high = stats.beta.ppf(0.975, p * shrunk + 1, shrunk - p * shrunk)
        name = "clopper-pearson"
    assert found.low[0] == pytest.approx(low, abs=1e-12)
    assert found.high[0] == pytest.approx(high, abs=1e-12)
    assert (found.n_eff[0], found.df[0]) == (pytest.approx(n_eff, abs=1e-9), groups - 1)
    assert found.method == (f"{name}-clustered",)


@pytest.mark.parametrize(
    ("hits", "low", "high"), [(0, 0.0, 1 - 0.025 ** (1 / 12)), (6, 0.025 ** (1 / 12), 1.0)]
)
def test_certain_proportions_rest_on_the_number_of_clusters(hits, low, high):
    found = infer(METRICS["accuracy"], accuracy_tally([hits] * 12, [6] * 12), 0.95)
    assert (found.low[0], found.high[0]) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert found.n_eff[0] == 12


def brute_force(rows, cluster, value, scale):
    """theta, its jackknife interval and degrees of freedom, recomputed from rows without each cluster."""
    forward, back = scale
    names = np.unique(cluster)
    every = {name: np.array(column) for name, column in rows.items()}
    theta = value(every)
    left = [forward(value({n: c[cluster != name] for n, c in every.items()})) for name in names]
    groups = len(names)
    se = math.sqrt((groups - 1) / groups * sum((v - np.mean(left)) ** 2 for v in left))
    df = groups - 1.0
    if scale in (ATANH, LOG):
        df /= 1 + (groups - 1) / (2 * groups) * max(stats.kurtosis(left, bias=False), 0.0)
    half = stats.t.ppf(0.975, df) * se
    return theta, back(forward(theta) - half), back(forward(theta) + half), df


LOGIT = (lambda p: math.log(p / (1 - p)), lambda v: 1 / (1 + math.exp(-v)))
ATANH, LOG, PLAIN = (math.atanh, math.tanh), (math.log, math.exp), (float, float)


def uar_rows(r):
    return np.mean([(r["y"][r["x"] == label] == label).mean() for label in np.unique(r["x"])])


def f1_rows(r):
    def one(label):
        return (
            2
            * ((r["x"] == label) & (r["y"] == label)).sum()
            / ((r["x"] == label).sum() + (r["y"] == label).sum())
        )

    return np.mean([one(label) for label in np.unique(r["x"])])


def ccc_rows(r):
    return (
        2
        * np.cov(r["x"], r["y"], ddof=0)[0, 1]
        / (r["x"].var() + r["y"].var() + (r["x"].mean() - r["y"].mean()) ** 2)
    )


def kappa_rows(r):
    expected = sum((r["x"] == label).mean() * (r["y"] == label).mean() for label in LABELS)
    return ((r["x"] == r["y"]).mean() - expected) / (1 - expected)


@pytest.mark.parametrize("clusters", [12, 400])
@pytest.mark.parametrize(
    ("metric", "value", "scale", "method"),
    [
        ("kappa", kappa_rows, ATANH, "jackknife-atanh"),
        ("mae_valence", lambda r: abs(r["x"] - r["y"]).mean(), LOG, "jackknife-log"),
        ("bias_valence", lambda r: (r["y"] - r["x"]).mean(), PLAIN, "jackknife"),
        ("bias_valence_covered", lambda r: (r["y"] - r["x"]).mean(), PLAIN, "jackknife"),
        ("sagr_valence", lambda r: (r["x"] * r["y"] > 0).mean(), LOGIT, "jackknife-logit"),
        ("uar", uar_rows, LOGIT, "jackknife-logit"),
        ("macro_f1", f1_rows, LOGIT, "jackknife-logit"),
        ("ccc_valence", ccc_rows, ATANH, "jackknife-atanh"),
        ("pcc_valence_covered", lambda r: np.corrcoef(r["x"], r["y"])[0, 1], ATANH, "jackknife-atanh"),
        ("rmse_valence", lambda r: np.sqrt(((r["x"] - r["y"]) ** 2).mean()), LOG, "jackknife-log"),
    ],
)
@pytest.mark.parametrize("unit", ["person", "clip"])
def test_jackknife_equals_brute_force_over_rows(metric, value, scale, method, clusters, unit):
    cell = random_cell(seed=5, rows=400, clusters=clusters, cluster_unit=unit)
    rows = frame(cell)
    truth, guess = ("label", "decision") if "valence" not in metric else ("valence", "guess")
    keep = judged(rows, truth)
    if metric.endswith("covered"):
        keep &= known(rows[guess])
    fill = "none" if guess == "decision" else 0.0
    x = np.array(list(rows[truth][keep]))
    y = np.array([fill if v is None else v for v in rows[guess][keep]])
    cluster = rows["subject" if unit == "person" else "target"][keep]
    theta, low, high, df = brute_force({"x": x, "y": y}, cluster, value, scale)
    found = row(judge([cell], make_suite(metrics=(metric,))), metric=metric)
    assert found["estimate"] == pytest.approx(theta, abs=1e-12)
    assert (found["low"], found["high"]) == (pytest.approx(low, abs=1e-10), pytest.approx(high, abs=1e-10))
    assert (found["df"], found["method"]) == (pytest.approx(df, rel=1e-8), method)
    assert found["n_eff"] is None


def test_collapsed_clusters_give_the_interval_of_single_rows():
    """Every row its own cluster: n / (n - 1) of the binomial variance, whatever was collapsed."""
    cell = random_cell(seed=6, rows=900, clusters=900, cluster_unit="clip")
    found = row(judge([cell], make_suite(metrics=("accuracy",))), metric="accuracy")
    n, p = found["n"], found["estimate"]
    assert found["n_eff"] == pytest.approx(n - 1, abs=1e-6)
    shrunk = (n - 1) * (Z / stats.t.ppf(0.975, n - 1)) ** 2
    low, high = wilson(np.array([p]), np.array([shrunk]), 0.95)
    assert (found["low"], found["high"]) == (
        pytest.approx(low[0], abs=1e-12),
        pytest.approx(high[0], abs=1e-12),
    )
    assert found["clusters"] == n


def test_level_widens_the_interval():
    cell = random_cell(seed=7, rows=500, clusters=25)
    widths = []
    for level in (0.8, 0.95, 0.99):
        found = row(judge([cell], make_suite(metrics=("uar",), level=level)), metric="uar")
        widths.append(found["high"] - found["low"])
        assert found["level"] == level
    assert widths == sorted(widths)


SIX = [f"s{i}" for i in range(6) for _ in range(4)]
NOISE = list(np.random.default_rng(0).uniform(-0.5, 0.5, 24))


@pytest.mark.parametrize(
    ("subjects", "labels", "decisions", "metric", "reason"),
    [
        (SIX[:16], LABELS * 4, LABELS * 4, "accuracy", "no interval: fewer than 5 clusters"),
        (SIX, LABELS * 6, LABELS * 6, "uar", "on the bound of its range"),
        (
            SIX, ["fear", *["sadness", "happiness"] * 11, "sadness"], ["fear", *["sadness"] * 23], "uar",
            "one class has rows in a single cluster",
        ),
        (SIX, [None] * 23 + ["fear"], ["fear"] * 24, "recall/sadness", "undefined: no rows"),
    ],
)  # fmt: skip
def test_no_interval_without_a_stated_reason(subjects, labels, decisions, metric, reason):
    targets = make_targets({"subject": subjects, "label": list(labels)})
    found = row(judge([make_cell(targets, {"predicted": list(decisions)})], make_suite()), metric=metric)
    assert found["low"] is found["high"] is found["method"] is found["df"] is found["side"] is None
    assert reason in found["warning"]


@pytest.mark.parametrize(
    ("guess", "estimate", "reason"),
    [
        ([0.3] * 24, None, "undefined: no rows, or truth or predictions are constant"),
        ([0.3] * 20 + [0.1, 0.2, 0.4, 0.5], "some", "without one cluster the value is undefined"),
    ],
)
def test_constant_predictions_have_no_ccc(guess, estimate, reason):
    targets = make_targets({"subject": SIX, "valence": NOISE}, labels=(), label_space="")
    found = row(judge([make_cell(targets, {"valence": guess})], make_suite()), metric="ccc_valence")
    assert (found["estimate"] is None) == (estimate is None)
    assert found["low"] is None
    assert reason in found["warning"]


@pytest.mark.parametrize("constant", [0.1, 0.3, 0.7, -0.35])
@pytest.mark.parametrize("rows", [24, 1000, 10007])
def test_rounding_does_not_make_a_constant_vary(constant, rows):
    subjects = [f"s{i % 8}" for i in range(rows)]
    truth = np.random.default_rng(rows).uniform(-1, 1, rows)
    targets = make_targets({"subject": subjects, "valence": truth}, labels=(), label_space="")
    table = judge([make_cell(targets, {"valence": np.full(rows, constant)})], make_suite())
    assert (
        row(table, metric="ccc_valence")["estimate"] is row(table, metric="pcc_valence")["estimate"] is None
    )
    small = make_cell(targets, {"valence": constant + 1e-4 * truth})
    found = row(judge([small], make_suite()), metric="pcc_valence")
    assert found["estimate"] == pytest.approx(1, abs=1e-6)


def test_clustered_interval_covers_where_the_naive_one_does_not():
    """20 persons, 15 clips each, rate .7, intra-class correlation .2 (beta-binomial), 400 trials."""
    rng = np.random.default_rng(11)
    persons, clips, trials, rate, icc = 20, 15, 400, 0.7, 0.2
    spread = (1 - icc) / icc
    hits = rng.binomial(clips, rng.beta(rate * spread, (1 - rate) * spread, (trials, persons)))
    tally = Tally(
        np.stack([hits, clips - hits], axis=-1).reshape(-1, 1, 2),
        np.repeat(np.arange(trials), persons), np.ones(trials * persons, int), trials,
    )  # fmt: skip
    found = infer(METRICS["accuracy"], tally, 0.95)
    naive = wilson(found.estimate, np.full(trials, persons * clips), 0.95)
    clustered = np.mean((found.low <= rate) & (rate <= found.high))
    assert clustered >= 0.92
    assert np.mean((naive[0] <= rate) & (rate <= naive[1])) < 0.8


@pytest.mark.parametrize("far", [1.0, 3.0, 30.0])
def test_freedom_is_that_of_the_unbiased_kurtosis_of_scipy(far):
    values = np.random.default_rng(1).uniform(-1, 1, 24)
    values[0] = 0.9 * far
    values -= values.mean()
    excess = max(stats.kurtosis(values, bias=False), 0.0)
    found = freedom(*(np.array([(values**k).sum()]) for k in (2, 4)), np.array([24.0]))
    assert found == pytest.approx(23 / (1 + 23 / 48 * excess), rel=1e-12)
    assert (found == 23) == (far == 1)


def test_freedom_is_that_of_the_variances_of_many_samples():
    # chi-square on df degrees has the variance 2 / df of its mean: of s^2 / sigma^2 that is Var(s^2) / sigma^4.
    samples = np.random.default_rng(2).laplace(size=(100_000, 60))
    variances = samples.var(axis=1, ddof=1)
    apart = samples - samples.mean(axis=1, keepdims=True)
    found = freedom((apart**2).sum(axis=1), (apart**4).sum(axis=1), np.full(len(samples), 60.0))
    # Var(s^2) / sigma^4 = 2 / (n - 1) + 3 / n, for the excess kurtosis of Laplace's distribution is 3.
    assert 2 / (variances.var() / variances.mean() ** 2) == pytest.approx(2 / (2 / 59 + 3 / 60), rel=0.03)
    # What a sample of 60 knows of its kurtosis is less than there is, and never more than n - 1 comes out.
    assert 2 / (2 / 59 + 3 / 60) < np.median(found) < 35
    assert found.max() == 59


def test_two_or_three_residuals_have_no_kurtosis():
    assert freedom(np.array([2.0, 0.0]), np.array([2.0, 0.0]), np.array([3.0, 9.0])).tolist() == [2, 8]


def test_clusters_that_agree_have_no_heavy_tails_of_rounding():
    trials = 11 * np.array([1, 2, 1, 3, 1, 2, 5, 1, 1, 4, 1, 1, 1, 2, 1, 1, 3, 1, 1, 2])
    found = infer(METRICS["accuracy"], accuracy_tally(trials * 3 // 11, trials), 0.95)
    residual = trials * 3 // 11 - found.estimate[0] * trials
    assert 0 < abs(residual).max() < 1e-12, "rounding leaves something"
    assert found.df[0] == 19


def test_proportions_of_few_clusters_that_err_have_fewer_degrees():
    hits = np.array([15] * 28 + [3, 14])
    found = infer(METRICS["accuracy"], accuracy_tally(hits, np.full(30, 15)), 0.95)
    excess = stats.kurtosis(hits, bias=False)
    df = 29 / (1 + 29 / 60 * excess)
    assert found.df[0] == pytest.approx(df, rel=1e-9)
    shrunk = found.n_eff[0] * (Z / stats.t.ppf(0.975, df)) ** 2
    p = hits.sum() / 450
    assert found.low[0] == pytest.approx(stats.beta.ppf(0.025, p * shrunk, shrunk - p * shrunk + 1), rel=1e-9)
