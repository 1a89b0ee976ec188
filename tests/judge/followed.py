"""Frames of clips as rows, and as frame tables of clips, made for tests of metrics that follow frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from bench.judge.metrics import METRICS
from bench.judge.rows import Rows
from bench.judge.score import Cell, judge, read_cell
from bench.judge.sequences import Sequences
from bench.judge.temporal import TEMPORAL, statistics
from tests.judge.made import LABELS, make_cell, make_suite, make_targets

ON_SEQUENCES = tuple(name for name, metric in METRICS.items() if metric.key.kernel in TEMPORAL)
LONG = 20
"""Rows of a clip in ``with_sequences``."""


def with_sequences(rows: Rows) -> Rows:
    """The rows, clip after clip of ``LONG`` rows, with the numbers of every metric that follows them made."""
    count = len(rows.truth)
    outputs = {name: (lambda y=y: y) for name, (_, y) in rows.affect.items()}
    for code in range(len(rows.probabilities)):
        outputs[f"p_{code}"] = lambda code=code: np.where(rows.graded, rows.probability(code), np.nan)
    found = Sequences(
        rows=count, row=np.arange(count), sequence=np.arange(count) // LONG, at=np.arange(count) * 1.0,
        judged=rows.judged, said=np.where(rows.decision < rows.labels, rows.decision, -1), outputs=outputs,
        of_rows=True, keys=tuple({METRICS[name].key: None for name in ON_SEQUENCES}),
    )  # fmt: skip
    followed = replace(rows, sequences=found)
    for key in found.keys:
        statistics(followed, key)
    return followed


def take_sequences(rows: Rows, index: np.ndarray) -> Sequences | None:
    """What each of some rows has of the sequences of all."""
    found = rows.sequences
    if found is None:
        return None
    return replace(found, rows=len(index), sums={key: stats[index] for key, stats in found.sums.items()})


def frames_cell(clips: dict[str, list[Any]], said: dict[str, list[Any]] | None = None, **facts: Any) -> Cell:
    """A cell of frames: ``clips`` gives, clip by clip, what is true of each frame, ``said`` what is said.

    A letter is a label by its place (a, b, c, d), ``-`` none; a list of numbers is valence. Every clip is of a
    person of its own, and frames are numbered from 0.
    """
    said = said or clips
    column = "label" if isinstance(next(iter(clips.values())), str) else "valence"
    columns: dict[str, list[Any]] = {"clip": [], "subject": [], "frame": [], column: []}
    answers = []
    for clip, truth in clips.items():
        columns["clip"] += [clip] * len(truth)
        columns["subject"] += [f"s-{clip}"] * len(truth)
        columns["frame"] += range(len(truth))
        columns[column] += [word(each) for each in truth]
        answers += [word(each) for each in said[clip]]
    targets = make_targets(columns, **facts)
    return make_cell(targets, {"predicted" if column == "label" else column: answers})


def word(letter: Any) -> Any:
    """The label of a letter, None for ``-``; numbers as they are."""
    if not isinstance(letter, str):
        return letter
    return None if letter == "-" else LABELS["abcd".index(letter)]


def clips_cell(
    frames: dict[str, list[Any]], predictions: dict[str, list[Any]], targets: int | None = None
) -> Cell:
    """A cell of clips t000000, t000001, ... with a table of frames."""
    count = len(next(iter(predictions.values()))) if targets is None else targets
    made = make_targets({"subject": [f"s{i}" for i in range(count)], "label": ["fear"] * count})
    table = pa.table(frames)
    return replace(make_cell(made, predictions), frames_table=lambda: table)


def sums(cell: Cell, name: str) -> np.ndarray:
    """The numbers of each row that a metric is made of."""
    metric = METRICS[name]
    rows = read_cell(cell, [metric])
    assert rows.sequences is not None
    return statistics(rows, metric.key).stats


def value(cell: Cell, name: str) -> float:
    """The metric over all rows, as it is printed; NaN where it is undefined."""
    table = judge([cell], make_suite(metrics=(name,)))
    (row,) = [r for r in table.to_pylist() if r["kind"] == "value" and r["metric"] == name]
    return float("nan") if row["estimate"] is None else row["estimate"]
