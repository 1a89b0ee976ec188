"""Ranks: how the models of a run stand to one another, as rows of Estimates of kind ``rank``.

``estimate`` is the rank of a model among those that have a value, ``family`` says how many these are; 1 is
the best, equal values share the better rank. ``low`` to ``high`` hold the true ranks of all of them at once,
so that models that the data cannot tell apart share ranks. One ranking a data set, condition and metric, over
all rows: what is withheld is of slices, and no slice is ranked. Ranked are UAR, accuracy, macro-F1 and CCC,
or whatever a suite names of which more or less is better, but for single labels. Refuses models that were
judged on different rows, metrics that leave out rows that a model missed, and values that are undefined:
their rows say so. Whom to rank the caller decides; what pretends to be a model should not be.

Kept of a cell are replicates from shared draws and what each cluster adds, of more than 50,000 clusters their
sums over 10,000 random groups: at most 400 kB a metric, until the last model has been seen there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.digest import digest_bytes
from bench.judge.bootstrap import MOST_FOR_MOMENTS, Draws, draw, replicate
from bench.judge.contrasts import METHOD
from bench.judge.infer import FEWEST_CLUSTERS
from bench.judge.influence import Influence
from bench.judge.joint import Ranks, can_draw, rank_contrasted, rank_drawn, worth
from bench.judge.metrics import Metric
from bench.judge.paired import named
from bench.judge.rows import Floats
from bench.judge.sheet import Sheet
from bench.judge.status import INSUFFICIENT, REPORTABLE
from bench.judge.sums import Sums
from bench.spec import Suite
from bench.tables import Targets

__all__ = ["Ranking", "ranks"]

_LEADING = ("accuracy", "uar", "macro_f1", "ccc_valence", "ccc_arousal", "ccc_dominance")
# To answer often, or always the same, is no skill.
_OF_NO_SKILL = ("outcomes", "steps")
_GROUPS = 10_000
# Beyond this many clusters contrasts are as good, and draws cost seconds a cell.
_MOST_DRAWN = 10_000
_REPLICATES = 2_000
_DRAWN = f"cluster bootstrap, {_REPLICATES:,} shared draws"
_OTHER_ROWS = "not ranked: models are judged on different rows, as by decode errors of one alone"
_LEFT_OUT = "not ranked: a model misses rows, which this metric leaves out"
_UNDEFINED = "not ranked: the value is undefined"
_ALONE = "not ranked: fewer than two models have a value"

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Standing:
    """What is kept of one model, condition and metric: ``sheet`` is that of the whole.

    ``rows`` names the rows that it was judged on; ``whole`` says whether none of them is left out for being
    missed; ``replicates`` (B,) or None.
    """

    key: Row
    sheet: Sheet
    rows: tuple[str, str, int]
    whole: bool
    influence: Influence
    replicates: Floats | None
    said: Sequence[str]

    @property
    def estimate(self) -> float:
        """The value of the model."""
        return float(self.sheet.inference.estimate[0])


_Place = tuple[Any, ...]
_Standings = dict[str, _Standing]
"""Of one metric by model."""


def ranks(metric: Metric, suite: Suite) -> bool:
    """Whether models are ranked by a metric: the leading ones, or those that the suite names."""
    asked = bool(suite.metrics) or metric.name in _LEADING
    of_models = metric.direction in ("higher", "lower") and metric.key.kernel not in _OF_NO_SKILL
    return asked and of_models and "/" not in metric.name


class Ranking:
    """Takes the cells of a run one by one, in any order, and gives the rows of all rankings.

    ``models`` are those to be ranked; fewer than two are no ranking, and of others nothing is kept.
    """

    def __init__(self, suite: Suite, models: Collection[str]) -> None:
        self._suite, self._models = suite, frozenset(models)
        self._draws: dict[str, Draws] = {}
        self._waiting: dict[_Place, dict[str, dict[str, _Standing]]] = {}
        self._rows: list[Row] = []

    def add(
        self, key: Row, targets: Targets, sums: Sums, sheets: Mapping[str, Sequence[Sheet] | None],
        said: Sequence[str],
    ) -> None:  # fmt: skip
        """Keep what a ranking needs of a cell; the last of its data set and condition makes them ranked.

        ``key`` are the columns that name the cell, ``sheets`` those of each metric by slice.
        """
        if key["model"] not in self._models or len(self._models) < 2:
            return
        place = tuple(key[name] for name in ("dataset", "condition", "severity", "where"))
        waiting = self._waiting.setdefault(place, {})
        waiting[key["model"]] = self._standings(key, targets, sums, sheets, said)
        if waiting.keys() == self._models:
            self._rows += _rankings(self._waiting.pop(place), self._suite)

    def finish(self) -> list[Row]:
        """All rows, those of conditions under which a model was never seen among them."""
        for waiting in self._waiting.values():
            self._rows += _rankings(waiting, self._suite)
        self._waiting.clear()
        return self._rows

    def _standings(
        self, key: Row, targets: Targets, sums: Sums, sheets: Mapping[str, Sequence[Sheet] | None],
        said: Sequence[str],
    ) -> _Standings:  # fmt: skip
        mine = [each[0] for each in sheets.values() if each and ranks(each[0].metric, self._suite)]
        judged = digest_bytes(np.packbits(sums.rows.judged).tobytes())
        drawn = self._replicates(key["dataset"], targets, sums, mine)
        found = {}
        for sheet in mine:
            metric, one, n = sheet.metric, sheet.one, int(sheet.inference.n[0])
            influence = _grouped(named(metric, sums, one), self._suite.seed)
            clusters = digest_bytes(np.asarray(influence.cluster).tobytes())
            left_out = metric.misses == "left out" and n < int(sums.with_truth(metric.key, one)[0])
            found[metric.name] = _Standing(
                key, sheet, (judged, clusters, n), not left_out, influence,
                drawn.get(metric.name), said,
            )  # fmt: skip
        return found

    def _replicates(
        self, dataset: str, targets: Targets, sums: Sums, sheets: Sequence[Sheet]
    ) -> dict[str, Floats]:
        """The replicates (B,) of metrics, where there are as many clusters as can be drawn."""
        if sums.strata.cluster is None or not sheets:
            return {}
        if not FEWEST_CLUSTERS <= sheets[0].one.clusters[0] <= _MOST_DRAWN:
            return {}
        if dataset not in self._draws:
            self._draws[dataset] = draw(targets.table[targets.cluster], self._suite.seed, _REPLICATES)
        found: dict[str, Floats] = {}
        for kernel in dict.fromkeys(sheet.metric.key for sheet in sheets):
            metrics = [sheet.metric for sheet in sheets if sheet.metric.key == kernel]
            values = replicate(metrics, sums.tally(kernel, sheets[0].one), self._draws[dataset])
            found |= {metric.name: each[:, 0] for metric, each in zip(metrics, values, strict=True)}
        return found


def _grouped(found: Influence, seed: int) -> Influence:
    """The same, of very many clusters as sums over random groups of them.

    Clusters are independent and their influences add up to 0, so that the squares of the sums over groups
    that are drawn without looking at them add up to the same variance but for 1 / groups of it (Wolter 2007,
    Introduction to Variance Estimation, section 2.4), known to sqrt(2 / groups).
    """
    if len(found.pull) <= MOST_FOR_MOMENTS or found.cluster is None:
        return found
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence(seed).spawn(4)[3]))
    group = rng.integers(0, _GROUPS, int(found.cluster.max()) + 1, np.uint16)[found.cluster]
    pull = np.asarray(np.bincount(group, found.pull[:, 0], _GROUPS)[:, None], np.float64)
    return replace(found, pull=pull, multiplicity=np.ones(_GROUPS, np.int64), cluster=np.arange(_GROUPS))


def _rankings(waiting: Mapping[str, _Standings], suite: Suite) -> Iterator[Row]:
    """The rows of every metric under one condition, each model's in the order in which metrics were asked."""
    for name in dict.fromkeys(name for standings in waiting.values() for name in standings):
        yield from _ranking([each[name] for each in waiting.values() if name in each], suite)


