"""The page of pairs: who is better than whom, as a matrix, a table, and a sentence each."""

from __future__ import annotations

import math

from bench.leaderboard import words
from bench.leaderboard.assemble import BoardTable, Leaderboard
from bench.leaderboard.index import footer
from bench.leaderboard.standing import Pair, Standing
from bench.report import format as fmt
from bench.report.site import Column, Datum, Link, Record, SitePage, SitePart, SiteSection, SiteTable
from bench.report.table import words as condition

__all__ = ["compare_page"]

_ABOUT = (
    "Each pair answered about the same targets: its difference is paired by cluster, and known better than "
    "either value. Intervals hold for all pairs at once, and p adjusted is over all of them (single step, "
    "max-T): it is at most {alpha} exactly where the interval leaves out 0. Then one model is called better, "
    "else nothing is decided: that no difference was seen does not show that there is none."
)
_SIGN = {
    "better": ("text better", "+"), "worse": ("text worse", fmt.MINUS),
    "not decided": ("text open", "not decided"),
}  # fmt: skip


def compare_page(found: Leaderboard, table: BoardTable) -> SitePage:
    """The pairs of one board under its reference condition; ValueError where none was tested."""
    board, standing = table.board, table.standing
    if standing is None or not standing.pairs:
        raise ValueError("a page of pairs has pairs")
    alpha = f"{1 - board.settings.level:.3g}"
    name = f"{board.dataset.name}, {condition(board.reference)}"
    told = tuple(words.pair_sentence(pair, standing.metric) for pair in standing.pairs)
    about = (_ABOUT.format(alpha=alpha), *words.ranked(board, standing), words.covered(board))
    left = tuple(
        f"{model} is not compared: {why}." for model, why in standing.left_out.items() if "double" not in why
    )
    parts = (
        SitePart("Matrix", ("Read along the row: the model of the row is better (+) or worse "
                            f"({fmt.MINUS}) than that of the column, or it is not decided.", *left),
                 (_matrix(table, standing),)),
        SitePart("Table", (), (_pairs(table, standing),)),
        SitePart("In words", told),
        SitePart("How to read these pairs", about),
    )  # fmt: skip
    section = SiteSection("pairs", f"Pairs by {fmt.metric(standing.metric)}", parts)
    home = Link(f"../index.html#{board.anchor}", found.title)
    return SitePage(f"Every pair of models on {name}", "../", (), (), (section,), home, footer(found))


def _matrix(table: BoardTable, standing: Standing) -> SiteTable:
    board = table.board
    values = {m.name: m.overall(board.reference, standing.metric) for m in board.members}
    order = sorted(
        standing.ranks,
        key=lambda name: words.best_first(
            standing.ranks[name], float((values[name] or {})["estimate"]), standing.metric
        ),
    )
    by_names = {(pair.first, pair.second): pair for pair in standing.pairs}
    slugs = {m.name: m.submission.slug for m in board.members}
    rows = []
    for name in order:
        data = tuple(_cell(by_names, name, other) for other in order)
        place = words.rank(standing.ranks[name], standing, name)
        rows.append(Record(Datum(name, "text", name, f"../models/{slugs[name]}.html"), (place, *data)))
    columns = (
        Column("Model", "ascending", "text"), Column("Rank", "ascending"),
        *(Column(name, "", "text") for name in order),
    )  # fmt: skip
    return SiteTable(f"Who is better than whom by {fmt.metric(standing.metric)}", columns, tuple(rows))


def _cell(by_names: dict[tuple[str, str], Pair], name: str, other: str) -> Datum:
    if name == other:
        return Datum(fmt.DASH, "text")
    pair, turned = by_names.get((name, other)), by_names.get((other, name))
    verdict = pair.verdict if pair else turned.verdict if turned else "not decided"
    if pair is None and verdict != "not decided":
        verdict = "worse" if verdict == "better" else "better"
    kind, text = _SIGN[verdict]
    spoken = text if verdict == "not decided" else f"{text} {verdict}"
    return Datum(spoken, kind)


def _pairs(table: BoardTable, standing: Standing) -> SiteTable:
    board = table.board
    values = {m.name: m.overall(board.reference, standing.metric) for m in board.members}
    rows = tuple(_row(pair, values) for pair in standing.pairs)
    columns = (
        Column("Model", "ascending", "text"), Column("against", "ascending", "text"),
        Column("Its value"), Column("Value against"), Column("Difference"), Column("p", "ascending"),
        Column("p, adjusted", "ascending"), Column("Verdict", "ascending", "text"),
    )  # fmt: skip
    caption = f"Differences of {fmt.metric(standing.metric)}, with intervals that hold for all pairs at once"
    level = fmt.percent(board.settings.level)
    notes = (f"Intervals of {level}; {standing.method}; {fmt.counted(len(rows), 'pair')}.",)
    return SiteTable(caption, columns, rows, notes=notes)


def _row(pair: Pair, values: dict[str, dict[str, object] | None]) -> Record:
    known = not math.isnan(pair.low)
    held = f" [{fmt.signed(pair.low, 3)}, {fmt.signed(pair.high, 3)}]" if known else " (no interval)"
    verdict, why = pair.verdict, pair.reason or ""
    data = (
        Datum(pair.second, "text", pair.second),
        words.estimate(values[pair.first]), words.estimate(values[pair.second]),
        Datum(f"{fmt.signed(pair.estimate, 4)}{held}", key=pair.estimate, note="" if known else why),
        _probability(pair.p), _probability(pair.p_adjusted),
        Datum(verdict, _SIGN[verdict][0], verdict, note=why if known else ""),
    )  # fmt: skip
    return Record(Datum(pair.first, "text", pair.first), data, ("model",))


def _probability(p: float) -> Datum:
    return Datum(fmt.probability(p), key=None if math.isnan(p) else p)
