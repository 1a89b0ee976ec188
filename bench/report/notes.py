"""The sentences of a report and the facts they rest on: what was measured, method, what is missing.

Plain words, no verdicts: nothing here says that a system conforms to a law or is free of bias.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import format as fmt
from bench.report.banners import MEANT, independence, locked
from bench.report.entries import MARK, state_of
from bench.report.model_card import shipped_card, trained_on
from bench.report.records import Dataset, Model
from bench.report.results import Results, unique
from bench.spec import Facts, members

__all__ = [
    "COVERED_BY_INTERVALS", "DIFFERENCES", "EXTREMES", "GAPS", "MARKS", "MISSES", "STATES", "affect",
    "conditions", "elsewhere", "intervals", "led", "measured", "of_dataset", "states", "unavailable", "units",
    "unmeasured", "withheld",
]  # fmt: skip

COVERED_BY_INTERVALS = "Intervals cover the sampling of subjects, not retraining or seeds."
EXTREMES = {
    "Lowest": "The lowest of several slices is low partly by chance, more so the more slices are compared "
    "and the smaller they are. This is a description, not a test of a difference.",
    "Highest": "Of this metric lower is better. The highest of several slices is high partly by chance, more "
    "so the more slices are compared and the smaller they are. This is a description, not a test of a "
    "difference.",
}
GAPS = (
    "A gap beside what chance alone makes of it, and the largest difference of two values, the larger first. "
    "The p of the gap and the interval of the difference come from two tests and need not agree. What they "
    "mean stands under the heading on how to read these numbers; not seeing a difference is not seeing that "
    "there is none."
)
MISSES = (
    "A row without an answer (no face, abstained, model error, or a tie at the top) counts as wrong and "
    "stays in the denominators. A decode error is the data's fault: it leaves all denominators and is "
    "counted."
)
STATES = (
    "Insufficient slices are too small to compare: shown, and left out where slices are compared. Suppressed "
    "ones are withheld. The thresholds stand under the heading on how to read these numbers."
)
MARKS = (
    f"Insufficient slices carry {MARK} and are hollow in figures: their value is shown, and they are left "
    "out where slices are compared. Coverage is the share of rows with an answer."
)
_CONDITIONS = (
    "Conditions on the frame perturb the whole picture before the face is sought and so measure the system; "
    "conditions on the crop perturb the aligned face and so measure the classifier. Slices are shown for the "
    "first condition of the table only; the others are in estimates.parquet."
)
_SOUND = "Conditions on the sound leave the pictures as they are: they measure what a model hears."
_NO_MEDIA = "none were looked at; predictions were made elsewhere"
DIFFERENCES = (
    "A gap is the largest minus the smallest reportable value of an attribute. Some gap appears by chance "
    "alone where nothing differs, the more so the more and the smaller the groups are: its mean and 95th "
    "percentile under no difference stand beside it. p comes from dealing whole clusters anew to groups of "
    "the same sizes, or from random signs where an attribute varies within a cluster; q controls the share "
    "of false discoveries over all gaps of a model (Benjamini-Hochberg). They are exploratory; those that "
    "the suite names primary are confirmatory, and their adjusted p holds for all of them together (Holm), "
    "those among them that cannot be tested with a p of 1. "
    "Metrics that carry sample-size bias, such as macro F1, come out lower or higher in small groups by that "
    "alone: their gaps are compared with chance, which carries the same bias, and have no interval.",
    "The interval of a difference holds at once for all differences of its family: all pairs of the values "
    "of a slice, or all values against the rest, which is every other row in which the attribute is "
    "measured. The larger value of a pair stands first. The p of a gap (of dealing clusters anew) and the "
    "adjusted p of a pair (of the simultaneous intervals) are two tests and need not agree. A large p does "
    "not show that groups are treated alike: what is smaller than the smallest difference found in 4 of 5 "
    "studies would be missed more often than that by the intervals of this family.",
    "A ratio of rates decides nothing: beside the smallest rate over the largest stands how often it falls "
    "below .8 by chance where all rates are equal. The largest error rate over the geometric mean is as in "
    "NIST's face recognition tests.",
    "A metric over labels says how often an output agrees with a label. It does not say that the label is "
    "what the person felt. Models are compared by 'affectbench compare', not here.",
)


def elsewhere(shown: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Which metrics that were asked for by name the headline leaves out, if any."""
    others = [fmt.metric(name) for name in asked if name not in shown]
    return (f"Shown under each data set alone: {', '.join(others)}.",) if others else ()


