"""Twenty declared contexts, and which one field flips each or leaves it as it is."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from bench import context as declared
from bench.act import GRAVITY
from bench.context import Context
from bench.posture import posture
from tests.posture.declared import (
    AGENT_HEARD,
    CONTEXTS,
    DEROGATION,
    EMOTION_AT_WORK,
    GOLDEN,
    HIGH,
    SAFETY,
    changed,
    verdict,
)


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
