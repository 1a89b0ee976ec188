"""Places: where the face of a target is, as the data set gives it: a box, and five points.

A ``box`` is a list of four numbers, x, y, width and height; ``points`` are a list of ten, x and y of the eye
at the left of the upright picture, the other eye, the tip of the nose, the left and the right corner of the
mouth. In pixels of the medium as it is shown, for a video the same in all frames; null where nobody says. As
text, which is all that CSV has, a JSON list. Other lists are refused, and so are numbers beyond a million,
which are in no picture, and points with left and right exchanged, as they are where the person's own left is
meant.
"""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

from bench.errors import UserError
from bench.tables.files import as_text, row_of

__all__ = ["PLACES", "given_places", "with_places"]

PLACES = {"box": 4, "points": 10}
"""How many numbers each has."""

_LONGEST = 1_000  # characters of a place that is text
_QUOTED = 80  # of them in a message
_FARTHEST = 1_000_000  # pixels, either way
_MEANS = {
    "box": "A box is a list of 4 numbers up to 1,000,000, x, y, width and height in pixels, the last two "
    "above 0",
    "points": "Points are a list of 10 numbers up to 1,000,000, x and y in pixels of the eye at the left of "
    "the picture, the other eye, the tip of the nose, the left and the right corner of the mouth",
}


def with_places(table: pa.Table, where: str) -> pa.Table:
    """The table with ``box`` and ``points``, if it has them, as lists of float64; UserError for others."""
    for name in PLACES:
        if name in table.column_names:
            column = pa.chunked_array([_column(table[name], name, where)])
            table = table.set_column(table.column_names.index(name), name, column)
    return table


def given_places(table: pa.Table, name: str) -> list[np.ndarray | None]:
    """The box float64 [4], or points float64 [5, 2], of each row of a valid table; None where not given."""
    if name not in table.column_names:
        return [None] * len(table)
    shape = (4,) if name == "box" else (5, 2)
    return [None if one is None else np.array(one).reshape(shape) for one in table[name].to_pylist()]


def _column(column: pa.ChunkedArray, name: str, where: str) -> pa.Array:
    is_text = pa.types.is_string(column.type)
    said = (as_text(column) if is_text else column).to_pylist()
    fault = {"box": _fault_of_box, "points": _fault_of_points}[name]
    places = []
    for row, one in enumerate(said):
        place = None if one is None else _numbers_in(one, PLACES[name])
        if one is not None and (place is None or fault(place)):
            shown = repr(one) if len(repr(one)) <= _QUOTED else f"{repr(one)[:_QUOTED]} ..."
            found = f"{name} is {shown}" if place is None else fault(place)
            in_csv = ', in CSV as a JSON list such as "[12, 30, 64, 64]"' * (is_text and name == "box")
            remedy = f"Correct {name} or leave it empty"
            if place is None:
                remedy += f"; {name!r} is a reserved name, so rename a column of something else"
            raise UserError(row_of(where, row), found, f"{_MEANS[name]}{in_csv}", remedy)
        places.append(place)
    return pa.array(places, pa.list_(pa.float64()))


def _numbers_in(place: object, length: int) -> list[float] | None:
    """So many numbers of pixels, from a list or from a JSON text of one; None for anything else."""
    if isinstance(place, str):
        try:
            place = json.loads(place) if len(place) <= _LONGEST else None
        except (ValueError, RecursionError):
            return None
    if not isinstance(place, list) or len(place) != length:
        return None
    numbers = [float(one) for one in place if type(one) in (int, float) and abs(one) <= _FARTHEST]
    return numbers if len(numbers) == length else None


def _fault_of_box(box: list[float]) -> str:
    return "" if min(box[2:]) > 0 else f"box has width {box[2]:g} and height {box[3]:g}"


def _fault_of_points(points: list[float]) -> str:
    """Points whose eyes and mouth both have their right at their left, about the way from eyes to mouth."""
    eye, other, _, corner, end = np.array(points).reshape(5, 2)
    if (eye == other).all():
        return f"points has both eyes at {eye[0]:g}, {eye[1]:g}"
    down = (corner + end - eye - other) / 2
    exchanged = [along[0] * down[1] - along[1] * down[0] < 0 for along in (other - eye, end - corner)]
    return "points has left and right exchanged" if all(exchanged) else ""
