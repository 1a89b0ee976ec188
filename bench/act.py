"""The EU AI Act as far as it is about emotion recognition: ordered rules and duties over a declared context.

Regulation (EU) 2024/1689 as amended by (EU) 2026/1744, paraphrased as of ``STATE``. Conditions are true,
false or unknown (None), and unknown is kept. It decides nothing by itself: ``bench.posture`` walks the
rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from bench.context import BIOMETRIC, INFERENCES, Context
from bench.truth import (
    Truth,
    analyses,
    at_work_or_school,
    both,
    derogated,
    either,
    excepted,
    has_any,
    has_only,
    is_one,
    negated,
    not_yet,
    profiles,
    recognises_emotion,
)

__all__ = [
    "ART_5", "CHAPTER_III", "GRAVITY", "NEIGHBOURS", "RULES", "STATE", "UNCONFIRMED", "UNIVERSAL", "WORDS",
    "Confidence", "Finding", "Outcome", "Rule",
]  # fmt: skip

STATE = date(2026, 11, 21)
"""The date of what is known here."""
UNCONFIRMED = (
    "any change after 14 October 2026",
    "the adoption of the final guidelines on Art 6 (drafted 19 May 2026)",
    "the date from which systems register under Art 49(2)",
)
UNIVERSAL = (
    "It rests on the declared context, which was not verified, and is no legal advice.",
    "It holds only where the output infers emotions or intentions from biometric data; valence, arousal and "
    "engagement count as inference in our reading.",
    "The Commission's guidelines do not bind; the Court of Justice decides.",
    "The GDPR, equality law and labour law apply apart.",
    "No metric and no consent cures a use that Art 5 prohibits.",
)
Confidence = Literal["read", "general knowledge"]
Outcome = Literal["outside_act", "outside_definition", "derogated", "high_risk", "prohibited", "refused"]
GRAVITY: tuple[Outcome, ...] = ("outside_act", "outside_definition", "derogated", "high_risk", "prohibited")
"""The outcomes from the mildest to the gravest. ``refused`` has no place: it gives none and allows none."""
WORDS: dict[Outcome, str] = {
    "outside_act": "outside the AI Act",
    "outside_definition": "outside the definition of an emotion recognition system",
    "derogated": "not high-risk by the provider's own documented assessment",
    "high_risk": "high-risk",
    "prohibited": "prohibited now",
    "refused": "no posture can be given",
}
CHAPTER_III = date(2027, 12, 2)
ART_5 = date(2025, 2, 2)


@dataclass(frozen=True)
class Finding:
    """What one rule makes of a context: the article it hangs on, since when, and how well that is known.

    A duty or a caution has no ``outcome``. ``rests_on``: the declared fields it depends on. ``certain`` is
    false where one of them is unknown. ``since`` is None where there is no date or it is unclear, as
    ``caveat`` says.
    """

    rule: int
    outcome: Outcome | None
    article: str
    says: str
    rests_on: tuple[str, ...]
    since: date | None = None
    caveat: str = ""
    confidence: Confidence = "read"
    certain: bool = True


@dataclass(frozen=True)
class Rule:
    """A finding and when it fires: ``when``, once no earlier rule has.

    ``given`` is what else it presupposes where it stands beside an earlier rule, as that one has not.
    """

    finding: Finding
    when: Callable[[Context], Truth]
    given: Callable[[Context], Truth] = lambda _: True


def _art_5(letter: str, says: str, rests_on: tuple[str, ...]) -> Finding:
    return Finding(5, "prohibited", f"Art 5(1)({letter})", says, rests_on, ART_5)


RULES: tuple[Rule, ...] = (
    Rule(
        Finding(
            2,
            "outside_definition",
            "Art 3(39)",
            "No input is biometric data.",
            ("inputs",),
            caveat="Guidelines 251. Art 5(1)(f) itself does not repeat the word 'biometric': its literal "
            "wording remains a risk at work and at school. A transcript comes from a voice.",
        ),
        lambda c: negated(has_any(c.inputs, BIOMETRIC)),
    ),
    Rule(
        Finding(
            3,
            "outside_definition",
            "Art 3(39)",
            "No output identifies or infers an emotion or intention.",
            ("outputs",),
            caveat="Recital 18. It no longer holds as soon as an output is used to infer an emotion.",
        ),
        lambda c: negated(has_any(c.outputs, INFERENCES)),
    ),
    Rule(
        Finding(
            4,
            "prohibited",
            "Art 5(1)(f)",
            "Emotions are inferred of persons at work, in hiring or in education, by or for the employer or "
            "institution, without a documented medical or safety purpose.",
            ("persons", "in_view", "deployer", "required_by", "purpose", "exception"),
            ART_5,
            "Its wording says emotions; the guidelines (247) read intentions into it.",
        ),
        lambda c: both(at_work_or_school(c), negated(excepted(c))),
        recognises_emotion,
    ),
    Rule(
        _art_5("a", "The purpose is to manipulate persons.", ("purpose",)),
        lambda c: has_any(c.purpose, ("manipulation",)),
    ),
    Rule(
        _art_5("b", "The purpose exploits age, disability or a social situation.", ("purpose",)),
        lambda c: has_any(c.purpose, ("exploitation",)),
    ),
    Rule(
        _art_5("d", "Crime is predicted by profiling.", ("purpose", "profiling")),
        lambda c: both(has_any(c.purpose, ("crime_prediction",)), profiles(c)),
    ),
    Rule(
        _art_5("g", "Race is inferred from biometric data.", ("outputs",)),
        lambda c: has_any(c.outputs, ("race",)),
        lambda c: has_any(c.inputs, BIOMETRIC),
    ),
    Rule(
        Finding(
            6,
            "outside_act",
            "Art 2(6)",
            "The sole purpose is scientific research.",
            ("purpose",),
            caveat="Ethics and the GDPR remain. Students or staff as subjects need a legal review.",
            confidence="general knowledge",
        ),
        lambda c: has_only(c.purpose, ("research",)),
    ),
    Rule(
        Finding(
            6,
            "outside_act",
            "Art 2(8)",
            "Research and development before the market, not in the real world.",
            ("purpose", "placed_on_market"),
            caveat="Testing in the real world is inside (Art 60).",
            confidence="general knowledge",
        ),
        lambda c: both(has_only(c.purpose, ("research", "development")), not_yet(c)),
    ),
    Rule(
        Finding(
            7,
            "derogated",
            "Art 6(3)",
            "The provider documents that it poses no significant risk, and registers.",
            ("exception", "profiling"),
            caveat="The assessment is the provider's own (Art 6(4)); Art 50(3) stays.",
        ),
        derogated,
        lambda _: False,
    ),
    Rule(
        Finding(
            7,
            "high_risk",
            "Annex III(1)(c)",
            "It is intended for emotion recognition.",
            (),
            CHAPTER_III,
            "In so far as Union and national law permit it at all.",
        ),
        lambda _: True,
        lambda _: False,
    ),
)
"""Rules 2 to 7 in their order. Rule 1 refuses an outcome; rule 8 adds duties (``bench.duties``)."""


def _neighbour(point: str, says: str, *rests_on: str) -> Finding:
    caveat = "Unless the derogation of Art 6(3) is documented, registered, and nobody is profiled."
    return Finding(
        7, "high_risk", f"Annex III({point}", says, rests_on, CHAPTER_III, caveat, "general knowledge"
    )


def _in(context: Context, sector: str, *purposes: str) -> Truth:
    here = is_one(context.sector, sector)
    return both(here, has_any(context.purpose, purposes)) if purposes else here


def _workers_managed(context: Context) -> Truth:
    employed = either(has_any(context.deployer, ("employer",)), is_one(context.required_by, "employer"))
    judged = either(recognises_emotion(context), has_any(context.purpose, ("assessment",)))
    return both(analyses(context, "worker"), employed, judged)


_FIELDS = ("sector", "purpose")
NEIGHBOURS: tuple[Rule, ...] = (
    Rule(
        _neighbour("3)(a)", "It bears on admission to education.", *_FIELDS),
        lambda c: _in(c, "education", "admission"),
    ),
    Rule(
        _neighbour("3)(b)", "It evaluates learning.", *_FIELDS), lambda c: _in(c, "education", "assessment")
    ),
    Rule(
        _neighbour("3)(d)", "It watches behaviour in tests.", *_FIELDS),
        lambda c: _in(c, "education", "exam_integrity"),
    ),
    Rule(
        _neighbour("4)(a)", "It bears on recruitment.", "purpose"),
        lambda c: has_any(c.purpose, ("recruitment",)),
    ),
    Rule(
        _neighbour(
            "4)(b)",
            "It monitors or evaluates workers.",
            "persons",
            "in_view",
            "deployer",
            "required_by",
            "inputs",
            "outputs",
            "purpose",
        ),
        _workers_managed,
    ),
    Rule(
        _neighbour("5)(a)-(d)", "It bears on essential services.", "sector"),
        lambda c: _in(c, "essential_services"),
    ),
    Rule(
        _neighbour("6)(b)", "Law enforcement uses it as a polygraph is used.", "sector"),
        lambda c: _in(c, "law_enforcement"),
    ),
    Rule(
        _neighbour("7)(a)", "It is used in migration or asylum as a polygraph is used.", "sector"),
        lambda c: _in(c, "migration"),
    ),
)
"""Rule 7's neighbouring points of Annex III, which hold beside the outcome whatever it is, research apart."""
