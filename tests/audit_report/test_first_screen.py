"""The first screen: what holds, fails and is unknown, and before it what was not tested and the use."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bench.audit_report.sections import audit_page
from bench.audit_report.summary import cards
from bench.gate.sentences import sentence
from bench.report.parts import Card
from bench.shipped import shipped
from tests.audit_report.conftest import CONTEXT, POLICY, Made, read_audit

CONTEXTS = shipped("suites") / "contexts"


def titled(found: tuple[Card, ...]) -> dict[str, Card]:
    return {card.title: card for card in found}


def test_with_a_policy_the_cards_are_the_verdicts_of_its_gate(audited: Made) -> None:
    case = audited(policy=POLICY)
    found = titled(cards(case))
    assert case.gate is not None
    rules = case.gate.policy.policy.rules
    for verdict, title, answer in (
        ("pass", "What holds", "holds"), ("fail", "What fails", "fails"), ("inconclusive", "What is unknown", "unknown"),
    ):  # fmt: skip
        wanted = {
            f"{sentence(rule, held)}."
            for number, rule in enumerate(rules)
            for held in case.gate.of(number)
            if held.verdict == verdict
        }
        assert wanted, verdict
        assert wanted <= set(found[title].text)
        assert found[title].answer == answer
        others = [card for name, card in found.items() if name != title]
        assert not any(wanted & set(card.text) for card in others)


def test_the_planted_numbers_stand_there(audited: Made) -> None:
    """Of the new model women are right in 442 of 720 rows and men in 272: counted by hand from ``right``."""
    from tests.gate.conftest import PEOPLE, ROWS, right

    men = sum(right("new", p, r) for p in range(0, PEOPLE, 2) for r in range(ROWS))
    rows = ROWS * PEOPLE // 2
    text = " ".join(titled(cards(audited(policy=POLICY)))["What fails"].text)
    assert f"Accuracy (WAR) of sex m, T, clean: {men / rows:.3f} [" in text
    assert "at least 0.6: fail" in text


def test_no_line_breaks_within_a_count_of_a_card(audited: Made) -> None:
    case = audited(policy=POLICY)
    assert case.gate is not None
    many = []
    for finding in case.gate.findings:
        held = finding.held
        more = replace(held, row={**held.row, "clusters": 3591}, why=None, settle=12000)
        many.append(replace(finding, held=more))
    gate = replace(case.gate, findings=tuple(many))
    text = " ".join(said for card in cards(replace(case, gate=gate)) for said in card.text)
    assert "(3\u202f591 persons)" in text
    assert "about 12\u202f000 persons would settle it" in text
    assert not re.search(r"\d \d{3}\b", text)


def test_on_the_page_a_card_binds_a_count_to_its_unit(written: Path) -> None:
    html = read_audit(written).texts["html"]
    first = html[html.index('<section class="cards"') : html.index("<nav")]
    assert "(60\u00a0persons)" in first
    assert not re.search(r"\d persons", first)


def test_without_a_policy_nothing_holds_and_nothing_fails(audited: Made) -> None:
    found = titled(cards(audited()))
    for title, word in (("What holds", "holds"), ("What fails", "fails")):
        assert found[title].text == (
            f"No policy was given: nothing was to be kept, so nothing {word} by it.",
        )
    measured = found["What was measured, held against nothing"]
    assert measured.answer == "told"
    assert any("[" in text and "persons" in text for text in measured.text)
    assert any("differs by sex by" in text and "more than chance makes" in text for text in measured.text)


def test_where_nothing_fails_no_card_looks_as_if_it_did(audited: Made) -> None:
    found = titled(cards(audited(policy="policy: mild\nrules:\n  - metric: accuracy\n    at_least: 0.1\n")))
    assert found["What fails"].answer == "told"
    assert found["What fails"].text == ("Nothing that the policy asks for fails for certain.",)
    assert found["What holds"].answer == "holds"
    assert found["What is unknown"].text[0] == "Every rule of the policy is decided by the data."


def test_what_was_not_tested_leads_and_the_use_follows(audited: Made) -> None:
    second, first, *others = cards(audited(policy=POLICY))
    assert first.title == "The declared use"
    assert first.wide
    assert "high-risk" in first.text[0]
    assert any("Art 50(3) (2026-08-02)" in t and t.startswith("In force") for t in first.text)
    assert any("2027-12-02" in t and t.startswith("Pending") for t in first.text)
    assert second.title == "Declared, but not tested or not enough"
    assert second.wide
    assert any(text.startswith("faith: any (100 %") for text in second.text)
    assert [card.title for card in others] == ["What fails", "What is unknown", "What holds"]


@pytest.mark.parametrize("name", ["classroom-attention", "call-centre-agent", "hiring-interview"])
def test_a_prohibited_use_leads_as_one_that_fails(name: str, audited: Made) -> None:
    page = audit_page(audited((CONTEXTS / f"{name}.yaml").read_text(), POLICY))
    card = page.cards[0]
    assert (card.answer, card.title) == ("fails", "The declared use would be prohibited")
    assert any("prohibited now (Art 5(1)(f))" in text for text in card.text)
    assert page.sections[2].title == "2 Declared purpose and context"
    register = page.sections[15].parts[0].tables[0].groups[0].lines
    assert register[0].entries[0].text == "high"
    assert "would be prohibited (Art 5(1)(f))" in register[0].entries[1].text


def test_a_prohibition_that_is_only_a_caution_is_dated_and_not_on_the_first_screen(audited: Made) -> None:
    """Art 5 has been in force since 2 February 2025: nowhere is its date unclear, and nowhere does it hold."""
    page = audit_page(audited(CONTEXT, POLICY))
    lines = page.sections[2].parts[1].tables[0].groups[0].lines
    (caution,) = [line for line in lines if line.head == "Art 5(1)(a), (b)"]
    assert caution.entries[1].text == "2025-02-02"
    assert not any("Art 5(1)" in text for card in page.cards for text in card.text)


def test_a_graver_finding_beside_the_outcome_is_said(audited: Made) -> None:
    """Outside the definition of emotion recognition, and all the same high-risk by another point."""
    card = titled(cards(audited((CONTEXTS / "proctoring.yaml").read_text())))["The declared use"]
    assert "outside the definition" in card.text[0]
    assert "it would also be high-risk (Annex III(3)(d))" in card.text[0]
    assert card.text[1] == "Gravest of what holds for certain: high-risk."


def test_an_undeclared_use_has_no_posture(audited: Made) -> None:
    page = audit_page(audited(None))
    assert page.cards[1].answer == "unknown"
    assert "no posture can be given" in page.cards[1].text[0]
    assert page.cards[0].text == ("No context is declared: whom and where the system is used is unknown.",)
    assert "no posture can be given" in page.sections[2].parts[0].text[0]


def test_an_unknown_field_leaves_the_posture_open(audited: Made) -> None:
    card = cards(audited(CONTEXT.replace("outputs: [emotion, valence]", "outputs: [unknown]")))[1]
    assert card.answer == "unknown"
    assert "'outputs'" in card.text[0]
    assert "no posture can be given" in card.text[0]


def test_no_answer_is_told_by_colour_alone(written: Path) -> None:
    page = read_audit(written)
    shown = [" ".join(text.split()) for text in page.html.texts]
    for word, mark in (("Fails", "✕"), ("Unknown", "?"), ("Holds", "✓")):
        assert mark in shown
        assert word in shown
    titles = [line for line in page.texts["md"].splitlines() if line.startswith("## Fails")]
    assert titles == ["## Fails: What fails"]


def test_long_lists_are_cut_and_say_where_the_rest_stands(audited: Made) -> None:
    many = POLICY + "".join(f"  - metric: accuracy\n    at_least: 0.9{n}\n" for n in range(9))
    page = audit_page(audited(policy=many))
    fails = titled(page.cards)["What fails"]
    assert len(fails.text) == 6
    assert fails.text[-1] == "And 5 more, in section 1."
    table = page.sections[1].parts[0].tables[0]
    assert sum(line.head == "fails" for group in table.groups for line in group.lines) == 10
