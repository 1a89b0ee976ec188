"""Doubles: pretend models that are handed the targets, so that the harness can be held against the truth.

A double answers one row per clip, whatever the pixels are, with the label chosen for that target.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bench.errors import UserError
from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.pipeline import Build, Pipeline
from bench.tables import Targets

__all__ = ["answer", "generator", "targets_of", "true_affect", "true_codes"]

AFFECT = ("valence", "arousal", "dominance")


def targets_of(request: Build) -> Targets:
    """The targets a double was handed."""
    if request.targets is None or not request.targets.facts.labels:
        raise UserError(
            "--model", "a double answers with labels, and the targets have none", "Targets with labels",
            "Add the labels, or run a model",
        )  # fmt: skip
    return request.targets


def generator(request: Build, purpose: int) -> np.random.Generator:
    """Random numbers of a double, from the run's seed and a number of its own."""
    return np.random.default_rng([request.seed, purpose])


def answer(request: Build, codes: np.ndarray, affect: dict[str, np.ndarray] | None = None) -> Pipeline:
    """A pipeline that gives target i the label of ``codes[i]`` (-1: all labels equally, no decision)."""
    targets = targets_of(request)
    affect = affect or {}
    row = {name: i for i, name in enumerate(targets.table["target"].to_pylist())}
    count = len(targets.space)

    def predict(clips: Sequence[Clip]) -> list[Scores]:
        scores = []
        for clip in clips:
            i = row[clip.id]
            labels = torch.full((1, count), 1 / count, dtype=torch.float64, device=request.device)
            if codes[i] >= 0:
                labels = torch.zeros_like(labels)
                labels[0, int(codes[i])] = 1
            values = {n: torch.full((1,), float(v[i]), device=request.device) for n, v in affect.items()}
            scores.append(Scores(clip.times[:1], {"labels": labels, **values}))
        return scores

    return Pipeline(
        predict=predict,
        labels=targets.space.labels,
        outputs=("labels", *affect),
        sampling=Sampling(count=1),
    )


def true_codes(targets: Targets) -> np.ndarray:
    """The code of every label, -1 where a target has none."""
    return np.array(
        [-1 if label is None else targets.space.code(label) for label in targets.table["label"].to_pylist()]
    )


def true_affect(targets: Targets) -> dict[str, np.ndarray]:
    """The affect columns of the targets, 0 where a value is empty."""
    present = [name for name in AFFECT if name in targets.table.column_names]
    return {name: np.nan_to_num(targets.table[name].to_numpy().astype(float)) for name in present}
