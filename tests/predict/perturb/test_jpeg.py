"""JPEG against two programs that have libjpeg: not one byte apart, on any size."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from bench.predict.clip import Clip
from bench.predict.perturb.jpeg import JPEG, _on_device, _on_host

SIZES = [(8, 8), (16, 16), (33, 47), (1, 1), (2, 5), (3, 4), (4, 3), (17, 6), (31, 18), (100, 224), (48, 48)]


def pictures(height: int, width: int) -> torch.Tensor:
    """Noise, a gradient, flat colours and hard edges, uint8 [4, 3, H, W]."""
    rng = np.random.default_rng(height * 1000 + width)
    y, x = np.mgrid[:height, :width]
    noise = rng.integers(0, 256, (height, width, 3))
    smooth = np.stack([x * 3 + 20, y * 2 + 40, (x + y) * 2], -1) % 256
    flat = np.full((height, width, 3), (250, 3, 128))
    edges = np.where(((x // 5 + y // 3) % 2)[..., None], (255, 0, 0), (0, 255, 255))
    scenes = np.stack([noise, smooth, flat, edges]).astype(np.uint8)
    return torch.from_numpy(scenes.transpose(0, 3, 1, 2).copy())


@pytest.mark.parametrize("quality", [7, 10, 15, 18, 25, 50, 90])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_bytes_are_those_of_libjpeg(height: int, width: int, quality: int) -> None:
    frames = pictures(height, width)
    found = _on_device(frames, quality)
    assert torch.equal(found, _on_host(frames, quality))
    for frame, each in zip(frames, found, strict=True):
        file = io.BytesIO()
        Image.fromarray(frame.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        expected = np.asarray(Image.open(file).convert("RGB"))
        assert np.array_equal(each.permute(1, 2, 0).numpy(), expected)


@pytest.mark.parametrize("severity", range(1, 6))
def test_severities_are_the_qualities_of_imagenet_c(severity: int) -> None:
    frames = pictures(64, 64)
    clip = Clip("x", frames, np.arange(4), np.arange(4) / 25)
    quality = [25, 18, 15, 10, 7][severity - 1]
    for frame, found in zip(frames, JPEG(clip, severity, 0).frames, strict=True):
        data = cv2.imencode(
            ".jpg", frame.permute(1, 2, 0).numpy()[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality]
        )[1]
        assert np.array_equal(found.permute(1, 2, 0).numpy(), cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def test_parts_do_not_matter_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = pictures(40, 56)
    whole = _on_device(frames, 15)
    monkeypatch.setattr("bench.predict.perturb.parts._AT_ONCE", 1)
    assert torch.equal(_on_device(frames, 15), whole)
