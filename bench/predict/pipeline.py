"""A zoo model as the harness sees it: detect, track, align, predict; and what it is built from.

A model folder holds ``model.py`` with ``build(request: Build) -> Pipeline``, ``weights.toml`` and
``CARD.md``. Typed seams stand only where the harness shares, caches or perturbs; inside ``predict`` live
ordinary torch modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.predict.clip import Clip, Sampling, Scores
from bench.predict.front import Front
from bench.tables.targets import Targets

__all__ = ["Build", "Pipeline"]


@dataclass(frozen=True)
class Build:
    """What a model is built from.

    ``weights``: the verified file of the chosen checkpoint, None where the entry has none; a user's file that
    is never asked for is refused, since the numbers would not be its. ``checkpoint``: what follows ``@``.
    ``targets`` is handed to the shipped doubles alone, which pretend to be models of known quality; for every
    other entry it is None.
    """

    device: torch.device
    dtype: torch.dtype
    file: Path | None = None
    checkpoint: str | None = None
    targets: Targets | None = None
    seed: int = 0
    asked: list[str] = field(default_factory=list[str], compare=False, repr=False)

    @property
    def weights(self) -> Path | None:
        """The file of weights; notes that it was asked for."""
        self.asked.append("weights")
        return self.file


@dataclass(frozen=True)
class Pipeline:
    """A model ready to predict.

    ``predict`` takes clips (faces of one track each, or full frames where ``front`` is None) and returns
    one Scores per clip, in order; a batch of n and n batches of one differ by at most 1e-4. ``labels``:
    the order of the probability columns, in the field's nouns. ``outputs``: what is declared ("labels",
    "valence", "arousal", "dominance", "au_NN"), no more and no less may be returned. ``sound_rate``: in Hz,
    if the model listens. ``version`` goes up whenever outputs change for the same weights.
    """

    predict: Callable[[Sequence[Clip]], list[Scores]]
    labels: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ("labels",)
    sampling: Sampling = field(default_factory=Sampling)
    front: Front | None = None
    sound_rate: int | None = None
    version: int = 1

    def describe(self) -> dict[str, Any]:
        """What enters the key of a cell: everything here that changes outputs, as plain values."""
        return {
            "labels": list(self.labels),
            "outputs": list(self.outputs),
            "sampling": {"rate": self.sampling.rate, "count": self.sampling.count},
            "front": None if self.front is None else self.front.describe(),
            "sound_rate": self.sound_rate,
            "version": self.version,
        }
