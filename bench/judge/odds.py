"""Equalised odds, one label against the rest: the larger of two gaps, of recall and of false-positive rate.

Equal opportunity and demographic parity are gaps of one metric, recall and selection rate, and have no rows
of their own. Refuses to decide anything: what is compared where was decided with each gap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.judge.rows import Bools
from bench.judge.status import INSUFFICIENT, REPORTABLE
from bench.spec import members

__all__ = ["equalised_odds"]

Row = dict[str, Any]
_NAME = "equalised_odds"
_LACKING = "no gap: {} has none"
_OTHERS = "the gaps of recall and of false-positive rate are of different values"


def equalised_odds(
    names: Sequence[str], labels: Sequence[str], gaps: Mapping[str, tuple[Row, Bools]]
) -> Iterator[Row]:
    """One row of kind gap per label of the ``names`` asked for, from the gaps of one slice and their values.

    The estimate is max(gap of recall, gap of false-positive rate); p = min(1, 2 min(p, p')), the Bonferroni
    bound for either gap being there, so that no draws are shared. NaN where one of the two is not there.
    Source: Hardt, Price, Srebro 2016, arXiv 1610.02413; fairlearn ``equalized_odds_difference``, worst case.
    """
    asked = dict.fromkeys(
        f"{_NAME}/{label}"
        for name in names
        if name.partition("/")[0] == _NAME
        for label in ((name.partition("/")[2],) if "/" in name else labels)
    )
    for name in asked:
        parts = [gaps[part] for part in members(name) if part in gaps]
        if len(parts) == len(members(name)):
            yield {"metric": name, **_larger(name, *parts)}


def _larger(name: str, of_recall: tuple[Row, Bools], of_alarms: tuple[Row, Bools]) -> Row:
    rows = of_recall[0], of_alarms[0]
    row = {
        "kind": "gap", "role": "exploratory", "p": np.nan,
        "slices_left_out": max(each["slices_left_out"] for each in rows),
    }  # fmt: skip
    found = [float(each.get("estimate", np.nan)) for each in rows]
    lacking = [part for part, number in zip(members(name), found, strict=True) if np.isnan(number)]
    if lacking:
        status = INSUFFICIENT if INSUFFICIENT in (each["status"] for each in rows) else REPORTABLE
        return {**row, "status": status, "warning": _LACKING.format(" and ".join(lacking))}
    p = min(1.0, 2 * min(float(each["p"]) for each in rows)) if _tested(rows) else np.nan
    said = dict.fromkeys(text for each in rows for text in (each["warning"] or "").split("; ") if text)
    if not np.array_equal(of_recall[1], of_alarms[1]):
        said = {_OTHERS: None, **said}
    return {
        **row, "estimate": max(found), "p": p, "method": "bonferroni-of-two" if p == p else None,
        "status": REPORTABLE, "warning": "; ".join(said) or None,
    }  # fmt: skip


def _tested(rows: Sequence[Row]) -> bool:
    return all(each["p"] == each["p"] for each in rows)
