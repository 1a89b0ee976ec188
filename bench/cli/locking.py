"""What ``suite lock`` makes: suite, policy and targets locked in a new file, once all of it is checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError, listed
from bench.policy import SPEEDS
from bench.prereg import Lock, LockedData, LockedPolicy, make_lock, require_new, write_lock
from bench.spec import Suite, members

if TYPE_CHECKING:
    from bench.policy import PolicyFile
    from bench.question import Question
    from bench.tables import Targets

__all__ = ["lock_plan"]


def lock_plan(question: Question, policy: PolicyFile | None, out: Path, warn: Callable[[str], None]) -> Lock:
    """Lock suite, policy and targets in a new file; ``warn`` is told of data that no ``run`` could have.

    Raises UserError, with nothing written, for a suite that its data do not allow and where ``out`` exists.
    """
    from bench.judge.score import check
    from bench.predict.perturb import find_perturbation

    require_new(out)
    for condition in question.suite.conditions:
        find_perturbation(condition.perturb, question.place("perturbation", condition.perturb))
    for targets in question.targets.values():
        check(question.suite, targets, question.place)
    if policy is not None:
        _require_measured(policy, question.suite)
    named = None if policy is None else LockedPolicy(name=policy.policy.policy, sha256=policy.digest)
    found = [
        LockedData(name=name, rows=len(targets), score=targets.digest, run=_with_media(name, targets, warn))
        for name, targets in question.targets.items()
    ]
    lock = make_lock(question.suite, named, found)
    write_lock(lock, out)
    return lock


def _require_measured(policy: PolicyFile, suite: Suite) -> None:
    """UserError for a rule on a metric that a run of the suite will not have."""
    measured = {each for name in suite.metrics for each in (name, *members(name))}
    for number, rule in enumerate(policy.policy.rules):
        if suite.metrics and not measured & {rule.metric, rule.metric.partition("/")[0]} | SPEEDS.keys() & {
            rule.metric
        }:
            raise UserError(
                policy.place("rules", number, "metric"), f"metric {rule.metric!r} is none of the suite's",
                f"The suite measures: {listed(suite.metrics)}",
                "Add it to the metrics of the suite, or lock with it as --metric",
            )  # fmt: skip


def _with_media(name: str, targets: Targets, warn: Callable[[str], None]) -> str | None:
    """The digest that targets have in a run, where those of their media count; None if they are not there."""
    from bench.predict.datasets.media import digest_media, require_media
    from bench.predict.plan import refuse_frame_targets

    try:
        refuse_frame_targets(name, targets)
        require_media(targets)
    except UserError as error:
        warn(f"the lock is for 'score' alone, not for 'run': {error}")
        return None
    return digest_media(targets).digest
