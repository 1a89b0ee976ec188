"""The page of a model: where it comes from, what it was trained on, and all its numbers."""

from __future__ import annotations

from collections import Counter

from bench.leaderboard import words
from bench.leaderboard.assemble import BoardTable, Leaderboard
from bench.leaderboard.boards import Member, place_of
from bench.leaderboard.index import footer
from bench.leaderboard.sources import Submission
from bench.report import format as fmt
from bench.report.differences import over
from bench.report.records import Place
from bench.report.results import Row, unique
from bench.report.site import Column, Datum, Link, Record, SitePage, SitePart, SiteSection, SiteTable
from bench.report.table import words as condition

__all__ = ["model_page"]

_DOUBLE = "A double of known quality by construction: it measures the harness and is no model."
_NO_CARD = (
    "Not given: the runs carry no card of it, and the publisher gave none. Nothing can be said of its "
    "training data, licence or limits."
)


def model_page(found: Leaderboard, submission: Submission) -> SitePage:
    """The page of one model, doubles included."""
    mine = [
        (table, member)
        for table in found.tables
        for member in table.board.members
        if member.submission is submission
    ]
    sections = [_origin(found, submission), _seen(found, submission, mine)]
    sections += [_numbers(table, member) for table, member in mine]
    banners = (_DOUBLE,) if submission.model.double else ()
    home = Link("../index.html", found.title)
    return SitePage(submission.name, "../", (), banners, tuple(sections), home, footer(found))


def _origin(found: Leaderboard, submission: Submission) -> SiteSection:
    model, card = submission.model, found.cards.get(submission.name)
    sampling = model.sampling or {}
    front = model.front or {}
    facts = (
        ("Entry", model.entry or "none: predictions made elsewhere"),
        ("Checkpoint", model.checkpoint or fmt.DASH),
        ("Weights from", model.origin or ("the zoo's own" if model.entry else fmt.DASH)),
        ("Frames", ", ".join(f"{k} {v}" for k, v in sorted(sampling.items()) if v is not None) or fmt.DASH),
        ("Faces", ", ".join(f"{k} {v}" for k, v in sorted(front.items())) or fmt.DASH),
        ("Runs", ", ".join(source.name for source, _ in submission.records)),
        ("Digest of the model", submission.digest),
    )
    rows = tuple(
        Record(Datum(name, "text", name), (Datum(digest, "digest", digest),))
        for name, digest in model.digests
    )
    columns = (Column("What", "ascending", "text"), Column("sha256", "", "text"))
    tables = (SiteTable("What its numbers rest on", columns, rows),) if rows else ()
    parts = [SitePart("Where it comes from", (), tables, facts=facts)]
    if card is None:
        parts.append(SitePart("Card", (_NO_CARD,)))
    else:
        parts.append(SitePart("Card", (card.quoted,), quote=card.text))
    if not submission.model.double:
        href = f"../huggingface/{submission.slug}.yaml"
        parts.append(SitePart("Files", links=(Link(href, "model-index for a card on Hugging Face"),)))
    return SiteSection("origin", "The model", tuple(parts))


def _seen(found: Leaderboard, submission: Submission, mine: list[tuple[BoardTable, Member]]) -> SiteSection:
    card = found.cards.get(submission.name)
    trained = None if card is None else card.trained_on
    rows = []
    for table, member in mine:
        flag, told = words.contamination(table.board, member, card, table.shared)
        said = f"“{trained}”" if trained else "nothing"
        data = (Datum(flag, "text", flag), Datum(told, "sentence"), Datum(said, "sentence"))
        rows.append(Record(Datum(table.board.dataset.name, "text", table.board.dataset.name), data))
    columns = (
        Column("Data set", "ascending", "text"), Column("Trained on it?", "ascending", "text"),
        Column("By what is declared", "", "text"), Column("Its card says of training data", "", "text"),
    )  # fmt: skip
    shown = SiteTable("Was the model trained on the data that judge it?", columns, tuple(rows))
    told = "Numbers on data that a model was trained on say little of other data. Unknown is not a no."
    return SiteSection("contamination", "Contamination", (SitePart("", (told,), (shown,)),))


def _numbers(table: BoardTable, member: Member) -> SiteSection:
    board, standing = table.board, table.standing
    facts = [
        ("Condition of reference", condition(board.reference)),
        ("Targets", fmt.counted(board.dataset.rows, "row")),
        ("sha256 of the targets", board.dataset.digest),
    ]
    if standing is not None:
        place = words.rank(standing.ranks.get(member.name), standing, member.name)
        facts.insert(0, (f"Rank by {fmt.metric(standing.metric)}", _of_all(place, len(standing.ranks))))
    parts = [SitePart("All values", (), (_values(member),))]
    parts += _others(member)
    parts.append(
        SitePart("More", _elsewhere(member), links=(Link(f"../boards/{board.anchor}.html", "Its board"),))
    )
    title = f"{board.dataset.name}, board {board.number}"
    text = (*words.given(board.settings), words.covered(board))
    return SiteSection(board.anchor, title, tuple(parts), tuple(facts), text)


