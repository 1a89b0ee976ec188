"""Two models on frames of the same clips: what is compared is of the same steps, or said not to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from bench.judge.comparison import compare
from tests.judge.made import make_cell, make_suite, make_targets

CLIPS, LONG = 30, 8
TARGETS = make_targets({
    "subject": [f"s{i:02d}" for i in range(CLIPS)], "label": ["fear", "neutral"] * (CLIPS // 2),
    "sex": ["f"] * (CLIPS // 2) + ["m"] * (CLIPS // 2),
})  # fmt: skip


def cell(model, times, missed=(), seed=0, order=None):
    """Frames of every clip at the times (CLIPS, LONG); ``missed`` (clip, frame) have no face."""
    rng = np.random.default_rng(seed)
    p = rng.random(times.shape)
    status = np.full(times.shape, "ok", object)
    for place in missed:
        status[place] = "no_face"
    seen = (status == "ok").ravel()
    names = TARGETS.table["target"].to_pylist()
    table = pa.table({
        "target": np.repeat(names, times.shape[1]), "timestamp": times.ravel(),
        "track": pa.array(np.where(seen, 0, None), pa.int64()), "status": status.ravel(),
        "p_fear": pa.array(np.where(seen, p.ravel(), None), pa.float64()),
        "p_neutral": pa.array(np.where(seen, 1 - p.ravel(), None), pa.float64()),
    })  # fmt: skip
    table = table if order is None else table.take(order)
    mean = np.where(seen.reshape(p.shape), p, np.nan)
    mean = np.nanmean(mean, axis=1)
    made = make_cell(TARGETS, {"p_fear": mean, "p_neutral": 1 - mean}, model=model)
    return replace(made, frames_table=lambda: table)


def judged(new, old, metric="flip_rate"):
    suite = make_suite(slices=("sex",), metrics=(metric,), slice_rule={"clusters": 10})
    found = {each.row["value"]: each for each in compare([(new, old)], suite, margin=0.9)}
    return {value: (each.non_inferior, each.row["warning"] or "") for value, each in found.items()}


TIMES = np.tile(np.arange(LONG) / 25, (CLIPS, 1))


@pytest.mark.parametrize("metric", ["flip_rate", "jitter"])
def test_as_many_steps_between_other_frames_are_not_the_same_and_the_first_is_named(metric):
    other = TIMES.copy()
    other[20:, 3] += 0.01
    found = judged(cell("n", TIMES, seed=1), cell("o", other), metric)
    told = (
        "not the same steps from frame to frame: others in 10 rows, the first 't000020': "
        "from timestamp 0.08 to 0.12 of the new model, from timestamp 0.08 to 0.13 of the old"
    )
    assert found[None] == found["m"] == ("inconclusive", told)
    assert found["f"] == ("yes", "")


def test_as_many_steps_around_other_missed_frames_are_not_the_same():
    found = judged(cell("n", TIMES, missed=[(2, 3)], seed=1), cell("o", TIMES, missed=[(2, 5)]))
    told = (
        "not the same steps from frame to frame: others in 1 row, the first 't000002': "
        "from timestamp 0.16 to 0.2 of the new model, from timestamp 0.08 to 0.12 of the old"
    )  # the third step: 2-3 and 3-4 are lost to the new model, so that it is 4-5
    assert found["f"] == found[None] == ("inconclusive", told)
    assert found["m"] == ("yes", "")


def test_fewer_frames_are_other_steps():
    found = judged(cell("n", TIMES[:, :5]), cell("o", TIMES))
    told = (
        "others in 30 rows, the first 't000000': none of the new model, from timestamp 0.16 to 0.2 of the old"
    )
    assert found[None][0] == "inconclusive"
    assert told in found[None][1]


def test_the_same_frames_are_the_same_in_any_order_and_in_single_precision():
    order = np.random.default_rng(3).permutation(CLIPS * LONG)
    new = cell("n", TIMES.astype(np.float32).astype(np.float64), missed=[(2, 3)], seed=1, order=order)
    assert judged(new, cell("o", TIMES, missed=[(2, 3)])) == dict.fromkeys((None, "f", "m"), ("yes", ""))
