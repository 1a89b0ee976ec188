"""The steps of ``report --context``: read what is declared, find the baseline, write, say where.

Refused before anything is read: words of an audit report where none is asked for, and a date that is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from bench.audit_report.case import Asked
from bench.audit_report.write import write_audit
from bench.cli.gate_command import Recording, find_baseline
from bench.context import read_context
from bench.errors import UserError
from bench.folder import RunFolder
from bench.policy import read_policy
from bench.sides import Side

__all__ = ["Form", "Words", "report_audit", "require_audit"]


@dataclass(frozen=True)
class Words:
    """What is reported on, and beside what."""

    run: Path
    context: Path | None
    policy: Path | None
    model: str | None
    baseline: str | None
    baseline_model: str | None
    card: Path | None
    tracking_uri: str | None


@dataclass(frozen=True)
class Form:
    """As what it is reported."""

    date: str | None
    final: bool
    recompute: bool
    pdf: bool


def require_audit(words: Words, form: Form) -> None:
    """UserError for a word that is of an audit report alone, where none is asked for."""
    given = {
        "--policy": words.policy, "--model": words.model, "--baseline": words.baseline,
        "--baseline-model": words.baseline_model, "--card": words.card,
        "--tracking-uri": words.tracking_uri, "--date": form.date,
        "--final": form.final, "--recompute": form.recompute, "--pdf": form.pdf,
    }  # fmt: skip
    for name in (name for name, value in given.items() if value):
        raise UserError(
            name, "it is of the audit report, which is not asked for", f"{name} with --context or --audit",
            "Add --context FILE, or --audit where no context is declared",
        )  # fmt: skip


def report_audit(words: Words, form: Form) -> list[Path]:
    """Write the audit report of a finished run and return its files."""
    context = None if words.context is None else read_context(words.context)
    policy = None if words.policy is None else read_policy(words.policy)
    system = Side("--model", RunFolder(words.run), words.model)
    dated = _read_date(form.date)
    with TemporaryDirectory(prefix="affectbench-") as folder:
        recording = Recording(words.tracking_uri, record=False, version=None, alias=None)
        old = find_baseline(words.baseline, words.baseline_model, recording, system, Path(folder))
        asked = Asked(system, context, policy, old, dated, form.final, form.recompute, words.card)
        return write_audit(asked, pdf=form.pdf, warn=lambda text: typer.echo(f"warning: {text}", err=True))


def _read_date(text: str | None) -> str | None:
    """The date as given; UserError unless it is one."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UserError(
            "--date", f"{text!r} is no date", "A date as 2026-11-22", "Correct it, or leave it out"
        ) from None
