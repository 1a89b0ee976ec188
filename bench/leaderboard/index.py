"""The index: one table a board, with ranks as ranges, and why there are several."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.leaderboard import words
from bench.leaderboard.assemble import BoardTable, Leaderboard
from bench.leaderboard.baselines import Baseline
from bench.leaderboard.boards import Member
from bench.leaderboard.tradeoff import Tradeoff
from bench.leaderboard.tradeoff_words import gap_datum, worst_datum
from bench.report import format as fmt
from bench.report.entries import state_of
from bench.report.model_card import ModelCard
from bench.report.site import Column, Datum, Link, Record, SitePage, SitePart, SiteSection, SiteTable
from bench.report.table import words as condition

__all__ = ["DOWNLOADS", "FILTERS", "footer", "index_page"]

FILTERS = (
    ("double", "Show doubles"), ("baseline", "Show baselines"), ("+reportable", "Reportable only"),
)  # fmt: skip
DOWNLOADS = (
    Link("leaderboard.csv", "Every number as CSV"),
    Link("leaderboard.json", "Every number as JSON"),
    Link("leaderboard.parquet", "Every number as Parquet"),
)
_UNRANKED = "Nothing is ranked: no metric that ranks, or not the one asked for, is among these numbers."
_GAP, _WORST = "Largest gap", "Worst degradation"
_LACKING = {
    _GAP: "No gap of {}: none of these runs has two reportable values of it for an attribute.",
    _WORST: "No degradation: these models share no condition beside clean media.",
}
_LARGEST = "The largest of several gaps, or losses, is large by chance, too."
_ABOUT = (
    "Models that were judged on the same targets by the same settings, side by side. Numbers are those of "
    "finished runs; this page measures, it recommends nothing."
)
_SEVERAL = (
    "There are several tables since numbers on other data, other targets or by other settings are not "
    "comparable; no model is ranked across them."
)


def index_page(found: Leaderboard) -> SitePage:
    """The first page: a section a board, then what can be downloaded and the runs."""
    apart = words.separated(tuple(table.board for table in found.tables))
    sections = [_section(table, apart[table.board.number], found.cards) for table in found.tables]
    ends = (_models(found), _runs(found))
    several = (_SEVERAL,) if len(found.tables) > 1 else ()
    return SitePage(
        found.title, "", (_ABOUT, *several), (), (*sections, *ends), footer=footer(found)
    )  # fmt: skip


def footer(found: Leaderboard) -> tuple[str, ...]:
    """The last lines of every page."""
    versions = sorted({source.results.version for source in found.sources})
    return (
        f"Made by affectbench from runs of version {', '.join(versions)}; the same runs give the same pages.",
        "Withheld numbers are withheld in every table, figure and file of this site.",
    )


def _section(table: BoardTable, apart: tuple[str, ...], cards: Mapping[str, ModelCard]) -> SiteSection:
    board = table.board
    facts = board.dataset.facts
    about = (
        ("Targets", fmt.counted(board.dataset.rows, "row")),
        ("Resampled are", fmt.CLUSTERS[facts.cluster_unit]),
        ("Condition", condition(board.reference)),
    )
    behind = (
        ("Licence of the data", facts.licence),
        ("Judged by", f"affectbench {board.settings.version}, seed {board.settings.seed}"),
        ("sha256 of the targets", board.dataset.digest),
    )
    told = words.ranked(board, table.standing) if table.standing else (_UNRANKED,)
    text = (*words.given(board.settings), *apart)
    links = [Link(f"boards/{board.anchor}.html", "Accuracy, gaps, robustness and cost; every condition")]
    if table.standing is not None and table.standing.pairs:
        links.append(Link(f"compare/{board.anchor}.html", "Every pair of models, tested"))
    parts = (
        SitePart("", (), (_table(table, cards),), links=tuple(links)),
        SitePart("How to read these ranks", (*told, words.covered(board)), facts=behind),
    )
    title = f"{board.dataset.name}, {condition(board.reference)}"
    return SiteSection(board.anchor, f"{board.number}. {title}", parts, about, text)


def _table(table: BoardTable, cards: Mapping[str, ModelCard]) -> SiteTable:
    board, metric = table.board, table.metric
    shown = [*([metric] if metric else []), *(name for name in board.shown if name != metric)]
    sides = {side.member.name: side for side in table.tradeoffs}
    beside = _beside(table)
    rows = []
    for member in board.members:
        more = [make(sides.get(member.name)) for make in beside.values()]
        more.append(words.contaminated(board, member, cards.get(member.name), table.shared))
        rows.append(_row(table, member, shown, more))
    rows += [_baseline(each, shown, len(beside)) for each in table.baselines]
    columns = (
        Column("Model", "ascending", "text"), Column("Rank", "ascending"),
        *(Column(fmt.heading(name), words.first_way(name)) for name in shown), Column("n"),
        *(Column(name, "ascending", "text") for name in beside),
        Column("Trained on these data?", "ascending", "text"), Column("What it is", "ascending", "text"),
        Column("Run", "ascending", "text"),
    )  # fmt: skip
    rows.sort(key=lambda row: _order(row, table, metric or "accuracy"))
    held = metric is not None and table.standing is not None and table.standing.refused is None
    by = f", ranked by {fmt.metric(metric or '')}" if held else ""
    caption = f"Models on {board.dataset.name}, {condition(board.reference)}{by}"
    of = fmt.metric(metric) if metric else "a metric that ranks"
    notes = [words.INSUFFICIENT, *(text.format(of) for name, text in _LACKING.items() if name not in beside)]
    notes += [_LARGEST] if beside else []
    return SiteTable(caption, columns, tuple(rows), FILTERS, tuple(notes))


def _beside(table: BoardTable) -> dict[str, Callable[[Tradeoff | None], Datum]]:
    """What stands beside accuracy, each with how its cell is made, where some model has it."""
    made: dict[str, Callable[[Tradeoff | None], Datum]] = {}
    if any(side.gap is not None for side in table.tradeoffs):
        made[_GAP] = gap_datum
    if any(side.degraded is not None for side in table.tradeoffs):
        made[_WORST] = worst_datum
    return made


def _order(row: Record, table: BoardTable, metric: str) -> tuple[float, float]:
    """Models by rank, then by value; below them, by value, what is not ranked."""
    ranks, value = table.standing.ranks if table.standing else {}, row.data[1].key
    found = ranks.get(row.head.text) if "model" in row.marks else None
    return words.best_first(found, value if isinstance(value, float) else None, metric)


def _row(table: BoardTable, member: Member, shown: list[str], beside: list[Datum]) -> Record:
    board, standing = table.board, table.standing
    rows = {name: member.overall(board.reference, name) for name in shown}
    first = next((row for row in rows.values() if row is not None), None)
    n = words.ABSENT
    if first is not None and first["n"] is not None:
        n = Datum(fmt.count(first["n"]), key=float(first["n"]))
    place = words.rank(standing.ranks.get(member.name), standing, member.name) if standing else words.ABSENT
    kind = words.kind_of(member)
    data = (
        place, *map(words.estimate, rows.values()), n, *beside,
        Datum(kind, "text", kind),
        Datum(", ".join(source.name for source in member.sources), "text", member.sources[0].name),
    )  # fmt: skip
    marks = ["double" if member.double else "model"]
    marks += ["reportable"] if state_of(first) == "reportable" else []
    head = Datum(member.name, "text", member.name, f"models/{member.submission.slug}.html")
    return Record(head, data, tuple(marks))


def _baseline(found: Baseline, shown: list[str], beside: int) -> Record:
    data = (
        words.ABSENT, *(_exact(found.values.get(name)) for name in shown),
        Datum(fmt.count(found.rows), key=float(found.rows)), *[words.NOTHING] * (beside + 1),
        Datum("baseline", "text", "baseline"), words.NOTHING,
    )  # fmt: skip
    return Record(Datum(found.name, "text", found.name, note=found.about), data, ("baseline", "reportable"))


def _exact(value: float | None) -> Datum:
    if value is None:
        return words.ABSENT
    return Datum(f"{fmt.number(value)} (exact)", "baseline", float(value))


def _models(found: Leaderboard) -> SiteSection:
    links = tuple(Link(f"models/{s.slug}.html", s.name) for s in found.submissions)
    cards = tuple(
        Link(f"huggingface/{s.slug}.yaml", f"model-index of {s.name} (Hugging Face)")
        for s in found.submissions
        if not s.model.double
    )
    told = (
        "A file holds the estimates of every run, with ranks, pairs and baselines beside them. What is "
        "withheld is null, with its status. A model-index holds reportable values alone; no double has one."
    )
    parts = (
        SitePart("Pages of the models", links=links),
        SitePart("Files", (told,), links=(*DOWNLOADS, *cards)),
    )
    return SiteSection("downloads", "Models and downloads", parts)


def _runs(found: Leaderboard) -> SiteSection:
    rows = tuple(
        Record(
            Datum(source.name, "text", source.name),
            (
                Datum(source.results.suite.suite, "text", source.results.suite.suite),
                Datum(source.results.version, "text", source.results.version),
                Datum(source.results.device or fmt.DASH, "text", source.results.device),
                Datum(source.results.precision or fmt.DASH, "text", source.results.precision),
                Datum(source.results.digests["estimates.parquet"], "digest"),
            ),
        )
        for source in found.sources
    )
    columns = (
        Column("Run", "ascending", "text"), Column("Suite", "ascending", "text"),
        Column("affectbench", "ascending", "text"), Column("Device", "ascending", "text"),
        Column("Precision", "ascending", "text"), Column("sha256 of its estimates", "", "text"),
    )  # fmt: skip
    table = SiteTable("The runs that this site was made of", columns, rows)
    return SiteSection("runs", "Runs", (SitePart("", (words.COMPOSITE,), (table,)),))
