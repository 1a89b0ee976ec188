"""Chance: one of the labels at random, each as likely, drawn once per target from the run's seed."""

from __future__ import annotations

from _parts.doubles import answer, generator, targets_of

from bench.predict.pipeline import Build, Pipeline


def build(request: Build) -> Pipeline:
    """Draw a label for every target."""
    targets = targets_of(request)
    return answer(request, generator(request, 1).integers(0, len(targets.space), len(targets)))
