"""What a suite asks of a data set: metrics by name, slices by attribute, refused before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.errors import UserError, listed, nearest
from bench.judge import action_units
from bench.judge.metrics import METRICS, Metric, expand
from bench.judge.sequences import refuse_repeated, rows_are_frames
from bench.judge.slices import attributes_of
from bench.judge.stages import FUNNEL
from bench.judge.temporal import TEMPORAL, needed
from bench.spec import CRITERIA, Suite, members
from bench.tables import Targets
from bench.tables.action_units import UNCODED
from bench.tables.action_units import action_units as unit_columns

__all__ = ["asked", "beside", "check", "given"]

_ANY_UNIT = "au_NN"
_BESIDE_CCC = ("rmse", "bias", "label_sd")


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
    headline = [name for name, metric in METRICS.items() if metric.headline and given(metric, targets)]
    names = suite.metrics or headline
    return expand(names, targets.space.labels)


def beside(metrics: Sequence[Metric], suite: Suite) -> list[Metric]:
    """What is shown though it was not asked for: the funnel, and beside the CCC of slices what it needs.

    That is RMSE, bias and the SD of the labels: CCC depends on how far the labels of a group spread
    (STATISTICS, Gaps). Their values are shown; they are compared between groups, and counted among the tests,
    only where a suite asks for them.
    """
    mine = {metric.name for metric in metrics}
    ends = [metric.name.removeprefix("ccc") for metric in metrics if metric.name.startswith("ccc_")]
    names = [f"{stem}{end}" for end in (ends if suite.slices else ()) for stem in _BESIDE_CCC]
    return [METRICS[n] for n in dict.fromkeys([*names, *FUNNEL]) if n in METRICS and n not in mine]


def _check_metric(name: str, targets: Targets, place: str) -> None:
    labels = targets.space.labels
    per_label = [f"{m.name}/{label}" for m in METRICS.values() if m.per_label for label in labels]
    of_units = [m.name for m in METRICS.values() if action_units.of_units(m.key)]
    units = [name for name in unit_columns(targets.table.column_names) if _has(targets, name)]
    known = [*METRICS, *per_label, *(f"{stem}/{unit}" for stem in of_units for unit in units)]
    known += [*CRITERIA, *(f"{name}/{label}" for name in CRITERIA for label in labels)]
    stem = METRICS.get(members(name)[0].partition("/")[0])
    if stem is not None and action_units.of_units(stem.key):
        _refuse_uncoded(name, targets, place)
    if stem is not None and not given(stem, targets):
        column = next(name for name in _needed(stem) if not _has(targets, name))
        there = column in targets.table.column_names
        lacks, mend = ("has empty in every row", "fill") if there else ("does not have", "add")
        raise UserError(
            place,
            f"metric {name!r} needs the column {column!r}, which {targets.facts.name} {lacks}",
            f"It allows: {_families([m for m in METRICS.values() if given(m, targets)], labels)}",
            f"Take the metric out or {mend} {column!r} {'in' if there else 'to'} the targets",
        )
    if stem is not None and stem.key.kernel == "au_intensities" and targets.facts.au_scale == "occurrence":
        raise UserError(
            place, f"metric {name!r} is of intensities, and {targets.facts.name} has occurrences",
            "Occurrences allow: au_f1, au_auroc",
            "Take the metric out, or declare au_scale: intensity if these 0 and 1 are intensities",
        )  # fmt: skip
    if name not in known:
        raise UserError(
            place,
            f"metric {name!r} is not known.{nearest(name, known)}",
            f"Known: {_families(list(METRICS.values()), labels)}",
            "Correct the metric's name",
        )
    if stem is not None and stem.key.kernel in TEMPORAL and rows_are_frames(targets):
        refuse_repeated(targets, place, name)


def _refuse_uncoded(name: str, targets: Targets, place: str) -> None:
    """Raise UserError where the unit of a metric, or every unit, is a column that is coded in no row."""
    units = unit_columns(targets.table.column_names)
    unit = name.partition("/")[2]
    meant = (unit,) if unit in units else units
    if not meant or any(_has(targets, each) for each in meant):
        return
    columns, are = ("column", "is") if len(meant) == 1 else ("columns", "are")
    raise UserError(
        place,
        f"metric {name!r}: {columns} {listed([repr(each) for each in meant])} {are} coded in no row",
        f"A unit is not coded where it is empty, {', '.join(map(str, UNCODED))}",
        "Take the metric out, or correct the targets where the unit was coded",
    )


def _families(metrics: Sequence[Metric], labels: Sequence[str]) -> str:
    """Name metrics for a message: those of a label once, and those of valence and the like by their stems."""
    affect = [metric for metric in metrics if metric.key.kernel == "moments"]
    per_label = [metric.name for metric in metrics if metric.per_label]
    units = [metric for metric in metrics if action_units.of_units(metric.key)]
    found = [", ".join(m.name for m in metrics if not m.per_label and m not in [*affect, *units])]
    if per_label:
        one = f"{per_label[0]}/{labels[0] if labels else 'LABEL'}"
        found.append(f"{', '.join(per_label)}, all labels or one as {one}")
    if "recall" in per_label:
        found.append(f"the criteria {', '.join(CRITERIA)}, of all labels or one")
    if affect:
        stems = dict.fromkeys(metric.name.partition(f"_{metric.key.column}")[0] for metric in affect)
        columns = dict.fromkeys(metric.key.column for metric in affect)
        one = affect[0].name
        found.append(f"{', '.join(stems)} of {', '.join(columns)}, as {one} or {one}_covered")
    if units:
        names = ", ".join(metric.name for metric in units)
        found.append(f"{names}, over all action units or of one as {units[0].name}/au_12")
    return "; ".join(found)


def given(metric: Metric, targets: Targets) -> bool:
    """Whether the targets have what a metric is of."""
    if metric.key.kernel == "outcomes":
        return True
    return all(_has(targets, name) for name in _needed(metric))


def _needed(metric: Metric) -> tuple[str, ...]:
    """The columns that targets must have."""
    if action_units.of_units(metric.key):
        return (metric.key.column or _ANY_UNIT,)
    if metric.key.kernel == "stages":
        return (metric.key.column,) if metric.key.column else ()
    return needed(metric.key) if metric.key.kernel in TEMPORAL else (metric.key.column or "label",)


def _has(targets: Targets, name: str) -> bool:
    if name == _ANY_UNIT:
        return any(_has(targets, unit) for unit in unit_columns(targets.table.column_names))
    return name in targets.table.column_names and targets.table[name].null_count < len(targets)
