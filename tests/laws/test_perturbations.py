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

# What acts on whole frames by their time needs more of them to show what it does.
FRAMES = {"missing_picture": 150}


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
    assert sorted(PERTURBATIONS) == [
        "backlight", "bit_depth", "camera_tilt", "colour_temperature", "contrast", "defocus", "distance",
        "exposure", "exposure_ramp", "flicker", "gamma", "impulse_noise", "jpeg", "low_light", "low_resolution",
        "missing_picture", "motion_blur", "off_centre", "roll", "rolling_shutter", "sensor_noise", "shot_noise",
        "vignetting", "white_balance",
        "zoom_blur",
    ]  # fmt: skip
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
    clip = draw(FRAMES.get(perturbation.name, 6))
    before = clip.frames.clone()
    once, again = perturbation(clip, severity, 5), perturbation(clip, severity, 5)
    assert torch.equal(once.frames, again.frames)
    assert torch.equal(clip.frames, before)
    # A direction of two may fall alike twice.
    others = [perturbation(clip, severity, seed) for seed in range(6, 12)]
    drawn = perturbation.random and (perturbation.name, severity) != ("missing_picture", 5)  # all are black
    assert any(difference(once, other) > 0.1 for other in others) == drawn


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
    monkeypatch.setattr("bench.predict.perturb.parts._AT_ONCE", 2 * clip.frames[0].numel())
    assert torch.equal(perturbation(clip, 3, 0).frames, whole)


def test_clips_differ(perturbation: Perturbation) -> None:
    frames = FRAMES.get(perturbation.name, 6)
    one, *others = (perturbation(draw(frames, name=f"clip {number}"), 2, 0) for number in range(6))
    found = [difference(one, other) for other in others]
    assert max(found) > 0.1 if perturbation.random else max(found) == 0


def test_persons_of_a_clip_share_what_is_drawn(perturbation: Perturbation) -> None:
    clip = draw()
    other = replace(clip, track=3)
    assert torch.equal(perturbation(other, 4, 0).frames, perturbation(clip, 4, 0).frames)


def test_harm_grows_with_severity(perturbation: Perturbation) -> None:
    clip = draw(FRAMES.get(perturbation.name, 3), height=96, width=96)
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
        other = perturbation(clip.with_frames(clip.frames.to(memory_format=torch.channels_last)), severity, 0)
        assert other.frames.is_contiguous()
        assert torch.equal(other.frames, found.frames)


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
    frames = perturbation(draw(FRAMES.get(perturbation.name, 4), 64, 64), severity, 0).frames.double()
    found = [*frames.mean((0, 2, 3)).tolist(), *frames.std((0, 2, 3)).tolist()]
    expected = GOLDEN[perturbation.name, perturbation.version, severity]
    assert np.abs(np.array(found) - expected).max() <= 1e-3 * 255, found


