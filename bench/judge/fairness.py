"""Fairness: how the values of one slice differ, as rows of Estimates of kind gap, contrast and spread.

Compared are the reportable values alone; insufficient ones are shown and left out, withheld ones are never
touched, nor are rows in which the attribute is unmeasured. A gap stands beside what chance alone makes of
it; a contrast is a difference with an interval that holds for all contrasts of its slice at once; the spread
is what is left of the values' variance once their own uncertainty is taken off. Refuses to compare metrics
whose value depends on how many rows a group has other than against chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.contrasts import Contrasts, against_rest, contrast, pairs
from bench.judge.gaps import gap
from bench.judge.influence import Influence, influence
from bench.judge.metrics import Metric
from bench.judge.multiplicity import benjamini_hochberg
from bench.judge.rows import Bools, Floats
from bench.judge.slices import UNMEASURED, Slice
from bench.judge.spread import sdd80, spread
from bench.judge.status import INSUFFICIENT, REPORTABLE

__all__ = ["Comparison", "adjust", "compared", "differences"]

REST = "rest"
_FEW = "nothing to compare: fewer than two values hold enough"
# They grow or shrink with the size of a group (arXiv 2505.03992): comparable against chance alone.
_SIZED = ("macro_f1", "weighted_f1", "precision", "mcc")
_LABEL_SPREAD = ("ccc", "pcc")


@dataclass(frozen=True)
class Comparison:
    """What a comparison of the values of one slice needs: ``included`` (V,) says which are compared."""

    metric: Metric
    one: Slice
    tally: Tally
    included: Bools
    level: float
    seed: int
    draws: int


def compared(one: Slice, enough: Bools, hidden: Bools) -> Bools:
    """Which values of a slice are compared with each other, (V,)."""
    measured = [UNMEASURED not in value.split("&") for value in one.values]
    return np.asarray(enough & ~hidden & np.array(measured))


def differences(asked: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the rows of one metric over one slice: its gap, its contrasts, its spread."""
    yield _gap(asked)
    if int(asked.included.sum()) < 2:
        return
    found = influence(asked.metric, asked.tally)
    if not asked.metric.name.startswith(_SIZED):
        yield from _contrasts(asked, found)
        yield from _spread(asked, found)


def adjust(rows: list[dict[str, Any]]) -> None:
    """Write the false discovery rate of each gap into ``p_adjusted``, over all gaps of a model.

    Benjamini-Hochberg; every gap is exploratory as long as no suite was locked.
    """
    for model in dict.fromkeys(row["model"] for row in rows):
        gaps = [row for row in rows if row["model"] == model and row["kind"] == "gap"]
        tests = [row for row in gaps if row["p"] == row["p"]]
        for row, q in zip(tests, benjamini_hochberg(np.array([row["p"] for row in tests])), strict=True):
            row["p_adjusted"] = float(q)
            row["family"] = f"{len(tests)} gaps of {model}"


def _gap(asked: Comparison) -> dict[str, Any]:
    metric, left_out = asked.metric, int((~asked.included).sum())
    row: dict[str, Any] = {"kind": "gap", "role": "exploratory", "slices_left_out": left_out, "p": np.nan}
    if int(asked.included.sum()) < 2:
        return {**row, "status": INSUFFICIENT, "warning": _FEW}
    found = gap(metric, asked.tally, asked.included, asked.seed, asked.draws)
    stem = metric.name.partition("_")[0]
    depends = f"{stem.upper()} depends on the spread of labels: read RMSE and bias beside it"
    notes = [found.reason, depends if stem in _LABEL_SPREAD else None]
    return {
        **row, "estimate": found.estimate, "null_mean": found.null_mean, "null_p95": found.null_p95,
        "p": found.p, "clusters": found.clusters, "method": found.method, "status": REPORTABLE,
        "warning": "; ".join(filter(None, notes)) or None,
    }  # fmt: skip


def _contrasts(asked: Comparison, found: Influence) -> Iterator[dict[str, Any]]:
    values, included = asked.one.values, np.flatnonzero(asked.included)
    if len(included) > 2:  # of two values, each is the other's rest
        rest, weights = against_rest(asked.metric, asked.tally)
        family = f"{len(included)} values of {asked.one.name} against the rest"
        named = [(values[g], REST) for g in included]
        yield from _rows(_contrast(asked, rest, weights[included]), named, family, asked.level)
    weights, places = pairs(asked.included)
    family = f"{len(places)} pairs of {asked.one.name}"
    named = [(values[g], values[h]) for g, h in places]
    yield from _rows(_contrast(asked, found, weights), named, family, asked.level)


def _contrast(asked: Comparison, found: Influence, weights: Floats) -> Contrasts:
    return contrast(found, weights, asked.level, asked.seed, asked.draws)


def _rows(
    found: Contrasts, named: list[tuple[str, str]], family: str, level: float
) -> Iterator[dict[str, Any]]:
    smallest = sdd80(found.se, found.df, level)
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
    between = spread(found.estimate[included], found.variance(np.eye(len(found.estimate)))[included])
    row = {"kind": "spread", "role": "exploratory", "status": REPORTABLE, "method": "variance-components"}
    yield {
        **row,
        "estimate": float(np.sqrt(between.variance)),
        "clusters": int(found.clusters[included].sum()),
        "warning": None,
    }
    for g, shrunken in zip(included, between.shrunken, strict=True):
        named = {"value": asked.one.values[g], "reference": "shrunken", "warning": None}
        yield {**row, **named, "estimate": float(shrunken)}
