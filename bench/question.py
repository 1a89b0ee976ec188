"""What is asked of a run: a suite, the targets of its data sets, and where each part of it was said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.errors import UserError, listed, nearest
from bench.spec import Suite
from bench.suite import extend
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


def reread(
    question: Question, slices: Sequence[str], metrics: Sequence[str],
    bins: Mapping[str, tuple[float, ...]], controls: Sequence[str] = (),
) -> Question:  # fmt: skip
    """The question with the slices (``race&sex`` for an intersection), metrics, bins and controls of flags.

    A slice or metric that is said twice, or by the suite already, is taken once; bins win over the suite's.
    UserError names the flag where the suite would be none and where bins cut what is no attribute.
    """
    _require_attributes(question, bins)
    before = question.suite
    more = (tuple(s.split("&")) if "&" in s else s for s in slices)
    suite = extend(
        before,
        {
            "slices": tuple(dict.fromkeys([*before.slices, *more])),
            "controls": tuple(dict.fromkeys([*before.controls, *controls])),
            "metrics": tuple(dict.fromkeys([*before.metrics, *metrics])),
            "bins": {**before.bins, **bins},
        },
    )
    said = {("slice", name) for s in slices for name in s.split("&")}
    said |= {("control", name) for name in controls}
    said |= {("metric", name) for name in metrics} | {("bins", name) for name in bins}

    def place(kind: str, name: str) -> str:
        return f"--{kind}" if (kind, name) in said else question.place(kind, name)

    return Question(suite, question.targets, place)


def _require_attributes(question: Question, bins: Mapping[str, tuple[float, ...]]) -> None:
    """Raise UserError for bins of what no table has; slices are held against each table by the judge."""
    known = sorted({name for targets in question.targets.values() for name in targets.attributes})
    for name in bins if question.targets else ():
        if name not in known:
            raise UserError(
                "--bins", f"bins cut {name!r}, which is no attribute.{nearest(name, known)}",
                f"The targets have: {listed(known) or 'none'}", "Correct the name",
            )  # fmt: skip
