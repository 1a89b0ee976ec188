"""The crosswalk: every state follows from the run, and falls when its evidence is taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.audit_report.case import Case
from bench.audit_report.crosswalk import CROSSWALK, crosswalk, state_of
from bench.audit_report.held import EVIDENCE
from bench.folder import RunFolder
from bench.prereg import Followed, LockedPolicy
from bench.report.model_card import ModelCard
from bench.report.results import Row
from bench.sides import Side
from tests.audit_report.conftest import CONTEXT, POLICY, SIGNED, Made, as_rows

Without = Callable[[Case], Case]


def rows(case: Case, keep: Callable[[Row], bool]) -> Case:
    """The case with some of its rows of Estimates."""
    names = ("rows", "differences")
    kept = {name: as_rows(r for r in getattr(case.results, name) if keep(r)) for name in names}
    return replace(case, results=replace(case.results, **kept))


def without(keep: Callable[[Row], bool]) -> Without:
    return lambda case: rows(case, keep)


def planted(case: Case) -> Case:
    """The case with evidence of every kind that the run of the fixture does not have, planted as rows."""
    whole = next(r for r in case.results.rows if r["slice"] is None and r["metric"] == "accuracy")
    cut = next(r for r in case.results.rows if r["slice"] == "sex" and r["metric"] == "accuracy")
    harmed = {"condition": "low_light", "severity": 3, "where": "frame"}
    more: list[dict[str, Any]] = [
        {**whole, **harmed}, {**whole, "metric": "ece"}, {**whole, "metric": "label_agreement"},
        {**cut, "slice": "sex&kind", "value": "m&usual"}, {**cut, "metric": "selection_rate/fear"},
        {**whole, "metric": "coverage", "status": "reportable"},
    ]  # fmt: skip
    lost = [{**whole, **harmed, "kind": "degradation"}, {**cut, **harmed, "kind": "degradation"}]
    assert case.gate is not None
    lock = Followed(
        lock="0" * 64, time="2026-01-01T00:00:00Z", policy=LockedPolicy(name="shop", sha256=case.gate.policy.digest),
        followed=True, differs=None,
    )  # fmt: skip
    kept = [r for r in case.results.rows if r["metric"] != "coverage" or r["slice"] is not None]
    results = replace(
        case.results, kind="run", rows=as_rows([*kept, *more]), differences=as_rows([*case.results.differences, *lost]), lock=lock,
    )  # fmt: skip
    card = ModelCard("A card.", "of the test", "0" * 64)
    whole_case = replace(case, results=results, gate=replace(case.gate, locked=True), card=card)
    return of_labels("perceived")(whole_case)


@pytest.fixture(scope="module")
def full(audited: Made, runs: Path) -> Case:
    """A signed case with evidence of every kind that can be held."""
    policy = POLICY + "  - metric: accuracy\n    not_worse_by: 0.1\n"
    words = {"final": True, "date": "2026-11-22", "recompute": True}
    return planted(
        audited(CONTEXT + SIGNED, policy, baseline=Side("--baseline-model", RunFolder(runs / "old")), **words)
    )


def other_policy(case: Case) -> Case:
    assert case.gate is not None
    return replace(case, gate=replace(case.gate, locked=False))


def no_licence(case: Case) -> Case:
    bare = tuple(
        replace(d, facts=d.facts.model_copy(update={"licence": "unknown", "attributes": {}}))
        for d in case.results.datasets
    )
    return replace(case, results=replace(case.results, datasets=bare))


def of_labels(*sources: str | None) -> Without:
    """The case with data sets whose labels are of these sources."""

    def change(case: Case) -> Case:
        (data,) = case.results.datasets
        sets = tuple(
            replace(data, facts=data.facts.model_copy(update={"label_source": source})) for source in sources
        )
        return replace(case, results=replace(case.results, datasets=sets))

    return change


def no_digests(case: Case) -> Case:
    return replace(case, results=replace(case.results, models=(replace(case.model, digests=()),)))


def disagreeing(case: Case) -> Case:
    assert case.recomputed is not None
    bad = tuple(replace(f, faults=("one",)) for f in case.recomputed.findings[:1])
    return replace(case, recomputed=replace(case.recomputed, findings=bad))


def lock(**fields: Any) -> Without:
    def change(case: Case) -> Case:
        assert case.results.lock is not None
        found = case.results.lock.model_copy(update=fields) if fields else None
        return replace(case, results=replace(case.results, lock=found))

    return change


NO_SLICES = without(lambda r: r["slice"] is None)
CLEAN = without(lambda r: not r["severity"])
TAKEN: list[tuple[str, Without, str]] = [
    ("E-system", no_digests, "not evidenced"),
    ("E-system", lambda c: replace(c, results=replace(c.results, kind="score")), "partial"),
    ("E-signature", lambda c: replace(c, final=False), "not evidenced"),
    ("E-policy", lambda c: replace(c, gate=None), "not evidenced"),
    ("E-policy", other_policy, "partial"),
    ("E-lock", lock(), "not evidenced"),
    ("E-lock", lock(followed=False, differs="the slices"), "partial"),
    ("E-origin", no_licence, "not evidenced"),
    ("E-labels", of_labels(None), "not evidenced"),
    ("E-labels", of_labels("posed", None), "partial"),
    ("E-card", lambda c: replace(c, card=None), "not evidenced"),
    ("E-raters", without(lambda r: r["metric"] != "label_agreement"), "not evidenced"),
    ("E-population", NO_SLICES, "not evidenced"),
    ("E-population", lambda c: replace(c, context=None), "not evidenced"),
    ("E-setting", CLEAN, "not evidenced"),
    ("E-outputs", lambda c: replace(c, context=None), "not evidenced"),
    ("E-accuracy", without(lambda r: r["slice"] is not None), "not evidenced"),
    ("E-misses", without(lambda r: r["metric"] != "coverage"), "not evidenced"),
    ("E-calibration", without(lambda r: r["metric"] != "ece"), "not evidenced"),
    ("E-groups", NO_SLICES, "not evidenced"),
    ("E-intersections", without(lambda r: "&" not in (r["slice"] or "")), "not evidenced"),
    ("E-gaps", without(lambda r: r["kind"] != "gap"), "partial"),
    ("E-gaps", NO_SLICES, "not evidenced"),
    ("E-selection", without(lambda r: not r["metric"].startswith("selection_rate")), "not evidenced"),
    ("E-conditions", without(lambda r: r["kind"] != "degradation"), "partial"),
    ("E-conditions", CLEAN, "not evidenced"),
    ("E-conditions-by-group", CLEAN, "not evidenced"),
    ("E-release", lambda c: replace(c, baseline=None), "not evidenced"),
    ("E-release", lambda c: replace(c, gate=None), "partial"),
    ("E-recomputed", lambda c: replace(c, recomputed=None), "not evidenced"),
    ("E-recomputed", disagreeing, "partial"),
]  # fmt: skip
PARTLY = {"E-card", "E-origin", "E-population", "E-setting", "E-outputs", "E-groups", "E-selection"}


def test_what_the_full_case_holds(full: Case) -> None:
    states = {name: evidence.rule(full)[0] for name, evidence in EVIDENCE.items()}
    wanted = {name: "partial" if name in PARTLY else "evidenced" for name in EVIDENCE}
    assert states == wanted | {"E-attacks": "not evidenced"}


@pytest.mark.parametrize(
    ("name", "take", "left"), TAKEN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_evidence_taken_away_flips_its_row(name: str, take: Without, left: str, full: Case) -> None:
    before, after = EVIDENCE[name].rule(full)[0], EVIDENCE[name].rule(take(full))[0]
    assert after == left
    assert before != after


def test_every_kind_of_evidence_is_taken_away_once() -> None:
    assert {name for name, _, _ in TAKEN} == set(EVIDENCE) - {"E-attacks"}


def test_a_provision_is_no_better_than_what_it_rests_on(full: Case) -> None:
    by_name = {each.source: each for each in CROSSWALK}
    assert state_of(by_name["AI Act Art 9(6), (8)"], full) == "evidenced"
    assert state_of(by_name["AI Act Art 9(6), (8)"], lock()(full)) == "partial"
    assert state_of(by_name["AI Act Art 9(6), (8)"], replace(lock()(full), gate=None)) == "not evidenced"
    assert state_of(by_name["AI Act Art 15(5)"], full) == "not evidenced"
    assert state_of(by_name["AI Act Art 13(3)(b)(ii)"], full) == "partial"  # attacks are not tested
    assert state_of(by_name["AI Act Art 50(3)"], full) == "outside tool"


def test_a_lifecycle_without_conditions_is_not_shown_to_be_robust(full: Case) -> None:
    (found,) = [each for each in CROSSWALK if each.source == "AI Act Art 15(1)"]
    assert state_of(found, full) == "evidenced"
    assert state_of(found, CLEAN(full)) == "partial"


def test_what_is_held_promises_no_outcome(full: Case) -> None:
    """A rule that fails is evidence, too: no item may read as if it were passed."""
    assert EVIDENCE["E-release"].rule(full)[0] == "evidenced"
    assert full.gate is not None
    assert "fail" in {held.verdict for held in full.gate.of(len(full.gate.policy.policy.rules) - 1)}
    assert EVIDENCE["E-release"].what == "comparison with the release before, by a declared margin"


def test_the_section_shows_what_the_rules_say(full: Case) -> None:
    held, crossed = crosswalk(full).parts[0].tables
    shown = {line.head: line.entries[1].text for line in held.groups[0].lines}
    assert shown == {name: evidence.rule(full)[0] for name, evidence in EVIDENCE.items()}
    states = [line.entries[2].text for line in crossed.groups[0].lines]
    assert states == [state_of(each, full) for each in CROSSWALK]


def test_every_row_rests_on_evidence_that_is_there_or_has_an_owner() -> None:
    assert all(set(each.rests_on) <= set(EVIDENCE) for each in CROSSWALK)
    assert all(bool(each.rests_on) != bool(each.owner) for each in CROSSWALK)
    used = {name for each in CROSSWALK for name in each.rests_on}
    assert set(EVIDENCE) - used == {"E-conditions-by-group", "E-recomputed"}
