"""Frames of clips with empty outputs: judge and audit mean the same person, and average what is there."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bench.judge.audit_temporal import _of_frames
from bench.judge.metrics import METRICS
from bench.judge.score import read_cell
from bench.tables.frame import joined
from tests.judge.followed import clips_cell, value
from tests.judge.test_temporal_frames import frames, predictions


def felt(*parts):
    """Parts of target number, timestamp, track and valence."""
    return {
        "target": [f"t{t:06d}" for t, *_ in parts],
        "timestamp": [float(time) for _, time, *_ in parts],
        "track": pa.array([track for *_, track, _ in parts], pa.int64()),
        "status": ["ok"] * len(parts),
        "valence": pa.array([v for *_, v in parts], pa.float64()),
    }


def both_say(cell, name="valence"):
    """What the judge and what the audit has of the person of each row at each time."""
    rows = read_cell(cell, [METRICS["jitter_valence"]])
    found = rows.sequences
    again = _of_frames(
        cell.frames_table(), joined(cell.targets.table, cell.predictions, cell.targets.facts)
    ).sort_values(["row", "at"])
    assert again["row"].tolist() == found.row.tolist()
    return found.outputs[name](), again[name].to_numpy(float)


@pytest.mark.parametrize(
    "of_stranger", [[-0.9, 0.9, -0.9, None], [None, None, None, None], [-0.9, None, 0.9, -0.9]]
)
def test_a_null_makes_no_stranger_the_person_meant(of_stranger):
    mine = [(0, t, 1, v) for t, v in enumerate([0.4, None, 0.6])]
    stranger = [(0, t, 0, v) for t, v in enumerate(of_stranger)]
    cell = clips_cell(felt(*mine, *stranger), {"valence": [0.5]})
    for said in both_say(cell):
        np.testing.assert_array_equal(said, [0.4, np.nan, 0.6, np.nan])


def test_a_column_that_only_one_side_has_is_infinitely_far_and_one_that_neither_has_is_left_aside():
    near, far, mean = (0.9, 0.1), (0.6, 0.4), (0.9, 0.1)
    parts = [(0, t, track, p) for t in range(3) for track, p in ((0, near), (1, far))]
    table = frames(*parts) | {"valence": pa.array([None, 0.1, None, 0.2, None, 0.3], pa.float64())}
    for valence, expected in ((0.2, [0.1, 0.2, 0.3]), (None, [np.nan] * 3)):
        cell = clips_cell(table, predictions(mean) | {"valence": pa.array([valence], pa.float64())})
        for said in both_say(cell):
            np.testing.assert_array_equal(said, expected)
        for said in both_say(cell, "p_happiness"):
            np.testing.assert_array_equal(said, [0.6 if valence else 0.9] * 3)


def test_of_overlapping_windows_the_mean_is_of_those_that_say_something():
    table = felt(
        (0, 0, 0, 0.2), (0, 1, 0, None), (0, 1, 0, 0.4), (0, 1, 0, 0.5), (0, 2, 0, None), (0, 2, 0, None)
    )
    cell = clips_cell(table, {"valence": [1.1 / 3]})
    for said in both_say(cell):
        np.testing.assert_allclose(said, [0.2, 0.45, np.nan], rtol=0, atol=1e-15)
    assert value(cell, "jitter_valence") == pytest.approx(0.25, abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_judge_and_audit_mean_the_same_person_whatever_is_null(seed):
    """Three tracks in windows that overlap, half of it null: the person planted is found by both."""
    rng = np.random.default_rng(seed)
    parts, means, planted = [], [], []
    for clip in range(40):
        said = rng.uniform(-1, 1, (3, 6))
        said[rng.random((3, 6)) < 0.5] = np.nan
        said[0, 0] = 0.5
        times = rng.integers(0, 4, 6)
        parts += [
            (clip, times[k], face, None if np.isnan(v) else v)
            for face in range(3)
            for k, v in enumerate(said[face])
        ]
        means.append(np.nanmean(said[0]))
        planted += [np.nanmean(at) if np.isfinite(at).any() else np.nan
                    for at in (said[0, times == t] for t in np.unique(times))]  # fmt: skip
    order = rng.permutation(len(parts))
    found = both_say(clips_cell(felt(*(parts[k] for k in order)), {"valence": means}))
    for said in found:
        np.testing.assert_allclose(said, planted, rtol=0, atol=1e-12)
