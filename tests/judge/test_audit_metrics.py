"""The audit agrees with honest metrics asked for by name, and finds each way of getting them wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.judge import audit_action_units as units
from bench.judge import formulas, kernels, sums
from bench.judge.audit import audit
from bench.judge.audit_fairness import AGREEMENT
from bench.judge.audit_metrics import AFFECT_FUNCTIONS, affect, counted, label_functions
from bench.judge.audit_probabilities import knows
from bench.judge.audit_temporal import knows as follows
from bench.judge.metrics import METRICS, expand
from bench.judge.planned import FUNNEL
from tests.judge.made import LABELS
from tests.judge.scored import faults, finished

pytestmark = pytest.mark.usefixtures("no_report")

OF_LABELS = ("weighted_f1", "kappa", "mcc")
PER_LABEL = ("precision", "false_positive_rate", "selection_rate")
OF_VALENCE = tuple(f"{name}_valence{end}" for name in ("mae", "bias", "sagr") for end in ("", "_covered"))


def test_an_honest_run_is_agreed_with(tmp_path: Path) -> None:
    found = audit(finished(tmp_path, metrics=(*OF_LABELS, *PER_LABEL, *OF_VALENCE)).path)
    assert found.agrees, (found.differences[:3], faults(found))
    metrics = {*OF_LABELS, *OF_VALENCE, *(f"{stem}/{label}" for stem in PER_LABEL for label in LABELS)}
    assert {name for name in found.compared if not name.startswith("kind ")} == metrics
    assert all(name.startswith("kind ") for name in found.not_audited)


def test_every_metric_of_the_judge_has_a_second_opinion() -> None:
    names = {metric.name for metric in expand(tuple(METRICS), LABELS)}
    of_labels = {"coverage", *FUNNEL, *label_functions(LABELS)}
    of_labels |= {AGREEMENT}
    paths = (of_labels.__contains__, affect, lambda name: knows(name, LABELS), units.knows, follows)
    assert [name for name in names if not any(path(name) for path in paths)] == []


def test_values_by_hand() -> None:
    """Truth aabbb, said a-bba: a miss, and a false alarm for a."""
    truth, said = np.array([0, 0, 1, 1, 1]), np.array([0, -1, 1, 1, 0])
    of = label_functions(("a", "b", "c"))
    # Agreement 3/5; by chance (2 x 2 + 3 x 2) / 25.
    assert of["kappa"](truth, said) == pytest.approx((0.6 - 0.4) / (1 - 0.4))
    # (5 x 3 - 10) / sqrt((25 - 4 - 9) (25 - 1 - 4 - 4)).
    assert of["mcc"](truth, said) == pytest.approx(5 / np.sqrt(12 * 16))
    assert of["weighted_f1"](truth, said) == pytest.approx((2 * 0.5 + 3 * 0.8) / 5)
    assert of["precision/a"](truth, said) == 0.5
    assert of["false_positive_rate/a"](truth, said) == pytest.approx(1 / 3)
    assert of["false_positive_rate/c"](truth, said) == 0
    assert of["selection_rate/b"](truth, said) == pytest.approx(0.4)
    rows = pd.DataFrame({"said/truth": truth, "said/decision": said})
    sizes = {name: len(counted(name, ("a", "b", "c"), rows)) for name in of}
    assert [sizes[f"{stem}/a"] for stem in ("recall", *PER_LABEL)] == [2, 2, 3, 5]
    assert sizes["kappa"] == 5


def test_what_is_undefined_is_nan() -> None:
    of = label_functions(("a", "b"))
    same, mixed = np.zeros(4, int), np.array([0, 1, 0, -1])
    assert np.isnan(of["kappa"](same, same))
    assert np.isnan(of["mcc"](same, mixed))
    assert np.isnan(of["mcc"](mixed.clip(0), same))
    assert of["kappa"](same, mixed) == 0


def test_a_side_that_never_varies_has_no_correlation_and_no_spread() -> None:
    """Rounding of equal numbers is no variance; an error is one all the same."""
    still, moving = 0.3 + np.array([0, 1e-17, 0, 1e-8, 0]), np.array([-0.3, 0.1, 0.2, 0.5, 0.9])
    for name in ("ccc", "pcc"):
        assert np.isnan(AFFECT_FUNCTIONS[name](still, moving))
        assert np.isnan(AFFECT_FUNCTIONS[name](moving, still))
    assert AFFECT_FUNCTIONS["label_sd"](still, moving) == 0
    assert AFFECT_FUNCTIONS["rmse"](moving, still) == pytest.approx(np.sqrt(np.mean((moving - 0.3) ** 2)))


def without_misses(formula: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The formula over decided rows alone."""

    def value(confusion: Any) -> Any:
        decided = np.array(confusion)
        decided[..., -1] = 0
        return formula(decided)

    return value


def precision_of_all(confusion: Any) -> Any:
    hits, predicted = formulas.precision(confusion)
    return hits, predicted + confusion[..., -1].sum(axis=-1)[..., None]


def test_each_wrong_formula_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong: dict[str, Callable[[Any], Any]] = {
        "kappa": without_misses(formulas.kappa),
        "mcc": without_misses(formulas.mcc),
        "weighted_f1": formulas.macro_f1,
        "precision": precision_of_all,
        "false_positive_rate": without_misses(formulas.false_positive_rate),
        "selection_rate": without_misses(formulas.selection_rate),
        "mae_valence": formulas.rmse,
        "bias_valence_covered": lambda moments: -formulas.bias(moments),
    }
    for metric, formula in wrong.items():
        monkeypatch.setitem(METRICS, metric, replace(METRICS[metric], formula=formula))
    found = audit(finished(tmp_path, metrics=(*wrong, "accuracy")).path)
    values = {d.row["metric"] for d in found.differences if d.row["kind"] == "value"}
    assert values == {
        metric for name in wrong for metric in found.compared if metric.partition("/")[0] == name
    }
    assert {name.partition("/")[0] for name in values} == set(wrong)


def test_a_miss_that_agrees_in_sign_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(rows: Any, column: str, misses: Any, constant: float) -> kernels.Moments:
        honest = kernels.moments(rows, column, misses, constant)
        absent = ~np.isfinite(rows.affect[column][1])
        honest.stats[:, 7] = np.where(absent, 1.0, honest.stats[:, 7])
        return honest

    monkeypatch.setattr(sums, "moments", lenient)
    found = audit(finished(tmp_path, metrics=("sagr_valence", "sagr_valence_covered")).path)
    assert {d.row["metric"] for d in found.differences} == {"sagr_valence"}
