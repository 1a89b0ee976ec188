"""Grids: counts as scikit-learn and numpy have them, and nothing of a few people to be worked out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from bench.judge.atoms import Strata
from bench.judge.curves import Curves
from bench.judge.grids import count_places, withheld_places
from bench.judge.score import Cell, judge
from tests.judge.made import FLOOR, LABELS, frame, make_cell, make_suite, make_targets, random_cell

K = len(LABELS)
AFFECT = ("ccc_valence", "ccc_arousal")


def grids_of(cell: Cell, metrics: tuple[str, ...] = ("accuracy",), **fields: Any) -> pd.DataFrame:
    found = Curves()
    judge([cell], make_suite(metrics=metrics, **fields), found)
    return found.table().to_pandas()


def plane_cell(seed: int, rows: int, people: int, **facts: Any) -> Cell:
    """Valence and arousal on a few hundredths, edges of squares among them, with misses and empty labels."""
    rng = np.random.default_rng(seed)
    truth = np.round(np.clip(rng.normal(0, 0.5, (rows, 2)), -1, 1), 2)
    truth[:40] = rng.choice([-1, -0.25, 0, 0.25, 1], (40, 2))
    said = np.clip(0.6 * truth + rng.normal(0, 0.2, (rows, 2)), -1, 1)
    status = rng.choice(["ok", "no_face", "decode_error"], rows, p=[0.9, 0.06, 0.04])
    names = ("valence", "arousal")
    empty = rng.random((rows, 2)) < 0.03
    targets = make_targets(
        {"subject": [f"s{i % people:03d}" for i in range(rows)]}
        | {n: [None if e else float(v) for v, e in zip(truth[:, k], empty[:, k], strict=True)]
           for k, n in enumerate(names)},
        **facts,
    )  # fmt: skip
    ok = status == "ok"
    return make_cell(
        targets, {"status": status} | {n: np.where(ok, said[:, k], np.nan) for k, n in enumerate(names)}
    )


def by_hand(cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels (N, 2), outputs (N, 2) and people of the rows that have both."""
    table = pd.concat(
        [
            cell.targets.table.to_pandas(),
            cell.predictions.to_pandas().drop(columns="target").add_prefix("said_"),
        ],
        axis=1,
    )
    rows = table[(table["said_status"] == "ok")].dropna(
        subset=["valence", "arousal", "said_valence", "said_arousal"]
    )
    return (rows[["valence", "arousal"]].to_numpy(float), rows[["said_valence", "said_arousal"]].to_numpy(float),
            rows["subject"].to_numpy())  # fmt: skip


def test_confusions_are_those_of_scikit_learn() -> None:
    cell = random_cell(1, 700, 60, attributes_public=True)
    rows = frame(cell)
    kept = (rows["status"] != "decode_error") & np.array([label is not None for label in rows["label"]])
    truth = [LABELS.index(label) for label in rows["label"][kept]]
    said = [LABELS.index(d) if d is not None and s == "ok" else K
            for d, s in zip(rows["decision"][kept], rows["status"][kept], strict=True)]  # fmt: skip
    expected = confusion_matrix(truth, said, labels=range(K + 1))[:K]
    found = grids_of(cell)
    assert set(found["curve"]) == {"confusion"}
    counts = found.pivot(index="low", columns="high", values="n").to_numpy()
    np.testing.assert_array_equal(counts, expected)
    shares = found.pivot(index="low", columns="high", values="x").to_numpy()
    np.testing.assert_allclose(shares, expected / expected.sum(axis=1, keepdims=True), atol=1e-15)
    assert (found["status"] == "reportable").all()
    assert expected[:, K].sum() > 20  # misses are there


def test_planes_are_those_of_numpy() -> None:
    cell = plane_cell(2, 900, 60, attributes_public=True)
    truth, said, _ = by_hand(cell)
    found = grids_of(cell, AFFECT)
    edges = np.linspace(-1, 1, 9)
    for curve, values in (("affect_labels", truth), ("affect_outputs", said)):
        mine = found[found["curve"] == curve].pivot(index="low", columns="high", values="n").to_numpy()
        np.testing.assert_array_equal(mine, np.histogram2d(*values.T, bins=[edges, edges])[0])
    upper = truth >= 0
    for curve, values in (("quadrant_labels", truth), ("quadrant_outputs", said)):
        for point in found[found["curve"] == curve].itertuples():
            inside = (upper == [point.low == 0, point.high == 0]).all(axis=1)
            assert point.n == inside.sum() > 0
            np.testing.assert_allclose([point.x, point.y], values[inside].mean(axis=0), atol=1e-12)


