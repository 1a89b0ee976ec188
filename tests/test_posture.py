"""Posture: twenty declared contexts, what flips each, and laws over every change of one field."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from typing import Any, get_args

import pytest

from bench import context as declared
from bench.act import GRAVITY, NEIGHBOURS, RULES, UNCONFIRMED, UNIVERSAL, WORDS
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


def test_the_fields_are_those_of_the_facts() -> None:
    assert list(Context.model_fields) == [
        "sector", "deployer", "persons", "required_by", "in_view", "inputs", "outputs", "purpose", "exception",
        "profiling", "placed_on_market", "member_states", "population", "operating_conditions", "auditor",
        "independence", "signatory", "findings",
    ]  # fmt: skip


def test_every_shipped_context_has_its_posture() -> None:
    assert set(GOLDEN) == set(CONTEXTS)
    assert len(GOLDEN) == 20


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    found = posture(CONTEXTS[name])
    expected, beside = GOLDEN[name]
    assert verdict(found) == expected
    assert [other.article for other in found.beside] == beside
    assert all(other.certain for other in found.beside)
    assert found.possible == (found.outcome,)
    assert found.unknown == ("auditor", "independence", "signatory")


FLIPS: list[tuple[str, str, Any, tuple[str, int, str]]] = [
    ("border-interview", "persons", ["worker"], EMOTION_AT_WORK),
    ("border-interview", "purpose", ["research"], ("outside_act", 6, "Art 2(6)")),
    ("call-centre-agent", "persons", ["customer"], HIGH),
    ("call-centre-agent", "inputs", ["text"], ("outside_definition", 2, "Art 3(39)")),
    ("call-centre-customer", "in_view", AGENT_HEARD, EMOTION_AT_WORK),
    ("call-centre-customer", "persons", ["customer", "worker"], EMOTION_AT_WORK),
    ("classroom-attention", "outputs", ["gaze"], ("outside_definition", 3, "Art 3(39)")),
    ("classroom-attention", "persons", ["subject"], HIGH),
    ("driver-emotion", "outputs", ["fatigue"], ("outside_definition", 3, "Art 3(39)")),
    ("driver-emotion", "purpose", ["safety", "manipulation"], ("prohibited", 5, "Art 5(1)(a)")),
    ("driver-fatigue", "outputs", ["fatigue", "stress"], HIGH),
    ("driver-fatigue", "inputs", ["text"], ("outside_definition", 2, "Art 3(39)")),
    ("game", "purpose", ["entertainment", "exploitation"], ("prohibited", 5, "Art 5(1)(b)")),
    ("game", "outputs", ["expression"], ("outside_definition", 3, "Art 3(39)")),
    ("hiring-interview", "outputs", ["identity"], ("outside_definition", 3, "Art 3(39)")),
    ("hybrid-meeting", "persons", ["customer"], HIGH),
    ("language-app", "required_by", "education_institution", EMOTION_AT_WORK),
    ("language-app", "deployer", ["education_institution"], EMOTION_AT_WORK),
    ("personal-training", "purpose", ["training", "assessment"], EMOTION_AT_WORK),
    ("personal-training", "exception", {"claimed": "training", "evidence": {"no_hr_access": "a"}}, EMOTION_AT_WORK),
    ("police-interview", "purpose", ["crime_prediction"], ("prohibited", 5, "Art 5(1)(d)")),
    ("police-interview", "persons", ["worker"], EMOTION_AT_WORK),
    ("proctoring", "outputs", ["gaze", "stress"], EMOTION_AT_WORK),
    ("research-study", "purpose", ["research", "service"], HIGH),
    ("research-study", "persons", ["student"], EMOTION_AT_WORK),
    ("retail-audience", "in_view", [{"role": "worker", "excluded": "not_excluded"}], EMOTION_AT_WORK),
    ("retail-audience", "exception", DEROGATION, ("derogated", 7, "Art 6(3)")),
    ("retail-audience", "outputs", ["emotion", "race"], ("prohibited", 5, "Art 5(1)(g)")),
    ("security-intent", "outputs", ["action_units"], ("outside_definition", 3, "Art 3(39)")),
    ("text-sentiment", "inputs", ["text", "voice"], HIGH),
    ("therapy", "outputs", ["pain"], ("outside_definition", 3, "Art 3(39)")),
    ("therapy-at-school", "exception", {"claimed": "none"}, EMOTION_AT_WORK),
    ("therapy-at-school", "purpose", ["medical", "attention"], EMOTION_AT_WORK),
    ("worker-wellbeing", "deployer", ["private_person"], HIGH),
]  # fmt: skip


@pytest.mark.parametrize(("name", "field", "value", "expected"), FLIPS)
def test_one_field_flips_it(name: str, field: str, value: Any, expected: tuple[str, int, str]) -> None:
    assert verdict(posture(changed(CONTEXTS[name], **{field: value}))) == expected


STAYS: list[tuple[str, str, Any]] = [
    ("call-centre-customer", "profiling", "unknown"),
    ("security-intent", "exception", DEROGATION),  # persons are profiled: the derogation is void
    ("therapy", "purpose", ["development"]),
    ("therapy", "persons", ["worker"]),  # not by the employer
    ("worker-wellbeing", "purpose", ["medical"]),  # a purpose alone documents nothing
    ("worker-wellbeing", "exception", SAFETY),  # nor do documents of another purpose
]  # fmt: skip


@pytest.mark.parametrize(("name", "field", "value"), STAYS)
def test_what_does_not_flip_it(name: str, field: str, value: Any) -> None:
    assert verdict(posture(changed(CONTEXTS[name], **{field: value}))) == GOLDEN[name][0]


def test_every_context_is_flipped_by_one_field() -> None:
    assert all(expected != GOLDEN[name][0] for name, *_, expected in FLIPS)
    assert {name for name, *_ in FLIPS} == set(GOLDEN)
    assert {expected[0] for *_, expected in FLIPS} == set(GRAVITY)


def test_professional_drivers_with_a_documented_safety_purpose() -> None:
    employed = changed(CONTEXTS["driver-emotion"], persons=["worker"], deployer=["employer"])
    assert verdict(posture(employed)) == EMOTION_AT_WORK
    documented = changed(employed, exception=SAFETY)
    assert verdict(posture(documented)) == HIGH
    assert [other.article for other in posture(documented).beside] == ["Annex III(4)(b)"]
    assert verdict(posture(changed(documented, purpose=["safety", "assessment"]))) == EMOTION_AT_WORK
    for missing in SAFETY["evidence"]:
        evidence = {name: text for name, text in SAFETY["evidence"].items() if name != missing}
        partly = changed(employed, exception={"claimed": "safety", "evidence": evidence})
        assert verdict(posture(partly)) == EMOTION_AT_WORK


def test_what_is_outside_the_definition_may_be_prohibited_beside() -> None:
    race = posture(changed(CONTEXTS["driver-fatigue"], outputs=["race"]))
    assert (race.outcome, race.gravest) == ("outside_definition", "prohibited")
    assert race.sentence == (
        "As declared, this use would be outside the definition of an emotion recognition system (Art 3(39)); "
        "it would also be prohibited now (Art 5(1)(g)). This is no legal advice."
    )
    assert [duty.article for duty in race.duties] == ["Art 99(3)"]


def test_prohibitions_with_two_conditions() -> None:
    predicting = changed(CONTEXTS["police-interview"], purpose=["crime_prediction"])
    assert verdict(posture(changed(predicting, profiling=False))) == HIGH
    assert verdict(posture(changed(predicting, profiling="unknown"))) == (
        "refused",
        1,
        "Art 5(1)(d) or Annex III(1)(c)",
    )
    written = posture(changed(CONTEXTS["text-sentiment"], outputs=["race"]))
    assert (written.outcome, written.gravest) == (
        "outside_definition",
        "outside_definition",
    )  # no biometric data
    assert posture(changed(CONTEXTS["text-sentiment"], purpose=["manipulation"])).gravest == "prohibited"
    agents = posture(changed(CONTEXTS["call-centre-agent"], inputs=["text"]))
    assert (agents.outcome, agents.gravest) == ("outside_definition", "high_risk")  # it assesses workers
    assert "does not repeat the word 'biometric'" in agents.decided_by.caveat


def test_before_the_market() -> None:
    study = changed(CONTEXTS["research-study"], purpose=["research", "development"])
    assert verdict(posture(study)) == ("outside_act", 6, "Art 2(8)")
    assert verdict(posture(changed(study, placed_on_market="2026-03-01"))) == HIGH
    assert verdict(posture(changed(study, purpose=["research", "real_world_testing"]))) == HIGH
    assert verdict(posture(changed(study, purpose=["service"]))) == HIGH  # a use that is planned


@pytest.mark.parametrize("output", get_args(declared.Output)[:-1])
def test_outputs_that_infer(output: str) -> None:
    infers = {"arousal", "attitude", "emotion", "engagement", "intention", "sentiment", "stress", "valence"}
    expected = HIGH if output in infers else ("outside_definition", 3, "Art 3(39)")
    assert verdict(posture(changed(CONTEXTS["game"], outputs=[output]))) == expected


@pytest.mark.parametrize("signal", get_args(declared.Input)[:-1])
def test_inputs_that_are_biometric(signal: str) -> None:
    expected = ("outside_definition", 2, "Art 3(39)") if signal in ("text", "transcript") else HIGH
    assert verdict(posture(changed(CONTEXTS["game"], inputs=[signal]))) == expected


@pytest.mark.parametrize(
    ("sector", "purpose", "expected"),
    [
        ("education", "admission", ["Annex III(3)(a)"]),
        ("education", "assessment", ["Annex III(3)(b)"]),
        ("education", "exam_integrity", ["Annex III(3)(d)"]),
        ("education", "service", []),
        ("other", "exam_integrity", []),
        ("other", "recruitment", ["Annex III(4)(a)"]),
        ("essential_services", "service", ["Annex III(5)(a)-(d)"]),
        ("law_enforcement", "service", ["Annex III(6)(b)"]),
        ("migration", "service", ["Annex III(7)(a)"]),
        ("migration", "research", []),
    ],
)
def test_neighbouring_points(sector: str, purpose: str, expected: list[str]) -> None:
    for outputs in (["emotion"], ["gaze"]):
        found = posture(changed(CONTEXTS["game"], sector=sector, purpose=[purpose], outputs=outputs))
        assert [other.article for other in found.beside if other.rule == 7] == expected


def test_a_derogation_is_from_the_neighbouring_points_too() -> None:
    police = changed(CONTEXTS["police-interview"], exception=DEROGATION, profiling=False)
    for outputs, first in ((["emotion"], "derogated"), (["gaze"], "outside_definition")):
        found = posture(changed(police, outputs=outputs))
        assert (found.outcome, found.gravest) == (first, "derogated")
        assert [(other.article, other.outcome) for other in found.beside] == [
            ("Annex III(6)(b)", "derogated")
        ]
        assert "Art 6(4)" in [duty.article for duty in found.duties]
    (unsure,) = posture(changed(police, outputs=["gaze"], profiling="unknown")).beside
    assert (unsure.outcome, unsure.certain) == ("high_risk", False)


# What is unknown

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


def holds(context: Context, completions: list[Context]) -> None:
    """An outcome stands just where every completion has it; else none is given, and what is open is named."""
    found, real = posture(context), {outcome(completed) for completed in completions}
    assert "refused" not in real
    assert real <= set(found.possible)
    assert found.outcome == (next(iter(real)) if len(real) == 1 else "refused")


@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.parametrize("field", KNOWN)
def test_unknown_is_every_known_value_at_once(name: str, field: str) -> None:
    context = changed(CONTEXTS[name], **{field: UNKNOWN[field]})
    assert field in posture(context).unknown
    values = KNOWN[field]
    if field in LISTS:  # what is unknown may be several
        values = [*values, *([*one, *other] for one, other in itertools.combinations(values, 2))]
    holds(context, [changed(context, **{field: value}) for value in values])


@pytest.mark.parametrize("name", CONTEXTS)
def test_one_more_that_is_unknown(name: str) -> None:
    for field in LISTS:
        now = list(getattr(CONTEXTS[name], field))
        more = [
            changed(CONTEXTS[name], **{field: [*now, *value]})
            for value in KNOWN[field]
            if value[0] not in now
        ]
        holds(changed(CONTEXTS[name], **{field: [*now, "unknown"]}), [CONTEXTS[name], *more])


@pytest.mark.parametrize("name", CONTEXTS)
def test_unknown_exceptions_and_exclusions(name: str) -> None:
    context = CONTEXTS[name]
    holds(
        changed(context, exception={"claimed": "unknown", "evidence": ALL_EVIDENCE}),
        [changed(context, exception=exception) for exception in EXCEPTIONS],
    )
    for exception in EXCEPTIONS:
        evidence = dict.fromkeys(ALL_EVIDENCE, "unknown")
        holds(
            changed(context, exception={"claimed": exception["claimed"], "evidence": evidence}),
            [changed(context, exception=part) for part in (exception, {"claimed": exception["claimed"]})],
        )
    for role in ("worker", "public"):
        seen = [value for value in SEEN if value[0]["role"] == role]
        holds(
            changed(context, in_view=[{"role": role, "excluded": "unknown"}]),
            [changed(context, in_view=value) for value in seen],
        )


@pytest.mark.parametrize("pair", list(itertools.combinations(KNOWN, 2)), ids="+".join)
def test_two_unknown_fields_hide_nothing(pair: tuple[str, str]) -> None:
    for name in ("call-centre-customer", "proctoring", "research-study"):
        context = CONTEXTS[name].model_copy(update={field: tidy(UNKNOWN[field]) for field in pair})
        found = posture(context)
        values = itertools.product(*(KNOWN[field] for field in pair))
        real = {
            outcome(context.model_copy(update=dict(zip(pair, map(tidy, both), strict=True))))
            for both in values
        }
        assert real <= set(found.possible)
        assert found.outcome == "refused" or {found.outcome} == real


def tidy(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def test_a_refusal_names_fields_and_what_is_open() -> None:
    found = posture(changed(CONTEXTS["proctoring"], outputs=["gaze", "unknown"]))
    assert verdict(found) == ("refused", 1, "Art 3(39) or Art 5(1)(f)")
    assert found.decided_by.rests_on == ("outputs",)
    assert found.sentence == (
        "As declared, no posture can be given: 'outputs' is unknown, which leaves open: outside the definition of an "
        "emotion recognition system; prohibited now; it would also be high-risk (Annex III(3)(d)). "
        "This is no legal advice."
    )


def test_a_prohibition_that_holds_in_any_case_is_said_beside_a_refusal() -> None:
    found = posture(changed(CONTEXTS["game"], outputs=["unknown"], purpose=["manipulation"]))
    assert (found.outcome, found.gravest) == ("refused", "prohibited")
    assert "it would also be prohibited now (Art 5(1)(a))" in found.sentence


# Laws over every change of one field


def mutations(context: Context) -> Iterator[tuple[str, Context]]:
    for field, values in KNOWN.items():
        yield from ((field, changed(context, **{field: value})) for value in (*values, UNKNOWN[field]))
    for field in LISTS:
        now = getattr(context, field)
        more = (value for (value,) in KNOWN[field] if value not in now)
        yield from ((field, changed(context, **{field: [*now, value]})) for value in more)
    yield from (("exception", changed(context, exception=value)) for value in EXCEPTIONS)
    yield from (("in_view", changed(context, in_view=value)) for value in SEEN)
    yield "member_states", changed(context, member_states=["FR", "unknown"])
    yield "population", changed(context, population={})
    yield "auditor", changed(context, auditor="A. Auditor")


NEVER = ("compliant", "certified", "AI Act pass", "presumption of conformity", "unbiased")


@pytest.mark.parametrize("name", CONTEXTS)
def test_laws_of_every_changed_context(name: str) -> None:
    base = posture(CONTEXTS[name])
    seen = set()
    for field, context in mutations(CONTEXTS[name]):
        found = posture(context)
        assert found == posture(context)
        assert found.outcome in (*GRAVITY, "refused")
        assert (found.outcome == "refused") == (len(found.possible) > 1)
        for finding in (found.decided_by, *found.beside, *found.duties):
            assert finding.article.startswith(("Art ", "Annex III", "Chapter III"))
            assert set(finding.rests_on) <= set(Context.model_fields)
            assert not [word for word in NEVER if word in f"{finding.says} {finding.caveat}"]
        assert found.sentence.startswith("As declared, ")
        assert found.sentence.endswith("This is no legal advice.")
        if field not in base.decided_by.rests_on:
            assert verdict(found) == verdict(base)
        seen.add(found.outcome)
    assert len(seen) > 2


# Duties


def articles(context: Context) -> dict[str, tuple[date | None, bool]]:
    return {duty.article: (duty.since, duty.certain) for duty in posture(context).duties}


def test_dates() -> None:
    due = articles(CONTEXTS["call-centre-customer"])
    assert due["Art 50(3)"] == (date(2026, 8, 2), True)
    assert due["Chapter III, Arts 6-27"] == (date(2027, 12, 2), True)
    assert due["Art 49(1)"] == (None, True)
    assert "Art 27" not in due  # a private firm
    assert articles(CONTEXTS["therapy"])["Art 6(1), Annex I"] == (date(2028, 8, 2), True)
    assert articles(CONTEXTS["call-centre-agent"]) == {"Art 99(3)": (date(2025, 8, 2), True)}
    assert posture(CONTEXTS["call-centre-agent"]).decided_by.since == date(2025, 2, 2)
    assert articles(CONTEXTS["research-study"]) == {}
    assert articles(CONTEXTS["driver-fatigue"]) == {"Art 2(2), Annex I B": (None, True)}


@pytest.mark.parametrize(
    ("field", "value", "article", "expected"),
    [
        ("placed_on_market", "2027-12-01", "Art 111(2)", True),
        ("placed_on_market", "2027-12-02", "Art 111(2)", None),
        ("placed_on_market", "not_yet", "Art 111(2)", None),
        ("placed_on_market", "unknown", "Art 111(2)", False),
        ("deployer", ["public_service"], "Art 27", True),
        ("deployer", ["unknown"], "Art 27", False),
        ("sector", "essential_services", "Art 27", False),
        ("sector", "law_enforcement", "Art 49(4)", True),
        ("persons", ["player"], "Art 9(9)", True),
        ("purpose", ["real_world_testing"], "Art 60", True),
        ("persons", ["player"], "Art 5(1)(f)", None),
        ("sector", "security", "Art 5(1)(d)", True),
        ("exception", {"claimed": "criminal_law", "evidence": {"legal_basis": "a law"}}, "Art 50(3)", False),
        ("exception", {"claimed": "criminal_law"}, "Art 50(3)", True),
        ("exception", DEROGATION, "Art 43(1)", True),  # profiled
    ],
)
def test_duty(field: str, value: Any, article: str, expected: bool | None) -> None:
    """True: due; False: may be due; None: not due."""
    due = articles(changed(CONTEXTS["call-centre-customer"], **{field: value}))
    assert due.get(article, (None, None))[1] is expected


def test_at_work_but_not_by_the_employer_is_cautioned() -> None:
    for name, expected in (("language-app", (None, True)), ("game", (None, None))):
        assert articles(CONTEXTS[name]).get("Art 5(1)(f)", (None, None)) == expected
    assert articles(CONTEXTS["personal-training"])["Art 5(1)(f)"] == (None, True)


def test_a_device_that_may_be_certified() -> None:
    evidence = {"ce_marked_device": "unknown"}
    context = changed(CONTEXTS["therapy"], exception={"claimed": "medical", "evidence": evidence})
    assert articles(context)["Art 6(1), Annex I"] == (date(2028, 8, 2), False)
    assert "Art 6(1), Annex I" not in articles(CONTEXTS["game"])


def test_the_route_of_assessment_stays_open_with_the_outcome() -> None:
    route = articles(CONTEXTS["proctoring"])
    assert route["Art 43(2)"] == (None, True)
    assert "Art 43(1)" not in route
    border = articles(changed(CONTEXTS["border-interview"], outputs=["unknown"]))
    assert border["Art 43(2)"] == (None, False)


def test_a_derogation_keeps_transparency() -> None:
    found = posture(changed(CONTEXTS["retail-audience"], exception=DEROGATION))
    assert [duty.article for duty in found.duties] == ["Art 5(1)(a), (b)", "Art 50(3)", "Art 4", "Art 6(4)"]
    for missing in DEROGATION["evidence"]:
        evidence = {name: text for name, text in DEROGATION["evidence"].items() if name != missing}
        partly = changed(
            CONTEXTS["retail-audience"], exception={"claimed": "not_high_risk", "evidence": evidence}
        )
        assert verdict(posture(partly)) == HIGH


def test_no_text_promises() -> None:
    texts = [*UNIVERSAL, *UNCONFIRMED, *WORDS.values()]
    texts += [f"{rule.finding.says} {rule.finding.caveat}" for rule in (*RULES, *NEIGHBOURS)]
    assert not [text for text in texts for word in NEVER if word in text]


# The file


def test_places_and_digest() -> None:
    file = FILES["therapy"]
    assert file.place("exception").endswith("therapy.yaml:12")
    assert len(file.digest) == 64
    assert file.context.placed == date(2026, 3, 1)
    assert CONTEXTS["research-study"].placed is None


def test_unknown_fields_are_listed() -> None:
    base = changed(CONTEXTS["game"], auditor="a", independence="b", signatory="c")
    assert base.unknown == ()
    for field in KNOWN:
        assert changed(base, **{field: UNKNOWN[field]}).unknown == (field,)
    assert changed(base, population={"sex": {}}).unknown == ("population",)
    assert changed(base, exception={"claimed": "safety", "evidence": {"limited": "unknown"}}).unknown == (
        "exception",
    )
    conditions = {**base.operating_conditions.model_dump(), "light": "unknown"}
    assert changed(base, operating_conditions=conditions).unknown == ("operating_conditions",)
