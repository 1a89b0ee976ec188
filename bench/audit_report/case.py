"""What an audit report stands on: one model of a finished run, the declared context, a policy, a baseline.

Refused are a run that was changed since it was judged, a run of several models of which none is named and,
for a final report, what nobody signs: no context, auditor, independence, signatory or date, or no posture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bench.context import UNKNOWN, ContextFile
from bench.errors import UserError, counted, listed
from bench.gate.hold import Gate, gate
from bench.policy import PolicyFile
from bench.posture import Posture, posture
from bench.report.alone import of_model
from bench.report.model_card import ModelCard, read_card, shipped_card
from bench.report.page import Plots
from bench.report.plots import plot_parts
from bench.report.records import Model
from bench.report.results import Results, read_results
from bench.sides import Side, compare

if TYPE_CHECKING:
    from bench.judge.audit import Audit
    from bench.judge.comparison import Compared

__all__ = ["Asked", "Case", "open_case"]

_SIGNED = ("auditor", "independence", "signatory")


@dataclass(frozen=True)
class Asked:
    """What is reported on, and as what; ``date`` is that of the report, as 2026-11-22.

    ``card`` is a file with what the authors of the model say of it.
    """

    system: Side
    context: ContextFile | None = None
    policy: PolicyFile | None = None
    baseline: Side | None = None
    date: str | None = None
    final: bool = False
    recompute: bool = False
    card: Path | None = None


@dataclass(frozen=True)
class Case:
    """What the sections read: ``results`` hold the one model alone, ``compared`` its pairs with a baseline.

    ``recomputed`` is the second opinion on the numbers, None where it was not asked for;
    ``baseline_model`` names one of several models of the baseline, where that was said; ``card_file`` a
    file of the user's that the card is from.
    """

    results: Results
    context: ContextFile | None
    posture: Posture | None
    gate: Gate | None
    compared: tuple[Compared, ...]
    baseline: str | None
    recomputed: Audit | None
    date: str | None
    final: bool
    baseline_model: str | None = None
    card: ModelCard | None = None
    card_file: str | None = None

    @cached_property
    def drawn(self) -> dict[str, Plots]:
        """The figures of each data set with their tables, drawn once."""
        return {data.name: plot_parts(self.results, data) for data in self.results.datasets}

    @property
    def model(self) -> Model:
        """The system under test."""
        return self.results.models[0]


def open_case(asked: Asked) -> Case:
    """Read and decide what the report shows; UserError before anything is written."""
    run = asked.system.run
    run.cells()
    run.require_sealed()
    results = _of_one(read_results(run.path), asked.system)
    found = None if asked.context is None else posture(asked.context.context)
    card = None if asked.card is None else read_card(asked.card)
    if asked.final:
        _require_signed(asked, found)
    side = replace(asked.system, model=results.models[0].name)
    held = None if asked.policy is None else gate(asked.policy, side, asked.baseline)
    compared: list[Compared] = []
    if asked.baseline is not None:
        compared = compare(side, asked.baseline, results.suite, None)
    return Case(
        results, asked.context, found, held, tuple(compared), _named(asked.baseline),
        _recompute(asked) if asked.recompute else None, asked.date, asked.final,
        asked.baseline.model if asked.baseline is not None else None,
        shipped_card(results.models[0]) if card is None else card,
        None if asked.card is None else asked.card.name,
    )  # fmt: skip


def _of_one(results: Results, system: Side) -> Results:
    """The results of the one model that the report is of; UserError where that is not said."""
    names = [model.name for model in results.models]
    if system.model not in names and (system.model is not None or len(names) > 1):
        found = "none is named" if system.model is None else f"{system.model!r} is none of them"
        raise UserError(
            system.option, f"the run has {counted(len(names), 'model')}, and {found}",
            f"An audit report is of one system. The run has: {listed(names)}",
            f"Name one with {system.option}",
        )  # fmt: skip
    return of_model(results, system.model or names[0])


def _require_signed(asked: Asked, found: Posture | None) -> None:
    """UserError unless somebody answers for a final report, and a posture can be given."""
    if asked.context is None or found is None:
        raise UserError(
            "--final", "no context is declared", "A final report is of a declared use", "Add --context FILE"
        )
    for name in _SIGNED:
        if getattr(asked.context.context, name).strip().casefold() in ("", UNKNOWN):
            raise UserError(
                asked.context.place(name), f"{name!r} is not given",
                f"A final report names {', '.join(_SIGNED)}",
                f"Add a line '{name}: ...', or leave --final out for a draft",
            )  # fmt: skip
    if found.outcome == "refused":
        field = next(iter(found.decided_by.rests_on), "sector")
        raise UserError(
            asked.context.place(field),
            f"no posture can be given: {found.decided_by.says.removesuffix('.')}",
            "A final report says what the declared use would be",
            "Declare what is unknown, or leave --final out for a draft",
        )
    if asked.date is None:
        raise UserError(
            "--final", "the report has no date", "A final report is dated by whoever signs it",
            "Add --date YYYY-MM-DD",
        )  # fmt: skip


def _recompute(asked: Asked) -> Audit:
    from bench.judge.audit import audit

    return audit(asked.system.run.path)


def _named(baseline: Side | None) -> str | None:
    """A baseline by its model and the name of its folder, without a path."""
    if baseline is None:
        return None
    cells = next(iter(baseline.cells().values())).facts or {}
    return f"{cells.get('model')} of {baseline.origin or baseline.run.path.resolve().name}"