def _of_all(place: Datum, models: int) -> str:
    """A rank with the number of models ranked, and the reason where it has none."""
    if place.key is not None:
        return f"{place.text} of {fmt.counted(models, 'model')}"
    return f"{place.text} ({place.note})" if place.note else place.text


def _values(member: Member) -> SiteTable:
    metrics = unique(row["metric"] for row in member.rows)
    places = sorted(member.values, key=lambda place: (place.severity > 0, place))
    rows = []
    for at, place in enumerate(places):
        for part, found in member.values[place].items():
            rows.append(_line(place, float(at), part, [found.get(name) for name in metrics]))
    columns = (
        Column("Condition", "ascending", "text"), Column("Slice", "ascending", "text"),
        Column("Value", "ascending", "text"), Column("n"), Column("Clusters"),
        *(Column(fmt.heading(name), words.first_way(name)) for name in metrics),
    )  # fmt: skip
    notes = (words.INSUFFICIENT, "n and clusters are those of the first metric that has any.")
    filters = (("slice", "Show slices"), ("+reportable", "Reportable only"))
    return SiteTable("Every value under every condition", columns, tuple(rows), filters, notes)


def _line(place: Place, at: float, part: tuple[str | None, str | None], found: list[Row | None]) -> Record:
    name, value = part
    known = [row for row in found if row is not None and row["n"] is not None]
    hidden = all(row["status"] == "suppressed" for row in found if row is not None)
    none = Datum(fmt.WITHHELD, "suppressed") if hidden else words.ABSENT
    n = Datum(fmt.count(known[0]["n"]), key=float(known[0]["n"])) if known else none
    clusters = none
    if known and known[0]["clusters"] is not None:
        clusters = Datum(fmt.count(known[0]["clusters"]), key=float(known[0]["clusters"]))
    whole = Datum("all rows", "text", "")
    data = (
        Datum(name, "text", name) if name else whole, Datum(value or fmt.DASH, "text", value), n, clusters,
        *(words.estimate(row) for row in found),
    )  # fmt: skip
    marks = ["slice"] if name else ["whole"]
    marks += ["reportable"] if any(r is not None and r["status"] == "reportable" for r in found) else []
    return Record(Datum(condition(place), "text", at), data, tuple(marks))


def _others(member: Member) -> list[SitePart]:
    """Gaps, and what conditions take from all rows."""
    gaps = [row for row in member.differences if row["kind"] == "gap" and not row["reference"]]
    losses = [r for r in member.differences if r["kind"] == "degradation" and r["slice"] is None]
    found: list[SitePart] = []
    columns: tuple[Column, ...]
    if gaps:
        columns = (
            Column("Condition", "ascending", "text"), Column("Attribute", "ascending", "text"),
            Column("Metric", "ascending", "text"), Column("Gap"), Column("Mean by chance"),
            Column("95 % by chance"), Column("p", "ascending"), Column("p, adjusted", "ascending"),
        )  # fmt: skip
        rows = tuple(_gap(row) for row in gaps)
        caption = "Largest minus smallest reportable value of each attribute"
        found.append(SitePart("Gaps", (), (SiteTable(caption, columns, rows),)))
    if losses:
        columns = (
            Column("Condition", "ascending", "text"), Column("Metric", "ascending", "text"),
            Column("Degradation"), Column("p, adjusted", "ascending"),
        )  # fmt: skip
        rows = tuple(_loss(row) for row in losses)
        caption = "What each condition takes from all rows, paired with the reference condition"
        found.append(SitePart("Degradations", (), (SiteTable(caption, columns, rows),)))
    return found


def _gap(row: Row) -> Record:
    name = fmt.metric(row["metric"])
    size = words.estimate(row)
    if isinstance(size.key, float):  # a gap has no interval of its own: its pairs have
        size = Datum(fmt.number(row["estimate"]), size.kind, size.key)
    data = (
        Datum(over(row), "text", over(row)), Datum(name, "text", name), size,
        *(_number(row[key]) for key in ("null_mean", "null_p95")),
        *(_probability(row[key]) for key in ("p", "p_adjusted")),
    )  # fmt: skip
    return Record(Datum(condition(place_of(row)), "text", condition(place_of(row))), data)


def _loss(row: Row) -> Record:
    mean = row["severity"] is None
    of = f"{row['condition'].replace('_', ' ')}, mean of severities" if mean else condition(place_of(row))
    name = fmt.metric(row["metric"])
    data = (Datum(name, "text", name), words.estimate(row), _probability(row["p_adjusted"]))
    return Record(Datum(of, "text", of), data)


def _elsewhere(member: Member) -> tuple[str, ...]:
    """What is not on this page but in the files."""
    on_page = [r for r in member.differences if r["kind"] == "gap" and not r["reference"]]
    on_page += [r for r in member.differences if r["kind"] == "degradation" and r["slice"] is None]
    shown = {id(row) for row in on_page}
    left = Counter(row["kind"].replace("_", " ") for row in member.differences if id(row) not in shown)
    if not left:
        return ()
    listed = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(left.items()))
    return (f"Further estimates are in the files of the site alone: {listed}.",)


def _number(value: float | None) -> Datum:
    return words.ABSENT if value is None else Datum(fmt.number(value), key=float(value))


def _probability(p: float | None) -> Datum:
    return Datum(fmt.probability(p), key=p)
