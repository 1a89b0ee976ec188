"""Conditions over a declared context: true, false or unknown (None), and unknown is kept.

What somebody declared as unknown is never guessed: a condition is false or true only where every value that
the unknown could have makes it so.
"""

from __future__ import annotations

from collections.abc import Collection

from bench.context import BIOMETRIC, INFERENCES, UNKNOWN, Claim, Context, Evidence

__all__ = [
    "Truth", "analyses", "at_work_or_school", "both", "claims", "derogated", "either", "excepted", "has_any",
    "has_only", "is_one", "negated", "not_yet", "profiles", "recognises_emotion", "shown",
]  # fmt: skip

Truth = bool | None
"""True, false, or unknown (None)."""
_TASKS: tuple[Evidence, ...] = (
    "narrow_procedural_task", "improves_completed_activity", "detects_deviations", "preparatory_task",
)  # fmt: skip


def both(*truths: Truth) -> Truth:
    """Whether all hold: false as soon as one is, else unknown as soon as one is."""
    return False if False in truths else None if None in truths else True


def either(*truths: Truth) -> Truth:
    """Whether one holds: true as soon as one does, else unknown as soon as one is."""
    return True if True in truths else None if None in truths else False


def negated(truth: Truth) -> Truth:
    """The opposite; unknown stays so."""
    return None if truth is None else not truth


def has_any(values: Collection[str], wanted: Collection[str]) -> Truth:
    """Whether a declared list has one of the wanted values; unknown where it may."""
    return True if set(values) & set(wanted) else None if UNKNOWN in values else False


def has_only(values: Collection[str], wanted: Collection[str]) -> Truth:
    """Whether a declared list has no other values than the wanted; unknown where it may."""
    return False if set(values) - set(wanted) - {UNKNOWN} else None if UNKNOWN in values else True


def is_one(value: str, wanted: str) -> Truth:
    """Whether a declared value is the wanted one."""
    return None if value == UNKNOWN else value == wanted


def shown(context: Context, *evidence: Evidence) -> Truth:
    """Whether each condition has a document."""
    documents = context.exception.evidence
    return both(*(None if documents.get(name) == UNKNOWN else name in documents for name in evidence))


def claims(context: Context, claim: Claim, *evidence: Evidence) -> Truth:
    """Whether an exception is claimed and each of its conditions has a document."""
    return both(is_one(context.exception.claimed, claim), shown(context, *evidence))


def analyses(context: Context, *roles: str) -> Truth:
    """Whether persons in such a role are analysed: whom nothing technical keeps out is."""
    seen = (
        both(has_any((person.role,), roles), negated(is_one(person.excluded, "technically")))
        for person in context.in_view
    )
    return either(has_any(context.persons, roles), *seen)


def recognises_emotion(context: Context) -> Truth:
    """Whether it is an emotion recognition system, Art 3(39)."""
    return both(has_any(context.inputs, BIOMETRIC), has_any(context.outputs, INFERENCES))


def at_work_or_school(context: Context) -> Truth:
    """Rule 4's persons in that role: analysed by employer or institution, or required by it."""
    places = ("employer", "education_institution")
    return both(
        analyses(context, "worker", "candidate", "pupil", "student"),
        either(has_any(context.deployer, places), has_any((context.required_by,), places)),
    )


def excepted(context: Context) -> Truth:
    """A documented medical or safety purpose and no other one, or personal training without effect."""
    needed = both(
        shown(context, "strictly_necessary", "limited"), has_only(context.purpose, ("medical", "safety"))
    )
    return either(
        both(claims(context, "medical", "ce_marked_device"), needed, has_any(context.purpose, ("medical",))),
        both(claims(context, "safety", "life_and_health"), needed, has_any(context.purpose, ("safety",))),
        both(
            claims(context, "training", "no_hr_access", "no_effect_on_assessment"),
            has_only(context.purpose, ("training",)),
        ),
    )


def profiles(context: Context) -> Truth:
    """Whether natural persons are profiled."""
    return None if context.profiling == "unknown" else context.profiling


def derogated(context: Context) -> Truth:
    """The derogation of Art 6(3): documented, registered, and void where persons are profiled."""
    return both(
        claims(context, "not_high_risk", "no_significant_risk", "registered"),
        either(*(shown(context, task) for task in _TASKS)),
        negated(profiles(context)),
    )


def not_yet(context: Context) -> Truth:
    """Whether the system has not been placed on the market."""
    return is_one(context.placed_on_market, "not_yet")
