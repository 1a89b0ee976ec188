"""What ``gate`` prints: every verdict as a sentence, the rule's line beside it; the last line counts."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from bench.errors import UserError
from bench.gate.sentences import asked, sentence
from bench.report import format as fmt
from bench.report.console import standard_output

if TYPE_CHECKING:
    from bench.gate.ground import Held
    from bench.gate.hold import Gate
    from bench.policy import Rule
    from bench.track.verdict import Recorded

__all__ = ["EXIT", "as_json", "print_gate", "read_inconclusive"]

EXIT = {"pass": 0, "fail": 1, "inconclusive": 3}
"""The exit code of each verdict."""
_SHOWN = 8
_STYLE = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_ROW = (
    "dataset", "condition", "severity", "where", "slice", "value", "reference", "metric", "kind", "estimate",
    "low", "high", "level", "n", "clusters", "cluster_unit", "status", "warning", "unit", "stage", "hardware",
)  # fmt: skip


def read_inconclusive(text: str | None) -> int:
    """The exit code of an inconclusive verdict; every output still says that it is one."""
    if text in (None, "pass", "fail"):
        return EXIT[text or "inconclusive"]
    raise UserError(
        "--inconclusive", f"{text!r} is no verdict", "pass or fail", "Choose one, or leave it out for exit 3"
    )


def print_gate(found: Gate, recorded: Recorded | None = None) -> None:
    """Print every verdict as a sentence under its rule, and the verdict of all as the last line.

    Before it stands what was recorded in MLflow, where that was asked for.
    """
    console = standard_output()
    against = f", against {found.baseline}" if found.baseline else ""
    title = f"{found.policy.policy.policy}: {found.model} of {found.run.path}{against}"
    console.print(_said(fmt.plain(title)), markup=False)
    for note in found.notes:
        console.print(_said(fmt.plain(f"Note: {note}.")), markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("Line", "Verdict", "Rule and numbers"):
        table.add_column(name, overflow="fold")
    for number, rule in enumerate(found.policy.policy.rules):
        verdict = found.verdict_of(number)
        style = _STYLE[verdict]
        table.add_row(str(found.policy.line(number)), Text(verdict, style), Text(_said(asked(rule))))
        for text in _lines(found, number):
            table.add_row("", "", Text(_said(f"  {text}")))
    console.print(table)
    if recorded is not None:
        if recorded.place.release is not None and not recorded.place.shown:
            text = f"Note: nothing but --version says that the run is of {recorded.place.release.uri}."
            console.print(_said(fmt.plain(text)), markup=False)
        console.print(_said(fmt.plain(_told(found, recorded))), markup=False)
    console.print(f"Verdict: {found.verdict}", markup=False)


def _said(text: str) -> str:
    """Text that the runner of a job of GitHub takes for no command, wherever a line of it is broken."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return text
    return text.replace("::", ": :").replace("##[", "## [")


def _told(found: Gate, recorded: Recorded) -> str:
    """What was recorded where, and whether the alias moved."""
    release = recorded.place.release
    names = f"run {recorded.place.run}" + (f" and {release.uri}" if release else "")
    text = f"MLflow: {'could not be recorded' if recorded.problem else 'recorded'} on {names}"
    if release is not None and release.alias is not None:
        why = f", for the verdict is {found.verdict}" if found.verdict != "pass" else ""
        moved = f"moved to version {release.version}" if recorded.moved else f"not moved{why}"
        text += f"; alias {release.alias} {moved}"
    return text


def _lines(found: Gate, number: int) -> list[str]:
    """The sentences of a rule; of many, those that do not pass, and how many do."""
    rule, every = found.policy.policy.rules[number], found.of(number)
    shown = [held for held in every if held.verdict != "pass" or len(every) <= _SHOWN]
    lines = [sentence(rule, held) for held in shown]
    return lines + ([f"and {len(every) - len(shown)} more pass"] if len(shown) < len(every) else [])


def as_json(found: Gate, recorded: Recorded | None = None) -> str:
    """One JSON object with every rule, every number and every verdict; what is withheld is null."""
    rules = found.policy.policy.rules
    content = {
        "policy": found.policy.policy.policy,
        "run": str(found.run.path),
        "model": found.model,
        "baseline": found.baseline,
        "verdict": found.verdict,
        "locked": found.locked,
        "notes": list(found.notes),
        "recorded": None if recorded is None else _recorded(recorded),
        "rules": [
            {
                "rule": asked(rule),
                "line": found.policy.line(number),
                "verdict": found.verdict_of(number),
                "numbers": [_record(rule, held) for held in found.of(number)],
            }
            for number, rule in enumerate(rules)
        ],
    }
    # The same value, in which a runner finds no command.
    return json.dumps(content, indent=2, allow_nan=False).replace("##[", "##\\u005b")


def _recorded(recorded: Recorded) -> dict[str, Any]:
    release = recorded.place.release
    return {
        "run": recorded.place.run,
        "version": release.uri if release else None,
        "alias": release.alias if release else None,
        "shown": recorded.place.shown if release else None,
        "moved": recorded.moved,
        "problem": str(recorded.problem) if recorded.problem else None,
    }


def _record(rule: Rule, held: Held) -> dict[str, Any]:
    row = {name: _plain(held.row.get(name)) for name in _ROW}
    about = {"verdict": held.verdict, "why": held.why, "settle": held.settle, "exempt": held.exempt}
    return {**row, **about, "sentence": sentence(rule, held)}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
