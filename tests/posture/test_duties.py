"""Duties: from which date, and whether they are certain."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bench.act import NEIGHBOURS, RULES, UNCONFIRMED, UNIVERSAL, WORDS
from bench.context import Context
from bench.posture import posture
from tests.posture.declared import (
    CONTEXTS,
    DEROGATION,
    HIGH,
    NEVER,
    changed,
    verdict,
)


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
    for name, expected in (("language-app", (date(2025, 2, 2), True)), ("game", (None, None))):
        assert articles(CONTEXTS[name]).get("Art 5(1)(f)", (None, None)) == expected
    assert articles(CONTEXTS["personal-training"])["Art 5(1)(f)"] == (date(2025, 2, 2), True)


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
