"""Curves: points as scikit-learn and sorted rows have them, and nothing of a small group to be worked out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.calibration import calibration_curve

from bench.judge import curves as module
from bench.judge.curves import Curves
from bench.judge.score import Cell, judge
from tests.judge.graded import graded_cell
from tests.judge.made import LABELS, make_cell, make_suite, make_targets, row

SLICES = ("sex", "light", ("sex", "light"))
BOTH = ("ece", "aurc")


def curves_of(cell: Cell, slices: Any = SLICES, metrics: Any = BOTH) -> tuple[pd.DataFrame, pa.Table]:
    found = Curves()
    table = judge([cell], make_suite(slices=slices, metrics=metrics), found)
    return found.table().to_pandas(), table


def read_rows(cell: Cell) -> pd.DataFrame:
    """The rows with label and probabilities: confidence, whether right, subject, sex and light as sliced."""
    said = cell.predictions.to_pandas().drop(columns="target")
    frame = pd.concat([cell.targets.table.to_pandas(), said], axis=1)
    frame = frame[(frame["status"] == "ok") & frame["label"].notna()]
    names = [name for name in frame if name.startswith("p_")]
    frame["confidence"] = frame[names].max(axis=1)
    frame["right"] = frame["predicted"].fillna("") == frame["label"]
    frame["light"] = frame["light"].fillna("unmeasured")
    frame["sex&light"] = frame["sex"] + "&" + frame["light"]
    frame["bin"] = np.searchsorted(np.arange(1, 15) / 15, frame["confidence"])
    return frame


def of(frame: pd.DataFrame, slice_: str | None, value: str | None) -> pd.DataFrame:
    return frame if slice_ is None else frame[frame[slice_] == value]


@pytest.mark.parametrize("public", [True, False])
def test_reliability_is_that_of_scikit_learn_and_sums_to_the_ece(public: bool) -> None:
    cell = graded_cell(1, 1500, 60, attributes_public=public)
    points, estimates = curves_of(cell, slices=("sex",))
    rows = read_rows(cell)
    for value in (None, "female", "male"):
        mine = points[(points["curve"] == "reliability") & (points["value"].isna() if value is None
                      else points["value"] == value)]  # fmt: skip
        assert len(mine) == 15
        there, part = mine[mine["n"] > 0], of(rows, value and "sex", value)
        accuracy, confidence = calibration_curve(part["right"], part["confidence"], n_bins=15)
        np.testing.assert_allclose(there["y"].astype(float), accuracy, atol=1e-12)
        np.testing.assert_allclose(there["x"].astype(float), confidence, atol=1e-12)
        assert there["n"].sum() == len(part)
        error = (there["n"] * abs(there["y"] - there["x"])).sum() / len(part)
        known = row(estimates, metric="ece", value=value, slice=value and "sex")
        assert error == pytest.approx(known["estimate"], abs=1e-12)
        empty = mine[mine["n"] == 0]
        assert len(empty)
        assert empty[["x", "y"]].isna().all(axis=None)


def test_risk_and_coverage_are_those_of_sorted_rows() -> None:
    cell = graded_cell(2, 900, 50, attributes_public=True)
    points, _ = curves_of(cell)
    rows = read_rows(cell)
    mine = points[points["curve"] == "risk_coverage"]
    for (slice_, value), curve in mine.groupby(["slice", "value"], dropna=False):
        part = of(rows, None if pd.isna(slice_) else slice_, value).sort_values("confidence", ascending=False)
        wrong = np.cumsum(~part["right"].to_numpy())
        assert curve["n"].is_monotonic_increasing
        assert curve["low"].is_monotonic_decreasing
        for p in curve.itertuples():
            assert (part["confidence"] >= p.low).sum() == p.n
            assert p.x == pytest.approx(p.n / len(part), abs=1e-12)
            assert p.y == pytest.approx(wrong[p.n - 1] / p.n, abs=1e-12)
        assert curve["x"].iloc[-1] == 1
    assert mine.groupby(["slice", "value"]).ngroups == 10


def test_the_whole_has_the_steps_of_aurc_also_where_values_have_those_of_reliability() -> None:
    public, _ = curves_of(graded_cell(2, 900, 50, attributes_public=True))
    private, _ = curves_of(graded_cell(2, 900, 50))
    steps = [c[(c["curve"] == "risk_coverage") & c["slice"].isna()] for c in (public, private)]
    one, other = (frame.reset_index(drop=True) for frame in steps)
    pd.testing.assert_frame_equal(one, other, check_dtype=False)
    assert len(steps[0]) > 40
    cut = private[(private["curve"] == "risk_coverage") & (private["slice"] == "sex")]
    edges = np.append(0, np.nextafter(np.arange(1, 15) / 15, 1))
    assert set(cut["low"]) <= set(edges)


def test_what_is_not_asked_for_or_cannot_be_made_is_not_there() -> None:
    cell = graded_cell(3, 600, 50)
    assert set(curves_of(cell, metrics=("accuracy", "brier"))[0]["curve"]) == {"confusion"}
    assert curves_of(cell, metrics=("brier",))[0].empty
    assert set(curves_of(cell, metrics=("aurc",))[0]["curve"]) == {"risk_coverage"}
    hard = make_cell(cell.targets, {"predicted": ["fear"] * len(cell.targets)})
    assert curves_of(hard)[0].empty


def test_values_that_are_not_reportable_have_no_curve_and_the_whole_says_so() -> None:
    cell = graded_cell(4, 400, 18, attributes_public=True)
    points, _ = curves_of(cell)
    assert points["slice"].isna().all()
    assert set(points["status"]) == {"insufficient"}


def columns(frame: pd.DataFrame, points: pd.DataFrame, estimates: pa.Table) -> list[np.ndarray]:
    """Which rows every shown number is a sum over: points, sums over values, bins of the whole."""
    found = [(frame["bin"] == b).to_numpy(float) for b in range(15)]
    sums = [r for r in estimates.to_pylist() if (r["kind"], r["metric"]) == ("value", "ece") and r["slice"]]
    sums = [r for r in sums if r["status"] != "suppressed"]
    found += [(frame[r["slice"]] == r["value"]).to_numpy(float) for r in sums]
    shown = points[(points["status"] != "suppressed") & points["slice"].notna()]
    for p in shown.itertuples():
        mine = (frame[p.slice] == p.value).to_numpy()
        confidence = frame["confidence"].to_numpy()
        inside = confidence >= p.low
        if p.curve == "reliability":
            inside = (confidence <= p.high) & ((confidence > p.low) | (p.low == 0))
        assert (mine & inside).sum() == p.n
        found.append((mine & inside).astype(float))
    return found


def follows(found: list[np.ndarray], wanted: np.ndarray, cell: np.ndarray) -> bool:
    """Whether a sum over rows is a combination of others, whatever the rows hold (one number a ``cell``)."""
    kinds, place, times = np.unique(cell, return_inverse=True, return_counts=True)
    known = np.stack([np.bincount(place, each, len(kinds)) / times for each in found], axis=1)
    target = np.bincount(place, wanted, len(kinds)) / times
    rest = target - known @ np.linalg.lstsq(known, target, rcond=None)[0]
    return bool(abs(rest).max() < 1e-8)


@pytest.mark.parametrize("seed", [1, 5, 6])
def test_no_bin_of_few_people_follows_from_what_is_shown(seed: int) -> None:
    cell = graded_cell(seed, 1200, 44)
    points, estimates = curves_of(cell)
    frame = read_rows(cell)
    found = columns(frame, points, estimates)
    combination = (frame["sex&light"] + "/" + frame["bin"].astype(str)).to_numpy()
    few, spared = [], []
    for slice_ in ("sex", "light", "sex&light"):
        for (value, place), part in frame.groupby([slice_, "bin"]):
            inside = ((frame[slice_] == value) & (frame["bin"] == place)).to_numpy(float)
            if part["subject"].nunique() < 5:
                few.append(inside)
            else:
                spared.append(inside)
    assert len(few) > 10
    assert not [1 for inside in few if follows(found, inside, combination)]
    # Were the bins of few alone withheld, some would follow.
    assert any(follows([*found, *spared], inside, combination) for inside in few)


def test_every_shown_bin_has_people_enough_or_none() -> None:
    cell = graded_cell(5, 1200, 44)
    points, _ = curves_of(cell)
    frame = read_rows(cell)
    shown = points[(points["curve"] == "reliability") & points["slice"].notna() & points["n"].gt(0)]
    assert len(shown) > 20
    for p in shown.itertuples():
        inside = frame[(frame[p.slice] == p.value) & (frame["bin"] == round(p.low * 15))]
        assert inside["subject"].nunique() >= 5
    gone = points[points["status"] == "suppressed"]
    assert len(gone) > 10
    assert gone[["x", "y", "n"]].isna().all(axis=None)


def test_a_withheld_value_has_no_curve_and_what_hides_it_has_none() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(["w", "x", "y", "z"], [900, 900, 600, 90])
    subject = [f"{g}{i % {'w': 30, 'x': 30, 'y': 25, 'z': 3}[g]}" for i, g in enumerate(group)]
    label = rng.choice(LABELS, len(group))
    targets = make_targets({"subject": subject, "label": label, "g": group})
    p = rng.dirichlet([1] * 4, len(group))
    cell = make_cell(targets, {f"p_{name}": p[:, k] for k, name in enumerate(LABELS)})
    points, estimates = curves_of(cell, slices=("g",))
    hidden = {r["value"] for r in estimates.to_pylist() if r["metric"] == "ece" and r["status"] == "suppressed"
              and r["kind"] == "value"}  # fmt: skip
    assert hidden == {"y", "z"}
    assert set(points["value"].dropna()) == {"w", "x"}


@pytest.mark.parametrize("limit", ["MOST_CELLS", "MOST_CELL_COMBINATIONS"])
def test_beyond_what_can_be_solved_all_bins_of_values_are_withheld(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(module, limit, 3)
    points, _ = curves_of(graded_cell(5, 1200, 44))
    cut = points[points["slice"].notna() & (points["curve"] == "reliability")]
    assert set(cut["status"]) == {"suppressed"}
    assert "suppressed" not in set(points[points["slice"].isna()]["status"])


def test_a_table_of_too_many_values_withholds_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "tabulate", lambda slices: None)
    points, _ = curves_of(graded_cell(5, 1200, 44))
    assert set(points[points["slice"].notna()]["status"]) == {"suppressed"}


def test_rows_that_are_clusters_of_their_own_are_counted_as_people() -> None:
    cell = graded_cell(7, 500, 40, cluster_unit="clip")
    points, _ = curves_of(cell, slices=("sex",))
    mine = points[(points["curve"] == "reliability") & points["slice"].notna()]
    assert mine["n"].dropna().map(lambda n: n == 0 or n >= 5).all()
    assert "suppressed" in set(mine["status"])
