"""What a summary shows of a run: the leading metrics, the one that slices are shown by, and the gaps.

Nothing is computed: rows of the estimates are chosen and put in order.
"""

from __future__ import annotations

from bench.report.results import Dataset, Results, Row
from bench.report.table import HEADLINE

__all__ = ["gap_rows", "headline_rows", "slicing_metric"]


def _shown_metrics(results: Results, data: Dataset) -> list[str]:
    """The headline metrics, then whatever else the suite asks for by name, of all classes or of one."""
    named, present = results.suite.metrics, results.metrics(data.name)
    asked = [name for name in present if name in named or name.partition("/")[0] in named]
    return list(dict.fromkeys([*(name for name in HEADLINE if name in present), *asked]))


def slicing_metric(results: Results, data: Dataset) -> str | None:
    """The metric that slices are shown by: the one that leads, else the first that is shown at all."""
    return results.leading(data.name) or next(iter(_shown_metrics(results, data)), None)


def gap_rows(results: Results, data: Dataset) -> list[Row]:
    """The gaps by attribute, model and metric shown; of a single class only where it is asked for by name."""
    rows = results.differences_at(data.name, results.reference(data.name))
    gaps = {(row["slice"], row["model"], row["metric"]): row for row in rows if row["kind"] == "gap"}
    cut = {model.name: results.cut(model.name, data.name) for model in results.models}
    shown = _shown_metrics(results, data)
    shown = [name for name in shown if "/" not in name or name in results.suite.metrics]
    keys = [
        (attribute, model, metric)
        for attribute, _ in results.slices(data.name)
        for model, metrics in cut.items()
        for metric in shown
        if metric in metrics
    ]
    return [gaps[key] for key in keys if key in gaps]


def headline_rows(results: Results, data: Dataset, model: str) -> list[tuple[str, Row]]:
    """The shown metrics that a model has over all rows, each with its estimate."""
    cell = (model, data.name, results.reference(data.name))
    shown = _shown_metrics(results, data)
    found = ((metric, results.find(cell, metric, (None, None))) for metric in shown)
    return [(metric, row) for metric, row in found if row is not None]
