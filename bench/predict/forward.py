"""One model's way from windows to scores: perturb the frame, find faces, perturb the crop, predict.

Every tensor stays on the chosen device. A model that fails on one clip costs that clip; out-of-memory halves
the batch; a model that breaks its own declaration ends the run, for its numbers would mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bench.errors import MachineError, UserError, counted, listed
from bench.predict.cell import Harm
from bench.predict.clip import Clip, Scores
from bench.predict.device import is_out_of_memory
from bench.predict.film import Film
from bench.predict.perturb import (
    FACE_PERTURBATIONS,
    FILM_PERTURBATIONS,
    PERTURBATIONS,
    SOUND_PERTURBATIONS,
)
from bench.predict.perturb.face import FaceClip
from bench.predict.rows import Rows
from bench.predict.sound import Recording
from bench.predict.zoo import Model

__all__ = [
    "check_probabilities", "harm_clip", "harm_faces", "harm_film", "harm_sound", "predict_clips", "to_rows",
]  # fmt: skip

_SUM_TOLERANCE = 1e-3


def harm_clip(clip: Clip, harm: Harm, seed: int) -> Clip:
    """Apply the cell's perturbation of pictures."""
    return PERTURBATIONS[harm.name](clip, harm.severity, seed)


def harm_faces(faces: FaceClip, harm: Harm, seed: int) -> FaceClip:
    """Apply the cell's perturbation of fitted faces; a frame without one stays as it is."""
    return FACE_PERTURBATIONS[harm.name](faces, harm.severity, seed)


def harm_film(film: Film, harm: Harm, seed: int) -> Film:
    """Apply the cell's perturbation of whole videos."""
    return FILM_PERTURBATIONS[harm.name](film, harm.severity, seed)


def harm_sound(recording: Recording, harm: Harm, seed: int) -> Recording:
    """Apply the cell's perturbation of the sound of a whole medium."""
    return SOUND_PERTURBATIONS[harm.name](recording, harm.severity, seed)


def predict_clips(model: Model, clips: Sequence[Clip]) -> list[Scores | Exception]:
    """Predict clips in one call; on failure one by one, so that a failure is a value of its clip.

    Raises MachineError when one clip alone does not fit into memory, and UserError when the model returns
    something other than it declares.
    """
    if not clips:
        return []
    try:
        with torch.inference_mode():
            scores = model.pipeline.predict(_copied(clips))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            return _alone(model, clips, error)
        if len(clips) == 1:
            raise MachineError(
                model.name, f"out of memory on one clip of {counted(len(clips[0]), 'frame')} ({error})",
                "A window of frames fits into the device's memory", "Use a larger device, or --device cpu",
            ) from error  # fmt: skip
        half = len(clips) // 2
        return predict_clips(model, clips[:half]) + predict_clips(model, clips[half:])
    except UserError:
        raise
    except Exception as error:
        return _alone(model, clips, error)
    _check_declaration(model, clips, scores)
    return list(scores)


def _alone(model: Model, clips: Sequence[Clip], error: Exception) -> list[Scores | Exception]:
    """Predict the clips of a failed call one by one."""
    if len(clips) == 1:
        return [error]
    return [result for clip in clips for result in predict_clips(model, [clip])]


def _copied(clips: Sequence[Clip]) -> list[Clip]:
    """Copies, since cells share frames and a model may write into its input; in one go where sizes agree."""
    frames = [clip.frames for clip in clips]
    if len({pixels.shape[1:] for pixels in frames}) == 1:
        copies = torch.split(torch.cat(frames), [len(pixels) for pixels in frames])
    else:
        copies = tuple(pixels.clone() for pixels in frames)
    return [_own(clip, pixels) for clip, pixels in zip(clips, copies, strict=True)]


def _own(clip: Clip, pixels: torch.Tensor) -> Clip:
    sound = None if clip.sound is None else replace(clip.sound, samples=clip.sound.samples.clone())
    return replace(clip, frames=pixels, index=clip.index.copy(), times=clip.times.copy(), sound=sound)


def to_rows(model: Model, who: Sequence[tuple[int, int]], results: Sequence[Scores | Exception]) -> Rows:
    """The outputs of clips on the host, float64; ``who``: the place of each clip's target, and its person.

    One copy an output however many clips; clips that failed have none. Raises UserError for labels that are
    no probabilities.
    """
    answered = [(of, result) for of, result in zip(who, results, strict=True) if isinstance(result, Scores)]
    if not answered:
        return Rows.none(model)
    places, tracks = np.array([of for of, _ in answered], np.int64).T
    sizes = [len(score.times) for _, score in answered]
    columns = [np.empty((sum(sizes), 0))]
    for name in model.pipeline.outputs:
        values = torch.cat([score.outputs[name].detach() for _, score in answered]).cpu().double().numpy()
        if name == "labels":
            check_probabilities(model, values)
        columns.append(values if name == "labels" else values[:, None])
    times = np.concatenate([np.asarray(score.times, np.float64) for _, score in answered])
    return Rows(places.repeat(sizes), tracks.repeat(sizes), times, np.concatenate(columns, axis=1))


def _check_declaration(model: Model, clips: Sequence[Clip], scores: Any) -> None:
    if not isinstance(scores, list) or len(scores) != len(clips) or not all(map(_is_scores, scores)):
        raise _broken(
            model, f"predict returned no list of {len(clips)} Scores of tensors", "one Scores per clip"
        )
    for score in scores:
        declared, found = set(model.pipeline.outputs), set(score.outputs)
        if declared != found:
            raise _broken(
                model,
                f"predict returned {listed(found)}",
                f"it declares {listed(declared)}, no more, no less",
            )
        for name, values in score.outputs.items():
            width = (len(model.pipeline.labels),) if name == "labels" else ()
            if tuple(values.shape) != (len(score.times), *width):
                raise _broken(
                    model, f"{name} has shape {tuple(values.shape)}",
                    f"{(len(score.times), *width)} for {counted(len(score.times), 'time')}",
                )  # fmt: skip


def _is_scores(score: Any) -> bool:
    return isinstance(score, Scores) and all(isinstance(v, torch.Tensor) for v in score.outputs.values())


def check_probabilities(model: Model, rows: np.ndarray) -> None:
    """UserError unless finite rows of labels [R, K] are probabilities."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    sums = rows.sum(axis=1)
    bad = (abs(sums - 1) > _SUM_TOLERANCE) | (rows.min(axis=1, initial=0) < -_SUM_TOLERANCE)
    if bad.any():
        raise _broken(
            model, f"a row of labels sums to {sums[bad][0]:.6g}",
            "probabilities are at least 0 and sum to 1 within 0.001: apply a softmax, in float32",
        )  # fmt: skip


def _broken(model: Model, found: str, allowed: str) -> UserError:
    return UserError(model.name, found, f"Allowed: {allowed}", "Correct the model's pipeline")
