"""The audit report as PDF, through the extra ``pdf``: laid out from its HTML, as a printer would.

Nothing is fetched but what lies inside the page, and no clock enters. Refused where the extra is missing.
"""

from __future__ import annotations

from bench.errors import UserError

__all__ = ["as_pdf", "require_pdf"]


def require_pdf() -> None:
    """UserError where the package that lays out PDF cannot be imported."""
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):  # OSError: its native libraries are missing
        raise UserError(
            "--pdf", "the package that writes PDF is not installed", "The extra 'pdf' of affectbench",
            "Install it with pip install 'affectbench[pdf]', or print audit.html",
        ) from None  # fmt: skip


def as_pdf(html: str) -> bytes:
    """A page as PDF; the same page gives the same bytes."""
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    inside = URLFetcher(allowed_protocols=("data",))
    page = HTML(string=html, url_fetcher=inside, media_type="print")
    made: bytes = page.write_pdf(pdf_identifier=b"affectbench")
    return made
