"""The second opinion on metrics of labels and of valence, arousal and dominance: functions of whole columns.

Each is scikit-learn's, fairlearn's or scipy's own where there is one. A decision is the position of a label,
or -1 for *none*: a category of its own that is never true. Refuses nothing: what is undefined is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.tables.frame import label_metrics

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AFFECT_FUNCTIONS", "affect", "counted", "label_functions"]

_CONSTANT = 1e-5  # a standard deviation below this share of the root mean square is none (README, CCC)

Function = Callable[[Any, Any], float]


def label_functions(labels: Sequence[str]) -> dict[str, Function]:
    """Functions (truth, decision) of label positions by metric; both have a row."""
    found: dict[str, Function] = {**label_metrics(labels), **_LABEL_FUNCTIONS}
    for code, label in enumerate(labels):
        found |= {f"{stem}/{label}": of(code) for stem, of in _PER_LABEL.items()}
    return found


def counted(metric: str, labels: Sequence[str], rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a frame in the denominator of a label metric, of those with a label and no fault."""
    stem, _, label = metric.partition("/")
    if stem not in ("recall", "precision", "false_positive_rate"):
        return rows
    code, truth = list(labels).index(label), rows["said/truth"]
    if stem == "precision":
        return rows[rows["said/decision"] == code]
    return rows[truth == code] if stem == "recall" else rows[truth != code]


def affect(metric: str) -> tuple[str, str] | None:
    """The column of a metric such as ``ccc_valence_covered``, and its end; None for other metrics."""
    name, end = metric.removesuffix("_covered"), "_covered" if metric.endswith("_covered") else ""
    stem, _, column = name.rpartition("_")
    known = stem in AFFECT_FUNCTIONS and column in ("valence", "arousal", "dominance")
    return (column, end) if known else None


def _weighted_f1(truth: Any, decision: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(truth, decision, labels=np.unique(truth), average="weighted", zero_division=0.0))


def _kappa(truth: Any, decision: Any) -> float:
    from sklearn.metrics import cohen_kappa_score

    if len(np.union1d(truth, decision)) < 2:
        return np.nan
    return float(cohen_kappa_score(truth, decision))


def _mcc(truth: Any, decision: Any) -> float:
    """scikit-learn has 0 where a side never varies; it is undefined."""
    from sklearn.metrics import matthews_corrcoef

    if min(len(np.unique(side)) for side in (truth, decision)) < 2:
        return np.nan
    return float(matthews_corrcoef(truth, decision))


def _precision(code: int) -> Function:
    def value(truth: Any, decision: Any) -> float:
        from sklearn.metrics import precision_score

        options = {"labels": [code], "average": "macro", "zero_division": np.nan}
        return float(precision_score(truth, decision, **options))

    return value


def _false_positive_rate(code: int) -> Function:
    def value(truth: Any, decision: Any) -> float:
        from sklearn.metrics import multilabel_confusion_matrix

        (right, alarms), _ = multilabel_confusion_matrix(truth, decision, labels=[code])[0]
        return float(alarms / (alarms + right)) if alarms + right else np.nan

    return value


def _selection_rate(code: int) -> Function:
    def value(truth: Any, decision: Any) -> float:
        from fairlearn.metrics import selection_rate

        return float(selection_rate(truth, decision, pos_label=code))

    return value


def _constant(values: np.ndarray) -> bool:
    return bool(values.std() <= _CONSTANT * np.sqrt(np.mean(values**2)))


def _ccc(truth: np.ndarray, said: np.ndarray) -> float:
    """Lin 1989, with population variances."""
    if _constant(truth) or _constant(said):
        return np.nan
    (var_x, covariance), (_, var_y) = np.cov(truth, said, bias=True)
    return float(2 * covariance / (var_x + var_y + (truth.mean() - said.mean()) ** 2))


def _pcc(truth: np.ndarray, said: np.ndarray) -> float:
    from scipy.stats import pearsonr

    return np.nan if _constant(truth) or _constant(said) else float(pearsonr(truth, said).statistic)


def _rmse(truth: np.ndarray, said: np.ndarray) -> float:
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(truth, said))


def _mae(truth: np.ndarray, said: np.ndarray) -> float:
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(truth, said))


def _bias(truth: np.ndarray, said: np.ndarray) -> float:
    return float(np.mean(said - truth))


def _sagr(truth: np.ndarray, said: np.ndarray) -> float:
    """The share of equal signs, 0 being a third."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(np.sign(truth), np.sign(said)))


def _label_sd(truth: np.ndarray, _: np.ndarray) -> float:
    return 0.0 if _constant(truth) else float(np.std(truth))


_LABEL_FUNCTIONS: dict[str, Function] = {"weighted_f1": _weighted_f1, "kappa": _kappa, "mcc": _mcc}
_PER_LABEL: dict[str, Callable[[int], Function]] = {
    "precision": _precision,
    "false_positive_rate": _false_positive_rate,
    "selection_rate": _selection_rate,
}
AFFECT_FUNCTIONS: dict[str, Function] = {
    "ccc": _ccc, "pcc": _pcc, "rmse": _rmse, "mae": _mae, "bias": _bias, "sagr": _sagr,
    "label_sd": _label_sd,
}  # fmt: skip
"""Functions (truth, prediction) by what stands before the column in a metric's name."""
