"""What one value is of, for the second opinion on its interval: rows, their clusters, and the value of some.

A value without one cluster is the audit's own metric on the rows that are left, of labels in plain numpy,
since so many of them would take scikit-learn too long; a proportion is counted row by row. What the judge
takes from bins is put into bins here too, so that the two are numbers of the same thing.
Refuses nothing: rows that a cell lacks are no records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.judge import audit_action_units as units
from bench.judge import audit_temporal as temporal
from bench.judge.audit_fairness import AGREEMENT, agreement, votes_of
from bench.judge.audit_metrics import affect, counted
from bench.judge.audit_probabilities import by_row, in_bins, knows, on_rows, rows_of
from bench.judge.planned import FUNNEL

if TYPE_CHECKING:
    import pandas as pd

    from bench.judge.audit_values import CellValues

__all__ = ["Records", "of_labels_alone", "records", "scale_of"]

_KINDS = {
    "proportion": "accuracy recall precision false_positive_rate selection_rate coverage flip_rate "
    f"onset_missed stability severity_flips {' '.join(FUNNEL)}",
    "logit": "uar macro_f1 weighted_f1 sagr ece aurc auroc js crowd_agreement label_agreement jitter "
    "segment_agreement au_f1 au_auroc",
    "atanh": "kappa mcc ccc pcc au_icc",
    "log": "rmse mae label_sd brier nll cross_entropy soft_brier onset_lag",
    "plain": "bias",
}
_SCALE = {name: scale for scale, names in _KINDS.items() for name in names.split()}
_COLUMN = re.compile(r"(_within|_between)?_(valence|arousal|dominance)(_covered)?")
_DECIDED = ("false_positive_rate", "selection_rate")  # their successes are rows decided as the label

Rows = np.ndarray  # a mask, or places


class Records(NamedTuple):
    """N rows that a metric is of.

    ``row`` (N,) names those of the cell and ``cluster`` (N,) their clusters; ``measure`` and ``present`` take
    some of the rows: the value of those, and which classes have one; ``hits`` (N,) how far each is a success,
    of proportions; ``alike`` (N,) numbers rows that are the same to the metric alike, where it is known.
    """

    row: np.ndarray
    cluster: np.ndarray
    measure: Callable[[Rows], float]
    present: Callable[[Rows], np.ndarray]
    hits: np.ndarray | None = None
    alike: np.ndarray | None = None

    def of(self, groups: pd.Series[str], value: str | None) -> Records:
        """Those of one value; ``groups`` has that of every row of the cell."""
        at = np.flatnonzero((groups.loc[self.row] == (value or "")).to_numpy())
        return Records(
            self.row[at], self.cluster[at],
            lambda some: self.measure(at[some]), lambda some: self.present(at[some]),
            None if self.hits is None else self.hits[at], None if self.alike is None else self.alike[at],
        )  # fmt: skip


def scale_of(metric: str) -> str | None:
    """``proportion``, or the scale on which the jackknife of a metric is taken; None for unknown ones."""
    stem = metric.partition("/")[0]
    if stem.startswith("jitter_"):
        return "log"
    return _SCALE.get(_COLUMN.sub("", stem))


def records(cell: CellValues, metric: str) -> Records:
    """All records of a metric that the cell gives."""
    if temporal.knows(metric):
        rows = cell.followed.records(metric)
        hits = rows["amount"].to_numpy(float) if scale_of(metric) == "proportion" else None
        cluster = cell.frame.loc[rows.index, "said/cluster"].to_numpy()
        at = rows.index.to_numpy()
        return Records(
            at, cluster, lambda some: temporal.measure(metric, rows.iloc[_places(some)]), _any, hits
        )
    if units.knows(metric):
        return _of_units(cell, metric)
    if metric == AGREEMENT:
        rows = votes_of(cell.frame)
        alike = rows[["said/agreement"]]
        return _on(rows, lambda some: agreement(alike.iloc[_places(some)]))
    if knows(metric, cell.facts.labels):
        return _of_probabilities(cell, metric)
    return _of_columns(cell, metric)


def _on(
    rows: pd.DataFrame, measure: Callable[[Rows], float], present: Callable[[Rows], np.ndarray] | None = None
) -> Records:
    return Records(rows.index.to_numpy(), rows["said/cluster"].to_numpy(), measure, present or _any)


def _places(some: Rows) -> np.ndarray:
    return np.flatnonzero(some) if some.dtype == bool else some


def _any(some: Rows) -> np.ndarray:
    return np.array([len(_places(some)) > 0])


def _of_columns(cell: CellValues, metric: str) -> Records:
    """Metrics of two columns: of labels, coverage, valence, arousal and dominance."""
    found, labels = cell.family(metric), cell.facts.labels
    rows, of_labels = found.rows, affect(metric) is None and metric not in ("coverage", *FUNNEL)
    if of_labels:
        rows = counted(metric, labels, rows)
    truth, said = (rows[name].to_numpy() for name in found.columns)
    if scale_of(metric) == "proportion":
        return _on(rows, lambda _: np.nan)._replace(hits=_hits(metric, truth, said, labels))
    _, alike = np.unique(np.stack([truth, said]).astype(float), axis=1, return_inverse=True)
    alike = alike.reshape(-1)
    if not of_labels:
        function = found.functions[metric]
        return _on(rows, lambda some: function(truth[some], said[some]))._replace(alike=alike)

    def table(some: Rows) -> np.ndarray:
        """Rows by true label and decision, the last column *none*."""
        size = len(labels) + 1
        places = truth[some] * size + np.where(said[some] < 0, len(labels), said[some])
        return np.bincount(places, minlength=size * len(labels)).reshape(len(labels), size).astype(float)

    return _on(
        rows,
        lambda some: of_labels_alone(metric, table(some)),
        lambda some: np.asarray(table(some).any(axis=1)),
    )._replace(alike=alike)


def of_labels_alone(metric: str, table: np.ndarray) -> float:
    """A metric of labels and decisions from how often they meet: (K, K + 1), the last column *none*."""
    right, true, said, n = np.diag(table), table.sum(axis=1), table.sum(axis=0), table.sum()
    there = true > 0
    if metric == "uar":
        return float((right[there] / true[there]).mean())
    if metric in ("macro_f1", "weighted_f1"):
        f1 = 2 * right[there] / (true + said[:-1])[there]
        return float(np.average(f1, weights=true[there] if metric == "weighted_f1" else None))
    chance = true @ said[:-1] / n**2
    if metric == "kappa":
        return float((right.sum() / n - chance) / (1 - chance)) if chance < 1 else np.nan
    spread = [1 - (side / n) @ (side / n) for side in (true, said)]
    flat = min((side > 0).sum() for side in (true, said)) < 2
    return np.nan if flat else float((right.sum() / n - chance) / np.sqrt(np.prod(spread)))


def _hits(metric: str, truth: np.ndarray, said: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Whether each row in the denominator of a proportion is a success."""
    if metric in ("coverage", *FUNNEL):
        return said.astype(float)
    stem, _, label = metric.partition("/")
    return np.asarray(said == (labels.index(label) if stem in _DECIDED else truth), float)


