"""The findings register: ids that stay, severities by their rule, answers from the context, second opinion."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench.audit_report.case import open_case
from bench.audit_report.register import findings, register
from bench.folder import RunFolder
from tests.audit_report.conftest import CONTEXT, POLICY, Made, as_rows, asked, read_audit


def test_a_row_for_every_failed_and_undecided_number_and_every_untested_thing(audited: Made) -> None:
    case = audited(policy=POLICY)
    assert case.gate is not None
    verdicts = [held.verdict for n in range(3) for held in case.gate.of(n)]
    assert sorted(verdicts) == ["fail", "inconclusive", "pass", "pass", "pass"]
    severities = [one.severity for one in findings(case)]
    assert severities == ["high", *["medium"] * (1 + 6), "low"]
    assert findings(case)[-1].says.startswith("kind: rare (50 %")


def test_ids_are_of_a_form_and_each_once(audited: Made) -> None:
    twice = POLICY + "  - metric: accuracy\n    slice: sex\n    at_least: 0.60\n"
    names = [one.id for one in findings(audited(policy=twice))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("F-[0-9a-f]{8}", name) for name in names)


def test_ids_rest_on_no_number(audited: Made) -> None:
    case = audited(policy=POLICY)
    rows = as_rows({**row, "estimate": (row["estimate"] or 0) / 2} for row in case.results.rows)
    moved = replace(case, results=replace(case.results, rows=rows))
    assert {one.id for one in findings(moved)} == {one.id for one in findings(case)}
    commented = POLICY.replace("policy: shop", "# a line more\npolicy: shop")
    assert [one.id for one in findings(audited(policy=commented))] == [one.id for one in findings(case)]


def test_every_finding_names_its_evidence(audited: Made) -> None:
    case = audited(policy=POLICY)
    by = {one.severity: one for one in reversed(findings(case))}
    assert (
        by["high"].evidence
        == "policy.yaml:5; estimates.parquet, kind value: accuracy (WAR) of sex m on T, clean"
    )
    assert case.context is not None
    assert by["low"].evidence == f"context.yaml, group; sha256 {case.context.digest[:12]}"


def test_the_provider_answers_in_the_context(audited: Made) -> None:
    first = findings(audited(policy=POLICY))[0]
    answered = f"{CONTEXT}findings:\n  {first.id}:\n    mitigation: retrain on men\n    owner: B. Owner\n"
    answered += "  F-00000000:\n    mitigation: none\n"
    part = register(audited(answered, POLICY)).parts[0]
    line = part.tables[0].groups[0].lines[0]
    assert line.head == first.id
    assert [e.text for e in line.entries[3:]] == [
        "retrain on men",
        "B. Owner",
        "to be filled by the provider",
    ]
    assert [e.text for e in part.tables[0].groups[0].lines[1].entries[3:]] == [
        "to be filled by the provider"
    ] * 3
    assert part.text[-1] == "Answered in the context, and no finding of this report: F-00000000."


def test_the_rule_of_severity_is_printed(audited: Made) -> None:
    text = register(audited()).parts[0].text[0]
    assert all(word in text for word in ("High:", "Medium:", "Low:"))


def test_a_number_that_cannot_be_made_again_is_a_finding(runs: Path, tmp_path: Path) -> None:
    """One estimate is moved by .1 and sealed again: the second opinion alone can tell."""
    shutil.copytree(runs / "new", tmp_path / "new")
    run = RunFolder(tmp_path / "new")
    table = pq.read_table(run.estimates)
    rows = table.to_pylist()
    place = next(
        n for n, r in enumerate(rows)
        if (r["kind"], r["metric"], r["slice"], r["value"]) == ("value", "accuracy", "sex", "m")
    )  # fmt: skip
    rows[place]["estimate"] += 0.1
    pq.write_table(pa.Table.from_pylist(rows, table.schema), run.estimates)
    run.seal()
    case = open_case(asked(run.path, tmp_path, CONTEXT, recompute=True))
    found = [one for one in findings(case) if one.severity == "high"]
    assert [one.says for one in found][:1] == [
        "estimate of accuracy (WAR) of sex m on T, clean could not be made again: they differ"
    ]
    assert not [
        one for one in findings(open_case(asked(run.path, tmp_path, CONTEXT))) if one.severity == "high"
    ]


def test_a_second_opinion_that_agrees_is_said(written: Path) -> None:
    section = read_audit(written).json["sections"][18]
    second = next(part for part in section["parts"] if part["title"] == "Second opinion")
    assert second["text"][0].endswith("They agree.")
    assert second["tables"][0]["caption"] == "Invariants of the run"
    assert all(line["entries"][1]["value"] == 0 for line in second["tables"][0]["groups"][0]["lines"])
