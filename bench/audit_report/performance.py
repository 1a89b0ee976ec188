"""Sections 6 to 9: how well, for whom, how far apart, and under which conditions, data set by data set.

The parts are those of the report of a run (``bench.report.page``), of one system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.audit_report.case import Case
from bench.report import notes, page
from bench.report.parts import Part, Section
from bench.report.primary import untestable
from bench.report.records import Dataset
from bench.report.results import Results
from bench.report.selection import follows_frames, headline_metrics
from bench.report.table import headline, misses

__all__ = ["disparity", "groups", "overall", "robustness"]

_Parts = Callable[[Results, Dataset], Sequence[Part]]
_NO_CALIBRATION = (
    "Calibration and selective prediction: not tested. They need probabilities and the metrics ece, brier, "
    "nll or aurc."
)
_NO_GROUPS = (
    "Performance by group: not tested, the run has no slice. Nothing here speaks for any group of persons."
)
_NO_GAPS = "Differences between groups: not tested, no two groups could be compared."
_NO_CONDITIONS = "Robustness to conditions: not tested, clean media alone were run."
_ONE_SET = "Across data sets: not tested, the run has one data set. Numbers on others may be far from these."
_NO_TIME = "Stability over time within a video: not tested (flip_rate, jitter)."
_IMPACT = (
    "A difference is described and tested here; whether it discriminates is a question of law and of what "
    "the output decides about a person."
)


def overall(case: Case) -> Section:
    """Section 6: the headline, every metric over all rows, calibration, misses."""
    results, drawn = case.results, case.drawn
    lead = headline(results, headline_metrics(results))
    parts = [Part("Headline", (notes.COVERED_BY_INTERVALS,), tables=(lead,))]
    parts += _each(case, lambda results, data: page.overall_parts(results, data, drawn[data.name]))
    parts += _each(case, _missed)
    curves = _each(case, lambda _, data: drawn[data.name]["calibration"])
    parts += curves or [Part("Calibration and abstention", (_NO_CALIBRATION,))]
    return Section("s6", "6 Overall accuracy, calibration, failures to process", parts=tuple(parts))


def _missed(results: Results, data: Dataset) -> list[Part]:
    table = misses(results, data.name, [results.reference(data.name)])
    return (
        [Part("Failures to process and abstention", (notes.MISSES,), tables=(table,))] if table.groups else []
    )


def groups(case: Case) -> Section:
    """Section 7: every slice, single and intersectional, and who is not answered at all."""
    drawn = case.drawn
    parts = _each(case, lambda results, data: page.slice_parts(results, data, drawn[data.name]))
    parts = [*parts, *_sliced(case, "coverage")] or [Part("Groups", (_NO_GROUPS,))]
    parts.append(Part("States of groups", notes.states(case.results)))
    return Section("s7", "7 Performance by persons and groups", parts=tuple(parts))


def disparity(case: Case) -> Section:
    """Section 8: gaps beside what chance makes of them, contrasts, criteria of fairness, power."""
    gaps = [_gaps(case, part) for part in _sliced(case, "gaps")]
    parts = [*gaps, *_each(case, page.difference_parts), *_sliced(case, "power")]
    if not parts:
        parts = [Part("Differences", (_NO_GAPS,))]
    parts.append(Part("How to read these numbers", (_IMPACT, notes.DIFFERENCES[3])))
    return Section("s8", "8 Disparities and potentially discriminatory impacts", parts=tuple(parts))


def _sliced(case: Case, kind: str) -> list[Part]:
    """Figures of a kind that is of groups; none where the run has none."""
    drawn = case.drawn
    return _each(case, lambda results, data: drawn[data.name][kind] if results.slices(data.name) else ())


def _gaps(case: Case, part: Part) -> Part:
    """The gaps with what they mean, and with the primary ones that could not be tested."""
    lost = [text for data in case.results.datasets for text in untestable(case.results, data)]
    return replace(part, text=(notes.GAPS, *part.text, *lost))


def robustness(case: Case) -> Section:
    """Section 9: conditions, across data sets, over time, and by group."""
    results = case.results
    drawn = case.drawn
    parts = _each(case, lambda results, data: page.condition_parts(results, data, drawn[data.name]))
    parts += _each(case, page.robustness_parts)
    lacking = [] if parts else [_NO_CONDITIONS]
    lacking += [_ONE_SET] if len(results.datasets) == 1 else []
    followed = any(follows_frames(name) for data in results.datasets for name in _known(results, data))
    lacking += [] if followed else [_NO_TIME]
    if lacking:
        parts.append(Part("Not tested", tuple(lacking)))
    return Section("s9", "9 Robustness", parts=tuple(parts))


def _known(results: Results, data: Dataset) -> list[str]:
    """The metrics of a data set that are metrics of this version."""
    from bench.judge.metrics import METRICS

    return [name for name in results.metrics(data.name) if name.partition("/")[0] in METRICS]


def _each(case: Case, made: _Parts) -> list[Part]:
    """The parts of every data set; of several each under its name."""
    found = [(data, part) for data in case.results.datasets for part in made(case.results, data)]
    if len(case.results.datasets) == 1:
        return [part for _, part in found]
    return [replace(part, title=f"{data.name}: {part.title}") for data, part in found]
