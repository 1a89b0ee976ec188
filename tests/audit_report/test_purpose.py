"""Section 2: every declared field, finding and duty of a posture with its hook, date, caveat and confidence."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from bench.act import STATE, UNCONFIRMED, UNIVERSAL, WORDS, Finding
from bench.audit_report.purpose import posture_card, purpose
from bench.context import read_context
from bench.posture import posture
from bench.report.format import DASH
from bench.report.parts import Section
from bench.report.table import Line
from bench.shipped import shipped
from tests.audit_report.conftest import Made

FILES = {path.stem: path for path in sorted((shipped("suites") / "contexts").glob("*.yaml"))}


def shown(section: Section, caption: str) -> list[tuple[str, Line]]:
    tables = [table for part in section.parts for table in part.tables if table.caption.startswith(caption)]
    return [(group.title, line) for table in tables for group in table.groups for line in group.lines]


def same(line: Line, finding: Finding) -> None:
    says, since, caveat, rests_on, certain, confidence = (entry.text for entry in line.entries)
    assert (line.head, says, confidence) == (finding.article, finding.says, finding.confidence)
    assert since == (finding.since.isoformat() if finding.since else "no date, or unclear")
    assert caveat == (finding.caveat or DASH)
    assert rests_on == (", ".join(finding.rests_on).replace("_", " ") or "the whole")
    assert certain.startswith("yes" if finding.certain else "no")


@pytest.mark.parametrize("name", FILES)
def test_every_shipped_context_shows_its_posture(name: str, audited: Made) -> None:
    file = read_context(FILES[name])
    found = posture(file.context)
    case = replace(audited(), context=file, posture=found)
    section = purpose(case)
    assert section.parts[0].text[0] == found.sentence
    assert section.parts[0].text[1] == f"Gravest of what holds for certain: {WORDS[found.gravest]}."
    held = shown(section, "Findings on the use")
    wanted = [found.decided_by, *found.beside]
    assert len(held) == len(wanted)
    for title, line in held:
        finding = next(f for f in wanted if (f.article, f.says) == (line.head, line.entries[0].text))
        assert title == WORDS[finding.outcome or "refused"]
        same(line, finding)
    due = shown(section, "Duties and cautions")
    assert len(due) == len(found.duties)
    for (_, line), duty in zip(due, found.duties, strict=True):
        same(line, duty)
    caveats = section.parts[2].text
    assert caveats[:-1] == UNIVERSAL
    assert STATE.isoformat() in caveats[-1]
    assert all(text in caveats[-1] for text in UNCONFIRMED)
    facts = dict(section.facts)
    assert facts["Sector"] == file.context.sector
    assert all(role in facts["Persons analysed"] for role in file.context.persons)
    assert facts["Declared in"] == f"{FILES[name].name}, sha256 {file.digest}"


@pytest.mark.parametrize("name", FILES)
def test_the_card_has_the_colour_of_the_gravest(name: str, audited: Made) -> None:
    file = read_context(FILES[name])
    found = posture(file.context)
    card = posture_card(replace(audited(), context=file, posture=found))
    wanted = "fails" if found.gravest == "prohibited" else "unknown" if found.outcome == "refused" else "told"
    assert card.answer == wanted
    dated = [f for f in (found.decided_by, *found.beside, *found.duties) if f.since is not None]
    # Cautions say what would be prohibited if the use were another one: dated in section 2 alone.
    dated = [f for f in dated if f.outcome is not None or not f.article.startswith("Art 5(1)")]
    for finding in dated:
        begins = "Pending" if finding.since and finding.since > STATE else "In force"
        assert any(text.startswith(begins) and finding.article in text for text in card.text)


@pytest.mark.parametrize(
    ("reported", "at", "when"),
    [
        (None, STATE, "as known on 2026-11-21"),
        ("2026-11-22", date(2026, 11, 22), "at 2026-11-22, by what was known on 2026-11-21"),
        ("2027-12-02", date(2027, 12, 2), "at 2027-12-02, by what was known on 2026-11-21"),
        ("2030-01-01", date(2030, 1, 1), "at 2030-01-01, by what was known on 2026-11-21"),
        ("2026-01-01", date(2026, 1, 1), "at 2026-01-01, by what was known on 2026-11-21"),
    ],
)
def test_what_is_in_force_is_so_at_the_date_of_the_report(
    audited: Made, reported: str | None, at: date, when: str
) -> None:
    told = posture_card(audited(date=reported)).text
    dated = {text.partition(" ")[0]: text for text in told if text.startswith(("In force", "Pending"))}
    assert all(text.startswith((f"In force {when}: ", f"Pending {when}: ")) for text in dated.values())
    sinces = {word: re.findall(r"\((\d{4}-\d\d-\d\d)\)", text) for word, text in dated.items()}
    assert sum(map(len, sinces.values())) >= 2
    assert all(date.fromisoformat(since) <= at for since in sinces.get("In", []))
    assert all(date.fromisoformat(since) > at for since in sinces.get("Pending", []))
    # What is to come at the date of knowledge is there in 2030.
    assert ("Pending" in sinces) == (at < date(2027, 12, 2))