def follows(target: np.ndarray, shown: np.ndarray) -> bool:
    """Whether a sum over places is a combination of shown ones, by least squares."""
    solved = np.linalg.lstsq(shown.T, target, rcond=None)[0]
    return bool(np.abs(shown.T @ solved - target).max() < 1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_confusions_of_a_few_people_cannot_be_worked_out(seed: int) -> None:
    cell = random_cell(seed, 420, 40)
    rows = frame(cell)
    people: dict[tuple[int, int], set[str]] = {}
    for label, said, status, who in zip(
        rows["label"], rows["decision"], rows["status"], rows["subject"], strict=True
    ):
        if label is not None and status != "decode_error":
            at = LABELS.index(label), LABELS.index(said) if said is not None and status == "ok" else K
            people.setdefault(at, set()).add(who)
    few = {at for at, found in people.items() if len(found) < FLOOR}
    assert few
    found = grids_of(cell)
    gone = {(int(p.low), int(p.high)) for p in found.itertuples() if p.status == "suppressed"}
    assert few <= gone
    assert found[found["status"] == "suppressed"][["x", "y", "n"]].isna().all(axis=None)
    assert len(gone) < K * (K + 1) - 6
    at = [(t, s) for t in range(K) for s in range(K + 1)]
    unit = np.eye(len(at))
    margins = [
        [place[axis] == value for place in at] for axis, side in ((0, K), (1, K + 1)) for value in range(side)
    ]
    diagonal = [unit[at.index((k, k))] for k in range(K)]
    known = np.array([*(unit[i] for i, place in enumerate(at) if place not in gone), *margins], float)
    for place in few:
        more = [] if place[0] == place[1] else diagonal
        assert not follows(unit[at.index(place)], np.array([*known, *more])), place


def test_squares_of_a_few_people_cannot_be_worked_out() -> None:
    cell = plane_cell(3, 500, 50)
    truth, _, who = by_hand(cell)
    found = grids_of(cell, AFFECT)
    mine = found[found["curve"] == "affect_labels"]
    place = np.minimum(np.floor((truth + 1) / 0.25), 7)
    few = 0
    for point in mine.itertuples():
        inside = (place == [(point.low + 1) / 0.25, (point.high + 1) / 0.25]).all(axis=1)
        if 0 < len(set(who[inside])) < FLOOR:
            few += 1
            assert point.status == "suppressed"
    gone = (mine["status"] == "suppressed").sum()
    assert 1 < few <= gone < 40
    assert (found[found["curve"] == "quadrant_labels"]["status"] == "reportable").all()


def test_a_quadrant_of_a_few_people_is_withheld_with_another() -> None:
    truth = np.array([[0.5, 0.5]] * 40 + [[-0.5, 0.5]] * 30 + [[-0.5, -0.5]] * 20 + [[0.5, -0.5]] * 3)
    targets = make_targets({
        "subject": [f"s{i}" for i in range(len(truth))], "valence": truth[:, 0], "arousal": truth[:, 1],
    })  # fmt: skip
    cell = make_cell(targets, {"valence": truth[:, 0], "arousal": truth[:, 1]})
    found = grids_of(cell, AFFECT)
    for curve in ("quadrant_labels", "quadrant_outputs"):
        mine = found[found["curve"] == curve]
        gone = {(p.low, p.high) for p in mine.itertuples() if p.status == "suppressed"}
        assert gone == {(0, -1), (-1, -1)}  # the smallest of the others covers it
    # Nor do squares tell: that of the few is withheld, and one more, since all rows are known.
    squares = found[(found["curve"] == "affect_labels") & (found["status"] == "suppressed")]
    assert (0.5, -0.5) in set(zip(squares["low"], squares["high"], strict=True))
    assert len(squares) == 2


def test_what_was_not_asked_for_is_not_there() -> None:
    cell = plane_cell(4, 300, 40)
    assert grids_of(cell, ("ccc_valence",)).empty
    both = random_cell(5, 300, 40)
    assert grids_of(both, ("rmse_valence",)).empty
    assert grids_of(Cell(**{**vars(both), "condition": "low_light", "severity": 1, "where": "frame"}),
                    conditions=({"perturb": "low_light"},)).empty  # fmt: skip


def test_too_many_places_are_withheld_altogether() -> None:
    code = np.repeat(np.arange(1200), 10)
    strata = Strata(np.arange(len(code)), np.arange(len(code)), None)
    found = count_places(code[:-9], 1200, strata, FLOOR)
    assert withheld_places(found, [np.ones((1, 1200))], (np.zeros(1200, int),), FLOOR).all()
    whole = count_places(code, 1200, strata, FLOOR)
    assert not withheld_places(whole, [np.ones((1, 1200))], (np.zeros(1200, int),), FLOOR).any()
