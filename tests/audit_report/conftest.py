"""Audit reports of planted runs: read back from HTML, Markdown and JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bench.audit_report.case import Asked, Case, open_case
from bench.audit_report.write import write_audit
from bench.context import read_context
from bench.folder import RunFolder
from bench.policy import read_policy
from bench.report.render import render
from bench.report.rows import EstimateRows, Row
from bench.sides import Side
from bench.tables.estimates import estimates_table
from tests.report.fake_run import hostile
from tests.report.reading import Reader

CONTEXT = """\
sector: retail
deployer: [company]
persons: [customer]
required_by: nobody
in_view: []
inputs: [face]
outputs: [emotion, valence]
purpose: [marketing]
exception:
  claimed: none
profiling: true
placed_on_market: 2026-03-01
member_states: [DE]
population:
  SEX:
    f: 0.6
    m: 0.3
    x: 0.1
  kind:
    rare: 0.5
    usual: 0.5
  faith:
    any: 1.0
operating_conditions:
  light: shop
  camera: none
  distance: 3 m
  language: [de]
"""
SIGNED = "auditor: A. Auditor\nindependence: no stake in the provider\nsignatory: S. Signer\n"
POLICY = """\
policy: shop
rules:
  - metric: accuracy
    at_least: 0.40
  - metric: accuracy
    slice: sex
    at_least: 0.60
  - metric: accuracy
    slice: kind
    at_least: 0.55
"""


HOSTILE_CARD = """\
# A card

````
</blockquote><script>alert(1)</script> [a](http://b.c) \u202egnp.exe
- **Training data**: the data BAMP set
````
"""


@dataclass(frozen=True)
class Read:
    """One report as its three files say it."""

    html: Reader
    markdown: list[Token]
    json: dict[str, Any]
    texts: dict[str, str]


def read_audit(folder: Path) -> Read:
    """The audit report in a run's folder."""
    texts = {end: (folder / f"audit.{end}").read_text(encoding="utf-8") for end in ("html", "md", "json")}
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(texts["md"])
    return Read(Reader(texts["html"]), tokens, json.loads(texts["json"]), texts)


Made = Callable[..., Case]


@pytest.fixture(scope="session")
def audited(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Gather a case of the run ``new``: its context and policy as texts, with words of ``Asked``."""
    folder = tmp_path_factory.mktemp("audited")

    def make(context: str | None = CONTEXT, policy: str | None = None, **words: Any) -> Case:
        return open_case(asked(runs / "new", folder, context, policy, **words))

    return make


def as_rows(rows: Iterable[Row]) -> EstimateRows:
    """Rows of Estimates as results hold them."""
    return EstimateRows(estimates_table([dict(row) for row in rows]))


def asked(run: Path, folder: Path, context: str | None, policy: str | None = None, **words: Any) -> Asked:
    """What ``report`` asks for, from texts that are written into a folder."""
    files: dict[str, Any] = {"context": None, "policy": None}
    if context is not None:
        (folder / "context.yaml").write_text(context)
        files["context"] = read_context(folder / "context.yaml")
    if policy is not None:
        (folder / "policy.yaml").write_text(policy)
        files["policy"] = read_policy(folder / "policy.yaml")
    return Asked(Side("--model", RunFolder(run), words.pop("model", None)), **files, **words)


@pytest.fixture(scope="session")
def written(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run ``new`` with its audit report: a policy, a baseline, and a second opinion."""
    folder = tmp_path_factory.mktemp("written")
    shutil.copytree(runs / "new", folder / "new")
    policy = POLICY + "  - metric: accuracy\n    not_worse_by: 0.02\n"
    old = Side("--baseline-model", RunFolder(runs / "old"))
    write_audit(asked(folder / "new", folder, CONTEXT, policy, baseline=old, recompute=True))
    return folder / "new"


@pytest.fixture(scope="session")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fake run with hostile names, leaking withheld numbers, and its audit report."""
    folder = tmp_path_factory.mktemp("nasty")
    run = hostile(folder / "run")
    render(run)
    RunFolder(run).seal()
    context = CONTEXT.replace("  faith:\n    any: 1.0", "  sex:\n    few: 1.0").replace("  SEX:", "  SEXES:")
    context = context.replace("light: shop", 'light: "<b>|`x`|</b> [a](http://b.c) www.d.e"')
    (folder / "CARD.md").write_text(HOSTILE_CARD, encoding="utf-8")
    model = "<script>alert('x')</script>"
    write_audit(asked(run, folder, context, model=model, card=folder / "CARD.md"))
    return run
