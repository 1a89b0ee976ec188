from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import MediaFault, UserError
from bench.predict.clip import Scores
from bench.predict.forward import to_rows
from bench.predict.pipeline import Pipeline
from bench.predict.rows import Hearings, prediction_rows
from bench.predict.zoo import Model
from bench.spec import Facts
from bench.tables import (
    STATUSES,
    Targets,
    decide,
    frames_schema,
    predictions_schema,
    read_predictions,
    validate_predictions,
    validate_targets,
    write_table,
)

NAMES = ["a", "b", "c", "d"]


def make(names: list[str], label: str | None = "happy") -> Targets:
    columns = {"target": pa.array(names, pa.string()), "label": pa.array([label] * len(names), pa.string())}
    return validate_targets(pa.table(columns), Facts(name="x"), "T")


TARGETS = make(NAMES)


def valid(columns: dict[str, object], targets: Targets = TARGETS) -> dict[str, list[object]]:
    result: dict[str, list[object]] = validate_predictions(pa.table(columns), targets, "P").to_pydict()
    return result


def test_schemas() -> None:
    assert predictions_schema(("fear", "joy"), ("labels", "valence")).names == [
        "target", "status", "predicted", "p_fear", "p_joy", "valence", "fault",
    ]  # fmt: skip
    assert frames_schema(("fear",), ("labels",)).names == ["target", "timestamp", "track", "status", "p_fear"]
    assert frames_schema(("fear",), ("au_04",)).names[-1] == "au_04"


def test_hard_labels_stand_alone() -> None:
    rows = valid({"target": NAMES, "predicted": ["Happy", "sad", None, "contempt"]})
    assert rows == {
        "target": NAMES,
        "status": ["ok"] * 4,
        "predicted": ["happiness", "sadness", None, "contempt"],
    }


def test_rows_come_in_the_order_of_the_targets() -> None:
    rows = valid({"target": ["d", "b", "a", "c"], "au_04": [4, 2, 1, 3]})
    assert (rows["target"], rows["au_04"]) == (NAMES, [1.0, 2.0, 3.0, 4.0])
    assert rows["predicted"] == [None] * 4


def test_probabilities_decide_and_ties_decide_nothing() -> None:
    columns = {"target": NAMES, "p_happy": [0.6, 0.5, 0.9, 0.5], "p_sad": [0.4, 0.5, 0.1, 0.5]}
    decided = ["happiness", None, "happiness", None]
    assert valid(columns)["predicted"] == decided
    assert valid({**columns, "predicted": ["Happy", None, "happiness", ""]})["predicted"] == decided
    assert valid({**columns, "predicted": pa.nulls(4)})["predicted"] == decided


