"""Write the report of a run as one HTML file that needs nothing else.

No network, no script, no clock: a content security policy allows the inlined style by its digest and
images from the page itself, nothing more. Names and labels are untrusted and always escaped; figures are
images, so nothing in them can act. The same run folder gives the same bytes. It shows no faces and no rows.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from bench.report import format as fmt
from bench.report.page import page
from bench.report.results import read_results
from bench.shipped import shipped

__all__ = ["breakable", "environment", "render"]


def render(run: Path) -> Path:
    """Write RUN/report.html and return its path; UserError where the folder holds no finished run."""
    style = (shipped("reports") / "static" / "report.css").read_text(encoding="utf-8")
    html = (
        environment()
        .get_template("report.html.j2")
        .render(
            page=page(read_results(run)),
            # The digest covers the characters between the tags, so they must enter the page as they are.
            style=Markup(style),  # noqa: S704 - our own file
            style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        )
    )
    path = run / "report.html"
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(html, encoding="utf-8", newline="\n")
    partial.replace(path)
    return path


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
    return made


def _visible(value: Any) -> Any:
    """Show invisible characters of untrusted text; markup of our own passes."""
    return fmt.plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def breakable(text: str) -> Markup:
    """Text, escaped, that may break after a comma, @ or & of a name."""
    parts = re.split(r"(?<=[,@&])(?=\S)", fmt.plain(text))
    return Markup("<wbr>").join(escape(part) for part in parts)


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
