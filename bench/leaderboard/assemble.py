"""Assembling: everything that the pages and files of a leaderboard are made of, from runs to standings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.leaderboard.baselines import Baseline, baselines
from bench.leaderboard.boards import Board, boards, choose_metric, require_ranking
from bench.leaderboard.cards import read_cards
from bench.leaderboard.judged import targets_of
from bench.leaderboard.sources import Source, Submission, read_sources, submissions
from bench.leaderboard.standing import Standing, stand
from bench.leaderboard.tradeoff import Tradeoff, tradeoffs
from bench.report.model_card import ModelCard
from bench.spec import Facts
from bench.tables import Targets

__all__ = ["BoardTable", "Leaderboard", "assemble"]


@dataclass(frozen=True, eq=False)
class BoardTable:
    """A board with what was made for it; ``metric`` and ``standing`` are None where no metric ranks.

    ``shared``: on how many of its rows are media of another data set of the leaderboard, byte for byte.
    """

    board: Board
    metric: str | None
    standing: Standing | None
    baselines: tuple[Baseline, ...]
    tradeoffs: tuple[Tradeoff, ...]
    shared: tuple[tuple[Facts, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Runs, their models, the tables that these stand in, and the cards of those that have one."""

    title: str
    sources: tuple[Source, ...]
    submissions: tuple[Submission, ...]
    tables: tuple[BoardTable, ...]
    cards: dict[str, ModelCard]


def assemble(
    runs: Sequence[Path], metric: str | None = None, title: str | None = None, cards: Sequence[str] = ()
) -> Leaderboard:
    """Read runs and let their models stand against each other.

    Raises UserError for runs that are unfinished, changed or given twice, a model that is not the same in two
    of them, a metric that ranks nothing, and cards of no model.
    """
    sources = read_sources(runs)
    models = submissions(sources)
    found = boards(models)
    require_ranking(found, metric)
    held = read_cards(models, cards)
    media = [_media(targets_of(board)) for board in found]
    tables = tuple(_table(board, metric, _shared(at, found, media)) for at, board in enumerate(found))
    return Leaderboard(title or "Leaderboard", sources, models, tables, held)


def _table(board: Board, asked: str | None, shared: tuple[tuple[Facts, int], ...]) -> BoardTable:
    metric = choose_metric(board, asked)
    targets = targets_of(board)
    made = baselines(targets)
    if metric is None:
        return BoardTable(board, None, None, made, (), shared)
    standing = stand(board, metric, targets)
    return BoardTable(board, metric, standing, made, tradeoffs(board, metric), shared)


def _media(targets: Targets) -> Counter[str]:
    """On how many rows each medium is, by its digest, as far as the targets have digests."""
    known = targets.table["sha256"].to_pylist() if "sha256" in targets.table.column_names else ()
    return Counter(digest for digest in known if digest is not None)


def _shared(at: int, found: Sequence[Board], media: Sequence[Counter[str]]) -> tuple[tuple[Facts, int], ...]:
    """On how many rows of a board are media of the other data sets, those of the same name left out."""
    mine = media[at]
    each = (
        (board.dataset, sum(mine[one] for one in mine.keys() & theirs))
        for board, theirs in zip(found, media, strict=True)
    )
    return tuple((data.facts, count) for data, count in each if count and data.name != found[at].dataset.name)
