"""Write a page as one HTML file that needs nothing else; of a run, its report.

No network, no script, no clock: a content security policy allows the inlined style by its digest and
images from the page itself, nothing more. Names and labels are untrusted and always escaped; figures are
images, so nothing in them can act. The same run folder gives the same bytes. It shows no faces and no rows.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from bench.folder import write_file
from bench.report import format as fmt
from bench.report.page import page
from bench.report.parts import ANSWERS, Page
from bench.report.results import read_results
from bench.shipped import shipped

__all__ = ["as_html", "breakable", "environment", "render"]

_COUNTED = rf"(?<=\d) (?=(?:rows?|{'|'.join(f'{one}s?' for one in ('cluster', *fmt.CLUSTERS))})\b)"


def render(run: Path) -> Path:
    """Write RUN/report.html and return its path; UserError where the folder holds no finished run."""
    path = run / "report.html"
    write_file(path, as_html(page(read_results(run)), "report.html.j2", ("report.css",)))
    return path


def as_html(content: Page, template: str, styles: Sequence[str]) -> str:
    """A page in one of the templates, with these style sheets inlined; everything in it is escaped."""
    folder = shipped("reports") / "static"
    style = "".join((folder / name).read_text(encoding="utf-8") for name in styles)
    made = environment()
    made.globals["answers"] = ANSWERS
    return made.get_template(template).render(
        page=content,
        # The digest covers the characters between the tags, so they must enter the page as they are.
        style=Markup(style),  # noqa: S704 - our own file
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def environment() -> jinja2.Environment:
    """Where templates are rendered: everything escaped, what is undefined refused, nothing invisible."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(shipped("reports") / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["data_uri"] = _data_uri
    made.filters["breakable"] = breakable
    made.filters["bound"] = _bound
    return made


def _visible(value: Any) -> Any:
    """Show invisible characters of untrusted text; markup of our own passes."""
    return fmt.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def breakable(text: str) -> Markup:
    """Text, escaped, that may break after a comma, @ or & of a name."""
    parts = re.split(r"(?<=[,@&])(?=\S)", fmt.plain(text))
    return Markup("<wbr>").join(escape(part) for part in parts)


def _bound(text: str) -> str:
    """Text in which no line breaks between a count and its unit.

    >>> _bound("sex m (60 persons)") == "sex m (60\N{NO-BREAK SPACE}persons)"
    True
    """
    return re.sub(_COUNTED, "\N{NO-BREAK SPACE}", text)


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
