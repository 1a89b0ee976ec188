"""Fairness: how the values of one slice differ, as rows of Estimates of kind gap, contrast, spread and ratio.

Compared are the reportable values alone; insufficient and withheld ones are left out. The rest that a value
is held against is all rows of the other values, insufficient and withheld ones among them, but none in which
the attribute is unmeasured; where a withheld number could be worked out from it there is no such contrast. A
gap stands beside what chance alone makes of it; a contrast is a difference with an interval that holds for
all contrasts of its family at once; the spread is what is left of the values' variance once their own
uncertainty is taken off; ratios are shown and never decide anything. Refuses to compare metrics whose value
depends on how many rows a group has other than against chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.judge.action_units import of_units
from bench.judge.atoms import Tally
from bench.judge.cautions import cautioned, counts, differing
from bench.judge.contrasts import Contrasts, against_rest, contrast, pairs
from bench.judge.gaps import gap
from bench.judge.infer import effective, linearised
from bench.judge.influence import Influence, influence
from bench.judge.metrics import Metric
from bench.judge.multiplicity import benjamini_hochberg, holm
from bench.judge.rows import Bools, Floats
from bench.judge.slices import UNMEASURED, Slice
from bench.judge.spread import error_ratio, min_max_ratio, ratio_alarm, sdd80, spread
from bench.judge.status import INSUFFICIENT, REPORTABLE

__all__ = ["Comparison", "adjust", "compared", "differences"]

REST = "rest"
_FEW = "nothing to compare: fewer than two values hold enough"
_LABEL_SPREAD = ("ccc", "pcc")
_UNKNOWN = "left out of the spread: how well it is known cannot be said"
_REVEALS = "no contrast with the rest: it would reveal what is withheld"
_SHOWN_ONLY = "shown only: of groups with equal rates this falls below .8 as often as null_mean says"


@dataclass(frozen=True)
class Comparison:
    """What a comparison of the values of one slice needs.

    ``included`` (V,) says which values are compared; ``hidden`` (V,) of which the number is withheld,
    ``partly`` (V,) of which a class is, and ``cells`` (V,) of which a class or the rows decided as one are.
    """

    metric: Metric
    one: Slice
    tally: Tally
    included: Bools
    hidden: Bools
    partly: Bools
    cells: Bools
    level: float
    seed: int
    draws: int


def compared(one: Slice, enough: Bools, hidden: Bools) -> Bools:
    """Which values of a slice are compared with each other, (V,)."""
    return np.asarray(enough & ~hidden & _measured(one))


def differences(asked: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the rows of one metric over one slice: its gap, its contrasts, its spread, its ratios."""
    if int(asked.included.sum()) < 2:
        yield _gap(asked)
        return
    found = influence(asked.metric, asked.tally)
    said = differing(asked.metric, asked.tally, asked.included)
    yield cautioned(_gap(asked), said)
    if not asked.metric.biased:
        for row in _contrasts(asked, found):
            yield cautioned(row, said)
        yield from _spread(asked, found)
        if asked.metric.kind == "proportion":
            yield from _ratios(asked)


def adjust(rows: list[dict[str, Any]], primary: Sequence[str]) -> None:
    """Write into ``p_adjusted`` what each p of a gap is worth among all gaps of a model.

    The ``primary`` ones, named ``gap/METRIC/SLICE`` (``gap/recall/sex``: of every label), are confirmatory
    and held together over all data sets and conditions (Holm); one that could not be tested counts as p = 1,
    and has none itself. All others are exploratory (false discovery rate, Benjamini-Hochberg). ``family``
    says how many tests there are.
    """
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == model]
        gaps = [row for row in mine if row["kind"] == "gap"]
        for row in gaps:
            if _tests(row) & set(primary):
                row["role"] = "confirmatory"
        marked = [row for row in gaps if row["role"] == "confirmatory"]
        _confirm(marked, _unmade(mine, primary), model)
        tests = [row for row in gaps if row["role"] != "confirmatory" and row["p"] == row["p"]]
        family = f"{_counted(len(tests), 'other gap' if marked else 'gap')} of {model}"
        found = benjamini_hochberg(np.array([row["p"] for row in tests]))
        for row, adjusted in zip(tests, found, strict=True):
            row["p_adjusted"], row["family"] = float(adjusted), family


