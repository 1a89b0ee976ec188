"""The PDF of the audit report, where the extra for it is installed."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.audit_report import write
from bench.audit_report.pdf import as_pdf
from bench.audit_report.sections import audit_page
from bench.audit_report.write import write_audit
from bench.errors import UserError
from bench.report.render import as_html
from tests.audit_report.conftest import CONTEXT, POLICY, Made, asked
from tests.report.fake_run import SCRIPT


def test_without_the_package_it_says_what_to_install(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    shutil.copytree(runs / "new", tmp_path / "new")
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(UserError, match=r"--pdf: .* pip install 'affectbench\[pdf\]'"):
        write_audit(asked(tmp_path / "new", tmp_path, CONTEXT), pdf=True)
    assert not list((tmp_path / "new").glob("audit.*"))


def test_it_prints(audited: Made) -> None:
    """Pages as weasyprint lays them out: all text within the paper, the draft on top of every page."""
    weasyprint = pytest.importorskip("weasyprint", reason="the extra pdf is not installed")
    page = audit_page(audited(policy=POLICY))
    wide = replace(page, sections=tuple(page.sections[n] for n in (0, 2, 7, 15)))
    html = as_html(wide, "audit.html.j2", ("report.css", "audit.css"))
    found = weasyprint.HTML(string=html, media_type="print").render()
    assert len(found.pages) > 1
    texts = []
    for page in found.pages:
        box = page._page_box
        drawn = [
            b for b in box.descendants() if getattr(b, "text", None) and isinstance(b.position_x, int | float)
        ]
        said = " ".join(b.text for b in drawn)
        assert "DRAFT, not signed" in said
        texts.append(said)
        assert all(b.position_x + b.width <= box.margin_width() for b in drawn)
    whole = " ".join(texts)
    assert "What fails" in whole
    assert "15 Findings register" in whole


def test_the_file_has_its_pages_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", reason="the extra pdf is not installed")
    (tmp_path / "secret.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
    page = "<html><body>{}<p>one</p><p style='break-before: page'>two</p></body></html>"
    plain = as_pdf(page.format(""))
    assert plain.startswith(b"%PDF-")
    assert plain == as_pdf(page.format(""))
    linked = f"<img src='{(tmp_path / 'secret.svg').as_uri()}'>"
    assert b"/XObject" not in as_pdf(page.format(linked)).replace(b"/XObject << >>", b"")


def test_the_command_writes_it(nasty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that is laid out is that of audit.html; laying it out is tested above."""
    shutil.copytree(nasty, tmp_path / "run")
    seen: list[str] = []
    monkeypatch.setattr(write, "as_pdf", lambda html: seen.append(html) or b"%PDF-1.7 planted")
    words = asked(tmp_path / "run", tmp_path, CONTEXT, model=SCRIPT)
    assert [path.name for path in write_audit(words, pdf=True)][-1] == "audit.pdf"
    assert (tmp_path / "run" / "audit.pdf").read_bytes() == b"%PDF-1.7 planted"
    assert seen == [(tmp_path / "run" / "audit.html").read_text(encoding="utf-8")]
