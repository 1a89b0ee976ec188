"""Rows and cells with action units, for tests of judge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from bench.judge.rows import Rows
from bench.judge.score import Cell
from tests.judge.made import make_cell, make_targets

UNITS = ("au_01", "au_04", "au_12")
STATUSES = ("ok", "no_face", "abstained", "model_error", "decode_error")


def with_units(rows: Rows) -> Rows:
    """The rows with intensities of three units, predicted worse where the label is wrong."""
    rng = np.random.default_rng(6)
    units = {}
    for name in UNITS:
        truth = rng.integers(0, 6, len(rows.truth)).astype(float)
        noise = np.where(rows.correct, 0.8, 2.5) * rng.normal(size=len(truth))
        hidden = rng.random(len(truth)) < 0.04
        units[name] = (
            column(truth, hidden),
            column(np.clip(truth + noise, -1, 6), rng.random(len(truth)) < 0.02),
        )
    return replace(rows, action_units=units, au_scale="intensity")


def take_units(rows: Rows, index: np.ndarray) -> dict[str, Any]:
    """The units of some of the rows."""
    return {n: (t.take(pa.array(index)), s.take(pa.array(index))) for n, (t, s) in rows.action_units.items()}


def perfect_units(rows: Rows) -> dict[str, Any]:
    """The units of the rows, predicted as they are."""
    return {name: (truth, truth) for name, (truth, _) in rows.action_units.items()}


def coded_rows(rows: Rows, *, covered: bool = False) -> int:
    """How many codes of units the rows have; of those ``covered``, with an output."""
    pairs = (rows.unit(name) for name in rows.action_units)
    return int(sum((np.isfinite(truth) & (np.isfinite(said) | (not covered))).sum() for truth, said in pairs))


def column(values: np.ndarray, hidden: np.ndarray) -> pa.ChunkedArray:
    """Numbers as a column, null where hidden."""
    return pa.chunked_array([pa.array(values, mask=hidden)])


def coded_cell(scale: str, seed: int = 0, count: int = 1200, clusters: int = 40, **facts: Any) -> Cell:
    """A cell of three units with misses, ties and codes that are unknown; ``lacking`` has the model lack one."""
    rng = np.random.default_rng(seed)
    subject = rng.integers(0, clusters, count)
    lacking = facts.pop("lacking", None)
    alone = facts.pop("alone", False)
    columns: dict[str, Any] = {} if alone else {"subject": [f"s{i:03d}" for i in subject]}
    columns["sex"] = np.array(["female", "male"])[subject % 2]
    columns["light"] = [v if rng.random() > 0.1 else None for v in rng.choice(["dark", "bright"], count)]
    said: dict[str, Any] = {"status": rng.choice(STATUSES, count, p=[0.84, 0.04, 0.04, 0.04, 0.04])}
    for k, name in enumerate(UNITS):
        pull = rng.normal(size=clusters)[subject] / 2
        if scale == "intensity":
            truth = np.clip(np.round(rng.normal(0.8 + 0.4 * k, 1.5, count) + pull), 0, 5)
            guess = np.clip(0.7 * truth + 0.4 + rng.normal(0, 0.8, count), -1, 6)
        else:
            truth = (rng.random(count) < 0.2 + 0.15 * k).astype(float)
            guess = 1 / (1 + np.exp(1 - 2 * truth - pull - rng.normal(0, 1, count)))
            guess[rng.random(count) < 0.03] = 0.5
        columns[name] = [None if rng.random() < 0.05 else float(v) for v in truth]
        if name != lacking:
            said[name] = [None if rng.random() < 0.03 else float(v) for v in guess]
    unit = {"cluster_unit": "clip"} if alone else {}
    return make_cell(make_targets(columns, labels=(), label_space="", **unit, **facts), said)
