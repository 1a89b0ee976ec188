"""What a perturbation is: a function of what it acts on, an amount and a counter-based random stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from bench.predict.perturb.stream import Stream

__all__ = ["Moves", "Perturbation", "fraction_of", "percent", "rest_of"]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Moves = Callable[[np.ndarray, tuple[int, int], float, Stream], np.ndarray]
"""Points float64 [N, 2], (height, width) of the frame, an amount and a stream: where they lie afterwards."""

Subject = TypeVar("Subject", bound=_Named)


def percent(share: float) -> str:
    """A share as people say it, in units of %.

    >>> percent(0.29)
    '29'
    """
    return f"{100 * share:g}"


def fraction_of(whole: float) -> Callable[[float], str]:
    """The whole over an amount, as where a rate is divided.

    >>> fraction_of(400)(16)
    '25'
    """
    return lambda amount: f"{whole / amount:g}"


def rest_of(whole: float) -> Callable[[float], str]:
    """What an amount leaves of the whole; of 0 the amount without its sign.

    >>> rest_of(8)(3), rest_of(0)(0.0)
    ('5', '0')
    """
    return lambda amount: f"{whole - amount:g}"


@dataclass(frozen=True)
class Perturbation(Generic[Subject]):
    """One kind of harm with five severities: of clips, of fitted faces in them, of films or of recordings.

    A film is a whole video before it is sampled, a recording the sound of a whole medium.
    ``levels``: the amount at severity 1 to 5, which grows, from ``source``; never tuned to a model. People
    say ``shown(amount)`` of it, in ``unit``.
    ``apply(clip, amount, stream)`` returns the clip with other pixels and the same times; of a ``FaceClip``
    the same, with those of its faces that were worked on; of a film one with other frames, or others of them
    shown, or at other times; of a recording one with other samples, as many.
    ``destroys_label_from``: the first severity at which people may no longer see the label, None if never;
    such severities stay out of gates. ``random``: whether seed and clip change the pixels or samples; all
    persons of a clip share what is drawn, parameters and noise. ``moves(points, size, amount, stream)`` says
    where in the frame things lie afterwards, None where they stay; ``turns_face``: the points of a face lie
    elsewhere, nobody knows where. ``version`` goes up when what comes out
    changes.
    """

    name: str
    version: int
    levels: tuple[float, float, float, float, float]
    unit: str
    source: str
    apply: Callable[[Subject, float, Stream], Subject]
    destroys_label_from: int | None = None
    random: bool = True
    moves: Moves | None = None
    turns_face: bool = False
    shown: Callable[[float], str] = "{:g}".format

    @property
    def amounts(self) -> tuple[str, ...]:
        """What people say of the amount at severity 1 to 5, in ``unit``."""
        return tuple(self.shown(level) for level in self.levels)

    def describe(self) -> dict[str, Any]:
        """What its severities stand for, as plain values."""
        fields = ("version", "unit", "source", "destroys_label_from")
        amounts = {"levels": list(self.levels), "amounts": list(self.amounts)}
        return {**amounts, **{name: getattr(self, name) for name in fields}}

    def __call__(self, subject: Subject, severity: int, seed: int) -> Subject:
        """Perturb a clip, film or recording; severity 0 is the subject itself."""
        if severity == 0:
            return subject
        return self.apply(subject, self.levels[severity - 1], self._stream(subject.id, seed))

    def moved(self, points: np.ndarray, size: tuple[int, int], which: tuple[str, int, int]) -> np.ndarray:
        """Where points [N, 2] of frames of (height, width) lie afterwards; ``which``: id, severity, seed."""
        subject, severity, seed = which
        if severity == 0 or self.moves is None:
            return points
        return self.moves(points, size, self.levels[severity - 1], self._stream(subject, seed))

    def _stream(self, subject: str, seed: int) -> Stream:
        return Stream.of(seed, subject, self.name, self.version)
