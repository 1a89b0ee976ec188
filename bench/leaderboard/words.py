"""Words: every sentence that pages of a leaderboard share, and cells made of estimates.

What is withheld reads "withheld" and sorts as what is not there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.judge.metrics import METRICS
from bench.leaderboard.boards import Board, Member, Settings
from bench.leaderboard.standing import Pair, Rank, Standing
from bench.report import format as fmt
from bench.report.entries import INSUFFICIENT, MARK, reason, state_of
from bench.report.model_card import ModelCard, trained_on
from bench.report.results import Row
from bench.report.site import Datum
from bench.spec import Facts

__all__ = [
    "ABSENT",
    "COMPOSITE",
    "COVERED",
    "INSUFFICIENT",
    "NOTHING",
    "best_first",
    "contaminated",
    "contamination",
    "covered",
    "estimate",
    "first_way",
    "given",
    "kind_of",
    "pair_sentence",
    "rank",
    "ranked",
    "separated",
]  # fmt: skip

ABSENT = Datum(fmt.DASH, "absent")
NOTHING = Datum(fmt.DASH, "text absent")
"""The same in a column of text."""
COVERED = (
    "Intervals cover the sampling of {units}, not retraining or seeds of training. An interval of a value is "
    "its own; whether two models differ is not read off two intervals but off their pair."
)
COMPOSITE = (
    "There is no composite score. Accuracy, gaps, losses and time have different units, so that a sum needs "
    "weights, and whoever chooses the weights chooses who leads; a sum also hides a group or a condition "
    "behind an average. Read the columns for the use you have."
)
_RANKED = (
    "A rank is an interval, 1 the best: from 1 + the models found better to all but those found worse, by "
    "intervals of {level} that hold for all pairs of models at once ({method}, paired by {unit}, "
    "{clusters}). With that confidence the true ranks of all models lie in theirs. Models that these data do "
    "not tell apart share ranks: the order of their rows, by value, decides nothing between them."
)
_WIDE = "Some value has too little data: its pairs decide nothing, and ranks are as wide as that leaves them."
_UNITS = {"person": "persons", "video": "videos", "clip": "clips"}


def kind_of(member: Member) -> str:
    """What a row is: a model, predictions made elsewhere, or a double."""
    if member.double:
        return "double"
    return "model" if member.submission.model.entry else "given predictions"


def estimate(row: Row | None, digits: int = 3) -> Datum:
    """A value with its interval, sorting by the value; what is withheld, undefined or absent sorts last."""
    state = state_of(row)
    if row is None:
        return ABSENT
    if state in ("suppressed", "undefined", "unavailable"):
        return Datum(fmt.WITHHELD if state == "suppressed" else state, state, note=reason(row))
    mark = f"{MARK} " if state == "insufficient" else ""
    why = reason(row) if row["low"] is None else ""
    return Datum(mark + fmt.estimate(row, digits), state, float(row["estimate"]), note=why)


def rank(found: Rank | None, standing: Standing, name: str) -> Datum:
    """A rank, as "1" or "1–3", sorting by its best; of what is not ranked a dash, with the reason."""
    if found is None:
        return Datum(fmt.DASH, "absent", note=_unranked(standing, name))
    if found.low is None:
        return Datum(fmt.rank(None, None), "rank absent", note=found.reason or "")
    mark = "" if standing.enough else f"{MARK} "
    held = fmt.rank(found.low, found.high)
    return Datum(f"{mark}{held}", "rank", float(found.low), note=found.reason or "")


def best_first(found: Rank | None, value: float | None, metric: str) -> tuple[float, float]:
    """The order of rows: by the best possible rank, then by value; what has none of either last.

    >>> rows = {"b": (Rank(1, 2, None), 0.7), "a": (Rank(1, 1, None), 0.8), "baseline": (None, 0.9)}
    >>> sorted(rows, key=lambda name: best_first(*rows[name], "accuracy"))
    ['a', 'b', 'baseline']
    """
    sign = 1 if first_way(metric) == "ascending" else -1
    low = math.inf if found is None or found.low is None else float(found.low)
    return low, math.inf if value is None or math.isnan(value) else sign * value


def first_way(metric: str) -> str:
    """How a column of a metric sorts first: the best values on top.

    >>> first_way("uar"), first_way("rmse_valence")
    ('descending', 'ascending')
    """
    return "ascending" if METRICS[metric.partition("/")[0]].direction == "lower" else "descending"


def _unranked(standing: Standing, name: str) -> str:
    why = standing.left_out.get(name)
    if why is not None and not why.startswith("a double"):
        return f"not ranked: {why}"
    return "" if standing.refused is None or why else f"not ranked: {standing.refused}"


def ranked(board: Board, standing: Standing) -> tuple[str, ...]:
    """What must be said of the ranks of a board."""
    if standing.refused is not None:
        return (f"Nothing is ranked by {fmt.metric(standing.metric)}: {standing.refused}.",)
    unit = board.dataset.facts.cluster_unit
    text = _RANKED.format(
        level=fmt.percent(board.settings.level),
        method=standing.method,
        unit=unit,
        clusters=fmt.clusters(standing.clusters, unit),
    )
    alone = (
        ("With clips as clusters independence is assumed; if persons recur, ranks look surer than they are.",)
        if unit == "clip"
        else ()
    )
    few = () if standing.enough else (_WIDE,)
    return (text, "Doubles of known quality and baselines are not ranked.", *alone, *few)


def covered(board: Board) -> str:
    """What intervals cover."""
    return COVERED.format(units=_UNITS[board.dataset.facts.cluster_unit])


def contamination(
    board: Board, member: Member, card: ModelCard | None, shared: Sequence[tuple[Facts, int]] = ()
) -> tuple[str, str]:
    """Whether a model was trained on the data of a board: "declared", "card", "shared" or "unknown", and why.

    By the facts of the data set or the model's card; or by what these say of another data set, whose media
    are on so many rows here (``shared``).
    """
    if member.double:
        return "double", "A double looks at nothing; it is handed the answers, or chance."
    model = member.submission.model
    flag, told = trained_on(model, board.dataset.facts, card)
    if flag != "unknown":
        return flag, told
    for other, count in shared:
        known, why = trained_on(model, other, card)
        if known != "unknown":
            rows = fmt.counted(board.dataset.rows, "row")
            return (
                "shared",
                f"{fmt.count(count)} of {rows} here are on media of {other.name}. {why}",
            )
    return flag, told


def contaminated(
    board: Board, member: Member, card: ModelCard | None, shared: Sequence[tuple[Facts, int]] = ()
) -> Datum:
    """The flag of contamination as a cell."""
    flag, _ = contamination(board, member, card, shared)
    text = {
        "declared": "declared: trained on it", "card": "its card names it", "unknown": "unknown",
        "shared": "by shared media",
        "double": fmt.DASH,
    }[flag]  # fmt: skip
    return Datum(text, "text absent" if flag == "double" else "text", flag)


def pair_sentence(pair: Pair, metric: str) -> str:
    """A pair in a sentence, read from its first model."""
    name = fmt.metric(metric)
    if math.isnan(pair.low):
        why = pair.reason or "there is no interval"
        return f"{pair.first} against {pair.second}: not decided ({why})."
    numbers = (
        f"{fmt.signed(pair.estimate, 3)} [{fmt.signed(pair.low, 3)}, {fmt.signed(pair.high, 3)}] of {name}"
    )
    tested = f"adjusted p {fmt.probability(pair.p_adjusted)} over {fmt.counted(pair.family, 'pair')}"
    if pair.verdict == "not decided":
        why = f" ({pair.reason})" if pair.reason else ""
        return f"The data do not decide between {pair.first} and {pair.second}{why}: {numbers}, {tested}."
    return f"{pair.first} is {pair.verdict} than {pair.second}: {numbers}, {tested}."


def separated(found: tuple[Board, ...]) -> dict[int, tuple[str, ...]]:
    """Why boards of one data set do not share a table, by number; nothing of those that stand alone."""
    told: dict[int, tuple[str, ...]] = {}
    for board in found:
        others = [b for b in found if b.dataset.name == board.dataset.name and b is not board]
        told[board.number] = tuple(
            f"Apart from board {other.number}, also {other.dataset.name}: {_differs(board, other)}."
            for other in others
        )
    return told


def _differs(one: Board, other: Board) -> str:
    found = []
    if one.dataset.digest != other.dataset.digest:
        found.append(
            f"the targets differ (sha256 {one.dataset.digest[:12]}… here, {other.dataset.digest[:12]}… "
            "there), and numbers on other targets are not comparable"
        )
    here, there = one.settings.words, other.settings.words
    found += [f"{here[name]} here, {there[name]} there" for name in here if here[name] != there[name]]
    return "; ".join(found)


def given(settings: Settings) -> tuple[str, ...]:
    """What must be known of how the runs of a board sought faces."""
    told = []
    if settings.oracle:
        told.append(
            f"Models were given what a stage would find (--oracle {settings.oracle}): these are not numbers "
            "of a system, and stand apart from those that are."
        )
    if settings.every > 1:
        told.append(f"Faces were sought in one frame of {settings.every} and followed between.")
    return tuple(told)
