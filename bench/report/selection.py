"""What a summary shows of a run: the leading metrics, the one that slices are shown by, and the gaps.

Nothing is computed: rows of the estimates are chosen and put in order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from bench.judge.metrics import METRICS
from bench.report.differences import over, within
from bench.report.entries import state_of
from bench.report.records import Dataset
from bench.report.results import Results, Row, unique
from bench.spec import CRITERIA, members

__all__ = [
    "asked_metrics", "compared_metric", "folded", "follows_frames", "gap_metrics", "gap_rows",
    "headline_metrics", "headline_rows", "is_error", "slicing_metric",
]  # fmt: skip

_OF_FRAMES = ("steps", "onsets", "segments", "within", "between")  # kernels of rows a frame
_HEADLINE = (
    "accuracy", "uar", "macro_f1", "coverage", "ccc_valence", "ccc_arousal", "au_f1", "au_icc", "au_auroc",
)  # fmt: skip
_MOST = 5  # metrics asked for by name that stand in the headline where none that leads is there


def is_error(metric: str) -> bool:
    """Whether lower is better, as the judge has it; KeyError for what is no metric.

    >>> is_error("rmse_valence_covered"), is_error("false_positive_rate/fear"), is_error("uar")
    (True, True, False)
    """
    return METRICS[metric.partition("/")[0]].direction == "lower"


def follows_frames(metric: str) -> bool:
    """Whether a metric is of how outputs go from frame to frame; KeyError for what is no metric.

    >>> follows_frames("flip_rate"), follows_frames("recall/fear")
    (True, False)
    """
    return METRICS[metric.partition("/")[0]].key.kernel in _OF_FRAMES


def asked_metrics(results: Results) -> list[str]:
    """What the suite asks for by name and is there, in its order; of one class only where nothing else is."""
    asked = _asked(results, unique(n for data in results.datasets for n in results.metrics(data.name)))
    return [name for name in asked if "/" not in name] or asked


def headline_metrics(results: Results) -> list[str]:
    """The metrics that head a report: those best known, else the first that the suite asks for by name."""
    present = {name for data in results.datasets for name in results.metrics(data.name)}
    known = [name for name in _HEADLINE if name in present]
    if any(results.leading(data.name) for data in results.datasets):
        return known
    return asked_metrics(results)[:_MOST] or known


def _asked(results: Results, present: Iterable[str]) -> list[str]:
    """Those of the metrics that the suite asks for by name, of all classes or of one."""
    named = {each for name in results.suite.metrics for each in members(name)}
    return [name for name in present if name in named or name.partition("/")[0] in named]


def _shown_metrics(results: Results, data: Dataset) -> list[str]:
    """The headline metrics, then whatever else the suite asks for by name, of all classes or of one."""
    present = results.metrics(data.name)
    return unique([*(name for name in _HEADLINE if name in present), *_asked(results, present)])


def slicing_metric(results: Results, data: Dataset) -> str | None:
    """The metric that slices are shown by: the one that leads, else the first of the headline with slices."""
    rows = (r for m in results.models for r in results.at(m.name, data.name, results.reference(data.name)))
    cut = {row["metric"] for row in rows if row["slice"] is not None and state_of(row) != "unavailable"}
    present = results.metrics(data.name)
    shown = [name for name in headline_metrics(results) if name in present]
    return results.leading(data.name) or next((n for n in shown if n in cut), next(iter(shown), None))


def compared_metric(results: Results, data: Dataset, known: Collection[str]) -> str | None:
    """The metric by which values are compared: the one of the slices if it is known, else the first that is.

    ``known`` are the metrics of which there is something to show. First are those that the suite asks for by
    name, in its order, then the headline; where none of them is known it is the metric of the slices.
    """
    first = slicing_metric(results, data)
    shown = [*asked_metrics(results), *_shown_metrics(results, data)]
    return next((name for name in (first, *shown) if name in known), first)


def gap_metrics(results: Results, data: Dataset) -> list[str]:
    """The metrics whose gaps come first: the one that values are compared by, then those of primary tests."""
    rows = results.differences_at(data.name, results.reference(data.name), "gap")
    primary = (row["metric"] for row in rows if row["role"] == "confirmatory")
    known = {row["metric"] for row in rows if row["estimate"] is not None and not row["reference"]}
    return unique(name for name in (compared_metric(results, data, known), *primary) if name)


def gap_rows(results: Results, data: Dataset) -> list[Row]:
    """The gaps by attribute, model and metric shown; of a single class only where it is asked for by name.

    Or by the name of a criterion of fairness; primary ones in any case; those matched for base rates of all
    classes together alone.
    """
    rows = results.differences_at(data.name, results.reference(data.name))
    gaps: dict[tuple[str, str, str], list[Row]] = {}
    for row in (row for row in rows if row["kind"] == "gap"):
        gaps.setdefault((row["slice"], row["model"], row["metric"]), []).append(row)
    cut = {model.name: results.cut(model.name, data.name) for model in results.models}
    shown = [n for n in _shown_metrics(results, data) if "/" not in n or n in results.suite.metrics]
    criteria = _of_criteria(results.suite.metrics, dict.fromkeys(metric for _, _, metric in gaps))
    primary = [key for key, mine in gaps.items() if any(row["role"] == "confirmatory" for row in mine)]
    keys = [
        (attribute, model, metric)
        for attribute, _ in results.slices(data.name)
        for model, metrics in cut.items()
        for metric in unique([*shown, *criteria, *(metric for _, _, metric in primary)])
        if (metric in shown and metric in metrics)
        or metric in criteria
        or (attribute, model, metric) in primary
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

    Its metric is empty. Primary gaps stand alone.
    """
    parts: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        parts.setdefault((over(row), row["model"]), []).append(row)
    for mine in parts.values():
        nothing = all(
            row["status"] == "insufficient" and row["estimate"] is None and row["role"] != "confirmatory"
            for row in mine
        )
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
