"""Write the audit report: one tree as HTML, Markdown and JSON, and as PDF where that is asked for.

Everything is made before the first file is written, so that a refusal touches nothing.
"""

from __future__ import annotations

from pathlib import Path

from bench.audit_report.case import Asked, open_case
from bench.audit_report.pdf import as_pdf, require_pdf
from bench.audit_report.sections import about, audit_page
from bench.folder import write_file
from bench.report.page_json import as_json
from bench.report.page_markdown import as_markdown
from bench.report.render import as_html

__all__ = ["SCHEMA", "write_audit"]

SCHEMA = "affectbench-audit/1"


def write_audit(asked: Asked, *, pdf: bool = False) -> list[Path]:
    """Write RUN/audit.html, .md, .json and with ``pdf`` .pdf, and return their paths; an older PDF goes.

    UserError for what ``open_case`` refuses, and for a PDF where the package for it is not installed.
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
    if not pdf:  # an earlier one would stand beside a report that it is not of
        (folder / "audit.pdf").unlink(missing_ok=True)
    for end, content in files.items():
        path = folder / f"audit.{end}"
        write_file(path, content)
        written.append(path)
    return written
