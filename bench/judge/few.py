"""Who is few: values of slices, and classes within them, with fewer people than may be shown.

Counted again from the row tables for the audit, and shares no code with what withholds. It knows the people
themselves alone: what is withheld because it would give them away is not found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.judge.audit_action_units import few_of_units
from bench.spec import Facts, Suite
from bench.tables.frame import CLUSTER, gives_labels, grouped, joined, labelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Few", "few_people"]

Few = tuple[str, str, str | None]
"""A slice, a value of it, and the metric that rests on few people there; None for every metric."""

_OF_DECISIONS = ("precision", "selection_rate", "false_positive_rate")


def few_people(
    targets: pa.Table, predictions: pa.Table | None, facts: Facts, suite: Suite
) -> set[Few]:  # fmt: skip
    """The values of the suite's slices with fewer people than the suite shows, and metrics of their classes.

    A class is of few if its labelled rows that are not decode errors are, the metrics of decisions also if
    those decided as it are. Classes are counted where there are predictions, rows one per target.
    """
    floor = suite.slice_rule.suppress_below
    frame, people = targets.to_pandas(), CLUSTER[facts.cluster_unit]
    both = None if predictions is None else joined(targets, predictions, facts)
    rows = None
    if predictions is not None and both is not None and facts.labels and gives_labels(predictions):
        rows = labelled(both)
    found: set[Few] = set()
    for cut in suite.slicings:
        name = cut.name
        count = frame[people].groupby(grouped(frame, *cut, suite)).nunique()
        found |= {(name, str(value), None) for value in count[count < floor].index}
        if both is not None:
            value = grouped(both, *cut, suite)
            found |= {(name, *few) for few in few_of_units(both, value, facts.au_scale, floor)}
        if rows is not None:
            value = grouped(rows, *cut, suite)
            found |= {(name, *few) for few in _few_classes(rows, value, facts.labels, floor)}
    return found


def _few_classes(
    rows: pd.DataFrame, value: pd.Series[str], labels: Sequence[str], floor: int
) -> Iterator[tuple[str, str]]:
    """The values and metrics of classes, true or decided, that hold people but fewer than ``floor``."""
    for column, stems in (
        ("said/truth", ("recall", "auroc", *_OF_DECISIONS)),
        ("said/decision", _OF_DECISIONS),
    ):
        kept = rows[column] >= 0
        count = rows["said/cluster"][kept].groupby([value[kept], rows[column][kept]]).nunique()
        for text, code in count[count < floor].index:
            yield from ((str(text), f"{stem}/{labels[code]}") for stem in stems)
