"""Controls: values of a slice compared within each value of a control attribute, never across or over them.

A difference between sexes may be one of age. Where a suite names a control, each slice is compared once more
among the rows of one age at a time, and no number adds up the ages (fairlearn's ``control_features``).
Values such as ``Male|<30`` are values of a slice, withheld as those of an intersection are; all rows of one
age are none, so that no contrast with the rest may show them where a value there is withheld (``fairness``).
Refuses to compare where the control is unmeasured: such rows are of any of its values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.judge.atoms import Tally
from bench.judge.fairness import Comparison
from bench.judge.slices import UNMEASURED

__all__ = ["apart"]


def apart(asked: Comparison) -> Iterator[tuple[str | None, Comparison]]:
    """The comparisons that stand for one: itself, or one per measured value of its slice's control.

    Each comes with that value, None where there is no control; its slice holds the values within it alone.
    """
    one = asked.one
    if one.control is None:
        yield None, asked
        return
    given = np.array([text.partition("|")[2] for text in one.values])
    for text in dict.fromkeys(given.tolist()):
        if text == UNMEASURED:
            continue
        inside = np.flatnonzero(given == text)
        part = replace(
            one, values=tuple(one.values[v] for v in inside), codes=one.codes[inside], within=text,
            clusters=one.clusters[inside], clips=one.clips[inside], rows=one.rows[inside],
        )  # fmt: skip
        masks = {name: getattr(asked, name)[inside] for name in ("included", "hidden", "partly", "cells")}
        yield text, replace(asked, one=part, tally=_restricted(asked.tally, inside), **masks)


def _restricted(tally: Tally, inside: np.ndarray) -> Tally:
    """The entries of some values, these numbered anew."""
    number = np.full(tally.values, -1)
    number[inside] = np.arange(len(inside))
    kept = tally.where(number[tally.value] >= 0)
    return replace(kept, value=number[kept.value], values=len(inside))
