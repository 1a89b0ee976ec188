"""Joint statements: how often the ranges of all ranks hold at once, and bootstrap percentile intervals.

Several models answer about the same clusters. Their ranks are ranged as the tool does it, by replicates that
share draws or by contrasts (``bench.judge.joint``). Where all are equally good every model has every rank,
and a range that leaves one out is false. Percentile intervals are printed nowhere; they are here to be known.
Refuses to count ranges that say nothing, of models that cannot be compared, as kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.bootstrap import Draws, percentiles, replicate
from bench.judge.influence import influence
from bench.judge.joint import Ranks, can_draw, rank_contrasted, rank_drawn, worth
from bench.judge.metrics import METRICS
from bench.spec import SliceRule
from benchmarks import calibration_draws as draws
from benchmarks.calibration_coverage import AGAIN, SIZES, Design, Share, simulate

__all__ = [
    "ICC", "LEVEL", "NEAR", "REPLICATES", "Joint", "Percentile", "Ranked", "Rivals", "confirmed", "joint",
    "percentile", "rank", "ranked", "rivals",
]  # fmt: skip

Array = np.ndarray[Any, Any]
LEVEL, ICC = 0.95, 0.1
REPLICATES, NORMALS = 1_000, 999
NEAR = (0.0, 0.0, 0.01, 0.02, 0.05, 0.1)
"""How much worse models are than the best where some are near ties."""
# In how many of the clusters a model has the skill that all share, and not one of its own.
_SAME_SKILL = 0.5
_TOGETHER = 50  # data sets that share draws


@dataclass(frozen=True)
class Rivals:
    """One cell: models that are worse than ``rate`` by ``losses``, on ``clusters`` of 5 to 40 rows."""

    metric: str
    clusters: int
    losses: tuple[float, ...]
    rate: float = 0.7

    @property
    def truth(self) -> str:
        """How good the models are, in words."""
        return "near ties" if any(self.losses) else "equal truth"

    @property
    def name(self) -> str:
        """The cell in words."""
        models = f"{len(self.losses)} models, {self.truth}"
        return f"`{self.metric}` {self.rate:g}, {self.clusters} clusters, {models}"


@dataclass(frozen=True)
class Ranked:
    """``kept`` data sets in which every true rank lies in its range; ``drawn`` of them ranged by draws.

    ``width`` the mean share of all ranks that a range leaves possible. ``anew`` says that fewer data sets
    missed and these were drawn in their place.
    """

    rivals: Rivals
    kept: Share
    drawn: Share
    width: float
    anew: bool = False

    def missed(self, errors: float = 2) -> bool:
        """Whether reportable ranges hold too rarely, by more than so many Monte Carlo errors."""
        return self.rivals.clusters >= SliceRule().clusters and self.kept.below(LEVEL, errors)


@dataclass(frozen=True)
class Percentile:
    """How many percentile intervals of one metric hold it."""

    metric: str
    design: Design
    held: Share


@dataclass(frozen=True)
class Joint:
    """All that was simulated, with the ``sets`` of a cell of ranks."""

    sets: int
    ranked: list[Ranked]
    percentiles: list[Percentile]


def joint(sets: int, seed: int) -> Joint:
    """Simulate every cell."""
    designs = [Design(*parts) for parts in product((50, 91), (0.7, 0.95), (0.05, 0.2), SIZES)]
    return Joint(
        sets,
        [confirmed(one, sets, seed) for one in rivals()],
        [
            percentile(metric, design, 2 * sets, seed)
            for metric in ("accuracy", "uar", "ccc_valence")
            for design in designs
        ],
    )


def rivals() -> Iterator[Rivals]:
    """Every cell of ranks."""
    for metric, clusters, models in product(("accuracy", "uar", "ccc_valence"), (6, 10, 20, 50, 91), (3, 6)):
        yield Rivals(metric, clusters, (0.0,) * models)
    for metric, clusters in product(("accuracy", "uar"), (20, 50)):
        yield Rivals(metric, clusters, (0.0,) * 6, 0.95)
    for metric, clusters in product(("accuracy", "uar"), (50, 91)):
        yield Rivals(metric, clusters, NEAR)


def confirmed(one: Rivals, sets: int, seed: int) -> Ranked:
    """One cell; where it misses, that of four times the data sets drawn anew instead, as tests are."""
    found = ranked(one, sets, seed)
    return replace(ranked(one, AGAIN * sets, seed + 1), anew=True) if found.missed() else found


def ranked(one: Rivals, sets: int, seed: int) -> Ranked:
    """Simulate one cell."""
    rng = draws.generator(seed, "ranks", one)
    losses = np.array(one.losses)
    # Of models that are equally good each may have any of their ranks.
    best = 1 + (losses < losses[:, None]).sum(axis=1)
    last = (losses <= losses[:, None]).sum(axis=1)
    of, kept, drawn, width = 0, 0, 0, 0.0
    for number in range(sets):
        found, by_draws = rank(one.metric, _tally(rng, one), number)
        if all(found.alone):
            continue
        of += 1
        kept += bool(((found.low <= best) & (last <= found.high)).all())
        drawn += by_draws
        width += float(np.mean(found.high - found.low + 1)) / len(losses)
    return Ranked(one, Share(kept, of), Share(drawn, of), width / of)


def rank(metric: str, tally: Tally, seed: int) -> tuple[Ranks, bool]:
    """The ranks of the values of a tally over the same clusters, as the tool has them; whether by draws."""
    judged = METRICS[metric]
    clusters = int(tally.clusters[0])
    (drawn,) = replicate([judged], tally, _draws(clusters, seed))
    found = replace(influence(judged, tally), kind="signed")  # as differences of models are
    if can_draw(drawn, worth(found)):
        return rank_drawn(judged, found.estimate, drawn, worth(found), LEVEL), True
    return rank_contrasted(judged, found, LEVEL, seed, NORMALS), False


def percentile(metric: str, design: Design, sets: int, seed: int) -> Percentile:
    """Coverage of the percentile interval of one value."""
    kind = {"accuracy": "proportion", "uar": "labels", "ccc_valence": "affect"}[metric]
    truth = (draws.affect_truth if kind == "affect" else draws.label_truth)(metric, design.rate)
    held = of = 0
    for start in range(0, sets, _TOGETHER):
        stats = simulate(kind, design, min(_TOGETHER, sets - start), seed + 1 + start)
        tally = _named(stats)
        (drawn,) = replicate([METRICS[metric]], tally, _draws(design.clusters, seed + start))
        found = percentiles(drawn, tally.clusters, LEVEL)
        of += int(np.isfinite(found.low).sum())
        held += int(((found.low <= truth) & (truth <= found.high)).sum())
    return Percentile(metric, design, Share(held, of))


def _draws(clusters: int, seed: int) -> Draws:
    return Draws(np.ones(clusters, np.int64), np.arange(clusters), seed, REPLICATES)


def _named(stats: Array) -> Tally:
    """Statistics (V, G, ...) of V values over the same G clusters."""
    value, cluster = (part.ravel() for part in np.indices(stats.shape[:2]))
    everything = stats.reshape(len(value), *stats.shape[2:])
    return Tally(everything, value, np.ones(len(value), np.int64), len(stats), cluster)


def _tally(rng: np.random.Generator, one: Rivals) -> Tally:
    """One data set: the answers of every model, as a value each."""
    models, clusters = len(one.losses), np.arange(one.clusters)
    rows = draws.sizes(rng, "unequal", (one.clusters,))
    if one.metric == "ccc_valence":
        stats = draws.affect(rng, np.tile(rows, models)[None], one.rate, ICC, np.tile(clusters, models))
        return _named(stats.reshape(models, one.clusters, -1))
    return _named(_answers(rng, rows, one))


def _answers(rng: np.random.Generator, rows: Array, one: Rivals) -> Array:
    """Confusions (M, G, 4, 5) of models about the same rows; what is not right is *none*."""
    mix, losses = np.array(draws.MIX), np.array(one.losses)
    shape = (len(losses), len(rows))
    of_class = rng.multinomial(rows, mix)
    shared, own = (draws.skills(rng, one.rate, ICC, part) for part in (shape[1:], shape))
    skill = np.where(rng.random(shape) < _SAME_SKILL, shared, own) * (1 - losses[:, None] / one.rate)
    # Where a skilled cluster meets an easy class it is always right: in all models alike, so ranks stay.
    recall = np.diagonal(draws.expected(one.rate, mix)) / mix / one.rate
    right = rng.binomial(of_class, np.clip(skill[..., None] * recall, 0, 1))
    found = np.zeros((*shape, 4, 5), np.int64)
    found[..., np.arange(4), np.arange(4)] = right
    found[..., 4] = of_class - right
    return found
