"""Rule 8: the duties of a use that is not prohibited, with their dates, and what else to beware of.

A duty is no finding of a fault: nothing here says whether it is met. A date that is unclear is said to be so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from bench.act import ART_5, CHAPTER_III, Confidence, Finding, Outcome
from bench.context import UNKNOWN, Context
from bench.truth import (
    Truth,
    analyses,
    at_work_or_school,
    both,
    claims,
    either,
    has_any,
    negated,
    recognises_emotion,
    shown,
)

__all__ = ["duties"]

_ANNEX_I = date(2028, 8, 2)
_TRANSPARENCY = date(2026, 8, 2)
_OMNIBUS = date(2026, 7, 27)
_UNCLEAR = (
    "Date unclear: formally in force, but of systems that Art 6 makes high-risk only from 2 December 2027."
)
_Due = tuple[Truth, Finding]


def duties(context: Context, outcome: Outcome, gravest: Outcome) -> tuple[Finding, ...]:
    """What follows from an outcome and the gravest beside it; what may follow is marked as uncertain."""
    if gravest == "prohibited":
        says = "A breach of Art 5 is fined up to EUR 35 million or 7 % of turnover, whichever is higher."
        caveat = "For small and medium enterprises the lower of the two (Art 99(6))."
        return (_duty("Art 99(3)", says, since=date(2025, 8, 2), caveat=caveat),)
    due = [] if outcome == "outside_act" else _cautions(context)
    if outcome in ("derogated", "high_risk"):
        due += _of_emotion_recognition(context)
    if gravest == "derogated":
        due += [
            (
                True,
                _duty(
                    "Art 6(4)",
                    "Document the assessment before the market, and register (Art 49(2)).",
                    "exception",
                    caveat="Date of registration unclear.",
                ),
            )
        ]
    elif gravest == "high_risk":
        due += [*_high_risk(context, outcome), *_of_deployers(context)]
    return tuple(replace(duty, certain=truth is True) for truth, duty in due if truth is not False)


def _duty(
    article: str,
    says: str,
    *rests_on: str,
    since: date | None = None,
    caveat: str = "",
    confidence: Confidence = "read",
) -> Finding:
    return Finding(8, None, article, says, rests_on, since, caveat, confidence)


def _of_emotion_recognition(context: Context) -> list[_Due]:
    exempt = claims(context, "criminal_law", "legal_basis")
    says = "Tell every person who is exposed, at first exposure at the latest, that it recognises emotions."
    caveat = "Also those who do not use it; 'we use AI' is not enough. No transition period."
    if exempt is not False:
        caveat = "An exception is claimed: only where law permits it against crime, with safeguards."
    return [
        (exempt is False or None, _duty("Art 50(3)", says, "exception", since=_TRANSPARENCY, caveat=caveat)),
        (
            True,
            _duty(
                "Art 4",
                "Take measures that support the AI literacy of staff.",
                since=_OMNIBUS,
                caveat="In this wording, of Regulation (EU) 2026/1744.",
            ),
        ),
    ]


def _high_risk(context: Context, outcome: Outcome) -> list[_Due]:
    """The provider's duties; Annex III point 1 alone has the notified body as its default."""
    device = shown(context, "ce_marked_device")
    route = (
        _duty(
            "Art 43(1)", "Assessment by a notified body, as no harmonised standard is cited.", caveat=_UNCLEAR
        )
        if outcome == "high_risk"
        else _duty(
            "Art 43(2)", "Assessment by internal control.", caveat=_UNCLEAR, confidence="general knowledge"
        )
    )
    return [
        (True, _duty("Chapter III, Arts 6-27", "The duties of high-risk systems.", since=CHAPTER_III)),
        (
            device,
            _duty(
                "Art 6(1), Annex I",
                "High-risk also as a medical device with a notified body.",
                "exception",
                since=_ANNEX_I,
                caveat="Where that law asks for a notified body.",
            ),
        ),
        (
            _earlier(context),
            _duty(
                "Art 111(2)",
                "Caught only after a significant change of its design.",
                "placed_on_market",
                since=CHAPTER_III,
                caveat="For use by public authorities by 2 August 2030. Never against Art 5.",
            ),
        ),
        (None if outcome == "refused" else True, route),
        (
            True,
            _duty(
                "Art 49(1)", "Register provider and system.", caveat=_UNCLEAR, confidence="general knowledge"
            ),
        ),
        (True, _duty("Art 72", "A plan to monitor it on the market.", caveat=_UNCLEAR)),
        (
            analyses(context, "pupil", "student", "patient", "player"),
            _duty(
                "Art 9(9)", "Consider under-18s and other vulnerable groups.", "persons", since=CHAPTER_III
            ),
        ),
    ]


