"""The audit agrees with honest numbers that follow frames, and finds each way of getting them wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import pearsonr

from bench import workflow
from bench.folder import RunFolder
from bench.judge import audit_temporal, clips, score, sequences, temporal
from bench.judge.audit import audit
from bench.question import Question
from tests.judge.followed import ON_SEQUENCES
from tests.judge.made import LABELS, make_cell, make_suite, make_targets
from tests.judge.scored import change_estimates, faults, of_cells
from tests.judge.test_temporal_frames import scored

pytestmark = pytest.mark.usefixtures("no_report")

ASKED = tuple(name for name in ON_SEQUENCES if not name.endswith(("arousal", "dominance")))
CLIPS, LONG = 60, 24


def gaps(rng: np.random.Generator, found: Any, share: float) -> list[Any]:
    return [v if rng.random() > share else None for v in found]


def made_frames(rng: np.random.Generator) -> tuple[dict[str, Any], np.ndarray]:
    """Rows that are frames of clips of thirty persons, in no order, with gaps in every column."""
    clip, frame = np.repeat(np.arange(CLIPS), LONG), np.tile(np.arange(LONG) * 2, CLIPS)
    truth = np.repeat(rng.integers(0, 4, CLIPS * LONG // 6), 6)
    x = rng.normal(0, 0.3, CLIPS)[clip] + rng.normal(0, 0.2, len(clip))
    order = rng.permutation(len(clip))
    clip, frame, truth, x = clip[order], frame[order], truth[order], np.clip(x, -1, 1)[order]
    return {
        "subject": [f"s{c // 2:02d}" for c in clip],
        "clip": gaps(rng, [f"c{c}" for c in clip], 0.02),
        "frame": gaps(rng, frame.tolist(), 0.02),
        "label": gaps(rng, [LABELS[k] for k in truth], 0.04),
        "valence": gaps(rng, x.tolist(), 0.04),
        "sex": np.array(["f", "m"])[clip // 2 % 2],
        "light": np.array(["dark", "bright"])[frame // 16 % 2],
    }, truth


def finished(folder: Path) -> RunFolder:
    """A run of a model with probabilities and one of hard labels."""
    rng = np.random.default_rng(5)
    columns, truth = made_frames(rng)
    targets, rows = make_targets(columns), len(truth)
    status = rng.choice(["ok", "no_face", "model_error", "decode_error"], rows, p=[0.85, 0.05, 0.05, 0.05])
    ok = status == "ok"
    right = rng.random(rows) < 0.7
    codes = np.where(right, truth, rng.integers(0, 4, rows))
    parts = rng.integers(0, 3, (rows, 4)) + np.where(right[:, None], 2 * np.eye(4)[codes], 0) + 0.0
    parts[parts.sum(axis=1) == 0] = 1
    shares = parts / parts.sum(axis=1, keepdims=True)
    valence = [v if good else None for v, good in zip(rng.uniform(-1, 1, rows).tolist(), ok, strict=True)]
    head = {"target": targets.table["target"], "status": status}
    tables = {
        "soft": {f"p_{word}": np.where(ok, shares[:, k], np.nan) for k, word in enumerate(LABELS)},
        "hard": {"predicted": gaps(rng, [LABELS[k] if good else None for k, good in zip(codes, ok, strict=True)], 0.05)},
    }  # fmt: skip
    tables["soft"]["valence"] = valence
    files = {}
    folder.mkdir(parents=True, exist_ok=True)
    for name, said in tables.items():
        files[name] = folder / f"{name}.parquet"
        pq.write_table(pa.table({**head, **said}).take(rng.permutation(rows)), files[name])
    asked = make_suite(metrics=ASKED, slices=("sex", "light", ("sex", "light")))
    question = Question(asked, {"made": targets}, lambda kind, name: f"{kind} {name}")
    run = workflow.score(question, files, {}, folder / "run")
    workflow.finish(run)
    return run


def test_an_honest_run_is_agreed_with_to_rounding(tmp_path: Path) -> None:
    run = finished(tmp_path)
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    assert {name for name in found.compared if not name.startswith("kind ")} == set(ASKED)
    assert all(name.startswith("kind ") for name in found.not_audited)
    assert found.largest is not None
    assert found.largest.size < 1e-12


def test_what_never_moves_within_a_clip_correlates_between_clips_alone(tmp_path: Path) -> None:
    """A model says one number a clip: within them nothing but the rounding of means is left."""
    rng = np.random.default_rng(1)
    clip = np.repeat(np.arange(20), 7)
    level = rng.uniform(-0.5, 0.5, 20)
    truth = level[clip] + rng.uniform(-0.3, 0.3, 140)
    columns = {
        "subject": [f"s{c}" for c in clip],
        "clip": [f"c{c}" for c in clip],
        "frame": np.tile(range(7), 20),
    }
    cell = make_cell(make_targets({**columns, "valence": truth}), {"valence": level[clip]})
    names = [f"{name}_{part}_valence" for name in ("ccc", "pcc") for part in ("within", "between")]
    run = of_cells(tmp_path, [cell], make_suite(metrics=tuple(names)))
    found = audit(run.path)
    assert found.agrees, (found.differences[:3], faults(found))
    values = {
        r["metric"]: r["estimate"] for r in pq.read_table(run.estimates).to_pylist() if r["kind"] == "value"
    }
    means = truth.reshape(20, 7).mean(axis=1)
    between = pearsonr(means, level).statistic
    assert values["pcc_between_valence"] == pytest.approx(between, abs=1e-12)
    assert (values["ccc_within_valence"], values["pcc_within_valence"]) == (None, None)
    assert found.undefined == 2
    change_estimates(run, lambda rows: [{**r, "estimate": r["estimate"] or 0.0} for r in rows])
    assert {(d.row["metric"], d.audited) for d in audit(run.path).differences if d.row["kind"] == "value"} == {
        ("ccc_within_valence", None), ("pcc_within_valence", None),
    }  # fmt: skip


def over_gaps(patch: pytest.MonkeyPatch) -> None:
    """What a frame decides is what was decided last."""
    honest = sequences.follow_rows

    def follow(*parts: Any) -> sequences.Sequences:
        found = honest(*parts)
        last = np.maximum.accumulate(np.where(found.said >= 0, np.arange(len(found.said)), 0))
        return replace(found, said=found.said[last])

    patch.setattr(score, "follow_rows", follow)


def over_clips(patch: pytest.MonkeyPatch) -> None:
    honest = sequences.follow_rows
    patch.setattr(
        score, "follow_rows", lambda *parts: (f := honest(*parts)) and replace(f, sequence=f.sequence // 2)
    )


def in_file_order(patch: pytest.MonkeyPatch) -> None:
    """Frames follow one another as the table has them."""

    def ordered(targets: Any) -> Any:
        row, sequence = honest(targets)
        place = np.lexsort((row, sequence))
        return row[place], sequence[place]

    honest = sequences._ordered
    patch.setattr(sequences, "_ordered", ordered)


def onsets_where_labels_begin(patch: pytest.MonkeyPatch) -> None:
    honest = temporal.onsets

    def onsets(rows: Any, found: Any) -> Any:
        stats = honest(rows, found)
        stats[:, 1] += stats[:, 2]  # a missed one is a frame later
        return stats

    patch.setattr(temporal, "onsets", onsets)


def segments_at_a_quarter(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(temporal, "OVERLAP", 0.25)


def misses_as_zero(patch: pytest.MonkeyPatch) -> None:
    def covered(rows: Any, found: Any, column: str) -> Any:
        x, y = (side[found.row] for side in rows.affect[column])
        kept = found.judged & np.isfinite(x)
        return found.row[kept], found.sequence[kept], x[kept], np.nan_to_num(y[kept])

    patch.setattr(clips, "_covered", covered)


def rows_weigh_alike(patch: pytest.MonkeyPatch) -> None:
    honest = clips.between

    def between(rows: Any, found: Any, column: str) -> Any:
        stats = honest(rows, found, column)
        weight = stats[:, 1:2]
        return np.where(weight > 0, stats / np.where(weight > 0, weight, 1), 0)

    patch.setattr(clips, "between", between)


@pytest.mark.parametrize(
    ("spoil", "metrics"),
    [
        (over_gaps, {"flip_rate"}),
        (over_clips, {*ASKED} - {"pcc_between_valence"}),
        (in_file_order, {"flip_rate", "jitter", "jitter_valence", "onset_lag", "onset_missed", "segment_agreement"}),
        (onsets_where_labels_begin, {"onset_lag"}),
        (segments_at_a_quarter, {"segment_agreement"}),
        (misses_as_zero, {f"{n}_{p}_valence" for n in ("ccc", "pcc") for p in ("within", "between")}),
        (rows_weigh_alike, {"ccc_between_valence", "pcc_between_valence"}),
    ],
)  # fmt: skip
def test_each_mistake_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Any, metrics: set[str]
) -> None:
    spoil(monkeypatch)
    found = audit(finished(tmp_path).path)
    assert not found.agrees
    assert {d.row["metric"] for d in found.differences if d.row["kind"] == "value"} >= metrics
    if spoil is not over_clips:
        assert {d.row["metric"] for d in found.differences} == metrics


def test_what_follows_what_is_worked_out_once_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    for name in ("_of_rows", "_onsets", "_segments"):
        honest = getattr(audit_temporal, name)
        monkeypatch.setattr(audit_temporal, name, lambda found, n=name, f=honest: calls.append(n) or f(found))
    assert audit(finished(tmp_path).path).agrees
    assert sorted(calls) == sorted(["_of_rows", "_onsets", "_segments"] * 2)


def test_segments_are_held_against_those_that_they_overlap_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long clip takes as many comparisons as segments meet, and each finds the best of all."""
    rng = np.random.default_rng(0)
    codes = [np.repeat(rng.integers(0, 3, 700), rng.integers(1, 9, 700))[:2000] for _ in range(2)]
    truth, said = codes[0], np.where(rng.random(2000) < 0.7, *codes)
    frames = pd.DataFrame(
        {"sequence": 0, "judged": True, "row": range(2000), "truth": truth, "said/decision": said}
    )
    shares = []
    honest = audit_temporal._share
    monkeypatch.setattr(audit_temporal, "_share", lambda *runs: shares.append(honest(*runs)) or shares[-1])
    found = [agrees for _, _, agrees in audit_temporal._segments(frames)]
    runs = [1 + int((np.diff(each) != 0).sum()) for each in (truth, said)]
    assert len(found) == sum(runs)
    assert len(shares) < sum(runs)
    # Two segments of one label agree where at least half of their union is common: at most one each.
    edges = [np.flatnonzero(np.diff(each, prepend=-1)) for each in (truth, said)]
    sets = [[(each[a], set(range(a, b))) for a, b in pairwise([*at, 2000])]
            for each, at in zip((truth, said), edges, strict=True)]  # fmt: skip
    alike = [sum(x == y and 2 * len(a & b) >= len(a | b) for x, a in sets[0]) for y, b in sets[1]]
    assert sum(found[: runs[1]]) == sum(each > 0 for each in alike)


def test_frames_are_taken_clip_by_clip() -> None:
    found = pd.DataFrame(
        {"sequence": list("ccaab"), "judged": [True, False, True, True, True], "row": [4, 3, 2, 1, 0],
         "truth": [1, 1, -1, 2, 2]}
    )  # fmt: skip
    assert list(audit_temporal._clips(found, "row", "truth")) == [[[4, 1]], [[2, -1], [1, 2]], [[0, 2]]]


def test_the_wrong_face_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    honest = sequences._of_person

    def other(frames: Any, predictions: Any, row: Any, ok: Any) -> Any:
        return honest(frames, predictions.select(["target"]), row, ok)

    monkeypatch.setattr(sequences, "_of_person", other)
    run = scored(tmp_path)
    workflow.finish(run)
    found = audit(run.path)
    assert {d.row["metric"] for d in found.differences} == {"flip_rate", "jitter", "jitter_valence"}
