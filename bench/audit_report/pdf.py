"""The audit report as PDF, through the extra ``pdf``: laid out from its HTML, as a printer would.

Nothing is fetched but what lies inside the page, and no clock enters. Refused where the extra is missing.
"""

from __future__ import annotations

import re
import zlib

from bench.errors import UserError

__all__ = ["as_pdf", "require_pdf", "title_of"]

_LONGEST = 1 << 20  # bytes of a stream that are looked at: the file may be anybody's
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_INFO = re.compile(rb"/Title (?:\((.*?)\)|<feff([0-9a-f]*)>)>>")
"""The title as the last entry of a dictionary, which that of an outline is not."""


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


def title_of(content: bytes) -> str:
    """The title of a PDF that ``as_pdf`` made, empty for any other file; needs no package."""
    for stream in _STREAM.findall(content):
        try:
            found = _INFO.search(zlib.decompressobj().decompress(stream, _LONGEST))
        except zlib.error:  # a stream that is not compressed
            continue
        if found is not None:
            plain, coded = found.groups()
            return (
                plain.decode("latin-1")
                if coded is None
                else bytes.fromhex(coded.decode()).decode("utf-16-be")
            )
    return ""
