"""Groups of a finished run as fairlearn's MetricFrame, for an analyst to go on with.

Made from the row tables, and holds no number that the estimates withhold or do not have: neither do its
differences, ratios, minima and maxima, which fairlearn makes of the same groups. Refuses runs without a
metric of labels. pandas and fairlearn load when it is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.errors import UserError, listed
from bench.folder import RunFolder
from bench.tables import read_table

if TYPE_CHECKING:
    import pandas as pd
    from fairlearn.metrics import MetricFrame

    from bench.report.records import Dataset, Place
    from bench.report.results import Results

__all__ = ["metric_frame"]

Metrics = dict[str, Callable[..., float]]


def metric_frame(results: Results, attribute: str, model: str | None, dataset: str | None) -> MetricFrame:
    """The frame of one slice; as ``Results.metric_frame``, which see."""
    from bench.tables.frame import grouped, label_metrics

    cuts = {cut.name: cut for cut in results.suite.slicings}
    one = _only("model", model, [m.name for m in results.models])
    data = {d.name: d for d in results.datasets}
    known = data[_only("data set", dataset, list(data))]
    cut = cuts[_only("slice", attribute, list(cuts))]
    place = results.reference(known.name)
    estimates = [row for row in results.at(one, known.name, place) if row["slice"] == attribute]
    named = {row["metric"] for row in estimates}
    metrics = {name: metric for name, metric in label_metrics(known.facts.labels).items() if name in named}
    rows = _rows(results, one, known, place) if metrics else None
    if rows is None:
        raise UserError(
            one, f"there are no label metrics of {known.name} to compare",
            "Group metrics are of labels: accuracy, uar, macro_f1, recall",
            "Read the rows of the estimates instead",
        )  # fmt: skip
    groups = grouped(rows, *cut, results.suite)
    shown = {(row["metric"], row["value"]) for row in estimates if row["status"] != "suppressed"}
    return _frame(rows, groups.rename(attribute), metrics, shown, cut.control)


def _rows(results: Results, model: str, dataset: Dataset, place: Place) -> pd.DataFrame | None:
    """The labelled rows of one cell, None where the model gives no labels."""
    from bench.tables.frame import gives_labels, joined, labelled

    label = f"{place.condition}-{place.severity}-{place.where}" if place.severity else place.condition
    folder = RunFolder(results.run)
    predictions = read_table(folder.cell(model, dataset.name, label).predictions)
    if not dataset.facts.labels or not gives_labels(predictions):
        return None
    return labelled(joined(read_table(folder.targets_path(dataset.name)), predictions, dataset.facts))


def _frame(
    rows: pd.DataFrame, groups: pd.Series[str], metrics: Metrics, shown: set[tuple[str, str]],
    control: str | None,
) -> MetricFrame:  # fmt: skip
    """A frame made with NaN for every (metric, group) that is not shown; all rows together always are.

    Those of one value of a control together are not: they are no value of the estimates.
    """
    from fairlearn.metrics import MetricFrame

    def withholding(name: str) -> Callable[..., float]:
        def value(truth: Any, decision: Any, group: Any) -> float:
            here = set(group)
            whole = len(truth) == len(rows)
            return metrics[name](truth, decision) if whole or (name, *here) in shown else float("nan")

        return value

    return MetricFrame(
        metrics={name: withholding(name) for name in metrics},
        y_true=rows["said/truth"].to_numpy(),
        y_pred=rows["said/decision"].to_numpy(),
        sensitive_features=groups if control is None else _part(groups, 0, str(groups.name).split("|")[0]),
        control_features=None if control is None else _part(groups, 1, control),
        sample_params={name: {"group": groups.to_numpy()} for name in metrics},
    )


def _part(groups: pd.Series[str], number: int, name: str) -> pd.Series[str]:
    """What stands before the ``|`` of each value, or after it."""
    return groups.str.split("|").str[number].rename(name)


def _only(what: str, name: str | None, known: list[str]) -> str:
    """The name if it is known, or the only one there is where none is given."""
    if name is None and len(known) == 1:
        return known[0]
    if name not in known:
        raise UserError(
            f"{what} {name!r}" if name else what, "the run does not have it" if name else "none is named",
            f"It has: {listed(known) or 'none'}", "Name one of them",
        )  # fmt: skip
    return name
