"""The audit's intervals are those of other sources, agree with the judge's, and find each mistake in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest, ttest_1samp
from typer.testing import CliRunner

from bench import workflow
from bench.cli.app import app
from bench.cli.audit import as_json, as_text
from bench.folder import RunFolder
from bench.judge import atoms, audit_intervals, fairness, infer, sheet, slices
from bench.judge.audit import Audit, audit
from bench.judge.audit_intervals import Interval, interval, sample
from bench.judge.audit_metrics import label_functions
from bench.judge.audit_records import Records, of_labels_alone, scale_of
from bench.judge.audit_spread import spread
from bench.judge.metrics import METRICS
from bench.question import Question
from tests.judge.made import LABELS, make_suite, make_targets
from tests.judge.scored import change_estimates, faults, finished

pytestmark = pytest.mark.usefixtures("no_report")

_MADE = (
    "wilson-clustered",
    "clopper-pearson-clustered",
    "jackknife-logit",
    "jackknife-atanh",
    "jackknife-log",
)


def of_rows(cluster: Any, **fields: Any) -> Records:
    rows = np.arange(len(cluster))
    return Records(
        rows, np.asarray(cluster), fields.pop("measure", lambda _: np.nan),
        lambda some: np.array([len(rows[some]) > 0]), **fields,
    )  # fmt: skip


def test_an_honest_run_is_agreed_with(run: RunFolder) -> None:
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    for method in (*_MADE, "none"):
        checked, count = found.intervals[method]
        assert checked == count > 0, method
    assert found.intervals["max-T, t on effective df"][0] == 0
    assert found.widest is not None
    assert found.widest.size < 1e-11
    assert found.compared["kind spread"] > 50
    shown = [r for r in pq.read_table(run.estimates).to_pylist() if r["status"] != "suppressed"]
    values = sum(r["kind"] == "value" for r in shown)
    assert sum(checked for checked, _ in found.intervals.values()) == values
    others = sum(r["kind"] != "value" and r["low"] is not None for r in shown)
    assert sum(count for _, count in found.intervals.values()) == values + others


def test_each_changed_number_is_found(run: RunFolder) -> None:
    changes = {
        "accuracy": ("low", 1e-8), "uar": ("high", -1e-8), "ccc_valence": ("df", 0.01), "coverage": ("low", None),
        "rmse_valence": ("df", None), "macro_f1": ("level", -0.01), "recall/fear": ("n_eff", 0.1),
    }  # fmt: skip

    def alter(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for metric, (field, change) in changes.items():
            row = next(r for r in rows if (r["model"], r["metric"], r["value"]) == ("soft", metric, "male"))
            assert row[field] is not None
            row[field] = None if change is None else row[field] + change
        return rows

    change_estimates(run, alter)
    found = audit(run.path)
    seen = {(d.row["metric"], d.field) for d in found.differences}
    assert seen == {(metric, field) for metric, (field, _) in changes.items()}
    assert len(found.differences) == len(changes)
    assert "coverage low is undefined" in as_text(found)
    assert CliRunner().invoke(app, ["audit", str(run.path)]).exit_code == 1


def test_an_interval_by_another_name_is_found(run: RunFolder) -> None:
    def rename(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        row = next(r for r in rows if r["kind"] == "value" and r["method"] == "wilson-clustered")
        return [{**r, "method": "jackknife"} if r is row else r for r in rows]

    change_estimates(run, rename)
    assert list(faults(audit(run.path))) == ["intervals name their method"]


def test_an_interval_of_unknown_method_is_not_called_checked(run: RunFolder) -> None:
    def rename(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**r, "method": "oracle"} if r["method"] == "jackknife-atanh" else r for r in rows]

    count = pq.read_table(run.estimates)["method"].to_pylist().count("jackknife-atanh")
    change_estimates(run, rename)
    found = audit(run.path)
    assert found.intervals["oracle"] == (0, count)
    assert count > 0
    assert f"oracle: 0 of {count} made again" in as_text(found)


def test_of_nearly_perfect_predictions_rounding_is_no_difference(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 400)
    columns = {"subject": [f"s{i}" for i in rng.integers(0, 30, 400)], "valence": x.tolist()}
    files = {}
    for model, noise in (("near", 1e-4), ("nearer", 1e-5), ("as good as", 1e-7), ("same", 0.0)):
        files[model] = tmp_path / f"{model}.parquet"
        said = {"target": [f"t{i:06d}" for i in range(400)], "valence": x + noise * rng.normal(size=400)}
        pq.write_table(pa.table({**said, "status": ["ok"] * 400}), files[model])
    asked = make_suite(metrics=("ccc_valence", "rmse_valence"))
    question = Question(asked, {"made": make_targets(columns)}, lambda kind, name: f"{kind} {name}")
    made = workflow.score(question, files, {}, tmp_path / "run")
    workflow.finish(made)
    found = audit(made.path)
    assert found.agrees, found.differences[:3]
    assert found.intervals["jackknife-atanh"][0] == 2
    assert found.intervals["jackknife-log"][0] > 2


def normal_freedom(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(infer, "freedom", lambda squares, fourths, n: n - 1)


def rows_alone(patch: pytest.MonkeyPatch) -> None:
    honest = atoms.stratify
    patch.setattr(slices, "stratify", lambda cluster, codes: honest(np.arange(len(cluster)), codes))


def another_level(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sheet, "infer", lambda metric, tally, level: infer.infer(metric, tally, 0.9))


def wilson_everywhere(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(infer, "_EXTREME", 0.0)


def rates_as_they_are(patch: pytest.MonkeyPatch) -> None:
    plain = replace(infer._SCALES["signed"], method="jackknife-logit")
    patch.setitem(infer._SCALES, "rate", plain)


@pytest.mark.parametrize(
    ("spoil", "metric"),
    [
        (normal_freedom, "rmse_valence"),
        (rows_alone, "accuracy"),
        (another_level, "ccc_valence"),
        (wilson_everywhere, "coverage"),
        (rates_as_they_are, "uar"),
    ],
)
def test_each_mistake_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[pytest.MonkeyPatch], None], metric: str
) -> None:
    spoil(monkeypatch)
    found = audit(finished(tmp_path, metrics=(metric,)).path)
    assert not found.agrees
    assert {"low", "high"} <= {d.field for d in found.differences if d.row["metric"] == metric}


def test_a_spread_as_if_groups_shared_no_one_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = fairness.spread
    monkeypatch.setattr(fairness, "spread", lambda values, error: honest(values, np.diag(np.diag(error))))
    found = audit(finished(tmp_path, metrics=("accuracy",)).path)
    assert {(d.row["kind"], d.field) for d in found.differences} == {("spread", "estimate")}
    # Persons are of one sex and race, but of both lights.
    assert all("light" in d.row["slice"] for d in found.differences)


def test_what_is_beyond_the_sample_is_said_to_be(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = audit(run.path)
    monkeypatch.setattr(audit_intervals, "AFFORDABLE", 10**6)
    some = audit(run.path)
    assert some.agrees
    checked, count = some.intervals["jackknife-logit"]
    assert 0 < checked < count == whole.intervals["jackknife-logit"][1]
    assert f"intervals      jackknife-logit: {checked} of {count} made again" in as_text(some)
    assert f'"checked": {checked}' in as_json(some)
    for method in _MADE[:2]:
        assert some.intervals[method] == whole.intervals[method]
    left_out = whole.compared["kind spread"] - some.compared["kind spread"]
    assert some.not_audited["kind spread, beyond the sample"] == left_out > 0
    assert _counts(audit(run.path)) == _counts(some)


def _counts(found: Audit) -> Any:
    return found.intervals, found.compared, found.not_audited


def test_a_sample_holds_what_it_may_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"model": "m", "dataset": "d", "condition": "clean", "severity": 0, "where": None, "kind": "value"}
    names = ("uar", "ccc_valence", "rmse_valence", "accuracy")
    rows = [{**key, "slice": s, "metric": m, "n": 8_000, "clusters": 10} for s in "ab" for m in names]
    monkeypatch.setattr(audit_intervals, "AFFORDABLE", 350_000)
    chosen = sample(rows, {"d": 4})
    assert len(chosen) == 3  # each takes 10 looks at 8,000 rows, and 2,000 for the call
    assert "accuracy" not in {part[-1] for part in chosen}  # no jackknife
    alone = [{**row, "n": 10**4, "clusters": 10**4} for row in rows]
    assert {part[-1] for part in sample(alone, {"d": 4})} == {"uar"}  # 20 kinds of row


def test_every_metric_is_on_the_scale_that_the_judge_has_it_on() -> None:
    for name, metric in METRICS.items():
        scale = str(scale_of(name))
        method = "jackknife" if scale == "plain" else f"jackknife-{scale}"
        if metric.kind == "proportion":
            assert scale == "proportion", name
        else:
            assert method == infer._SCALES[metric.kind].method, name
    assert scale_of("recall/fear") == "proportion"
    assert scale_of("kudos") is None


def test_of_a_mean_the_jackknife_is_the_t_interval() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, 23)
    found = interval(of_rows(np.arange(23), measure=lambda some: x[some].mean()), "bias_valence", 0.9)
    want = ttest_1samp(x, 0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((want.low, want.high), rel=1e-12)
    assert found.df == 22
    assert found.method == "jackknife"
    assert np.sum(found.pull**2) == pytest.approx(x.var(ddof=1) / 23, rel=1e-12)


def test_a_class_of_one_cluster_alone_leaves_no_interval_and_no_spread() -> None:
    rng = np.random.default_rng(4)
    cluster, x = np.repeat(np.arange(8), 5), rng.random(40)
    for members in ([0], [0, 1]):
        own = np.isin(cluster, members)

        def present(some: np.ndarray, own: np.ndarray = own) -> np.ndarray:
            return np.array([own[some].any(), (~own[some]).any()])

        rows = of_rows(cluster, measure=lambda some: x[some].mean())._replace(present=present)
        found = interval(rows, "uar", 0.95)
        assert found.method == (None if len(members) == 1 else "jackknife-logit")
        assert np.isnan(found.low) == np.isnan(found.pull).any() == (len(members) == 1)


@pytest.mark.parametrize(("hits", "rows"), [(0, 20), (20, 20)])
def test_clusters_that_are_all_right_or_all_wrong_are_binomial(hits: int, rows: int) -> None:
    cluster = np.repeat(np.arange(rows), 3)
    found = interval(of_rows(cluster, hits=np.full(3 * rows, hits / rows)), "accuracy", 0.95)
    want = binomtest(hits, rows).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((want.low, want.high), rel=1e-12)
    assert found.n_eff == rows


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_the_two_intervals_of_proportions_are_those_of_scipy(level: float) -> None:
    for name, method in (("wilson", "wilson"), ("clopper_pearson", "exact")):
        for hits, rows in ((3, 40), (17, 40), (39, 40)):
            want = binomtest(hits, rows).proportion_ci(level, method)
            made = getattr(audit_intervals, f"_{name}")(hits / rows, rows, level)
            assert made == pytest.approx((want.low, want.high), rel=1e-9)


def test_rows_of_one_cluster_count_once() -> None:
    rng = np.random.default_rng(1)
    hits = (rng.random(40) < 0.6).astype(float)
    once = interval(of_rows(np.arange(40), hits=hits), "accuracy", 0.95)
    often = interval(of_rows(np.repeat(np.arange(40), 9), hits=np.repeat(hits, 9)), "accuracy", 0.95)
    for field in ("low", "high", "df"):
        assert getattr(often, field) == pytest.approx(getattr(once, field), rel=1e-12)
    assert often.n_eff == pytest.approx(39)  # of 40 clusters the variance is G / (G - 1) p (1 - p) / G
    assert interval(of_rows(np.arange(4), hits=hits[:4]), "accuracy", 0.95).method is None


@pytest.mark.parametrize("metric", ["uar", "macro_f1", "weighted_f1", "kappa", "mcc"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_metrics_of_counts_are_those_of_scikit_learn(metric: str, share: float) -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 3, 200)  # the fourth label has no row
    said = np.where(rng.random(200) < share, truth, rng.integers(-1, 4, 200))
    table = np.zeros((4, 5))
    np.add.at(table, (truth, np.where(said < 0, 4, said)), 1)
    want = label_functions(LABELS)[metric](truth, said)
    assert of_labels_alone(metric, table) == pytest.approx(want, rel=1e-12)


def test_the_spread_of_groups_that_share_no_one_is_that_of_lum() -> None:
    rng = np.random.default_rng(3)
    values, errors = np.array([0.4, 0.7, 0.6, 0.2]), np.array([0.05, 0.1, 0.02, 0.04])
    groups = {}
    for name, value, error in zip("abcd", values, errors, strict=True):
        pull = rng.normal(size=12)
        pull *= error / np.linalg.norm(pull)
        people = np.array([f"{name}{i}" for i in range(12)])
        groups[name] = Interval(value, *[np.nan] * 5, None, people, pull)
    between = values.var(ddof=1) - np.mean(errors**2)
    found = spread(groups)
    assert found.estimate == pytest.approx(np.sqrt(between), rel=1e-12)
    shrunken = values.mean() + between / (between + errors**2) * (values - values.mean())
    assert list(found.shrunken.values()) == pytest.approx(shrunken, rel=1e-12)
    assert found.clusters == 48
    one = groups["a"]._replace(pull=np.full(12, np.nan))
    assert set(spread({**groups, "a": one}).shrunken) == set("bcd")
    assert np.isnan(spread({"a": one, "b": groups["b"]}).estimate)
