"""Alignment on planted points, and resampling against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from bench.predict.align import TEMPLATE, cut, squares

NO_POINTS = np.full((1, 5, 2), np.nan)


def turned(points, degrees, scale, shift):
    turn = np.exp(1j * np.radians(degrees))
    moved = (points[:, 0] + 1j * points[:, 1]) * turn * scale
    return np.stack([moved.real, moved.imag], 1) + shift


def umeyama(source, target):
    """Umeyama 1991, eq. 40-43, as written there: scale, rotation [2, 2], shift [2]."""
    mean_s, mean_t = source.mean(0), target.mean(0)
    covariance = (target - mean_t).T @ (source - mean_s) / len(source)
    left, values, right = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    scale = (values * signs).sum() / ((source - mean_s) ** 2).sum(1).mean()
    return scale, rotation, mean_t - scale * rotation @ mean_s


def test_the_square_is_umeyamas():
    draw = np.random.default_rng(0)
    points = turned(TEMPLATE, 25, 90, [40, 70]) + draw.normal(0, 4, (5, 2))
    ((corner, edge),) = squares(np.array([[0.0, 0.0, 10.0, 10.0]]), points[None], 0.0)
    scale, rotation, shift = umeyama(points, TEMPLATE)
    for u, v in [(0, 0), (1, 0), (0, 1), (0.3, 0.8)]:
        pixel = corner + edge * (u + 1j * v)
        back = scale * rotation @ np.array([pixel.real, pixel.imag]) + shift
        np.testing.assert_allclose(back, [u, v], atol=1e-12)


def test_a_mirrored_face_is_not_mirrored_back():
    points = turned(TEMPLATE * [-1, 1], 0, 90, [200, 70])
    ((_, edge),) = squares(np.array([[0.0, 0.0, 10.0, 10.0]]), points[None], 0.0)
    assert umeyama(points, TEMPLATE)[1][0, 0] == pytest.approx(np.cos(np.angle(edge)))


@pytest.mark.parametrize(("degrees", "scale"), [(0, 64), (30, 130), (-45, 300), (170, 90)])
def test_planted_dots_land_on_the_template(degrees, scale):
    height, width, size = 480, 640, 96
    points = turned(TEMPLATE - 0.5, degrees, scale, [300, 250])
    ys, xs = np.mgrid[:height, :width] + 0.5
    spread = scale * 0.03
    image = np.stack([np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 2 / spread**2) for x, y in points])
    squared = squares(np.zeros((1, 4)), points[None], 0.0)
    for dot, wanted in zip(image, TEMPLATE, strict=True):
        frame = torch.from_numpy((dot * 255).astype(np.uint8)).expand(1, 3, -1, -1)
        crop = cut(frame, np.zeros(1, int), squared, size)[0, 0].double().numpy()
        rows, columns = np.mgrid[:size, :size] + 0.5
        centre = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum() / size
        np.testing.assert_allclose(centre, wanted, atol=0.1 / size)


def test_margin_widens_every_side():
    boxes = np.array([[100.0, 60.0, 40.0, 80.0]])
    ((corner, edge),) = squares(boxes, NO_POINTS, 0.25)
    assert (corner, edge) == (120 - 60 + 1j * (100 - 60), 120)
    points = turned(TEMPLATE, 30, 80, [80, 60])[None]
    (tight,), (wide,) = squares(boxes, points, 0.0), squares(boxes, points, 0.25)
    assert wide[1] == pytest.approx(tight[1] * 1.5)
    assert wide.sum() - wide[1] / 2 + 0.5j * wide[1] == pytest.approx(
        tight.sum() - tight[1] / 2 + 0.5j * tight[1]
    )


def test_without_points_the_box_decides():
    boxes = np.array([[10.0, 20.0, 30.0, 40.0]])
    for points in (NO_POINTS, np.full((1, 5, 2), 7.0)):
        assert squares(boxes, points, 0.0).tolist() == [[5 + 20j, 40 + 0j]]


def test_an_upright_whole_number_crop_is_a_slice():
    frames = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (3, 3, 50, 60), dtype=np.uint8))
    places = np.array([[7 + 11j, 32 + 0j], [20 + 5j, 32 + 0j]])
    crops = cut(frames, np.array([2, 0]), places, 32)
    assert torch.equal(crops[0], frames[2, :, 11:43, 7:39])
    assert torch.equal(crops[1], frames[0, :, 5:37, 20:52])


def test_bilinear_is_opencvs():
    frame = np.random.default_rng(2).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    frame = cv2.GaussianBlur(frame, (0, 0), 2)
    corner, edge = 35.3 + 20.8j, 55 * np.exp(0.3j)
    crop = cut(
        torch.from_numpy(frame).permute(2, 0, 1)[None], np.zeros(1, int), np.array([[corner, edge]]), 64
    )
    # warpAffine counts from pixel centres: shift by one half on both sides.
    step = edge / 64
    origin = corner + step * (0.5 + 0.5j) - (0.5 + 0.5j)
    matrix = np.array([[step.real, -step.imag, origin.real], [step.imag, step.real, origin.imag]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    expected = cv2.warpAffine(frame, matrix, (64, 64), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    apart = np.abs(crop[0].permute(1, 2, 0).numpy().astype(int) - expected)
    assert apart.max() <= 2  # OpenCV places samples in steps of 1/32 pixel
    assert apart.mean() < 0.3


def test_shrinking_averages_instead_of_picking():
    # A chess board of single pixels: every mean is grey, every picked pixel black or white.
    board = torch.from_numpy(((np.indices((256, 256)).sum(0) % 2) * 255).astype(np.uint8)).expand(
        1, 3, -1, -1
    )
    crop = cut(board, np.zeros(1, int), np.array([[0j, 256 + 0j]]), 16)
    assert (crop.double() - 127.5).abs().max() <= 16


def test_outside_the_frame_the_edge_continues():
    frame = torch.full((1, 3, 20, 20), 77, dtype=torch.uint8)
    crop = cut(frame, np.zeros(1, int), np.array([[-30 - 30j, 80 + 0j]]), 16)
    assert torch.equal(crop, torch.full((1, 3, 16, 16), 77, dtype=torch.uint8))


def test_crops_do_not_depend_on_their_batch():
    draw = np.random.default_rng(3)
    frames = torch.from_numpy(draw.integers(0, 256, (4, 3, 200, 300), dtype=np.uint8))
    which = draw.integers(0, 4, 12)
    corners = draw.uniform(0, 100, 12) + 1j * draw.uniform(0, 100, 12)
    places = np.stack([corners, draw.uniform(20, 190, 12) * np.exp(1j * draw.uniform(-1, 1, 12))], 1)
    together = cut(frames, which, places, 24)
    for n in range(12):
        assert torch.equal(together[n], cut(frames, which[n : n + 1], places[n : n + 1], 24)[0])


def test_no_pixel_leaves_the_device():
    # Mixing devices raises: crops on meta mean that every step ran there.
    frames = torch.empty(2, 3, 100, 100, dtype=torch.uint8, device="meta")
    crops = cut(frames, np.array([0, 1, 1]), np.array([[0j, 90 + 0j]] * 3), 32)
    assert (crops.device.type, crops.shape) == ("meta", (3, 3, 32, 32))