def led(metrics: Sequence[str]) -> str:
    """Where the gaps of the metric that leads, and of primary tests, stand."""
    named = ", ".join(map(fmt.metric, metrics))
    return f"The gaps of {named} stand with the gaps against chance; here are those of other metrics."


def measured(results: Results) -> tuple[tuple[str, str], ...]:
    """What was measured, for the first screen."""
    facts = [
        ("Models", "; ".join(_model(model) for model in results.models)),
        ("Suite", f"{results.suite.suite} (digest {results.suite_digest[:12]})"),
    ]
    facts += [
        (f"Data: {data.name}", f"{fmt.counted(data.rows, 'row')}, {_cluster_count(results, data)}")
        for data in results.datasets
    ]
    slices = unique(name for data in results.datasets for name, _ in results.slices(data.name))
    facts.append(("Slices", ", ".join(slices) or "none"))
    perturbed = unique(
        p.condition.replace("_", " ") for d in results.datasets for p in results.places(d.name)
    )
    facts.append(("Conditions", ", ".join(perturbed)))
    made = "made elsewhere, scored here" if results.kind == "score" else "made by this run"
    told = [made, *(value for value in (results.device, results.precision) if value)]
    facts.append(("Predictions", ", ".join(told)))
    facts.append(("Plan", locked(results)))
    return tuple(facts)


def _trained(results: Results, facts: Facts) -> str:
    """The models that are declared to know the data, and those of the run whose cards name it."""
    by_card = [m.name for m in results.models if trained_on(m, facts, shipped_card(m))[0] == "card"]
    named = [*facts.trained_on_by, *(f"{name} (by its card, which may say which part)" for name in by_card)]
    return ", ".join(named) or "not declared (this is not a no)"


def label_source(facts: Facts) -> str:
    """What the labels of a data set stand for, in words."""
    words = {
        "posed": "posed: what somebody was asked to show",
        "elicited": "elicited: what was to be brought about",
        "perceived": "perceived: what others saw or heard",
        "self_reported": "self-reported: what the person said to feel",
    }
    return "not declared" if facts.label_source is None else words[facts.label_source]


def of_dataset(results: Results, data: Dataset) -> tuple[tuple[str, str], ...]:
    """The facts of a data set."""
    facts = data.facts
    kinds = {"frame": "whole frames with a face", "aligned": "faces already cropped"}
    sources = unique(facts.attributes.values())
    provenance = "; ".join(
        f"{', '.join(name for name, other in facts.attributes.items() if other == source)}: {source}"
        for source in sources
    )
    return (
        ("Rows", f"{fmt.count(data.rows)}, {_cluster_count(results, data)}"),
        ("Labels", f"{facts.label_space or 'none'}: {', '.join(facts.labels) or 'none'}"),
        ("Label source", label_source(facts)),
        ("Media", kinds[facts.media_kind] if results.kind != "score" else _NO_MEDIA),
        *([("Target face", MEANT[facts.target_face])] if facts.target_face in MEANT else []),
        ("Attributes", provenance or "none"),
        (
            "Small groups",
            "may be shown (attributes are public)" if facts.attributes_public else "are withheld",
        ),
        ("Licence", facts.licence),
        ("Trained on by", _trained(results, facts)),
    )


def states(results: Results) -> tuple[str, ...]:
    """What the states of slices mean, with the thresholds of the suite."""
    rule = results.suite.slice_rule
    hidden, few = (fmt.counted(count, "cluster") for count in (rule.suppress_below, rule.clusters))
    return (
        f"Suppressed: fewer than {hidden}, or a slice from which such a one could be "
        "worked out; every number is withheld. Data sets with public attributes show them as insufficient."
        f"{_revealing(results)}",
        f"Insufficient: fewer than {few}; for proportions an effective n (n_eff) "
        f"below {rule.n_eff} or fewer than {rule.successes_and_failures} successes or failures; for other "
        f"metrics fewer than {fmt.counted(rule.rows_in_class, 'row')} in a class. Undefined: the metric "
        "has no value on these rows.",
    )


def withheld(results: Results) -> str:
    """What it means that a number is withheld, in one line."""
    below = results.suite.slice_rule.suppress_below
    units = " or ".join(unique(fmt.CLUSTERS[data.facts.cluster_unit] for data in results.datasets))
    few = f"fewer than {below} {units} are in the value or a class of it"
    return f"Withheld: {few}, or in another that the number would reveal.{_revealing(results)}"


