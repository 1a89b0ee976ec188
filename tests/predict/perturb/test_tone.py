from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.stream import Stream
from bench.predict.perturb.tone import map_bytes

STREAM = Stream.of(0, "clip", "tone", 1)


def draw(frames: int) -> Clip:
    pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (frames, 3, 9, 14), dtype=np.uint8))
    return Clip("clip", pixels, np.arange(frames), np.arange(frames) / 25)


@pytest.mark.parametrize("frames", [1, 5])
@pytest.mark.parametrize("at_once", [1, 2 * 3 * 9 * 14, 1 << 22])
def test_tables_map_as_in_opencv(frames: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.predict.perturb.stream._AT_ONCE", at_once)
    clip = draw(frames)
    tables = np.random.default_rng(2).integers(0, 256, (frames, 256), dtype=np.uint8)
    each = map_bytes(clip, torch.from_numpy(tables), STREAM).frames.numpy()
    one = map_bytes(clip, torch.from_numpy(tables[:1]), STREAM).frames.numpy()
    for number, frame in enumerate(clip.frames.numpy()):
        flat = frame.reshape(-1, 14)
        assert np.array_equal(each[number].reshape(-1, 14), cv2.LUT(flat, tables[number]))
        assert np.array_equal(one[number].reshape(-1, 14), cv2.LUT(flat, tables[0]))
