"""Robustness as figures: a metric under every condition, over all rows and by group."""

from __future__ import annotations

from bench.report import conditions, notes
from bench.report.drawing import COLOURS
from bench.report.parts import Part
from bench.report.plots.by_group import by_group_parts
from bench.report.plots.forest import chunks
from bench.report.plots.severities import condition_forests, severity_curves
from bench.report.plots.tables import left_out
from bench.report.records import Dataset
from bench.report.results import Results
from bench.report.selection import slicing_metric
from bench.report.table import misses

__all__ = ["MOST_CURVES", "robustness_parts"]

MOST_CURVES = 24
"""So many figures of curves over all rows are drawn for a data set, in the order of the conditions."""


def robustness_parts(results: Results, data: Dataset) -> tuple[Part, ...]:
    """The conditions of a data set over all rows, then by group; nothing where one condition was run."""
    metric, places = slicing_metric(results, data), results.places(data.name)
    if metric is None or len(places) < 2:
        return ()
    untold: tuple[str, ...] = ()
    if conditions.one_severity_each(places):
        drawn = condition_forests(results, data.name, metric)
    else:
        drawn = severity_curves(results, data.name, metric, MOST_CURVES)
        every = len(conditions.families(places)) * len(chunks(results.models, len(COLOURS)))
        untold = left_out(len(drawn), every, "figures of curves", "the table of conditions")
    missed = misses(results, data.name, [place for place in places if place.severity])
    shown = conditions.condition_table(results, data.name, metric)
    tables = (shown, *([missed] if missed.groups else []))
    text = (*notes.conditions(results), *conditions.unperturbed(results, data.name), *untold)
    whole = Part("Conditions", text, tuple(drawn), tables)
    return (whole, *by_group_parts(results, data, metric))
