"""The second opinion on ranks: the place of a model among those of the plan, by values of the row tables.

Of ranges nothing is said: they rest on draws. Refuses models that were judged on other targets than another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.judge.audit_values import CellValues, Value

__all__ = ["rank"]

_NOTHING = 1e-12  # by which values are apart that are not

Key = tuple[Any, ...]


def rank(key: Key, metric: str, cells: Mapping[Key, CellValues], sign: int) -> Value | None:
    """The rank of the cell of a key: 1 + how many models, doubles aside, are better; None where it has none.

    ``sign`` is -1 where less is better. Rows and clusters are those of the model itself.
    """
    rivals = {k: cell for k, cell in cells.items() if k[1:] == key[1:] and not cell.cell.double}
    values = {k: cell.value(None, None, metric) for k, cell in rivals.items()}
    known = {k: value for k, value in values.items() if value is not None and np.isfinite(value.estimate)}
    judged = {frozenset(rivals[k].decisions.index) for k in known}
    if key not in known or len(known) < 2 or len(judged) > 1:
        return None
    own = known[key]
    better = sum(sign * (value.estimate - own.estimate) > _NOTHING for value in known.values())
    return Value(1.0 + better, own.n, own.clusters)