GOLDEN: dict[tuple[str, int, int], list[float]] = {
    ("backlight", 1, 1): [153.057, 150.766, 147.714, 59.689, 61.837, 45.102],
    ("backlight", 1, 2): [162.979, 161.223, 157.255, 52.025, 53.666, 39.397],
    ("backlight", 1, 3): [178.729, 177.527, 173.205, 41.183, 42.292, 31.197],
    ("backlight", 1, 4): [197.57, 196.82, 193.026, 29.641, 30.326, 22.253],
    ("backlight", 1, 5): [218.19, 217.77, 215.071, 18.272, 18.653, 13.626],
    ("bit_depth", 1, 1): [138.676, 134.953, 135.855, 74.397, 77.936, 54.591],
    ("bit_depth", 1, 2): [138.258, 134.672, 135.747, 74.282, 77.692, 54.58],
    ("bit_depth", 1, 3): [138.924, 135.359, 135.775, 75.248, 78.708, 55.367],
    ("bit_depth", 1, 4): [141.279, 138.125, 136.838, 83.372, 86.972, 64.884],
    ("bit_depth", 1, 5): [143.438, 143.438, 141.445, 126.504, 126.504, 126.739],
    ("camera_tilt", 1, 1): [141.021, 133.199, 136.104, 72.223, 76.577, 53.543],
    ("camera_tilt", 1, 2): [143.023, 131.794, 136.394, 69.974, 74.757, 52.576],
    ("camera_tilt", 1, 3): [144.127, 130.508, 136.313, 67.062, 71.791, 51.223],
    ("camera_tilt", 1, 4): [144.538, 129.74, 136.131, 63.044, 67.533, 49.123],
    ("camera_tilt", 1, 5): [143.862, 129.448, 135.653, 57.885, 61.7, 46.164],
    ("colour_temperature", 1, 1): [152.141, 133.231, 119.769, 68.512, 77.13, 48.738],
    ("colour_temperature", 1, 2): [162.876, 131.073, 104.351, 66.765, 76.847, 43.386],
    ("colour_temperature", 1, 3): [172.006, 128.507, 89.587, 65.511, 76.41, 38.475],
    ("colour_temperature", 1, 4): [179.638, 125.527, 75.3, 64.062, 75.761, 34.005],
    ("colour_temperature", 1, 5): [185.779, 122.555, 62.508, 63.008, 75.021, 30.721],
    ("contrast", 1, 1): [126.062, 124.594, 124.9, 29.556, 30.944, 21.748],
    ("contrast", 1, 2): [123.894, 122.797, 123.081, 22.12, 23.157, 16.244],
    ("contrast", 1, 3): [121.881, 121.148, 121.325, 14.741, 15.434, 10.838],
    ("contrast", 1, 4): [119.693, 119.324, 119.381, 7.383, 7.732, 5.454],
    ("contrast", 1, 5): [118.697, 118.516, 118.55, 3.696, 3.867, 2.753],
    ("defocus", 1, 1): [139.23, 135.145, 136.126, 72.604, 76.839, 53.368],
    ("defocus", 1, 2): [139.377, 135.225, 136.25, 72.38, 76.73, 53.128],
    ("defocus", 1, 3): [139.711, 135.365, 136.446, 71.768, 76.497, 52.655],
    ("defocus", 1, 4): [140.095, 135.552, 136.705, 71.113, 76.198, 52.11],
    ("defocus", 1, 5): [140.516, 135.815, 136.965, 70.318, 75.76, 51.514],
    ("distance", 1, 1): [134.626, 132.046, 132.196, 92.318, 94.373, 65.833],
    ("distance", 1, 2): [131.944, 130.247, 129.821, 104.021, 105.221, 73.528],
    ("distance", 1, 3): [130.497, 129.299, 128.568, 111.286, 112.111, 78.231],
    ("distance", 1, 4): [129.446, 128.633, 127.651, 116.286, 116.82, 81.603],
    ("distance", 1, 5): [128.912, 128.322, 127.167, 119.592, 119.981, 83.783],
    ("exposure", 1, 1): [158.957, 154.715, 158.346, 81.162, 85.206, 61.699],
    ("exposure", 1, 2): [174.561, 169.652, 179.151, 81.851, 86.539, 63.135],
    ("exposure", 1, 3): [187.868, 182.195, 198.26, 80.156, 85.432, 61.543],
    ("exposure", 1, 4): [199.231, 192.676, 214.418, 77.16, 82.813, 57.575],
    ("exposure", 1, 5): [208.79, 201.32, 226.653, 73.289, 78.959, 52.165],
    ("exposure_ramp", 1, 1): [139.938, 136.231, 137.082, 74.532, 78.036, 54.853],
    ("exposure_ramp", 1, 2): [141.324, 137.575, 138.557, 75.087, 78.629, 55.318],
    ("exposure_ramp", 1, 3): [144.086, 140.274, 141.434, 76.29, 79.896, 56.434],
    ("exposure_ramp", 1, 4): [146.784, 142.889, 144.389, 77.378, 81.06, 57.568],
    ("exposure_ramp", 1, 5): [149.433, 145.459, 147.37, 78.356, 82.108, 58.706],
    ("flicker", 1, 1): [138.232, 134.577, 135.467, 73.732, 77.182, 54.34],
    ("flicker", 1, 2): [137.396, 133.768, 134.835, 73.736, 77.126, 54.885],
    ("flicker", 1, 3): [134.997, 131.434, 132.985, 74.197, 77.396, 56.885],
    ("flicker", 1, 4): [131.037, 127.562, 129.721, 75.109, 78.004, 59.815],
    ("flicker", 1, 5): [125.516, 122.176, 124.922, 77.202, 79.643, 64.389],
    ("gamma", 1, 1): [127.407, 124.109, 122.101, 76.012, 79.12, 56.509],
    ("gamma", 1, 2): [117.975, 115.062, 110.397, 77.21, 79.933, 57.625],
    ("gamma", 1, 3): [106.165, 103.797, 95.688, 78.025, 80.209, 58.256],
    ("gamma", 1, 4): [96.625, 94.75, 83.737, 78.024, 79.722, 58.069],
    ("gamma", 1, 5): [86.315, 84.957, 70.958, 77.196, 78.394, 56.774],
    ("impulse_noise", 2, 1): [138.391, 134.795, 135.8, 75.981, 79.248, 57.984],
    ("impulse_noise", 2, 2): [138.314, 134.902, 135.07, 78.114, 81.327, 61.445],
    ("impulse_noise", 2, 3): [138.363, 134.265, 134.902, 80.205, 83.26, 64.58],
    ("impulse_noise", 2, 4): [137.559, 133.236, 133.876, 85.728, 88.049, 72.454],
    ("impulse_noise", 2, 5): [136.128, 132.53, 133.575, 91.924, 93.822, 80.981],
    ("jpeg", 1, 1): [138.289, 134.842, 135.516, 73.502, 77.57, 55.189],
    ("jpeg", 1, 2): [138.307, 134.687, 136.674, 72.575, 77.003, 54.825],
    ("jpeg", 1, 3): [138.769, 134.677, 135.092, 72.07, 76.661, 54.824],
    ("jpeg", 1, 4): [138.243, 135.423, 132.421, 74.509, 78.003, 54.819],
    ("jpeg", 1, 5): [138.068, 134.55, 135.697, 74.931, 78.337, 55.973],
    ("low_light", 1, 1): [100.349, 97.622, 98.125, 55.128, 57.715, 40.708],
    ("low_light", 1, 2): [71.821, 69.81, 70.01, 41.021, 42.92, 30.469],
    ("low_light", 1, 3): [50.53, 49.089, 48.981, 30.326, 31.686, 22.731],
    ("low_light", 1, 4): [34.698, 33.731, 33.293, 22.167, 23.082, 16.829],
    ("low_light", 1, 5): [23.005, 22.417, 21.66, 15.888, 16.434, 12.259],
    ("low_resolution", 2, 1): [138.5, 134.838, 135.688, 72.211, 76.468, 52.76],
    ("low_resolution", 2, 2): [138.496, 134.835, 135.688, 70.79, 75.768, 51.393],
    ("low_resolution", 2, 3): [138.562, 134.892, 135.687, 70.64, 75.565, 51.3],
    ("low_resolution", 2, 4): [138.5, 134.823, 135.685, 67.82, 73.999, 48.694],
    ("low_resolution", 2, 5): [138.506, 134.846, 135.688, 67.69, 73.498, 48.562],
    ("missing_picture", 1, 1): [108.575, 109.565, 108.225, 83.807, 84.429, 68.487],
    ("missing_picture", 1, 2): [93.358, 94.07, 92.99, 86.621, 87.174, 74.024],
    ("missing_picture", 1, 3): [66.17, 66.294, 65.721, 84.696, 84.913, 75.474],
    ("missing_picture", 1, 4): [37.851, 37.669, 37.47, 72.158, 72.091, 65.862],
    ("missing_picture", 1, 5): [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    ("motion_blur", 1, 1): [139.195, 135.127, 136.103, 72.712, 76.853, 53.421],
    ("motion_blur", 1, 2): [139.333, 135.191, 136.211, 72.46, 76.732, 53.173],
    ("motion_blur", 1, 3): [139.832, 135.568, 136.558, 71.644, 76.192, 52.455],
    ("motion_blur", 1, 4): [140.306, 135.954, 136.863, 70.799, 75.524, 51.708],
    ("motion_blur", 1, 5): [140.779, 136.313, 137.174, 69.982, 74.895, 50.937],
    ("off_centre", 1, 1): [142.301, 123.007, 131.675, 73.19, 77.793, 54.707],
    ("off_centre", 1, 2): [142.301, 111.85, 126.144, 73.19, 77.564, 55.203],
    ("off_centre", 1, 3): [145.801, 101.012, 122.497, 72.593, 76.5, 54.972],
    ("off_centre", 1, 4): [145.801, 87.762, 115.935, 72.593, 74.453, 54.947],
    ("off_centre", 1, 5): [149.039, 69.395, 108.439, 72.03, 69.677, 53.793],
    ("roll", 1, 1): [138.3, 134.714, 135.489, 72.885, 76.532, 53.454],
    ("roll", 1, 2): [138.167, 134.611, 135.357, 72.055, 75.673, 52.886],
    ("roll", 1, 3): [138.3, 134.668, 135.443, 71.05, 74.803, 52.272],
    ("roll", 1, 4): [138.808, 134.953, 135.837, 70.097, 74.199, 51.756],
    ("roll", 1, 5): [139.683, 135.447, 136.533, 69.415, 74.079, 51.477],
    ("rolling_shutter", 1, 1): [138.585, 134.945, 135.745, 73.514, 76.743, 53.889],
    ("rolling_shutter", 1, 2): [138.683, 134.962, 135.805, 73.409, 76.584, 53.742],
    ("rolling_shutter", 1, 3): [138.779, 134.994, 135.875, 73.33, 76.29, 53.666],
    ("rolling_shutter", 1, 4): [138.864, 135.051, 135.941, 73.313, 76.149, 53.638],
    ("rolling_shutter", 1, 5): [138.99, 135.114, 136.039, 73.324, 75.984, 53.628],
    ("sensor_noise", 1, 1): [138.401, 134.995, 135.79, 75.01, 78.256, 57.592],
    ("sensor_noise", 1, 2): [138.204, 134.946, 135.734, 76.387, 79.366, 61.01],
    ("sensor_noise", 1, 3): [137.773, 134.74, 135.5, 79.142, 81.558, 67.241],
    ("sensor_noise", 1, 4): [137.026, 134.329, 135.082, 83.578, 85.203, 75.987],
    ("sensor_noise", 1, 5): [135.776, 133.582, 134.321, 90.591, 91.207, 86.932],
    ("shot_noise", 1, 1): [136.221, 132.386, 133.802, 76.853, 80.302, 58.075],
    ("shot_noise", 1, 2): [133.08, 129.224, 130.734, 80.736, 83.941, 63.437],
    ("shot_noise", 1, 3): [127.744, 124.366, 124.859, 86.493, 88.74, 72.599],
    ("shot_noise", 1, 4): [115.438, 112.218, 110.131, 96.964, 98.16, 89.048],
    ("shot_noise", 1, 5): [103.322, 100.609, 96.082, 104.352, 104.49, 99.277],
    ("vignetting", 1, 1): [123.665, 120.362, 121.039, 64.508, 67.683, 48.065],
    ("vignetting", 1, 2): [108.462, 105.557, 106.047, 56.527, 59.326, 43.233],
    ("vignetting", 1, 3): [93.368, 90.877, 91.166, 49.81, 52.177, 39.58],
    ("vignetting", 1, 4): [78.863, 76.786, 76.86, 44.254, 46.158, 36.725],
    ("vignetting", 1, 5): [65.3, 63.623, 63.476, 39.584, 41.041, 34.306],
    ("white_balance", 1, 1): [134.12, 135.637, 139.28, 71.623, 77.694, 55.612],
    ("white_balance", 1, 2): [129.452, 136.613, 142.753, 69.388, 78.145, 56.808],
    ("white_balance", 1, 3): [122.806, 137.754, 147.268, 66.125, 78.705, 58.345],
    ("white_balance", 1, 4): [113.371, 139.176, 152.786, 61.469, 79.357, 60.16],
    ("white_balance", 1, 5): [99.949, 140.898, 159.094, 54.925, 80.173, 61.814],
    ("zoom_blur", 1, 1): [139.904, 135.755, 136.74, 69.041, 73.477, 50.979],
    ("zoom_blur", 1, 2): [140.161, 136.027, 136.947, 67.312, 71.821, 49.722],
    ("zoom_blur", 1, 3): [140.223, 136.138, 137.065, 65.806, 70.323, 48.654],
    ("zoom_blur", 1, 4): [140.299, 136.261, 137.13, 64.7, 69.227, 47.798],
    ("zoom_blur", 1, 5): [140.367, 136.397, 137.215, 62.995, 67.521, 46.555],
}