def _confirm(marked: list[dict[str, Any]], unmade: int, model: str) -> None:
    """Hold the primary gaps of a model together, and as many more that it has no row of."""
    # What was declared is counted, whatever came of it: else a test that failed would ease the others.
    p = np.array([1.0 if row["p"] != row["p"] else row["p"] for row in marked] + [1.0] * unmade)
    lacking = unmade + sum(row["p"] != row["p"] for row in marked)
    family = f"{_counted(len(p), 'primary gap')} of {model}"
    for row, adjusted in zip(marked, holm(p)[: len(marked)], strict=True):
        row["family"] = f"{family}, {lacking} of them not testable" if lacking else family
        if row["p"] == row["p"]:
            row["p_adjusted"] = float(adjusted)


def _tests(row: dict[str, Any]) -> set[str]:
    """What a suite may call the test of a gap; one matched for base rates is another test."""
    metrics = {row["metric"], row["metric"].partition("/")[0]} if row.get("reference") is None else ()
    return {f"gap/{metric}/{row['slice']}" for metric in metrics}


def _unmade(mine: list[dict[str, Any]], primary: Sequence[str]) -> int:
    """How many primary tests have no gap, over all data sets and conditions of a model."""
    made: dict[tuple[Any, ...], set[str]] = {}
    for row in mine:
        if row["kind"] in ("gap", "value"):
            cell = tuple(row.get(name) for name in ("dataset", "condition", "severity", "where"))
            made.setdefault(cell, set()).update(_tests(row) if row["kind"] == "gap" else ())
    return sum(len(set(primary) - tests) for tests in made.values())


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _measured(one: Slice) -> Bools:
    """Which values have every attribute measured, and the control within which they are compared."""
    sign = "|" if one.control else "&"
    parts = (value.replace(sign, "&").split("&") for value in one.values)
    return np.array([UNMEASURED not in each for each in parts], np.bool_)


def _gap(asked: Comparison) -> dict[str, Any]:
    metric, left_out = asked.metric, int((~asked.included).sum())
    row: dict[str, Any] = {"kind": "gap", "role": "exploratory", "slices_left_out": left_out, "p": np.nan}
    if int(asked.included.sum()) < 2:
        return {**row, "status": INSUFFICIENT, "warning": _FEW}
    found = gap(metric, asked.tally, asked.included, asked.seed, asked.draws)
    stem = metric.name.partition("_")[0]
    depends = f"{stem.upper()} depends on the spread of labels: read RMSE, bias and label SD beside it"
    notes = [
        found.reason,
        depends if stem in _LABEL_SPREAD else None,
        _REVEALS if _rest_reveals(asked) else None,
    ]
    return {
        **row, "estimate": found.estimate, "null_mean": found.null_mean, "null_p95": found.null_p95,
        "p": found.p, "clusters": found.clusters, "method": found.method, "status": REPORTABLE,
        "warning": "; ".join(filter(None, notes)) or None,
    }  # fmt: skip


def _contrasts(asked: Comparison, found: Influence) -> Iterator[dict[str, Any]]:
    values, included = asked.one.values, np.flatnonzero(asked.included)
    measured = _measured(asked.one)
    # Where there are but two values, each is the other's rest.
    if measured.sum() > 2 and not _rest_reveals(asked):
        rest, weights = against_rest(asked.metric, asked.tally, measured)
        family = f"{len(included)} values of {asked.one.label} against the rest"
        named = [(values[g], REST) for g in included]
        yield from _rows(_contrast(asked, rest, weights[included]), named, family, asked.level)
    weights, places = pairs(asked.included)
    family = f"{len(places)} pairs of {asked.one.label}"
    named = [(values[g], values[h]) for g, h in places]
    yield from _rows(_contrast(asked, found, weights), named, family, asked.level)


