"""Standing: how the models of a board stand to one another, pair by pair and as ranks.

The mechanisms are those by which a single run ranks its models (``bench.judge.ranks``): models are paired by
cluster, intervals of all pairs hold at once, and a rank is a range, from 1 + the models surely better to all
but those surely worse (Mogstad, Romano, Shaikh, Wilhelm 2024, Rev. Econ. Stud. 91). Verdicts, intervals,
adjusted p and ranks rest on the same draws, so that none contradicts another. Doubles and withheld values are
not ranked. Refuses, with the reason, what ranks of a run refuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from scipy.special import ndtri, stdtr

from bench.digest import digest_bytes
from bench.judge.bootstrap import Draws, draw, replicate
from bench.judge.contrasts import METHOD, contrast, pairs
from bench.judge.infer import FEWEST_CLUSTERS, ROUNDING
from bench.judge.influence import Influence
from bench.judge.joint import Ranks, can_draw, rank_contrasted, rank_drawn, simultaneous, worth
from bench.judge.metrics import Metric
from bench.judge.paired import named
from bench.judge.rows import Bools, Floats
from bench.judge.score import Cell, Ground, gives, read_cell
from bench.judge.sheet import Sheet, sheets
from bench.judge.sums import Sums
from bench.leaderboard.boards import Board, Member, condition_of
from bench.spec import Suite
from bench.tables import Targets, read_table

__all__ = ["Pair", "Rank", "Standing", "Verdict", "stand", "targets_of"]

Verdict = Literal["better", "worse", "not decided"]
_REPLICATES, _MOST_DRAWN = 2_000, 10_000
_DRAWN = f"cluster bootstrap, {_REPLICATES:,} shared draws"
_FEW = "too little data: shown, never compared"


@dataclass(frozen=True)
class Rank:
    """The rank of a model, 1 the best, and from where to where its true one may lie, None where unknown."""

    rank: int
    low: int | None
    high: int | None
    reason: str | None


@dataclass(frozen=True)
class Pair:
    """One model less another, by the metric: ``low`` to ``high`` hold for all pairs at once.

    ``p`` is of this pair alone, ``p_adjusted`` of all ``family`` pairs (single step, max-T); numbers are NaN
    where there are none, and ``reason`` says why.
    """

    first: str
    second: str
    estimate: float
    low: float
    high: float
    p: float
    p_adjusted: float
    verdict: Verdict
    reason: str | None
    family: int


@dataclass(frozen=True)
class Standing:
    """How the models of a board stand by a metric; ``refused`` says why nothing is ranked, or is None.

    ``left_out`` says of each model that is not ranked why; ``enough``: whether every ranked value is
    reportable; ``clusters`` and ``unit``: how many of what were drawn.
    """

    metric: str
    ranks: dict[str, Rank]
    pairs: tuple[Pair, ...]
    left_out: dict[str, str]
    refused: str | None
    method: str | None
    enough: bool = True
    clusters: int = 0


@dataclass(frozen=True, eq=False)
class _Judged:
    """One model judged over all rows: what ranks and pairs need of it."""

    name: str
    sheet: Sheet
    influence: Influence
    replicates: Floats | None
    rows: tuple[str, str, int]
    whole: bool

    @property
    def enough(self) -> bool:
        return bool(self.sheet.enough[0])


def stand(board: Board, metric: str, targets: Targets) -> Standing:
    """Rank the models of a board under its reference condition and hold every pair against each other."""
    found, left_out = _judge(board, metric, targets)
    refused = _refusal(found)
    if refused is not None:
        return Standing(metric, {}, (), left_out, refused, None)
    ranks, tested, method = _compare(found, board.suite)
    named_ranks = {
        each.name: Rank(
            int(ranks.rank[at]),
            None if ranks.alone[at] else int(ranks.low[at]),
            None if ranks.alone[at] else int(ranks.high[at]),
            ranks.reason[at],
        )
        for at, each in enumerate(found)
    }
    clusters = int(found[0].sheet.inference.clusters[0])
    enough = all(each.enough for each in found)
    made = _pairs(found, tested)
    return Standing(metric, named_ranks, made, left_out, None, method, enough, clusters)


def targets_of(board: Board) -> Targets:
    """The targets of a board, as the first run that has them holds them."""
    return board.members[0].sources[0].folder.targets(board.dataset.name)


def _judge(board: Board, name: str, targets: Targets) -> tuple[list[_Judged], dict[str, str]]:
    suite = Suite(**{**board.suite.model_dump(), "slices": (), "controls": (), "bins": {}, "primary": (),
                     "metrics": (name,)})  # fmt: skip
    ground = Ground(targets, suite)
    metric, drawn = ground.metrics[0], None
    if targets.facts.cluster_unit != "clip" or len(targets) <= _MOST_DRAWN:
        drawn = draw(targets.table[targets.cluster], suite.seed, _REPLICATES)
    judged, left_out = [], {}
    for member in board.members:
        if member.double:
            left_out[member.name] = "a double of known quality, no model"
            continue
        made = _judge_one(board, member, ground, metric, drawn)
        if isinstance(made, str):
            left_out[member.name] = made
        else:
            judged.append(made)
    return judged, left_out


def _judge_one(
    board: Board, member: Member, ground: Ground, metric: Metric, drawn: Draws | None
) -> _Judged | str:
    """A model judged under the reference condition, or why it cannot be ranked."""
    cell = _cell(board, member, ground.targets)
    if cell is None:
        return "it was not run under this condition"
    rows = read_cell(cell, [metric])
    if not gives(cell, rows, metric):
        return "its predictions have no output for this metric"
    sums = Sums(rows, ground.cut.strata, ground.suite.missing_constant)
    whole = ground.cut.slices[:1]
    sheet = sheets(metric, sums, whole, ground.withheld(rows), ground.targets, ground.suite)[0]
    if sheet.hidden[0]:
        return "its value is withheld"
    if not np.isfinite(sheet.inference.estimate[0]):
        return "its value is undefined"
    influence, n = named(metric, sums, sheet.one), int(sheet.inference.n[0])
    few = not FEWEST_CLUSTERS <= sheet.one.clusters[0] <= _MOST_DRAWN
    made = None
    if drawn is not None and not few and sums.strata.cluster is not None:
        made = replicate([metric], sums.tally(metric.key, sheet.one), drawn)[0][:, 0]
    judged, clusters = np.packbits(rows.judged).tobytes(), np.asarray(influence.cluster).tobytes()
    left_out = metric.misses == "left out" and n < int(sums.with_truth(metric.key, sheet.one)[0])
    return _Judged(
        member.name, sheet, influence, made, (digest_bytes(judged), digest_bytes(clusters), n), not left_out
    )


def _cell(board: Board, member: Member, targets: Targets) -> Cell | None:
    source = member.source(board.dataset.name, board.reference)
    if source is None:
        return None
    folder = source.cell(member.named, board.dataset.name, condition_of(board.reference))
    facts = None if folder is None else folder.facts
    assert folder is not None
    assert facts is not None
    names = ("model", "dataset", "condition", "severity", "where", "frames")
    frames = folder.frames
    follow = (lambda: _read(frames)) if frames.is_file() else None
    return Cell(
        **{name: facts[name] for name in names}, targets=targets, predictions=_read(folder.predictions),
        frames_table=follow,
    )  # fmt: skip


def _read(path: Path) -> pa.Table:
    return read_table(path)


def _refusal(found: Sequence[_Judged]) -> str | None:
    if len(found) < 2:
        return "fewer than two models have a value"
    if not all(each.whole for each in found):
        return "a model misses rows, which this metric leaves out"
    if len({each.rows for each in found}) > 1:
        return "models are judged on different rows, as by decode errors of one alone"
    return None


@dataclass(frozen=True)
class _Tested:
    """The differences of all pairs, (K,) each, first less second."""

    estimate: Floats
    low: Floats
    high: Floats
    p: Floats
    p_adjusted: Floats
    reason: tuple[str | None, ...]
    direction: str


def _compare(found: Sequence[_Judged], suite: Suite) -> tuple[Ranks, _Tested, str]:
    """Ranks and pairs by the mechanism that ranks of a run would have."""
    metric = found[0].sheet.metric
    abreast = _abreast([each.influence for each in found])
    drawn = [each.replicates for each in found if each.replicates is not None]
    clusters = worth(abreast)
    if len(drawn) == len(found) and can_draw(np.stack(drawn, axis=1), clusters):
        replicates = np.stack(drawn, axis=1)
        ranks = rank_drawn(metric, abreast.estimate, replicates, clusters, suite.level)
        return ranks, _test_drawn(metric, abreast.estimate, replicates, clusters, suite.level), _DRAWN
    ranks = rank_contrasted(metric, abreast, suite.level, suite.seed, suite.draws)
    weights, _ = pairs(np.ones(len(found), np.bool_))
    made = contrast(abreast, weights, suite.level, suite.seed, suite.draws)
    tested = _Tested(
        made.estimate, made.low, made.high, made.p, made.p_adjusted, made.reason, metric.direction
    )
    return ranks, tested, METHOD


def _abreast(found: Sequence[Influence]) -> Influence:
    first = found[0]
    pull = np.concatenate([each.pull for each in found], axis=1)
    estimate = np.concatenate([each.estimate for each in found])
    clusters = np.concatenate([each.clusters for each in found])
    return replace(first, estimate=estimate, pull=pull, clusters=clusters)


def _test_drawn(
    metric: Metric, estimate: Floats, replicates: Floats, clusters: Floats, level: float
) -> _Tested:
    """Simultaneous intervals of all pairs, and the p that belong to them.

    A pair's p is the share of replicates whose own deviation is as large, in standard errors brought to
    normal tails as ``simultaneous`` does; the adjusted one that of replicates whose largest deviation over
    all pairs is: at most 1 - level exactly where the interval leaves out 0 (Romano, Wolf 2005, Econometrica
    73, single step).
    """
    first, second = np.triu_indices(len(estimate), 1)
    apart = estimate[first] - estimate[second]
    drawn = replicates[:, first] - replicates[:, second]
    held = simultaneous(apart, drawn, clusters, level)
    known: Bools = ~np.isnan(held.low)
    p, adjusted = np.full((2, len(apart)), np.nan)
    if known.any():
        spread = np.nanstd(drawn[:, known], axis=0, ddof=1)
        off = abs(drawn[:, known] - apart[known]) / spread
        off = np.where(np.isnan(off), -1.0, off)
        highest = off.max(axis=1)
        highest = highest[highest >= 0]
        t = abs(apart[known]) / held.se[known]
        reached = -ndtri(stdtr(clusters[known] - 1, -t))
        counted = (off >= 0).sum(axis=0)
        p[known] = (1 + (off >= reached).sum(axis=0)) / (1 + counted)
        adjusted[known] = (1 + (highest[:, None] >= reached).sum(axis=0)) / (1 + len(highest))
    return _Tested(apart, held.low, held.high, p, adjusted, held.reason, metric.direction)


def _pairs(found: Sequence[_Judged], tested: _Tested) -> tuple[Pair, ...]:
    first, second = np.triu_indices(len(found), 1)
    made = []
    for k, (a, b) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        one, other = found[a], found[b]
        few = not (one.enough and other.enough)
        reason = "; ".join(filter(None, [tested.reason[k], _FEW if few else None])) or None
        apart = float(tested.estimate[k])
        made.append(
            Pair(
                one.name, other.name, 0.0 if abs(apart) < ROUNDING else apart, float(tested.low[k]),
                float(tested.high[k]), float(tested.p[k]), float(tested.p_adjusted[k]),
                "not decided" if few else _verdict(tested, k), reason, len(first),
            )
        )  # fmt: skip
    return tuple(made)


def _verdict(tested: _Tested, k: int) -> Verdict:
    if not (tested.low[k] > 0 or tested.high[k] < 0):
        return "not decided"
    return "better" if (tested.low[k] > 0) == (tested.direction == "higher") else "worse"
