from __future__ import annotations

import cv2
import numpy as np

from bench.report.contact import COLUMN, HEAD, LABEL, MARGIN, SIDE, Strip, draw_sheet


def test_pictures_stand_pixel_for_pixel_where_the_grid_says() -> None:
    rng = np.random.default_rng(0)
    sizes = [(SIDE, 100), (7, SIDE)]
    strips = [
        Strip(
            str(size), ("on the frame",), [rng.integers(0, 256, (*size, 3), np.uint8) for _ in "abc"], "abc"
        )
        for size in sizes
    ]
    sheet = draw_sheet(strips, ["one", "two", "three"])
    assert sheet == draw_sheet(strips, ["one", "two", "three"])
    found = cv2.imdecode(np.frombuffer(sheet, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert found.shape == (HEAD + SIDE + 7 + 2 * LABEL, MARGIN + 3 * COLUMN, 3)
    top = HEAD
    for strip, (height, width) in zip(strips, sizes, strict=True):
        for number, picture in enumerate(strip.pictures):
            left = MARGIN + number * COLUMN
            assert np.array_equal(found[top : top + height, left : left + width], picture)
            label = found[top + height : top + height + LABEL, left : left + width]
            assert label.min() < 128 < label.max()  # dark text on white
        assert found[top : top + height, :MARGIN].min() < 128 or height < 10
        top += height + LABEL