def _of_deployers(context: Context) -> list[_Due]:
    public = has_any(context.deployer, ("public_body", "public_service"))
    employed = either(
        has_any(context.deployer, ("employer",)), has_any((context.required_by,), ("employer",))
    )
    credit = None if context.sector in ("essential_services", UNKNOWN) else False
    secret = has_any((context.sector,), ("law_enforcement", "migration"))
    return [
        (
            True,
            _duty(
                "Art 26",
                "Instructions, oversight, representative input, monitoring, logs.",
                since=CHAPTER_III,
            ),
        ),
        (
            both(analyses(context, "worker"), employed),
            _duty(
                "Art 26(7)",
                "Tell workers before it is used at work.",
                "persons",
                "deployer",
                since=CHAPTER_III,
            ),
        ),
        (
            either(public, credit),
            _duty(
                "Art 27",
                "Assess the impact on fundamental rights before use.",
                "deployer",
                "sector",
                since=CHAPTER_III,
                caveat="The template is pending; it may refer to a DPIA.",
            ),
        ),
        (
            secret,
            _duty(
                "Art 49(4)",
                "Register in the section that is not public.",
                "sector",
                caveat=_UNCLEAR,
                confidence="general knowledge",
            ),
        ),
    ]


def _cautions(context: Context) -> list[_Due]:
    """What could still make the use prohibited, or bring it back into the Act."""
    emotion = recognises_emotion(context)
    trained = claims(context, "training", "no_hr_access", "no_effect_on_assessment")
    elsewhere = both(
        analyses(context, "worker", "candidate", "pupil", "student"), negated(at_work_or_school(context))
    )
    return [
        (
            emotion,
            _duty(
                "Art 5(1)(a), (b)",
                "Prohibited where it manipulates, or exploits age, disability or need.",
                "purpose",
                since=ART_5,
            ),
        ),
        (
            both(emotion, has_any((context.sector,), ("law_enforcement", "security"))),
            _duty(
                "Art 5(1)(d)",
                "Prohibited where it predicts crime by profiling alone.",
                "sector",
                "profiling",
                since=ART_5,
            ),
        ),
        (
            both(emotion, elsewhere),
            _duty(
                "Art 5(1)(f)",
                "Prohibited once their employer or institution uses or requires it; both are read widely.",
                "persons",
                "deployer",
                "required_by",
                since=ART_5,
                confidence="general knowledge",
            ),
        ),
        (
            both(emotion, trained),
            _duty(
                "Art 5(1)(f)",
                "Prohibited once results reach HR or touch an assessment: the separation must hold.",
                "exception",
                since=ART_5,
                confidence="general knowledge",
            ),
        ),
        (
            has_any((context.sector,), ("transport",)),
            _duty("Art 2(2), Annex I B", "The law of vehicle type approval may apply.", "sector"),
        ),
        (
            has_any(context.purpose, ("real_world_testing",)),
            _duty(
                "Art 60",
                "Testing in the real world needs an approved plan and informed consent.",
                "purpose",
                confidence="general knowledge",
            ),
        ),
    ]


def _earlier(context: Context) -> Truth:
    if context.placed_on_market == UNKNOWN:
        return None
    return context.placed is not None and context.placed < CHAPTER_III
