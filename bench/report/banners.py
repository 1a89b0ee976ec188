"""What a reader must know before any number, and how faces were sought: a sentence each.

Said on top of the report and of the terminal. Refuses verdicts, as ``bench.report.notes`` does.
"""

from __future__ import annotations

import re

from bench.report import format as fmt
from bench.report.results import Results, unique

__all__ = ["MEANT", "banners", "independence", "locked", "sought"]

_GIVEN = {
    "detect": "Boxes of the targets stand in for the detector (--oracle detect): not the system as it is.",
    "track": "Who is found at the box of the target is the person (--oracle track): not the system as it is.",
    "align": "Points of the targets stand in for those found (--oracle align): not the system as it is.",
}
MEANT = {
    "central": "the one nearest to the middle of the frame",
    "box": "the one that overlaps most with the given box",
}
"""Which of several faces is the target's, by the fact of the data set; the largest goes without saying."""

# Of the notes of bench.judge.notes those without which a number is misread.
_FOREMOST = re.compile(
    r"no (probability for|output for|score of any action unit) |\d+ of \d+ rows with an answer have no frames"
)


def _doubles(results: Results) -> str:
    """Say which models are doubles; empty where none is."""
    names = [model.name for model in results.models if model.double]
    if not names:
        return ""
    if len(names) == len(results.models):
        return "These are doubles of known quality, not models."
    return f"{', '.join(names)}: these are doubles of known quality, not models."


def independence(results: Results) -> str:
    """Say where clips are the clusters; empty where none are."""
    names = [data.name for data in results.datasets if data.facts.cluster_unit == "clip"]
    if not names:
        return ""
    text = "with clips as clusters independence is assumed; if persons recur, intervals are too narrow."
    return f"{', '.join(names)}: {text}"


def banners(results: Results) -> tuple[str, ...]:
    """What a reader must know before any number."""
    trained = []
    for data in results.datasets:
        seen = [m.name for m in results.models if {m.name, m.entry} & set(data.facts.trained_on_by)]
        if seen:
            text = f"trained on {data.name}, so its numbers there do not measure new data."
            trained.append(f"{', '.join(seen)}: {text}")
    given = _GIVEN.get(results.oracle or "", "")
    found = (
        locked(results) if results.lock is not None and not results.lock.followed else "",
        _doubles(results),
        given,
        *_untrue(results),
        independence(results),
        *trained,
        *_unsayable(results),
        *(_unperturbed(data.name, results) for data in results.datasets),
    )
    return tuple(text for text in found if text)


def locked(results: Results) -> str:
    """Whether a plan was locked before the run, and whether the run followed it."""
    lock = results.lock
    if lock is None:
        return "No plan was locked before this run: all tests are exploratory in the strict sense."
    named = f"the lock {lock.lock[:12]} of {lock.time}"
    if not lock.followed:
        return (
            f"This run did not follow {named}: {lock.differs}. All tests are exploratory in the strict sense."
        )
    made = " When its predictions were made is not known." if results.kind == "score" else ""
    return f"This run followed {named}.{made}"


def sought(results: Results) -> tuple[str, ...]:
    """How faces were sought where it is not in every frame, and who was meant where it is not the largest."""
    seekers = [model for model in results.models if model.front]
    framed = [data for data in results.datasets if data.facts.media_kind != "aligned"]
    if not seekers or not framed:
        return ()
    every: dict[int, list[str]] = {}
    for model in seekers:
        every.setdefault((model.front or {}).get("every", 1), []).append(model.name)
    passed = [f"{', '.join(m)}: faces were sought in one frame of {n}." for n, m in every.items() if n > 1]
    meant = {data.name: MEANT.get(data.facts.target_face) for data in framed}
    chosen = [f"{name}: of several faces {which} is the target's." for name, which in meant.items() if which]
    return *passed, *chosen


def _unperturbed(dataset: str, results: Results) -> str:
    """That frames stayed as they were under conditions that act on faces, which makes losses smaller."""
    models = {model.name for model in results.models if not model.double}
    cells = [c for c in results.cells if c.dataset == dataset and c.perturbable and c.model in models]
    left, every = sum(cell.unperturbed for cell in cells), sum(cell.perturbable or 0 for cell in cells)
    if not left:
        return ""
    share = f"{fmt.count(left)} of {fmt.counted(every, 'frame')} ({100 * left / every:.1f} %)"
    return f"{dataset}: {share} that were to be perturbed stayed as they were, which makes losses smaller."


def _untrue(results: Results) -> list[str]:
    """The data sets of which nothing but coverage is measured, though nobody asked for that alone."""
    alone = [d.name for d in results.datasets if results.metrics(d.name) == ["coverage"]]
    text = "coverage alone is measured, since no label, valence, arousal or dominance is there"
    asked = "coverage alone is measured; ask for its action units by name, as --metric au_f1"
    coded = {d.name for d in results.datasets if d.facts.au_scale is not None}
    return [
        f"{name}: {asked}." if name in coded else f"no truth in {name}: {text}."
        for name in alone
        if not results.suite.metrics
    ]


def _unsayable(results: Results) -> list[str]:
    """What a model cannot say, or not on this scale, from what the estimates over all rows say of it."""
    found: dict[str, list[str]] = {}
    for dataset, model, slice_, warning in results.rows.groups("dataset", "model", "slice", "warning"):
        for text in (warning or "").split("; ") if slice_ is None else ():
            if _FOREMOST.match(text):
                sentence = text if text.endswith("?") else f"{text}."
                found.setdefault(f"on {dataset} {sentence}", []).append(model)
    return [f"{', '.join(unique(models))}: {text}" for text, models in found.items()]
