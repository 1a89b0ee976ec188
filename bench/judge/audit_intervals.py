"""The second opinion on intervals of single values: again from rows and clusters, by STATISTICS, Intervals.

A proportion is the ratio of two sums over clusters with Korn and Graubard's number of rows in Wilson's or
Clopper and Pearson's interval; all else is the jackknife, each cluster's rows left out in turn and the value
of the rest computed anew on scipy's distributions. Shares no code with what it audits. The jackknife of all
values of a slice is made or none, as long as that is affordable: beyond it a sample of slices and metrics is
drawn, the same one each time. Refuses nothing: an interval that it does not look at is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.judge.audit_records import Records, scale_of

__all__ = ["AFFORDABLE", "Interval", "interval", "jackknifed", "part_of", "sample"]

AFFORDABLE = 10**8
"""The rows that the jackknife of a run may look at, each value without a cluster being a look at its rows."""
_CALL = 2_000  # rows that would take as long as what a call takes without any
_OF_DECISIONS = ("uar", "macro_f1", "weighted_f1", "kappa", "mcc")
_BACK: dict[str, Callable[[float], Any]] = {
    "logit": lambda x: 1 / (1 + np.exp(-x)), "atanh": np.tanh, "log": np.exp, "plain": float,
}  # fmt: skip
_FEWEST, _EXTREME = 5, 0.1
_NOTHING = 1e-12  # differences below this are rounding
_RELATIVE = 1e-9

Row = Mapping[str, Any]
Part = tuple[Any, ...]


class Interval(NamedTuple):
    """A value and its interval, NaN and no method where it has none, and the error behind it.

    ``pull`` (G,) is what each cluster of ``cluster`` (G,) adds to the error of the value on its own scale:
    the squares add up to the variance; NaN where one of them cannot be said.
    """

    estimate: float
    low: float
    high: float
    df: float
    n_eff: float
    level: float
    method: str | None
    cluster: np.ndarray
    pull: np.ndarray

    @property
    def doubt(self) -> float:
        """How far rounding may move the degrees of freedom, as a share of them.

        Of nearly perfect predictions values without one cluster are nearly equal, and so are rounded apart.
        """
        apart = float(np.std(self.pull)) if len(self.pull) else 0.0
        return _RELATIVE + (100 * np.finfo(float).eps * abs(self.estimate) / apart if apart > 0 else 0.0)


def interval(records: Records, metric: str, level: float) -> Interval:
    """The interval of a value and what clusters do to it; ``scale_of`` knows the metric."""
    names, cluster = np.unique(records.cluster.astype(str), return_inverse=True)
    if records.hits is not None:
        return _proportion(np.bincount(cluster, records.hits), np.bincount(cluster), names, level)
    return _jackknife(records, cluster, names, str(scale_of(metric)), level)


def _proportion(hits: np.ndarray, rows: np.ndarray, names: np.ndarray, level: float) -> Interval:
    """Cochran 1977, section 6.3, for the variance; Korn, Graubard 1998 for the interval."""
    from scipy.stats import norm, t

    groups = len(names)
    if not groups:
        return _none(np.nan, level, names)
    p = hits.sum() / rows.sum()
    error = hits - p * rows
    error[abs(error) <= _NOTHING * rows] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = np.sqrt(groups / np.subtract(groups, 1.0)) * error / rows.sum()
        variance = (pull**2).sum()
        certain = p in (0.0, 1.0)
        n_eff = float(groups) if certain else np.minimum(rows.sum(), p * (1 - p) / variance)
    if groups < _FEWEST:
        return _none(p, level, names, pull)._replace(n_eff=float(n_eff))
    df, side = _freedom(error), (1 + level) / 2
    n = n_eff if certain else n_eff * (norm.ppf(side) / t.ppf(side, df)) ** 2
    extreme = min(p, 1 - p) < _EXTREME
    low, high = (_clopper_pearson if extreme else _wilson)(p, n, level)
    method = "clopper-pearson-clustered" if extreme else "wilson-clustered"
    return Interval(p, low, high, df, float(n_eff), level, method, names, pull)


def _wilson(p: float, n: float, level: float) -> tuple[float, float]:
    """The x of which p is as far away as z standard errors: roots of (p - x)^2 = z^2 x (1 - x) / n."""
    from numpy.polynomial import Polynomial
    from scipy.stats import norm

    share = norm.ppf((1 + level) / 2) ** 2 / n
    low, high = sorted(Polynomial([p * p, -2 * p - share, 1 + share]).roots().real)
    return float(low), float(high)


def _clopper_pearson(p: float, n: float, level: float) -> tuple[float, float]:
    """Quantiles of the two beta distributions that p n successes, and one more, belong to."""
    from scipy.stats import beta

    x, tail = p * n, (1 - level) / 2
    low = beta.ppf(tail, x, n - x + 1) if p > 0 else 0.0
    return float(low), float(beta.isf(tail, x + 1, n - x)) if p < 1 else 1.0


def _freedom(errors: np.ndarray) -> float:
    """2 V^2 / Var(V) of V, a sum of squared errors, Var(V) from their kurtosis; n - 1 at most."""
    from scipy.stats import kurtosis

    n = len(errors)
    apart = errors - errors.mean()
    if n < 4 or not apart.any():
        return n - 1.0
    excess = float(kurtosis(apart / abs(apart).max(), bias=False))
    return float((n - 1) / (1 + (n - 1) / (2 * n) * max(excess, 0.0)))


def _jackknife(
    records: Records, cluster: np.ndarray, names: np.ndarray, scale: str, level: float
) -> Interval:
    """Leave-one-cluster-out values on a scale, t on G - 1, or on what the variance has (Satterthwaite)."""
    from scipy.stats import t

    groups = len(names)
    estimate = records.measure(np.ones(len(cluster), bool)) if groups else np.nan
    if groups < 2:
        return _none(estimate, level, names)
    values, lost = _left_out(records, cluster, groups)
    plain = np.where(lost, np.nan, values)
    shrink = np.sqrt((groups - 1) / groups)
    pull = shrink * (plain.mean() - plain)
    scaled, centre = _on(scale, values), _on(scale, np.array([estimate]))[0]
    unsafe = groups < _FEWEST or lost.any() or not np.isfinite([centre, *scaled]).all()
    if unsafe or (error := shrink * np.linalg.norm(scaled - scaled.mean())) < _NOTHING:
        return _none(estimate, level, names, pull)
    df = _freedom(scaled) if scale in ("atanh", "log") else groups - 1.0
    back = _BACK[scale]
    half = t.ppf((1 + level) / 2, df) * error
    low, high = float(back(centre - half)), float(back(centre + half))
    method = "jackknife" if scale == "plain" else f"jackknife-{scale}"
    return Interval(estimate, low, high, df, np.nan, level, method, names, pull)


def _left_out(records: Records, cluster: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The value without each cluster, and whether a class is lost with it; the same for clusters alike."""
    order = np.argsort(cluster, kind="stable")
    rows_of = np.split(order, np.flatnonzero(np.diff(cluster[order])) + 1)
    all_present = records.present(np.ones(len(cluster), bool))
    known: dict[bytes, tuple[float, bool]] = {}
    found = []
    for number, rows in enumerate(rows_of):
        held = np.array([number]) if records.alike is None else np.sort(records.alike[rows])
        if (name := held.tobytes()) not in known:
            rest = np.ones(len(cluster), bool)
            rest[rows] = False
            lost = bool(np.any(all_present & ~records.present(rest)))
            known[name] = (records.measure(rest) if rest.any() else np.nan), lost
        found.append(known[name])
    assert len(found) == groups
    return np.array([value for value, _ in found]), np.array([lost for _, lost in found], bool)


