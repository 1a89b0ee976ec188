"""Formulas: summed statistics in, the value of a metric out.

Each takes the statistics of its kernel (``bench.judge.kernels``) with any leading axes and gives NaN, never
0, where the value is undefined; those of proportions give (successes, trials) instead. Confusion counts are
K x (K + 1), true class by decision, the last column *none*: tied maxima, no face, abstained, model error.
Refuses nothing: what a metric may be asked of is decided in ``bench.judge.request``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.judge.rows import DECODE_ERROR, UNDECIDED, Floats

__all__ = [
    "Stats", "accuracy", "bias", "ccc", "coverage", "divide", "false_positive_rate", "kappa", "label_sd",
    "macro_f1", "mae", "mcc", "pcc", "precision", "recall", "rmse", "sagr", "selection_rate", "uar",
    "weighted_f1",
]  # fmt: skip

Stats = Any  # an int64 or float64 array: (..., *shape of the kernel)
_EPS = float(np.finfo(np.float64).eps)


def divide(above: Stats, below: Stats) -> Floats:
    """The quotient, NaN where the denominator is 0."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    quotient: Floats = np.divide(above, below, out=np.full(shape, np.nan), where=np.asarray(below) != 0)
    return quotient


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


def precision(confusion: Stats) -> tuple[Stats, Stats]:
    """Precision of each class: n_kk / the rows predicted as k.

    A miss is in no column, so it leaves the denominator: read it beside coverage. A class never predicted is
    NaN. Source: scikit-learn ``precision_score(average=None)``.
    """
    return _hits(confusion), _predicted(confusion)


def false_positive_rate(confusion: Stats) -> tuple[Stats, Stats]:
    """False-positive rate of each class: rows of other classes predicted as k / rows of other classes.

    Misses of other classes stay in the denominator, so a miss in place of a false alarm lowers it: read it
    beside coverage. With recall, what equalised odds one-vs-rest compares (Hardt, Price, Srebro 2016, arXiv
    1610.02413). Source: scikit-learn ``multilabel_confusion_matrix``, FP / (FP + TN).
    """
    true = confusion.sum(axis=-1)
    return _predicted(confusion) - _hits(confusion), true.sum(axis=-1, keepdims=True) - true


def selection_rate(confusion: Stats) -> tuple[Stats, Stats]:
    """Selection rate of each class: rows predicted as k / rows with a label, whatever the label.

    Misses stay in the denominator, so the rates add up to the share of decided rows. Neither high nor low is
    better: it is what demographic parity compares. Source: fairlearn ``selection_rate``.
    """
    predicted = _predicted(confusion)
    return predicted, np.broadcast_to(confusion.sum(axis=(-1, -2))[..., None], predicted.shape)


def uar(confusion: Stats) -> Floats:
    """Unweighted average recall (UAR, balanced accuracy): the mean over classes of n_kk / n_k.

    Over the classes that have a row; misses are wrong. Source: Schuller et al., Interspeech 2009 Emotion
    Challenge; scikit-learn ``balanced_accuracy_score``.
    """
    return _mean_present(divide(*recall(confusion)), confusion)


def macro_f1(confusion: Stats) -> Floats:
    """Macro-averaged F1: the mean over classes of 2 TP / (2 TP + FP + FN).

    Over the classes that have a row; misses are false negatives; a class never predicted has F1 0. Mean of
    F1, not F1 of means (Opitz, Burst 2019, arXiv 1911.03347). A miss in place of a wrong answer can raise it,
    for it takes a false positive away: read it beside coverage. Source: scikit-learn ``f1_score``.
    """
    return _mean_present(_f1(confusion), confusion)


def weighted_f1(confusion: Stats) -> Floats:
    """Weighted F1: the mean over classes of 2 TP / (2 TP + FP + FN), each weighted by its rows n_k / n.

    A class without rows weighs nothing; misses as in macro-F1, and as there a miss in place of a wrong answer
    can raise it: read it beside coverage. Source: scikit-learn ``f1_score(average="weighted")``.
    """
    true = confusion.sum(axis=-1)
    return divide((true * np.where(true > 0, _f1(confusion), 0.0)).sum(axis=-1), true.sum(axis=-1))


def kappa(confusion: Stats) -> Floats:
    """Cohen's kappa: (p_o - p_e) / (1 - p_e), p_e = sum_k (n_k / n) (predicted as k / n).

    *None* is a category that is predicted and never true: a miss is a disagreement and takes its share of
    chance agreement away, so in place of a wrong answer it can raise kappa: read it beside coverage. NaN
    where truth and predictions are all one class. Source: Cohen 1960; scikit-learn ``cohen_kappa_score``.
    """
    n, true = confusion.sum(axis=(-1, -2)), confusion.sum(axis=-1)
    chance = (true * _predicted(confusion)).sum(axis=-1)
    return divide(n * _hits(confusion).sum(axis=-1) - chance, n * n - chance)


