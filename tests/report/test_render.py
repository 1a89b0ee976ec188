"""The HTML report: safe, well-formed, reproducible, and showing no withheld number."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.report.render import render
from tests.report import fake_run
from tests.report.reading import Reader, read, svg_text, svgs


@pytest.fixture(scope="module", params=["crema_run", "hostile_run"])
def page(request: pytest.FixtureRequest) -> tuple[str, Reader]:
    return read(request.getfixturevalue(request.param))


def test_every_element_is_one_that_the_templates_write(page: tuple[str, Reader]) -> None:
    structure = {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "nav",
        "main",
        "section",
        "footer",
    }
    text = {
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "a",
        "div",
        "span",
        "dl",
        "dt",
        "dd",
        "figure",
        "img",
        "figcaption",
        "sup",
        "wbr",
    }
    table = {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in page[1].tags} <= structure | text | table


def test_nothing_is_fetched_and_nothing_acts(page: tuple[str, Reader]) -> None:
    for _, attrs in page[1].tags:
        assert not {name for name in attrs if name.startswith("on") or name in ("style", "action", "srcset")}
        assert (attrs.get("href") or "#").startswith("#")
        assert (attrs.get("src", "data:image/svg+xml;base64,") or "").startswith("data:image/svg+xml;base64,")
    style = re.search("<style>(.*)</style>", page[0], re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert not re.search(r"https?://", page[0])


def test_the_policy_allows_exactly_the_style_of_the_page(page: tuple[str, Reader]) -> None:
    style = re.search("<style>(.*)</style>", page[0], re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(a["content"] for t, a in page[1].tags if t == "meta" and "http-equiv" in a)
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def test_a_screen_reader_finds_its_way(page: tuple[str, Reader]) -> None:
    _, reader = page
    assert reader.headings[0] == 1
    assert reader.headings.count(1) == 1
    steps = zip(reader.headings, reader.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert all(attrs.get("alt") for tag, attrs in reader.tags if tag == "img")
    assert all(caption for caption, _ in reader.tables)
    assert all(attrs.get("scope") for tag, attrs in reader.tags if tag == "th")
    assert ("html", {"lang": "en"}) in reader.tags
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {a["href"] for t, a in reader.tags if t == "a"} <= {f"#{i}" for i in ids}


def test_every_row_of_a_table_has_every_column(page: tuple[str, Reader]) -> None:
    for caption, rows in page[1].tables:
        lengths = {len(row) for row in rows[1:]} - {1}  # one entry: the title of a group
        assert lengths <= {len(rows[0])}, caption
        assert all(entry.strip() for row in rows for entry in row), caption


def test_hostile_names_are_shown_and_do_nothing(hostile_run: Path) -> None:
    text, page = read(hostile_run)
    shown = "".join(page.texts)
    for name in (fake_run.SCRIPT, fake_run.QUOTES, fake_run.LONG):
        assert name in shown
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    drawn = [text for root in svgs(page) for text in svg_text(root)]
    assert fake_run.SCRIPT in drawn
    assert any(text.startswith("Loooo") and text.endswith("…") for text in drawn)


def test_withheld_numbers_are_nowhere(hostile_run: Path, tmp_path: Path) -> None:
    """The report of a file that leaks equals that of one that does not, but for the file's digest."""
    honest = render(fake_run.hostile(tmp_path / "honest", leaky=False)).read_text()
    leaky, page = read(hostile_run)
    digest = re.compile(r"sha256 [0-9a-f]{64}")
    assert digest.sub("", leaky) == digest.sub("", honest)
    assert leaky != honest
    assert page.table(f"{fake_run.SCRIPT} on ")[-1] == ["few", *["withheld"] * 7, "suppressed"]
    assert all("few" in svg_text(root) for root in svgs(page)[1:2])


def test_it_calls_nothing_lawful_or_fair(crema_run: Path) -> None:
    shown = "".join(read(crema_run)[1].texts).lower()
    for word in ("complian", "certif", "conformity", "ai act", "unbiased", "fair"):
        assert word not in shown


def test_the_same_run_gives_the_same_bytes(crema_run: Path) -> None:
    first = render(crema_run).read_bytes()
    code = "import sys, pathlib; from bench.report.render import render; render(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(crema_run)], check=True)
    assert (crema_run / "report.html").read_bytes() == first
    assert [p.name for p in crema_run.iterdir() if p.name.startswith(".report")] == []


def test_what_is_no_finished_run_is_refused(tmp_path: Path, crema_run: Path) -> None:
    with pytest.raises(UserError, match=r"there is no readable run\.json"):
        render(tmp_path)
    (tmp_path / "run.json").write_bytes((crema_run / "run.json").read_bytes())
    with pytest.raises(UserError, match="there is no such file"):
        render(tmp_path)
    (tmp_path / "estimates.parquet").write_bytes((crema_run / "estimates.parquet").read_bytes())
    with pytest.raises(UserError, match="3 of 3 cells are unfinished or changed"):
        render(tmp_path)
    shutil.copytree(crema_run / "cells", tmp_path / "cells")
    plan = json.loads((tmp_path / "run.json").read_text())
    del plan["device"]
    (tmp_path / "run.json").write_text(json.dumps(plan))
    with pytest.raises(UserError, match="a field is missing or wrong: 'device'"):
        render(tmp_path)
    assert not (tmp_path / "report.html").exists()