@pytest.mark.parametrize(
    ("row", "label", "found"),
    [
        (0, "sad", "predicted is 'sadness', the largest probability is p_happiness"),
        (1, "sad", "predicted is 'sadness', the largest probability is shared by p_happiness, p_sadness"),
        (2, "contempt", "predicted is 'contempt', the largest probability is p_happiness"),
    ],
)
def test_a_stated_label_never_beats_the_probabilities(row: int, label: str, found: str) -> None:
    said = [label if other == row else None for other in range(4)]
    columns = {
        "target": NAMES, "predicted": said, "p_happy": [0.6, 0.5, 0.9, 0.5], "p_sad": [0.4, 0.5, 0.1, 0.5],
    }  # fmt: skip
    with pytest.raises(UserError) as caught:
        valid(columns)
    assert (caught.value.where, caught.value.found) == (f"P target {NAMES[row]!r}", found)
    failed = ["no_face" if other == row else "ok" for other in range(4)]
    assert valid({**columns, "status": failed})["predicted"][row] is None


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any), min_size=1, max_size=6))
def test_predictions_of_a_run_read_back_unchanged(votes: list[list[int]]) -> None:
    """Rows as predict writes them, failures among them; who wins is counted in whole votes.

    The outputs are declared in an order of the model's own: each value stays in the column of its name.
    """
    labels = ("happiness", "sadness", "fear")
    model = Model("probe", "probe", None, Pipeline(lambda clips: [], labels, ("valence", "labels")))
    names = [*map(str, range(len(votes))), "no face", "broken", "undecodable"]
    hearings, last = Hearings(model, names), len(names)
    shares = [torch.tensor([row], dtype=torch.float64) / sum(row) for row in votes]
    said = [Scores(np.zeros(1), {"labels": p, "valence": torch.tensor([-0.25])}) for p in shares]
    hearings.hear(to_rows(model, [(place, 0) for place in range(len(votes))], said))
    hearings.targets[last - 2].fail("model_error", "the model returned a value that is not finite")
    hearings.targets[last - 1].fail_decoding(MediaFault("no picture"))
    ends = [*[(0, None)] * len(votes), (None, "not_detected"), (0, None)]
    table = prediction_rows(model, hearings, [*ends, (None, None)], sought=True)
    winners = [[label for label, n in zip(labels, row, strict=True) if n == max(row)] for row in votes]
    expected = [won[0] if len(won) == 1 else None for won in winners]
    assert table["predicted"].to_pylist() == [*expected, None, None, None]
    assert table["valence"].to_pylist() == [-0.25] * len(votes) + [None] * 3
    assert table["stage"].to_pylist()[len(votes) :] == ["not_detected", "model_error", "decode_error"]
    targets = make(names)
    with TemporaryDirectory() as folder:
        write_table(table, Path(folder) / "predictions.parquet")
        again = read_predictions(Path(folder) / "predictions.parquet", targets)
    assert again.equals(table)


def test_only_ok_rows_decide() -> None:
    rows = valid(
        {
            "target": NAMES, "status": ["ok", "no_face", "abstained", "model_error"],
            "predicted": ["happy", "sad", "sad", "sad"], "p_happy": [1.0, None, 0.2, float("nan")],
            "fault": [None, "dark", "", None],
        }
    )  # fmt: skip
    assert rows["predicted"] == ["happiness", None, None, None]
    assert rows["fault"] == [None, "dark", None, None]
    assert rows["p_happiness"][1] is None


def test_outputs_alone_suffice() -> None:
    assert valid({"target": NAMES, "au_04": [1, 0, None, 1]})["au_04"] == [1.0, 0.0, None, 1.0]


def test_probability_of_an_emotion_outside_the_space_is_kept() -> None:
    rows = valid({"target": NAMES, "p_happy": [0.0] * 4, "p_contempt": [1.0] * 4})
    assert rows["predicted"] == ["contempt"] * 4


def test_targets_without_labels_take_any_label() -> None:
    rows = valid({"target": NAMES, "predicted": ["bored"] * 4, "p_bored": [1] * 4}, make(NAMES, None))
    assert rows["predicted"] == ["bored"] * 4


def test_other_columns_are_not_read() -> None:
    columns = {"target": NAMES, "predicted": ["sad"] * 4}
    others = {"path": ["x"] * 4, "box": [[0, 1]] * 4, "features": [b"\xff"] * 4, "": [0, 1, 2, 3]}
    assert valid({**columns, **others}) == valid(columns)


@pytest.mark.parametrize("dimension", ["valence", "arousal", "dominance"])
def test_affect_may_overshoot_but_not_be_on_another_scale(dimension: str) -> None:
    values = [-2.0, 2.0, None, float("nan")]
    assert valid({"target": NAMES, dimension: values})[dimension][:3] == [-2.0, 2.0, None]
    for value in (7, -2.001):
        with pytest.raises(
            UserError, match=rf"P target 'b': {dimension} is {value}\. .*Rescale the column to"
        ):
            valid({"target": NAMES, dimension: [0.0, value, None, 0.1]})
    assert valid({"target": NAMES, "au_04": [5.0] * 4})["au_04"] == [5.0] * 4


