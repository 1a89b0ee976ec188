"""Tables of differences: gaps beside what chance alone makes of them, the contrasts behind them, and ratios.

They show what ``bench.judge.fairness`` tested and add no test of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.report import format as fmt
from bench.report.entries import Entry, estimated, reason
from bench.report.records import Dataset
from bench.report.results import Results, Row, unique
from bench.report.table import Group, Line, Table

__all__ = [
    "FEW", "adjusted", "adjusted_head", "contrast_table", "families", "gap_table", "has_gaps",
    "matched_table", "over", "ratio_table", "within",
]  # fmt: skip

FEW = "nothing to compare"
"""How the warning of a gap begins that has fewer than two values to compare."""
_REST = "rest"
_BIASED = "compared with chance only: it carries sample-size bias"

_RATIOS = (
    "Attribute", "Model", "Smallest / largest", "Below .8 by chance", "Largest error / geometric mean",
)  # fmt: skip


def has_gaps(results: Results, data: Dataset, metrics: Sequence[str]) -> bool:
    """Whether any of these metrics was compared, or tried to be, between the values of a slice."""
    return any(row["kind"] == "gap" for name in metrics for row in _rows(results, data, name))


def gap_table(results: Results, data: Dataset, metrics: Sequence[str]) -> Table:
    """The gap of every slice and model, one group a metric, under the reference condition.

    What holds nothing to compare is named below the table unless it is primary, as is over how many gaps q
    is taken.
    """
    groups, gaps = [], []
    for metric in metrics:
        rows = _rows(results, data, metric)
        mine = _in_order(results, data, (row for row in rows if _is_gap(row) and not row["reference"]))
        gaps += mine
        lines = [
            _gap_line(row, [r for r in rows if _beside(row, r) and r["reference"] not in (None, _REST)])
            for row in mine
            if row["role"] == "confirmatory" or not _holds_nothing(row)
        ]
        if lines:
            groups.append(Group(tuple(lines), f"{data.name}, {fmt.metric(metric)}"))
    columns = (
        "Attribute", "Model", "Gap", "Mean by chance", "95 % by chance", "p", adjusted_head(gaps),
        "Largest difference", "Its simultaneous interval", fmt.SEEN,
    )  # fmt: skip
    caption = "Largest minus smallest reportable value of each attribute"
    return Table(caption, columns, tuple(groups), (*families(gaps), *_nothing(gaps)))


def matched_table(results: Results, data: Dataset, metrics: Sequence[str]) -> Table:
    """The gaps as they are, and as they were if every value compared had the labels in the same mix."""
    groups, gaps = [], []
    for metric in metrics:
        rows = _in_order(results, data, (row for row in _rows(results, data, metric) if _is_gap(row)))
        plain = {(over(row), row["model"]): row for row in rows if not row["reference"]}
        mine = [row for row in rows if row["reference"] and not _holds_nothing(row)]
        gaps += mine
        lines = tuple(_matched_line(row, plain[over(row), row["model"]]) for row in mine)
        if lines:
            groups.append(Group(lines, f"{data.name}, {fmt.metric(metric)}"))
    columns = (
        "Attribute", "Model", "Gap as it is", "At equal shares", "Mean by chance", "95 % by chance", "p",
        adjusted_head(gaps),
    )  # fmt: skip
    caption = "Gaps at equal shares of the labels (base-rate-matched)"
    return Table(caption, columns, tuple(groups), families(gaps))


def families(gaps: Sequence[Row]) -> tuple[str, ...]:
    """Over how many gaps q, or the adjusted p of primary ones, is taken; nothing where none was tested."""
    found, head = unique(row["family"] for row in gaps if row["family"]), adjusted_head(gaps)
    if not found:
        return ()
    named = f"{head} (of primary gaps, by Holm)" if "adjusted" in head else head
    return (f"{named} is taken over {'; '.join(found)}, of all data sets, conditions, slices and metrics.",)


def adjusted_head(gaps: Sequence[Row]) -> str:
    """The head over ``p_adjusted``: q, beside which stands the adjusted p (Holm) of primary gaps if any."""
    return "q / adjusted p" if any(row["role"] == "confirmatory" for row in gaps) else "q"


def adjusted(row: Row) -> str:
    """The q of a gap, or its adjusted p, marked, where it is a primary one."""
    return fmt.probability(row["p_adjusted"]) + (" (primary)" if row["role"] == "confirmatory" else "")


def contrast_table(results: Results, data: Dataset, metric: str) -> Table:
    """Every value against the other measured rows, by one metric, one group a model and slice."""
    rows = _in_order(
        results, data, (row for row in _rows(results, data, metric) if row["kind"] == "contrast")
    )
    groups, told = [], []
    for name, model in unique((over(row), row["model"]) for row in rows):
        mine = [row for row in rows if (row["model"], over(row)) == (model, name)]
        # Where there are but two values, or the rest would tell what is withheld, the pairs say it.
        shown = [row for row in mine if row["reference"] == _REST] or [_larger_first(row) for row in mine]
        told += [fmt.family(row["family"]) for row in shown if row["family"]]
        lines = tuple(
            Line(f"{row['value']} against {_rest(row)}", (
                estimated(row), Entry(fmt.probability(row["p_adjusted"])), _found_from(row["sdd80"]),
            ))
            for row in shown
        )  # fmt: skip
        groups.append(Group(lines, f"{model}, {name}"))
    caption = f"Differences of {fmt.metric(metric)} on {data.name} with simultaneous intervals"
    families = (name if name.startswith("1 ") else f"all of {name}" for name in unique(told))
    held = f"An adjusted p and its interval hold, for each model, at once for {', for '.join(families)}."
    columns = ("Contrast", "Difference", "p, adjusted", fmt.SEEN)
    return Table(caption, columns, tuple(groups), (held,) if told else ())


def ratio_table(results: Results, data: Dataset, metrics: Sequence[str]) -> Table:
    """Ratios of the rates of every slice, with how often chance alone makes the first one small."""
    groups = []
    for metric in metrics:
        rows = [row for row in _rows(results, data, metric) if row["kind"] == "ratio"]
        lines = []
        for name, model in unique((over(row), row["model"]) for row in _in_order(results, data, rows)):
            mine = {row["reference"]: row for row in rows if (over(row), row["model"]) == (name, model)}
            least, most = (mine.get(name, {}) for name in ("min/max", "max/geometric mean"))
            numbers = (least.get("estimate"), least.get("null_mean"), most.get("estimate"))
            entries = [Entry(fmt.DASH if number is None else fmt.number(number)) for number in numbers]
            lines.append(Line(name, (Entry(model, "text"), *entries)))
        if lines:
            groups.append(Group(tuple(lines), f"{data.name}, {fmt.metric(metric)}"))
    return Table("Ratios of rates, which decide nothing", _RATIOS, tuple(groups))


def within(row: Row) -> str | None:
    """The value of a control within which a row compares, None where its slice has none."""
    if "|" not in row["slice"]:
        return None
    return str(row["value"] or "").rpartition("|")[2]


def over(row: Row) -> str:
    """What a row of differences compares: its slice, and within which value of a control, if of any.

    >>> over({"slice": "sex|age", "value": "Male|<30"}), over({"slice": "sex", "value": None})
    ('sex|age within <30', 'sex')
    """
    given = within(row)
    return row["slice"] if given is None else f"{row['slice']} within {given}"


def _rows(results: Results, data: Dataset, metric: str) -> list[Row]:
    place = results.reference(data.name)
    return [row for row in results.differences_at(data.name, place) if row["metric"] == metric]


def _beside(gap: Row, row: Row) -> bool:
    if row["kind"] != "contrast":
        return False
    return row["model"] == gap["model"] and over(row) == over(gap)


def _in_order(results: Results, data: Dataset, rows: Iterable[Row]) -> list[Row]:
    """Rows by slice, then by model as the run has them."""
    slices = [name for name, _ in results.slices(data.name)]
    models = [model.name for model in results.models]
    return sorted(rows, key=lambda row: (slices.index(row["slice"]), models.index(row["model"])))


def _is_gap(row: Row) -> bool:
    return bool(row["kind"] == "gap")


def _holds_nothing(row: Row) -> bool:
    return bool(row["status"] == "insufficient" and row["estimate"] is None)


def _nothing(gaps: Sequence[Row]) -> tuple[str, ...]:
    """The gaps that hold nothing to compare, a sentence a slice and set of models, naming the metrics."""
    gone = [row for row in gaps if _holds_nothing(row) and row["role"] != "confirmatory"]
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, metric in unique((over(row), row["metric"]) for row in gone):
        models = tuple(row["model"] for row in gone if (over(row), row["metric"]) == (name, metric))
        found.setdefault((name, models), []).append(fmt.metric(metric))
    why = next((row["warning"] for row in gone if row["warning"]), FEW)
    told = [f"{name} ({', '.join(models)}: {', '.join(names)})" for (name, models), names in found.items()]
    because = why.removeprefix(FEW).removeprefix(": ")
    return (f"Nothing to compare{f' ({because})' if because else ''}: {'; '.join(told)}.",) if told else ()


def _larger_first(row: Row) -> Row:
    """A pair turned round where its difference is negative, so that it reads as the gap does."""
    if row["estimate"] is None or row["estimate"] >= 0:
        return row
    turned = {name: None if row[other] is None else -row[other]
              for name, other in (("estimate", "estimate"), ("low", "high"), ("high", "low"))}  # fmt: skip
    return {**row, **turned, "value": row["reference"], "reference": row["value"]}


def _gap_line(row: Row, pairs: Sequence[Row]) -> Line:
    if row["status"] == "suppressed":
        return Line(over(row), (Entry(row["model"], "text"), *[Entry(fmt.WITHHELD, "suppressed")] * 8))
    if _holds_nothing(row):
        dash, named = Entry(fmt.DASH), Entry(fmt.DASH, "text")
        known = (*[dash] * 4, Entry(adjusted(row)), named, dash, dash)
        return Line(over(row), (Entry(row["model"], "text"), *known))
    return Line(over(row), (Entry(row["model"], "text"), _size(row), *_tested(row), *_widest(pairs)))


def _matched_line(row: Row, plain: Row) -> Line:
    named = (Entry(row["model"], "text"), _size(plain))
    if row["status"] == "suppressed":
        return Line(over(row), (*named, *[Entry(fmt.WITHHELD, "suppressed")] * 5))
    return Line(over(row), (*named, _size(row), *_tested(row)))


def _size(row: Row) -> Entry:
    if row["status"] == "suppressed":
        return Entry(fmt.WITHHELD, "suppressed")
    return Entry(fmt.number(row["estimate"]), note=reason(row) if row["estimate"] is None else "")


def _tested(row: Row) -> tuple[Entry, ...]:
    """What chance alone makes of a gap, p and q."""
    chance = [
        Entry(fmt.DASH if row[name] is None else fmt.number(row[name])) for name in ("null_mean", "null_p95")
    ]
    known = Entry(fmt.probability(row["p"]), note=reason(row) if row["p"] is None else "")
    return (*chance, known, Entry(adjusted(row)))


def _widest(pairs: Sequence[Row]) -> tuple[Entry, Entry, Entry]:
    """The largest difference of a gap's pairs, its interval, and from where one would be found."""
    dashes = (Entry(fmt.DASH), Entry(fmt.DASH))
    if not pairs:
        # The judge makes no pairs of just those metrics that carry sample-size bias.
        return Entry(_BIASED, "text"), *dashes
    known = [_larger_first(pair) for pair in pairs if pair["estimate"] is not None]
    if not known:
        return (Entry(fmt.UNDEFINED, "text", reason(pairs[0])), *dashes)
    widest = max(known, key=lambda pair: float(pair["estimate"]))
    seen = max((pair["sdd80"] for pair in known if pair["sdd80"] is not None), default=None)
    named = Entry(f"{widest['value']} {fmt.MINUS} {widest['reference']}", "text")
    return named, estimated(widest), _found_from(seen)


def _found_from(smallest: float | None) -> Entry:
    return Entry(fmt.DASH if smallest is None else fmt.number(smallest))


def _rest(row: Row) -> str:
    return "all other measured rows" if row["reference"] == _REST else str(row["reference"])