def _of_probabilities(cell: CellValues, metric: str) -> Records:
    rows, labels = rows_of(cell.frame, metric), cell.facts.labels
    graded = [name for name in rows.columns if str(name).startswith("said/p_")]
    truth, said = (rows[name].to_numpy() for name in ("said/truth", "said/decision"))
    if metric == "aurc":
        sure, wrong = in_bins(rows[graded].to_numpy(float).clip(0, 1)).max(axis=1), truth != said
        return _on(rows, lambda some: _area_under_risk(sure[some], wrong[some]))
    if metric.startswith("auroc/"):
        label = metric.partition("/")[2]
        own, place = truth == labels.index(label), in_bins(rows[f"said/p_{label}"].to_numpy(float).clip(0, 1))
        sides = np.stack([own, ~own], axis=1)
        return _on(
            rows, lambda some: _area_under_roc(own[some], place[some]), lambda some: sides[some].any(axis=0)
        )
    if metric == "crowd_agreement":
        votes = np.stack([*rows["votes"], np.zeros(len(labels))])[:-1]
        cast = votes.sum(axis=1)
        alike = np.where(said < 0, 0.0, votes[np.arange(len(votes)), said])
        return _on(rows, lambda some: float(alike[some].sum() / cast[some].sum()))
    if metric != "ece":
        amount = by_row(rows, metric, labels) if len(rows) else np.zeros(0)
        return _on(rows, lambda some: float(amount[some].mean()))
    narrow = rows[[*graded, "said/truth", "said/decision"]]
    return _on(rows, lambda some: on_rows(narrow.iloc[_places(some)], metric, labels).value)


def _area_under_risk(sure: np.ndarray, wrong: np.ndarray) -> float:
    """The mean error rate of the first rows, the surest first, rows alike being wrong alike."""
    _, place, count = np.unique(-sure, return_inverse=True, return_counts=True)
    errors = np.repeat(np.bincount(place, wrong) / count, count)
    return float(np.mean(np.cumsum(errors) / np.arange(1, len(errors) + 1)))


def _area_under_roc(own: np.ndarray, place: np.ndarray) -> float:
    """Mann and Whitney's U by the pairs there are; ties count half."""
    from scipy.stats import rankdata

    pairs = int(own.sum()) * int((~own).sum())
    above = rankdata(place)[own].sum() - own.sum() * (own.sum() + 1) / 2
    return float(above / pairs) if pairs else np.nan


def _of_units(cell: CellValues, metric: str) -> Records:
    targets, scale, rows = cell.cell.targets, cell.facts.au_scale, cell.frame
    assert targets is not None
    rows = units.in_bins(rows, scale) if metric.startswith("au_auroc") else rows
    rows = rows[units.coded(rows, metric, targets).any(axis="columns")]
    names = [name for name in rows.columns if "au_" in str(name)]
    narrow = rows[[*names, "said/cluster", "said/judged", "said/status"]]
    return _on(
        rows, lambda some: units.on_units(narrow.iloc[_places(some)], metric, scale, targets).value,
        lambda some: units.present(narrow.iloc[_places(some)], metric, scale, targets),
    )  # fmt: skip
