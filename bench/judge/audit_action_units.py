"""The second opinion on action units: whole rows, scikit-learn and the mean squares of two raters.

What counts as present and what a miss costs are written down a second time. Ranks are exact here, and come
with how far the judge's bins may have moved them. Refuses nothing: what the tables cannot give has no value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "OnUnits", "coded", "few_of_units", "gives", "in_bins", "knows", "on_units", "present",
]  # fmt: skip

_METRIC = re.compile(r"(au_f1|au_auroc|au_icc)(?:/(au_\d\d))?")
_UNIT = re.compile(r"au_\d\d")


class OnUnits(NamedTuple):
    """A value, the rows and clusters it is of, and how far the same in bins may lie from it."""

    value: float
    n: int
    clusters: int
    bound: float = 0.0


def knows(metric: str) -> bool:
    """Whether this path can compute the metric."""
    return _METRIC.fullmatch(metric) is not None


def gives(metric: str, targets: pa.Table, predictions: pa.Table) -> bool:
    """Whether both tables hold what a metric needs: over all units F1 takes any, all else every one."""
    stem, units = _read(metric, targets)
    there = [unit in predictions.column_names for unit in units]
    return any(there) if stem == "au_f1" else bool(there) and all(there)


def on_units(rows: pd.DataFrame, metric: str, scale: str | None, targets: pa.Table) -> OnUnits:
    """The metric over some rows of ``joined``, the mean of the defined ones where it is of several units."""
    stem, units = _read(metric, targets)
    found = [_of_one(rows, stem, unit, scale) for unit in units]
    known = [one for one, _ in found if not np.isnan(one.value)]
    clusters = {cluster for _, part in found for cluster in part["said/cluster"]}
    n = sum(one.n for one, _ in found)
    if not known:
        return OnUnits(np.nan, n, len(clusters))
    value, bound = (float(np.mean([getattr(one, name) for one in known])) for name in ("value", "bound"))
    return OnUnits(value, n, len(clusters), bound)


def coded(rows: pd.DataFrame, metric: str, targets: pa.Table) -> pd.DataFrame:
    """Which rows of ``joined`` the metric is of, a column a unit."""
    stem, units = _read(metric, targets)
    kept = rows[list(units)].notna().apply(lambda held: held & rows["said/judged"])
    if stem != "au_f1":
        for unit in units:
            kept[unit] &= rows[f"said/{unit}"].notna() & (rows["said/status"] == "ok")
    return kept.astype(bool)


def present(rows: pd.DataFrame, metric: str, scale: str | None, targets: pa.Table) -> np.ndarray:
    """Whether any row lacks each unit and any has it; of ``au_icc`` whether the intensities of each vary."""
    kept = coded(rows, metric, targets)
    found = []
    for unit in kept.columns:
        truth = rows.loc[kept[unit], unit].to_numpy(float)
        if metric.startswith("au_icc"):
            found += [len(truth) > 0 and np.ptp(truth) > 0]
        else:
            has = truth >= 2 if scale == "intensity" else truth > 0.5
            found += [bool(has.any()), not has.all()]
    return np.array(found, bool)


def in_bins(rows: pd.DataFrame, scale: str | None) -> pd.DataFrame:
    """The rows with what is said of each unit moved to the middle of its bin."""
    from scipy.special import expit

    said = [name for name in rows.columns if re.fullmatch(r"said/au_\d\d", str(name))]
    places = _bins(rows[said].to_numpy(float), scale)
    middles = places if scale == "intensity" else expit((places + 0.5) / 8)
    return rows.assign(**dict(zip(said, middles.T, strict=True)))


def few_of_units(
    frame: pd.DataFrame, value: pd.Series[str], scale: str | None, floor: int
) -> Iterator[tuple[str, str]]:
    """The values of a slice and the metrics of units that fewer than ``floor`` people there have, or lack."""
    for unit in filter(_UNIT.fullmatch, map(str, frame.columns)):
        coded = frame[frame["said/judged"] & frame[unit].notna()]
        has = coded[unit] >= (2 if scale == "intensity" else 0.5)
        count = coded["said/cluster"].groupby([value[coded.index], has]).nunique()
        for text, _ in count[count < floor].index:
            for stem in ("au_f1", "au_auroc", "au_icc"):
                yield from ((str(text), stem), (str(text), f"{stem}/{unit}"))


def _read(metric: str, targets: pa.Table) -> tuple[str, Sequence[str]]:
    """The stem of a metric, and the units it is of: one, or those coded in some row."""
    stem, _, unit = metric.partition("/")
    names = [name for name in targets.column_names if _UNIT.fullmatch(name)]
    return stem, [unit] if unit else [name for name in names if targets[name].null_count < len(targets)]


def _of_one(rows: pd.DataFrame, stem: str, unit: str, scale: str | None) -> tuple[OnUnits, pd.DataFrame]:
    """A metric of one unit, and the rows it is of."""
    coded = rows[rows["said/judged"] & rows[unit].notna()]
    lacks = f"said/{unit}" not in coded
    said = coded["said/status"].map(lambda _: np.nan) if lacks else coded[f"said/{unit}"].astype(float)
    said = said.where(coded["said/status"] == "ok")
    if stem != "au_f1":
        coded, said = coded[said.notna()], said[said.notna()]
    truth, guess = coded[unit].to_numpy(float), said.to_numpy(float)
    number = {"au_f1": _f1, "au_auroc": _auroc, "au_icc": _icc}[stem]
    value, bound = number(truth, guess, scale) if len(truth) else (np.nan, 0.0)
    return OnUnits(value, len(coded), coded["said/cluster"].nunique(), bound), coded


def _f1(truth: np.ndarray, said: np.ndarray, scale: str | None) -> tuple[float, float]:
    from sklearn.metrics import f1_score

    has, says = (truth >= 2, said >= 2) if scale == "intensity" else (truth > 0.5, said > 0.5)
    missed = np.isnan(said) | ((said == 0.5) & (scale != "intensity"))
    if not has.any():
        return np.nan, 0.0
    return float(f1_score(has, np.where(missed, ~has, says), zero_division=0.0)), 0.0


def _auroc(truth: np.ndarray, said: np.ndarray, scale: str | None) -> tuple[float, float]:
    from sklearn.metrics import roc_auc_score

    has = truth >= 2 if scale == "intensity" else truth > 0.5
    if has.all() or not has.any():
        return np.nan, 0.0
    places, bins = np.unique(_bins(said, scale), return_inverse=True)
    here, there = (np.bincount(bins[mask], minlength=len(places)) / mask.sum() for mask in (has, ~has))
    return float(roc_auc_score(has, said)), float(here @ there / 2)


def _bins(said: np.ndarray, scale: str | None) -> np.ndarray:
    """Intensities below 0 and from 5 on, and logits beyond 16, share a bin."""
    from scipy.special import logit

    if scale == "intensity":
        return np.asarray(np.floor(np.where(said < 0, -1, np.clip(said, 0, 5) * 254 / 5 + 1e-9)))
    with np.errstate(divide="ignore"):
        return np.asarray(np.floor(np.clip(logit(said), -16, 15.9) * 8))


def _icc(truth: np.ndarray, said: np.ndarray, scale: str | None) -> tuple[float, float]:
    """ICC(3,1) from the mean squares of a two-way layout, rows by raters (Shrout, Fleiss 1979, Table 1)."""
    assert scale == "intensity"
    if np.ptp(truth) == 0:
        return np.nan, 0.0
    ratings = np.stack([truth, said], axis=1)
    rows, raters = ratings.shape
    between = raters * ratings.mean(axis=1).var() * rows
    judges = rows * ratings.mean(axis=0).var() * raters
    residual = ratings.var() * ratings.size - between - judges
    bms, ems = between / (rows - 1), residual / ((rows - 1) * (raters - 1))
    return float((bms - ems) / (bms + (raters - 1) * ems)), 0.0
