"""What is given in place of what is found, and where given places lie after the picture has moved."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.faces import Faces
from bench.predict.given import Given
from bench.predict.perturb import PERTURBATIONS

SIZE = (200, 300)
BOX, POINTS = np.array([50.0, 60.0, 40.0, 40.0]), np.arange(10.0).reshape(5, 2) + 65
MOVING = ("camera_tilt", "distance", "off_centre", "roll")


def found(*boxes):
    marks = np.arange(len(boxes) * 10.0).reshape(-1, 5, 2)
    return Faces(np.array(boxes, dtype=np.float64).reshape(-1, 4), marks, np.linspace(0.9, 0.8, len(boxes)))


def test_the_given_box_takes_the_place_of_all_faces_with_the_points_found_there():
    faces = found([200, 20, 90, 90], [52, 60, 40, 40])
    given = Given(box=BOX, points=POINTS, oracle="detect").substitute(faces, SIZE)
    assert given.boxes.tolist() == [BOX.tolist()]
    assert given.points.tolist() == [faces.points[1].tolist()]
    assert given.scores.tolist() == [1.0]


def test_where_nothing_was_found_at_the_box_it_has_no_points():
    for faces in (found(), found([200, 20, 90, 90])):
        given = Given(box=BOX, oracle="detect").substitute(faces, SIZE)
        assert given.boxes.tolist() == [BOX.tolist()]
        assert np.isnan(given.points).all()


@pytest.mark.parametrize(
    ("box", "shown"),
    [([5000, 5000, 80, 80], False), ([-50, 10, 50, 40], False), ([300, 0, 9, 9], False), ([-39, 60, 40, 40], True),
     ([290, 190, 40, 40], True)],
)  # fmt: skip
def test_a_box_of_which_nothing_is_in_sight_is_no_face(box, shown):
    given = Given(box=np.array(box, np.float64), oracle="detect").substitute(found(), SIZE)
    assert len(given) == shown


def test_given_points_go_to_the_face_they_lie_in_the_middle_of():
    faces = found([0, 0, 300, 200], [52, 60, 40, 40], [200, 20, 50, 50])
    given = Given(points=POINTS, oracle="align").substitute(faces, SIZE)
    assert given.points.tolist() == [faces.points[0].tolist(), POINTS.tolist(), faces.points[2].tolist()]
    assert faces.points[1].tolist() != POINTS.tolist()  # what was found stays as it is


@pytest.mark.parametrize("faces", [found(), found([200, 20, 50, 50])])
def test_points_that_lie_in_no_face_change_none(faces):
    given = Given(points=POINTS, oracle="align").substitute(faces, SIZE)
    assert given.points.tolist() == faces.points.tolist()


def test_without_an_oracle_faces_are_as_found():
    faces = found([52, 60, 40, 40])
    for oracle in (None, "track"):
        assert Given(box=BOX, points=POINTS, oracle=oracle).substitute(faces, SIZE) is faces


def test_what_moves_is_known():
    assert [name for name, one in PERTURBATIONS.items() if one.moves is not None] == list(MOVING)


@pytest.mark.parametrize("severity", [1, 3])
@pytest.mark.parametrize("name", MOVING)
def test_a_dot_of_light_lies_where_the_points_go(name, severity):
    """The second source: the dot is found again in the pixels themselves."""
    perturbation = PERTURBATIONS[name]
    for x, y in ((130, 90), (170, 120)):
        frames = torch.zeros((1, 3, *SIZE), dtype=torch.uint8)
        frames[..., y - 4 : y + 5, x - 4 : x + 5] = 255
        clip = Clip("c", frames, np.zeros(1, int), np.zeros(1))
        light = perturbation(clip, severity, seed=3).frames[0, 0].double().numpy()
        rows, columns = np.indices(light.shape) + 0.5
        seen = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
        there = perturbation.moved(np.array([[x + 0.5, y + 0.5]]), SIZE, ("c", severity, 3))[0]
        assert there == pytest.approx(seen, abs=0.3)
    assert perturbation.moved(POINTS, SIZE, ("c", 0, 3)) is POINTS


def test_a_box_moves_with_its_middle_and_keeps_its_proportion():
    def far(points, size):
        return (points - np.array(size[::-1]) / 2) / 2 + np.array(size[::-1]) / 2

    placed = Given(box=np.array([50.0, 60.0, 40.0, 20.0]), points=POINTS, move=far).placed(SIZE)
    assert placed.box == pytest.approx([100.0, 80.0, 20.0, 10.0])
    assert placed.points == pytest.approx(far(POINTS, SIZE))

    def quarter(
        points, size
    ):  # a turn by 90 degrees about the middle: (x, y) to (cx - (y - cy), cy + (x - cx))
        x, y = (points - np.array(size[::-1]) / 2).T
        return np.stack([-y, x], 1) + np.array(size[::-1]) / 2

    turned = Given(box=np.array([50.0, 60.0, 40.0, 20.0]), move=quarter).placed(SIZE).box
    assert turned == pytest.approx([150 + 30 - 20, 100 - 80 - 10, 40, 20])
