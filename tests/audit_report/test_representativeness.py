"""Declared against tested: shares counted by hand, and everything that nobody tested."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bench.audit_report.representativeness import ASPECTS, covered, representativeness_tables, untested
from bench.audit_report.summary import cards
from bench.predict.perturb import FACE_PERTURBATIONS, FILM_PERTURBATIONS, PERTURBATIONS, SOUND_PERTURBATIONS
from bench.report.format import DASH
from bench.report.records import Cell, Perturbation, Place
from bench.report.table import Table
from tests.audit_report.conftest import CONTEXT, Made, as_rows, read_audit

# Of the pose, the time and the occlusion of a face no operating condition is declared; nor of sound.
OTHER = {
    "frozen", "jitter", "mask", "missing_picture", "off_centre", "phone", "pitch", "reversed", "roll", "shuffled",
    "speed", "sunglasses", "yaw",
}  # fmt: skip


def lines(table: Table) -> dict[tuple[str, str], list[str]]:
    return {(g.title, line.head): [e.text for e in line.entries] for g in table.groups for line in g.lines}


def test_tested_shares_are_those_of_the_targets(audited: Made, runs: Path) -> None:
    with (runs / "T.csv").open() as file:
        rows = list(csv.DictReader(file))
    found = lines(representativeness_tables(audited())[0])
    people = {row["subject"] for row in rows}
    for attribute, values in {"SEX": ("f", "m"), "kind": ("rare", "usual")}.items():
        for value in values:
            mine = [row for row in rows if row[attribute.lower()] == value]
            own = {row["subject"] for row in mine}
            _, clusters, of_clusters, n, of_rows, _ = found[attribute, value]
            assert (clusters, n) == (f"{len(own)} persons", str(len(mine)))
            assert of_clusters == f"{100 * len(own) / len(people):.1f} %"
            assert of_rows == f"{100 * len(mine) / len(rows):.1f} %"


def test_the_numbers_are_planted(audited: Made) -> None:
    """30 of 60 people are men, 8 are rare: by hand."""
    found = lines(representativeness_tables(audited())[0])
    assert found["SEX", "m"] == ["30 %", "30 persons", "50.0 %", "360", "50.0 %", "tested"]
    assert found["kind", "rare"] == ["50 %", "8 persons", "13.3 %", "96", "13.3 %", "insufficient"]
    assert found["SEX", "x"] == ["10 %", *[DASH] * 4, "not tested"]
    assert found["faith", "any"][-1] == "not tested"
    assert found["half", "a"][0] == "not declared"


def test_every_declared_thing_has_a_state(audited: Made) -> None:
    states = {one.name: one.state for one in covered(audited())}
    assert states == {
        "SEX: f": "tested", "SEX: m": "tested", "SEX: x": "not tested", "kind: rare": "insufficient",
        "kind: usual": "tested", "faith: any": "not tested", "light: shop": "not tested", "distance: 3 m": "not tested",
        "language: de": "not tested", "emotion": "tested", "valence": "not tested",
    }  # fmt: skip
    assert [one.state for one in untested(audited())] == ["not tested"] * 6 + ["insufficient"]


def test_what_was_not_tested_says_why(audited: Made) -> None:
    says = {one.name: one.says for one in untested(audited())}
    assert says["SEX: x"] == "SEX: x (10 % of those in use): not tested, the data hold no such value"
    assert says["faith: any"].endswith("not tested, no slice of the run is by this attribute")
    assert says["kind: rare"] == "kind: rare (50 % of those in use): too few to compare: 8 persons, 96 rows"


def test_an_output_that_the_model_does_not_give_is_not_tested(audited: Made) -> None:
    """Valence asked for and unavailable is a row without an estimate, and no test."""
    case = audited()
    row = next(r for r in case.results.rows if r["slice"] is None and r["metric"] == "accuracy")
    for estimate, state in ((0.4, "tested"), (None, "not tested")):
        more = {**row, "metric": "ccc_valence", "estimate": estimate}
        run = replace(case.results, rows=as_rows([*case.results.rows, more]))
        assert {one.name: one.state for one in covered(replace(case, results=run))}["valence"] == state
    silent = as_rows(r for r in case.results.rows if r["metric"] == "coverage")
    bare = replace(case, results=replace(case.results, rows=silent))
    assert {one.name: one.state for one in covered(bare)}["emotion"] == "not tested"


def test_a_population_without_shares_is_unknown(audited: Made) -> None:
    case = audited(CONTEXT.replace("  faith:\n    any: 1.0", "  faith: {}"))
    assert [one.says for one in untested(case) if one.name == "faith"] == [
        "faith of the population is declared without shares: whom it means is unknown"
    ]


def test_a_withheld_group_is_withheld_here_too(nasty: Path) -> None:
    tables = [t for s in read_audit(nasty).json["sections"] for p in s["parts"] for t in p["tables"]]
    table = next(t for t in tables if t["caption"].startswith("Population declared and tested"))
    line = next(
        line for g in table["groups"] if g["title"] == "sex" for line in g["lines"] if line["head"] == "few"
    )
    assert [e["text"] for e in line["entries"]] == ["100 %", *["withheld"] * 4, "withheld"]
    assert [e.get("value") for e in line["entries"]] == [1.0, *[None] * 5]


def test_conditions_that_were_run_probe_what_they_vary(nasty: Path) -> None:
    cards = read_audit(nasty).json["cards"]
    lacking = next(c for c in cards if c["title"].startswith("Declared, but"))["text"]
    assert any(text.startswith("distance: 3 m: not tested") for text in lacking)
    assert not any(text.startswith("light:") for text in lacking)  # low light was run at five severities


@pytest.mark.parametrize("place", [Place("low_light", "frame", 2), Place("distance", "frame", 3)])
def test_a_severity_that_may_lose_the_label_probes_nothing(place: Place, audited: Made) -> None:
    case = audited()
    data = case.results.datasets[0].name
    cell = Cell("new", data, place, "key", {"ok": 1})
    of = "light: shop" if place.condition == "low_light" else "distance: 3 m"
    for destroys, state in ((None, "probed"), (place.severity, "not tested")):
        known = {place.condition: Perturbation(("1",) * 5, "x", destroys)}
        run = replace(case.results, cells=(*case.results.cells, cell), perturbations=known)
        assert {one.name: one.state for one in covered(replace(case, results=run))}[of] == state


def test_every_perturbation_is_of_an_aspect_or_known_to_be_of_none() -> None:
    every = {*PERTURBATIONS, *FACE_PERTURBATIONS, *FILM_PERTURBATIONS} - {*SOUND_PERTURBATIONS}
    mapped = {name for perturbations, _ in ASPECTS.values() for name in perturbations}
    assert mapped <= every
    assert every - mapped == OTHER


def test_labels_of_emotions_are_no_test_of_a_sentiment(audited: Made) -> None:
    case = audited(CONTEXT.replace("outputs: [emotion, valence]", "outputs: [sentiment]"))
    assert {one.name: one.state for one in covered(case) if one.kind == "output"} == {
        "sentiment": "not tested"
    }
    (data,) = case.results.datasets
    labelled = replace(
        data, facts=data.facts.model_copy(update={"labels": ("negative", "neutral", "positive")})
    )
    other = replace(case, results=replace(case.results, datasets=(labelled,)))
    (found,) = [one for one in covered(other) if one.kind == "output"]
    assert found.says == "sentiment: held against labels of the data (section 13)"


def test_a_large_group_may_be_withheld_for_the_sake_of_a_small_one(audited: Made) -> None:
    """30 men are not few: nothing may say that they are, where they are withheld beside others."""
    case = audited()
    numbers = dict.fromkeys(("estimate", "low", "high", "n", "clusters"))
    hidden = [
        {**r, **numbers, "status": "suppressed"} if (r["slice"], r["value"]) == ("sex", "m") else r
        for r in case.results.rows
    ]
    found = replace(case, results=replace(case.results, rows=as_rows(hidden)))
    says = {one.name: one.says for one in untested(found)}
    assert says["SEX: m"] == (
        "SEX: m (30 % of those in use): withheld, too few to be shown, or such a group could be worked out from it"
    )
    unknown = next(card for card in cards(found) if card.title == "What is unknown")
    assert any("too little data to compare, or withheld: " in text for text in unknown.text)
