"""Metrics: functions of summed statistics, one record each.

``finish`` takes statistics with any leading axes and gives NaN, never 0, where a value is undefined. A miss
(no face, abstained, model error, tie) is wrong for label metrics; valence, arousal and dominance score it as
the suite's constant and stand beside their ``_covered`` form. What is no function of sums is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from bench.judge.kernels import Key, Misses
from bench.judge.rows import DECODE_ERROR, UNDECIDED, Bools, Floats
from bench.tables.targets import AFFECT

__all__ = ["METRICS", "Metric", "expand", "of_label"]

Stats = Any  # an int64 or float64 array: (..., *shape of the kernel)
_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Metric:
    """One metric: which statistics it needs, its formula, and how to read its number.

    ``formula`` of a proportion gives (successes, trials), of every other kind the value. ``kind`` decides the
    interval; ``direction`` says which way is better; ``undefined`` says when a value is NaN; ``per_label``
    metrics have a value per label and are asked for as ``recall`` or ``recall/fear``.
    """

    name: str
    key: Key
    formula: Callable[[Stats], Any]
    kind: Literal["proportion", "rate", "correlation", "plain"]
    undefined: str
    direction: Literal["higher", "lower"] = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    per_label: bool = False

    @property
    def misses(self) -> Misses:
        """How a row without a prediction counts."""
        return self.key.misses

    @property
    def about(self) -> str:
        """Formula, convention and source."""
        return str(self.formula.__doc__)

    def finish(self, stats: Stats) -> Floats:
        """The value for statistics (..., *shape): (...), with a last axis of labels where per_label."""
        if self.kind == "proportion":
            return _divide(*self.formula(stats))
        value: Floats = self.formula(stats)
        return value

    def count(self, stats: Stats) -> Floats:
        """The rows in the denominator."""
        if self.kind == "proportion":
            return np.asarray(self.formula(stats)[1], np.float64)
        rows = stats.sum(axis=(-1, -2)) if self.key.kernel == "confusion" else stats[..., 0]
        return np.asarray(rows, np.float64)

    def present(self, stats: Stats) -> Bools:
        """Which classes have a row, (..., K); (..., 1) for metrics without classes."""
        counts = stats.sum(axis=-1) if self.key.kernel == "confusion" else stats[..., :1]
        return np.asarray(counts > 0)


def expand(names: Sequence[str], labels: tuple[str, ...]) -> list[Metric]:
    """The metrics of the names, ``recall`` as one metric per label; ``check`` has refused unknown names."""
    found: dict[str, Metric] = {}
    for name in names:
        stem, _, label = name.partition("/")
        metric = METRICS[stem]
        if not metric.per_label:
            found[name] = metric
            continue
        for each in (label,) if label else labels:
            found[f"{stem}/{each}"] = of_label(metric, each, labels.index(each))
    return list(found.values())


def of_label(metric: Metric, label: str, code: int) -> Metric:
    """The metric of one label: ``recall/fear``."""

    def formula(stats: Stats) -> tuple[Stats, Stats]:
        successes, trials = metric.formula(stats)
        return successes[..., code], trials[..., code]

    formula.__doc__ = metric.about
    return replace(metric, name=f"{metric.name}/{label}", formula=formula, per_label=False)


def accuracy(confusion: Stats) -> tuple[Stats, Stats]:
    """Accuracy, the weighted average recall (WAR): sum_k n_kk / n.

    Misses are wrong. Source: scikit-learn ``accuracy_score``.
    """
    return _hits(confusion).sum(axis=-1), confusion.sum(axis=(-1, -2))


def recall(confusion: Stats) -> tuple[Stats, Stats]:
    """Recall of each class: n_kk / n_k.

    Misses are wrong; a class without rows is NaN. Source: scikit-learn ``recall_score(average=None)``.
    """
    return _hits(confusion), confusion.sum(axis=-1)


def uar(confusion: Stats) -> Floats:
    """Unweighted average recall (UAR, balanced accuracy): the mean over classes of n_kk / n_k.

    Over the classes that have a row; misses are wrong. Source: Schuller et al., Interspeech 2009 Emotion
    Challenge; scikit-learn ``balanced_accuracy_score``.
    """
    return _mean_present(_divide(*recall(confusion)), confusion)


def macro_f1(confusion: Stats) -> Floats:
    """Macro-averaged F1: the mean over classes of 2 TP / (2 TP + FP + FN).

    Over the classes that have a row; misses are false negatives; a class never predicted has F1 0. Mean of
    F1, not F1 of means (Opitz, Burst 2019, arXiv 1911.03347). A miss in place of a wrong answer can raise it,
    for it takes a false positive away: read it beside coverage. Source: scikit-learn ``f1_score``.
    """
    predicted = confusion[..., :-1].sum(axis=-2)
    return _mean_present(_divide(2 * _hits(confusion), confusion.sum(axis=-1) + predicted), confusion)


def coverage(outcomes: Stats) -> tuple[Stats, Stats]:
    """Coverage: the rows with an output among all rows that are not decode errors.

    A tie between probabilities is an output; a hard label left empty is none. Rows need no label.
    """
    return outcomes[..., : UNDECIDED + 1].sum(axis=-1), outcomes[..., :DECODE_ERROR].sum(axis=-1)


def ccc(moments: Stats) -> Floats:
    """Concordance correlation: 2 cov / (var_x + var_y + (mean_x - mean_y)^2).

    Population variance, over all rows together (ABAW convention). NaN where truth or predictions are
    constant: a standard deviation below 1e-5 of the root mean square. Source: Lin 1989, Biometrics 45.
    """
    n, x, y, xx, yy, xy = _means(moments)
    return _divide(2 * (xy - x * y), _variance(n, x, xx) + _variance(n, y, yy) + (x - y) ** 2)


def pcc(moments: Stats) -> Floats:
    """Pearson correlation: cov / sqrt(var_x var_y).

    NaN where truth or predictions are constant, as for CCC. Source: scipy ``pearsonr``.
    """
    n, x, y, xx, yy, xy = _means(moments)
    value = _divide(xy - x * y, np.sqrt(_variance(n, x, xx) * _variance(n, y, yy)))
    return np.clip(value, -1.0, 1.0)


def rmse(moments: Stats) -> Floats:
    """Root mean squared error: sqrt(mean (x - y)^2), in the units of the labels."""
    _, _, _, xx, yy, xy = _means(moments)
    return np.sqrt(np.maximum(xx - 2 * xy + yy, 0.0))


def _hits(confusion: Stats) -> Stats:
    return np.diagonal(confusion[..., :-1], axis1=-2, axis2=-1)


def _divide(above: Stats, below: Stats) -> Floats:
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    quotient: Floats = np.divide(above, below, out=np.full(shape, np.nan), where=np.asarray(below) != 0)
    return quotient


def _mean_present(values: Floats, confusion: Stats) -> Floats:
    present = confusion.sum(axis=-1) > 0
    return _divide(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1))


def _means(moments: Stats) -> tuple[Floats, ...]:
    n = np.asarray(moments[..., 0], np.float64)
    return (n, *(_divide(moments[..., k], n) for k in range(1, 6)))


def _variance(n: Floats, mean: Floats, square: Floats) -> Floats:
    variance = square - mean**2
    # Sums of n equal numbers are off by up to n eps: what lies below that cannot be told from a constant.
    return np.where(variance > (1e-10 + n * _EPS) * square, variance, np.nan)


_CONFUSION, _NO_ROWS = Key("confusion", misses="wrong"), "no rows"
_FLAT = "no rows, or truth or predictions are constant"


def _affect(column: str, misses: Misses) -> list[Metric]:
    key, end = Key("moments", column, misses), "" if misses == "constant" else "_covered"
    return [
        Metric(f"ccc_{column}{end}", key, ccc, "correlation", _FLAT, range=(-1.0, 1.0)),
        Metric(f"pcc_{column}{end}", key, pcc, "correlation", _FLAT, range=(-1.0, 1.0)),
        Metric(f"rmse_{column}{end}", key, rmse, "plain", _NO_ROWS, "lower", (0.0, np.inf)),
    ]


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", _CONFUSION, accuracy, "proportion", _NO_ROWS),
        Metric("uar", _CONFUSION, uar, "rate", _NO_ROWS),
        Metric("macro_f1", _CONFUSION, macro_f1, "rate", _NO_ROWS),
        Metric("recall", _CONFUSION, recall, "proportion", _NO_ROWS, per_label=True),
        Metric("coverage", Key("outcomes"), coverage, "proportion", _NO_ROWS),
        *(
            metric
            for column in AFFECT
            for misses in ("constant", "left out")
            for metric in _affect(column, misses)
        ),
    )
}
