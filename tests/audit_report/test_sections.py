"""What stands in which section: the golden structure, and what each says where nothing is there."""

from __future__ import annotations

import math
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bench.audit_report.case import open_case
from bench.audit_report.data import data
from bench.audit_report.instructions import instructions
from bench.audit_report.limits import SECURITY
from bench.audit_report.plan import plan as laid_down
from bench.audit_report.reproducibility import command
from bench.audit_report.sections import audit_page
from bench.folder import RunFolder
from bench.report.parts import Section
from bench.report.render import render
from bench.report.table import Table
from bench.sides import Side
from bench.spec import Condition, Facts
from tests.audit_report.conftest import CONTEXT, POLICY, Made, as_rows, asked, read_audit
from tests.gate.conftest import score_locked
from tests.report import fake_run

GOLDEN = {
    "0 Identity and signatures": ["Responsibility", "Digests"],
    "1 Summary": ["Findings by rule", "Not tested"],
    "2 Declared purpose and context": ["Posture", "Duties and dates", "Caveats"],
    "3 System under test": ["What is known of it"],
    "4 Evaluation data": ["Data set T", "Representativeness: declared against tested", "Leakage", "Consent, access and special categories"],
    "5 Plan laid down before": ["Metrics", "Thresholds"],
    "6 Overall accuracy, calibration, failures to process": [
        "Headline", "All rows", "What is taken for what", "Failures to process and abstention", "Calibration and abstention",
    ],
    "7 Performance by persons and groups": ["Slices", "Slices of new", "Coverage by slice", "States of groups"],
    "8 Disparities and potentially discriminatory impacts": [
        "Gaps against chance", "Differences between values", "What could have been seen", "How to read these numbers",
    ],
    "9 Robustness": ["Not tested"],
    "10 Security": ["Attacks"],
    "11 Release comparison": ["Against old of old", "Non-inferiority"],
    "12 Instructions for use and oversight": ["Art 13(3)(b)", "Oversight"],
    "13 Construct validity": ["What a label is"],
    "14 Limits and threats": ["Threats to these conclusions", "Intervals"],
    "15 Findings register": ["Findings"],
    "16 Crosswalk": ["Evidence"],
    "17 Monitoring and triggers": ["Triggers"],
    "18 Reproducibility": ["Made again by", "Second opinion", "Digests and environment"],
}  # fmt: skip


def words(section: Section) -> str:
    return " ".join(text for part in section.parts for text in part.text)


@pytest.fixture(scope="module")
def bare(audited: Made) -> dict[str, Section]:
    """The sections of a run of one clean data set, without policy and baseline."""
    return {section.anchor: section for section in audit_page(audited()).sections}


def test_the_golden_structure(written: Path) -> None:
    page = read_audit(written).json
    assert {s["title"]: [part["title"] for part in s["parts"]] for s in page["sections"]} == GOLDEN


def test_every_part_says_or_shows_something(written: Path) -> None:
    parts = [part for section in read_audit(written).json["sections"] for part in section["parts"]]
    assert all(part["text"] or part["tables"] or part["figures"] for part in parts)


def test_every_figure_has_its_text_and_a_table_in_its_section(written: Path) -> None:
    for section in read_audit(written).json["sections"]:
        figures = [figure for part in section["parts"] for figure in part["figures"]]
        assert all(figure["text"] and figure["caption"] for figure in figures)
        assert not figures or any(part["tables"] for part in section["parts"])


def test_what_is_not_there_is_said_to_be_not_there(bare: dict[str, Section]) -> None:
    assert dict(bare["s3"].facts)["Model card"] == "not declared"
    assert "No policy was given" in words(bare["s5"])
    assert "every test is exploratory" in words(bare["s5"])
    assert "Agreement of annotators: not tested" in words(bare["s4"])
    assert "Calibration and selective prediction: not tested" in words(bare["s6"])
    assert "Robustness to conditions: not tested" in words(bare["s9"])
    assert "Across data sets: not tested" in words(bare["s9"])
    assert set(SECURITY) <= set(bare["s10"].parts[0].text)
    assert "Release comparison: not tested" in words(bare["s11"])
    assert dict(bare["s13"].facts)["Label source"] == "T: not declared"
    assert "not recomputed" in words(bare["s18"])


def test_a_system_that_saw_its_data_is_named(audited: Made) -> None:
    case = audited()
    data = case.results.datasets[0]
    facts = data.facts.model_copy(update={"trained_on_by": ("new",)})
    seen = replace(case, results=replace(case.results, datasets=(replace(data, facts=facts),)))
    sections = {section.anchor: section for section in audit_page(seen).sections}
    assert "The system was trained on T: its numbers there do not measure new data." in words(sections["s4"])
    assert dict(sections["s3"].facts)["Trained on data of this report"] == "T"


