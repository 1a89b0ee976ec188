"""Laws that every perturbation keeps, by table over PERTURBATIONS."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.predict.clip import Clip
from bench.predict.perturb import PERTURBATIONS, Perturbation

SEVERITIES = range(1, 6)


def draw(frames: int = 6, height: int = 40, width: int = 56, name: str = "clip") -> Clip:
    """A small moving scene: three gradients and a bright square that walks."""
    times = np.arange(frames) / 25
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    base = torch.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) * 2 % 256])
    pixels = base.to(torch.uint8).expand(frames, 3, height, width).clone()
    for number in range(frames):
        pixels[number, :, height // 4 : height // 2, number : number + width // 4] = 220
    return Clip(name, pixels, np.arange(frames), times)


def cut(clip: Clip, rows: slice) -> Clip:
    return replace(clip, frames=clip.frames[rows], index=clip.index[rows], times=clip.times[rows])


def difference(one: Clip, other: Clip) -> float:
    return float((one.frames.double() - other.frames.double()).abs().mean())


@pytest.fixture(params=sorted(PERTURBATIONS))
def perturbation(request: pytest.FixtureRequest) -> Perturbation:
    return PERTURBATIONS[request.param]


def test_the_registry_is_named_by_hand() -> None:
    assert sorted(PERTURBATIONS) == ["low_light", "sensor_noise"]
    assert all(name == perturbation.name for name, perturbation in PERTURBATIONS.items())


def test_five_rising_levels_with_unit_and_source(perturbation: Perturbation) -> None:
    assert len(perturbation.levels) == 5
    assert list(perturbation.levels) == sorted(set(perturbation.levels))
    assert perturbation.unit
    assert len(perturbation.source) > 20
    assert perturbation.version >= 1


def test_severity_zero_is_the_clip_itself(perturbation: Perturbation) -> None:
    clip = draw()
    assert perturbation(clip, 0, 0) is clip


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_same_bytes_again(perturbation: Perturbation, severity: int) -> None:
    clip = draw()
    before = clip.frames.clone()
    once, again = perturbation(clip, severity, 5), perturbation(clip, severity, 5)
    assert torch.equal(once.frames, again.frames)
    assert torch.equal(clip.frames, before)
    other = perturbation(clip, severity, 6)
    assert difference(once, other) > 0.1 if perturbation.random else torch.equal(once.frames, other.frames)


def test_windows_do_not_matter(perturbation: Perturbation) -> None:
    clip = draw(frames=7)
    whole = perturbation(clip, 3, 0).frames
    for size in (1, 2, 5):
        parts = [perturbation(cut(clip, slice(at, at + size)), 3, 0).frames for at in range(0, 7, size)]
        assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(perturbation(cut(clip, slice(None, None, 3)), 3, 0).frames, whole[::3])


def test_parts_do_not_matter(perturbation: Perturbation, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = draw(frames=7)
    whole = perturbation(clip, 3, 0).frames
    monkeypatch.setattr("bench.predict.perturb.stream._AT_ONCE", 2 * clip.frames[0].numel())
    assert torch.equal(perturbation(clip, 3, 0).frames, whole)


def test_clips_differ(perturbation: Perturbation) -> None:
    one, other = draw(name="one"), draw(name="other")
    found = difference(perturbation(one, 2, 0), perturbation(other, 2, 0))
    assert found > 0.1 if perturbation.random else found == 0


def test_harm_grows_with_severity(perturbation: Perturbation) -> None:
    clip = draw(frames=3, height=96, width=96)
    harms = [difference(perturbation(clip, severity, 0), clip) for severity in range(6)]
    assert all(before * 1.05 < after for before, after in pairwise(harms[1:]))
    assert harms[1] > 1


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 8, 8), (3, 8, 8), (1, 1, 1), (2, 33, 47)])
def test_shape_type_and_device_are_kept(
    perturbation: Perturbation, frames: int, height: int, width: int
) -> None:
    clip = draw(frames, height, width)
    for severity in SEVERITIES:
        found = perturbation(clip, severity, 0)
        assert found.frames.shape == clip.frames.shape
        assert found.frames.dtype == torch.uint8
        assert found.frames.device == clip.frames.device
        assert found.frames.is_contiguous()
        assert (found.id, found.track) == (clip.id, clip.track)
        assert found.index is clip.index
        assert found.times is clip.times


def test_a_crop_that_is_a_view(perturbation: Perturbation) -> None:
    clip = draw()
    view = clip.with_frames(clip.frames[:, :, 3:30, 5:40])
    copied = view.with_frames(view.frames.contiguous())
    assert torch.equal(perturbation(view, 2, 0).frames, perturbation(copied, 2, 0).frames)


class Devices(TorchDispatchMode):
    """Collects the device of every tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[str]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.seen.setdefault(leaf.device.type, set()).add(str(func))
        return result


def test_no_tensor_is_made_off_the_device(perturbation: Perturbation) -> None:
    clip = draw()
    elsewhere = clip.with_frames(clip.frames.to("meta"))
    with Devices() as devices:
        found = perturbation(elsewhere, 4, 0)
    assert found.frames.device.type == "meta"
    assert found.frames.shape == clip.frames.shape
    assert set(devices.seen) == {"meta"}, devices.seen


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("severity", SEVERITIES)
def test_cuda_agrees(perturbation: Perturbation, severity: int) -> None:
    clip = draw(frames=4, height=224, width=224)
    here = perturbation(clip, severity, 0).frames.int()
    there = perturbation(clip.with_frames(clip.frames.cuda()), severity, 0).frames
    assert there.is_cuda
    assert ((there.cpu().int() - here).abs() <= 1).double().mean() >= 0.999


@pytest.mark.parametrize("severity", SEVERITIES)
def test_golden_signature(perturbation: Perturbation, severity: int) -> None:
    """Pixels that move without a new version fail here: mean and deviation of each channel."""
    frames = perturbation(draw(frames=4, height=64, width=64), severity, 0).frames.double()
    found = [*frames.mean((0, 2, 3)).tolist(), *frames.std((0, 2, 3)).tolist()]
    expected = GOLDEN[perturbation.name, perturbation.version, severity]
    assert np.abs(np.array(found) - expected).max() <= 1e-3 * 255, found


GOLDEN: dict[tuple[str, int, int], list[float]] = {
    ("low_light", 1, 1): [100.349, 97.622, 98.125, 55.128, 57.715, 40.708],
    ("low_light", 1, 2): [71.821, 69.81, 70.01, 41.021, 42.92, 30.469],
    ("low_light", 1, 3): [50.53, 49.089, 48.981, 30.326, 31.686, 22.731],
    ("low_light", 1, 4): [34.698, 33.731, 33.293, 22.167, 23.082, 16.829],
    ("low_light", 1, 5): [23.005, 22.417, 21.66, 15.888, 16.434, 12.259],
    ("sensor_noise", 1, 1): [138.401, 134.995, 135.79, 75.01, 78.256, 57.592],
    ("sensor_noise", 1, 2): [138.204, 134.946, 135.734, 76.387, 79.366, 61.01],
    ("sensor_noise", 1, 3): [137.773, 134.74, 135.5, 79.142, 81.558, 67.241],
    ("sensor_noise", 1, 4): [137.026, 134.329, 135.082, 83.578, 85.203, 75.987],
    ("sensor_noise", 1, 5): [135.776, 133.582, 134.321, 90.591, 91.207, 86.932],
}
