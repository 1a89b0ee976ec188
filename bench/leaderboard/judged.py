"""Judging the models of a board over all rows, under its reference condition: what ranks and pairs need.

Each model is judged as a run judges it, by one metric. Refuses, with the reason, doubles, models that were
not run under the condition or have no output for the metric, and values that are withheld or undefined.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench.digest import digest_bytes
from bench.judge.bootstrap import Draws, draw, replicate
from bench.judge.infer import FEWEST_CLUSTERS
from bench.judge.influence import Influence
from bench.judge.metrics import Metric
from bench.judge.paired import named
from bench.judge.rows import Floats
from bench.judge.score import Cell, Ground, gives, read_cell
from bench.judge.sheet import Sheet, sheets
from bench.judge.sums import Sums
from bench.leaderboard.boards import Board, Member, condition_of
from bench.spec import Suite
from bench.tables import Targets, read_table

__all__ = ["REPLICATES", "Judged", "judge_members", "targets_of"]

REPLICATES = 2_000
_MOST_DRAWN = 10_000


@dataclass(frozen=True, eq=False)
class Judged:
    """One model judged over all rows: what ranks and pairs need of it."""

    name: str
    sheet: Sheet
    influence: Influence
    replicates: Floats | None
    rows: tuple[str, str, int]
    whole: bool

    @property
    def enough(self) -> bool:
        """Whether its value is reportable."""
        return bool(self.sheet.enough[0])


def targets_of(board: Board) -> Targets:
    """The targets of a board, as the first run that has them holds them."""
    return board.members[0].sources[0].folder.targets(board.dataset.name)


def judge_members(board: Board, name: str, targets: Targets) -> tuple[list[Judged], dict[str, str]]:
    """The models of a board that have a value by a metric, and of all others why they are not ranked."""
    suite = Suite(**{**board.suite.model_dump(), "slices": (), "controls": (), "bins": {}, "primary": (),
                     "metrics": (name,)})  # fmt: skip
    ground = Ground(targets, suite)
    metric, drawn = ground.metrics[0], None
    if targets.facts.cluster_unit != "clip":  # rows that are their own clusters share no draws
        drawn = draw(targets.table[targets.cluster], suite.seed, REPLICATES)
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
) -> Judged | str:
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
    return Judged(
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