def rows_of(table: Table) -> list[tuple[str, str]]:
    """The head and the first entry of every line."""
    return [(line.head, line.entries[0].text) for group in table.groups for line in group.lines]


def test_what_labels_stand_for_is_said(audited: Made) -> None:
    case = audited()
    data = case.results.datasets[0]
    facts = data.facts.model_copy(update={"label_source": "posed"})
    posed = replace(case, results=replace(case.results, datasets=(replace(data, facts=facts),)))
    sections = {section.anchor: section for section in audit_page(posed).sections}
    assert dict(sections["s13"].facts)["Label source"] == "T: posed: what somebody was asked to show"
    lines = [line for part in sections["s4"].parts for table in part.tables for line in rows_of(table)]
    assert ("Label source", "posed: what somebody was asked to show") in lines


def test_agreement_of_annotators_stands_by_slice_and_withheld_where_it_is(audited: Made) -> None:
    case = audited()
    whole = next(r for r in case.results.rows if r["slice"] is None and r["metric"] == "accuracy")
    numbers = dict.fromkeys(("estimate", "low", "high", "n", "clusters"))
    planted = [
        {**whole, "metric": "label_agreement", "estimate": 0.71, "low": 0.68, "high": 0.74},
        {**whole, "metric": "label_agreement", "slice": "sex", "value": "f", "estimate": 0.72},
        {
            **whole,
            **numbers,
            "metric": "label_agreement",
            "slice": "sex",
            "value": "x",
            "status": "suppressed",
        },
    ]
    rated = replace(case, results=replace(case.results, rows=as_rows([*case.results.rows, *planted])))
    tables = [table for part in data(rated).parts for table in part.tables]
    table = next(t for t in tables if t.caption == "Agreement of annotators on T")
    shown = {line.head: line.entries[0].text for line in table.groups[0].lines}
    assert shown["all rows"] == "0.710 [0.680, 0.740]"
    assert shown["sex: f"].startswith("0.720 ")
    assert shown["sex: x"] == "withheld"


