"""Boards: which models may stand in one table, and why others stand in another.

A board is of one data set with one digest of targets, judged by one version of affectbench with the same
level, seed, constant for misses, thresholds and way of seeking faces. What differs is said in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.digest import canonical_json
from bench.errors import UserError, listed
from bench.judge.metrics import METRICS
from bench.judge.ranks import ranks
from bench.leaderboard.sources import Source, Submission
from bench.report.records import Dataset, Place
from bench.report.results import Row, unique
from bench.spec import Suite

__all__ = ["Board", "Member", "Settings", "boards", "choose_metric", "condition_of", "place_of"]

_SHOWN = ("accuracy", "uar", "macro_f1", "ccc_valence", "ccc_arousal", "au_f1", "au_icc", "coverage")
_LEADING = (
    "uar", "accuracy", "macro_f1", "ccc_valence", "ccc_arousal", "ccc_dominance", "au_f1", "au_icc",
)  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What numbers of one board share beside their targets; ``every``: faces sought in one of so many."""

    version: str
    level: float
    seed: int
    missing_constant: float
    slice_rule: str
    oracle: str | None
    every: int

    @property
    def words(self) -> dict[str, str]:
        """Each setting in words, by its name."""
        return {
            "version": f"affectbench {self.version}",
            "level": f"intervals of {100 * self.level:g} %",
            "seed": f"seed {self.seed}",
            "missing_constant": f"misses of affect scored as {self.missing_constant:g}",
            "slice_rule": f"thresholds {self.slice_rule}",
            "oracle": f"given what a stage would find (--oracle {self.oracle})" if self.oracle
            else "no stage given",
            "every": f"faces sought in one frame of {self.every}" if self.every > 1
            else "faces sought in every frame",
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Member:
    """A model on a board: the run that has it there, what it is called in that run, and its estimates."""

    submission: Submission
    sources: tuple[Source, ...]
    named: str
    rows: tuple[Row, ...]
    differences: tuple[Row, ...]

    @property
    def name(self) -> str:
        """What pages call it."""
        return self.submission.name

    @property
    def double(self) -> bool:
        """Whether it is no model but of known quality by construction."""
        return self.submission.model.double

    @cached_property
    def values(self) -> dict[Place, dict[tuple[str | None, str | None], dict[str, Row]]]:
        """The values by condition, then by slice and value, then by metric."""
        found: dict[Place, dict[tuple[str | None, str | None], dict[str, Row]]] = {}
        for row in self.rows:
            parts = found.setdefault(place_of(row), {})
            parts.setdefault((row["slice"], row["value"]), {})[row["metric"]] = row
        return found

    def overall(self, place: Place, metric: str) -> Row | None:
        """The estimate of all rows under a condition, None where there is none."""
        return self.values.get(place, {}).get((None, None), {}).get(metric)

    def source(self, dataset: str, place: Place) -> Source | None:
        """The first run that has its cell under a condition."""
        condition = condition_of(place)
        return next((s for s in self.sources if s.cell(self.named, dataset, condition)), None)

    def facts(self, dataset: str, place: Place) -> dict[str, Any] | None:
        """What ``cell.json`` says of its cell under a condition, None where there is none."""
        source = self.source(dataset, place)
        cell = None if source is None else source.cell(self.named, dataset, condition_of(place))
        return None if cell is None else cell.facts


@dataclass(frozen=True, eq=False)
class Board:
    """The models that may be compared with each other; ``number`` is from 1 in the order of the page."""

    number: int
    dataset: Dataset
    settings: Settings
    members: tuple[Member, ...]

    @property
    def anchor(self) -> str:
        """What the addresses of its pages are made of."""
        return f"board-{self.number}"

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every condition that some model was run under, clean media first."""
        found = {place for member in self.members for place in member.values}
        return tuple(sorted(found, key=lambda place: (place.severity > 0, place)))

    @property
    def reference(self) -> Place:
        """The condition of the table and of ranks: clean media, or the first where no model has these."""
        return next(iter(self.places), Place("clean"))

    @cached_property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that some model has over all rows under the reference condition."""
        found = (m.values.get(self.reference, {}).get((None, None), {}) for m in self.members)
        return tuple(unique(name for metrics in found for name in metrics))

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics of its table: those best known, else the first five there are."""
        known = tuple(name for name in _SHOWN if name in self.metrics)
        return self.metrics[:5] if set(known) <= {"coverage"} else known

    @property
    def suite(self) -> Suite:
        """The suite of the first run, whose settings are those of all."""
        return self.members[0].sources[0].results.suite


def boards(found: Sequence[Submission]) -> tuple[Board, ...]:
    """The boards of all submissions, in the order in which the runs have their data sets."""
    held: dict[tuple[str, str, Settings], dict[Submission, list[Source]]] = {}
    datasets: dict[tuple[str, str, Settings], Dataset] = {}
    for submission in found:
        for source, _ in submission.records:
            for data in source.results.datasets:
                key = (data.name, data.digest, _settings(source))
                datasets.setdefault(key, data)
                held.setdefault(key, {}).setdefault(submission, []).append(source)
    order = sorted(held, key=lambda key: _first(found, key[0]))
    made = []
    for number, key in enumerate(order, 1):
        members = (_member(submission, sources, key[0]) for submission, sources in held[key].items())
        made.append(Board(number, datasets[key], key[2], tuple(members)))
    return tuple(made)


def choose_metric(board: Board, asked: str | None) -> str | None:
    """The metric that a board ranks by, None where it has none: the one asked for, else the best known.

    The first that the suite of its first run names, then UAR, accuracy, macro-F1 and CCC.
    """
    if asked is not None:
        return asked if asked in board.metrics else None
    order = [name for name in board.suite.metrics if name in _LEADING] + list(_LEADING)
    models = [m for m in board.members if not m.double] or list(board.members)
    known = [{name for name in order if _has(m, board.reference, name)} for m in models]
    shared = [name for name in order if all(name in each for each in known)]
    some = [name for name in order if any(name in each for each in known)]
    return next(iter([*shared, *some]), None)


def require_ranking(found: Sequence[Board], asked: str | None) -> None:
    """UserError for a metric that ranks nothing, or that no run has."""
    if asked is None:
        return
    known = unique(name for board in found for name in board.metrics)
    suite = Suite(suite="leaderboard", metrics=("accuracy",))
    may = [name for name in known if name in METRICS and ranks(METRICS[name], suite)]
    if asked not in may:
        why = "it ranks nothing" if asked in known else "no run was judged by it"
        raise UserError(
            f"--metric {asked}", why,
            f"A metric of the runs of which more, or less, is better: {listed(may)}",
            "Name one of these, or judge the runs by it",
        )  # fmt: skip


def condition_of(place: Place) -> str:
    """A condition as folders of cells call it.

    >>> condition_of(Place("low_light", "crop", 3)), condition_of(Place("clean"))
    ('low_light-3-crop', 'clean')
    """
    return f"{place.condition}-{place.severity}-{place.where}" if place.severity else place.condition


def place_of(row: dict[str, Any]) -> Place:
    """The condition of an estimate."""
    severity = row["severity"] or 0
    return Place(row["condition"], (row["where"] or "") if severity else "", severity)


def _has(member: Member, place: Place, metric: str) -> bool:
    row = member.overall(place, metric)
    return row is not None and row["estimate"] is not None


def _settings(source: Source) -> Settings:
    results, suite = source.results, source.results.suite
    rule = canonical_json(suite.slice_rule.model_dump(mode="json"))
    every = max((int((model.front or {}).get("every", 1)) for model in results.models), default=1)
    return Settings(
        results.version, suite.level, suite.seed, suite.missing_constant, rule, results.oracle, every
    )


def _first(found: Sequence[Submission], dataset: str) -> int:
    """Where a data set is named first."""
    names = [data.name for s in found for source, _ in s.records for data in source.results.datasets]
    return names.index(dataset)


def _member(submission: Submission, sources: Sequence[Source], dataset: str) -> Member:
    """A submission on a board, its estimates of several runs put together, the first of equal ones."""
    named = submission.model.name
    rows = _together(row for source in sources for row in source.rows.get((named, dataset), ()))
    others = _together(row for source in sources for row in source.differences.get((named, dataset), ()))
    return Member(submission, tuple(sources), named, rows, others)


def _together(rows: Iterable[Row]) -> tuple[Row, ...]:
    names = ("condition", "severity", "where", "slice", "value", "metric", "kind", "reference")
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in names), row)
    return tuple(found.values())
