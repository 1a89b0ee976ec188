"""Frames of clips: whom a target means, what follows what, and frame tables from the command line's flag."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench import workflow
from bench.digest import digest_file
from bench.errors import UserError
from bench.judge.audit import audit
from bench.judge.score import judge
from bench.question import Question
from tests.judge.followed import clips_cell, sums, value
from tests.judge.made import LABELS, make_suite, make_targets, row
from tests.judge.scored import faults

A, B = (0.9, 0.1), (0.2, 0.8)


def frames(*parts, graded=True):
    """Parts of target number, timestamp, track, and the two probabilities, None where no face was found."""
    columns = {
        "target": [f"t{t:06d}" for t, *_ in parts],
        "timestamp": [float(time) for _, time, *_ in parts],
        "track": pa.array([track if p else None for _, _, track, p in parts], pa.int64()),
        "status": ["ok" if p else "no_face" for *_, p in parts],
    }
    if graded:
        columns["p_happiness"] = [p[0] if p else None for *_, p in parts]
        columns["p_sadness"] = [p[1] if p else None for *_, p in parts]
    return columns


def predictions(*means, status=None):
    return {
        "status": status or ["ok"] * len(means),
        "p_happiness": [None if m is None else m[0] for m in means],
        "p_sadness": [None if m is None else m[1] for m in means],
    }


def test_steps_are_between_sampled_frames_of_one_face_and_a_gap_is_compared_with_nothing():
    table = frames((0, 0, 0, A), (0, 1, 0, B), (0, 2, 0, None), (0, 3, 0, A), (0, 4, 0, A), (1, 0, 0, A))
    cell = clips_cell(table, predictions((0.725, 0.275), A))
    assert sums(cell, "flip_rate").tolist() == [[2, 1, 4, 1], [0, 0, 0, 0]]
    assert value(cell, "flip_rate") == 0.5
    assert value(cell, "jitter") == pytest.approx((0.7 + 0.0) / 2, abs=1e-15)
    found = row(judge([cell], make_suite(metrics=("flip_rate",))), metric="flip_rate")
    assert found["coverage"] == 0.5
    assert "1 row without successive frames left out" in found["warning"]


def test_the_order_of_frame_rows_does_not_matter():
    parts = [(0, t, 0, A if t % 3 else B) for t in range(10)] + [
        (1, t, 0, B if t % 2 else A) for t in range(10)
    ]
    mean = [np.mean([p for i, *_, p in parts if i == k], axis=0) for k in (0, 1)]
    cell = clips_cell(frames(*parts), predictions(*mean))
    order = np.random.default_rng(0).permutation(20)
    other = clips_cell(frames(*(parts[k] for k in order)), predictions(*mean))
    assert np.array_equal(sums(cell, "flip_rate"), sums(other, "flip_rate"))
    assert sums(cell, "flip_rate")[:, :2].tolist() == [[9, 6], [9, 9]]


def test_the_person_is_the_face_whose_mean_the_prediction_is_not_who_is_seen_most():
    steady = [(0, t, 0, A) for t in range(6)]
    lively = [(0, t, 1, A if t % 2 else B) for t in range(4)]
    mean = np.mean([p for *_, p in lively], axis=0)
    assert value(clips_cell(frames(*steady, *lively), predictions(mean)), "flip_rate") == 1.0
    assert value(clips_cell(frames(*steady, *lively), predictions(A)), "flip_rate") == 0.0


def test_of_faces_that_say_the_same_it_is_who_is_seen_most_then_the_first():
    few, many = [(0, t, 0, A) for t in range(3)], [(0, t, 1, A) for t in range(5)]
    assert sums(clips_cell(frames(*few, *many), predictions(A)), "flip_rate")[0, 0] == 4
    rising = [(0, t, 2, A if t < 2 else B) for t in range(4)]
    falling = [(0, t, 1, B if t in (1, 2) else A) for t in range(4)]
    mean = np.mean([A, A, B, B], axis=0)
    assert sums(clips_cell(frames(*rising, *falling), predictions(mean)), "flip_rate")[0, :2].tolist() == [
        3,
        2,
    ]


def test_what_overlapping_windows_say_of_one_frame_is_averaged():
    table = frames((0, 0, 0, A), (0, 1, 0, A), (0, 1, 0, (0.7, 0.3)), (0, 2, 0, B))
    cell = clips_cell(table, predictions((0.675, 0.325)))
    assert value(cell, "jitter") == pytest.approx((0.1 + 0.6) / 2, abs=1e-15)


def test_of_clips_without_an_output_no_step_counts_but_each_was_sampled():
    table = frames((0, 0, 0, A), (0, 1, 0, A), (1, 0, 0, None), (1, 1, 0, None), (2, 0, 0, A), (2, 1, 0, B))
    cell = clips_cell(table, predictions(A, None, None, status=["ok", "no_face", "model_error"]))
    assert sums(cell, "flip_rate").tolist() == [[1, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    found = row(judge([cell], make_suite(metrics=("flip_rate",))), metric="flip_rate")
    assert found["coverage"] == pytest.approx(1 / 3)


def test_a_tie_decides_nothing_and_a_table_without_probabilities_gives_no_flips():
    table = frames((0, 0, 0, A), (0, 1, 0, (0.5, 0.5)), (0, 2, 0, A), (0, 3, 0, B))
    cell = clips_cell(table, predictions((0.625, 0.375)))
    assert sums(cell, "flip_rate")[0, :3].tolist() == [1, 1, 3]
    assert sums(cell, "jitter")[0, :3].tolist() == pytest.approx([3, 0.4 + 0.4 + 0.7, 3])
    bare = frames((0, 0, 0, A), (0, 1, 0, A), graded=False) | {"valence": [0.1, 0.4]}
    cell = clips_cell(bare, predictions(A) | {"valence": [0.25]})
    assert value(cell, "jitter_valence") == pytest.approx(0.3, abs=1e-15)
    found = judge([cell], make_suite(metrics=("flip_rate", "jitter", "jitter_arousal")))
    for name in ("flip_rate", "jitter", "jitter_arousal"):
        assert row(found, metric=name)["warning"].startswith("unavailable: there are no frames to follow")


def test_an_empty_table_of_frames_leaves_every_clip_out():
    empty = pa.table(frames((0, 0, 0, A))).slice(0, 0)
    cell = clips_cell({name: empty[name] for name in empty.column_names}, predictions(A, B))
    found = row(judge([cell], make_suite(metrics=("flip_rate",))), metric="flip_rate")
    assert (found["estimate"], found["n"]) == (None, 0)
    assert "2 rows without successive frames left out" in found["warning"]


def made(
    folder: Path, seed: int = 3, persons: int = 40, *, hard: bool = False
) -> tuple[Question, Path, Path]:
    """Clips with several faces, missed frames, overlapping windows, misses; their predictions and frames."""
    rng = np.random.default_rng(seed)
    count = persons * 3
    columns = {
        "subject": [f"s{i % persons:02d}" for i in range(count)],
        "label": np.array(LABELS)[rng.integers(0, 4, count)],
        "sex": np.array(["f", "m"])[np.arange(count) % 2],
    }
    status = rng.choice(["ok", "no_face", "model_error", "decode_error"], count, p=[0.85, 0.05, 0.05, 0.05])
    rows, said = [], []
    for clip in range(count):
        faces = {face: [] for face in range(rng.integers(1, 4))}
        for time in range(rng.integers(1, 9)):
            for face, heard in faces.items():
                for _ in range(1 if hard else rng.choice([0, 1, 2], p=[0.15, 0.7, 0.15])):
                    p = rng.dirichlet(np.full(4, 0.7))
                    heard.append(p)
                    rows.append((clip, time / 25, face, p))
            rows.append((clip, time / 25, None, None))
        person = faces[int(rng.integers(0, len(faces)))] or [np.full(4, 0.25)]
        said.append(np.mean(person, axis=0))
        status[clip] = status[clip] if any(faces.values()) else "no_face"
    names = [f"t{i:06d}" for i in range(count)]
    ok = status == "ok"
    table = {"target": names, "status": status}
    head = {
        "target": [names[clip] for clip, *_ in rows],
        "timestamp": [time for _, time, *_ in rows],
        "track": pa.array([face for *_, face, _ in rows], pa.int64()),
        "status": ["no_face" if p is None else "ok" for *_, p in rows],
    }
    if hard:
        head["predicted"] = [None if p is None else LABELS[int(np.argmax(p))] for *_, p in rows]
        table["predicted"] = [
            LABELS[int(np.argmax(p))] if good else None for p, good in zip(said, ok, strict=True)
        ]
    for k, word in enumerate(() if hard else LABELS):
        head[f"p_{word}"] = [None if p is None else p[k] for *_, p in rows]
        table[f"p_{word}"] = [p[k] if good else None for p, good in zip(said, ok, strict=True)]
    table["valence"] = [float(p[0]) if good else None for p, good in zip(said, ok, strict=True)]
    head["valence"] = [None if p is None else float(p[0]) for *_, p in rows]
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), folder / "P.parquet")
    frames_table = pa.table(head).take(rng.permutation(len(rows)))
    pq.write_table(frames_table, folder / "F.parquet")
    asked = make_suite(slices=("sex",), metrics=("flip_rate", "jitter", "jitter_valence", "accuracy"))
    question = Question(asked, {"made": make_targets(columns)}, lambda kind, name: f"{kind} {name}")
    return question, folder / "P.parquet", folder / "F.parquet"


def scored(folder: Path, **options):
    question, said, followed = made(folder, **options)
    table = pq.read_table(followed)
    if not options.get("hard"):  # two rows of one face at one time are only in tables of our own runs
        seen = table.group_by(["target", "timestamp", "track", "status"], use_threads=False)
        names = [n for n in table.column_names if n not in ("target", "timestamp", "track", "status")]
        table = seen.aggregate([(name, "first") for name in names])
        table = table.rename_columns([name.removesuffix("_first") for name in table.column_names])
        pq.write_table(table, followed)
    return workflow.score(question, {"m": said}, {}, folder / "run", {"m": followed})


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("hard", [False, True])
def test_a_run_with_frames_is_audited_and_the_same_command_finishes_it(tmp_path, hard):
    run = scored(tmp_path, hard=hard)
    workflow.finish(run)
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert found.compared["flip_rate"] == 3
    assert found.compared["jitter_valence"] == 3
    assert found.compared.get("jitter", 0) == (0 if hard else 3)
    assert found.largest is not None
    assert found.largest.size < 1e-12
    facts = run.cell("m", "made", "clean").facts
    assert facts["frames"] == pq.read_metadata(run.cell("m", "made", "clean").frames).num_rows
    before = run.estimates.read_bytes()
    workflow.finish(run)
    assert run.estimates.read_bytes() == before


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("spoiled", ["cut short", "gone", "timestamp", "track", "status"])
def test_frames_that_cannot_be_read_are_not_audited_and_said_to_be_so(tmp_path, spoiled):
    run = scored(tmp_path)
    workflow.finish(run)
    path = run.cell("m", "made", "clean").frames
    table = pq.read_table(path)
    if spoiled == "cut short":
        path.write_bytes(path.read_bytes()[:100])
    elif spoiled == "gone":
        path.unlink()
    else:
        pq.write_table(table.drop_columns([spoiled]), path)
    found = audit(run.path)
    assert found.not_audited["rows of cells that cannot be read"] > 0
    assert set(found.compared) & {"flip_rate", "jitter", "jitter_valence"} == set()
    assert found.differences == ()
    assert faults(found) == {
        "files are as their digests say": (
            "m / made / clean: frames.parquet is not what cell.json was written for",
            "m / made / clean: frames.parquet cannot be read",
        )
    }
    # Nor does it help to change what cell.json says of it.
    rewritten(run, path)
    again = audit(run.path)
    assert not again.agrees
    assert bool(again.differences) == (spoiled == "gone")


def rewritten(run, path):
    """Make cell.json say that the frames are as they are now."""
    cell = run.cell("m", "made", "clean").path / "cell.json"
    digest = digest_file(path) if path.is_file() else None
    cell.write_text(json.dumps(json.loads(cell.read_text()) | {"frames_sha256": digest}))


@pytest.mark.usefixtures("no_report")
def test_another_table_of_frames_is_another_run_and_a_changed_one_is_found(tmp_path):
    run = scored(tmp_path)
    workflow.finish(run)
    question, said, _ = made(tmp_path / "other", seed=4)
    path = run.cell("m", "made", "clean").frames
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(UserError, match="unfinished or changed"):
        workflow.finish(run)
    assert not audit(run.path).agrees
    run.lock.release()
    with pytest.raises(UserError, match="another run; these differ: datasets, models"):
        workflow.score(question, {"m": said}, {}, tmp_path / "run")


def test_frames_are_read_once_whatever_follows_them():
    calls = []
    cell = clips_cell(frames((0, 0, 0, A), (0, 1, 0, B)), predictions(np.mean([A, B], axis=0)))
    table = cell.frames_table()
    cell = replace(cell, frames_table=lambda: calls.append(1) or table)
    judge([cell], make_suite(metrics=("flip_rate", "jitter", "accuracy")))
    assert len(calls) == 1
