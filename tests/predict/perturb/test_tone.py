from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.predict.clip import Clip
from bench.predict.perturb.tone import _on_device, map_bytes


def draw(frames: int) -> Clip:
    pixels = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (frames, 3, 9, 14), dtype=np.uint8))
    return Clip("clip", pixels, np.arange(frames), np.arange(frames) / 25)


@pytest.mark.parametrize("frames", [1, 5])
@pytest.mark.parametrize("at_once", [1, 2 * 3 * 9 * 14, 1 << 22])
@pytest.mark.parametrize("view", [np.s_[:], np.s_[:, :, 2:7], np.s_[..., 3:11], np.s_[..., ::2]])
def test_each_byte_is_looked_up(
    frames: int, at_once: int, view: tuple[slice, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Second source: numpy's indexing; on other devices than the host the same by torch."""
    monkeypatch.setattr("bench.predict.perturb.parts._AT_ONCE", at_once)
    whole = draw(frames)
    clip = whole.with_frames(whole.frames[view])
    tables = np.random.default_rng(2).integers(0, 256, (frames, 256), dtype=np.uint8)
    for each in (tables, tables[:1]):
        expected = np.stack(
            [each[number % len(each)][frame.numpy()] for number, frame in enumerate(clip.frames)]
        )
        found = map_bytes(clip, torch.from_numpy(each)).frames
        assert found.is_contiguous()
        assert np.array_equal(found.numpy(), expected)
        assert np.array_equal(_on_device(clip.frames, torch.from_numpy(each)).numpy(), expected)
