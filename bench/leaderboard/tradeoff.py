"""Tradeoff: accuracy, fairness, robustness and cost of each model, side by side.

Each stands for itself. There is no composite score: weights would decide who leads, they are nobody's to
choose for every use, and a sum would hide a group, or a condition, behind an average. Gaps and degradations
are those of the runs, of the metric of the board. Refuses to average over conditions that not every model
was run under.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.leaderboard.boards import Board, Member, place_of
from bench.leaderboard.cost import Cost, cost_of
from bench.report.differences import within
from bench.report.records import Place
from bench.report.results import Row
from bench.report.robustness import as_much

__all__ = ["Degraded", "Gap", "Tradeoff", "shared_places", "tradeoffs"]

_FOUND = 0.10  # q of exploratory gaps (STATISTICS, Multiplicity)


@dataclass(frozen=True)
class Gap:
    """The largest gap of a model over its slices: the row, that of its widest pair, and what p says.

    ``decided``: chance alone does not explain it, by the adjusted p; ``tested`` how many gaps were looked at.
    """

    row: Row
    widest: Row | None
    decided: bool
    tested: int


@dataclass(frozen=True)
class Degraded:
    """What conditions take from a model: the mean over conditions that all share, and the worst of them.

    ``mean`` is that of the means over severities, without an interval, None where one is undefined; ``worst``
    is a row, its interval that of all conditions at once where ``at_once``; ``as_much`` are others that take
    as much.
    """

    mean: float | None
    worst: Row
    as_much: tuple[Row, ...]
    at_once: bool


@dataclass(frozen=True)
class Tradeoff:
    """One model: its value by the metric of the board, and the three others, None where not measured."""

    member: Member
    value: Row | None
    gap: Gap | None
    degraded: Degraded | None
    cost: Cost


def tradeoffs(board: Board, metric: str) -> tuple[Tradeoff, ...]:
    """Every model of a board, doubles included, in its order."""
    shared = shared_places(board, metric)
    return tuple(
        Tradeoff(
            member,
            member.overall(board.reference, metric),
            _gap(board, member, metric),
            _degraded(member, metric, shared),
            cost_of(board, member),
        )
        for member in board.members
    )


def shared_places(board: Board, metric: str) -> tuple[Place, ...]:
    """The conditions under which every model that has any was held against clean media, by one metric."""
    each = [set(found) for m in board.members if not m.double and (found := _losses(m, metric))]
    return tuple(sorted(set.intersection(*each))) if each else ()


def _gap(board: Board, member: Member, metric: str) -> Gap | None:
    here = [
        row for row in member.differences
        if row["metric"] == metric and place_of(row) == board.reference and row["slice"] is not None
    ]  # fmt: skip
    gaps = [
        row for row in here
        if row["kind"] == "gap" and not row["reference"] and row["estimate"] is not None
        and row["status"] == "reportable"
    ]  # fmt: skip
    if not gaps:
        return None
    most = max(gaps, key=lambda row: float(row["estimate"]))
    pairs = [
        row for row in here
        if row["kind"] == "contrast" and row["slice"] == most["slice"] and row["estimate"] is not None
        and row["reference"] != "rest" and within(row) == within(most)
    ]  # fmt: skip
    widest = max(pairs, key=lambda row: abs(float(row["estimate"])), default=None)
    p = most["p_adjusted"]
    limit = 1 - board.settings.level if most["role"] == "confirmatory" else _FOUND
    return Gap(most, widest, p is not None and p <= limit, len(gaps))


def _losses(member: Member, metric: str) -> dict[Place, Row]:
    """What each severity of each condition takes from all rows."""
    return {
        place_of(row): row
        for row in member.differences
        if row["kind"] == "degradation"
        and row["metric"] == metric
        and row["slice"] is None
        and row["severity"]
    }


def _degraded(member: Member, metric: str, shared: Sequence[Place]) -> Degraded | None:
    losses = _losses(member, metric)
    if not shared or not set(shared) <= set(losses):
        return None
    mine = {place: losses[place] for place in shared}
    known = [row for row in mine.values() if row["estimate"] is not None]
    if not known:
        return None
    families: dict[tuple[str, str], list[float]] = {}
    for place, row in mine.items():
        if row["estimate"] is not None:
            families.setdefault((place.condition, place.where), []).append(row["estimate"])
    whole = len(known) == len(mine)
    mean = statistics.fmean(statistics.fmean(each) for each in families.values()) if whole else None
    worst = max(known, key=lambda row: float(row["estimate"]))
    tied = tuple(as_much(worst, known))
    joint = [
        r for r in member.differences if r["kind"] == "worst" and r["metric"] == metric and r["slice"] is None
    ]
    if joint and set(losses) == set(shared) and place_of(joint[0]) == place_of(worst):
        return Degraded(mean, joint[0], tied, at_once=True)
    return Degraded(mean, worst, tied, at_once=False)
