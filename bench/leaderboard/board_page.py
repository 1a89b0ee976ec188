"""The page of a board: accuracy, gaps, robustness and cost side by side, and every condition."""

from __future__ import annotations

import math

from bench.leaderboard import words
from bench.leaderboard.assemble import BoardTable, Leaderboard
from bench.leaderboard.cost import Cost
from bench.leaderboard.index import footer
from bench.leaderboard.tradeoff import Tradeoff, shared_places
from bench.leaderboard.tradeoff_words import cost_datum, gap_datum, gap_ends, mean_datum, worst_datum
from bench.report import format as fmt
from bench.report.drawing import Figure
from bench.report.results import Row
from bench.report.scatter import Panel, Point, draw_scatter, lettered
from bench.report.site import Column, Datum, Link, Record, SitePage, SitePart, SiteSection, SiteTable
from bench.report.table import words as condition

__all__ = ["board_page"]

_COLUMNS = (
    "Largest gap is the largest minus the smallest reportable value of an attribute, over all attributes; in "
    "brackets the simultaneous interval of its widest pair. A degradation is what a condition takes from the "
    "value, paired; mean and worst are over the conditions that all these models share ({shared}). The mean "
    "has no interval.",
    "What scores little on clean media has little to lose: read a degradation beside the value.",
    "Cost is the time from reading a medium to the answer: the median of run --measure-latency, one clip at "
    "a time, else the mean of a whole run, as the run wrote it down (of one that was stopped, its last part "
    "alone). Neither is compared with the other, nor numbers of different hardware or software with "
    "each other: where they differ, the column does not sort and the figure has none.",
)


def board_page(found: Leaderboard, table: BoardTable) -> SitePage:
    """The page of one board."""
    board = table.board
    name = f"{board.dataset.name}, {condition(board.reference)}"
    sections = [_sides(table)] if table.metric else []
    sections += [_conditions(table)]
    home = Link(f"../index.html#{board.anchor}", found.title)
    about = (words.COMPOSITE, words.covered(board))
    banners = words.given(board.settings)
    return SitePage(
        f"Accuracy, gaps, robustness and cost on {name}", "../", about, banners, tuple(sections), home,
        footer(found),
    )  # fmt: skip


def _sides(table: BoardTable) -> SiteSection:
    board, metric = table.board, table.metric or ""
    count = len(shared_places(board, metric))
    text = (_COLUMNS[0].format(shared=fmt.count(count)), *_COLUMNS[1:])
    drawn = _drawn(table)
    figures = () if drawn is None else (drawn,)
    parts = (SitePart("", (), (_table(table),), figures), SitePart("How to read these columns", text))
    return SiteSection("tradeoff", "Side by side", parts)


def _table(table: BoardTable) -> SiteTable:
    board, metric = table.board, table.metric or ""
    rows = tuple(_row(table, number, side) for number, side in _numbered(table))
    columns = (
        Column("Model", "ascending", "text"), Column("In the figure", "ascending", "text"),
        Column("Rank", "ascending"), Column(fmt.heading(metric), words.first_way(metric)),
        Column("Largest gap", "ascending", "text"), Column("Mean degradation", "ascending"),
        Column("Worst degradation", "ascending", "text"),
        Column("Cost", "ascending" if len(_ways(table)) == 1 else "", "text"),
    )  # fmt: skip
    caption = f"Models on {board.dataset.name}: {fmt.metric(metric)}, gaps, degradations and cost"
    filters = (("double", "Show doubles"),)
    return SiteTable(caption, columns, rows, filters, (words.INSUFFICIENT,))


def _numbered(table: BoardTable) -> list[tuple[int, Tradeoff]]:
    """The models by rank, then by value, numbered as the figure's letters are; those without either last."""
    ranks = table.standing.ranks if table.standing else {}
    order = sorted(
        table.tradeoffs,
        key=lambda side: words.best_first(
            ranks.get(side.member.name), _ends(side.value)[0], table.metric or ""
        ),
    )
    return list(enumerate(order, 1))


