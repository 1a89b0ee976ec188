"""Grey and resize against OpenCV itself, byte for byte."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture
def pixels(load_entry):
    load_entry("mini-xception")
    from _parts import opencv_pixels

    return opencv_pixels


def test_grey_is_opencvs(pixels):
    frames = np.random.default_rng(1).integers(0, 256, (4, 3, 61, 47), dtype=np.uint8)
    expected = [cv2.cvtColor(np.ascontiguousarray(f.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY) for f in frames]
    assert np.array_equal(pixels.grey(torch.from_numpy(frames)).numpy(), np.stack(expected))


@pytest.mark.parametrize(
    "old", [(48, 48), (64, 64), (112, 112), (128, 128), (97, 31), (7, 5), (1, 1), (333, 224)]
)
@pytest.mark.parametrize("new", [(64, 64), (48, 48), (40, 90)])
def test_resize_is_opencvs(pixels, old, new):
    images = np.random.default_rng(2).integers(0, 256, (3, *old), dtype=np.uint8)
    expected = np.stack([cv2.resize(image, new[::-1]) for image in images])
    assert np.array_equal(pixels.resize(torch.from_numpy(images), *new).numpy(), expected)