@pytest.mark.parametrize("tolerated", [0.0009, -0.0009])
def test_sum_within_a_thousandth(tolerated: float) -> None:
    columns = {"target": NAMES, "p_happy": [1 + tolerated] * 4, "p_sad": [0.0] * 4}
    assert valid(columns)["predicted"] == ["happiness"] * 4
    with pytest.raises(UserError, match="P target 'a': the least probability is 0 and they sum to"):
        valid({**columns, "p_happy": [1 + 1.2 * tolerated] * 4})


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_row_with_status_ok_has_every_probability(value: float | None) -> None:
    columns = {"target": NAMES, "p_happy": [1, 1, value, 1], "p_sad": [0, 0, 0, 0]}
    with pytest.raises(UserError, match="P target 'c': a probability is empty, NaN or infinite"):
        valid(columns)
    assert valid({**columns, "status": ["ok", "ok", "abstained", "ok"]})["predicted"][2] is None


def test_no_rows_at_all() -> None:
    empty = pa.table({"target": pa.array([], pa.string()), "predicted": pa.array([], pa.string())})
    with pytest.raises(UserError, match="no row for 4 of 4 targets: a, b, c and 1 more"):
        validate_predictions(empty, TARGETS, "P")


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([[0.2, 0.8], [0.8, 0.2]], [1, 0]),
        ([[0.5, 0.5], [0.4, 0.4]], [-1, -1]),
        ([[np.nan, 1.0], [np.nan, np.nan]], [-1, -1]),
        ([[0.0, 0.0, 0.0]], [-1]),
        ([[0.3, 0.4, 0.3]], [1]),
    ],
)
def test_decide(probabilities: list[list[float]], expected: list[int]) -> None:
    assert decide(np.array(probabilities)).tolist() == expected


def test_decide_without_labels() -> None:
    assert decide(np.empty((3, 0))).tolist() == [-1, -1, -1]


STATUS = st.sampled_from(sorted(STATUSES))


NAME = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=3)


@given(st.lists(NAME, unique=True, min_size=1, max_size=6), st.data())
def test_valid_tables_are_total(names: list[str], data: st.DataObject) -> None:
    """One row per target, in their order, whatever happened; no status but ok ever has a decision."""
    targets = make(names)
    order = data.draw(st.permutations(names))
    status = data.draw(st.lists(STATUS, min_size=len(names), max_size=len(names)))
    label = st.none() | st.sampled_from(["happy", "sad", "contempt"])
    said = data.draw(st.lists(label, min_size=len(names), max_size=len(names)))
    table = pa.table({"target": order, "status": status, "predicted": pa.array(said, pa.string())})
    rows = validate_predictions(table, targets, "P")
    assert rows["target"].to_pylist() == names
    by_target = dict(zip(order, zip(status, said, strict=True), strict=True))
    for row in rows.to_pylist():
        was, word = by_target[row["target"]]
        assert row["status"] == was
        assert (row["predicted"] is None) == (was != "ok" or word is None)
    assert validate_predictions(rows, targets, "P").equals(rows)


@given(st.lists(st.sampled_from(NAMES), max_size=6))
def test_a_table_is_total_or_refused(names: list[str]) -> None:
    table = pa.table({"target": pa.array(names, pa.string()), "valence": [0.0] * len(names)})
    if sorted(names) == NAMES:
        assert validate_predictions(table, TARGETS, "P")["target"].to_pylist() == NAMES
    else:
        with pytest.raises(UserError, match=r"was already in row|no row for"):
            validate_predictions(table, TARGETS, "P")


def test_read_with_mapped_columns(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,top1,predicted\na,sad,x\nb,sad,x\nc,sad,x\nd,happy,x\n", encoding="utf-8")
    table = read_predictions(path, TARGETS, {"target": "id", "predicted": "top1"})
    assert table["predicted"].to_pylist() == ["sadness"] * 3 + ["happiness"]


@pytest.mark.parametrize(
    ("mapping", "found"),
    [
        (
            {"predcited": "top1"},
            "mapped to 'predcited', which predictions do not have. Did you mean 'predicted'",
        ),
        ({"predicted": "top1", "fault": "top1"}, "column 'top1' is mapped twice"),
        ({"predicted": "top2"}, "column 'top2' is missing. Did you mean 'top1'"),
    ],
)
def test_mapping_that_does_not_hold(mapping: dict[str, str], found: str, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("target,top1\na,sad\n", encoding="utf-8")
    with pytest.raises(UserError, match=found):
        read_predictions(path, TARGETS, mapping)
