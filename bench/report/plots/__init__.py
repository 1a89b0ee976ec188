"""Figures of a report, a file per kind: each stands in a part with the table of its numbers.

Drawn from estimates and curves alone; the same results give the same bytes. Colours are of Okabe and Ito
(2008) and never carry meaning alone. What is withheld is named and has no mark, and what is not drawn for
want of room is counted. Nothing is computed here but differences of counts.
"""

from __future__ import annotations

from bench.report.parts import Part
from bench.report.plots.affect import affect_parts
from bench.report.plots.calibration import calibration_parts
from bench.report.plots.confusion import confusion_parts
from bench.report.plots.coverage import coverage_parts
from bench.report.plots.funnel import funnel_parts
from bench.report.plots.gaps import gaps_parts
from bench.report.plots.groups import groups_parts
from bench.report.plots.power import power_parts
from bench.report.plots.robustness import robustness_parts
from bench.report.records import Dataset
from bench.report.results import Results

__all__ = ["plot_parts"]

_KINDS = {
    "groups": groups_parts,
    "gaps": gaps_parts,
    "robustness": robustness_parts,
    "confusion": confusion_parts,
    "calibration": calibration_parts,
    "affect": affect_parts,
    "coverage": coverage_parts,
    "funnel": funnel_parts,
    "power": power_parts,
}


def plot_parts(results: Results, data: Dataset) -> dict[str, tuple[Part, ...]]:
    """Every kind of figure of a data set, by name; an empty tuple where the run has nothing of a kind."""
    return {kind: parts(results, data) for kind, parts in _KINDS.items()}
