"""Declared contexts as they are shipped, their postures, and every value that a field may have."""

from __future__ import annotations

from typing import Any, get_args

from bench import context as declared
from bench.context import Context, read_context
from bench.posture import Posture, posture
from bench.shipped import shipped

FOLDER = shipped("suites") / "contexts"
FILES = {path.stem: read_context(path) for path in sorted(FOLDER.glob("*.yaml"))}
CONTEXTS = {name: file.context for name, file in FILES.items()}
HIGH = ("high_risk", 7, "Annex III(1)(c)")
EMOTION_AT_WORK = ("prohibited", 4, "Art 5(1)(f)")
GOLDEN: dict[str, tuple[tuple[str, int, str], list[str]]] = {
    "border-interview": (HIGH, ["Annex III(7)(a)"]),
    "call-centre-agent": (EMOTION_AT_WORK, ["Annex III(4)(b)"]),
    "call-centre-customer": (HIGH, []),
    "classroom-attention": (EMOTION_AT_WORK, []),
    "driver-emotion": (HIGH, []),
    "driver-fatigue": (("outside_definition", 3, "Art 3(39)"), []),
    "game": (HIGH, []),
    "hiring-interview": (EMOTION_AT_WORK, ["Annex III(4)(a)"]),
    "hybrid-meeting": (EMOTION_AT_WORK, ["Annex III(4)(b)"]),
    "language-app": (HIGH, []),
    "personal-training": (HIGH, ["Annex III(4)(b)"]),
    "police-interview": (HIGH, ["Annex III(6)(b)"]),
    "proctoring": (("outside_definition", 3, "Art 3(39)"), ["Annex III(3)(d)"]),
    "research-study": (("outside_act", 6, "Art 2(6)"), ["Art 2(8)"]),
    "retail-audience": (HIGH, []),
    "security-intent": (HIGH, []),
    "text-sentiment": (("outside_definition", 2, "Art 3(39)"), []),
    "therapy": (HIGH, []),
    "therapy-at-school": (HIGH, []),
    "worker-wellbeing": (EMOTION_AT_WORK, ["Annex III(4)(b)"]),
}
SAFETY = {
    "claimed": "safety",
    "evidence": {"life_and_health": "a", "strictly_necessary": "b", "limited": "c"},
}
DEROGATION = {
    "claimed": "not_high_risk",
    "evidence": {"no_significant_risk": "a", "registered": "b", "preparatory_task": "c"},
}
AGENT_HEARD = [{"role": "worker", "excluded": "by_policy"}]


def changed(context: Context, **fields: Any) -> Context:
    """The context with other declarations, held to what may be declared."""
    return Context.model_validate({**context.model_dump(), **fields})


def verdict(found: Posture) -> tuple[str, int, str]:
    return found.outcome, found.decided_by.rule, found.decided_by.article


NEVER = ("compliant", "certified", "AI Act pass", "presumption of conformity", "unbiased")
LISTS = {
    "deployer": declared.Deployer, "persons": declared.Role, "inputs": declared.Input, "outputs": declared.Output,
    "purpose": declared.Purpose,
}  # fmt: skip
KNOWN: dict[str, list[Any]] = {
    **{field: [[word] for word in get_args(words) if word != "unknown"] for field, words in LISTS.items()},
    "sector": [word for word in get_args(declared.Sector) if word != "unknown"],
    "required_by": [word for word in get_args(declared.Requirer) if word != "unknown"],
    "profiling": [True, False],
    "placed_on_market": ["not_yet", "2026-03-01", "2028-03-01"],
}
ALL_EVIDENCE = dict.fromkeys(get_args(declared.Evidence), "a document")
EXCEPTIONS = [{"claimed": claim, "evidence": ALL_EVIDENCE} for claim in get_args(declared.Claim)[:-1]]
SEEN = [
    [{"role": role, "excluded": how}] for role in ("worker", "public") for how in get_args(declared.Exclusion)[:-1]
]  # fmt: skip
UNKNOWN = {field: ["unknown"] if field in LISTS else "unknown" for field in KNOWN}


def outcome(context: Context) -> str:
    return posture(context).outcome