def _ranking(standings: Sequence[_Standing], suite: Suite) -> Iterator[Row]:
    """A row a model; those without a value are not ranked, and none is where rows differ."""
    known = [each for each in standings if np.isfinite(each.estimate)]
    refused = (
        _LEFT_OUT if not all(each.whole for each in standings)
        else _OTHER_ROWS if len({each.rows for each in known}) > 1
        else _ALONE if len(known) < 2
        else None
    )  # fmt: skip
    found, method = _compare(known, suite) if refused is None else (None, None)
    enough = all(each.sheet.enough[0] for each in known)
    places = {each: at for at, each in enumerate(known)}
    for each in standings:
        row = {**each.key, "metric": each.sheet.metric.name, "kind": "rank", "role": "exploratory"}
        if found is None or each not in places:
            why = refused if each in places else _UNDEFINED
            yield {**row, "status": INSUFFICIENT, "warning": _joined(why, each.said)}
            continue
        at, alone = places[each], found.alone[places[each]]
        yield {
            **row, "family": f"{len(known)} models", "estimate": float(found.rank[at]),
            "low": np.nan if alone else float(found.low[at]),
            "high": np.nan if alone else float(found.high[at]),
            "level": suite.level, "side": None if alone else "two-sided",
            "method": None if alone else method, "n": each.rows[-1],
            "clusters": int(each.sheet.inference.clusters[0]),
            "status": REPORTABLE if enough else INSUFFICIENT,
            "warning": _joined(found.reason[at], each.said),
        }  # fmt: skip


def _compare(known: Sequence[_Standing], suite: Suite) -> tuple[Ranks, str]:
    """The ranks of models, and by which of the two mechanisms."""
    metric = known[0].sheet.metric
    found = _abreast([each.influence for each in known])
    drawn = [each.replicates for each in known if each.replicates is not None]
    clusters = worth(found)
    if len(drawn) == len(known) and can_draw(np.stack(drawn, axis=1), clusters):
        return rank_drawn(metric, found.estimate, np.stack(drawn, axis=1), clusters, suite.level), _DRAWN
    return rank_contrasted(metric, found, suite.level, suite.seed, suite.draws), METHOD


def _abreast(found: Sequence[Influence]) -> Influence:
    """The influences on models that were judged on the same rows, side by side as values of one slice."""
    first = found[0]
    estimate, clusters = (
        np.concatenate([getattr(each, n) for each in found]) for n in ("estimate", "clusters")
    )
    pull = np.concatenate([each.pull for each in found], axis=1)
    return Influence(estimate, pull, first.multiplicity, clusters, first.cluster)


def _joined(reason: str | None, said: Sequence[str]) -> str | None:
    return "; ".join([*filter(None, [reason]), *said]) or None