def _row(table: BoardTable, number: int, side: Tradeoff) -> Record:
    standing, member = table.standing, side.member
    place = words.rank(standing.ranks.get(member.name), standing, member.name) if standing else words.ABSENT
    data = (
        _letter(number, side), place, words.estimate(side.value),
        gap_datum(side), mean_datum(side), worst_datum(side), cost_datum(side.cost),
    )  # fmt: skip
    head = Datum(member.name, "text", member.name, f"../models/{member.submission.slug}.html")
    return Record(head, data, ("double" if member.double else "model",))


def _ways(table: BoardTable) -> set[str]:
    """The ways in which costs of the board were taken: they may be compared, and sorted, where it is one."""
    timed = (side for side in table.tradeoffs if side.cost.seconds is not None)
    return {side.cost.alike for side in timed if not side.member.double}


def _letter(number: int, side: Tradeoff) -> Datum:
    """What a model is called in the figure; nothing for doubles and what has no value."""
    if side.member.double or not _known(side.value):
        return words.NOTHING
    return Datum(lettered(number), "text point", float(number))


def _drawn(table: BoardTable) -> Figure | None:
    """The scatter of models, doubles left out; None where nothing stands beside accuracy."""
    sides = [(n, s) for n, s in _numbered(table) if not s.member.double and _known(s.value)]
    gaps = tuple(
        Point(n, s.member.name, _ends(s.value), _gap(s), s.gap.decided) for n, s in sides if s.gap is not None
    )
    losses = tuple(
        Point(n, s.member.name, _ends(s.value), _ends(s.degraded.worst))
        for n, s in sides
        if s.degraded is not None
    )
    ways = _ways(table)
    costs = tuple(
        Point(n, s.member.name, _ends(s.value), (s.cost.seconds, s.cost.low, s.cost.high))
        for n, s in sides
        if s.cost.seconds is not None and len(ways) == 1
    )
    timed = next((s.cost for _, s in sides if s.cost.seconds is not None), Cost(None))
    labels = ("Largest gap", "Worst degradation", f"Seconds a clip: {timed.how}\n{timed.hardware}")
    panels = [Panel(label, points) for label, points in zip(labels, (gaps, losses, costs), strict=True)]
    if not any(panel.points for panel in panels):
        return None
    caption = (
        f"Models by {fmt.metric(table.metric or '')} and by what stands beside it; letters are those of the "
        "table. A hollow point is undecided: chance alone could make such a gap. Lines are intervals."
    )
    return draw_scatter(panels, fmt.heading(table.metric or ""), caption)


def _known(row: Row | None) -> bool:
    return row is not None and row["estimate"] is not None


def _ends(row: Row | None) -> tuple[float, float, float]:
    numbers = [(row or {}).get(name) for name in ("estimate", "low", "high")]
    value, low, high = (math.nan if number is None else float(number) for number in numbers)
    return value, low, high


def _gap(side: Tradeoff) -> tuple[float, float, float]:
    assert side.gap is not None
    ends = gap_ends(side.gap) or (math.nan, math.nan)
    return float(side.gap.row["estimate"]), *ends


def _conditions(table: BoardTable) -> SiteSection:
    board = table.board
    metric = table.metric or next(iter(board.metrics), "")
    lost = {
        place
        for member in board.members
        for source in member.sources
        for place in board.places
        if source.results.may_lose_label(place)
    }
    rows = []
    for at, place in enumerate(board.places):
        note = "people may no longer see the label at this severity" if place in lost else ""
        head = Datum(condition(place), "text", float(at), note=note)
        data = tuple(words.estimate(member.overall(place, metric)) for member in board.members)
        rows.append(Record(head, data))
    columns = (
        Column("Condition", "ascending", "text"),
        *(Column(member.name, words.first_way(metric)) for member in board.members),
    )
    caption = f"{fmt.heading(metric)} of every model under every condition"
    shown = SiteTable(caption, columns, tuple(rows), (), (words.INSUFFICIENT,))
    told = f"Models are ranked under {condition(board.reference)} alone; intervals here are each value's own."
    return SiteSection("conditions", "Every condition", (SitePart("", (told,), (shown,)),))
