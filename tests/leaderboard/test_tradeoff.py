"""Gaps, losses and costs beside accuracy: planted rows, means by hand, and what may not be compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.folder import RunFolder, write_json
from bench.latency import Calls, Hardware, Measured, write_latency
from bench.leaderboard.assemble import BoardTable, Leaderboard
from bench.leaderboard.board_page import board_page
from bench.leaderboard.boards import Board, boards
from bench.leaderboard.cost import Cost
from bench.leaderboard.sources import read_sources, submissions
from bench.leaderboard.tradeoff import Tradeoff, shared_places, tradeoffs
from bench.leaderboard.tradeoff_words import cost_datum, gap_datum, mean_datum, worst_datum
from bench.report.records import Place
from bench.spec import Condition, Facts
from tests.report.fake_run import CLEAN, FakeRun, model

LOSSES = {
    "a": {("low_light", 1): 0.02, ("low_light", 3): 0.10, ("fog", 1): 0.30, ("snow", 1): 0.90},
    "b": {("low_light", 1): 0.05, ("low_light", 3): 0.05, ("fog", 1): 0.01},
}
FACTS = Facts(name="d", labels=("x", "y"), label_space="own", attributes_public=True)


def plant(folder: Path, name: str, **gaps: object) -> Path:
    """A run of one model with a value, gaps, pairs and what conditions take."""
    conditions = tuple(Condition(perturb=p, severities=tuple(s for q, s in LOSSES[name] if q == p), where="crop")
                       for p in dict.fromkeys(p for p, _ in LOSSES[name]))  # fmt: skip
    run = FakeRun(
        FACTS, [model(name)], 100, slices=("sex", "age"), metrics=("accuracy",), conditions=conditions
    )
    run.estimate(name, "accuracy", 0.7)
    run.cell(name, {"ok": 100})
    for (harm, severity), lost in LOSSES[name].items():
        place = (harm, severity, "crop")
        run.cell(name, {"ok": 100}, place)
        run.estimate(name, "accuracy", 0.7 - lost, place=place)
        run.estimate(name, "accuracy", lost, place=place, kind="degradation", reference="clean", half=0.01)
        run.estimate(
            name,
            "accuracy",
            lost + 0.5,
            place=place,
            kind="degradation",
            reference="clean",
            part=("sex", "f"),
        )
    worst = max(LOSSES[name], key=lambda each: LOSSES[name][each])
    run.estimate(name, "accuracy", LOSSES[name][worst], place=(*worst, "crop"), kind="worst", half=0.03)
    p = gaps.pop("p", 0.004)
    for attribute, size, q in (("sex", 0.08, p), ("age", 0.03, 0.9)):
        run.estimate(
            name, "accuracy", size, part=(attribute, None), half=None, kind="gap", p=q, p_adjusted=q, **gaps
        )
    run.estimate(
        name, "accuracy", 0.4, part=("race", None), half=None, kind="gap", p=0.9, status="insufficient"
    )
    run.estimate(name, "accuracy", -0.08, part=("sex", "f"), kind="contrast", reference="m", half=0.05)
    run.estimate(name, "accuracy", -0.09, part=("sex", "f"), kind="contrast", reference="rest", half=0.05)
    path = run.write(folder / name)
    RunFolder(path).seal()
    return path


def made(*paths: Path) -> tuple[Board, dict[str, Tradeoff]]:
    (board,) = boards(submissions(read_sources(paths)))
    return board, {side.member.name: side for side in tradeoffs(board, "accuracy")}


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Board, dict[str, Tradeoff]]:
    return made(plant(tmp_path, "a"), plant(tmp_path, "b", p=0.3))


def test_the_largest_reportable_gap_with_its_widest_pair(sides: tuple[Board, dict[str, Tradeoff]]) -> None:
    datum = gap_datum(sides[1]["a"])
    # f - m is -.08 [-.13, -.03]; turned round it is .08 [.03, .13]. The larger gap of race is insufficient.
    assert datum.text == "0.080 [0.030, 0.130] sex"
    assert datum.key == 0.08
    assert datum.note == ""


def test_a_gap_that_chance_explains_is_undecided(sides: tuple[Board, dict[str, Tradeoff]]) -> None:
    datum = gap_datum(sides[1]["b"])
    assert datum.text.startswith("undecided: 0.080")
    assert "that shows no equality" in datum.note


@pytest.mark.parametrize(("role", "p", "decided"), [
    ("exploratory", 0.07, True), ("exploratory", 0.11, False), ("confirmatory", 0.07, False), ("confirmatory", 0.04, True),
])  # fmt: skip
def test_primary_gaps_are_held_to_their_level(tmp_path: Path, role: str, p: float, decided: bool) -> None:
    _, found = made(plant(tmp_path, "a", role=role, p=p))
    assert found["a"].gap is not None
    assert found["a"].gap.decided is decided


def test_means_and_worst_are_over_what_all_share(sides: tuple[Board, dict[str, Tradeoff]]) -> None:
    board, found = sides
    assert shared_places(board, "accuracy") == (
        Place("fog", "crop", 1), Place("low_light", "crop", 1), Place("low_light", "crop", 3),
    )  # fmt: skip
    a, b = found["a"].degraded, found["b"].degraded
    assert a is not None
    assert b is not None
    assert a.mean == pytest.approx((0.30 + (0.02 + 0.10) / 2) / 2)
    assert b.mean == pytest.approx((0.01 + (0.05 + 0.05) / 2) / 2)
    assert mean_datum(found["a"]).text == "0.180"
    # Snow, which a alone was run under, takes more, and is not held against it.
    assert worst_datum(found["a"]).text == "0.300 [0.290, 0.310] fog, severity 1, on the crop"
    assert "of this condition alone" in worst_datum(found["a"]).note


def test_where_all_conditions_are_shared_the_interval_is_of_all_at_once(tmp_path: Path) -> None:
    _, found = made(plant(tmp_path, "b"))
    datum = worst_datum(found["b"])
    assert datum.text == (
        "0.050 [0.020, 0.080] low light, severity 1, on the crop (as much by low light, severity 3, on the crop)"
    )
    assert datum.note == ""


def test_cost_is_of_a_model_that_was_decoded_alone(tmp_path: Path) -> None:
    path = plant(tmp_path, "b")
    cell = RunFolder(path).cell("b", "d", "clean")
    alone = {"cells": 1, "targets": 100, "seconds": 12.5, "recalled": 0}

    def cost_where(**decoding: object) -> Cost:
        facts = {"rows": 100, "precision": "fp32", "environment": {"device": "cpu", "threads": 2}}
        facts["decoding"] = {**alone, **decoding}
        write_json(cell.path / "cell.json", {**(cell.facts or {}), **facts})
        RunFolder(path).seal()
        return made(path)[1]["b"].cost

    assert cost_where().seconds == 0.125
    assert cost_datum(cost_where()).text == "125 ms, mean of a whole run, cpu, 2 threads, fp32"
    together = cost_where(cells=2)
    assert together.seconds is None
    assert "decoded together" in cost_datum(together).note
    assert "known from runs before" in (cost_where(recalled=7).reason or "")
    # The same run taken up again after three quarters: the time is that of the last.
    assert cost_where(targets=25, seconds=3.125).seconds == 0.125
    assert "before the run was taken up again" in (cost_where(targets=0, seconds=0.0).reason or "")
    facts = {name: value for name, value in (cell.facts or {}).items() if name != "decoding"}
    write_json(cell.path / "cell.json", facts)
    assert "older affectbench" in (made(path)[1]["b"].cost.reason or "")


def measured(run: Path, name: str, torch: str) -> None:
    """Seven calls of 9 to 15 ms."""
    times = [9, 10, 11, 12, 13, 14, 15]
    whole = tuple(1_000_000 * each for each in times)
    size = len(times)
    calls = Calls(
        target=tuple(f"t{n}" for n in range(size)), round=(0,) * size, failed=(False,) * size, total=whole,
        decode=whole, front_end=(None,) * size, model=whole,
    )  # fmt: skip
    hardware = Hardware(device="A CPU", cpu="A CPU", cores=2, threads=1, workers=2)
    one = Measured(model=name, dataset="d", key="k", hardware=hardware, environment={"torch": torch}, precision="fp32",
                   warm_up=1, batch=8, calls=calls, throughput=())  # fmt: skip
    write_latency(RunFolder(run).latency, (one,))
    RunFolder(run).seal()


def test_a_measured_latency_comes_first(tmp_path: Path) -> None:
    path = plant(tmp_path, "b")
    measured(path, "b", "2.8")
    cost = made(path)[1]["b"].cost
    # The median of seven; P(B <= 0) and P(B >= 7) of B binomial (7, 1/2) are .0078: the interval is from end to end.
    assert (cost.seconds, cost.low, cost.high) == pytest.approx((0.012, 0.009, 0.015))
    assert cost_datum(cost).text == "12 [9, 15] ms, median, one at a time, A CPU, 1 thread, fp32"


@pytest.mark.parametrize(("torch", "sorts"), [("2.8", "ascending"), ("2.9", "")])
def test_costs_of_other_software_are_not_sorted_nor_drawn(tmp_path: Path, torch: str, sorts: str) -> None:
    runs = [plant(tmp_path, "a"), plant(tmp_path, "b")]
    measured(runs[0], "a", "2.8")
    measured(runs[1], "b", torch)
    board, found = made(*runs)
    assert cost_datum(found["a"].cost).text == cost_datum(found["b"].cost).text  # in words they are the same
    shown = BoardTable(board, "accuracy", None, (), tuple(found.values()))
    part = board_page(Leaderboard("t", (), (), (shown,), {}), shown).sections[0].parts[0]
    assert [each.first for each in part.tables[0].columns if each.text == "Cost"] == [sorts]
    assert ("Seconds a clip" in part.figures[0].alt) is bool(sorts)


def test_predictions_made_elsewhere_have_no_cost(planted: Path) -> None:
    (board,) = boards(submissions(read_sources([planted / "one"])))
    assert {side.cost.reason for side in tradeoffs(board, "accuracy")} == {
        "predictions made elsewhere: no time is known"
    }


def test_clean_is_the_reference(sides: tuple[Board, dict[str, Tradeoff]]) -> None:
    assert (sides[0].reference.condition, sides[0].reference.severity) == CLEAN[:2]
