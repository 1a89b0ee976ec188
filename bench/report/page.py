"""The report as a tree of text: what the template loops over, first screen first.

Every sentence a report may print stands here, in ``bench.report.notes`` or in the module of its tables; every
number in it was made by ``bench.report.format``. The page describes: it calls nothing fair or unfair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.report import (
    conditions,
    differences,
    notes,
    odds,
    provenance,
    ranks,
    reliance_tables,
    robustness,
    table,
)
from bench.report.banners import banners
from bench.report.parts import Page, Part, Section
from bench.report.plots import plot_parts
from bench.report.primary import untestable
from bench.report.records import Dataset
from bench.report.results import Results, unique
from bench.report.selection import (
    asked_metrics,
    follows_frames,
    gap_metrics,
    headline_metrics,
    is_error,
    slicing_metric,
)

__all__ = [
    "Plots", "condition_parts", "difference_parts", "overall_parts", "page", "robustness_parts",
    "slice_parts",
]  # fmt: skip

_AFFECT = ("valence", "arousal", "dominance")
# So many metrics stand side by side in one table of slices.
_ABREAST = 3

Plots = Mapping[str, tuple[Part, ...]]


def page(results: Results) -> Page:
    """Arrange a run: the answers of the first screen, a section per data set, then what stands behind."""
    named = results.suite.suite
    drawn = {data.name: plot_parts(results, data) for data in results.datasets}
    return Page(
        title=f"affectbench report: {named}",
        about=results.suite.about,
        banners=banners(results),
        facts=notes.measured(results),
        summary=_summary(results, drawn),
        sections=(
            *(
                _section(results, data, f"data-{i}", drawn[data.name])
                for i, data in enumerate(results.datasets, 1)
            ),
            *_reliance(results),
            Section("not-measured", "What was not measured", parts=(_unmeasured(results),)),
            Section("method", "How to read these numbers", parts=_method(results)),
            Section(
                "provenance",
                "Provenance",
                parts=(Part("Where it comes from", tables=provenance.provenance(results)),),
            ),
        ),
        digests=tuple(sorted(results.digests.items())),
    )


def _summary(results: Results, drawn: Mapping[str, Plots]) -> tuple[Part, ...]:
    metrics = headline_metrics(results)
    text = (notes.COVERED_BY_INTERVALS, *notes.elsewhere(metrics, asked_metrics(results)))
    parts = [Part("Headline", text, tables=(table.headline(results, metrics),))]
    leading = {d.name: metric for d in results.datasets if (metric := slicing_metric(results, d))}
    for side, told in notes.EXTREMES.items():
        mine = {name: metric for name, metric in leading.items() if is_error(metric) == (side == "Highest")}
        if (found := table.extremes(results, mine, side)).groups:
            parts.append(Part(f"{side} reportable slices", (told,), tables=(found,)))
    if any(results.slices(name) for name in leading):
        gaps = [part for data in results.datasets for part in drawn[data.name]["gaps"]]
        lost = [text for data in results.datasets for text in untestable(results, data)]
        said = unique(text for part in gaps for text in part.text)
        figures = tuple(figure for part in gaps for figure in part.figures)
        shown = tuple(t for part in gaps for t in part.tables if t.groups or t.notes)
        parts.append(Part("Gaps", (notes.GAPS, *said, *lost), figures, shown))
        states = table.slice_states(results, leading)
        parts.append(Part("State of the slices", (notes.STATES,), tables=(states,)))
    every = [table.misses(results, d.name, [results.reference(d.name)]) for d in results.datasets]
    missed = tuple(t for t in every if t.groups)
    if missed:
        parts.append(Part("Misses", (notes.MISSES,), tables=missed))
    return tuple(parts)


def _section(results: Results, data: Dataset, anchor: str, drawn: Plots) -> Section:
    parts = (
        *_rank_parts(results, data),
        *overall_parts(results, data, drawn),
        *slice_parts(results, data, drawn),
        *difference_parts(results, data),
        *(drawn["power"] if results.slices(data.name) else ()),
        *(drawn["coverage"] if results.slices(data.name) else ()),
        *drawn["calibration"],
        *condition_parts(results, data, drawn),
        *robustness_parts(results, data),
    )
    return Section(anchor, f"Data set {data.name}", notes.of_dataset(results, data), parts)


def overall_parts(results: Results, data: Dataset, drawn: Plots) -> list[Part]:
    """Every metric over all rows, what is taken for what, and at which step targets are lost."""
    classes, affect, units = _kinds(results, data)
    parts = []
    if classes:
        caption = f"Categories on {data.name}: every metric over all rows"
        parts.append(Part("All rows", tables=(table.overall(results, data.name, classes, caption),)))
    if units:
        caption = f"Action units ({data.facts.au_scale}) on {data.name}: every metric over all rows"
        shown = table.overall(results, data.name, units, caption)
        parts.append(Part("Action units", notes.units(data), tables=(shown,)))
    if affect:
        caption = f"Valence and arousal on {data.name}: every metric over all rows"
        shown = table.overall(results, data.name, affect, caption)
        parts.append(Part("Valence and arousal", notes.affect(results), tables=(shown,)))
    return [*parts, *drawn["affect"], *drawn["confusion"], *drawn["funnel"]]


def _kinds(results: Results, data: Dataset) -> tuple[list[str], list[str], list[str]]:
    """The metrics of categories, of affect and of action units; recalls of one class apart."""
    metrics = [name for name in results.metrics(data.name) if not name.startswith("recall/")]
    affect = [name for name in metrics if _is_affect(name)]
    units = [name for name in metrics if name.startswith("au_")]
    return [name for name in metrics if not _is_affect(name) and name not in units], affect, units


def _rank_parts(results: Results, data: Dataset) -> list[Part]:
    metric, made = slicing_metric(results, data), [ranks.rank_table(results, data)]
    if metric is not None and len(results.places(data.name)) > 1:
        made.append(ranks.condition_table(results, data, metric))
    tables = tuple(shown for shown in made if shown.groups)
    return [Part("Ranks", ranks.told(results), tables=tables)] if tables else []


def slice_parts(results: Results, data: Dataset, drawn: Plots) -> list[Part]:
    """Every slice of every model, as figures and as tables."""
    if not results.slices(data.name):
        return []
    parts = list(drawn["groups"])
    classes, affect, units = _kinds(results, data)
    with_ccc = [
        names for column in _AFFECT for end in ("", "_covered") if (names := _ccc(affect, column + end))
    ]
    others = [name for name in affect if not any(name in names for names in with_ccc)]
    shown = [*_abreast([*classes, *units], lambda _: ""), *with_ccc, *_abreast(others, _dimension)]
    for model in results.models:
        cut = results.cut(model.name, data.name)
        present = [here for names in shown if (here := [name for name in names if name in cut])]
        tables = tuple(table.slice_table(results, model.name, data.name, names) for names in present)
        parts.append(Part(f"Slices of {model.name}", tables=tables))
    return parts


def difference_parts(results: Results, data: Dataset) -> list[Part]:
    """Criteria of fairness and differences between the values of slices; gaps that lead stand elsewhere."""
    if not results.slices(data.name):
        return []
    classes, affect, units = _kinds(results, data)
    criteria = odds.odds_tables(results, data)
    parts = [Part("Criteria of fairness", odds.CRITERIA, tables=criteria)] if criteria else []
    return [*parts, *_differences(results, data, [*classes, *units, *affect])]


def _differences(results: Results, data: Dataset, metrics: Sequence[str]) -> list[Part]:
    first = gap_metrics(results, data)
    if not differences.has_gaps(results, data, metrics):
        return []
    others = [name for name in metrics if name not in first]
    made = [differences.gap_table(results, data, others)]
    text: tuple[str, ...] = notes.DIFFERENCES[:3]
    if first:
        made.append(differences.contrast_table(results, data, first[0]))
        text = (*text, notes.led(first))
    made.append(differences.matched_table(results, data, metrics))
    made.append(differences.ratio_table(results, data, metrics))
    tables = tuple(shown for shown in made if shown.groups or shown.notes)
    return [Part("Differences between values", text, tables=tables)]


def condition_parts(results: Results, data: Dataset, drawn: Plots) -> list[Part]:
    """The conditions over all rows, what follows frames under them, then the conditions by group."""
    metric, first = slicing_metric(results, data), drawn["robustness"]
    if metric is None or not first:
        return []
    return [first[0], *_movement_parts(results, data, metric), *first[1:]]


def _movement_parts(results: Results, data: Dataset, leading: str) -> list[Part]:
    """Metrics that follow frames by condition; that which leads stands with the conditions already."""
    names = [name for name in results.metrics(data.name) if follows_frames(name) and name != leading]
    if not names:
        return []
    abreast = [names[i : i + _ABREAST] for i in range(0, len(names), _ABREAST)]
    tables = tuple(conditions.movement_table(results, data.name, each) for each in abreast)
    return [Part("From frame to frame under each condition", (conditions.MOVEMENT,), tables=tables)]


def robustness_parts(results: Results, data: Dataset) -> list[Part]:
    """What conditions cost, over all rows and by slice."""
    metric = slicing_metric(results, data)
    if metric is None:
        return []
    made = (robustness.degradation_table, robustness.summary_table, robustness.contrast_table)
    tables = tuple(shown for make in made if (shown := make(results, data, metric)).groups)
    text = (*robustness.ROBUSTNESS, *([robustness.AGAINST] if results.suite.reference else []))
    return [Part("Robustness", text, tables=tables)] if tables else []


def _reliance(results: Results) -> list[Section]:
    found = ((data, reliance_tables.reliance_tables(results, data)) for data in results.datasets)
    parts = [
        Part(f"On {data.name}", reliance_tables.told(results, data), tables=tables)
        for data, tables in found
        if tables
    ]
    title = "What the model relies on" if len(results.models) == 1 else "What the models rely on"
    return [Section("reliance", title, parts=tuple(parts))] if parts else []


def _unmeasured(results: Results) -> Part:
    warned = provenance.warnings(results)
    return Part("Gaps of this report", notes.unmeasured(results), tables=(warned,) if warned.groups else ())


def _method(results: Results) -> tuple[Part, ...]:
    return (
        Part("Intervals", notes.intervals(results), tables=(provenance.methods(results),)),
        Part("Misses and states", (notes.MISSES, *notes.states(results))),
        Part("What a difference means", notes.DIFFERENCES),
    )


def _ccc(affect: Sequence[str], column: str) -> list[str]:
    """CCC with what must stand beside it, for it depends on the spread of labels; nothing without CCC."""
    names = [f"{stem}_{column}" for stem in ("ccc", "rmse", "bias", "label_sd")]
    return [name for name in names if name in affect] if names[0] in affect else []


def _abreast(names: Sequence[str], kind: Callable[[str], str]) -> list[list[str]]:
    """Metrics of one kind in tables of at most three."""
    kinds = dict.fromkeys(kind(name) for name in names)
    sorted_out = [[name for name in names if kind(name) == one] for one in kinds]
    return [part[i : i + _ABREAST] for part in sorted_out for i in range(0, len(part), _ABREAST)]


def _is_affect(metric: str) -> bool:
    return bool(_dimension(metric))


def _dimension(metric: str) -> str:
    return next((name for name in _AFFECT if name in metric.split("_")), "")
