"""What is asked of a run: a suite, the targets of its data sets, and where each part of it was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.spec import Suite
from bench.tables import Targets

__all__ = ["Place", "Question", "reread"]

Place = Callable[[str, str], str]
"""Says where a slice, metric, ... (kind, name) was asked for: ``suites/x.yaml:14`` or ``--slice``."""


@dataclass(frozen=True)
class Question:
    """What is asked: a suite, the targets of each of its data sets, and where each part was said."""

    suite: Suite
    targets: dict[str, Targets]
    place: Place


def reread(question: Question, slices: Sequence[str], metrics: Sequence[str]) -> Question:
    """The question with the slices (``race&sex`` for an intersection) and metrics of the command line."""
    more = tuple(tuple(s.split("&")) if "&" in s else s for s in slices)
    suite = question.suite.model_copy(
        update={
            "slices": (*question.suite.slices, *(s for s in more if s not in question.suite.slices)),
            "metrics": (*question.suite.metrics, *(m for m in metrics if m not in question.suite.metrics)),
        }
    )
    said = {("slice", name) for s in slices for name in s.split("&")} | {("metric", m) for m in metrics}
    before = question.place

    def place(kind: str, name: str) -> str:
        return f"--{kind}" if (kind, name) in said else before(kind, name)

    return Question(suite, question.targets, place)
