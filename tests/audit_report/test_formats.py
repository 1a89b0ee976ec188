"""One tree in three formats: the same sections and the same numbers, nothing withheld, nothing that acts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it.token import Token

from bench.audit_report.write import SCHEMA
from bench.digest import digest_bytes
from bench.report import format as fmt
from bench.shipped import shipped
from tests.audit_report.conftest import HOSTILE_CARD, Read, read_audit
from tests.report.fake_run import SCRIPT, SECRET

TITLES = [
    "0 Identity and signatures", "1 Summary", "2 Declared purpose and context", "3 System under test",
    "4 Evaluation data", "5 Plan laid down before", "6 Overall accuracy, calibration, failures to process",
    "7 Performance by persons and groups", "8 Disparities and potentially discriminatory impacts", "9 Robustness",
    "10 Security", "11 Release comparison", "12 Instructions for use and oversight", "13 Construct validity",
    "14 Limits and threats", "15 Findings register", "16 Crosswalk", "17 Monitoring and triggers",
    "18 Reproducibility",
]  # fmt: skip
FORBIDDEN = ("compliant", "compliance", "certified", "ai act pass", "presumption of conformity", "unbiased")


@pytest.fixture(scope="module", params=["written", "nasty"])
def read(request: pytest.FixtureRequest) -> Read:
    return read_audit(request.getfixturevalue(request.param))


def text_of(inline: Token) -> str:
    """What a reader sees of an inline token."""
    return "".join("\n" if t.type == "softbreak" else t.content for t in inline.children or [])


def headings(tokens: list[Token], level: str) -> list[str]:
    return [
        text_of(tokens[i + 1]) for i, t in enumerate(tokens) if t.type == "heading_open" and t.tag == level
    ]


def markdown_tables(tokens: list[Token]) -> list[list[list[str]]]:
    """The rows of every table, the head first."""
    tables: list[list[list[str]]] = []
    for number, token in enumerate(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in ("td_open", "th_open"):
            tables[-1][-1].append(text_of(tokens[number + 1]))
    return tables


def json_tables(page: dict[str, Any]) -> list[dict[str, Any]]:
    parts = [part for section in page["sections"] for part in section["parts"]]
    return [table for part in parts for table in part["tables"] if table["groups"]]


def json_rows(table: dict[str, Any], mark: str) -> list[list[str]]:
    """The rows of a table as text; what has a note carries its number, as ``mark`` puts it."""
    lines = [line for group in table["groups"] for line in group["lines"]]
    notes = list(dict.fromkeys(e["note"] for line in lines for e in line["entries"] if "note" in e))
    rows = [table["columns"]]
    for group in table["groups"]:
        rows += [[group["title"]]] if group["title"] else []
        for line in group["lines"]:
            marks = [mark.format(notes.index(e["note"]) + 1) if "note" in e else "" for e in line["entries"]]
            texts = (e["text"] + each for e, each in zip(line["entries"], marks, strict=True))
            rows.append([line["head"], *texts])
    return rows


def plain(rows: list[list[str]]) -> list[list[str]]:
    """Rows with invisible characters made visible and white space as one, as every format shows them."""
    return [[fmt.plain(re.sub(r"\s+", " ", text)).strip() for text in row] for row in rows]


def test_every_section_stands_in_every_format_in_its_order(read: Read) -> None:
    assert [section["title"] for section in read.json["sections"]] == TITLES
    assert [title for title in headings(read.markdown, "h2") if title in TITLES] == TITLES
    ids = [attrs["id"] for tag, attrs in read.html.tags if tag == "section" and "id" in attrs]
    assert ids == [f"s{number}" for number in range(19)]
    shown = [text for text in read.html.texts if text in TITLES]
    assert shown == TITLES * 2  # once to go there, once over it


def test_all_formats_have_the_same_cells(read: Read) -> None:
    known = json_tables(read.json)
    html = [rows for _, rows in read.html.tables]
    markdown = markdown_tables(read.markdown)
    assert len(known) == len(html) == len(markdown) > 15
    for table, in_html, in_markdown in zip(known, html, markdown, strict=True):
        # A group's title spans its row: one cell in HTML, in Markdown empty ones beside it.
        below = [[row[0]] if len(row) > 1 and not any(row[1:]) else row for row in in_markdown]
        assert plain(in_html) == plain(json_rows(table, "{}")), table["caption"]
        assert plain(below) == plain(json_rows(table, " (note {})")), table["caption"]


def test_numbers_are_numbers_and_read_as_they_are_shown(read: Read) -> None:
    entries = [
        e
        for table in json_tables(read.json)
        for group in table["groups"]
        for line in group["lines"]
        for e in line["entries"]
        if e.get("value") is not None
    ]
    assert len(entries) > 30
    for entry in entries:
        assert isinstance(entry["value"], int | float)
        shown = re.sub(rf"^\u2020 |[{fmt.THIN}]", "", entry["text"]).replace(fmt.MINUS, "-")
        first = re.match(r"[+-]?\d*\.?\d+", shown.removeprefix("< "))
        assert first is not None, entry
        digits = len(first[0].partition(".")[2])
        value = 100 * entry["value"] if shown.endswith("%") else entry["value"]
        slack = 0.001 if shown.startswith("<") else 0.5000001 * 10**-digits
        assert abs(float(first[0]) - value) <= slack, entry
        if "low" in entry and entry["low"] is not None:
            assert f"[{fmt.number(entry['low'])}, {fmt.number(entry['high'])}]" in entry["text"]


def test_cards_and_facts_are_the_same_words(read: Read) -> None:
    seen = " ".join(" ".join(read.html.texts).split())
    inline = [" ".join(text_of(token).split()) for token in read.markdown if token.type == "inline"]
    for text in [t for card in read.json["cards"] for t in card["text"]] + read.json["banners"]:
        shown = " ".join(fmt.plain(text).split())
        assert shown in inline
        assert shown.replace(" ", "") in seen.replace(" ", "")
    for section in read.json["sections"]:
        for fact in section["facts"]:
            assert f"{fact['term']}: {' '.join(fmt.plain(fact['text']).split())}" in inline


def test_what_is_withheld_stands_in_no_format(nasty: Path) -> None:
    read = read_audit(nasty)
    secrets = [f"{number:.{digits}f}" for number in SECRET for digits in (3, 4, 6)]
    secrets += ["7741", "7 741", "7\u202f741", "6653", "6\u202f653", "5557", "0.443", "44.3"]
    for end, text in read.texts.items():
        assert "withheld" in text, end
        assert not [secret for secret in secrets if secret in text], end


def test_the_withheld_group_is_null_as_data(nasty: Path) -> None:
    rows = [
        line
        for table in json_tables(read_audit(nasty).json)
        for group in table["groups"]
        for line in group["lines"]
        if line["head"] == "few" and any(e["kind"] == "suppressed" for e in line["entries"])
    ]
    assert rows
    for line in rows:
        withheld = [e for e in line["entries"] if e["kind"] == "suppressed"]
        assert all(e["text"] == "withheld" and e["value"] is None for e in withheld)


def test_hostile_names_do_nothing(nasty: Path) -> None:
    read = read_audit(nasty)
    assert SCRIPT in " ".join(read.html.texts)
    assert not [tag for tag, _ in read.html.tags if tag in ("script", "iframe", "b", "object")]
    kinds = {child.type for token in read.markdown for child in token.children or []}
    assert not kinds & {"html_inline", "link_open", "image", "code_inline", "s_open"}
    # The one block is the card, word for word, in a fence that it cannot end.
    (block,) = [token for token in read.markdown if token.type in ("html_block", "fence", "code_block")]
    assert (block.type, block.content) == ("fence", fmt.plain(HOSTILE_CARD))
    assert "\u202e" not in "".join(read.texts.values())
    assert SCRIPT in [
        section["facts"][0]["text"] for section in read.json["sections"] if section["anchor"] == "s3"
    ]


def test_the_page_needs_nothing_and_runs_nothing(read: Read) -> None:
    tags = read.html.tags
    policy = next(a["content"] for tag, a in tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert "default-src 'none'" in policy
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert not [a for _, a in tags if any(name.startswith("on") or name == "style" for name in a)]
    addresses = [a.get(name) or "" for _, a in tags for name in ("href", "src") if name in a]
    assert addresses
    assert all(address.startswith(("#s", "data:image/svg+xml;base64,")) for address in addresses)
    known = {f"#{a['id']}" for _, a in tags if "id" in a}
    assert {address for address in addresses if address.startswith("#")} <= known


def test_a_card_is_quoted_word_for_word(nasty: Path, written: Path) -> None:
    read = read_audit(nasty)
    (system,) = [section for section in read.json["sections"] if section["anchor"] == "s3"]
    (part,) = [part for part in system["parts"] if "quote" in part]
    assert part["quote"] == HOSTILE_CARD  # data, not what a reader sees
    sha256 = digest_bytes(HOSTILE_CARD.encode())
    said = f"The words of its authors, unchecked: given as CARD.md; sha256 {sha256}."
    assert part["text"] == [said]
    assert fmt.plain(HOSTILE_CARD).strip() in "\n".join(read.html.texts)
    facts = {fact["term"]: fact["text"] for fact in system["facts"]}
    assert facts["Model card"] == "given as CARD.md"
    assert facts["Trained on data of this report"] == "data <b>&amp; (by its card, which may say which part)"
    assert "--card CARD.md" in " ".join(read.html.texts)
    assert '"quote"' not in read_audit(written).texts["json"]


def test_it_says_which_form_it_has(read: Read) -> None:
    assert read.json["schema"] == SCHEMA == "affectbench-audit/1"
    assert read.json["draft"] is True


def test_what_a_program_asks_first_is_what_the_sections_say(written: Path) -> None:
    page = read_audit(written).json
    tables = {t["caption"]: t for s in page["sections"] for p in s["parts"] for t in p["tables"]}
    lines = {
        name: tables[name]["groups"][0]["lines"]
        for name in ("Findings", "Crosswalk", "Evidence in this report")
    }
    assert [(f["id"], f["severity"], f["says"]) for f in page["findings"]] == [
        (line["head"], *(e["text"] for e in line["entries"][:2])) for line in lines["Findings"]
    ]
    assert [(each["source"], each["state"]) for each in page["crosswalk"]] == [
        (line["head"], line["entries"][2]["text"]) for line in lines["Crosswalk"]
    ]
    assert page["evidence"] == {
        line["head"]: line["entries"][1]["text"] for line in lines["Evidence in this report"]
    }
    assert page["posture"]["gravest"] == "high_risk"
    (use,) = [card for card in page["cards"] if card["title"] == "The declared use"]
    assert page["posture"]["sentence"] == use["text"][0]
    assert page["verdict"] == "fail"


def test_templates_and_sentences_never_sell(written: Path) -> None:
    texts = [text.lower() for text in read_audit(written).texts.values()]
    sources = list((shipped("reports") / "templates").glob("*"))
    sources += list((Path(__file__).parents[2] / "bench" / "audit_report").glob("*.py"))
    texts += [path.read_text(encoding="utf-8").lower() for path in sources]
    assert len(texts) > 20
    assert not [(word, text[:40]) for word in FORBIDDEN for text in texts if word in text]


def test_below_every_table_with_the_mark_and_below_no_other_it_is_said_what_it_means(nasty: Path) -> None:
    found = read_audit(nasty)
    tables = [t for section in found.json["sections"] for part in section["parts"] for t in part["tables"]]
    texts = [
        [entry["text"] for group in table["groups"] for line in group["lines"] for entry in line["entries"]]
        for table in tables
    ]
    marked = [any(text.startswith("† ") for text in each) for each in texts]
    assert 0 < sum(marked) < len(marked)
    legend = "† too little data: shown, never compared."
    assert [table["notes"].count(legend) for table in tables] == [int(has) for has in marked]
    assert found.texts["md"].splitlines().count(legend) == sum(marked)
    below = [page.partition("</div>")[0] for page in found.texts["html"].split("</table>")[1:]]
    assert [each.count(legend) for each in below] == [int(has) for has in marked]
