"""A sheet: one metric over one slice of one cell, with status and notes, ready to be written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.judge.infer import Inference, infer
from bench.judge.metrics import Metric
from bench.judge.notes import notes, place_notes
from bench.judge.rows import Bools, Floats
from bench.judge.slices import Slice
from bench.judge.status import INSUFFICIENT, REPORTABLE, SUPPRESSED, reportable
from bench.judge.sums import Sums
from bench.judge.withhold import Withheld
from bench.spec import Suite
from bench.tables import Targets

__all__ = ["WITHHELD", "Sheet", "sheets"]

WITHHELD = "withheld: too few subjects here, or in a value or class that this number would reveal"


@dataclass(frozen=True)
class Sheet:
    """One metric over the V values of one slice.

    ``enough`` and ``hidden`` (V,) decide the status; ``left_out`` counts values that are not reportable: of
    this slice or, on the whole, of all slices.
    """

    metric: Metric
    one: Slice
    inference: Inference
    coverage: Floats
    enough: Bools
    hidden: Bools
    notes: list[list[str]]
    left_out: int

    def row(self, value: int) -> dict[str, Any]:
        """What Estimates holds for one value beside the columns that name it; a suppressed one, no number."""
        if self.hidden[value]:
            return {"status": SUPPRESSED, "warning": WITHHELD}
        found = self.inference
        texts = [found.reason[value], *self.notes[value]]
        return {
            **{n: float(getattr(found, n)[value]) for n in ("estimate", "low", "high", "df", "n_eff")},
            **{n: int(getattr(found, n)[value]) for n in ("n", "clusters")},
            "side": "two-sided" if found.method[value] else None,
            "method": found.method[value],
            "clips": int(self.one.clips[value]),
            "coverage": float(self.coverage[value]),
            "slices_left_out": self.left_out,
            "status": REPORTABLE if self.enough[value] else INSUFFICIENT,
            "warning": "; ".join(text for text in texts if text) or None,
        }


def sheets(
    metric: Metric,
    sums: Sums,
    slices: Sequence[Slice],
    withheld: Withheld,
    targets: Targets,
    suite: Suite,
) -> list[Sheet]:
    """Judge one metric over every slice; the first slice is the whole.

    ``withheld`` says which values of each slice are withheld, which classes of them, which decisions.
    """
    hidden = withheld.of(metric, targets.space.labels)
    found = [infer(metric, sums.tally(metric.key, one), suite.level) for one in slices]
    classes = metric.present(sums.total(metric.key, slices[0]))[0]
    enough = [
        reportable(metric, inference, sums.total(metric.key, one), suite.slice_rule, classes)
        for one, inference in zip(slices, found, strict=True)
    ]
    left_out = [int((~e | h).sum()) for e, h in zip(enough, hidden, strict=True)]
    left_out[0] = sum(left_out[1:])
    return [
        Sheet(
            metric, one, found[i], sums.coverage(metric.key, one), enough[i], hidden[i],
            _told(metric, sums, one, targets), left_out[i],
        )
        for i, one in enumerate(slices)
    ]  # fmt: skip


def _told(metric: Metric, sums: Sums, one: Slice, targets: Targets) -> list[list[str]]:
    both = notes(metric, sums, one, targets.space.labels), place_notes(metric, sums, one, targets)
    return [plain + of_places for plain, of_places in zip(*both, strict=True)]
