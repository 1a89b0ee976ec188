"""Metrics that follow frames where a condition changes when frames are shown: by hand, over a film that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from bench.errors import UserError
from bench.folder import RunFolder
from bench.judge.metrics import METRICS
from bench.judge.score import Cell as Judged
from bench.judge.score import judge, read_cell
from bench.judge.temporal import stepped
from bench.predict.cell import CLEAN, Cell, Harm, Store
from bench.predict.clip import Clip, Scores
from bench.predict.film import Film
from bench.predict.perturb import FILM_PERTURBATIONS
from bench.predict.plan import refuse_frame_targets
from bench.predict.run import Options, predict_cells
from bench.spec import Facts
from bench.tables import Targets, validate_targets
from tests.judge.followed import value
from tests.judge.made import make_suite
from tests.predict.made import CPU, model_of, targets_of

FRAMES, ONSET, RATE = 27, 13, 30.0
"""The picture is dark before frame 13, and bright from there on."""


def says_when_bright(clips: Sequence[Clip]) -> list[Scores]:
    """The first label of a bright frame, sure of it; the second of a dark one."""
    bright = [(clip.frames.double().mean((1, 2, 3)) > 20 + 8 * (ONSET - 0.5)).double() for clip in clips]
    outputs = [torch.stack([level, 1 - level], dim=1) for level in bright]
    return [Scores(clip.times, {"labels": out}) for clip, out in zip(clips, outputs, strict=True)]


@pytest.fixture
def judged(tmp_path: Path, film: Callable[..., Path]) -> Callable[[Harm], Judged]:
    """The cell of a run over the film under a condition, as it is judged."""
    film("a.mp4", frames=FRAMES)
    targets = targets_of(tmp_path, ["a.mp4"])

    def run(harm: Harm) -> Judged:
        store = Store(
            RunFolder(tmp_path / "run"), Cell(model_of(says_when_bright), "t", targets, harm, 0, "fp32"), 1
        )
        predict_cells(RunFolder(tmp_path / "run"), [store], Options(CPU))
        predictions, frames = pq.read_table(store.folder.predictions), pq.read_table(store.folder.frames)
        where = {"condition": harm.name, "severity": harm.severity, "where": harm.where}
        return Judged(
            "probe", "t", **where, targets=targets, predictions=predictions, frames_table=lambda: frames
        )

    return run


def changes(cell: Judged) -> tuple[list[tuple[float, float]], int]:
    """From when to when the answer changes, and how many steps there are."""
    metric = METRICS["jitter"]
    rows = read_cell(cell, [metric])
    _, times = stepped(rows, metric.key)
    assert rows.sequences is not None
    said = rows.sequences.said
    assert said is not None
    return [tuple(step) for step in times[np.diff(said) != 0]], len(times)


@pytest.mark.parametrize(
    ("harm", "flips"),
    [
        (CLEAN, [(12 / 30, 13 / 30)]),
        # Of every 200 ms, which are six frames, the first is held: 12 is until frame 18 comes.
        (Harm("frame_rate", 4, "frame"), [(17 / 30, 18 / 30)]),
        # Of every 400 ms: 12 is held until 24.
        (Harm("frame_rate", 5, "frame"), [(23 / 30, 24 / 30)]),
        (Harm("speed", 3, "frame"), [(12 / 60, 13 / 60)]),  # twice as fast
        (Harm("speed", 5, "frame"), [(12 / 120, 13 / 120)]),
        (Harm("reversed", 5, "frame"), [(13 / 30, 14 / 30)]),  # 26, ..., 13 | 12, ..., 0
        (Harm("shuffled", 1, "frame"), [(12 / 30, 13 / 30), (25 / 30, 26 / 30)]),  # 14, ..., 26 | 0, ..., 13
    ],
)  # fmt: skip
def test_an_answer_changes_when_it_is_seen_to(
    judged: Callable[[Harm], Judged], harm: Harm, flips: list[tuple[float, float]]
) -> None:
    cell = judged(harm)
    found, steps = changes(cell)
    assert found == [pytest.approx(flip, abs=1e-6) for flip in flips]
    assert steps == FRAMES - 1
    assert value(cell, "flip_rate") == pytest.approx(len(flips) / steps, abs=1e-12)
    assert value(cell, "jitter") == pytest.approx(len(flips) / steps, abs=1e-12)


@pytest.mark.parametrize("name", ["dropped_frames", "jitter", "frozen"])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_what_chance_draws_is_followed_at_the_times_it_drew(
    judged: Callable[[Harm], Judged], name: str, severity: int
) -> None:
    plain = Film("a.mp4", np.arange(FRAMES) / RATE, np.arange(FRAMES), iter(()))
    planned = FILM_PERTURBATIONS[name](plain, severity, 0)
    after = np.flatnonzero(np.diff(planned.source >= ONSET)) + 1
    found, steps = changes(judged(Harm(name, severity, "frame")))
    assert found == [pytest.approx((planned.times[i - 1], planned.times[i]), abs=1e-6) for i in after]
    assert steps == FRAMES - 1


def test_onsets_of_labels_are_of_no_run_for_it_predicts_clips(judged: Callable[[Harm], Judged]) -> None:
    cell = judged(Harm("frame_rate", 4, "frame"))
    names = ("onset_lag", "onset_missed", "segment_agreement")
    for name in names:
        with pytest.raises(
            UserError, match=f"metric '{name}' needs the column 'clip', which t does not have"
        ):
            judge([cell], make_suite(metrics=(name,)))
    table = judge([cell], make_suite())
    assert not set(names) & set(table["metric"].to_pylist())
    frames = cell.targets.table.append_column("clip", pa.array(["a"])).append_column("frame", pa.array([3]))
    labelled: Targets = validate_targets(frames, Facts(name="t"), "T.csv", cell.targets.root)
    with pytest.raises(UserError, match="column 'frame' names frames inside videos"):
        refuse_frame_targets("t", labelled)