def test_the_instructions_quote_the_estimates(audited: Made, bare: dict[str, Section]) -> None:
    """30 men and 30 women: the worst group with enough data is men, by hand."""
    from tests.gate.conftest import PEOPLE, ROWS, right

    men = sum(right("new", p, r) for p in range(0, PEOPLE, 2) for r in range(ROWS)) / (PEOPLE // 2 * ROWS)
    points = {line.head: line.entries[0].text for line in bare["s12"].parts[0].tables[0].groups[0].lines}
    assert (
        f"least well for sex m, accuracy (WAR) {men:.3f} [" in points["(v) performance on persons or groups"]
    )
    whole = sum(right("new", p, r) for p in range(PEOPLE) for r in range(ROWS)) / (PEOPLE * ROWS)
    assert f"accuracy (WAR) {whole:.3f} [" in points["(ii) accuracy and metrics"]
    assert points["(ii) robustness"] == "not tested (section 9)"
    assert "faith: any" in points["(iii) circumstances that create risk"]


@pytest.mark.parametrize(
    ("lost", "robust"),
    [
        ((0.25, 0.1, 0.1 + 0.15), "d: the largest estimated loss is under low light, severity 1, on the frame "
         "(as much under occlusion, severity 2, on the crop): UAR 0.250 [0.230, 0.270] (91 persons, 1\u202f000 rows); "
         "of 3 conditions with an estimate, 3 have a loss whose own interval lies above 0"),
        ((0.25, 0.01, 0.02), "d: the largest estimated loss is under low light, severity 1, on the frame: "
         "UAR 0.250 [0.230, 0.270] (91 persons, 1\u202f000 rows); "
         "of 3 conditions with an estimate, 1 has a loss whose own interval lies above 0"),
        ((0.01, 0.0, -0.2), "d: the largest estimated loss is under low light, severity 1, on the frame: "
         "UAR 0.010 [\u22120.010, 0.030] (91 persons, 1\u202f000 rows); "
         "of 3 conditions with an estimate, none has a loss that the data tell from none"),
        ((0.0, -0.1, 0.0), "d: of 3 conditions with an estimate, none has a loss that the data tell from none"),
        ((-0.1, "withheld", None), "d: of 1 condition with an estimate, none has a loss that the data tell from "
         "none; no loss is known under low light, severity 2, on the frame: withheld; occlusion, severity 2, on the "
         "crop: not measured"),
        (("withheld", None, math.nan), "d: no loss is known under low light, severity 1, on the frame: withheld; "
         "low light, severity 2, on the frame: not measured; occlusion, severity 2, on the crop: undefined"),
    ],
)  # fmt: skip
def test_the_instructions_name_what_is_as_bad_as_the_worst(
    tmp_path: Path, lost: tuple[float | str | None, ...], robust: str
) -> None:
    run = fake_run.FakeRun(
        Facts(name="d", attributes={"sex": "given"}), [fake_run.model("m")], rows=1000, slices=("sex",),
        metrics=("uar",), conditions=(Condition(perturb="low_light"), Condition(perturb="occlusion", where="crop")),
    )  # fmt: skip
    for value, found in ((None, 0.7), ("f", 0.6), ("m", 0.8), ("x", 0.6)):
        run.estimate("m", "uar", found, part=("sex" if value else None, value))
    run.cell("m", {"ok": 1000})
    for place, less in zip(
        (("low_light", 1, "frame"), ("low_light", 2, "frame"), ("occlusion", 2, "crop")), lost, strict=True
    ):
        run.cell("m", {"ok": 1000}, place)
        if isinstance(less, str):
            run.estimate("m", "uar", 0.3, place=place, kind="degradation", status="suppressed")
        elif less is not None:
            value = None if math.isnan(less) else less
            run.estimate("m", "uar", value, place=place, kind="degradation")
    folder = run.write(tmp_path / "run")
    render(folder)
    RunFolder(folder).seal()
    section = instructions(open_case(asked(folder, tmp_path, None)))
    points = {line.head: line.entries[0].text for line in section.parts[0].tables[0].groups[0].lines}
    assert points["(ii) robustness"] == robust
    groups = points["(v) performance on persons or groups"]
    assert groups.startswith("d: least well for sex f (as badly for sex x), UAR 0.600 [")


def test_what_is_to_be_watched_follows_from_what_was_not_tested(bare: dict[str, Section]) -> None:
    heads = [line.head for line in bare["s17"].parts[0].tables[0].groups[0].lines]
    assert "It is met in use: faith: any" in heads
    assert "It is met in use: kind: rare" in heads
    assert "It is met in use: SEX: f" not in heads


def test_a_plan_that_was_locked_is_said_to_be(runs: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    score_locked(runs, tmp_path, policy)
    shutil.copy(policy, tmp_path / "P.yaml")
    page = audit_page(open_case(asked(tmp_path / "new", tmp_path, CONTEXT, POLICY)))
    plan = page.sections[5]
    assert dict(plan.facts)["Lock"].startswith("This run followed the lock")
    assert "every test is exploratory" not in words(plan)
    assert "The policy was locked before the run" in words(plan)
    crossed = {line.head: line for line in page.sections[16].parts[0].tables[1].groups[0].lines}
    assert crossed["AI Act Art 9(6), (8)"].entries[2].text == "evidenced"


def test_a_note_on_a_data_set_begins_with_its_name_as_it_is(audited: Made) -> None:
    case = audited(policy=POLICY)
    assert case.gate is not None
    only = replace(case.results.datasets[0], name="fer2013")
    notes = ("fer2013: with clips as clusters independence is assumed", "new is a double", "too few")
    named = replace(
        case, results=replace(case.results, datasets=(only,)), gate=replace(case.gate, notes=notes)
    )
    thresholds = laid_down(named).parts[-1]
    assert thresholds.text[:3] == (f"{notes[0]}.", "new is a double.", "Too few.")


def test_a_plan_that_was_not_followed_says_in_what(runs: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    score_locked(runs, tmp_path, policy, "--slice", "sex&kind")
    page = audit_page(open_case(asked(tmp_path / "new", tmp_path, CONTEXT, POLICY)))
    assert "did not follow the lock" in dict(page.sections[5].facts)["Lock"]
    assert "slices of the suite" in dict(page.sections[5].facts)["Lock"]
    assert any("did not follow the lock" in text for text in page.banners)
    assert "every test is exploratory" in words(page.sections[5])


def test_the_command_is_one_that_a_shell_reads_back(audited: Made, runs: Path) -> None:
    old = Side("--baseline-model", RunFolder(runs / "old"), "old")
    case = audited(baseline=old)
    named = replace(case, results=replace(case.results, models=(replace(case.model, name="a b; ls"),)))
    assert shlex.split(command(named)) == [
        "affectbench", "report", "RUN", "--context", "context.yaml", "--model", "a b; ls",
        "--baseline", "BASELINE", "--baseline-model", "old",
    ]  # fmt: skip
