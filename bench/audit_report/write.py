"""Write the audit report: one tree as HTML, Markdown and JSON, and as PDF where that is asked for.

Everything is made before the first file is written, so that a refusal touches nothing. A draft may be
replaced; a final report, which somebody signed, never is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.audit_report.case import Asked, open_case
from bench.audit_report.pdf import as_pdf, require_pdf
from bench.audit_report.register import findings, stray_answers
from bench.audit_report.sections import about, audit_page
from bench.errors import UserError, listed
from bench.folder import write_file
from bench.report.page_json import as_json
from bench.report.page_markdown import as_markdown
from bench.report.render import as_html

__all__ = ["SCHEMA", "write_audit"]

SCHEMA = "affectbench-audit/1"


def write_audit(asked: Asked, *, pdf: bool = False, warn: Callable[[str], None] | None = None) -> list[Path]:
    """Write RUN/audit.html, .md, .json and with ``pdf`` .pdf, and return their paths; a draft's PDF goes.

    UserError for what ``open_case`` refuses, for a PDF where the package for it is not installed, and where a
    final report, or one file of it, is there that would not stay as it is. ``warn`` is told the answers of
    the context that are to no finding.
    """
    if pdf:
        require_pdf()
    case = open_case(asked)
    page = audit_page(case)
    html = as_html(page, "audit.html.j2", ("report.css", "audit.css"))
    files: dict[str, str | bytes] = {
        "html": html, "md": as_markdown(page), "json": as_json(page, SCHEMA, about(case)),
    }  # fmt: skip
    if pdf:
        files["pdf"] = as_pdf(html)
    folder, written = asked.system.run.path, []
    if final := _may_be_final(folder):
        _require_same(folder, final, files)
    elif not pdf:  # an earlier one would stand beside a report that it is not of
        (folder / "audit.pdf").unlink(missing_ok=True)
    for end, content in files.items():
        path = folder / f"audit.{end}"
        write_file(path, content)
        written.append(path)
    if warn is not None and (stray := stray_answers(case, findings(case))):
        warn(f"the context answers {listed(stray)}: no finding of this report has such an id (section 15)")
    return written


def _may_be_final(folder: Path) -> list[str]:
    """The endings of the files there that may be of a final report: all that do not say they are of a draft.

    A PDF is not read: it is of what stands beside it, and alone it may be final.
    """
    drafts = {
        end: says_draft(path.read_bytes())
        for end, says_draft in _SAYS_DRAFT.items()
        if (path := folder / f"audit.{end}").is_file()
    }
    if (folder / "audit.pdf").is_file():
        drafts["pdf"] = bool(drafts) and all(drafts.values())
    return [end for end, draft in drafts.items() if not draft]


def _json_of_draft(content: bytes) -> bool:
    try:
        return json.loads(content)["draft"] is True
    except (ValueError, KeyError, TypeError):
        return False


# Each file says in its own way what it is, since any of them may be the only one that was kept.
_SAYS_DRAFT: dict[str, Callable[[bytes], bool]] = {
    "html": lambda content: b'<body class="audit draft">' in content,
    "md": lambda content: content.startswith(b"# DRAFT: "),
    "json": _json_of_draft,
}


def _require_same(folder: Path, final: Sequence[str], files: Mapping[str, str | bytes]) -> None:
    """UserError for a file of a final report that holds anything else, or if none is made to compare with."""
    made = {end: files[end] for end in final if end in files}
    for end, content in made.items() or {final[0]: b""}.items():
        path = folder / f"audit.{end}"
        if path.read_bytes() != (content.encode("utf-8") if isinstance(content, str) else content):
            raise UserError(
                str(path), "it is of a report that is no draft, and the one asked for differs",
                "Only a draft is replaced", "Move the files audit.* to another place first",
            )  # fmt: skip
