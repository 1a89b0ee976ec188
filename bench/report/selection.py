"""What a summary shows of a run: the leading metrics, the one that slices are shown by, and the gaps.

Nothing is computed: rows of the estimates are chosen and put in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench.report.differences import over, within
from bench.report.results import Dataset, Results, Row
from bench.report.table import HEADLINE
from bench.spec import CRITERIA, members

__all__ = ["folded", "gap_rows", "headline_rows", "slicing_metric"]


def _shown_metrics(results: Results, data: Dataset) -> list[str]:
    """The headline metrics, then whatever else the suite asks for by name, of all classes or of one."""
    named = {each for name in results.suite.metrics for each in members(name)}
    present = results.metrics(data.name)
    asked = [name for name in present if name in named or name.partition("/")[0] in named]
    return list(dict.fromkeys([*(name for name in HEADLINE if name in present), *asked]))


def slicing_metric(results: Results, data: Dataset) -> str | None:
    """The metric that slices are shown by: the one that leads, else the first that is shown at all."""
    return results.leading(data.name) or next(iter(_shown_metrics(results, data)), None)


def gap_rows(results: Results, data: Dataset) -> list[Row]:
    """The gaps by attribute, model and metric shown; of a single class only where it is asked for by name.

    Or by the name of a criterion of fairness; those matched for base rates of all classes together alone.
    """
    rows = results.differences_at(data.name, results.reference(data.name))
    gaps: dict[tuple[str, str, str], list[Row]] = {}
    for row in (row for row in rows if row["kind"] == "gap"):
        gaps.setdefault((row["slice"], row["model"], row["metric"]), []).append(row)
    cut = {model.name: results.cut(model.name, data.name) for model in results.models}
    shown = [n for n in _shown_metrics(results, data) if "/" not in n or n in results.suite.metrics]
    criteria = _of_criteria(results.suite.metrics, dict.fromkeys(metric for _, _, metric in gaps))
    keys = [
        (attribute, model, metric)
        for attribute, _ in results.slices(data.name)
        for model, metrics in cut.items()
        for metric in dict.fromkeys([*shown, *criteria])
        if metric in metrics or metric in criteria
    ]
    found = [
        row for key in keys for row in gaps.get(key, []) if row["reference"] is None or "/" not in key[2]
    ]
    # One value of a control after the other: nothing is read across them.
    return [
        row
        for part in dict.fromkeys((row["slice"], row["model"], row["value"]) for row in found)
        for row in found
        if (row["slice"], row["model"], row["value"]) == part
    ]


def _of_criteria(named: Sequence[str], known: Iterable[str]) -> list[str]:
    """The known metrics whose gaps are the criteria named, of one label each; of equalised odds its own."""
    stems = [name for name in named if name.partition("/")[0] in CRITERIA]
    told = {each for name in stems for each in (members(name) if len(members(name)) == 1 else (name,))}
    return [metric for metric in known if {metric, metric.partition("/")[0]} & told]


def folded(rows: Iterable[Row]) -> Iterator[Row]:
    """The gaps, one line for all metrics of a value of a control within which nothing can be compared.

    Its metric is empty.
    """
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((over(row), row["model"]), []).append(row)
    for mine in parts.values():
        nothing = all(row["status"] == "insufficient" and row["estimate"] is None for row in mine)
        if nothing and within(mine[0]) is not None:
            yield {**mine[0], "metric": "", "slices_left_out": max(r["slices_left_out"] for r in mine)}
        else:
            yield from mine


def headline_rows(results: Results, data: Dataset, model: str) -> list[tuple[str, Row]]:
    """The shown metrics that a model has over all rows, each with its estimate."""
    cell = (model, data.name, results.reference(data.name))
    shown = _shown_metrics(results, data)
    found = ((metric, results.find(cell, metric, (None, None))) for metric in shown)
    return [(metric, row) for metric, row in found if row is not None]
