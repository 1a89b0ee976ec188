"""What a suite asks of a data set: metrics by name, slices by attribute, refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.errors import UserError, nearest
from bench.judge.metrics import METRICS, Metric, expand
from bench.judge.slices import attributes_of
from bench.spec import Suite
from bench.tables import Targets

__all__ = ["asked", "check"]


def check(suite: Suite, targets: Targets, where: Callable[[str, str], str]) -> None:
    """Raise UserError for slices, bins, metrics and primary tests that the targets do not allow.

    ``where(kind, name)`` with kind "slice", "bins", "metric" or "primary" says where the suite or the command
    line names them; the name of a slice is one of its attributes.
    """
    attributes_of(targets, suite, where)
    for name in suite.metrics:
        _check_metric(name, targets, where("metric", name))
    for test in suite.primary:
        _check_metric(test.partition("/")[2].rpartition("/")[0], targets, where("primary", test))


def asked(suite: Suite, targets: Targets) -> list[Metric]:
    """The metrics of a suite, or the headline ones that the targets have columns for where it names none."""
    headline = [name for name, metric in METRICS.items() if metric.headline and _given(metric, targets)]
    names = suite.metrics or headline
    return expand(names, targets.space.labels)


def _check_metric(name: str, targets: Targets, place: str) -> None:
    labels = targets.space.labels
    per_label = [f"{m.name}/{label}" for m in METRICS.values() if m.per_label for label in labels]
    known = [*METRICS, *per_label]
    stem = METRICS.get(name.partition("/")[0])
    if stem is not None and not _given(stem, targets):
        column = stem.key.column or "label"
        raise UserError(
            place,
            f"metric {name!r} needs the column {column!r}, which {targets.facts.name} does not have",
            f"It allows: {_families([m for m in METRICS.values() if _given(m, targets)], labels)}",
            f"Take the metric out or add {column!r} to the targets",
        )
    if name not in known:
        raise UserError(
            place,
            f"metric {name!r} is not known.{nearest(name, known)}",
            f"Known: {_families(list(METRICS.values()), labels)}",
            "Correct the metric's name",
        )


def _families(metrics: Sequence[Metric], labels: Sequence[str]) -> str:
    """Name metrics for a message: those of a label once, and those of valence and the like by their stems."""
    affect = [metric for metric in metrics if metric.key.kernel == "moments"]
    per_label = [metric.name for metric in metrics if metric.per_label]
    found = [", ".join(m.name for m in metrics if not m.per_label and m not in affect)]
    if per_label:
        one = f"{per_label[0]}/{labels[0] if labels else 'LABEL'}"
        found.append(f"{', '.join(per_label)}, all labels or one as {one}")
    if affect:
        stems = dict.fromkeys(metric.name.partition("_")[0] for metric in affect)
        columns = dict.fromkeys(metric.key.column for metric in affect)
        one = affect[0].name
        found.append(f"{', '.join(stems)} of {', '.join(columns)}, as {one} or {one}_covered")
    return "; ".join(found)


def _given(metric: Metric, targets: Targets) -> bool:
    if metric.key.kernel == "outcomes":
        return True
    name = metric.key.column or "label"
    return name in targets.table.column_names and targets.table[name].null_count < len(targets)
