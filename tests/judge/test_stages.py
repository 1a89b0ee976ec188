"""The funnel: counts by hand, shown beside what was asked for, withheld as coverage is, audited."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.judge.audit import audit
from bench.judge.kernels import total
from bench.judge.metrics import METRICS
from bench.judge.request import check
from bench.judge.rows import read_rows
from bench.judge.score import judge
from bench.judge.stages import FUNNEL, stages
from tests.judge.made import make_cell, make_suite, make_targets, row, values
from tests.judge.scored import faults, of_cells

pytestmark = pytest.mark.usefixtures("no_report")

# Status, stage, predicted and true label of ten rows, and the step that each took last (0: not decoded).
ROWS = [
    ("decode_error", "decode_error", None, "fear", 0),
    ("no_face", "not_detected", None, "fear", 1),
    ("no_face", None, None, "fear", 1),  # whoever names no stage has found no face all the same
    ("ok", "wrong_face", "fear", "fear", 2),  # right by luck
    ("ok", "lost_track", "fear", "sadness", 3),
    ("abstained", "alignment", None, "fear", 4),
    ("model_error", "model_error", None, "fear", 5),
    ("abstained", None, None, "fear", 5),
    ("ok", None, "fear", "sadness", 6),
    ("ok", None, "fear", "fear", 7),
    ("ok", None, "fear", None, 6),
]
# Of 11 targets 10 decode; of 10 with a label 9 decode, and one of these is right.
BY_HAND = {
    "funnel_decoded": (10, 11), "funnel_face": (8, 10), "funnel_right_face": (7, 10), "funnel_followed": (6, 10),
    "funnel_aligned": (5, 10), "funnel_predicted": (3, 10), "funnel_right": (1, 9),
}  # fmt: skip
PLACES = {"box": [1.0, 2.0, 3.0, 4.0], "points": [10.0, 20, 30, 20, 20, 30, 12, 40, 28, 40]}


def cell_of(rows, times=1, places=("box", "points"), stage=True, **columns):
    status, stages_, said, truth, _ = zip(*rows, strict=True)
    count = len(rows) * times
    targets = make_targets(
        {"subject": [f"s{i}" for i in range(count)], "label": [*truth] * times}
        | {name: [PLACES[name]] * count for name in places} | columns
    )  # fmt: skip
    given = {"stage": [*stages_] * times} if stage else {}
    return make_cell(targets, {"status": [*status] * times, "predicted": [*said] * times, **given})


def test_every_step_by_hand():
    cell = cell_of(ROWS)
    counts = total(stages(read_rows(cell.targets, cell.predictions)))
    steps = np.array([step for *_, step in ROWS])
    labelled = np.array([truth is not None for *_, truth, _ in ROWS])
    assert counts.tolist() == [np.bincount(steps[labelled == k], minlength=8).tolist() for k in (False, True)]
    table = judge([cell], make_suite())
    for name, (took, could) in BY_HAND.items():
        found = row(table, metric=name)
        assert found["estimate"] == pytest.approx(took / could, abs=1e-15)
        assert found["n"] == could
    assert row(table, metric="accuracy")["estimate"] == pytest.approx(2 / 9)  # luck counts there


def test_it_is_shown_beside_what_was_asked_for_and_compared_where_it_was_asked_for():
    cell = cell_of(ROWS, times=60, group=list("ab" * 330))
    table = judge([cell], make_suite(metrics=("accuracy",), slices=("group",)))
    assert {r["metric"] for r in values(table)} == {"accuracy", *FUNNEL}
    assert {r["metric"] for r in table.to_pylist() if r["kind"] == "gap"} == {"accuracy"}
    table = judge([cell], make_suite(metrics=("funnel_face",), slices=("group",)))
    assert {r["metric"] for r in table.to_pylist() if r["kind"] == "gap"} == {"funnel_face"}


def test_a_step_of_which_nothing_is_known_is_not_there():
    for places in ((), ("box",), ("points",)):
        unknown = {name for name, column in FUNNEL.items() if column in PLACES and column not in places}
        found = {r["metric"] for r in values(judge([cell_of(ROWS, places=places)], make_suite()))}
        assert found & set(FUNNEL) == set(FUNNEL) - unknown
    assert not {r["metric"] for r in values(judge([cell_of(ROWS, stage=False)], make_suite()))} & set(FUNNEL)


def test_asked_for_in_vain_it_says_why():
    found = row(
        judge([cell_of(ROWS, stage=False)], make_suite(metrics=("funnel_face",))), metric="funnel_face"
    )
    assert found["estimate"] is None
    assert found["warning"].startswith("unavailable: the predictions have no column 'stage'; ")
    suite, targets = make_suite(metrics=("funnel_right_face",)), cell_of(ROWS, places=()).targets
    with pytest.raises(UserError) as refused:
        check(suite, targets, lambda kind, name: f"--{kind}")
    assert str(refused.value).startswith(
        "--metric: metric 'funnel_right_face' needs the column 'box', which made does not have. It allows: "
    )


def test_small_groups_are_withheld():
    group = ["many"] * (len(ROWS) * 3 - 4) + ["few"] * 4
    table = judge([cell_of(ROWS, times=3, group=group)], make_suite(slices=("group",), metrics=("accuracy",)))
    parts = [r for r in values(table) if r["slice"]]
    assert {r["metric"] for r in parts} == {"accuracy", *FUNNEL}
    assert {(r["status"], r["estimate"]) for r in parts} == {("suppressed", None)}


def test_notes_say_what_was_left_out_of_each_step():
    table = judge([cell_of(ROWS)], make_suite())
    told = {name: row(table, metric=name)["warning"] or "" for name in FUNNEL}
    assert ["with a decode error left out" in told[name] for name in FUNNEL] == [False] + [True] * 6
    assert [name for name in FUNNEL if "1 row without label left out" in told[name]] == ["funnel_right"]
    assert not any("without box" in text or "without points" in text for text in told.values())


def test_rows_without_a_place_are_said_to_have_passed():
    boxes = [PLACES["box"] if i % 2 else None for i in range(len(ROWS))]
    groups = ["a" if i < 6 else "b" for i in range(len(ROWS))]
    cell = cell_of(ROWS, times=6, places=("points",), box=boxes * 6, group=groups * 6)
    table = judge([cell], make_suite(slices=("group",)))
    told = {name: row(table, metric=name)["warning"] or "" for name in FUNNEL}
    assert [name for name in FUNNEL if "without box" in told[name]] == ["funnel_right_face"]
    # Six of eleven have none; one of these does not decode, and in one no face was found.
    assert "24 rows without box, counted as passed" in told["funnel_right_face"]
    part = row(table, metric="funnel_right_face", slice="group", value="a")["warning"]
    assert "6 rows without box, counted as passed" in part


def random_cell(seed=5, rows=900):
    rng = np.random.default_rng(seed)
    made = [ROWS[i] for i in rng.integers(0, len(ROWS), rows)]
    subject = rng.integers(0, 60, rows)
    sex, race = np.array(["f", "m"])[subject % 2], np.where(subject < 3, "rare", "other")
    return cell_of(made, subject=[f"s{i}" for i in subject], sex=sex, race=race)


def one_less(metric):
    """The formula of a metric with one success too few."""

    def formula(stats):
        """Wrong."""
        hits, rows = metric.formula(stats)
        return hits - 1, rows

    return formula


def test_the_audit_agrees_with_honest_numbers_and_finds_each_wrong_one(tmp_path: Path, monkeypatch):
    suite = make_suite(slices=("sex", "race"), metrics=("accuracy", "funnel_right"))
    found = audit(of_cells(tmp_path / "honest", [random_cell()], suite).path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert set(FUNNEL) < set(found.compared)
    made, again = found.intervals["wilson-clustered"]
    assert made == again > 0
    for name in FUNNEL:
        metric = METRICS[name]
        with monkeypatch.context() as patch:
            patch.setitem(METRICS, name, replace(metric, formula=one_less(metric)))
            found = audit(of_cells(tmp_path / name, [random_cell()], suite).path)
        assert {d.row["metric"] for d in found.differences if d.row["kind"] == "value"} == {name}


def test_predictions_without_stages_are_judged_as_before():
    one, other = cell_of(ROWS), cell_of(ROWS, stage=False)
    tables = [judge([cell], make_suite(metrics=("accuracy", "coverage"))) for cell in (one, other)]
    rows = [[r for r in values(table) if r["metric"] not in FUNNEL] for table in tables]
    assert rows[0] == rows[1]
    assert isinstance(tables[0], pa.Table)
