"""Coverage: how often the printed interval of one value holds the truth, cell by cell of a grid.

Every data set is a slice value of one tally, so a cell is one call of ``bench.judge.infer``. Two shares are
kept: over all data sets with an interval, and over those the tool would call reportable; what it calls
insufficient carries that word, and a miss there is a miss with a warning. Refuses to count a data set for
which the tool prints no interval as covered or as missed: their share stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.infer import infer, wilson
from bench.judge.metrics import METRICS
from bench.judge.status import reportable
from bench.spec import SliceRule
from benchmarks import calibration_draws as draws

__all__ = [
    "AGAIN", "CLUSTERS", "ICCS", "RATES", "SIZES", "Cell", "Design", "Share", "alone", "coverage", "grid",
]  # fmt: skip

CLUSTERS, RATES, ICCS, SIZES = (
    (5, 10, 20, 30, 50, 91),
    (0.5, 0.7, 0.95),
    (0.0, 0.05, 0.2),
    ("equal", "unequal"),
)
LABEL, AFFECT = ("uar", "macro_f1", "kappa"), ("ccc_valence", "pcc_valence", "rmse_valence", "bias_valence")
LEVEL, GOAL = 0.95, (0.93, 0.97)
AGAIN = 4
"""How many times the data sets are drawn anew where a test or a range misses."""
_FEWEST = 100  # data sets: of fewer no error is known well enough to call anything a miss
# Bounds are one-sided at 95 %: the lower end of a two-sided 90 % interval.


@dataclass(frozen=True)
class Share:
    """``count`` of ``of`` simulated data sets."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """The share; NaN of none."""
        return self.count / self.of if self.of else float("nan")

    def error(self, at: float) -> float:
        """The Monte Carlo standard error were the true share ``at``."""
        return float(np.sqrt(at * (1 - at) / max(self.of, 1)))

    def below(self, goal: float, errors: float = 2) -> bool:
        """Whether the share lies below the goal by more than so many Monte Carlo errors; of 100 at least."""
        return self.of >= _FEWEST and self.value < goal - errors * self.error(goal)

    def above(self, goal: float, errors: float = 2) -> bool:
        """Whether the share lies above the goal by more than so many Monte Carlo errors; of 100 at least."""
        return self.of >= _FEWEST and self.value > goal + errors * self.error(goal)


@dataclass(frozen=True)
class Design:
    """One cell of the grid; ``rate`` is the accuracy or UAR, or the CCC of valence."""

    clusters: int
    rate: float
    icc: float
    sizes: str


@dataclass(frozen=True)
class Cell:
    """What became of one metric in one cell.

    ``held`` intervals with the truth among all intervals, ``trusted`` among those of reportable values;
    ``none`` data sets without an interval; ``passed`` those with an interval wholly better than the truth, so
    that a gate whose bound is the truth would pass (of a bias: above it);
    ``methods`` the kinds of interval that were printed.
    """

    design: Design
    metric: str
    held: Share
    trusted: Share
    none: Share
    passed: Share
    methods: tuple[str, ...] = field(default=())


def grid() -> Iterator[Design]:
    """Every cell: clusters, rate, ICC, sizes."""
    for clusters, sizes, rate, icc in product(CLUSTERS, SIZES, RATES, ICCS):
        yield Design(clusters, rate, icc, sizes)


def coverage(design: Design, sets: dict[str, int], seed: int) -> Iterator[Cell]:
    """Simulate one cell: ``sets`` says how many data sets for proportions, labels and affect."""
    for kind, metrics in (("proportion", ("accuracy",)), ("labels", LABEL), ("affect", AFFECT)):
        if not sets.get(kind):
            continue
        tally = draws.flat(simulate(kind, design, sets[kind], seed))
        for metric in metrics:
            known = draws.affect_truth if kind == "affect" else draws.label_truth
            yield evaluate(design, metric, tally, known(metric, design.rate))
        if kind == "proportion":
            yield _naive(design, tally)


def alone(metric: str, rate: float, rows: int, sets: int, seed: int) -> Cell:
    """Data without persons: every row its own cluster, equal ones collapsed with a multiplicity."""
    rng, design = draws.generator(seed, "alone", metric, rate, rows), Design(rows, rate, 0.0, "one row")
    shares = (
        np.array([[rate, 1 - rate]]) if metric == "accuracy" else draws.expected(rate, np.array(draws.MIX))
    )
    counts = rng.multinomial(rows, shares.ravel(), sets)
    value, kind = np.nonzero(counts)
    stats = np.eye(shares.size, dtype=np.int64)[kind].reshape(-1, *shares.shape)
    tally = Tally(stats, value, counts[value, kind], sets)
    return evaluate(design, metric, tally, draws.label_truth(metric, rate))


def simulate(kind: str, design: Design, sets: int, seed: int) -> np.ndarray[Any, Any]:
    """Statistics (sets, clusters, ...) of one kind."""
    rng, shape = draws.generator(seed, kind, design), (sets, design.clusters)
    rows = draws.sizes(rng, design.sizes, shape)
    if kind == "affect":
        return draws.affect(rng, rows, design.rate, design.icc, np.arange(design.clusters))
    skill = draws.skills(rng, design.rate, design.icc, shape)
    if kind == "proportion":
        return draws.hits(rng, rows, skill)
    return draws.confusions(rng, rows, skill, design.rate, np.array(draws.MIX))


def evaluate(design: Design, metric: str, tally: Tally, truth: float) -> Cell:
    """Count how often the intervals of a tally, a data set a value, hold the truth."""
    judged = METRICS[metric]
    found = infer(judged, tally, LEVEL)
    better = found.high < truth if judged.direction == "lower" else found.low > truth
    printed = np.isfinite(found.low)
    held = printed & (found.low <= truth) & (truth <= found.high)
    classes = np.asarray(judged.present(tally.total).any(axis=0))
    trusted = printed & reportable(judged, found, tally.total, SliceRule(), classes)
    return Cell(
        design,
        metric,
        Share(int(held.sum()), int(printed.sum())),
        Share(int((held & trusted).sum()), int(trusted.sum())),
        Share(int((~printed).sum()), tally.values),
        Share(int(better[printed].sum()), int(printed.sum())),
        tuple(sorted({name for name in found.method if name})),
    )


def _naive(design: Design, tally: Tally) -> Cell:
    """Wilson on rows, as if no row shared its cluster: what the simulation must see fail."""
    successes, rows = (np.asarray(part, np.float64) for part in METRICS["accuracy"].formula(tally.total))
    low, high = wilson(successes / rows, rows, LEVEL)
    held = Share(int(((low <= design.rate) & (design.rate <= high)).sum()), tally.values)
    nothing = Share(0, 0)
    return Cell(design, "naive", held, nothing, nothing, nothing, ("wilson on rows",))
