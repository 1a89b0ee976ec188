"""Base-rate-matched gaps: scikit-learn with a weight a row, and what weights by class cannot be asked of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import selection_rate
from scipy.stats import kstest
from sklearn import metrics as learn

from bench import workflow
from bench.folder import RunFolder
from bench.judge import matched as judged
from bench.judge import score
from bench.judge.audit import audit
from bench.judge.formulas import accuracy, uar
from bench.judge.matched import MATCHED, standardised
from bench.judge.metrics import METRICS, expand
from bench.judge.score import judge
from bench.question import Question
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, row
from tests.judge.scored import change_estimates, faults, made_columns, made_predictions
from tests.judge.test_fairness import of_kind

FEW: dict[str, Any] = {"clusters": 8, "n_eff": 5, "successes_and_failures": 3, "rows_in_class": 3}
K = len(LABELS)
OF_LABELS = (
    "accuracy", "macro_f1", "weighted_f1", "kappa", "mcc", "precision", "selection_rate", "false_positive_rate",
)  # fmt: skip
MIX = {"female": [0.5, 0.2, 0.2, 0.1], "male": [0.1, 0.3, 0.3, 0.3], "other": [0.25] * 4}


def unlike(seed: int, rows: int = 1200, skill: dict[str, float] | None = None, **facts: Any) -> Any:
    """Sixty persons of three groups with other mixes of classes, of which the first is easy to read."""
    rng = np.random.default_rng(seed)
    subject = rng.integers(0, 60, rows)
    sex = np.array(list(MIX))[subject % 3]
    truth = np.array([rng.choice(K, p=MIX[s]) for s in sex])
    hit = np.array([0.9, 0.6, 0.5, 0.4])[truth] + np.array([(skill or {}).get(s, 0.0) for s in sex])
    said = np.where(rng.random(rows) < hit, truth, rng.integers(0, K, rows))
    targets = make_targets(
        {"subject": [f"s{i:02d}" for i in subject], "label": [LABELS[k] for k in truth], "sex": sex}, **facts
    )
    missed = rng.random(rows) < 0.05
    return make_cell(
        targets, {"predicted": [None if m else LABELS[k] for k, m in zip(said, missed, strict=True)]}
    )


def by_weight(cell: Any, metric: str) -> list[float]:
    """The values of the groups, each row weighing w_k / n_k."""
    table, said = cell.targets.table.to_pylist(), cell.predictions["predicted"].to_pylist()
    truth = np.array([LABELS.index(r["label"]) for r in table])
    decided = np.array([LABELS.index(word) if word else -1 for word in said])
    sex = np.array([r["sex"] for r in table])
    pooled = np.bincount(truth, minlength=K) / len(truth)
    stem, _, label = metric.partition("/")
    code = LABELS.index(label) if label else -1
    found = []
    for value in MIX:
        t, d = truth[sex == value], decided[sex == value]
        w = (pooled / (np.bincount(t, minlength=K) / len(t)))[t]
        found.append(weighed(stem, code, t, d, w))
    return found


def weighed(stem: str, code: int, t: Any, d: Any, w: Any) -> float:
    """One metric of rows with weights."""
    hits, said = (d == code) & (t == code), d == code
    if stem.endswith("_f1"):
        options = {"labels": range(K), "zero_division": 0.0, "average": stem.removesuffix("_f1")}
        return float(learn.f1_score(t, d, sample_weight=w, **options))
    if stem in ("precision", "false_positive_rate"):
        above, below = (hits, said) if stem == "precision" else (said & (t != code), t != code)
        return float(w[above].sum() / w[below].sum())
    if stem == "selection_rate":
        return float(selection_rate(t, d, pos_label=code, sample_weight=w))
    functions = {
        "accuracy": learn.accuracy_score,
        "kappa": learn.cohen_kappa_score,
        "mcc": learn.matthews_corrcoef,
    }
    return float(functions[stem](t, d, sample_weight=w))


@pytest.fixture(scope="module")
def cell():
    return unlike(1)


@pytest.fixture(scope="module")
def table(cell):
    asked = (*OF_LABELS, "uar", "recall")
    return judge([cell], make_suite(slices=("sex",), metrics=asked, slice_rule=FEW))


@pytest.mark.parametrize("metric", [metric.name for metric in expand(OF_LABELS, LABELS)])
def test_it_is_the_gap_with_a_weight_a_row(cell: Any, table: Any, metric: str) -> None:
    (gap,) = of_kind(table, "gap", metric=metric, reference=MATCHED)
    assert gap["estimate"] == pytest.approx(np.ptp(by_weight(cell, metric)), abs=1e-12)
    assert 0 < gap["null_mean"] < gap["null_p95"]
    assert 0 < gap["p"] <= 1
    assert gap["method"] == "permutation-studentised"
    (plain,) = of_kind(table, "gap", metric=metric, reference=None)
    assert abs(gap["estimate"] - plain["estimate"]) > 1e-6, "else nothing was matched"


def test_metrics_that_weigh_classes_alike_have_none(table: Any) -> None:
    found = {r["metric"].partition("/")[0] for r in of_kind(table, "gap", reference=MATCHED)}
    assert found == set(OF_LABELS)
    of_confusion = {m.name for m in METRICS.values() if m.key.kernel == "confusion"}
    assert of_confusion == {*OF_LABELS, "uar", "recall"}, "a new metric of decisions needs a second opinion"


def test_recall_and_uar_are_not_moved_by_a_mix() -> None:
    counts = np.random.default_rng(0).integers(1, 30, (3, K, K + 1))
    mix = np.array([0.1, 0.2, 0.3, 0.4])
    assert standardised(METRICS["uar"], mix).finish(counts) == pytest.approx(uar(counts), rel=1e-12)
    even = standardised(METRICS["accuracy"], np.full(K, 1 / K)).finish(counts)
    assert even == pytest.approx(uar(counts), rel=1e-12), "accuracy of an even mix is UAR"
    own = counts[0].sum(axis=-1) / counts[0].sum()
    same = standardised(METRICS["accuracy"], own).finish(counts[0])
    assert same == pytest.approx(np.divide(*accuracy(counts[0])), rel=1e-12)


def test_what_is_undefined_stays_so() -> None:
    counts = np.zeros((K, K + 1), int)
    counts[0, 0] = counts[1, 0] = 7
    mix = np.array([0.3, 0.7, 0, 0])
    assert np.isnan(standardised(METRICS["mcc"], mix).finish(counts)), "all decisions are one"
    assert standardised(METRICS["accuracy"], mix).finish(counts) == pytest.approx(0.3, abs=1e-15)
    for metric in (METRICS["accuracy"], METRICS["macro_f1"]):
        assert np.isnan(standardised(metric, np.full(K, 0.25)).finish(counts)), "two classes have no row"


def test_a_gap_of_mixes_alone_goes_and_one_of_skill_stays() -> None:
    alone = judge([unlike(3, 6000)], make_suite(slices=("sex",), metrics=("accuracy",), slice_rule=FEW))
    plain, even = (of_kind(alone, "gap", reference=r)[0] for r in (None, MATCHED))
    assert plain["estimate"] > 0.1 > 0.05 > even["estimate"]
    assert plain["p"] < 0.01 < 0.05 < even["p"]
    cell = unlike(3, 6000, {"male": 0.2})
    there = judge([cell], make_suite(slices=("sex",), metrics=("accuracy",), slice_rule=FEW))
    assert of_kind(there, "gap", reference=MATCHED)[0]["p"] < 0.01


def test_false_alarms_are_as_many_as_p_says() -> None:
    """Equal skill by class, other mixes: p of the matched gap is uniform, that of the plain one is not."""
    drawn: dict[str | None, list[float]] = {None: [], MATCHED: []}
    for seed in range(40):
        suite = make_suite(slices=("sex",), metrics=("accuracy",), slice_rule=FEW)
        table = judge([unlike(seed + 100, 600)], suite)
        for reference, found in drawn.items():
            found.append(of_kind(table, "gap", reference=reference)[0]["p"])
    assert kstest(drawn[MATCHED], "uniform").pvalue > 0.01
    assert kstest(drawn[None], "uniform").pvalue < 1e-6


def test_none_where_mixes_are_the_same_or_no_one_asked(cell: Any) -> None:
    headline = judge([cell], make_suite(slices=("sex",), slice_rule=FEW))
    assert not of_kind(headline, "gap", reference=MATCHED)
    primary = make_suite(slices=("sex",), primary=("gap/accuracy/sex",), slice_rule=FEW)
    found = of_kind(judge([cell], primary), "gap", metric="accuracy")
    assert [(r["reference"], r["role"]) for r in found] == [(None, "confirmatory"), (MATCHED, "exploratory")]
    truth = list(LABELS) * 60
    targets = make_targets({
        "subject": [f"s{i // 8:02d}" for i in range(240)], "label": truth,
        "sex": np.array(["female", "male"])[np.arange(240) // 8 % 2],
    })  # fmt: skip
    said = [LABELS[(k + (k % 3 > 0)) % K] for k in range(240)]
    alike = judge([make_cell(targets, {"predicted": said})],
                  make_suite(slices=("sex",), metrics=("accuracy",), slice_rule=FEW))  # fmt: skip
    assert of_kind(alike, "gap", metric="accuracy")[0]["estimate"] is not None
    assert not of_kind(alike, "gap", reference=MATCHED)


def without_fear(groups: int, keep: int) -> Any:
    """Persons of groups A and B, thirty each; of A only the first ``keep`` have fear."""
    columns: dict[str, list[str]] = {name: [] for name in ("subject", "group", "label")}
    for person in range(60):
        for label in ("happiness", "sadness", "fear"):
            if label == "fear" and person % 2 == 0 and person // 2 >= keep:
                continue
            for column, text in zip(columns.values(), (f"s{person}", "AB"[person % 2], label), strict=True):
                column.extend([text] * 3)
    rng = np.random.default_rng(groups)
    said = [label if rng.random() < 0.6 else "sadness" for label in columns["label"]]
    return make_cell(make_targets(columns), {"predicted": said})


def test_a_class_that_one_value_lacks_leaves_no_gap_and_says_so() -> None:
    suite = make_suite(slices=("group",), metrics=("accuracy",), slice_rule=FEW)
    (gap,) = of_kind(judge([without_fear(2, 0)], suite), "gap", reference=MATCHED)
    assert (gap["estimate"], gap["p"], gap["status"]) == (None, None, "insufficient")
    assert "lacks" in gap["warning"] or "has no rows of a class" in gap["warning"]


def test_weights_by_class_do_not_tell_a_withheld_class() -> None:
    """Of A one person has fear: accuracy is shown, recall is not, and so no number that weighs fear anew."""
    cell = without_fear(2, 1)
    table = judge([cell], make_suite(slices=("group",), metrics=("accuracy", "recall"), slice_rule=FEW))
    assert row(table, slice="group", value="A", metric="accuracy")["status"] == "reportable"
    assert row(table, slice="group", value="A", metric="recall/fear")["status"] == "suppressed"
    (gap,) = of_kind(table, "gap", reference=MATCHED)
    assert gap["status"] == "suppressed"
    numbers = ("estimate", "p", "null_mean", "null_p95", "clusters", "slices_left_out", "n")
    assert all(gap[name] is None for name in numbers)
    public = without_fear(2, 1)
    open_ = make_cell(make_targets({n: public.targets.table[n].to_pylist() for n in ("subject", "group", "label")},
                                   attributes_public=True),
                      {"predicted": public.predictions["predicted"].to_pylist()})  # fmt: skip
    shown = judge([open_], make_suite(slices=("group",), metrics=("accuracy",), slice_rule=FEW))
    assert of_kind(shown, "gap", reference=MATCHED)[0]["estimate"] is not None


def scored(folder: Path, metrics: tuple[str, ...]) -> RunFolder:
    """A scored run of two models, by an attribute of persons and one of rows."""
    folder.mkdir()
    rng = np.random.default_rng(7)
    columns, truth = made_columns(rng, 600)
    asked = make_suite(slices=("sex", "light"), metrics=metrics, slice_rule=FEW)
    question = Question(asked, {"made": make_targets(columns)}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, made_predictions(rng, truth, folder), {}, folder / "run")
    workflow.finish(run)
    return run


@pytest.mark.usefixtures("no_report")
def test_an_audit_agrees_and_finds_another_mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = [name if METRICS[name].per_label is False else f"{name}/fear" for name in OF_LABELS]
    run = scored(tmp_path / "honest", tuple(metrics))
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))

    def counted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        made = [r for r in rows if r["reference"] == MATCHED and r["estimate"] is not None]
        assert len({r["metric"].partition("/")[0] for r in made}) == len(OF_LABELS)
        return rows

    change_estimates(run, counted)
    monkeypatch.setattr(score, "matched", _even)
    spoilt = audit(scored(tmp_path / "spoilt", ("accuracy",)).path)
    assert {d.row["reference"] for d in spoilt.differences} == {MATCHED}


def _even(asked: Any) -> Any:
    """The gap of an even mix, which is another number."""
    honest = judged.standardised
    try:
        judged.standardised = lambda metric, mix: honest(metric, np.where(mix > 0, 1 / (mix > 0).sum(), 0.0))
        yield from judged.matched(asked)
    finally:
        judged.standardised = honest
