"""The laws that every model must keep, held against random pictures: no accuracy is measured here.

Batch: n clips at once and one by one differ by at most 1e-4 in any output. Repetition: the same clips give
the same bytes. Order: the answer to a clip does not depend on its place. Declaration: exactly the declared
outputs, finite, rows of labels that are probabilities, affect on the scale of the targets. Digest: the
weights are the ones that are locked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from bench.errors import UserError
from bench.labels import EKMAN_7
from bench.predict.clip import Clip, Scores, Sound
from bench.predict.forward import check_probabilities, predict_clips
from bench.predict.pipeline import Build
from bench.predict.zoo import Choice, Model, Zoo
from bench.spec import Facts
from bench.tables import Targets, validate_targets
from bench.tables.scale import require_scale

__all__ = ["BATCH_TOLERANCE", "Finding", "check_model"]

BATCH_TOLERANCE = 1e-4
_CLIPS = 8


@dataclass(frozen=True)
class Finding:
    """One law, whether the model keeps it, and what was measured."""

    law: str
    kept: bool
    measured: str


def check_model(zoo: Zoo, choice: Choice, device: torch.device) -> list[Finding]:
    """Load the model and hold it against every law; a digest that is wrong raises UserError on loading."""
    model = zoo.load(choice, Build(device, torch.float32, targets=_targets()))
    clips = _clips(model, device)
    try:
        with redirect_stdout(sys.stderr):  # stdout is the command's own
            return _hold(model, clips)
    except UserError as error:
        return [Finding("declared outputs", False, f"{error.found}; {error.allowed}")]


def _hold(model: Model, clips: list[Clip]) -> list[Finding]:
    together = predict_clips(model, clips)
    broken = [score for score in together if isinstance(score, Exception)]
    if broken:
        return [Finding("runs", False, f"{type(broken[0]).__name__}: {broken[0]}")]
    reverse = predict_clips(model, clips[::-1])[::-1]
    alone = [score for clip in clips for score in predict_clips(model, [clip])]
    return [
        Finding("digest", True, ", ".join(d[:12] for d in model.weights_sha256) or "no weights"),
        _declaration(model, [*together, *alone, *reverse]),
        _near("batch of n is n of one", together, alone, BATCH_TOLERANCE),
        _near("same result twice", together, predict_clips(model, clips), 0.0),
        _near("any order", together, reverse, BATCH_TOLERANCE),
    ]


def _declaration(model: Model, scores: Sequence[Scores | Exception]) -> Finding:
    for score in scores:
        if not isinstance(score, Scores):
            return Finding("declared outputs", False, f"{type(score).__name__}: {score}")
        for name, values in score.outputs.items():
            numbers = values.detach().cpu().double().numpy()
            if not np.isfinite(numbers).all():
                return Finding("declared outputs", False, f"{name} is not finite")
            try:
                if name == "labels":
                    check_probabilities(model, numbers)
                else:
                    require_scale(name, numbers, lambda _: model.name)
            except UserError as error:
                return Finding("declared outputs", False, f"{error.found}; {error.allowed}")
    return Finding("declared outputs", True, ", ".join(model.pipeline.outputs))


def _near(
    law: str, left: Sequence[Scores | Exception], right: Sequence[Scores | Exception], tolerance: float
) -> Finding:
    apart = [0.0]
    for one, other in zip(left, right, strict=True):
        if not isinstance(one, Scores) or not isinstance(other, Scores):
            error = one if isinstance(one, Exception) else other
            return Finding(law, False, f"{type(error).__name__}: {error}")
        for name, values in one.outputs.items():
            if values.shape != other.outputs[name].shape:
                return Finding(law, False, f"{name} has another number of rows")
            apart += (values.double() - other.outputs[name].double()).abs().flatten().tolist()
    # NaN is larger than any tolerance, and max() alone would lose it.
    largest = max(apart) if all(value == value for value in apart) else float("nan")
    return Finding(law, largest <= tolerance, f"largest difference {largest:.2g}, allowed {tolerance:g}")


def _clips(model: Model, device: torch.device) -> list[Clip]:
    """Smooth random pictures as clips of different lengths, the first ones stills."""
    draw = np.random.default_rng(0)
    front, rate = model.pipeline.front, model.pipeline.sound_rate
    size = front.size if front is not None else 96
    count = model.pipeline.sampling.count
    clips = []
    for i in range(_CLIPS):
        length = count or 1 + i % 3
        coarse = torch.from_numpy(draw.integers(0, 256, (length, 3, 8, 8))).float()
        frames = torch.nn.functional.interpolate(coarse, size, mode="bilinear").round().to(torch.uint8)
        sound = None
        if rate is not None:
            sound = Sound(torch.from_numpy(draw.uniform(-0.5, 0.5, rate).astype(np.float32)).to(device), rate)
        index = np.arange(length)
        clips.append(Clip(f"c{i}", frames.to(device), index, index / 25, sound=sound))
    return clips


def _targets() -> Targets:
    rows = [
        {"target": f"c{i}", "subject": f"s{i % 2}", "label": EKMAN_7.labels[i % 7], "group": "ab"[i % 2]}
        for i in range(_CLIPS)
    ]
    facts = Facts(name="check", labels=EKMAN_7.labels, label_space=EKMAN_7.name)
    return validate_targets(pa.Table.from_pylist(rows), facts, "check")
