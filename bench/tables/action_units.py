"""Action units of the Facial Action Coding System (FACS): columns ``au_NN``, two digits, on one scale of two.

Occurrence is 0 or 1; intensity is 0 (absent) to 5, where FACS writes A (trace) to E (maximum). All units of a
data set are on one scale: the one its facts declare or, where they leave it open, the one its values are on.
Empty, -1 (ABAW), 9 (BP4D) and 999 (EmotioNet) are a unit that was not coded: unknown, never absent. Predicted
occurrences are scores in [0, 1]; predicted intensities lie in [0, 5], and a regression that overshoots in
[-1, 6]. Values on neither scale, and columns that are action units under another name, are refused; nothing
is rescaled, rounded or clipped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa

from bench.errors import UserError
from bench.spec import AuScale
from bench.tables.files import row_of

__all__ = ["UNCODED", "action_units", "refuse_unit_names", "require_unit_scale", "with_action_units"]

UNCODED = (-1, 9, 999)
"""Numbers that published tables write where a unit was not coded."""

_UNIT = re.compile(r"au_\d\d")
_NEARLY = re.compile(r"au[_ -]?\d+([_ ]?[a-z]+)?", re.IGNORECASE)
_TRUTH = {
    "occurrence": "Occurrence is 0 (absent) or 1 (present)",
    "intensity": "Intensity is 0 (absent) or FACS A to E as 1 to 5",
}
_PREDICTED = {
    "occurrence": ((0, 1), "Predicted occurrence is a score in [0, 1], for the targets are occurrences",
                   "Apply a sigmoid to logits, or give decisions as 0 and 1"),
    "intensity": ((-1, 6), "Predicted intensity lies in [0, 5], and a regression that overshoots in [-1, 6]",
                  "Rescale the column to [0, 5]"),
}  # fmt: skip
_UNKNOWN = f"empty, {', '.join(map(str, UNCODED))} where it was not coded"


def action_units(names: Iterable[str]) -> tuple[str, ...]:
    """The columns that are action units, in their order.

    >>> action_units(["target", "au_04", "au_12", "age"])
    ('au_04', 'au_12')
    """
    return tuple(name for name in names if _UNIT.fullmatch(name))


def refuse_unit_names(names: Iterable[str], where: str) -> None:
    """Raise UserError for the first column that is an action unit by another name than ``au_NN``.

    >>> refuse_unit_names(["au_04", "audio", "aurora_1"], "T.csv")
    """
    for name in names:
        if (_NEARLY.fullmatch(name) or name.startswith("au_")) and not _UNIT.fullmatch(name):
            digits = re.search(r"\d+", name)
            meant = f"au_{int(digits[0]):02d}" if digits and int(digits[0]) < 100 else "au_12"
            raise UserError(
                where, f"column {name!r} is no action unit by its name, and may be one",
                "Action units are au_NN, two digits, as au_04 and au_12",
                f"Rename {name!r}: {meant!r} if that is what it is, else a name less like it",
            )  # fmt: skip


def with_action_units(table: pa.Table, scale: AuScale | None, where: str) -> tuple[pa.Table, AuScale | None]:
    """The targets with units that were not coded as null, and the scale; None without any coded unit.

    ``scale`` is the declared one. Raises UserError for values that are not on it or, where none is declared,
    on neither: whole numbers beyond 5, and fractions where no value is above 1.
    """
    units = action_units(table.column_names)
    columns = {name: _coded(table[name].to_numpy()) for name in units}
    for name, values in columns.items():
        coded = pa.array(values, pa.float64(), from_pandas=True)
        table = table.set_column(table.column_names.index(name), name, coded)
    found = scale or _scale_of(columns.values())
    for name, values in columns.items():
        _require_truth(name, values, found, where, declared=scale is not None)
    return table, found


def require_unit_scale(
    name: str, values: np.ndarray, scale: AuScale | None, where: Callable[[int], str]
) -> None:
    """Raise UserError for the first predicted value (N,) that is not on the targets' scale; NaN passes.

    ``where(row)`` says where a value stands. Targets without action units have no scale.
    """
    if scale is None:
        return
    (low, high), allowed, remedy = _PREDICTED[scale]
    for row in np.flatnonzero((values < low) | (values > high))[:1]:
        raise UserError(where(int(row)), f"{name} is {values[row]:g}", allowed, remedy)


def _coded(values: np.ndarray) -> np.ndarray:
    return np.where(np.isin(values, UNCODED), np.nan, values)


def _scale_of(columns: Iterable[np.ndarray]) -> AuScale | None:
    """Occurrence unless some value is above 1; None where nothing is coded."""
    tops = [np.nanmax(values) for values in columns if not np.isnan(values).all()]
    if not tops:
        return None
    return "intensity" if max(tops) > 1 else "occurrence"


def _require_truth(
    name: str, values: np.ndarray, scale: AuScale | None, where: str, *, declared: bool
) -> None:
    on_scale = np.isin(values, (0, 1)) if scale == "occurrence" else (values >= 0) & (values <= 5)
    for row in np.flatnonzero(~on_scale & ~np.isnan(values))[:1]:
        allowed = _TRUTH[scale] if declared and scale else "; ".join(_TRUTH.values())
        said = f", and {scale} is declared" if declared else ""
        remedy = ", or declare the other au_scale" if declared else ""
        raise UserError(
            row_of(where, int(row)), f"{name} is {values[row]:g}{said}", f"{allowed}; {_UNKNOWN}",
            f"Correct the value or leave the field empty{remedy}",
        )  # fmt: skip
