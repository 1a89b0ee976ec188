"""Triangles drawn into cells, against planes by hand and matplotlib's count of what is inside."""

from __future__ import annotations

import numpy as np
from matplotlib.path import Path

from bench.predict.perturb.raster import draw_mesh


def test_one_triangle_by_hand() -> None:
    corners = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
    values = np.array([[0.0, 10], [4, 10], [0, 14]])
    drawn = draw_mesh(corners, np.array([[0, 1, 2]]), values, (6, 7))
    for row in range(6):
        for column in range(7):
            wanted = (column, 10 + row) if row + column <= 4 else (np.nan, np.nan)
            assert np.allclose(drawn[row, column], wanted, equal_nan=True)


def test_the_nearer_is_drawn_whatever_the_order() -> None:
    square = np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    # Two planes that cross at column 4.5.
    corners = np.concatenate([np.c_[square, [5.0] * 4], np.c_[square, square[:, 0] + 0.5]])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    values = np.repeat([1.0, 2.0], 4)[:, None]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        drawn = draw_mesh(corners, triangles[order], values, (10, 10))[..., 0]
        assert np.allclose(drawn, np.where(np.arange(10) < 4.5, 2.0, 1.0)[None].repeat(10, 0))


def test_a_folded_net_has_no_cracks_and_covers_what_it_should() -> None:
    draw = np.random.default_rng(3)
    for _ in range(5):
        triangles = draw.uniform(-3, 23, (40, 3, 2))
        corners = np.c_[triangles.reshape(-1, 2), draw.uniform(0, 1, 120)]
        drawn = draw_mesh(corners, np.arange(120).reshape(-1, 3), corners[:, :2], (20, 20))
        places = np.stack(np.meshgrid(np.arange(20), np.arange(20)), -1)
        inside = [Path(t).contains_points(places.reshape(-1, 2)) for t in triangles]
        covered = np.any(inside, 0).reshape(20, 20)
        found = ~np.isnan(drawn[..., 0])
        assert (found == covered).mean() > 0.995
        assert np.allclose(drawn[found], places[found])


def test_flat_triangles_and_nothing_are_not_drawn() -> None:
    corners = np.array([[0.0, 0, 0], [2, 2, 0], [4, 4, 0]])
    assert np.isnan(draw_mesh(corners, np.array([[0, 1, 2]]), corners, (5, 5))).all()
    assert np.isnan(draw_mesh(corners + 99, np.array([[0, 1, 2]]), corners, (5, 5))).all()
