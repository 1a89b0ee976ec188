"""A box is four numbers and points are ten, or nothing; and the data set says which face is meant."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from bench.errors import UserError
from bench.spec import Facts
from bench.tables import Targets, read_targets, validate_targets
from bench.tables.places import given_places

POINTS = [10.0, 20.0, 30.0, 20.0, 20.0, 30.0, 12.0, 40.0, 28.0, 40.0]
BOXES = "A box is a list of 4 numbers up to 1,000,000, x, y, width and height in pixels, the last two above 0"
MARKS = (
    "Points are a list of 10 numbers up to 1,000,000, x and y in pixels of the eye at the left of the picture, "
    "the other eye, the tip of the nose, the left and the right corner of the mouth"
)
CSV = ', in CSV as a JSON list such as "[12, 30, 64, 64]"'


def targets(columns: dict[str, object], **facts: object) -> Targets:
    return validate_targets(pa.table({"target": ["a", "b"], **columns}), Facts(name="small", **facts), "T")


@pytest.mark.parametrize(
    "dtype", [pa.list_(pa.int64()), pa.large_list(pa.float32()), pa.list_(pa.float64(), 4)]
)
def test_boxes_of_any_list_become_float64(dtype: pa.DataType) -> None:
    given = targets({"box": pa.array([[1, 2, 3, 4], None], dtype)})
    assert given.table.schema.field("box").type == pa.list_(pa.float64())
    assert given.table["box"].to_pylist() == [[1, 2, 3, 4], None]
    assert given.attributes == ()


def test_places_of_a_csv_are_json_lists(tmp_path: Path) -> None:
    path = tmp_path / "T.csv"
    path.write_text(f'target,box,points\na,"[1, -2, 3.5, 4]",\nb,,"{POINTS}"\n')
    given = read_targets(path)
    assert given.table["box"].to_pylist() == [[1, -2, 3.5, 4], None]
    assert given.table["points"].to_pylist() == [None, POINTS]
    box, _ = given_places(given.table, "box")
    assert box is not None
    assert box.tolist() == [1, -2, 3.5, 4]
    _, points = given_places(given.table, "points")
    assert points is not None
    assert points.tolist() == [[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]]
    assert given_places(given.table.select(["target"]), "box") == [None, None]
    given.write(tmp_path / "T.parquet")
    assert read_targets(tmp_path / "T.parquet").digest == given.digest


def exchanged(points: list[float]) -> list[float]:
    """The points with left and right exchanged."""
    return [*points[2:4], *points[:2], *points[4:6], *points[8:], *points[6:8]]


def turned(points: list[float]) -> list[float]:
    """The points of a picture that stands on its head."""
    return [100 - one for one in points]


@pytest.mark.parametrize("points", [POINTS, turned(POINTS), [*POINTS[2:4], *POINTS[:2], *POINTS[4:]]])
def test_points_of_a_face_however_it_is_turned(points: list[float]) -> None:
    assert targets({"points": [points, None]}).table["points"].to_pylist() == [points, None]


REFUSED = {
    "three numbers": ("box", [1.0, 2.0, 3.0], f"box is [1.0, 2.0, 3.0]. {BOXES}"),
    "no width": ("box", [1.0, 2.0, 0.0, 4.0], f"box has width 0 and height 4. {BOXES}"),
    "no number": ("box", [1.0, 2.0, float("nan"), 4.0], f"box is [1.0, 2.0, nan, 4.0]. {BOXES}"),
    "an empty number": ("box", [1.0, None, 3.0, 4.0], f"box is [1.0, None, 3.0, 4.0]. {BOXES}"),
    "text that is no list": ("box", "1 2 3 4", f"box is '1 2 3 4'. {BOXES}{CSV}"),
    "a list of texts": ("box", '["1", "2", "3", "4"]', f"box is '[\"1\", \"2\", \"3\", \"4\"]'. {BOXES}{CSV}"),
    "a text too long": ("box", "[" * 2000, f"box is '{'[' * 79} ... {BOXES}{CSV}"),
    "an integer too long": ("box", f"[1, 2, 3, {'9' * 320}]", f"box is '[1, 2, 3, {'9' * 69} ... {BOXES}{CSV}"),
    "a box beyond pictures": ("box", [0.0, 0.0, 1e200, 1e200], f"box is [0.0, 0.0, 1e+200, 1e+200]. {BOXES}"),
    "points beyond pictures": ("points", [*POINTS[:9], -1e308], f"points is {[*POINTS[:9], -1e308]!s}. {MARKS}"),
    "nine numbers": ("points", POINTS[:9], f"points is {POINTS[:9]!s}. {MARKS}"),
    "one eye": ("points", POINTS[:2] * 2 + POINTS[4:], f"points has both eyes at 10, 20. {MARKS}"),
    "the person's own left": ("points", exchanged(POINTS), f"points has left and right exchanged. {MARKS}"),
    "and on its head": ("points", exchanged(turned(POINTS)), f"points has left and right exchanged. {MARKS}"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_place(case: str) -> None:
    name, place, text = REFUSED[case]
    with pytest.raises(UserError) as refused:
        targets({name: [None, place]})
    no_list_of_so_many = text.startswith(f"{name} is ")
    other = f"; {name!r} is a reserved name, so rename a column of something else" * no_list_of_so_many
    assert str(refused.value) == f"T row 2: {text}. Correct {name} or leave it empty{other}."


def test_a_face_meant_by_its_box_needs_every_box() -> None:
    boxes = [[1.0, 2.0, 3.0, 4.0], None]
    with pytest.raises(UserError) as refused:
        targets({"box": boxes}, target_face="box")
    assert str(refused.value) == (
        "T row 2: box is empty in 1 of 2 rows. Every row has its box, since 'target_face: box' goes by it. Fill "
        "box, or leave these rows out."
    )
    with pytest.raises(
        UserError, match=r"T: column 'box' is missing\. It has: target\. Add the column 'box'"
    ):
        targets({}, target_face="box")
    assert len(targets({"box": boxes}, target_face="central")) == 2


def test_the_face_that_is_meant_enters_the_digest_where_it_is_not_the_largest() -> None:
    boxes = {"box": [[1.0, 2.0, 3.0, 4.0]] * 2}
    largest, central, box = (targets(boxes, target_face=face) for face in ("largest", "central", "box"))
    assert largest.digest == targets(boxes).digest
    assert len({largest.digest, central.digest, box.digest}) == 3
    # As they were before there was a choice: what a table of two names had for its digest then.
    assert "target_face" not in largest.facts.model_dump_json()
    assert Facts.model_validate_json(central.facts.model_dump_json()).target_face == "central"
    plain = targets({}).digest
    assert plain == "88b16fc8933c84e76dd9ea193b8f48c470cbec3fe591cfd313a609bf1a916471"
