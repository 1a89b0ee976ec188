"""Declared against tested: groups of persons, operating conditions and outputs, and what was not tested.

Tested counts are those of the estimates over all rows of a value under the reference condition, so that what
is withheld there is withheld here. Names are compared without regard to case; nothing is guessed: another
name is another group. A perturbation of a kind is no proof that a declared condition was met.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bench.audit_report.case import Case
from bench.context import INFERENCES
from bench.judge.metrics import METRICS
from bench.report import format as fmt
from bench.report.entries import Entry, counted, state_of
from bench.report.records import Dataset
from bench.report.results import Row
from bench.report.selection import slicing_metric
from bench.report.table import Group, Line, Table, words

__all__ = ["ASPECTS", "Covered", "Kind", "covered", "representativeness_tables", "untested"]

Kind = Literal["group", "condition", "output"]
State = Literal["tested", "probed", "insufficient", "withheld", "not tested", "not declared"]
_HIDDEN = "too few to be shown, or such a group could be worked out from it"
_BEST: tuple[State, ...] = ("tested", "probed", "insufficient", "withheld", "not tested")
_LIGHT = (
    "low_light", "exposure", "gamma", "contrast", "backlight", "colour_temperature", "flicker",
    "exposure_ramp", "side_light", "shadow_edge", "low_light_h264",
)  # fmt: skip
_CAMERA = (
    "sensor_noise", "shot_noise", "impulse_noise", "white_balance", "bit_depth", "rolling_shutter", "defocus",
    "motion_blur", "zoom_blur", "low_resolution", "jpeg", "vignetting", "camera_tilt", "h264", "vp9",
    "packet_loss", "frame_rate", "dropped_frames", "low_light_h264",
)  # fmt: skip
ASPECTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "light": (_LIGHT, ("brightness", "contrast")),
    "camera": (_CAMERA, ("sharpness",)),
    "distance": (("distance", "low_resolution"), ("face_size",)),
    "language": ((), ("language",)),
}
"""By operating condition: the perturbations that probe it, and the attributes whose slices do."""
_MEASURES = {
    "valence": "_valence", "arousal": "_arousal", "action_units": "au_",
}  # fmt: skip
_OF_LABELS = ("emotion", "expression")
_SENTIMENTS = frozenset({"negative", "positive"})
"""Labels of a sentiment; those of emotions are labels of something else."""
_LABEL_KERNELS = ("confusion", "calibration", "scores", "selective", "ranking")


@dataclass(frozen=True)
class Covered:
    """One declared thing and how far it was tested: ``share`` of a group in use, ``says`` what was found."""

    kind: Kind
    name: str
    state: State
    says: str
    share: float | None = None


def covered(case: Case) -> tuple[Covered, ...]:
    """Everything that is declared and could be tested; empty without a context."""
    if case.context is None:
        return ()
    return (*_groups(case), *_conditions(case), *_outputs(case))


def untested(case: Case) -> tuple[Covered, ...]:
    """What is declared and not tested, or not enough, the former first."""
    found = [one for one in covered(case) if one.state not in ("tested", "probed")]
    return tuple(sorted(found, key=lambda one: -_BEST.index(one.state)))


def _groups(case: Case) -> Iterator[Covered]:
    assert case.context is not None
    for attribute, shares in case.context.context.population.items():
        if not shares:
            text = f"{attribute} of the population is declared without shares: whom it means is unknown"
            yield Covered("group", attribute, "not tested", text)
        for value, share in shares.items():
            yield _group(case, (attribute, value), share)


def _group(case: Case, of: tuple[str, str], share: float) -> Covered:
    """The best that any data set has of a declared group."""
    name, part = f"{of[0]}: {of[1]}", f"{fmt.percent(share)} of those in use"
    rows = [row for data in case.results.datasets if (row := _row(case, data, of)) is not None]
    states: list[State] = [_state(row) for row in rows] or ["not tested"]
    best = min(states, key=_BEST.index)
    text = f"{name} ({part})"
    if best == "not tested":
        held = any(_same(of[0], known) for known in _attributes(case))
        why = "the data hold no such value" if held else "no slice of the run is by this attribute"
        return Covered("group", name, best, f"{text}: not tested, {why}", share)
    row = rows[states.index(best)]
    if best == "withheld":
        return Covered("group", name, best, f"{text}: withheld, {_HIDDEN}", share)
    counts = f"{fmt.clusters(row['clusters'], row['cluster_unit'])}, {fmt.counted(row['n'], 'row')}"
    what = "tested on" if best == "tested" else "too few to compare:"
    return Covered("group", name, best, f"{text}: {what} {counts}", share)


def _attributes(case: Case) -> list[str]:
    return [name for data in case.results.datasets for name, _ in case.results.slices(data.name)]


def _row(case: Case, data: Dataset, of: tuple[str, str]) -> Row | None:
    """The estimate of a declared group by the metric that slices are shown by, None where it is no value."""
    metric = slicing_metric(case.results, data)
    cell = (case.model.name, data.name, case.results.reference(data.name))
    for attribute, values in case.results.slices(data.name):
        for value in values if _same(attribute, of[0]) else ():
            if _same(value, of[1]) and metric is not None:
                return case.results.find(cell, metric, (attribute, value))
    return None


def _state(row: Row) -> State:
    state = state_of(row)
    if state == "suppressed":
        return "withheld"
    return "tested" if state == "reportable" else "insufficient"


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _conditions(case: Case) -> Iterator[Covered]:
    assert case.context is not None
    operation = case.context.context.operating_conditions
    for aspect in ASPECTS:
        declared = getattr(operation, aspect)
        values = declared if isinstance(declared, tuple) else (declared,)
        for value in values:
            if value not in ("none", "unknown"):
                found = _probes(case, aspect, value)
                text = f"{aspect}: {value}"
                if found:
                    yield Covered("condition", text, "probed", f"{text}: probed by {'; '.join(found)}")
                else:
                    why = "nothing that was run varies it"
                    yield Covered("condition", text, "not tested", f"{text}: not tested, {why}")


def _probes(case: Case, aspect: str, value: str) -> list[str]:
    """The conditions that were run and the slices that probe a declared operating condition."""
    perturbations, attributes = ASPECTS[aspect]
    places = {place for data in case.results.datasets for place in case.results.places(data.name)}
    shown = [place for place in sorted(places) if place.severity and not case.results.may_lose_label(place)]
    run = [words(place) for place in shown if place.condition in perturbations]
    if aspect == "language":
        values = [v for d in case.results.datasets for a, vs in case.results.slices(d.name) for v in vs
                  if _same(a, "language")]  # fmt: skip
        return [f"slices by language, {v}" for v in values if _same(v, value)]
    return run + [f"slices by {name}" for name in dict.fromkeys(_attributes(case)) if name in attributes]


def _outputs(case: Case) -> Iterator[Covered]:
    assert case.context is not None
    known = {name for data in case.results.datasets for name in _measured(case, data)}
    labelled = any(METRICS[name.partition("/")[0]].key.kernel in _LABEL_KERNELS for name in known)
    labels = {label.casefold() for data in case.results.datasets for label in data.facts.labels}
    for output in (each for each in case.context.context.outputs if each != "unknown"):
        end = _MEASURES.get(output)
        of_labels = labelled and (
            output in _OF_LABELS or output in labels or (output == "sentiment" and labels >= _SENTIMENTS)
        )
        if of_labels or (end is not None and any(end in name for name in known)):
            yield Covered(
                "output", output, "tested", f"{output}: held against labels of the data (section 13)"
            )
        else:
            kind = "an inference of emotion or intention" if output in INFERENCES else "an output"
            text = f"{output}: not tested, {kind} that no number of this run is about"
            yield Covered("output", output, "not tested", text)


def _measured(case: Case, data: Dataset) -> list[str]:
    """The metrics that have a number over all rows: without the output of a model there is none."""
    cell = (case.model.name, data.name, case.results.reference(data.name))
    rows = (row for row in case.results.at(*cell) if row["slice"] is None and row["estimate"] is not None)
    return [row["metric"] for row in rows if row["metric"].partition("/")[0] in METRICS]


def representativeness_tables(case: Case) -> tuple[Table, ...]:
    """Groups declared and tested per data set, by clusters and by rows; then conditions and outputs."""
    found = [_group_table(case, data) for data in case.results.datasets]
    others = [one for one in covered(case) if one.kind != "group"]
    lines = tuple(
        Line(one.name, tuple(Entry(text, kind) for text, kind in (
            (one.kind, "text"), (one.state, "text"), (one.says.removeprefix(f"{one.name}: "), "sentence"),
        )))
        for one in others
    )  # fmt: skip
    if lines:
        columns = ("Declared", "What", "State", "How")
        found.append(Table("Operating conditions and outputs, declared and tested", columns, (Group(lines),)))
    return tuple(table for table in found if table.groups)


def _group_table(case: Case, data: Dataset) -> Table:
    """Every value that is declared or tested; shares are of all rows and clusters of the metric."""
    metric = slicing_metric(case.results, data)
    cell = (case.model.name, data.name, case.results.reference(data.name))
    whole = None if metric is None else case.results.find(cell, metric, (None, None))
    declared = {} if case.context is None else case.context.context.population
    groups = []
    slices = [(n, v) for n, v in case.results.slices(data.name) if "&" not in n and "|" not in n]
    for attribute in [*declared, *(n for n, _ in slices if not any(_same(n, d) for d in declared))]:
        shares = declared.get(attribute, {})
        tested = [v for n, values in slices if _same(n, attribute) for v in values]
        names = [*shares, *(v for v in tested if not any(_same(v, known) for known in shares))]
        lines = tuple(
            _group_line(value, shares.get(value), _row(case, data, (attribute, value)), whole)
            for value in names
        )
        groups.append(Group(lines or (Line("no share declared", _absent()),), attribute))
    columns = ("Group", "Declared share", "Clusters", "Share of clusters", "Rows", "Share of rows", "State")
    caption = f"Population declared and tested on {data.name}, by {fmt.metric(metric) if metric else 'none'}"
    return Table(caption, columns, tuple(groups))


def _absent() -> tuple[Entry, ...]:
    return (*[Entry(fmt.DASH)] * 5, Entry("not tested", "text"))


def _group_line(value: str, share: float | None, row: Row | None, whole: Row | None) -> Line:
    told = Entry("not declared" if share is None else fmt.percent(share), value=share)
    if row is None or whole is None:
        return Line(value, (told, *_absent()[1:]))
    parts = (
        counted(row, "clusters"),
        _share(row, whole, "clusters"),
        counted(row, "n"),
        _share(row, whole, "n"),
    )
    return Line(value, (told, *parts, Entry(_state(row), "text")))


def _share(row: Row, whole: Row, name: str) -> Entry:
    """The share of a count; withheld where the value is."""
    if row["status"] == "suppressed":
        return Entry(fmt.WITHHELD, "suppressed")
    if not row[name] or not whole[name]:
        return Entry(fmt.DASH)
    share = row[name] / whole[name]
    return Entry(f"{100 * share:.1f} %", value=share)