def _rest_reveals(asked: Comparison) -> bool:
    """Whether withheld numbers could be worked out from those of the rests.

    A value and its rest add up to the measured rows, and these with the unmeasured ones to the whole, so
    that a withheld ``unmeasured`` would follow. A metric that averages over classes weighs those of the rest
    anew, which is one more equation in the withheld classes of any value.
    """
    # All rows within one value of a control are shown nowhere else: nothing was withheld for their sake.
    if asked.one.control is not None and asked.hidden.any():
        return True
    key = asked.metric.key
    averages = of_units(key) or (key.kernel == "confusion" and asked.metric.kind != "proportion")
    unmeasured = asked.hidden & ~_measured(asked.one)
    return bool(unmeasured.any() or (averages and (asked.hidden | asked.partly).any()))


def _ratios(asked: Comparison) -> Iterator[dict[str, Any]]:
    """The smallest rate over the largest, with its false alarms, and the largest error over the mean one."""
    tally = asked.tally.where(asked.metric.count(asked.tally.stats) > 0)
    hits, rows = (np.asarray(part, np.float64) for part in asked.metric.formula(tally.stats))
    successes, trials = counts(asked.metric, asked.tally, asked.included)
    clusters = tally.clusters[asked.included]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates, variances = (part[asked.included] for part in linearised(hits, rows, tally))
        alone = effective(rates, variances, trials, clusters.astype(np.float64)).astype(np.int64)
    alarm = ratio_alarm(successes.sum() / trials.sum(), alone, asked.seed, draws=asked.draws)
    row: dict[str, Any] = {"kind": "ratio", "role": "exploratory", "status": REPORTABLE}
    row["clusters"] = _distinct(asked, asked.included)
    smallest = {"reference": "min/max", "estimate": min_max_ratio(rates), "null_mean": alarm}
    yield {**row, **smallest, "warning": _SHOWN_ONLY}
    if asked.metric.direction in ("higher", "lower"):
        errors = trials - successes if asked.metric.direction == "higher" else successes
        largest = {"reference": "max/geometric mean", "estimate": error_ratio(errors, trials)}
        yield {**row, **largest, "warning": None}


def _contrast(asked: Comparison, found: Influence, weights: Floats) -> Contrasts:
    return contrast(found, weights, asked.level, asked.seed, asked.draws)


def _rows(
    found: Contrasts, named: list[tuple[str, str]], family: str, level: float
) -> Iterator[dict[str, Any]]:
    smallest = sdd80(found.se, found.df, found.critical)
    for k, (value, reference) in enumerate(named):
        numbers = {
            name: float(getattr(found, name)[k])
            for name in ("estimate", "low", "high", "p", "p_adjusted", "df")
        }
        yield {
            "kind": "contrast", "value": value, "reference": reference, **numbers, "side": "two-sided",
            "level": level, "method": found.method, "sdd80": float(smallest[k]), "role": "exploratory",
            "family": family, "status": REPORTABLE, "warning": found.reason[k],
        }  # fmt: skip


def _spread(asked: Comparison, found: Influence) -> Iterator[dict[str, Any]]:
    included = np.flatnonzero(asked.included)
    known = np.isfinite(found.estimate[included]) & np.isfinite(np.diag(found.covariance)[included])
    between = spread(found.estimate[included], found.covariance[np.ix_(included, included)])
    row = {"kind": "spread", "role": "exploratory", "method": "variance-components"}
    names = [asked.one.values[g] for g in included[~known]]
    out = f"{_UNKNOWN}: {', '.join(names)}" if names else None
    counted = np.zeros(asked.tally.values, np.bool_)
    counted[included[known]] = True
    yield {
        **row,
        "estimate": float(np.sqrt(between.variance)),
        "clusters": _distinct(asked, counted),
        "status": REPORTABLE if known.sum() > 1 else INSUFFICIENT,
        "warning": out,
    }
    for g, shrunken, sure in zip(included, between.shrunken, known & (known.sum() > 1), strict=True):
        named = {"value": asked.one.values[g], "reference": "shrunken", "estimate": float(shrunken)}
        why = None if sure else _UNKNOWN
        yield {**row, **named, "status": REPORTABLE if sure else INSUFFICIENT, "warning": why}


def _distinct(asked: Comparison, included: Bools) -> int:
    """How many clusters have a row in some included value, each counted once."""
    tally = asked.tally.where((asked.metric.count(asked.tally.stats) > 0) & included[asked.tally.value])
    return int(tally.multiplicity.sum() if tally.cluster is None else len(np.unique(tally.cluster)))
