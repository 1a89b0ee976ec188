"""The second opinion on what only fairness asks: the raters' agreement.

Written down again from the row tables, pair by pair. Refuses nothing: what the tables cannot give has no
value.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.tables.frame import labelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGREEMENT", "agreement", "matched_gap", "of_odds", "votes_of", "within"]

AGREEMENT = "label_agreement"


def of_odds(metric: str) -> tuple[str, ...]:
    """The metrics of which equalised odds is the larger gap, those of one label; none for other metrics."""
    stem, _, label = metric.partition("/")
    return (f"recall/{label}", f"false_positive_rate/{label}") if stem == "equalised_odds" else ()


def votes_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``joined`` with votes to compare, and how far those agree as ``said/agreement``.

    Pairs of single votes; where a vote of the data set is no whole number, the squares of their shares.
    """
    cast = frame["votes"].map(lambda votes: votes is not None).astype(bool)
    counts = not any(np.mod(votes, 1).any() for votes in frame["votes"][cast])
    alike = frame["votes"].where(cast).map(_pairs if counts else _squares, na_action="ignore").astype(float)
    rows = frame.assign(**{"said/agreement": alike})
    return rows[rows["said/judged"] & alike.notna()]


def agreement(rows: pd.DataFrame) -> float:
    """The mean over rows of ``votes_of``."""
    return float(rows["said/agreement"].mean())


def within(slice_: str, value: str) -> str | None:
    """The value of the control within which a value such as ``Male|<30`` is compared; None without one."""
    return value.partition("|")[2] if "|" in slice_ else None


def matched_gap(frame: pd.DataFrame, groups: pd.Series[str], metric: str, labels: Sequence[str]) -> float:
    """The largest less the smallest value of a label metric if every group had the mix of all of them.

    ``groups`` are those compared; scikit-learn's functions with a weight per row. NaN where a group lacks a
    class that another has.
    """
    rows = labelled(frame)
    rows = rows[rows.index.isin(groups.index)]
    table = rows.groupby([groups[rows.index], "said/truth"]).size().unstack(fill_value=0)
    if not table.to_numpy().all():
        return np.nan
    mix = table.sum() / table.to_numpy().sum()
    stem, _, label = metric.partition("/")
    found = []
    for name, part in rows.groupby(groups[rows.index]):
        truth, said = part["said/truth"], part["said/decision"]
        weight = truth.map(mix / (table.loc[name] / table.loc[name].sum()))
        code = list(labels).index(label) if label else -1
        found.append(_weighted(stem, code, truth.to_numpy(), said.to_numpy(), weight.to_numpy()))
    return float(np.ptp(found))


def _weighted(stem: str, code: int, truth: Any, said: Any, weight: Any) -> float:
    from fairlearn.metrics import selection_rate
    from sklearn import metrics as learn

    if stem in ("macro_f1", "weighted_f1"):
        options = {"labels": np.unique(truth), "average": stem.removesuffix("_f1"), "zero_division": 0.0}
        return float(learn.f1_score(truth, said, sample_weight=weight, **options))
    if stem == "precision":
        options = {"labels": [code], "average": "macro", "zero_division": np.nan}
        return float(learn.precision_score(truth, said, sample_weight=weight, **options))
    if stem == "selection_rate":
        return float(selection_rate(truth, said, pos_label=code, sample_weight=weight))
    if stem == "false_positive_rate":
        cells = learn.multilabel_confusion_matrix(truth, said, labels=[code], sample_weight=weight)[0]
        return float(cells[0, 1] / cells[0].sum())
    if stem == "mcc" and len(np.unique(said)) < 2:
        return np.nan
    functions = {
        "accuracy": learn.accuracy_score, "kappa": learn.cohen_kappa_score, "mcc": learn.matthews_corrcoef,
    }  # fmt: skip
    return float(functions[stem](truth, said, sample_weight=weight))


def _pairs(votes: Any) -> float:
    cast = int(sum(votes))
    return sum(comb(int(n), 2) for n in votes) / comb(cast, 2) if cast > 1 else np.nan


def _squares(votes: Any) -> float:
    cast = np.sum(votes)
    return float(np.square(np.asarray(votes) / cast).sum()) if cast > 0 else np.nan
