"""The second opinion on metrics of probabilities and votes: whole rows, sorted and compared.

What the judge takes from histograms is exact here, and comes with how far binning may have moved it. Misses,
ties and labels outside the label space are written down a second time (STATISTICS, Misses). Refuses nothing:
what the tables cannot give has no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from bench.tables.frame import gives_labels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OnRows", "by_row", "gives", "in_bins", "knows", "on_rows", "rows_of"]

_ON_LABELS, _ON_VOTES = ("ece", "brier", "nll", "aurc"), ("cross_entropy", "soft_brier", "js")
_AGREEMENT, _RANKS = "crowd_agreement", "auroc/"
_LEAST = 2.0**-52  # the least probability whose logarithm is taken
_BINS, _LOGITS, _STEP = 15, 16.0, 8  # of ECE; of histograms, from -16 to 16 in eighths


class OnRows(NamedTuple):
    """A value, and how far the same in bins may lie from it."""

    value: float
    bound: float = 0.0


def knows(metric: str, labels: Sequence[str]) -> bool:
    """Whether this path can compute the metric."""
    return metric in (*_ON_LABELS, *_ON_VOTES, _AGREEMENT, *(f"{_RANKS}{label}" for label in labels))


def gives(metric: str, targets: pa.Table, predictions: pa.Table) -> bool:
    """Whether both tables hold what a metric needs."""
    truth = "votes" if metric in (*_ON_VOTES, _AGREEMENT) else "label"
    if truth not in targets.column_names or targets[truth].null_count == len(targets):
        return False
    if metric == _AGREEMENT:
        return gives_labels(predictions)
    wanted = f"p_{metric.removeprefix(_RANKS)}" if metric.startswith(_RANKS) else "p_"
    return any(name == wanted or (wanted == "p_" and name[:2] == wanted) for name in predictions.column_names)


def rows_of(frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The rows of ``joined`` in the denominator: with the truth and, where they are judged, probabilities."""
    if metric == _AGREEMENT:
        return frame[frame["said/judged"] & _cast(frame)]
    known = _cast(frame) if metric in _ON_VOTES else frame["said/truth"] >= 0
    return frame[(frame["said/status"] == "ok") & known]


def on_rows(rows: pd.DataFrame, metric: str, labels: Sequence[str]) -> OnRows:
    """The metric over rows of ``rows_of``, of which there is at least one."""
    if metric == _AGREEMENT:
        votes = np.stack(rows["votes"].to_numpy())
        decided = rows["said/decision"].to_numpy()
        return OnRows(float(votes[decided >= 0, decided[decided >= 0]].sum() / votes.sum()))
    if metric.startswith(_RANKS):
        label = metric.removeprefix(_RANKS)
        own = (rows["said/truth"] == list(labels).index(label)).to_numpy()
        return _auroc(own, rows[f"said/p_{label}"].to_numpy(float).clip(0, 1))
    if metric in (*_ON_VOTES, "nll"):
        return OnRows(float(by_row(rows, metric, labels).mean()))
    p = _probabilities(rows, labels)
    truth, wrong = rows["said/truth"].to_numpy(), (rows["said/truth"] != rows["said/decision"]).to_numpy()
    if metric == "ece":
        return OnRows(_ece(p.max(axis=1), ~wrong))
    if metric == "aurc":
        return _aurc(p.max(axis=1), wrong)
    from sklearn.metrics import mean_squared_error

    return OnRows(float(mean_squared_error(np.eye(p.shape[1])[truth], p, multioutput="raw_values").sum()))


def by_row(rows: pd.DataFrame, metric: str, labels: Sequence[str]) -> np.ndarray:
    """What a metric is the mean of, (N,); of NLL, the Brier score and the metrics of votes but agreement."""
    p = _probabilities(rows, labels)
    if metric in _ON_VOTES:
        return _soft(metric, p, rows, labels)
    truth = rows["said/truth"].to_numpy()
    if metric == "nll":
        return np.asarray(-np.log(np.fmax(p[np.arange(len(p)), truth], _LEAST)))
    return np.asarray(np.square(np.eye(p.shape[1])[truth] - p).sum(axis=1))


def _cast(frame: pd.DataFrame) -> pd.Series[bool]:
    return frame["votes"].map(lambda votes: votes is not None and np.sum(votes) > 0).astype(bool)


def _probabilities(rows: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    """(N, labels and then others), 0 for a label without a column."""
    columns = [f"said/p_{label}" for label in labels]
    others = [name for name in rows.columns if str(name).startswith("said/p_") and name not in columns]
    return np.asarray(rows.reindex(columns=[*columns, *others], fill_value=0.0).to_numpy(float).clip(0, 1))


def _ece(confidence: np.ndarray, hit: np.ndarray) -> float:
    import pandas as pd

    table = pd.DataFrame({"error": hit - confidence})
    bins = pd.cut(confidence, [b / _BINS for b in range(_BINS + 1)], include_lowest=True)
    return float(table.groupby(bins, observed=True)["error"].sum().abs().sum() / len(table))


def _soft(metric: str, p: np.ndarray, rows: pd.DataFrame, labels: Sequence[str]) -> np.ndarray:
    from scipy.stats import entropy

    votes = np.stack(rows["votes"].to_numpy())
    q = np.pad(votes / votes.sum(axis=1, keepdims=True), ((0, 0), (0, p.shape[1] - len(labels))))
    if metric == "soft_brier":
        return np.asarray(np.square(np.linalg.norm(p - q, axis=1)))
    if metric == "cross_entropy":
        return np.asarray(-(q * np.log(np.fmax(p, _LEAST))).sum(axis=1))
    p = p / p.sum(axis=1, keepdims=True)
    mixed = entropy((p + q) / 2, base=2, axis=1)
    return np.asarray(mixed - (entropy(p, base=2, axis=1) + entropy(q, base=2, axis=1)) / 2)


def in_bins(p: np.ndarray) -> np.ndarray:
    """The bin of each probability, eighths of a logit from -128 up; the outer two are open."""
    from scipy.special import logit

    return np.asarray(np.floor(np.clip(logit(p), -_LOGITS, _LOGITS - 1 / _STEP) * _STEP))


def _auroc(own: np.ndarray, p: np.ndarray) -> OnRows:
    from sklearn.metrics import roc_auc_score

    if own.all() or not own.any():
        return OnRows(np.nan)
    places, bins = np.unique(in_bins(p), return_inverse=True)
    here, there = (np.bincount(bins[mask], minlength=len(places)) / mask.sum() for mask in (own, ~own))
    return OnRows(float(roc_auc_score(own, p)), float(here @ there / 2))


def _aurc(confidence: np.ndarray, wrong: np.ndarray) -> OnRows:
    """By sorted rows; those of equal confidence in the mean over their orders."""
    bins = in_bins(confidence)
    middle = _area(bins, _levelled(bins, wrong))
    orders = [_area(bins + sign * wrong / 2, wrong) for sign in (1, -1)]
    return OnRows(
        _area(confidence, _levelled(confidence, wrong)), max(abs(order - middle) for order in orders)
    )


def _levelled(score: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The share of wrong rows among those of the same score."""
    import pandas as pd

    return np.asarray(pd.Series(wrong.astype(float)).groupby(score).transform("mean"))


def _area(score: np.ndarray, errors: np.ndarray) -> float:
    """The mean error rate of the first rows, over every number of first rows, from the highest score down."""
    import pandas as pd

    return float(pd.Series(errors[np.argsort(-score, kind="stable")]).astype(float).expanding().mean().mean())
