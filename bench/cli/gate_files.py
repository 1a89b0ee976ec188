"""A gate's verdicts for machines and merge requests: JUnit XML, Markdown, annotations of lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bench.folder import save
from bench.gate.sentences import asked, one_line, sentence

if TYPE_CHECKING:
    from bench.gate.hold import Gate

__all__ = ["as_annotations", "as_junit", "as_markdown", "publish"]

_LEVEL = {"fail": "error", "inconclusive": "warning"}
_TAGS = ("failure", "error", "skipped")
_MARK = {"pass": "pass", "fail": "**fail**", "inconclusive": "*inconclusive*"}


def publish(found: Gate, junit: Path | None, summary: Path | None) -> None:
    """Write the files that are asked for; in a job of GitHub its step summary and annotations too.

    UserError for a place that cannot be written.
    """
    if junit is not None:
        save(junit, as_junit(found))
    step = os.environ.get("GITHUB_STEP_SUMMARY")
    places = [summary, Path(step) if step else None]
    for path in dict.fromkeys(place.resolve() for place in places if place is not None):
        save(path, as_markdown(found), "add")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        print(*as_annotations(found), sep="\n", file=sys.stderr)


def as_junit(found: Gate) -> str:
    """JUnit XML: a test case for each number; a failure where it fails, an error where it is inconclusive.

    Both make a build red, which is what the exit codes 1 and 3 do; the message says which it is. What is
    exempt is skipped, with the reason; a rule of which that leaves nothing has an error of its own.
    """
    policy = found.policy.policy
    cases = [case for number in range(len(policy.rules)) for case in _cases(found, number)]
    count = {tag: str(sum(case.find(tag) is not None for case in cases)) for tag in _TAGS}
    suite = ET.Element(
        "testsuite", name=one_line(f"{policy.policy}: {found.model}"), tests=str(len(cases)),
        failures=count["failure"], errors=count["error"], skipped=count["skipped"],
    )  # fmt: skip
    properties = ET.SubElement(suite, "properties")
    about = {"verdict": found.verdict, "model": found.model, "baseline": found.baseline or "none"}
    for name, value in about.items():
        ET.SubElement(properties, "property", name=name, value=one_line(value))
    suite.extend(cases)
    tree = ET.Element("testsuites")
    tree.append(suite)
    ET.indent(tree)
    return ET.tostring(tree, encoding="unicode", xml_declaration=True) + "\n"


def _cases(found: Gate, number: int) -> Iterator[ET.Element]:
    """The test cases of one rule."""
    rule, path = found.policy.policy.rules[number], str(found.policy.document.path)
    about = {
        "classname": f"{found.policy.policy.policy}.{asked(rule)}",
        "file": one_line(path), "line": str(found.policy.line(number)),
    }  # fmt: skip
    verdicts = set()
    for held in found.of(number):
        text = sentence(rule, held)
        case = ET.Element("testcase", {**about, "name": text})
        if held.exempt is not None:
            ET.SubElement(case, "skipped", message=one_line(held.exempt))
        elif held.verdict != "pass":
            tag = "failure" if held.verdict == "fail" else "error"
            ET.SubElement(case, tag, message=text, type=held.verdict)
        if held.exempt is None:
            verdicts.add(held.verdict)
        yield case
    if not verdicts:
        text = f"{asked(rule)}: inconclusive, for nothing is left to decide it by"
        case = ET.Element("testcase", {**about, "name": text})
        ET.SubElement(case, "error", message=text, type="inconclusive")
        yield case


def as_markdown(found: Gate) -> str:
    """A page for a step summary or a merge request: the verdict, and a table of rules and numbers."""
    policy = found.policy.policy
    against = f" against {_cell(found.baseline)}" if found.baseline else ""
    lines = [f"## {_cell(policy.policy)}: {_MARK[found.verdict]}", "", f"{_cell(found.model)}{against}", ""]
    lines += [f"- Note: {_cell(note)}." for note in found.notes] + ([""] if found.notes else [])
    lines += ["| Line | Rule | Verdict | Numbers |", "|---|---|---|---|"]
    for number, rule in enumerate(policy.rules):
        numbers = "<br>".join(_cell(sentence(rule, held)) for held in found.of(number))
        verdict = _MARK[found.verdict_of(number)]
        lines.append(f"| {found.policy.line(number)} | {_cell(asked(rule))} | {verdict} | {numbers} |")
    return "\n".join(lines) + "\n"


def as_annotations(found: Gate) -> list[str]:
    """Workflow commands of GitHub that mark the line of every rule that does not pass."""
    lines = []
    for number, rule in enumerate(found.policy.policy.rules):
        for held in found.of(number):
            if held.exempt is None and held.verdict != "pass":
                path = _property(str(found.policy.document.path))
                place = f"file={path},line={found.policy.line(number)},title={_property(asked(rule))}"
                lines.append(f"::{_LEVEL[held.verdict]} {place}::{_data(sentence(rule, held))}")
    return lines


def _cell(text: str) -> str:
    """Text as a cell of a table: nothing in it is markup."""
    for mark in "\\`*_{}[]<>|#":
        text = text.replace(mark, f"\\{mark}" if mark not in "<>" else {"<": "&lt;", ">": "&gt;"}[mark])
    return one_line(text)


def _data(text: str) -> str:
    return one_line(text).replace("##[", "## [").replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