def mcc(confusion: Stats) -> Floats:
    """Matthews correlation of K classes, R_K: cov(t, p) / sqrt(cov(t, t) cov(p, p)) of one-hot rows.

    *None* is a category that is predicted and never true, as for kappa. NaN where the truth is all one class
    or all decisions are one (scikit-learn gives 0). Source: Gorodkin 2004, Comput. Biol. Chem. 28;
    scikit-learn ``matthews_corrcoef``.
    """
    n, true, said = confusion.sum(axis=(-1, -2)), confusion.sum(axis=-1), confusion.sum(axis=-2)
    above = n * _hits(confusion).sum(axis=-1) - (true * said[..., :-1]).sum(axis=-1)
    # In float64: products of two such counts of rows squared do not fit in 64 bits.
    spread = [np.asarray(n * n - (part * part).sum(axis=-1), np.float64) for part in (true, said)]
    return divide(above, np.sqrt(spread[0] * spread[1]))


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
    return divide(2 * (xy - x * y), _variance(n, x, xx) + _variance(n, y, yy) + (x - y) ** 2)


def pcc(moments: Stats) -> Floats:
    """Pearson correlation: cov / sqrt(var_x var_y).

    NaN where truth or predictions are constant, as for CCC. Source: scipy ``pearsonr``.
    """
    n, x, y, xx, yy, xy = _means(moments)
    value = divide(xy - x * y, np.sqrt(_variance(n, x, xx) * _variance(n, y, yy)))
    return np.clip(value, -1.0, 1.0)


def rmse(moments: Stats) -> Floats:
    """Root mean squared error: sqrt(mean (x - y)^2), in the units of the labels."""
    return np.sqrt(np.maximum(divide(moments[..., 8], moments[..., 0]), 0.0))


def mae(moments: Stats) -> Floats:
    """Mean absolute error: mean |x - y|, in the units of the labels.

    Source: scikit-learn ``mean_absolute_error``.
    """
    return divide(moments[..., 6], moments[..., 0])


def bias(moments: Stats) -> Floats:
    """Bias: mean (y - x), prediction minus truth, in the units of the labels; best at 0.

    Above 0 the model says more than the raters did. Errors of both signs cancel: read it beside MAE.
    """
    return divide(moments[..., 2] - moments[..., 1], moments[..., 0])


def label_sd(moments: Stats) -> Floats:
    """Standard deviation of the labels, whatever was predicted: sqrt(var_x), population variance.

    In the units of the labels; 0 where they are constant, as for CCC. CCC grows with it at equal errors: it
    stands beside every CCC gap. Source: numpy ``std``.
    """
    n, x, _, xx, _, _ = _means(moments)
    variance = _variance(n, x, xx)
    return np.sqrt(np.where(np.isnan(variance) & (n > 0), 0.0, variance))


def sagr(moments: Stats) -> Floats:
    """Sign agreement: the share of rows with sign(y) = sign(x).

    sign(0) = 0, a third sign, and no row is left out: a truth of exactly 0 agrees with a prediction of
    exactly 0 alone, so that many such truths keep any model that never says 0 far below 1. A missing
    prediction scored as 0 agrees with those rows only. Source: Nicolaou, Gunes, Pantic 2011, IEEE Trans.
    Affective Computing 2(2), Kronecker delta of the signs; AffectNet, arXiv 1708.03985; EmoNet's code.
    """
    return divide(moments[..., 7], moments[..., 0])


def _hits(confusion: Stats) -> Stats:
    return np.diagonal(confusion[..., :-1], axis1=-2, axis2=-1)


def _predicted(confusion: Stats) -> Stats:
    return confusion[..., :-1].sum(axis=-2)


def _f1(confusion: Stats) -> Floats:
    return divide(2 * _hits(confusion), confusion.sum(axis=-1) + _predicted(confusion))


def _mean_present(values: Floats, confusion: Stats) -> Floats:
    present = confusion.sum(axis=-1) > 0
    return divide(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1))


def _means(moments: Stats) -> tuple[Floats, ...]:
    n = np.asarray(moments[..., 0], np.float64)
    return (n, *(divide(moments[..., k], n) for k in range(1, 6)))


def _variance(n: Floats, mean: Floats, square: Floats) -> Floats:
    variance = square - mean**2
    # Sums of n equal numbers are off by up to n eps: what lies below that cannot be told from a constant.
    return np.where(variance > (1e-10 + n * _EPS) * square, variance, np.nan)