def _revealing(results: Results) -> str:
    """Which slices were asked for together where a value is withheld: one may be for the sake of another."""
    states = results.rows.groups("dataset", "status")
    holding = {dataset for dataset, status in states if status == "suppressed"}
    data_sets = [data.name for data in results.datasets if data.name in holding]
    together = unique(tuple(name for name, _ in results.slices(data)) for data in data_sets)
    named = "; ".join(", ".join(names) for names in together if len(names) > 1)
    text = f" Of slices asked for together one may be withheld for the sake of another: {named}."
    return text if named else ""


def conditions(results: Results) -> tuple[str, ...]:
    """What perturbing the frame or the crop measures, and why the lines of doubles alone are flat."""
    flat = all(model.double for model in results.models)
    places = [place for data in results.datasets for place in results.places(data.name)]
    lost = any(results.may_lose_label(place) for place in places)
    told = (
        (_CONDITIONS, True),
        (_SOUND, any(place.where == "sound" for place in places)),
        ("Doubles do not look at pictures, so these lines are flat.", flat),
        ("Where the label may be lost people would miss it too: it says nothing of a model alone.", lost),
    )
    return tuple(text for text, holds in told if holds)


def affect(results: Results) -> tuple[str, ...]:
    """How missing valence and arousal count."""
    constant = fmt.number(results.suite.missing_constant)
    return (
        f"A missing prediction scores as {constant}; metrics named covered only leave such rows out. CCC "
        "depends on how much the labels vary, so compare it across slices only beside RMSE and bias.",
    )


def units(data: Dataset) -> tuple[str, ...]:
    """What counts as present, and how misses and units that a model lacks do."""
    rules = {"occurrence": "its score is above 0.5", "intensity": "its intensity is at least 2 of 5"}
    return (
        f"An action unit is present where {rules[data.facts.au_scale or 'occurrence']}. For F1 a missing "
        "row is the wrong answer for every unit, and so is a unit that a model does not have; AUROC and ICC "
        "are of rows with an output, beside coverage. Numbers over all units are means over units, and n "
        "counts a row once for each unit coded in it.",
    )


def intervals(results: Results) -> tuple[str, ...]:
    """What the intervals rest on."""
    units = unique(fmt.CLUSTERS[data.facts.cluster_unit] for data in results.datasets)
    found = [
        COVERED_BY_INTERVALS,
        f"Intervals are at {fmt.percent(results.suite.level)}. Rows of one cluster are not independent, so "
        f"whole clusters ({', '.join(units)}) are what an interval is built from; with fewer than 5 there is "
        "none. n_eff is the number of independent rows that would say as much.",
        independence(results),
    ]
    return tuple(text for text in found if text)


def unavailable(results: Results) -> tuple[str, ...]:
    """What the suite asked for and nobody could measure."""
    found = []
    for data in results.datasets:
        present = {name.partition("/")[0] for name in results.metrics(data.name)} | set(
            results.metrics(data.name)
        )
        absent = [fmt.metric(name) for name in results.suite.metrics if not {*members(name)} & present]
        if absent:
            found.append(f"On {data.name} unavailable for every model: {', '.join(absent)}.")
        place = results.reference(data.name)
        for model in results.models:
            rows = [row for row in results.at(model.name, data.name, place) if row["slice"] is None]
            for state in ("unavailable", "undefined"):
                void = [fmt.metric(row["metric"]) for row in rows if state_of(row) == state]
                if void:
                    found.append(f"On {data.name} {state} over all rows for {model.name}: {', '.join(void)}.")
    return tuple(found)


def unmeasured(results: Results) -> tuple[str, ...]:
    """What could not be measured, and what the report of a run leaves out."""
    return (
        *unavailable(results),
        "Left out by this report: tests of differences between models; recall of each class by slice, slices "
        "under further conditions, and differences of all pairs, which stand in estimates.parquet.",
    )


def _cluster_count(results: Results, data: Dataset) -> str:
    place = results.reference(data.name)
    rows = [
        row for m in results.models for row in results.at(m.name, data.name, place) if row["slice"] is None
    ]
    known = [row for row in rows if row["clusters"] is not None]
    if not known:
        return f"clusters: {fmt.CLUSTERS[data.facts.cluster_unit]}"
    most = max(known, key=lambda row: int(row["clusters"]))
    return fmt.clusters(most["clusters"], most["cluster_unit"])


def _model(model: Model) -> str:
    known = ["double"] if model.double else []
    known += [model.origin] if model.origin else []
    return f"{model.name} ({'; '.join(known)})" if known else model.name
