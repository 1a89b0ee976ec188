"""Draft and final: what nobody answers for is a draft, and says so everywhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.audit_report.sections import audit_page
from bench.audit_report.write import write_audit
from bench.errors import UserError
from tests.audit_report.conftest import CONTEXT, SIGNED, Made, asked, read_audit

DATED = {"final": True, "date": "2026-11-22"}


def test_a_signed_report_is_final(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "new", tmp_path / "new")
    write_audit(asked(tmp_path / "new", tmp_path, CONTEXT + SIGNED, **DATED))
    read = read_audit(tmp_path / "new")
    assert read.json["draft"] is False
    assert read.json["title"] == "Audit report: new"
    facts = {fact["term"]: fact["text"] for fact in read.json["sections"][0]["facts"]}
    assert facts["Auditor"] == "A. Auditor"
    assert facts["Independence"] == "no stake in the provider"
    assert facts["Signatory"] == "S. Signer"
    assert facts["Date of this report"] == "2026-11-22"
    assert not any("DRAFT" in text for text in (read.texts["md"], read.texts["json"]))
    assert 'class="audit"' in read.texts["html"]


def test_a_draft_says_so_in_title_banner_and_print(written: Path) -> None:
    read = read_audit(written)
    assert read.json["draft"] is True
    assert read.json["title"].startswith("DRAFT: ")
    assert read.json["banners"][0].startswith("DRAFT.")
    html = read.texts["html"]
    assert re.search(r"<title>DRAFT: ", html)
    assert '<body class="audit draft">' in html
    assert re.search(r"@page draft \{ @top-center \{ content: \"DRAFT", html)
    assert read.texts["md"].startswith("# DRAFT: ")


@pytest.mark.parametrize("name", ["auditor", "independence", "signatory"])
def test_a_final_report_without_a_signature_is_refused(name: str, audited: Made) -> None:
    lines = "".join(line for line in SIGNED.splitlines(keepends=True) if not line.startswith(name))
    with pytest.raises(
        UserError, match=rf"context\.yaml: '{name}' is not given\. A final report names auditor"
    ):
        audited(CONTEXT + lines, **DATED)
    blank = re.sub(rf"(?m)^{name}: .*$", f'{name}: " "', SIGNED)
    number = (CONTEXT + blank).splitlines().index(f'{name}: " "') + 1
    with pytest.raises(UserError, match=rf"context\.yaml:{number}: '{name}' is not given"):
        audited(CONTEXT + blank, **DATED)
    nobody = re.sub(rf"(?m)^{name}: .*$", f"{name}: Unknown", SIGNED)
    with pytest.raises(UserError, match=rf"context\.yaml:{number}: '{name}' is not given"):
        audited(CONTEXT + nobody, **DATED)


def test_a_final_report_without_a_posture_is_refused(audited: Made) -> None:
    unknown = CONTEXT.replace("outputs: [emotion, valence]", "outputs: [unknown]") + SIGNED
    with pytest.raises(UserError, match=r"context\.yaml:7: no posture can be given: 'outputs' is unknown"):
        audited(unknown, **DATED)


def test_a_final_report_without_context_or_date_is_refused(audited: Made) -> None:
    with pytest.raises(UserError, match=r"--final: no context is declared\. .* Add --context FILE"):
        audited(None, **DATED)
    with pytest.raises(UserError, match=r"--final: the report has no date\. .* Add --date"):
        audited(CONTEXT + SIGNED, final=True)


def test_a_prohibited_use_may_be_signed(audited: Made) -> None:
    """A final report of a use that would be prohibited is what an auditor may have to write."""
    prohibited = CONTEXT.replace("persons: [customer]", "persons: [worker]").replace(
        "[company]", "[employer]"
    )
    page = audit_page(audited(prohibited + SIGNED, **DATED))
    assert page.cards[0].title == "The declared use would be prohibited"
    assert not page.draft


def test_no_pdf_of_an_earlier_report_stays_beside_a_new_one(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "new", tmp_path / "new")
    write_audit(asked(tmp_path / "new", tmp_path, CONTEXT), pdf=True)
    assert (tmp_path / "new" / "audit.pdf").is_file()
    write_audit(asked(tmp_path / "new", tmp_path, None))
    assert sorted(path.name for path in (tmp_path / "new").glob("audit.*")) == [
        f"audit.{end}" for end in ("html", "json", "md")
    ]


def test_a_run_changed_since_is_refused(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "new", tmp_path / "new")
    shutil.copy(runs / "old" / "estimates.parquet", tmp_path / "new" / "estimates.parquet")
    with pytest.raises(UserError, match=r"were changed\. What was judged, as it was written"):
        write_audit(asked(tmp_path / "new", tmp_path, CONTEXT))
    assert not list((tmp_path / "new").glob("audit.*"))


def test_the_same_input_gives_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        shutil.copytree(runs / "new", tmp_path / name / "run")
        write_audit(asked(tmp_path / name / "run", tmp_path, CONTEXT))
        texts.append(read_audit(tmp_path / name / "run").texts)
    assert texts[0] == texts[1]
    assert str(tmp_path) not in "".join(texts[0].values())


def files_of(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.glob("audit.*")}


@pytest.mark.parametrize(
    "again",
    [{"date": "2026-11-22"}, {**DATED, "date": "2026-11-23"}, {}],
    ids=["draft", "other date", "plain draft"],
)
def test_a_final_report_is_not_replaced_by_another(runs: Path, tmp_path: Path, again: dict[str, Any]) -> None:
    run = tmp_path / "new"
    shutil.copytree(runs / "new", run)
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED))  # a draft first, which a final one may replace
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **DATED))
    (run / "audit.pdf").write_bytes(b"%PDF-1.7 of the final report")
    before = files_of(run)
    with pytest.raises(UserError) as refused:
        write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **again))
    assert str(refused.value) == (
        f"{run / 'audit.html'}: it is of a report that is no draft, and the one asked for differs. Only a draft is "
        "replaced. Move the files audit.* to another place first."
    )
    assert files_of(run) == before
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **DATED))  # the same again is no other
    assert files_of(run) == before
    for path in run.glob("audit.*"):
        path.rename(tmp_path / path.name)
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **again))
    assert set(files_of(run)) == {"audit.html", "audit.md", "audit.json"}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"draft": null}'])
def test_what_may_be_a_final_report_is_not_replaced(runs: Path, tmp_path: Path, content: str) -> None:
    run = tmp_path / "new"
    shutil.copytree(runs / "new", run)
    (run / "audit.json").write_text(content)
    with pytest.raises(UserError, match=r"audit\.json: it is of a report that is no draft"):
        write_audit(asked(run, tmp_path, CONTEXT))
    assert files_of(run) == {"audit.json": content.encode()}


def test_any_file_of_a_final_report_keeps_a_draft_away(runs: Path, tmp_path: Path) -> None:
    run = tmp_path / "new"
    shutil.copytree(runs / "new", run)
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **DATED))
    whole = files_of(run)
    for kept in whole:
        for path in run.glob("audit.*"):
            path.unlink()
        (run / kept).write_bytes(whole[kept])
        with pytest.raises(UserError, match=rf"{kept}: it is of a report that is no draft"):
            write_audit(asked(run, tmp_path, CONTEXT + SIGNED))
        assert files_of(run) == {kept: whole[kept]}
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **DATED))  # the rest of the same report may be made
    assert files_of(run) == whole


def test_a_final_page_beside_the_files_of_a_draft_stays(runs: Path, tmp_path: Path) -> None:
    run = tmp_path / "new"
    shutil.copytree(runs / "new", run)
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **DATED))
    page = (run / "audit.html").read_bytes()
    for path in run.glob("audit.*"):
        path.unlink()
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED))
    (run / "audit.html").write_bytes(page)
    before = files_of(run)
    with pytest.raises(UserError, match=r"audit\.html: it is of a report that is no draft"):
        write_audit(asked(run, tmp_path, CONTEXT))
    assert files_of(run) == before


def test_a_pdf_is_of_what_stands_beside_it_and_alone_may_be_final(runs: Path, tmp_path: Path) -> None:
    run = tmp_path / "new"
    shutil.copytree(runs / "new", run)
    (run / "audit.pdf").write_bytes(b"%PDF-1.7")
    with pytest.raises(UserError, match=r"audit\.pdf: it is of a report that is no draft"):
        write_audit(asked(run, tmp_path, None))
    assert files_of(run) == {"audit.pdf": b"%PDF-1.7"}
    (run / "audit.pdf").unlink()
    write_audit(asked(run, tmp_path, None))
    (run / "audit.pdf").write_bytes(b"%PDF-1.7")
    write_audit(asked(run, tmp_path, None))  # of a draft, whose PDF goes with it
    assert set(files_of(run)) == {"audit.html", "audit.md", "audit.json"}


def test_a_pdf_beside_any_file_of_a_final_report_is_not_replaced(runs: Path, tmp_path: Path) -> None:
    pytest.importorskip("weasyprint", reason="the extra pdf is not installed")
    run = tmp_path / "new"
    shutil.copytree(runs / "new", run)
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **DATED))
    final = (run / "audit.md").read_bytes()
    for path in run.glob("audit.*"):
        path.unlink()
    write_audit(asked(run, tmp_path, CONTEXT + SIGNED))
    (run / "audit.md").write_bytes(final)
    (run / "audit.pdf").write_bytes(b"%PDF-1.7")
    before = files_of(run)
    with pytest.raises(UserError, match=r"audit\.pdf: it is of a report that is no draft"):
        write_audit(asked(run, tmp_path, CONTEXT + SIGNED, **DATED), pdf=True)
    assert files_of(run) == before
