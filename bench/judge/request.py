"""What a suite asks of a data set: metrics by name, slices by attribute, refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable

from bench.errors import UserError, nearest
from bench.judge.metrics import METRICS, Metric, expand
from bench.judge.slices import attributes_of
from bench.spec import Suite
from bench.tables import Targets

__all__ = ["asked", "check"]


def check(suite: Suite, targets: Targets, where: Callable[[str, str], str]) -> None:
    """Raise UserError for slices, bins and metrics that the targets do not allow.

    ``where("slice", name)``, ``where("bins", name)`` and ``where("metric", name)`` say where the suite or the
    command line names them; the name of a slice is one of its attributes.
    """
    attributes_of(targets, suite, where)
    for name in suite.metrics:
        _check_metric(name, targets, where)


def asked(suite: Suite, targets: Targets) -> list[Metric]:
    """The metrics of a suite, or the headline ones that the targets have columns for where it names none."""
    headline = [name for name, metric in METRICS.items() if metric.headline and _given(metric, targets)]
    names = suite.metrics or headline
    return expand(names, targets.space.labels)


def _check_metric(name: str, targets: Targets, where: Callable[[str, str], str]) -> None:
    labels = targets.space.labels
    per_label = [f"{m.name}/{label}" for m in METRICS.values() if m.per_label for label in labels]
    known = [*METRICS, *per_label]
    stem = METRICS.get(name.partition("/")[0])
    if stem is not None and not _given(stem, targets):
        column = stem.key.column or "label"
        raise UserError(
            where("metric", name),
            f"metric {name!r} needs the column {column!r}, which {targets.facts.name} does not have",
            f"It allows: {', '.join(m.name for m in METRICS.values() if _given(m, targets))}",
            f"Take the metric out or add {column!r} to the targets",
        )
    if name not in known:
        raise UserError(
            where("metric", name),
            f"metric {name!r} is not known.{nearest(name, known)}",
            f"Known: {', '.join(known)}",
            "Correct the metric's name",
        )


def _given(metric: Metric, targets: Targets) -> bool:
    if metric.key.kernel == "outcomes":
        return True
    name = metric.key.column or "label"
    return name in targets.table.column_names and targets.table[name].null_count < len(targets)
