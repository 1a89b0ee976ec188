"""The rules of a gate that a baseline decides: not worse than an earlier model on the same targets.

Candidate and baseline are paired by cluster (``bench.sides``). Where the two ran on another device, with
another torch or CUDA or in another precision, the difference may be that of the machines: nothing is decided,
unless the caller allows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.gate.decidable import metric_of
from bench.gate.ground import Ground, Held, Row, error_share, place_of, too_many
from bench.gate.rules import decide_pair
from bench.judge.gates import Verdict, clusters_unseen, unseen
from bench.policy import Rule
from bench.report.results import read_results
from bench.sides import Side, compare, require_pairs

if TYPE_CHECKING:
    from bench.judge.comparison import Compared
    from bench.report.results import Results

__all__ = ["Pairs", "model_of"]

_ENVIRONMENT = ("device", "torch", "cuda")


def model_of(side: Side) -> str:
    """The one model that a side is of; UserError where a run of several names none."""
    side.cells()
    return side.model or str(side.run.plan["cells"][0][0])


class Pairs:
    """The candidate beside its baseline: compared once for each margin."""

    def __init__(
        self, new: Side, old: Side | None, ground: Ground, *, allow_environment_change: bool
    ) -> None:
        self._new, self._old, self._ground = new, old, ground
        self._found: dict[float, list[Compared]] = {}
        self._results = None if old is None else read_results(old.run.path)
        apart = []
        if old is not None and self._results is not None:
            require_pairs(new, old)
            apart = _changed(ground.results, ground.model, self._results, model_of(old))
        self.notes = [f"candidate and baseline differ in {text}" for text in apart]
        self._undecided = [] if allow_environment_change else apart

    def _errors(self, row: Row) -> float:
        """The share of errors in the baseline's cell of a row; its run may call its data set otherwise."""
        assert self._old is not None
        assert self._results is not None
        names = [data.name for data in self._results.datasets]
        name = names[0] if len(names) == len(self._ground.results.datasets) == 1 else row["dataset"]
        return error_share(self._results, (model_of(self._old), name, place_of(row)))

    def decide(self, number: int, rule: Rule) -> Iterator[Held]:
        """Non-inferiority of the whole, or of every value of the slice, under each condition of a rule."""
        if self._old is None:
            raise UserError(
                self._ground.policy.place("rules", number, "not_worse_by"),
                "the rule is held against a baseline, and none is given",
                "A finished run of an earlier model on the same targets", "Name it with --baseline",
            )  # fmt: skip
        margin = rule.requirement[1]
        if margin not in self._found:
            self._found[margin] = compare(self._new, self._old, self._ground.suite_of_pairs, margin)
        found = {_key(each.row): each for each in self._found[margin] if each.row["metric"] == rule.metric}
        for row in self._ground.chosen(rule, "value"):
            each = found.get(_key(row))
            if each is None:
                yield Held(row, "inconclusive", "the baseline was not run there")
            else:
                yield self._held(rule, each)

    def _held(self, rule: Rule, each: Compared) -> Held:
        held = self._equal(rule, each) or decide_pair(
            self._ground, rule, each.row, _VERDICTS[each.non_inferior or "inconclusive"]
        )
        errors, limit = self._errors(each.row), self._ground.policy.policy.errors_at_most
        if errors > limit:
            return Held(each.row, "inconclusive", too_many(errors, limit, "the baseline's"))
        if self._undecided and held.verdict != "inconclusive":
            why = f"the two runs differ in {listed(self._undecided)} (--allow-environment-change)"
            return replace(held, verdict="inconclusive", why=why, settle=None)
        return held

    def _equal(self, rule: Rule, each: Compared) -> Held | None:
        """The verdict where every row is a success, or none is, under both: no variance says how well.

        What may stay unseen then is what Clopper and Pearson leave to no cluster of so many; its interval
        needs no successes and failures, as that of a share of 1. None where the two vary.
        """
        row, level = each.row, self._ground.results.suite.level
        metric = metric_of(rule.metric)
        of_all_rows = metric.misses != "left out" and metric.name != "precision"
        if metric.kind != "proportion" or not of_all_rows or not each.new == each.old in (0, 1):
            return None
        most = unseen(row["clusters"], level)
        shown = {"low": -most, "high": most, "level": 2 * level - 1, "side": "two-sided"}
        said = [text for text in (row["warning"] or "").split("; ") if not text.startswith("no interval")]
        row = {
            **row, **shown, "method": "clopper-pearson-clustered",
            "warning": "; ".join(filter(None, said)) or None,
        }  # fmt: skip
        margin = rule.requirement[1]
        held = self._ground.held(row, "pass" if most < margin else "inconclusive", exact=True)
        if held.verdict == "inconclusive" and held.why is None:
            held = replace(held, settle=clusters_unseen(margin, level))
        return held


_VERDICTS: dict[str, Verdict] = {"yes": "pass", "no": "fail", "inconclusive": "inconclusive"}


def _changed(new: Results, new_model: str, old: Results, old_model: str) -> list[str]:
    """In what the environments of two models' cells differ, in words: device, torch, CUDA and precision."""
    mine, other = _environments(new, new_model), _environments(old, old_model)
    return [f"{name} ({mine[name]} against {other[name]})" for name in mine if mine[name] != other[name]]


def _environments(results: Results, model: str) -> dict[str, str]:
    """Everything that the cells of a model ran with, by name; cells of one run may differ."""
    cells = [cell.environment for cell in results.cells if cell.model == model]
    found = {name: {str(cell.get(name) or "none") for cell in cells} for name in _ENVIRONMENT}
    found["precision"] = {str(results.precision or "none")}
    return {name: " and ".join(sorted(values)) or "none" for name, values in found.items()}


def _key(row: Row) -> tuple[object, ...]:
    """Of what a number is, whatever the metric: data set, condition and value of a slice."""
    return row["dataset"], place_of(row), row["slice"], row["value"]
