"""What a perturbation is: a function of a clip, an amount and a counter-based random stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.predict.clip import Clip
from bench.predict.perturb.stream import Stream

__all__ = ["Perturbation"]


@dataclass(frozen=True)
class Perturbation:
    """One kind of harm with five severities.

    ``levels``: the amount at severity 1 to 5, in ``unit``, from ``source``; never tuned to a model.
    ``apply(clip, amount, stream)`` returns the clip with other pixels (or sound) and the same times.
    ``destroys_label_from``: the first severity at which people may no longer see the label, None if never;
    such severities stay out of gates. ``random``: whether seed and clip change the pixels. ``version``
    goes up when pixels change.
    """

    name: str
    version: int
    levels: tuple[float, float, float, float, float]
    unit: str
    source: str
    apply: Callable[[Clip, float, Stream], Clip]
    destroys_label_from: int | None = None
    random: bool = True

    def __call__(self, clip: Clip, severity: int, seed: int) -> Clip:
        """Perturb a clip; severity 0 is the clip itself."""
        if severity == 0:
            return clip
        stream = Stream.of(seed, clip.id, self.name, self.version)
        return self.apply(clip, self.levels[severity - 1], stream)