def _on(scale: str, values: np.ndarray) -> np.ndarray:
    """Values on the scale of their interval, infinite on, or by rounding beside, the bound of their range."""
    from scipy.special import logit

    with np.errstate(divide="ignore", invalid="ignore"):
        if scale == "logit":
            return np.asarray(
                logit(np.where(values < _NOTHING, 0, np.where(values > 1 - _NOTHING, 1, values)))
            )
        if scale == "atanh":
            return np.arctanh(np.where(abs(values) > 1 - _NOTHING, np.sign(values), values))
        return np.log(np.where(values < _NOTHING, 0.0, values)) if scale == "log" else values


def _none(estimate: float, level: float, names: np.ndarray, pull: np.ndarray | None = None) -> Interval:
    pull = np.full(len(names), np.nan) if pull is None else pull
    return Interval(estimate, np.nan, np.nan, np.nan, np.nan, level, None, names, pull)


def part_of(row: Row) -> Part:
    """What is looked at together: a metric in all values of a slice of a cell."""
    names = ("model", "dataset", "condition", "severity", "where", "slice", "metric")
    return tuple(row[name] for name in names)


def jackknifed(row: Row) -> bool:
    """Whether the row is a value whose interval is a jackknife's."""
    return row["kind"] == "value" and scale_of(row["metric"]) not in (None, "proportion")


def sample(rows: Sequence[Row], labels: Mapping[str, int]) -> set[Part]:
    """The parts whose jackknife is made: all that are affordable, in an order that is drawn.

    ``labels`` counts those of each data set. Of labels alone no more clusters of one row can be different
    than there are pairs of a label and a decision.
    """
    cost: Counter[Part] = Counter()
    for row in rows:
        if jackknifed(row):
            kinds, n = row["clusters"] or 0, row["n"] or 0
            if n == kinds and row["metric"] in _OF_DECISIONS:
                kinds = min(kinds, labels[row["dataset"]] * (labels[row["dataset"]] + 1))
            cost[part_of(row)] += kinds * (n + _CALL)
    names = sorted(cost, key=str)
    chosen, spent = set[Part](), 0
    for place in np.random.Generator(np.random.Philox(0)).permutation(len(names)):
        name = names[place]
        if spent + cost[name] <= AFFORDABLE:
            chosen.add(name)
            spent += cost[name]
    return chosen
