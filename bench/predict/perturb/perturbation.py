"""What a perturbation is: a function of a clip, its faces or a film, an amount and a random stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from bench.predict.perturb.stream import Stream

__all__ = ["Perturbation"]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


Subject = TypeVar("Subject", bound=_Named)


@dataclass(frozen=True)
class Perturbation(Generic[Subject]):
    """One kind of harm with five severities: of clips, of fitted faces in them, or of films.

    Films are whole videos before they are sampled.

    ``levels``: the amount at severity 1 to 5, in ``unit``, from ``source``; never tuned to a model.
    ``apply(clip, amount, stream)`` returns the clip with other pixels (or sound) and the same times;
    ``apply(faces, amount, stream)`` the same of a ``FaceClip``, with those of its faces that were worked on;
    ``apply(film, amount, stream)`` the film with other frames, or others of them shown, or at other times.
    ``destroys_label_from``: the first severity at which people may no longer see the label, None if never;
    such severities stay out of gates. ``random``: whether seed and clip change the pixels; all persons
    of a clip share what is drawn, parameters and noise. ``version`` goes up when pixels change.
    """

    name: str
    version: int
    levels: tuple[float, float, float, float, float]
    unit: str
    source: str
    apply: Callable[[Subject, float, Stream], Subject]
    destroys_label_from: int | None = None
    random: bool = True

    def describe(self) -> dict[str, Any]:
        """What its severities stand for, as plain values."""
        fields = ("version", "unit", "source", "destroys_label_from")
        return {"levels": list(self.levels), **{name: getattr(self, name) for name in fields}}

    def __call__(self, subject: Subject, severity: int, seed: int) -> Subject:
        """Perturb a clip or film; severity 0 is the subject itself."""
        if severity == 0:
            return subject
        stream = Stream.of(seed, subject.id, self.name, self.version)
        return self.apply(subject, self.levels[severity - 1], stream)
